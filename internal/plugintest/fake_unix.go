//go:build unix

package plugintest

import (
	"os/exec"
	"syscall"
)

// own puts a command into a group of its own. What it returns ends it with all that it started, such as the program that
// "go run" has built.
func own(cmd *exec.Cmd) (kill func()) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
