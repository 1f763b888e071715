//go:build unix

package plugindev

import (
	"os/exec"
	"syscall"
)

// own puts a command into a group of its own, so that Ctrl-C at a terminal reaches it through this program alone, and ends it
// with all that it started.
func own(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

// askToEnd asks a command and what it started to end.
func askToEnd(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
