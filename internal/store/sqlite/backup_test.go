package sqlite_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/internal/store/sqlite/schematest"
	"github.com/belfry-news/belfry/sdk"
)

// live makes an editor's post with a copy that has to leave.
func live(t *testing.T, db *store.DB, title string, images ...string) string {
	t.Helper()
	p := compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostLive, VisibleAt: time.Now(), Content: compose.Content{Title: title},
		Targets: []compose.NewTarget{{Destination: "hook"}}}
	for _, u := range images {
		p.Content.Media = append(p.Content.Media, sdk.Media{URL: u})
	}
	id, err := db.CreatePost(t.Context(), p, images, "test", time.Now())
	ok(t, err)
	return id
}

// send lets everything leave that waits at the destination, or leaves it under way.
func send(t *testing.T, db *store.DB, answered bool) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	batches, err := db.Claim(ctx, "hook", now, time.Minute, 10, 100)
	ok(t, err)
	for _, b := range batches {
		for _, id := range b.Deliveries {
			w, err := db.Work(ctx, id)
			ok(t, err)
			call := outbox.Call{Op: outbox.OpPublish, Series: outbox.SeriesPost, Revision: w.Want, Wanted: w.Want, Final: true, Key: "k", Part: sdk.Part{Kind: "send", Request: []byte(`"x"`)}}
			if len(w.Parts) > 0 {
				call.Op = outbox.OpEdit
			}
			if w.Gone {
				call.Op = outbox.OpDelete
			}
			_, err = db.Start(ctx, outbox.Start{Batch: b, Delivery: id, Version: w.Version, Call: call}, now)
			ok(t, err)
			if answered {
				_, err = db.Settle(ctx, outbox.Settlement{Delivery: id, Publication: w.Publication, Version: w.Version, Batch: b.ID, Fence: b.Fence, Call: &call,
					Ref: sdk.PartRef{IDs: []string{"1"}, URL: "https://hook.example/" + w.PublicID}, Succeeded: true}, now)
				ok(t, err)
			}
		}
		if answered {
			ok(t, db.Release(ctx, b))
		}
	}
}

func backup(t *testing.T, file, to string) sqlite.BackedUp {
	t.Helper()
	out, err := sqlite.WriteBackup(t.Context(), sqlite.Backup{From: file, To: to, Folder: filepath.Join(filepath.Dir(file), "media"), Images: sqlite.OwnImages, Now: time.Now()})
	ok(t, err)
	return out
}

func restore(t *testing.T, from, file string) sqlite.Restored {
	t.Helper()
	out, err := sqlite.Restore{From: from, To: file, Folder: filepath.Join(filepath.Dir(file), "media"), Now: time.Now()}.Run(t.Context())
	ok(t, err)
	return out
}

// whatLeft is what and which post, for comparing.
func whatLeft(r sqlite.Restored) map[string]string {
	out := map[string]string{}
	for _, l := range r.Left {
		out[l.Title] = l.What
	}
	return out
}

