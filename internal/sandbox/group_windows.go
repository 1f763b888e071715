package sandbox

import (
	"os"
	"os/exec"
)

func ownGroup(*exec.Cmd) {}

// EndGroup kills a process that was started by a Command; what it started is not known.
func EndGroup(pid int) {
	if p, err := os.FindProcess(pid); err == nil {
		_ = p.Kill()
	}
}
