//go:build unix

package sqlite

import (
	"fmt"
	"os"
	"syscall"
)

// numberOf is the number that the file system has given to a file; empty where it cannot be told.
func numberOf(file string) string {
	info, err := os.Stat(file)
	if err != nil {
		return ""
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("inode %d\n", s.Ino)
	}
	return ""
}
