//go:build unix

package pluginhost

import (
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"syscall"
)

// killGroup ends a process and what it started.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// yieldTo lets a process and what it started have only the time of the processors that others leave.
func yieldTo(pid string) error {
	group, err := strconv.Atoi(pid)
	if err != nil {
		return err
	}
	return syscall.Setpriority(syscall.PRIO_PGRP, group, 10)
}

// safeFrom reports why somebody besides root and the daemon's own user could replace what lies at a path.
func safeFrom(path string, info fs.FileInfo) error {
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

// maxSocket is the longest path of a socket, in bytes.
const maxSocket = len(syscall.RawSockaddrUnix{}.Path) - 1

// lockFile takes a lock that ends with the process; false when somebody has it.
func lockFile(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
