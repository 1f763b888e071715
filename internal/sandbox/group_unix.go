//go:build unix && !linux

package sandbox

import (
	"os/exec"
	"syscall"
)

func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		EndGroup(cmd.Process.Pid)
		return nil
	}
}

// EndGroup kills a process that was started by a Command and everything in its group, at once. It may be called again.
func EndGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
