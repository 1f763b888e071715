package web

import (
	"context"
	"errors"
	"io/fs"
	"mime"
	"net/http"
	"path/filepath"
	"time"

	"github.com/belfry-news/belfry/internal/media"
)

// controlMedia: a file's name is the digest of its content, so a browser need not ask again for an hour. A year would be
// usual, but an image that was taken back must leave: proxies ask again every minute.
const controlMedia = "public, max-age=3600, s-maxage=60, immutable"

// serveMedia gives a stored image that a post on show uses. All others do not exist, whatever the disk holds.
func (s *Server) serveMedia(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	id, ok := media.ID(name)
	if !ok || s.s.Files == nil {
		s.fail(w, r, http.StatusNotFound, "404")
		return
	}
	now := s.s.Now().UTC()
	_, err := s.cache.get(r.Context(), "media "+id, now, s.s.Store.PagesVersion, func(ctx context.Context) (document, error) {
		shown, err := s.s.Store.MediaShown(ctx, id, now)
		if err == nil && !shown {
			err = &missingError{}
		}
		return document{}, err
	})
	if _, missing := errors.AsType[*missingError](err); missing {
		s.fail(w, r, http.StatusNotFound, "404")
		return
	}
	if err != nil {
		s.s.Log.Error("an image cannot be looked up", "image", id, "err", err)
		s.fail(w, r, http.StatusServiceUnavailable, "503")
		return
	}
	f, err := s.s.Files.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		s.fail(w, r, http.StatusNotFound, "404")
		return
	}
	if err != nil {
		s.s.Log.Error("an image cannot be read", "image", id, "err", err)
		s.fail(w, r, http.StatusInternalServerError, "500")
		return
	}
	defer func() { _ = f.Close() }()
	h := w.Header()
	h.Set("Content-Type", mime.TypeByExtension(filepath.Ext(name)))
	h.Set("Content-Security-Policy", "default-src 'none'; sandbox")
	h.Set("Cache-Control", controlMedia)
	h.Set("ETag", `"`+name+`"`)
	http.ServeContent(w, r, "", time.Time{}, f)
}