// A backup is made beside a writer, is whole, and comes back paused with everything that may have left since held.
func TestBackupAndRestore(t *testing.T) {
	t.Parallel()
	file, db := newDatabase(t)
	d := newDesk(t, db, "")
	ctx := t.Context()
	live(t, db, "out")
	edited := live(t, db, "edited")
	withdrawn := live(t, db, "withdrawn")
	retracted := live(t, db, "retracted")
	send(t, db, true)
	live(t, db, "under way")
	send(t, db, false)
	live(t, db, "about to leave")
	write(t, db, "planned")
	d.fetch(article(1, 0, "a"), article(2, 0))
	to := filepath.Join(t.TempDir(), "backup.db")
	if out := backup(t, file, to); out.Bytes == 0 || out.Schema == 0 {
		t.Errorf("%+v", out)
	}
	if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(to), "*")); len(left) != 1 {
		t.Errorf("beside the backup lies %q", left)
	}
	if list, err := db.Pauses(ctx); err != nil || len(list) != 0 {
		t.Errorf("the backup paused the daemon: %v, %v", list, err)
	}

	// What happens afterwards, and is not in the backup.
	post := func(id string) store.Post {
		p, err := db.PostByID(ctx, id)
		ok(t, err)
		return p
	}
	_, err := db.Recover(ctx, true, time.Now())
	ok(t, err)
	ok(t, db.EditPost(ctx, post(edited).ID, 1, compose.Content{Title: "edited"}, nil, "test", time.Now()))
	_, err = db.RetractPost(ctx, post(withdrawn).ID, false, "wrong", "test", time.Now())
	ok(t, err)
	_, err = db.RetractPost(ctx, post(retracted).ID, true, "legal", "test", time.Now())
	ok(t, err)
	live(t, db, "written afterwards")
	send(t, db, true)
	d.post(5)
	closed(t, db)
	before, err := os.ReadFile(file)
	ok(t, err)

	out := restore(t, to, file)
	if !out.Compared || out.Why != "" {
		t.Errorf("it was not compared: %s", out.Why)
	}
	if diff := cmp.Diff(map[string]string{"edited": "edited", "withdrawn": "retracted", "": "retracted", "about to leave": "sent", "written afterwards": "sent", "under way": "unknown"}, whatLeft(out)); diff != "" {
		t.Error(diff)
	}
	// all and digest take both items, some takes one.
	want := sqlite.HeldBack{Items: 5, Posts: 1, Copies: 1, Unknown: 1, Channels: []string{"alertes", "all", "digest", "some"}, Sources: []string{}}
	if diff := cmp.Diff(want, out.Held); diff != "" {
		t.Error(diff)
	}
	if aside, err := os.ReadFile(out.Aside); err != nil || !bytes.Equal(uncounted(aside), uncounted(before)) {
		t.Errorf("the database of before is not what it was: %v", err)
	}
	db, err = sqlite.Open(ctx, file)
	ok(t, err)
	defer closed(t, db)
	d.db = db
	if list, err := db.Pauses(ctx); err != nil || len(list) != 1 || list[0].Scope != store.PauseAll {
		t.Errorf("%v, %v", list, err)
	}
	if why, err := db.PauseReason(ctx); err != nil || !strings.Contains(why, "came from a backup") {
		t.Errorf("%q, %v", why, err)
	}
	alerts := func() []string {
		rows, err := db.Alerts(ctx)
		ok(t, err)
		var out []string
		for _, r := range rows {
			out = append(out, string(r.Code)+" "+r.Subject)
		}
		return out
	}
	if diff := cmp.Diff([]string{"held_for_release alertes", "held_for_release all", "held_for_release digest", "held_for_release some", "store_restored store"}, alerts(), cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Error(diff)
	}
	if p := post(retracted); !p.VisibleAt.IsZero() {
		t.Error("what was retracted since is shown again")
	}

	// Even when it goes on, nothing leaves, and what the feed has brought since is held.
	_, err = db.Resume(ctx, store.PauseAll, "", "test", time.Now())
	ok(t, err)
	if why, err := db.PauseReason(ctx); err != nil || why != "" {
		t.Errorf("%q, %v", why, err)
	}
	if open := alerts(); len(open) != 4 {
		t.Errorf("%q", open)
	}
	if batches, err := db.Claim(ctx, "hook", time.Now().Add(time.Hour), time.Minute, 10, 100); err != nil || len(batches) != 0 {
		t.Errorf("%+v would leave, %v", batches, err)
	}
	back, came, err := db.ComeBack(ctx)
	ok(t, err)
	if !came || len(back.Sources) != 1 {
		t.Errorf("%+v", back)
	}
	d.now = time.Now().Add(time.Minute)
	d.rules.CameBack, d.rules.BackupTaken = back.At, back.Taken
	if fresh, waiting := d.fetch(article(1, 0, "a"), article(2, 1, "a"), article(3, 0)); fresh != 1 || waiting != 0 {
		t.Errorf("%d are new and %d wait; want one new that is held", fresh, waiting)
	}
	holds, err := db.Holds(ctx, "feed")
	if err != nil || len(holds) != 1 || !strings.Contains(holds[0].Note, "may have been posted since") {
		t.Errorf("%+v, %v", holds, err)
	}
	if fresh, waiting := d.fetch(article(1, 0, "a"), article(2, 1, "a"), article(3, 0), article(4, 0)); fresh != 1 || waiting != 2 {
		t.Errorf("the second fetch: %d are new and %d wait; want one that two channels take", fresh, waiting)
	}

	// A person says so, and it leaves.
	n, err := db.ReleaseHeld(ctx, "alertes", false, "test", time.Now())
	ok(t, err)
	if n == 0 {
		t.Error("nothing was released")
	}
	if batches, err := db.Claim(ctx, "hook", time.Now().Add(time.Hour), time.Minute, 10, 100); err != nil || len(batches) != 1 || len(batches[0].Deliveries) != 1 {
		t.Errorf("%+v leave, %v", batches, err)
	}
	aside, err := sqlite.Open(ctx, out.Aside)
	ok(t, err)
	closed(t, aside)
}

