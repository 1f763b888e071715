package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/disk"
)

// Images says which stored images a backup takes along.
type Images string

// The choices.
const (
	// OwnImages are those that editors gave as files: nothing else has them. Those of sources are fetched again.
	OwnImages Images = "own"
	AllImages Images = "all"
	NoImages  Images = "none"
)

// Backup says what to back up, and where to.
type Backup struct {
	// From is the database, which a daemon may be using; To is the file that is written.
	From, To string
	// Force replaces a file that is there.
	Force bool
	// Folder is where the images are, and Images which of them are taken along.
	Folder string
	Images Images
	Now    time.Time
	// Progress is told now and then how many of about how many bytes are written; nil tells nobody.
	Progress func(done, total int64)
}

// BackedUp is what a backup holds.
type BackedUp struct {
	File   string    `json:"file"`
	At     time.Time `json:"at"`
	Schema int64     `json:"schema"`
	Bytes  int64     `json:"bytes"`
	Images int       `json:"images"`
	// Missing counts images that the database names and the disk does not have.
	Missing int `json:"missing_images"`
}

// WriteBackup writes a copy of a database, as it stands at one moment. The copy is checked before it takes its name, and
// whoever puts it in the place of a database finds everything paused: what left after the copy was made would leave again.
//
// Images lie in the table sqlar of the copy, which the sqlite3 program reads as an archive (https://sqlite.org/sqlar.html).
// The error is fs.ErrNotExist when there is no database.
func WriteBackup(ctx context.Context, b Backup) (out BackedUp, err error) {
	out = BackedUp{File: b.To, At: b.Now.UTC().Truncate(time.Second)}
	if b.To == "" {
		return out, errors.New("a backup needs a name; name the file that it is written to")
	}
	if _, err := os.Stat(b.From); err != nil {
		return out, err
	}
	switch info, err := os.Stat(b.To); {
	case err == nil && !info.Mode().IsRegular():
		return out, fmt.Errorf("%s is no file; name the file that the backup is written to", b.To)
	case err == nil && !b.Force:
		return out, fmt.Errorf("%s exists already; name another file, or replace it with --force", b.To)
	}
	if same, err := sameFile(b.From, b.To); err != nil || same {
		return out, errors.Join(err, fmt.Errorf("%s is the database itself; name another file", b.To))
	}
	size, err := b.size()
	if err != nil {
		return out, err
	}
	if err := enough(b.To, size); err != nil {
		return out, err
	}
	part := b.To + ".part"
	if err := removeAll(part); err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, removeAll(part)) }() // nothing is left once it has its name
	stop := watchSize(part, size, b.Progress)
	err = Copy(ctx, b.From, part)
	if err == nil {
		err = b.complete(ctx, part, &out)
	}
	stop()
	if err != nil {
		return out, err
	}
	if err := syncFile(part); err != nil {
		return out, fmt.Errorf("%s cannot be written to the disk: %w", part, err)
	}
	info, err := os.Stat(part)
	if err != nil {
		return out, err
	}
	out.Bytes = info.Size()
	if err := os.Rename(part, b.To); err != nil {
		return out, err
	}
	return out, syncFile(filepath.Dir(b.To))
}

// complete makes a backup of a copy: images come in, everything is paused, and all of it is read once.
func (b Backup) complete(ctx context.Context, file string, out *BackedUp) error {
	db, err := private(file)
	if err != nil {
		return err
	}
	defer db.Close()
	if out.Schema, err = schemaOf(ctx, db, file); err != nil {
		return err
	}
	if err := b.takeImages(ctx, db, out); err != nil {
		return fmt.Errorf("the images cannot be taken into %s: %w", file, err)
	}
	if err := markBackup(ctx, db, out.At); err != nil {
		return fmt.Errorf("%s cannot be marked as a backup: %w", file, err)
	}
	if err := quickCheck(ctx, db, file); err != nil {
		return err
	}
	return db.Close()
}

// private opens a database that nobody else knows: it is synced as a whole once it is complete.
func private(file string) (*sql.DB, error) {
	db, err := connect(file, url.Values{"mode": {"rw"}, "_txlock": {"immediate"}, "_pragma": {"journal_mode(MEMORY)", "synchronous(OFF)", "foreign_keys(0)", "temp_store(2)", "cache_size(-16000)"}})
	if err == nil {
		db.SetMaxOpenConns(1)
	}
	return db, err
}

func quickCheck(ctx context.Context, db *sql.DB, file string) error {
	var said string
	if err := db.QueryRowContext(ctx, `PRAGMA quick_check(1)`).Scan(&said); err != nil {
		return damaged(file, err)
	}
	if said != "ok" {
		return fmt.Errorf("%s is damaged (%s)", file, said)
	}
	return nil
}

// size is about how large the backup becomes, in bytes.
func (b Backup) size() (int64, error) {
	var total int64
	for _, file := range []string{b.From, logOf(b.From)} {
		if info, err := os.Stat(file); err == nil {
			total += info.Size()
		}
	}
	if b.Images != AllImages || b.Folder == "" {
		return total, nil
	}
	images, _, err := FolderSize(b.Folder)
	return total + images, err
}

// FolderSize adds up the files of a folder; one that does not exist has none.
func FolderSize(dir string) (bytes int64, files int, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it went meanwhile
		}
		if err == nil {
			bytes += info.Size()
			files++
		}
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return bytes, files, err
}

// enough refuses to begin what would fill the disk.
func enough(file string, size int64) error {
	dir := filepath.Dir(file)
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("%s cannot be written: %w", file, err)
	}
	if free, known := disk.Free(dir); known && free < size+size/20 {
		return fmt.Errorf("%s needs about %s, and the disk of %s has %s left; make room, or name a file on another disk", file, disk.Bytes(size), dir, disk.Bytes(free))
	}
	return nil
}

func sameFile(a, b string) (bool, error) {
	x, err := os.Stat(a)
	if err != nil {
		return false, err
	}
	y, err := os.Stat(b)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(x, y), err
}

// removeAll removes a database with what SQLite keeps beside it.
func removeAll(file string) error {
	var errs []error
	for _, f := range []string{file, file + "-journal", logOf(file), sharedOf(file)} {
		if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func sharedOf(file string) string { return file + "-shm" }

// syncFile waits until a file, or the names in a folder, are on the disk.
func syncFile(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	err = f.Sync()
	if info, e := f.Stat(); e == nil && info.IsDir() && errors.Is(err, errors.ErrUnsupported) {
		err = nil // not every system syncs folders
	}
	return errors.Join(err, f.Close())
}

// watchSize tells how large a file has become until stop is called.
func watchSize(file string, total int64, tell func(done, total int64)) (stop func()) {
	if tell == nil {
		return func() {}
	}
	quit, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		t := time.NewTicker(200 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-quit:
				return
			case <-t.C:
			}
			if info, err := os.Stat(file); err == nil {
				tell(min(info.Size(), total), total)
			}
		}
	}()
	return func() { close(quit); <-ended; tell(total, total) }
}

