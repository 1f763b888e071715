//go:build unix

package plugin

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// divertStdout points file descriptor 1 at standard error, for whatever prints without asking Go, and keeps the pipe to
// the host for the handshake line alone.
func divertStdout() error {
	fd, err := unix.Dup(syscall.Stdout)
	if err != nil {
		return err
	}
	unix.CloseOnExec(fd)
	if err := unix.Dup2(syscall.Stderr, syscall.Stdout); err != nil {
		return err
	}
	os.Stdout = os.NewFile(uintptr(fd), "handshake")
	return nil
}
