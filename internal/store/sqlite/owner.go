package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// SQLite gives a new file to everybody whom the umask allows, and the log and its index the rights of the database. A store
// holds what is not published yet: so an empty file with the right of its owner alone stands there before SQLite comes.

// newFile makes an empty file that only its owner can read.
func newFile(file string) error {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// ownerOnly takes everybody else's rights away from a database, from what SQLite keeps beside it, and from its copies, which
// an earlier version may have made wider. Where there is none yet it makes an empty one.
func ownerOnly(file string) error {
	if err := newFile(file); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s cannot be made: %w; look at the rights of its folder", file, err)
	}
	copies, err := Copies(file)
	if err != nil {
		return err
	}
	for _, f := range append(copies, file, logOf(file), sharedOf(file)) {
		info, err := os.Lstat(f)
		if errors.Is(err, fs.ErrNotExist) || err == nil && (!info.Mode().IsRegular() || info.Mode().Perm()&0o077 == 0) {
			continue
		}
		if err == nil {
			err = os.Chmod(f, info.Mode().Perm()&^0o077)
		}
		if err != nil {
			return fmt.Errorf("others can read %s, and that cannot be changed: %w; give the file to the user that runs Belfry", f, err)
		}
	}
	return nil
}
