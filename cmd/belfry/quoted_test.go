package main

import (
	"os/exec"
	"testing"
)

// What is printed for a shell reaches the command as it was.
func TestQuoted(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "court order 12/2026", "l'ordre $HOME `id` \"x\" \\", "-- --legal"} {
		out, err := exec.Command("sh", "-c", "printf %s "+quoted(text)).Output()
		if err != nil || string(out) != text {
			t.Errorf("%q became %q, %v", text, out, err)
		}
	}
}
