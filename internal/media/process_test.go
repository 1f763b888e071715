package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
)

var bounds = Bounds{MaxBytes: 15 << 20, MaxPixels: 30_000_000, Width: 1280}

var (
	red   = color.NRGBA{R: 255, A: 255}
	green = color.NRGBA{G: 255, A: 255}
	blue  = color.NRGBA{B: 255, A: 255}
	white = color.NRGBA{R: 255, G: 255, B: 255, A: 255}
)

// quarters is a picture whose quarters are red and green above blue and white.
func quarters(w, h int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := [][]color.NRGBA{{red, green}, {blue, white}}[2*y/h][2*x/w]
			img.SetNRGBA(x, y, c)
		}
	}
	return img
}

func asJPEG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func asPNG(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// exif is an APP1 segment with an orientation, a camera's serial number and a place, as telephones write them.
func exif(order binary.ByteOrder, turn uint16) []byte {
	var t bytes.Buffer
	if order == binary.ByteOrder(binary.BigEndian) {
		t.WriteString("MM\x00*")
	} else {
		t.WriteString("II*\x00")
	}
	put := func(v any) { _ = binary.Write(&t, order, v) } // a buffer does not fail
	put(uint32(8))
	put(uint16(2))
	put([]uint16{0x0112, 3})
	put(uint32(1))
	put([]uint16{turn, 0})
	put([]uint16{0x8825, 4})
	put(uint32(1))
	put(uint32(38))
	put(uint32(0))
	t.WriteString("GPS 48.8566N 2.3522E SERIAL-0815")
	body := append([]byte("Exif\x00\x00"), t.Bytes()...)
	seg := []byte{0xff, 0xe1, 0, 0}
	binary.BigEndian.PutUint16(seg[2:], uint16(len(body)+2))
	return append(seg, body...)
}

// withSegment puts a segment behind the start of a JPEG file.
func withSegment(file, segment []byte) []byte {
	return bytes.Join([][]byte{file[:2], segment, file[2:]}, nil)
}

func decode(t testing.TB, p Picture) image.Image {
	t.Helper()
	img, format, err := image.Decode(bytes.NewReader(p.Data))
	if err != nil {
		t.Fatal(err)
	}
	if b := img.Bounds(); b.Dx() != p.Width || b.Dy() != p.Height || "image/"+format != p.Type {
		t.Errorf("the picture is %v %s, and said to be %d by %d %s", b, format, p.Width, p.Height, p.Type)
	}
	return img
}

func near(a, b color.Color) bool {
	ar, ag, ab, _ := a.RGBA()
	br, bg, bb, _ := b.RGBA()
	d := func(x, y uint32) bool { return max(x, y)-min(x, y) < 0x3000 }
	return d(ar, br) && d(ag, bg) && d(ab, bb)
}

// Each EXIF orientation is undone, and nothing else of the EXIF data stays.
func TestOrientationIsAppliedAndStripped(t *testing.T) {
	t.Parallel()
	// What stands in the four corners (above left, above right, below left, below right) once it is upright; Exif 2.3,
	// 4.6.4: 1 is as stored, 3 is turned by half, 6 has to be turned to the right, 8 to the left, the others are mirrored.
	for turn, want := range map[uint16][4]color.NRGBA{1: {red, green, blue, white}, 2: {green, red, white, blue}, 3: {white, blue, green, red},
		4: {blue, white, red, green}, 5: {red, blue, green, white}, 6: {blue, red, white, green}, 7: {white, green, blue, red}, 8: {green, white, red, blue}} {
		for name, order := range map[string]binary.ByteOrder{"little": binary.LittleEndian, "big": binary.BigEndian} {
			for _, size := range [][2]int{{160, 80}, {360, 180}} {
				t.Run(fmt.Sprint(turn, name, size), func(t *testing.T) {
					t.Parallel()
					file := withSegment(asJPEG(t, quarters(size[0], size[1])), exif(order, turn))
					narrow := bounds
					narrow.Width = 170
					p, err := Process(file, narrow)
					if err != nil {
						t.Fatal(err)
					}
					img := decode(t, p)
					w, h := p.Width, p.Height
					if sideways := turn >= 5; sideways != (h > w) {
						t.Errorf("it is %d by %d", w, h)
					}
					if w > narrow.Width {
						t.Errorf("it is %d wide", w)
					}
					for i, at := range []image.Point{{w / 4, h / 4}, {3 * w / 4, h / 4}, {w / 4, 3 * h / 4}, {3 * w / 4, 3 * h / 4}} {
						if got := img.At(at.X, at.Y); !near(got, want[i]) {
							t.Errorf("corner %d is %v, want %v", i, got, want[i])
						}
					}
					for _, data := range [][]byte{p.Data, p.Small} {
						if bytes.Contains(data, []byte("GPS")) || bytes.Contains(data, []byte("Exif")) || bytes.Contains(data, []byte("SERIAL")) {
							t.Error("what the camera wrote is still there")
						}
					}
				})
			}
		}
	}
}

// pngHeader is a PNG file that says how large it is and ends there.
func pngHeader(w, h uint32) []byte {
	head := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32([]byte("IHDR"), w), h)
	head = append(head, 8, 6, 0, 0, 0)
	out := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), head...)
	return binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(head))
}

