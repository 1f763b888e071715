//go:build unix

package disk

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestReserve(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if was, err := GiveUp(dir); was || err != nil || Reserved(dir) != 0 {
		t.Errorf("without a reserve: %v, %v", was, err)
	}
	if err := os.WriteFile(filepath.Join(dir, ReserveName), []byte("cut off"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // one that a kill cut off is made anew, a whole one stays
		if err := Hold(dir); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, ReserveName))
	if err != nil {
		t.Fatal(err)
	}
	if taken := info.Sys().(*syscall.Stat_t).Blocks * 512; info.Size() != ReserveSize || taken < ReserveSize || info.Mode().Perm() != 0o600 || Reserved(dir) != ReserveSize {
		t.Errorf("%d bytes that take %d, %s", info.Size(), taken, info.Mode())
	}
	if was, err := GiveUp(dir); !was || err != nil || Reserved(dir) != 0 {
		t.Errorf("it was given up: %v, %v", was, err)
	}
	if err := Hold(filepath.Join(dir, "nowhere")); err == nil {
		t.Error("a reserve was made in a folder that does not exist")
	}
}