// takeImages copies images into the table sqlar.
func (b Backup) takeImages(ctx context.Context, db *sql.DB, out *BackedUp) error {
	if b.Images == NoImages || b.Folder == "" {
		return nil
	}
	rows, err := db.QueryContext(ctx, `SELECT DISTINCT name FROM media WHERE state = 'stored' AND name <> '' AND (?1 OR url LIKE 'belfry:%') ORDER BY name`, b.Images == AllImages)
	if err != nil {
		return err
	}
	names, err := texts(rows)
	if err != nil || len(names) == 0 {
		return err
	}
	if _, err := db.ExecContext(ctx, `CREATE TABLE sqlar (name TEXT PRIMARY KEY, mode INT, mtime INT, sz INT, data BLOB)`); err != nil {
		return err
	}
	for _, chunk := range slices.Collect(slices.Chunk(names, 100)) {
		if err := inTx(ctx, db, func(tx *sql.Tx) error {
			for _, name := range chunk {
				took, err := takeImage(ctx, tx, b.Folder, name)
				if err != nil {
					return err
				}
				if took {
					out.Images++
				} else {
					out.Missing++
				}
			}
			return nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// takeImage copies an image and its small variant; false when the image is not there.
func takeImage(ctx context.Context, tx *sql.Tx, folder, name string) (bool, error) {
	ext := filepath.Ext(name)
	for i, n := range []string{name, strings.TrimSuffix(name, ext) + "-small" + ext} {
		if len(n) < 2 || filepath.Base(n) != n {
			return false, nil
		}
		path := filepath.Join(folder, n[:2], n)
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			if i == 0 {
				return false, nil
			}
			continue // not every image has a small variant
		}
		if err != nil {
			return false, err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO sqlar (name, mode, mtime, sz, data) VALUES (?1, ?2, 0, ?3, ?4)`, "media/"+n[:2]+"/"+n, 0o100600, len(data), data); err != nil {
			return false, err
		}
	}
	return true, nil
}

func texts(rows *sql.Rows) (out []string, err error) {
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

func inTx(ctx context.Context, db *sql.DB, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// keptBefore is how many backups from before a migration are kept.
const keptBefore = 2

// beforeOf names the backup from before the migration to a schema.
func beforeOf(file string, schema int64) string { return fmt.Sprintf("%s.before-%d", file, schema) }

// befores lists the backups from before migrations, the newest first, with the schema that came after.
func befores(file string) []int64 {
	names, _ := filepath.Glob(strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(file) + ".before-*")
	var out []int64
	for _, name := range names {
		if n, err := strconv.ParseInt(strings.TrimPrefix(name, file+".before-"), 10, 64); err == nil && n > 0 {
			out = append(out, n)
		}
	}
	slices.Sort(out)
	slices.Reverse(out)
	return out
}

// Copies lists what upkeep left beside a database: backups from before migrations, and what a restore moved aside.
func Copies(file string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		rest, ours := strings.CutPrefix(e.Name(), filepath.Base(file)+".")
		if ours && (strings.HasPrefix(rest, "before-") || strings.HasPrefix(rest, "aside-")) {
			out = append(out, filepath.Join(filepath.Dir(file), e.Name()))
		}
	}
	return out, nil
}

// backupBefore writes a backup of a database with data before its schema is changed, and keeps the last two. Its name is
// that of the first migration to come: when the machine stops between two migrations, the next start writes another one,
// and that of the schema which the older program knows stays.
func backupBefore(ctx context.Context, file string, have, next, newest int64, log *slog.Logger) error {
	to := beforeOf(file, next)
	out, err := WriteBackup(ctx, Backup{From: file, To: to, Force: true, Images: NoImages, Now: time.Now()})
	if err != nil {
		return fmt.Errorf("the database has to be brought from schema %d to %d, and is backed up before that: %w", have, newest, err)
	}
	log.Info("the database was backed up before its schema is changed", "file", to, "bytes", out.Bytes, "from", have, "to", newest)
	list := befores(file)
	for _, n := range list[min(len(list), keptBefore):] {
		if err := os.Remove(beforeOf(file, n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			log.Warn("an old backup cannot be removed", "err", err)
		}
	}
	return nil
}

// usableBefore is the newest backup from before a migration that this program can open; empty when there is none.
func usableBefore(ctx context.Context, file string, newest int64) string {
	for _, n := range befores(file) {
		name := beforeOf(file, n)
		db, err := connect(name, url.Values{"mode": {"ro"}, "immutable": {"1"}})
		if err != nil {
			continue
		}
		have, err := schemaOf(ctx, db, name)
		if e := db.Close(); err == nil && e == nil && have <= newest {
			return name
		}
	}
	return ""
}
