//go:build !linux

package sandbox

import (
	"context"
	"io"
	"os/exec"
	"runtime"
)

// Main does nothing: there is no launcher on this system.
func Main() {}

// Compares says that nothing here compares a program's checksum: whoever calls Policy.Command has to.
const Compares = false

// Stamp tells apart what a confined program may read; nothing is confined here.
func Stamp() string { return "" }

// launcher is the program itself. Its checksum is compared by whoever starts it.
func launcher(ctx context.Context, _, path string, args []string) (*exec.Cmd, error) {
	cmd := exec.CommandContext(ctx, path, args...)
	OwnGroup(cmd)
	return cmd, nil
}

// OwnGroup gives a program a group of its own, where there are groups; the end of its command's context kills it as a whole.
func OwnGroup(cmd *exec.Cmd) { ownGroup(cmd) }

func lookPath(name string) (string, error) { return exec.LookPath(name) }

// EndStrays knows of no processes outside the group.
func EndStrays(string) {}

// Marked knows of none either.
func Marked(string) []int { return nil }

// Watch watches nothing here.
func Watch(string) (io.Closer, error) { return io.NopCloser(nil), nil }

// Probe says what this system gives to a sandbox and what it does not, the most important first.
func Probe() []Ability {
	return []Ability{{"files", false, "plugins can open every file that Belfry's user can, because there is no sandbox on " + runtime.GOOS, "run Belfry on Linux"},
		{"limits", false, "a plugin's memory is bounded by the plugin itself alone, because there is no sandbox on " + runtime.GOOS, "run Belfry on Linux"}}
}
