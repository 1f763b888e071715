//go:build linux || darwin || freebsd

package disk

import "golang.org/x/sys/unix"

// Free gives the bytes that this process may still write into the file system of a folder; false where that is not known.
func Free(dir string) (int64, bool) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return 0, false
	}
	return max(0, int64(st.Bavail)) * int64(st.Bsize), true //nolint:unconvert // the fields' types differ between systems
}
