//go:build !unix

package fake

import "os/exec"

// OwnGroup has the end of its context end a command alone: there are no groups here.
func OwnGroup(cmd *exec.Cmd) { cmd.Cancel = func() error { return cmd.Process.Kill() } }

// askToEnd does nothing: there is no signal for it here.
func askToEnd(*exec.Cmd) {}

// killGroup does nothing: there are no groups here.
func killGroup(*exec.Cmd) {}
