package sqlite

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/store"
)

// A write that finds no room names the file and what to do, leaves nothing behind, and is taken once there is room.
func TestAWriteThatFindsNoRoom(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), FileName)
	db, err := Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	pause := func(db *store.DB) error {
		_, err := db.Pause(t.Context(), store.PauseChannel, strings.Repeat("n", 50_000), "test", time.Now())
		return err
	}
	// The file may not grow: the first page more is one too many.
	full, err := openExisting(t.Context(), file, "max_page_count(1)")
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	if err := pause(full); !errors.Is(err, store.ErrNoRoom) || !strings.HasPrefix(err.Error(), file+": the disk of the store is full, and nothing was changed; make room there, and try again") {
		t.Errorf("%v", err)
	}
	if list, err := full.Pauses(t.Context()); err != nil || len(list) != 0 || full.Cause() != nil {
		t.Errorf("%+v, %v, %v", list, err, full.Cause())
	}
	roomy, err := OpenExisting(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer roomy.Close()
	if err := pause(roomy); err != nil {
		t.Error(err)
	}
}
