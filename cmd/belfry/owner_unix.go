//go:build unix

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"

	"golang.org/x/sys/unix"
)

// ownStore refuses to write a store as another user than its owner: what is written could not be read by the daemon.
func ownStore(file string) error {
	var st unix.Stat_t
	err := unix.Stat(file, &st)
	if errors.Is(err, fs.ErrNotExist) || err == nil && int(st.Uid) == os.Geteuid() {
		return nil // a missing store is told of when it is opened
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	name := strconv.Itoa(int(st.Uid))
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	return fmt.Errorf("the store %s belongs to the user %s, and the daemon could not read what another writes; run the command as %s (sudo -u %s belfry …)",
		file, name, name, name)
}
