package telegramtest

import (
	"bytes"
	"fmt"
	"image"
	_ "image/jpeg" // the formats that Telegram takes as photos
	_ "image/png"
	"net/http"
	"strings"

	_ "golang.org/x/image/webp"
)

// Telegram's limits for an uploaded photo.
const (
	maxPhotoBytes = 10 << 20
	maxPhotoSides = 10_000
	maxPhotoRatio = 20
)

// servedPrefix begins the names under which pictures are shown; they stay when their file_id is forgotten.
const servedPrefix = "served/"

// file is a picture that was uploaded.
type file struct {
	id            string
	sum, format   string
	width, height int
	data          []byte
}

func (f *file) name() string { return f.sum[:24] + "." + f.format }

func (f *file) path() string { return "/photo/" + f.name() }

// sizes are the photo sizes of a message, the largest last.
func (f *file) sizes() []map[string]any {
	return []map[string]any{
		{"file_id": f.id + "-s", "file_unique_id": "s" + f.sum[:14], "width": min(f.width, 90), "height": min(f.height,
			90), "file_size": 1000},
		{"file_id": f.id, "file_unique_id": "x" + f.sum[:14], "width": f.width, "height": f.height, "file_size": len(f.data)},
	}
}

// photo finds what a photo or media parameter names: an upload, or a file_id that was given out before.
func (s *Server) photo(p *parameters, ref string) (*file, *refusal) {
	name, attached := strings.CutPrefix(ref, "attach://")
	data, uploaded := p.upload(name)
	switch {
	case ref == "":
		return nil, refuse(400, "Bad Request: there is no photo in the request")
	case attached && !uploaded:
		return nil, refuse(400, "Bad Request: can't find field %q with the photo", name)
	case !attached && (strings.HasPrefix(ref, "http://") || strings.HasPrefix(ref, "https://")):
		return nil, refuse(400, "Bad Request: failed to get HTTP URL content")
	case !attached:
		f := s.files[strings.TrimSuffix(ref, "-s")]
		if f == nil {
			return nil, refuse(400, "Bad Request: wrong remote file identifier specified: Wrong string length")
		}
		return f, nil
	}
	return s.upload(data)
}

func (s *Server) upload(data []byte) (*file, *refusal) {
	if len(data) == 0 {
		return nil, refuse(400, "Bad Request: file must be non-empty")
	}
	if len(data) > maxPhotoBytes {
		return nil, refuse(400, "Bad Request: file is too big")
	}
	c, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, refuse(400, "Bad Request: IMAGE_PROCESS_FAILED")
	}
	if c.Width+c.Height > maxPhotoSides || max(c.Width, c.Height) > maxPhotoRatio*min(c.Width, c.Height) {
		return nil, refuse(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")
	}
	f := &file{sum: hexSum(data), format: format, width: c.Width, height: c.Height, data: data}
	f.id = fmt.Sprintf("AgACAgQAAx0C%s%06d", f.sum[:40], len(s.files))
	s.files[f.id] = f
	s.files[servedPrefix+f.name()] = f
	return f, nil
}

func (s *Server) servePhoto(w http.ResponseWriter, r *http.Request, name string) {
	s.mu.Lock()
	f := s.files[servedPrefix+name]
	s.mu.Unlock()
	if f == nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "image/"+f.format)
	w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	_, _ = w.Write(f.data)
}
