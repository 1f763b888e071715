package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/store/sqlite"
)

// rehearsal makes the copy that a rehearsal works on and points the configuration to it. The real store is only read.
func (c *runCmd) rehearsal(ctx context.Context, g *global, flags map[string]string) (clean func(), err error) {
	cfg, err := g.loadToServe(g.Config)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "belfry-rehearsal-")
	if err != nil {
		return nil, fmt.Errorf("no folder for the rehearsal: %w", err)
	}
	clean = func() { _ = os.RemoveAll(dir) }
	if err := sqlite.Copy(ctx, app.Database(cfg), filepath.Join(dir, "belfry.db")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		clean()
		return nil, fmt.Errorf("the store cannot be copied for the rehearsal: %w", err)
	}
	if err := copyTree(filepath.Join(app.DataDir(cfg), "media"), filepath.Join(dir, "media")); err != nil {
		clean()
		return nil, fmt.Errorf("the images cannot be copied for the rehearsal: %w", err)
	}
	flags["data_dir"] = dir
	if c.Listen == "" {
		flags["listen"] = "127.0.0.1:0"
	}
	return clean, nil
}

// copyTree gives a folder's files to another folder: by a second name where the file system allows it, which costs
// nothing and is safe because stored images are never changed, and by a copy elsewhere.
func copyTree(from, to string) error {
	err := filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		if !entry.Type().IsRegular() || os.Link(path, target) == nil { //nolint:gosec // nobody else writes to the daemon's folder
			return nil
		}
		return copyFile(path, target)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // there are no images yet
	}
	return err
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
