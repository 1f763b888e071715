package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/disk"
	"github.com/belfry-news/belfry/internal/store/sqlite"
)

type storeCmd struct {
	Backup  storeBackupCmd  `cmd:"" help:"Write a backup of the store, beside a running daemon or without one."`
	Restore storeRestoreCmd `cmd:"" help:"Put a backup in the place of the store, paused, and list what may have left since."`
	Size    storeSizeCmd    `cmd:"" help:"What takes room, and how much is left."`
}

type storeBackupCmd struct {
	File   string        `arg:"" help:"The file to write."`
	Images sqlite.Images `default:"own" placeholder:"WHICH" enum:"own,all,none" help:"Which images are in it: those that editors gave as files (own), all, or none."`
	Force  bool          `help:"Replace a file that is there."`
}

// Help is the long help.
func (*storeBackupCmd) Help() string {
	return `One file with everything as it is at one moment: the database, and in it the images that nothing else has, which are those
that editors gave as files. Images of sources are fetched again after a restore; --images all takes them along. The file is
checked before it takes its name, so that a file with this name is always a whole backup. It holds what the store holds, and
only its owner can read it.

Neither the configuration nor the credentials are in it: keep them, too. The file is an SQLite database; its images are an
archive that sqlite3 FILE --archive --list shows. Put it in place with belfry store restore, never by copying: a copy comes
up paused as well, but the log of the old database beside it may destroy it.

Example:

    belfry store backup /var/backups/belfry-$(date +%F).db

Exit codes: 0 written and checked, 1 it could not be, 2 the command line cannot be used. With --json: {file, at, schema,
bytes, images, missing_images}.`
}

// Run writes a backup.
func (c *storeBackupCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.withoutStore(ctx, std)
	if err != nil {
		return err
	}
	out, err := sqlite.WriteBackup(ctx, sqlite.Backup{From: app.Database(d.Config), To: c.File, Force: c.Force, Folder: filepath.Join(d.Dir, "media"), Images: c.Images,
		Now: time.Now(), Progress: progress(std.err, "backup", disk.Bytes)})
	if errors.Is(err, fs.ErrNotExist) && !exists(app.Database(d.Config)) {
		return noStore(d.Dir)
	}
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, out)
	}
	d.print("%s: the store of %s, %s, with %s; checked", out.File, d.At(out.At), disk.Bytes(out.Bytes), count(out.Images, "image"))
	if out.Missing > 0 {
		d.print("  %s that the store names lack their file and are not in it", count(out.Missing, "image"))
	}
	d.print("  to go back to it: belfry store restore %s", out.File)
	return nil
}

// withoutStore is a desk for a command that reads the files of a store of any schema, and owns them. Where the configuration
// has problems it goes by the one that was applied last.
func (g *global) withoutStore(ctx context.Context, std streams) (*clerk, error) {
	cfg, err := g.load()
	if err != nil {
		d, err := g.openApplied(ctx, std, ownStore, err)
		if err == nil {
			d.close()
			d.Store = nil
		}
		return d, err
	}
	return g.desk(cfg, std), ownStore(app.Database(cfg))
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

type storeRestoreCmd struct {
	File string `arg:"" help:"The backup."`
}

// Help is the long help.
func (*storeRestoreCmd) Help() string {
	return `The daemon must be stopped. The backup is checked before anything is touched; the present database is moved aside, with the
date in its name, and never deleted. Images that are in the backup come back, those of sources are fetched again.

A backup does not know what left after it was taken, and sent again it would appear twice. So the store comes up paused, and
whatever may have left is held even when it goes on: what waited in channels, what was about to be sent, and what is new at the
next fetch of each source. The command lists what left since, exactly where the database of before can still be read. Then:

    1. start the daemon; it sends nothing           belfry run
    2. for each channel and source that holds something, look, and let it go or drop it:
       belfry post list --channel C --held          belfry post release --channel C [--drop]
       belfry source list S                         belfry source release S [--drop]
       belfry post deliveries --state unknown       belfry post resolve N --arrived, or --missing
    3. go on                                        belfry resume all

Sources are fetched only after step 3; what they hold then is released or dropped in the same way. What was retracted for good
since the backup is hidden where the database of before could be read: the commands that are printed retract it again, and take
its text out of the restored store. Where it could not be read, nothing is known of it.

Example:

    belfry store restore /var/backups/belfry-2026-11-20.db

Exit codes: 0 restored and paused, 1 nothing was changed, 2 the command line cannot be used. With --json: {file, taken, aside,
held, compared, why, left, retracted_for_good, out, images, wanted_images, lost_images}.`
}

// Run restores a backup.
func (c *storeRestoreCmd) Run(ctx context.Context, g *global, std streams) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	if err := ownStore(app.Database(cfg)); err != nil {
		return err
	}
	out, err := app.Restore(ctx, cfg, c.File, progress(std.err, "restore", disk.Bytes))
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, out)
	}
	g.desk(cfg, std).printRestored(out)
	return nil
}

// mostLeft is how many things that left are printed; --json has all of them.
const mostLeft = 40

