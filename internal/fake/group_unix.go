//go:build unix

package fake

import (
	"os/exec"
	"syscall"
)

// OwnGroup puts a command into a group of its own, so that Ctrl-C at a terminal reaches it through this program alone, and has
// the end of its context end all that it started, such as the program that "go run" has built.
func OwnGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// askToEnd asks a command and what it started to end.
func askToEnd(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }

// killGroup ends what a command left behind in its group.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
