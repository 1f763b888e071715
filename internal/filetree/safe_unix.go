//go:build unix

package filetree

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// SafeFrom reports why somebody besides root and the user of this process could change what lies at a path: write to a file, or
// put something into a folder. It is nil when nobody can. The error says what mends it.
func SafeFrom(path string, info fs.FileInfo) error { return safe(path, info, false) }

// safe is SafeFrom; with sticky it lets others put something beside what there is, and not in its place, as in /tmp.
func safe(path string, info fs.FileInfo, sticky bool) error {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	if st.Uid != 0 && int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to another user (uid %d); give it to root: chown root %s", path, st.Uid, path)
	}
	if info.Mode().Perm()&0o022 != 0 && !(sticky && info.Mode()&fs.ModeSticky != 0) {
		return fmt.Errorf("%s can be changed by others (mode %04o); take that right away: chmod go-w %s", path, info.Mode().Perm(), path)
	}
	return nil
}
