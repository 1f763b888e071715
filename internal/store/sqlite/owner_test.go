//go:build unix

package sqlite

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
)

// Nothing of a store can be read by others, whatever the umask says and whatever an earlier version left.
func TestOnlyTheOwnerReads(t *testing.T) {
	before := syscall.Umask(0) // of the whole process: so this test has no company
	defer syscall.Umask(before)
	dir := t.TempDir()
	file := filepath.Join(dir, "data", FileName)
	wide := func() {
		t.Helper()
		found := 0
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return err
			}
			info, err := e.Info()
			if err == nil && info.Mode().Perm()&0o077 != 0 {
				t.Errorf("%s has the mode %04o", path, info.Mode().Perm())
			}
			found++
			return err
		})
		if err != nil || found == 0 {
			t.Errorf("%d files, %v", found, err)
		}
	}
	db, err := Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Raise(t.Context(), alert.Alert{Code: alert.PostFailed}, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(logOf(file)); err != nil {
		t.Fatal(err) // it is looked at, too
	}
	wide()
	backup := filepath.Join(dir, "backup.db")
	if _, err := WriteBackup(t.Context(), Backup{From: file, To: backup, Now: time.Now()}); err != nil {
		t.Fatal(err)
	}
	wide()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	// As an earlier version left them.
	older := file + ".before-2"
	if err := os.WriteFile(older, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := Restore{From: backup, To: file, Now: time.Now()}.Run(t.Context())
	if err != nil || out.Aside == "" {
		t.Fatalf("%+v, %v", out, err)
	}
	wide()
	if err := os.Chmod(out.Aside, 0o644); err != nil {
		t.Fatal(err)
	}
	if db, err = Open(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	wide()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
}
