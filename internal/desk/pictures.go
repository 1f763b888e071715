package desk

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/media"
	"github.com/belfry-news/belfry/sdk"
)

// KeepPicture takes a picture in: it is processed as every picture is, kept in the data folder, and recorded. from names it
// in sentences.
func (d *Desk) KeepPicture(ctx context.Context, from string, data []byte, alt, credit string) (sdk.Media, error) {
	file, err := d.putPicture(from, data, filepath.Join(d.Dir, "media"))
	if err != nil {
		return sdk.Media{}, err
	}
	// Its address is known to this store alone, so that no reader and no fetch goes anywhere else.
	m := sdk.Media{URL: "belfry:" + file.SHA256, Type: file.Type, Alt: Plain(alt), Credit: Plain(credit), Width: file.Width, Height: file.Height}
	return m, d.Store.PutImage(ctx, m.URL, file, time.Now())
}

// putPicture processes a picture and writes it into a folder.
func (d *Desk) putPicture(from string, data []byte, dir string) (sdk.File, error) {
	p, err := media.Process(data, media.Bounds{MaxBytes: d.Config.Media.MaxBytes, MaxPixels: d.Config.Media.MaxPixels, Width: d.Config.Media.Width})
	if err != nil {
		return sdk.File{}, unusable("the picture %s cannot be used: %w", from, err)
	}
	files, err := media.NewFiles(dir)
	if err != nil {
		return sdk.File{}, err
	}
	file, err := files.Put(p)
	if err != nil {
		return file, fmt.Errorf("the picture %s cannot be stored: %w", from, err)
	}
	return file, nil
}

// PreviewPicture fetches a picture and says what the daemon would keep of it. Nothing stays.
func (d *Desk) PreviewPicture(ctx context.Context, from string) (sdk.File, error) {
	data, err := d.FetchPicture(ctx, from)
	if err != nil {
		return sdk.File{}, err
	}
	dir, err := os.MkdirTemp("", "belfry-")
	if err != nil {
		return sdk.File{}, err
	}
	defer os.RemoveAll(dir)
	return d.putPicture(from, data, dir)
}

// FetchPicture reads a picture from an address, under the guard.
func (d *Desk) FetchPicture(ctx context.Context, from string) ([]byte, error) {
	guard := sdk.Guard{Allow: d.Config.Media.AllowPrivate}
	client := sdk.NewClient(sdk.ClientConfig{AllowPrivate: d.Config.Media.AllowPrivate, UserAgent: d.UserAgent, MaxBody: int64(d.Config.Media.MaxBytes) + 1})
	defer client.CloseIdle()
	address := from
	for range 6 {
		u, err := guard.CheckURL(address)
		if err != nil {
			return nil, unusable("the picture %s cannot be fetched: %s", from, sdk.AsError(err).Public)
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
		if err != nil {
			return nil, unusable("the picture %s cannot be fetched", from)
		}
		req.Header.Set("Accept", "image/jpeg, image/png, image/webp, image/gif;q=0.8, */*;q=0.1")
		a, err := client.Send(req, "image")
		if err != nil {
			return nil, errorf(Upstream, "the picture %s cannot be fetched: %s", from, strings.TrimSuffix(sdk.AsError(err).Public, "; whether it arrived is not known"))
		}
		if location := a.Header.Get("Location"); a.Status >= 300 && a.Status < 400 && location != "" {
			next, err := url.Parse(location)
			if err != nil {
				return nil, errorf(Upstream, "the picture %s leads nowhere", from)
			}
			address = u.ResolveReference(next).String()
			continue
		}
		if a.Status != http.StatusOK {
			return nil, errorf(Upstream, "the picture %s cannot be fetched: its server answers %d", from, a.Status)
		}
		return a.Body, nil
	}
	return nil, errorf(Upstream, "the picture %s leads on and on", from)
}
