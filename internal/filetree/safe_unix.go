//go:build unix

package filetree

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// SafeFrom reports why somebody besides root and the user of this process could replace what lies at a path: nil when
// nobody can. The error says what mends it.
func SafeFrom(path string, info fs.FileInfo) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user (uid %d); give it to root: chown root %s", path, st.Uid, path)
	}
	if info.Mode().Perm()&0o022 != 0 && !(info.IsDir() && info.Mode()&fs.ModeSticky != 0) {
		return fmt.Errorf("%s can be changed by others (mode %04o); take that right away: chmod go-w %s", path, info.Mode().Perm(), path)
	}
	return nil
}