// Where the database of before cannot be read, the backup tells what it can; the files are moved as they are.
func TestRestoreOverADamagedDatabase(t *testing.T) {
	t.Parallel()
	file, db := newDatabase(t)
	live(t, db, "about to leave")
	to := filepath.Join(t.TempDir(), "backup.db")
	backup(t, file, to)
	closed(t, db)
	for name, text := range map[string]string{"": "SQLite format 3\x00 and then nothing of use", "-wal": "no log", "-open": ""} {
		ok(t, os.WriteFile(file+name, []byte(text), 0o600))
	}
	out := restore(t, to, file)
	if out.Compared || out.Why == "" {
		t.Errorf("%+v", out)
	}
	if diff := cmp.Diff(map[string]string{"about to leave": "pending"}, whatLeft(out)); diff != "" {
		t.Error(diff)
	}
	for name, want := range map[string]string{"": "SQLite format 3\x00 and then nothing of use", "-wal": "no log", "-open": ""} {
		if got, err := os.ReadFile(out.Aside + name); err != nil || string(got) != want {
			t.Errorf("aside%s holds %q, %v", name, got, err)
		}
	}
	db, err := sqlite.Open(t.Context(), file)
	ok(t, err)
	closed(t, db)
	out = restore(t, to, file)
	if out.Aside == "" || !out.Compared {
		t.Errorf("a second restore: %+v", out)
	}
}

// Whatever is no good backup is refused before anything is touched.
func TestRestoreRefuses(t *testing.T) {
	t.Parallel()
	file, db := newDatabase(t)
	write(t, db, "kept")
	good := filepath.Join(t.TempDir(), "good.db")
	backup(t, file, good)
	closed(t, db)
	whole, err := os.ReadFile(good)
	ok(t, err)
	before, err := os.ReadFile(file)
	ok(t, err)
	for name, c := range map[string]struct {
		make func(file string) error
		want string
	}{
		"nothing":        {func(string) error { return nil }, "there is no file"},
		"another file":   {func(f string) error { return os.WriteFile(f, []byte("Dear diary, today"), 0o600) }, "is no database of Belfry; a backup is made by"},
		"half a file":    {func(f string) error { return os.WriteFile(f, whole[:len(whole)/2], 0o600) }, "damaged"},
		"flipped bits":   {func(f string) error { return os.WriteFile(f, flipped(whole), 0o600) }, "damaged"},
		"a newer schema": {func(f string) error { return errors.Join(os.WriteFile(f, whole, 0o600), newer(f)) }, "was written by a newer Belfry (schema 999"},
		"another database": {func(f string) error {
			raw, err := sql.Open("sqlite", f)
			if err != nil {
				return err
			}
			_, err = raw.Exec(`CREATE TABLE t (x)`)
			return errors.Join(err, raw.Close())
		}, "is no database of Belfry"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from := filepath.Join(t.TempDir(), "b.db")
			ok(t, c.make(from))
			_, err := sqlite.Restore{From: from, To: file, Now: time.Now()}.Run(t.Context())
			if !errors.Is(err, sqlite.ErrUnchanged) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
			if now, err := os.ReadFile(file); err != nil || !bytes.Equal(now, before) {
				t.Errorf("the database was touched, %v", err)
			}
		})
	}
	t.Cleanup(func() {
		if beside, _ := filepath.Glob(file + "*"); len(beside) != 1 {
			t.Errorf("it left %q", beside)
		}
	})
}

func flipped(whole []byte) []byte {
	out := bytes.Clone(whole)
	for i := 4096; i < len(out); i += 512 {
		out[i] ^= 0xff
	}
	return out
}

