//go:build unix

package pluginhost

import (
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

// maxSocket is the longest path of a socket, in bytes.
const maxSocket = len(syscall.RawSockaddrUnix{}.Path) - 1

// lockFile takes a lock that ends with the process; false when somebody has it.
func lockFile(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
