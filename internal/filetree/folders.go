package filetree

import (
	"fmt"
	"os"
	"path/filepath"
)

// SafeFolders looks at a folder and everything above it: only root and the user of this process may change them.
func SafeFolders(dir string) error {
	for last := ""; dir != last; dir, last = filepath.Dir(dir), dir {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("%s cannot be looked at: %w", dir, cause(err))
		}
		if err := SafeFrom(dir, info); err != nil {
			return err
		}
	}
	return nil
}
