package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Folder keeps checkpoints as files, one for each size. It should be of another machine, or be copied to one.
type Folder string

// Keep writes the checkpoint so that it is there whole or not at all. One of the same size that says something else stays,
// and is an error: it shows that the log was written anew.
func (f Folder) Keep(_ context.Context, c Stored) (err error) {
	dir := string(f)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	name := filepath.Join(dir, fmt.Sprintf("%012d.checkpoint", c.Size))
	have, err := os.ReadFile(name)
	switch {
	case err == nil && bytes.Equal(have, c.Text):
		return nil
	case err == nil:
		return fmt.Errorf("%s says something else than the ledger; it is left as it is: run belfry consent verify --checkpoint %s", name, name)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	tmp, err := os.CreateTemp(dir, ".checkpoint-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(tmp.Name()))
		}
	}()
	_, err = tmp.Write(c.Text)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	if err = os.Rename(tmp.Name(), name); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return nil // the file is there; a system that opens no folders has no way to sync one
	}
	return errors.Join(d.Sync(), d.Close())
}
