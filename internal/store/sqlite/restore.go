package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Restore says which backup to put in the place of which database.
type Restore struct {
	// From is the backup, To the database. Nobody may be using either.
	From, To string
	// Folder is where the images are.
	Folder string
	Now    time.Time
	// Progress is told now and then how many of about how many bytes are written; nil tells nobody.
	Progress func(done, total int64)
}

// Restored is what a restore did, and what may have left since the backup was taken.
type Restored struct {
	File  string    `json:"file"`
	Taken time.Time `json:"taken"`
	// Aside is where the database of before is now; empty when there was none.
	Aside string   `json:"aside"`
	Held  HeldBack `json:"held"`
	// Compared says that the database of before could be read, so that Left is exactly what left since. Otherwise Left is
	// what the backup itself tells, and Why says why.
	Compared bool   `json:"compared"`
	Why      string `json:"why,omitempty"`
	Left     []Left `json:"left"`
	// Gone are items that were retracted for good since, and that the backup has still: nothing that has them is shown.
	Gone []Gone `json:"retracted_for_good"`
	// Out counts copies that are out by the backup, and may have been edited or deleted since.
	Out int `json:"out"`
	// Images came out of the backup, Wanted ones are fetched again, and Lost ones are nowhere.
	Images int `json:"images"`
	Wanted int `json:"wanted_images"`
	Lost   int `json:"lost_images"`
}

// ErrUnchanged says that a restore ended before it touched anything.
var ErrUnchanged = errors.New("nothing was changed")

// Run checks the backup, moves the database of before aside, and puts the backup in its place, paused. Until the backup
// has been found to be good nothing is touched; the change itself is one rename.
func (r Restore) Run(ctx context.Context) (out Restored, err error) {
	out = Restored{File: r.From, Left: []Left{}, Gone: []Gone{}}
	fresh := r.To + ".restoring"
	if err := removeAll(fresh); err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, removeAll(fresh)) }()
	if err := r.copyIn(ctx, fresh); err != nil {
		return out, fmt.Errorf("%w; %w", err, ErrUnchanged)
	}
	if err := r.prepare(ctx, fresh, &out); err != nil {
		return out, fmt.Errorf("%w; %w", err, ErrUnchanged)
	}
	if err := syncFile(fresh); err != nil {
		return out, fmt.Errorf("%s cannot be written to the disk: %w; %w", fresh, err, ErrUnchanged)
	}
	out.Aside, err = r.exchange(fresh)
	return out, err
}

// copyIn makes a copy of the backup beside the database.
func (r Restore) copyIn(ctx context.Context, fresh string) error {
	info, err := os.Stat(r.From)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("there is no file %s", r.From)
	}
	if err != nil {
		return err
	}
	if same, _ := sameFile(r.From, r.To); same {
		return fmt.Errorf("%s is the database itself; name a backup of it", r.From)
	}
	if err := looksLikeSQLite(r.From); err != nil {
		return err
	}
	if err := enough(fresh, info.Size()); err != nil {
		return err
	}
	query := url.Values{"mode": {"ro"}, "immutable": {"1"}} // a backup is one file, perhaps on a disk that cannot be written
	if _, err := os.Stat(logOf(r.From)); err == nil || marked(r.From) {
		if err := checkLog(r.From); err != nil { // a database that was moved aside with what belongs to it
			return err
		}
		query = url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(10000)"}}
	}
	db, err := connect(r.From, query)
	if err != nil {
		return err
	}
	defer db.Close()
	have, err := schemaOf(ctx, db, r.From)
	if err != nil {
		return err
	}
	newest, err := newestSchema(db)
	if err != nil {
		return err
	}
	if have > newest {
		return fmt.Errorf("%s was written by a newer Belfry (schema %d, this one knows %d); restore it with that version", r.From, have, newest)
	}
	if err := quickCheck(ctx, db, r.From); err != nil {
		return err
	}
	stop := watchSize(fresh, info.Size(), r.Progress)
	defer stop()
	if err := newFile(fresh); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, fresh); err != nil {
		return damaged(r.From, fmt.Errorf("copy to %s: %w", fresh, err))
	}
	return nil
}

