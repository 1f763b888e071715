//go:build !unix

package demo

import (
	"os"
	"os/exec"
	"syscall"
)

// processAttributes has nothing to ask for.
func processAttributes() *syscall.SysProcAttr { return nil }

// stopSignal ends a daemon: there is no other signal here.
var stopSignal = os.Kill

// askReload does nothing: there is no such signal here, and the daemon looks at its files by itself.
func askReload(*exec.Cmd) {}

// killGroup ends a process; its plugins notice that their pipes are closed.
func killGroup(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

// alive is not known here, so that nothing of another run is taken away.
func alive(int) bool { return true }
