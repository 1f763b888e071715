//go:build unix

package app

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// lockTries, 10 ms apart, are enough to get past commands that look at the lock, each for microseconds.
const lockTries = 50

// lock keeps a second daemon from using the same data folder. The kernel gives it up when the process ends, however it
// ends.
func lock(dir string) (release func(), err error) {
	path := filepath.Join(dir, "belfry.lock")
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the data folder %s cannot be used: %w", dir, err)
	}
	// A command that asks whether a daemon runs holds the lock for a moment.
	for range lockTries {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s cannot be locked: %w", path, err)
		}
		who := "another Belfry"
		if pid, err := os.ReadFile(path); err == nil && len(pid) > 0 {
			who += " (process " + strings.TrimSpace(string(pid)) + ")"
		}
		return nil, fmt.Errorf("%s uses the data folder %s; stop it first, or give this one a data_dir of its own", who, dir)
	}
	_ = f.Truncate(0)
	_, _ = fmt.Fprintf(f, "%d\n", os.Getpid())
	return func() { _ = f.Close() }, nil
}

// Running says whether a daemon uses the data folder, and its process; 0 when that is not known. Looking takes nothing
// away from it.
func Running(dir string) (pid int, running bool) {
	f, err := os.Open(filepath.Join(dir, "belfry.lock"))
	if err != nil {
		return 0, false
	}
	defer f.Close()
	if !errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB), unix.EWOULDBLOCK) {
		return 0, false
	}
	text, _ := io.ReadAll(io.LimitReader(f, 32))
	pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
	return pid, true
}
