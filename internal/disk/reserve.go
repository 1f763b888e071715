package disk

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ReserveName is the file in a folder that holds its reserve, and ReserveSize how many bytes that has.
const (
	ReserveName = "belfry.reserve"
	ReserveSize = 16 << 20
)

// Hold makes the reserve of a folder: a file that is there for its room alone, to be given up when nothing else is left. It
// does nothing when there is one.
func Hold(dir string) (err error) {
	file := filepath.Join(dir, ReserveName)
	if info, err := os.Stat(file); err == nil && info.Size() == ReserveSize {
		return nil
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			_ = os.Remove(file)
		}
	}()
	// Zeros take no room on a file system that compresses.
	block := make([]byte, 64<<10)
	for range ReserveSize / len(block) {
		_, _ = rand.Read(block) // never fails
		if _, err := f.Write(block); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("sync %s: %w", file, err)
	}
	return nil
}

// GiveUp removes the reserve of a folder, and tells whether there was one.
func GiveUp(dir string) (was bool, err error) {
	err = os.Remove(filepath.Join(dir, ReserveName))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Reserved gives the bytes that the reserve of a folder holds.
func Reserved(dir string) int64 {
	info, err := os.Stat(filepath.Join(dir, ReserveName))
	if err != nil {
		return 0
	}
	return info.Size()
}
