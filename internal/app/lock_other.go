//go:build !unix

package app

import (
	"fmt"
	"os"
	"path/filepath"
)

// lock keeps a second daemon from using the same data folder: an open file cannot be removed here.
func lock(dir string) (release func(), err error) {
	path := filepath.Join(dir, "belfry.lock")
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
		return nil, fmt.Errorf("another Belfry uses the data folder %s; stop it first, or give this one a data_dir of its own", dir)
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data folder %s cannot be used: %w", dir, err)
	}
	return func() { _ = f.Close(); _ = os.Remove(path) }, nil
}

// Running says whether a daemon uses the data folder, and its process; 0 when that is not known. A file that no process
// has open is what a daemon left that was killed, and goes.
func Running(dir string) (pid int, running bool) {
	err := os.Remove(filepath.Join(dir, "belfry.lock"))
	return 0, err != nil && !os.IsNotExist(err)
}
