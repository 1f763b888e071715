//go:build unix

package pluginhost

import (
	"os"
	"runtime"
	"syscall"
)

// yieldTo lets a process and what it started have only the time of the processors that others leave.
func yieldTo(pid int) {
	nice := 10
	if own, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0); err == nil && runtime.GOOS == "linux" {
		nice = max(nice, 20-own) // what Linux gives is 20 less the nice value
	}
	_ = syscall.Setpriority(syscall.PRIO_PGRP, pid, nice) // a process that has ended already yields too
}

// maxSocket is the longest path of a socket, in bytes.
const maxSocket = len(syscall.RawSockaddrUnix{}.Path) - 1

// lockFile takes a lock that ends with the process; false when somebody has it.
func lockFile(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// groupOf is the group of a process; 0 when there is no such process.
func groupOf(pid int) int {
	group, err := syscall.Getpgid(pid)
	if err != nil {
		return 0
	}
	return group
}
