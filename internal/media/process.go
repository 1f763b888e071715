package media

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	_ "image/gif" // decoders register themselves with package image
	"image/jpeg"
	"image/png"

	"golang.org/x/image/draw"
	_ "golang.org/x/image/webp"
)

// Bounds of what is decoded and kept.
type Bounds struct {
	// MaxBytes of the file, MaxPixels of the picture before it is decoded.
	MaxBytes, MaxPixels int
	// Width that is kept at most, in pixels.
	Width int
}

// Picture is a processed image.
type Picture struct {
	Data          []byte
	Type, Ext     string
	Width, Height int
	// Small is the same picture for narrow screens; nil when the picture is that narrow itself.
	Small []byte
}

// SmallWidth is the width of the small variant, in pixels.
const SmallWidth = 640

// ErrPicture says that a file is no picture that can be shown.
var ErrPicture = errors.New("it is no picture that can be shown")

// maxSide is the longest side that is decoded, in pixels; no camera makes longer ones, and their product still counts in 32
// bits.
const maxSide = 1<<15 - 1

// maxScans is how many scans a progressive JPEG may have. Encoders write about ten; each costs a pass over the picture, and
// thousands fit into a small file.
const maxScans = 200

// Process decodes a picture within the bounds, turns it upright, scales it down and encodes it anew, so that nothing of
// the file but the picture remains. Pictures with transparency stay PNG, the others become JPEG. Of an animation the
// first frame is kept.
func Process(file []byte, b Bounds) (p Picture, err error) {
	defer func() {
		if fault := recover(); fault != nil { // a fault of a decoder is not ours
			p, err = Picture{}, fmt.Errorf("%w: reading it failed: %v", ErrPicture, fault)
		}
	}()
	if len(file) > b.MaxBytes {
		return Picture{}, fmt.Errorf("%w: it has more than %d bytes", ErrPicture, b.MaxBytes)
	}
	cfg, format, err := image.DecodeConfig(bytes.NewReader(file))
	if err != nil {
		return Picture{}, fmt.Errorf("%w: it is neither JPEG, PNG, GIF nor WebP", ErrPicture)
	}
	if cfg.Width > maxSide || cfg.Height > maxSide {
		return Picture{}, fmt.Errorf("%w: %d by %d pixels; a side may have %d", ErrPicture, cfg.Width, cfg.Height, maxSide)
	}
	if cfg.Width*cfg.Height > b.MaxPixels {
		return Picture{}, fmt.Errorf("%w: %d by %d pixels are more than %d", ErrPicture, cfg.Width, cfg.Height, b.MaxPixels)
	}
	if format == "jpeg" && bytes.Count(file, []byte{0xff, 0xda}) > maxScans {
		return Picture{}, fmt.Errorf("%w: it has more than %d scans", ErrPicture, maxScans)
	}
	if cfg.Width < 8 || cfg.Height < 8 {
		return Picture{}, fmt.Errorf("%w: %d by %d pixels are no picture", ErrPicture, cfg.Width, cfg.Height)
	}
	img, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		return Picture{}, fmt.Errorf("%w: %w", ErrPicture, err)
	}
	turn := 1
	if format == "jpeg" {
		turn = orientation(file)
	}
	opaque := isOpaque(img)
	full := upright(scale(img, turn, b.Width), turn)
	p = Picture{Width: full.Bounds().Dx(), Height: full.Bounds().Dy(), Type: "image/jpeg", Ext: ".jpg"}
	if !opaque {
		p.Type, p.Ext = "image/png", ".png"
	}
	if p.Data, err = encode(full, opaque); err != nil {
		return Picture{}, err
	}
	if p.Width > SmallWidth {
		small := scale(full, 1, SmallWidth)
		if p.Small, err = encode(small, opaque); err != nil {
			return Picture{}, err
		}
	}
	return p, nil
}

func isOpaque(img image.Image) bool {
	o, ok := img.(interface{ Opaque() bool })
	return ok && o.Opaque()
}

// scale scales a picture down so that it is at most as wide once it is turned.
func scale(img image.Image, turn, width int) *image.NRGBA {
	b := img.Bounds()
	w, h := b.Dx(), b.Dy()
	shown := w
	if turn >= 5 { // sideways
		shown = h
	}
	if shown > width {
		w, h = max(w*width/shown, 1), max(h*width/shown, 1)
	}
	if w == b.Dx() && h == b.Dy() {
		out := image.NewNRGBA(image.Rect(0, 0, w, h))
		draw.Draw(out, out.Bounds(), img, b.Min, draw.Src)
		return out
	}
	// First by exact halves, which mean four pixels into one: the last step takes 32 bytes for each pixel of the new width
	// and the old height.
	for b.Dx() >= 2*w && b.Dy() >= 2*h {
		half := image.NewNRGBA(image.Rect(0, 0, b.Dx()/2, b.Dy()/2))
		draw.ApproxBiLinear.Scale(half, half.Bounds(), img, image.Rect(b.Min.X, b.Min.Y, b.Min.X+2*half.Rect.Dx(), b.Min.Y+2*half.Rect.Dy()), draw.Src, nil)
		img, b = half, half.Bounds()
	}
	out := image.NewNRGBA(image.Rect(0, 0, w, h))
	var last draw.Interpolator = draw.CatmullRom
	if w*b.Dy() > maxScaled {
		last = draw.ApproxBiLinear
	}
	last.Scale(out, out.Bounds(), img, b, draw.Src, nil)
	return out
}

// maxScaled is up to which size the last step of scaling takes the finer way, in pixels.
const maxScaled = 4 << 20

// upright undoes an EXIF orientation (1 to 8).
func upright(img *image.NRGBA, turn int) *image.NRGBA {
	if turn <= 1 || turn > 8 {
		return img
	}
	w, h := img.Bounds().Dx(), img.Bounds().Dy()
	ow, oh := w, h
	if turn >= 5 {
		ow, oh = h, w
	}
	out := image.NewNRGBA(image.Rect(0, 0, ow, oh))
	for y := range oh {
		for x := range ow {
			sx, sy := x, y
			switch turn {
			case 2:
				sx = w - 1 - x
			case 3:
				sx, sy = w-1-x, h-1-y
			case 4:
				sy = h - 1 - y
			case 5:
				sx, sy = y, x
			case 6:
				sx, sy = y, h-1-x
			case 7:
				sx, sy = w-1-y, h-1-x
			case 8:
				sx, sy = w-1-y, x
			}
			copy(out.Pix[out.PixOffset(x, y):][:4], img.Pix[img.PixOffset(sx, sy):][:4])
		}
	}
	return out
}

func encode(img image.Image, opaque bool) ([]byte, error) {
	var out bytes.Buffer
	var err error
	if opaque {
		err = jpeg.Encode(&out, img, &jpeg.Options{Quality: 82})
	} else {
		err = (&png.Encoder{CompressionLevel: png.BestSpeed}).Encode(&out, img)
	}
	return out.Bytes(), err
}
