package sqlite_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/store/sqlite"
)

// An inspection beside a daemon sees the files as they are and changes nothing.
func TestInspect(t *testing.T) {
	t.Parallel()
	file, db := newDatabase(t)
	write(t, db, "Un")
	in, err := sqlite.Inspect(t.Context(), file)
	if err != nil || in.File != file || in.Schema < 2 || in.Bytes == 0 || in.Log == 0 || !in.Checked || in.Damage != "" {
		t.Errorf("in use: %+v, %v", in, err)
	}
	write(t, db, "Deux")
	closed(t, db)
	in, err = sqlite.Inspect(t.Context(), file)
	if err != nil || in.Log != 0 || !in.Checked || in.Damage != "" {
		t.Errorf("closed: %+v, %v", in, err)
	}
	if left, _ := filepath.Glob(file + "-*"); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

func TestInspectFindsDamage(t *testing.T) {
	t.Parallel()
	if _, err := sqlite.Inspect(t.Context(), filepath.Join(t.TempDir(), "belfry.db")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	file, db := newDatabase(t)
	closed(t, db)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(text) / 2; i < len(text)/2+5000 && i < len(text); i++ {
		text[i] ^= 0x5a
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if in, err := sqlite.Inspect(t.Context(), file); err == nil && in.Damage == "" {
		t.Errorf("flipped bits are not seen: %+v", in)
	}
	if err := os.WriteFile(file, []byte(strings.Repeat("no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Inspect(t.Context(), file); err == nil || !strings.Contains(err.Error(), "is damaged or is no database of Belfry") {
		t.Errorf("got %v", err)
	}
}
