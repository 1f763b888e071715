//go:build unix

package pluginhost

import (
	"os"
	"syscall"
)

// killGroup ends a process and what it started.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// maxSocket is the longest path of a socket, in bytes.
const maxSocket = len(syscall.RawSockaddrUnix{}.Path) - 1

// lockFile takes a lock that ends with the process; false when somebody has it.
func lockFile(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