func gifHeader(w, h uint16) []byte {
	out := binary.LittleEndian.AppendUint16([]byte("GIF89a"), w)
	return append(binary.LittleEndian.AppendUint16(out, h), 0, 0, 0)
}

// webpHeader is an extended WebP file that says how large its canvas is.
func webpHeader(w, h int) []byte {
	body := []byte{0, 0, 0, 0, byte(w - 1), byte((w - 1) >> 8), byte((w - 1) >> 16), byte(h - 1), byte((h - 1) >> 8), byte((h - 1) >> 16)}
	chunk := append([]byte("WEBPVP8X\x0a\x00\x00\x00"), body...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(chunk))), chunk...)
}

// scanBomb is a progressive JPEG with many scans of nothing.
func scanBomb(t testing.TB, n int) []byte {
	t.Helper()
	file := asJPEG(t, quarters(64, 64))
	at := bytes.Index(file, []byte{0xff, 0xda})
	scan := file[at : len(file)-2]
	return bytes.Join([][]byte{file[:at], bytes.Repeat(scan, n), {0xff, 0xd9}}, nil)
}

func TestProcessRefuses(t *testing.T) {
	t.Parallel()
	photo := asJPEG(t, quarters(640, 480))
	small := bounds
	small.MaxBytes = 100
	for name, c := range map[string]struct {
		file   []byte
		bounds Bounds
		want   string
	}{
		"nothing":                        {nil, bounds, "it is neither JPEG, PNG, GIF nor WebP"},
		"SVG":                            {[]byte(`<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>`), bounds, "neither JPEG, PNG, GIF nor WebP"},
		"a page in place of a picture":   {[]byte("<!doctype html><title>Sign in</title>"), bounds, "neither JPEG, PNG, GIF nor WebP"},
		"AVIF":                           {[]byte("\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf"), bounds, "neither JPEG, PNG, GIF nor WebP"},
		"more bytes than are taken":      {photo, small, "it has more than 100 bytes"},
		"a broken end":                   {photo[:len(photo)/2], bounds, "it is no picture that can be shown: invalid JPEG"},
		"a PNG of 50,000 px a side":      {pngHeader(50_000, 50_000), bounds, "50000 by 50000 pixels; a side may have 32767"},
		"a PNG that is a strip":          {pngHeader(50_000, 10), bounds, "50000 by 10 pixels; a side may have 32767"},
		"a PNG of 2^31 px a side":        {pngHeader(1<<31-1, 1<<31-1), bounds, "it is neither"},
		"a PNG of zero px":               {pngHeader(0, 10), bounds, "it is neither"},
		"a GIF of 65,535 px a side":      {gifHeader(65535, 65535), bounds, "65535 by 65535 pixels; a side may have 32767"},
		"a WebP of 50,000 px a side":     {webpHeader(50_000, 40_000), bounds, "50000 by 40000 pixels; a side may have 32767"},
		"a WebP larger than an int":      {webpHeader(1<<24, 1<<24), bounds, "it is neither"},
		"more pixels than are taken":     {pngHeader(6000, 6000), bounds, "6000 by 6000 pixels are more than 30000000"},
		"a picture that counts a reader": {asPNG(t, quarters(4, 4)), bounds, "4 by 4 pixels are no picture"},
		"thousands of scans":             {scanBomb(t, 1000), bounds, "it has more than 200 scans"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Process(c.file, c.bounds)
			if !errors.Is(err, ErrPicture) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestProcessKeeps(t *testing.T) {
	t.Parallel()
	seeThrough := quarters(1300, 200)
	for i := 3; i < len(seeThrough.Pix); i += 8 {
		seeThrough.Pix[i] = 0
	}
	var moving bytes.Buffer
	frames := &gif.GIF{}
	for _, c := range []color.Color{red, blue} {
		f := image.NewPaletted(image.Rect(0, 0, 700, 350), color.Palette{c})
		frames.Image, frames.Delay = append(frames.Image, f), append(frames.Delay, 10)
	}
	if err := gif.EncodeAll(&moving, frames); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file   []byte
		typ    string
		w, h   int
		small  bool
		corner color.Color
	}{
		"a photo is scaled down":               {asJPEG(t, quarters(2600, 650)), "image/jpeg", 1280, 320, true, red},
		"an opaque PNG becomes JPEG":           {asPNG(t, quarters(800, 400)), "image/jpeg", 800, 400, true, red},
		"transparency stays":                   {asPNG(t, seeThrough), "image/png", 1280, 196, true, nil},
		"a narrow one is its own small one":    {asJPEG(t, quarters(640, 300)), "image/jpeg", 640, 300, false, red},
		"of an animation the first frame":      {moving.Bytes(), "image/jpeg", 700, 350, true, red},
		"a very tall one":                      {asPNG(t, quarters(1290, 3300)), "image/jpeg", 1280, 3274, true, red},
		"ten scans are no bomb":                {scanBomb(t, 1), "image/jpeg", 64, 64, false, red},
		"a grey one":                           {asJPEG(t, image.NewGray(image.Rect(0, 0, 32, 32))), "image/jpeg", 32, 32, false, color.Black},
		"wide and low keeps at least one line": {asPNG(t, quarters(11_000, 8)), "image/jpeg", 1280, 1, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := Process(c.file, bounds)
			if err != nil {
				t.Fatal(err)
			}
			if p.Type != c.typ || p.Width != c.w || p.Height != c.h || (p.Small != nil) != c.small {
				t.Errorf("got %s %d by %d, small %v", p.Type, p.Width, p.Height, p.Small != nil)
			}
			img := decode(t, p)
			if c.corner != nil && !near(img.At(p.Width/4, p.Height/4), c.corner) {
				t.Errorf("above left it is %v", img.At(p.Width/4, p.Height/4))
			}
			if c.small {
				cfg, _, err := image.DecodeConfig(bytes.NewReader(p.Small))
				if err != nil || cfg.Width != SmallWidth {
					t.Errorf("the small one is %d wide: %v", cfg.Width, err)
				}
			}
		})
	}
}

// Whatever a file holds, it is a picture within the bounds or refused, and nothing breaks.
func FuzzProcess(f *testing.F) {
	photo := asJPEG(f, quarters(40, 20))
	for _, seed := range [][]byte{photo, withSegment(photo, exif(binary.LittleEndian, 6)), withSegment(photo, exif(binary.BigEndian, 3)), asPNG(f, quarters(16, 16)),
		pngHeader(50_000, 50_000), gifHeader(20, 20), webpHeader(20, 20), scanBomb(f, 300), []byte("<svg/>"), {0xff, 0xd8, 0xff, 0xe1, 0, 8, 'E', 'x', 'i', 'f', 0, 0}} {
		f.Add(seed)
	}
	tight := Bounds{MaxBytes: 1 << 16, MaxPixels: 40_000, Width: 100}
	f.Fuzz(func(t *testing.T, file []byte) {
		p, err := Process(file, tight)
		if err != nil {
			if !errors.Is(err, ErrPicture) {
				t.Errorf("refused by %v", err)
			}
			return
		}
		if p.Width > tight.Width || p.Width < 1 || p.Height < 1 || len(p.Data) == 0 {
			t.Errorf("%d by %d, %d bytes", p.Width, p.Height, len(p.Data))
		}
	})
}

// The orientation is read from whatever bytes without harm.
func FuzzOrientation(f *testing.F) {
	for turn := range uint16(10) {
		f.Add(append([]byte{0xff, 0xd8}, exif(binary.LittleEndian, turn)...))
		f.Add(append([]byte{0xff, 0xd8}, exif(binary.BigEndian, turn)...))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if o := orientation(file); o < 1 || o > 8 {
			t.Errorf("orientation %d", o)
		}
	})
}
