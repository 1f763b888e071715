//go:build unix

package sandbox

import (
	"os/exec"
	"syscall"
)

func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if cmd.Cancel != nil { // its command has a context
		cmd.Cancel = func() error {
			EndGroup(cmd.Process.Pid)
			return nil
		}
	}
}

// EndGroup kills a process that has a group of its own and everything in that group, at once. It may be called again.
func EndGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }
