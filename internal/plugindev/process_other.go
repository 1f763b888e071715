//go:build !unix

package plugindev

import "os/exec"

// own ends a command alone: there are no groups here.
func own(cmd *exec.Cmd) { cmd.Cancel = func() error { return cmd.Process.Kill() } }

// askToEnd does nothing: there is no signal for it here, and the end of its input says the same.
func askToEnd(*exec.Cmd) {}