func newer(file string) error {
	raw, err := sql.Open("sqlite", file)
	if err != nil {
		return err
	}
	_, err = raw.Exec(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`)
	return errors.Join(err, raw.Close())
}

// A backup that is copied into its place by hand comes up paused as well, with everything held.
func TestABackupCopiedByHand(t *testing.T) {
	t.Parallel()
	file, db := newDatabase(t)
	live(t, db, "about to leave")
	to := filepath.Join(t.TempDir(), "belfry.db")
	backup(t, file, to)
	closed(t, db)
	var log bytes.Buffer
	for i := range 2 {
		db, err := sqlite.Open(t.Context(), to, slog.New(slog.NewTextHandler(&log, nil)))
		ok(t, err)
		list, err := db.Pauses(t.Context())
		if err != nil || len(list) != 1 {
			t.Errorf("%v, %v", list, err)
		}
		_, err = db.Resume(t.Context(), store.PauseAll, "", "test", time.Now())
		ok(t, err)
		if batches, err := db.Claim(t.Context(), "hook", time.Now().Add(time.Hour), time.Minute, 10, 100); err != nil || len(batches) != 0 {
			t.Errorf("%+v would leave, %v", batches, err)
		}
		if i == 0 { // and it happens once
			_, err = db.Pause(t.Context(), store.PauseAll, "", "test", time.Now())
			ok(t, err)
		}
		closed(t, db)
	}
	if n := strings.Count(log.String(), "copied into its place"); n != 1 {
		t.Errorf("it was told %d times:\n%s", n, log.String())
	}
}

// Images that editors gave are in the backup; those of sources are fetched again.
func TestImagesInABackup(t *testing.T) {
	t.Parallel()
	file, db := newDatabase(t)
	folder := filepath.Join(filepath.Dir(file), "media")
	own, theirs, lost := strings.Repeat("a", 64), strings.Repeat("b", 64), strings.Repeat("c", 64)
	ok(t, os.MkdirAll(filepath.Join(folder, "aa"), 0o700))
	for name, text := range map[string]string{own + ".jpg": "large", own + "-small.jpg": "small"} {
		ok(t, os.WriteFile(filepath.Join(folder, "aa", name), []byte(text), 0o600))
	}
	for url, id := range map[string]string{"belfry:own": own, "https://news.example/b.jpg": theirs, "belfry:lost": lost} {
		ok(t, db.PutImage(t.Context(), url, sdk.File{SHA256: id, Name: id + ".jpg", Type: "image/jpeg"}, time.Now()))
	}
	to := filepath.Join(t.TempDir(), "backup.db")
	if out := backup(t, file, to); out.Images != 1 || out.Missing != 1 {
		t.Errorf("%+v", out)
	}
	closed(t, db)
	ok(t, os.RemoveAll(folder))
	out := restore(t, to, file)
	if out.Images != 2 || out.Wanted != 1 || out.Lost != 1 {
		t.Errorf("%d images came back, %d are wanted, %d lost", out.Images, out.Wanted, out.Lost)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "aa", own+"-small.jpg")); err != nil || string(text) != "small" {
		t.Errorf("%q, %v", text, err)
	}
	db, err := sqlite.Open(t.Context(), file)
	ok(t, err)
	defer closed(t, db)
	wanted, err := db.WantedMedia(t.Context(), time.Now().Add(time.Minute), 9)
	if err != nil || len(wanted) != 1 || wanted[0].URL != "https://news.example/b.jpg" {
		t.Errorf("%+v, %v", wanted, err)
	}
	// By hand, such a backup is refused with the command that does it.
	hand := filepath.Join(t.TempDir(), "belfry.db")
	text, err := os.ReadFile(to)
	ok(t, err)
	ok(t, os.WriteFile(hand, text, 0o600))
	if _, err := sqlite.Open(t.Context(), hand); err == nil || !strings.Contains(err.Error(), "belfry store restore") {
		t.Errorf("got %v", err)
	}
}

// An item that was retracted for good after a backup comes back with it, in the digests too: nothing that has it is shown, the
// list names it, and the retraction is repeated by what the list says.
func TestWhatWasRetractedForGoodSince(t *testing.T) {
	t.Parallel()
	file, db := newDatabase(t)
	d := newDesk(t, db, "")
	d.fetch(article(2, 0), article(1, 0))
	d.post(100)
	ctx := t.Context()
	to := filepath.Join(t.TempDir(), "backup.db")
	backup(t, file, to)
	each, digest := "", ""
	for _, p := range d.posts() {
		switch {
		case p.Kind == compose.KindDigest:
			digest = p.PublicID
		case p.Content.Title == "Article 1.0":
			each = p.PublicID
			_, err := db.RetractPost(ctx, p.ID, true, "court order 12", "test", d.now)
			ok(t, err)
		}
	}
	if each == "" || digest == "" {
		t.Fatalf("%+v", d.posts())
	}
	closed(t, db)

	out := restore(t, to, file)
	if diff := cmp.Diff([]sqlite.Gone{{Source: "feed", Key: "key-1", Reason: "court order 12"}}, out.Gone); diff != "" {
		t.Error(diff)
	}
	var err error
	db, err = sqlite.Open(ctx, file)
	ok(t, err)
	defer closed(t, db)
	shown := func(id string) bool {
		t.Helper()
		p, err := db.PostByID(ctx, id)
		ok(t, err)
		return !p.VisibleAt.IsZero()
	}
	if shown(each) || shown(digest) {
		t.Errorf("its post is shown: %v, the digest that has it: %v", shown(each), shown(digest))
	}
	items, err := db.Found(ctx, "feed", sdk.Batch{Items: []sdk.Item{article(1, 0)}})
	ok(t, err)
	id := items.ByKey["key-1"].ID
	_, err = db.RetractItem(ctx, id, "court order 12", "test", d.now)
	ok(t, err)
	if !shown(digest) || !shown(each) {
		t.Errorf("the digest without it is shown again: %v, and the page that says so: %v", shown(digest), shown(each))
	}
	for _, name := range []string{each, digest} {
		p, err := db.PostByID(ctx, name)
		ok(t, err)
		if text := fmt.Sprintf("%+v", p.Content); strings.Contains(text, "Article 1.0") || name == digest && !strings.Contains(text, "Article 2.0") {
			t.Errorf("%s says %s", name, text)
		}
	}
}

func TestBackupRefuses(t *testing.T) {
	t.Parallel()
	file, db := newDatabase(t)
	defer closed(t, db)
	to := filepath.Join(t.TempDir(), "b.db")
	ok(t, os.WriteFile(to, []byte("an older one"), 0o600))
	for name, c := range map[string]struct {
		b    sqlite.Backup
		want string
	}{
		"a file that is there": {sqlite.Backup{From: file, To: to}, "exists already; name another file, or replace it with --force"},
		"the database itself":  {sqlite.Backup{From: file, To: file, Force: true}, "is the database itself"},
		"no name":              {sqlite.Backup{From: file}, "a backup needs a name; name the file that it is written to"},
		"a folder":             {sqlite.Backup{From: file, To: filepath.Dir(to), Force: true}, "is no file"},
		"no folder":            {sqlite.Backup{From: file, To: filepath.Join(to+"-nowhere", "b.db")}, "cannot be written"},
	} {
		t.Run(name, func(t *testing.T) {
			c.b.Now = time.Now()
			if _, err := sqlite.WriteBackup(t.Context(), c.b); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	if _, err := sqlite.WriteBackup(t.Context(), sqlite.Backup{From: file + "-none", To: to, Force: true}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v", err)
	}
	if text, err := os.ReadFile(to); err != nil || string(text) != "an older one" {
		t.Errorf("the older backup is %q, %v", text, err)
	}
	_, err := sqlite.WriteBackup(t.Context(), sqlite.Backup{From: file, To: to, Force: true, Now: time.Now()})
	ok(t, err)
}

// Before the schema changes the database is backed up; the last two such backups are kept, and who cannot open the result
// is told of the one that can be opened.
func TestABackupBeforeAMigration(t *testing.T) {
	t.Parallel()
	file, db := newDatabase(t)
	closed(t, db)
	if beside, _ := filepath.Glob(file + ".before-*"); len(beside) != 0 {
		t.Errorf("a new database was backed up: %q", beside)
	}
	ok(t, os.Remove(file))
	schemas := schematest.In(t, ".")
	schemas.Make(file, 1)
	alter(t, file, `DELETE FROM pauses`)
	held := schemas.Read(file)
	for _, older := range []string{".before-0", ".before-1", ".before-x"} {
		ok(t, os.WriteFile(file+older, []byte("older"), 0o600))
	}
	var log bytes.Buffer
	db, err := sqlite.Open(t.Context(), file, slog.New(slog.NewTextHandler(&log, nil)))
	ok(t, err)
	if list, err := db.Pauses(t.Context()); err != nil || len(list) != 0 {
		t.Errorf("the migrated one is paused: %v, %v", list, err)
	}
	closed(t, db)
	for _, missing := range schemas.Missing(held, schemas.Read(file)) {
		t.Error(missing)
	}
	made, _ := filepath.Glob(file + ".before-[2-9]")
	if len(made) != 1 || !strings.Contains(log.String(), made[0]) {
		t.Fatalf("%q, and the log says:\n%s", made, log.String())
	}
	before := schemas.Read(made[0])
	for _, missing := range schemas.Missing(held, before) {
		t.Error("in the backup,", missing)
	}
	if before.Schema != 1 {
		t.Errorf("the backup has schema %d", before.Schema)
	}
	// The newest schema there is, plus one that this program does not know.
	alter(t, file, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (999, 1)`)
	if _, err := sqlite.Open(t.Context(), file); err == nil || !strings.Contains(err.Error(), "belfry store restore "+made[0]) {
		t.Errorf("got %v", err)
	}
	out := restore(t, made[0], file)
	if out.Held.Copies == 0 || !out.Compared {
		t.Errorf("%+v", out)
	}
	for range 2 { // and the migration goes through again
		db, err = sqlite.Open(t.Context(), file)
		ok(t, err)
		closed(t, db)
	}
	if kept, _ := filepath.Glob(file + ".before-[0-9]"); len(kept) > 3 { // before-0 is none of ours
		t.Errorf("%q are kept", kept)
	}
}