func looksLikeSQLite(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, 16)
	if _, err := io.ReadFull(f, head); err != nil || string(head) != "SQLite format 3\x00" {
		return fmt.Errorf("%s is no database of Belfry; a backup is made by: belfry store backup FILE", file)
	}
	return nil
}

// prepare makes the copy what the daemon will find.
func (r Restore) prepare(ctx context.Context, fresh string, out *Restored) error {
	db, err := private(fresh)
	if err != nil {
		return err
	}
	defer db.Close()
	taken, marked, err := takenAt(ctx, db)
	if err != nil {
		return err
	}
	out.Taken = taken
	if !marked { // a copy by other means: it was taken when it was last written
		info, err := os.Stat(r.From)
		if err != nil {
			return err
		}
		out.Taken = info.ModTime().UTC().Truncate(time.Second)
	}
	if err := r.images(ctx, db, out); err != nil {
		return fmt.Errorf("the images cannot be taken out of %s: %w", r.From, err)
	}
	if out.Left, out.Out, err = mayHaveLeft(ctx, db); err != nil {
		return err
	}
	exact, gone, err := compare(ctx, db, r.To, out.Taken)
	switch {
	case err == nil:
		out.Left, out.Gone, out.Compared = exact, gone, true
	case errors.Is(err, fs.ErrNotExist):
		out.Why = "there was no database before"
	default:
		out.Why = err.Error()
	}
	if out.Held, err = comeBack(ctx, db, out.Taken, r.Now); err != nil {
		return err
	}
	return db.Close()
}

