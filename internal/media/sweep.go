package media

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// sweepAge is how long a file may lie there before a row names it: a picture is written first and recorded then.
const sweepAge = time.Hour

// Sweep deletes the stored files whose identity is not named, and what a stop left half written, and gives their number
// and bytes. Files that were written or asked for within the last hour stay.
func (f *Files) Sweep(ctx context.Context, named map[string]bool, now time.Time) (files int, bytes int64, err error) {
	err = filepath.WalkDir(f.dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went meanwhile
		}
		if err != nil || e.IsDir() {
			return errors.Join(err, context.Cause(ctx))
		}
		id, stored := ID(e.Name())
		if stored && named[id] || !stored && !strings.HasPrefix(e.Name(), ".new-") {
			return nil // it is in use, or none of ours
		}
		n, err := f.sweepOne(path, now)
		if n >= 0 {
			files, bytes = files+1, bytes+n
		}
		return err
	})
	return files, bytes, err
}

// sweepOne deletes a file that is old enough, and gives its size; -1 when it stays.
func (f *Files) sweepOne(path string, now time.Time) (int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return -1, nil
	}
	if err != nil || now.Sub(info.ModTime()) < sweepAge {
		return -1, err
	}
	if err := os.Remove(path); err != nil {
		return -1, err
	}
	return info.Size(), nil
}
