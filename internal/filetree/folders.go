package filetree

import (
	"fmt"
	"os"
	"path/filepath"
)

// SafeFolders looks at a folder and everything above it: only root and the user of this process may replace what is there. What
// others may add is not looked at.
func SafeFolders(dir string) error {
	for last := ""; dir != last; dir, last = filepath.Dir(dir), dir {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("%s cannot be looked at: %w", dir, Cause(err))
		}
		if err := safe(dir, info, true); err != nil {
			return err
		}
	}
	return nil
}