func hasImages(ctx context.Context, db *sql.DB) bool {
	n := 0
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'sqlar'`).Scan(&n)
	return err == nil && n > 0
}

// images writes the backup's images into the folder, and has those fetched again that are not there.
func (r Restore) images(ctx context.Context, db *sql.DB, out *Restored) error {
	if r.Folder == "" {
		return nil
	}
	if hasImages(ctx, db) {
		n, err := r.unpack(ctx, db)
		if err != nil {
			return err
		}
		out.Images = n
		if _, err := db.ExecContext(ctx, `DROP TABLE sqlar`); err != nil {
			return err
		}
		// The room goes back page by page, which a query does and a statement without rows may not.
		rows, err := db.QueryContext(ctx, `PRAGMA incremental_vacuum`)
		if err != nil {
			return err
		}
		for rows.Next() { // each row is a page
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return err
		}
	}
	rows, err := db.QueryContext(ctx, `SELECT DISTINCT name FROM media WHERE state = 'stored'`)
	if err != nil {
		return err
	}
	names, err := texts(rows)
	if err != nil {
		return err
	}
	return inTx(ctx, db, func(tx *sql.Tx) error {
		for _, name := range names {
			if len(name) > 2 {
				if _, err := os.Stat(filepath.Join(r.Folder, name[:2], name)); err == nil {
					continue
				}
			}
			lost, err := changed(ctx, tx, `UPDATE media SET state = 'failed', error = 'the file was lost' WHERE state = 'stored' AND name = ?1 AND url LIKE 'belfry:%'`, name)
			if err != nil {
				return err
			}
			wanted, err := changed(ctx, tx, `UPDATE media SET state = 'wanted', sha256 = '', name = '', attempt = 0, next_at = ?2, wanted_at = ?2 WHERE state = 'stored' AND name = ?1`, name, r.Now.UnixMicro())
			if err != nil {
				return err
			}
			out.Lost, out.Wanted = out.Lost+lost, out.Wanted+wanted
		}
		return nil
	})
}

// unpack writes the images that are not in the folder yet.
func (r Restore) unpack(ctx context.Context, db *sql.DB) (int, error) {
	rows, err := db.QueryContext(ctx, `SELECT name, data FROM sqlar`)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var name string
		var data []byte
		if err := rows.Scan(&name, &data); err != nil {
			return n, err
		}
		base := filepath.Base(name)
		if len(base) < 3 || name != "media/"+base[:2]+"/"+base {
			return n, fmt.Errorf("%q is no image of Belfry's", name)
		}
		wrote, err := writeNew(filepath.Join(r.Folder, base[:2], base), data)
		if err != nil {
			return n, err
		}
		if wrote {
			n++
		}
	}
	return n, rows.Err()
}

// writeNew makes a file whole or not at all; false when it is there already.
func writeNew(file string, data []byte) (bool, error) {
	if info, err := os.Stat(file); err == nil && info.Size() == int64(len(data)) {
		return false, nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return false, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".new-*")
	if err != nil {
		return false, err
	}
	defer os.Remove(tmp.Name()) // does nothing once it is renamed
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return false, err
	}
	return true, os.Rename(tmp.Name(), file)
}

// exchange moves the database of before aside and the fresh one into its place. A stop anywhere in between leaves the one
// of before or the fresh one in its place, or a mark that keeps a daemon from starting without the log that was moved.
func (r Restore) exchange(fresh string) (aside string, err error) {
	dir := filepath.Dir(r.To)
	before := true
	if _, err := os.Stat(r.To); errors.Is(err, fs.ErrNotExist) {
		before = false
	} else if err != nil {
		return "", err
	}
	name := r.To + ".aside-" + r.Now.UTC().Format("20060102-150405")
	for i := 2; exists(name) || exists(logOf(name)); i++ {
		name = fmt.Sprintf("%s.aside-%s-%d", r.To, r.Now.UTC().Format("20060102-150405"), i)
	}
	inUse := marked(r.To)
	if exists(logOf(r.To)) {
		if !inUse {
			if err := errors.Join(setMark(r.To), syncFile(dir)); err != nil {
				return "", err
			}
		}
		if err := os.Rename(logOf(r.To), logOf(name)); err != nil {
			return "", err
		}
	}
	if err := os.Rename(sharedOf(r.To), sharedOf(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if before {
		if err := ownerOnly(r.To); err != nil {
			return "", err
		}
		if err := keepAside(r.To, name); err != nil {
			return "", err
		}
		aside = name
	}
	if err := errors.Join(syncFile(dir), os.Rename(fresh, r.To), syncFile(dir)); err != nil {
		return aside, err
	}
	if !marked(r.To) {
		return aside, nil
	}
	if inUse && before {
		return aside, os.Rename(markOf(r.To), markOf(name))
	}
	return aside, endMark(r.To)
}

func exists(file string) bool {
	_, err := os.Lstat(file)
	return err == nil
}

// keepAside gives a file a second name, or a copy where the file system knows no second names, so that its own name is
// never without a database.
func keepAside(file, name string) error {
	if os.Link(file, name) == nil {
		return nil
	}
	in, err := os.Open(file)
	if err != nil {
		return err
	}
	defer in.Close()
	to, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, in)
	return errors.Join(err, to.Sync(), to.Close())
}

// copiedByHand holds what may have left when a backup was put in place without the command that does so.
func copiedByHand(ctx context.Context, db *sql.DB, file string, log *slog.Logger) error {
	taken, is, err := takenAt(ctx, db)
	if err != nil || !is {
		return err
	}
	held, err := comeBack(ctx, db, taken, time.Now())
	if err != nil {
		return damaged(file, fmt.Errorf("come back from a backup: %w", err))
	}
	log.Warn("the database is a backup that was copied into its place; everything is paused", "file", file, "taken", taken,
		"items", held.Items, "posts", held.Posts, "copies", held.Copies, "unknown", held.Unknown)
	return nil
}
