//go:build unix

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Another user's store is not written: the daemon could not read it.
func TestOwnStore(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "belfry.db")
	if err := ownStore(file); err != nil {
		t.Errorf("a missing store: %v", err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ownStore(file); err != nil {
		t.Errorf("one's own store: %v", err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(file, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	} else {
		file = "/" // root's
	}
	if err := ownStore(file); err == nil || !strings.Contains(err.Error(), "run the command as") {
		t.Errorf("somebody else's store: %v", err)
	}
}
