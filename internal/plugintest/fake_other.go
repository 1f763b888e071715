//go:build !unix

package plugintest

import "os/exec"

// own ends a command alone: there are no groups here.
func own(cmd *exec.Cmd) (kill func()) { return func() { _ = cmd.Process.Kill() } }
