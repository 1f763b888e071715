//go:build !linux

package sandbox

import (
	"context"
	"os/exec"
	"runtime"
)

// Main does nothing: there is no launcher on this system.
func Main() {}

// launcher is the program itself. Its checksum is compared by whoever starts it.
func launcher(ctx context.Context, _, path string, args []string) (*exec.Cmd, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	ownGroup(cmd)
	return cmd, nil
}

func lookPath(name string) (string, error) { return exec.LookPath(name) }

// Probe says what this system gives to a sandbox and what it does not, the most important first.
func Probe() []Ability {
	return []Ability{{"files", false, "plugins can open every file that Belfry's user can: there is no sandbox on " + runtime.GOOS + "; run Belfry on Linux, or only plugins that you wrote"},
		{"memory", false, "the memory of a plugin's process is bounded by the plugin itself alone"},
		{"network", false, "plugins can connect to every address that this machine can"}}
}