func (d *clerk) printRestored(r sqlite.Restored) {
	d.print("the store is that of %s (%s), and everything is paused", d.At(r.Taken), r.File)
	if r.Aside != "" {
		d.print("  the one of before is kept: %s", r.Aside)
	}
	if r.Images+r.Wanted+r.Lost > 0 {
		d.print("  images: %s came back, %s are fetched again, %s are lost", desk.Thousands(r.Images), desk.Thousands(r.Wanted), desk.Thousands(r.Lost))
	}
	d.print("")
	switch {
	case r.Compared && len(r.Left) == 0:
		d.print("nothing left since then: the database of before says so")
	case r.Compared:
		d.print("what left since then, by the database of before:")
	default:
		d.print("what left since then is not known exactly: %s", r.Why)
		d.print("  %s out then, and each may have been edited, deleted or retracted since; posts made since are not known here", beVerb(r.Out, "copy was", "copies were"))
		if len(r.Left) > 0 {
			d.print("  not yet sent then, and perhaps sent since:")
		}
	}
	d.printLeft(r.Left)
	for _, g := range r.Gone {
		d.print("  an item of %s was retracted for good since: whatever has it is hidden, digests too; retract it again: belfry post retract --item %s --source %s --legal --reason %s",
			g.Source, quoted(g.Key), g.Source, quoted(g.Reason))
	}
	d.print("")
	h := r.Held
	d.print("held for you, since it may have left: %s, %s, %s, %s", count(h.Items, "waiting item"), count(h.Posts, "planned post"),
		beVerb(h.Copies, "copy", "copies"), count(h.Unknown, "call")+" without an answer")
	for _, name := range h.Channels {
		d.print("  belfry post list --channel %s --held; then: belfry post release --channel %s, or with --drop when it has left", name, name)
	}
	for _, name := range h.Sources {
		d.print("  belfry source list %s; then: belfry source release %s, or with --drop when it has left", name, name)
	}
	if h.Unknown > 0 {
		d.print("  belfry post deliveries --state unknown; then: belfry post resolve NUMBER --arrived, or --missing")
	}
	d.print("what is new at the next fetch of each source is held as well: belfry source list, belfry source release")
	d.print("then go on: belfry run, and belfry resume all")
}

func (d *clerk) printLeft(list []sqlite.Left) {
	t := newTable()
	for _, l := range list[:min(len(list), mostLeft)] {
		t.add("  "+l.What, l.Post, l.Channel, l.Place(), d.At(l.At), clip(desk.OrDash(l.Title), 40), desk.Plain(l.URL))
	}
	t.write(d.std.out)
	if len(list) > mostLeft {
		d.print("  and %s more; all of them: --json", desk.Thousands(len(list)-mostLeft))
	}
	said := map[string]bool{}
	for _, l := range list {
		if l.What != "retracted" || said[l.Post] {
			continue
		}
		said[l.Post] = true
		legal := ""
		if l.Legal {
			legal = " --legal"
		}
		d.print("  %s was retracted since: its page is hidden; retract its copies again: belfry post retract %s%s --reason %s", l.Post, l.Post, legal, quoted(l.Reason))
	}
}

// quoted writes a text as one word for a shell.
func quoted(text string) string {
	return "'" + strings.ReplaceAll(desk.Plain(text), "'", `'\''`) + "'"
}

// beVerb writes a number with a noun whose plural is its own.
func beVerb(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return desk.Thousands(n) + " " + more
}

type storeSizeCmd struct{}

// Help is the long help.
func (*storeSizeCmd) Help() string {
	return `Reads the whole database, which takes a while when it is large. How long each part is kept is said by retention:; what is
pruned leaves free pages, which the daemon gives back to the disk little by little.

Example:

    belfry store size

Exit codes: 0 printed, 1 there is no store. With --json: {file, bytes, log_bytes, free_bytes, parts, images, copies, reserve_bytes,
disk_free, disk_floor}; disk_free is null where it cannot be known.`
}

// Run tells what takes room.
func (c *storeSizeCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	s, err := d.StoreSize(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, s)
	}
	d.printSize(s)
	return nil
}

func (d *clerk) printSize(s *desk.StoreSize) {
	d.print("%s: %s, of which %s are free pages; its log has %s", s.File, disk.Bytes(s.Bytes), disk.Bytes(s.Free), disk.Bytes(s.Log))
	d.print("")
	t := newTable("PART", "ROWS", "SIZE", "KEPT")
	for _, p := range s.Parts {
		rows := desk.Thousands(p.Rows)
		if p.Kept == "" {
			rows = "-"
		}
		t.add(p.Name, rows, disk.Bytes(p.Bytes), keptWords(p.Kept))
	}
	t.write(d.std.out)
	d.print("")
	d.print("images: %s, %s", count(s.Images.Files, "file"), disk.Bytes(s.Images.Bytes))
	for _, c := range s.Copies {
		d.print("a copy that nothing needs but a way back: %s, %s", c.File, disk.Bytes(c.Bytes))
	}
	if s.Reserve > 0 {
		d.print("held for a full disk: %s", disk.Bytes(s.Reserve))
	}
	if s.DiskFree == nil {
		return
	}
	floor := "and disk_floor is off"
	if s.DiskFloor > 0 {
		floor = "and below " + disk.Bytes(s.DiskFloor) + " nothing is fetched (disk_floor)"
	}
	d.print("the disk has %s left, %s", disk.Bytes(*s.DiskFree), floor)
}

func keptWords(kept string) string {
	switch kept {
	case "":
		return "-"
	case "0s":
		return "for ever"
	}
	return kept
}
