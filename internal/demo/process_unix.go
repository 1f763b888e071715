//go:build unix && !linux

package demo

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// processAttributes give the daemon a group of its own, so that a Ctrl-C reaches it through the supervisor alone.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// stopSignal asks a daemon to end.
const stopSignal = syscall.SIGTERM

// askReload asks a daemon to read its configuration anew.
func askReload(cmd *exec.Cmd) { _ = cmd.Process.Signal(syscall.SIGHUP) }

// killGroup ends a process and what it started.
func killGroup(cmd *exec.Cmd) { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }

// alive reports whether a process of that number runs.
func alive(pid int) bool {
	p, err := os.FindProcess(pid)
	return err == nil && !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
