package main

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/disk"
)

type subscriberImportCmd struct {
	File    string `arg:"" optional:"" help:"The CSV file."`
	Channel string `placeholder:"NAME" help:"What the rows follow, unless a column channel says it."`
	Medium  string `default:"email" placeholder:"NAME" help:"What kind of addresses they are, unless a column medium says it."`
	Source  string `placeholder:"TEXT" help:"How people agreed, for rows that do not say so, such as \"form on the site\"."`
	Wording string `placeholder:"FILE" help:"The text that people agreed to, for rows that do not say so."`
	Version string `name:"wording-version" placeholder:"TEXT" help:"The name of that text, for rows that do not say so, such as 2024-01."`
	DryRun  bool   `help:"Say what would become of each row, and change nothing."`
	Again   bool   `help:"Import a file once more that was imported."`
	Report  string `placeholder:"FILE" help:"Write what became of each row to this new CSV file."`
	Revoke  int64  `placeholder:"N" help:"Instead of a file: end what the import of this number made."`
	Reason  string `placeholder:"TEXT" help:"With --revoke: why, for the record."`
}

// Help is the long help.
func (*subscriberImportCmd) Help() string {
	return `Nothing is ever sent because of an import. A row that shows when a person agreed (consented_at), how (source, or --source) and to
which words (wording or wording_version, or the flags) makes a consent; one that says when the person left (left_at) makes none, and
keeps every other from making one; any other waits until the person comes by themselves. Whoever left, complained, or whose address is dead stays as they are, whatever the row says; who follows already keeps what
they chose.

The first line names the columns, in any order; between them stand commas, semicolons or tabs. Only address is needed:

    address           also email or mail
    channel, medium   where they differ from row to row; channel may be "notice NAME"
    lang, zone        such as fr, and Europe/Paris
    consented_at      2024-03-29T08:00:00Z, or 2024-03-29 08:00 in the zone of the site
    source            how they agreed
    wording, wording_version, evidence
    external          what your own system calls the person, for notices
    mode, slot, topics, languages    among those that the channel offers; several with | between them
    breaking          yes where urgent posts may come in their quiet hours
    quiet, per_day    quiet hours, 22:00-07:00 in their zone, and the most messages a day
    paused_until      a time like consented_at; one that is over is none
    left_at           when they left the channel, or with channel * everything; what an import said of them ends, and who has
                      agreed here by themselves goes on

The file is UTF-8 or UTF-16; rows that are neither are read as Windows-1252, and counted. A row that cannot be used costs only
itself, and is named with its line and column. 1,000 rows are written at a time; an import that stopped goes on where it was
when the same file is given again.

Examples:

    belfry subscriber import readers.csv --channel alertes --dry-run
    belfry subscriber import readers.csv --channel alertes --source "form on the site" --wording-version 2024-01 --report fates.csv
    belfry subscriber import --revoke 3 --reason "the list was not ours"

A revoked import ends what it made, unless the person has agreed by themselves since.

Exit codes: 0 imported, even if rows could not be used, 1 it stopped, or there is no store, 2 the file or the command line cannot be
used. With --json: {import, file, rows, fates, new_people, windows_1252, unknown_columns, errors, dry_run}.`
}

// Run imports a file, or revokes an import.
func (c *subscriberImportCmd) Run(ctx context.Context, g *global, std streams) error {
	switch {
	case (c.File == "") == (c.Revoke == 0):
		return unusable("name either a file to import, or with --revoke the number of an import; see: belfry subscriber imports")
	case c.Revoke != 0 && (c.Channel != "" || c.DryRun || c.Again || c.Report != ""):
		return unusable("--revoke goes with --reason alone")
	case c.Revoke == 0 && c.Reason != "":
		return unusable("--reason belongs to --revoke")
	case c.File == "-":
		return unusable("an import that stops goes on from the same file; standard input cannot be read again, so put it into a file")
	}
	if c.Revoke != 0 {
		return c.revoke(ctx, g, std)
	}
	f, err := os.Open(c.File)
	if err != nil {
		return unusable("the file cannot be read: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return unusable("%s is no file", c.File)
	}
	wording := ""
	if c.Wording != "" {
		text, err := readInput(c.Wording, std, 8<<10)
		if err != nil {
			return err
		}
		wording = strings.TrimSpace(string(text))
	}
	r, err := g.openToImport(ctx, std)
	if err != nil {
		return err
	}
	defer r.close()
	reader, err := r.people.Registry.NewImportReader(filepath.Base(c.File), f, consent.ImportDefaults{Channel: c.Channel, Medium: c.Medium, Source: c.Source, Wording: wording,
		Version: c.Version, Zone: r.Zone(), Now: time.Now()})
	if err != nil {
		return unusableRow(err)
	}
	digest, err := digestOf(c.File)
	if err != nil {
		return err
	}
	run := &consent.ImportRun{Store: r.Store, Reader: reader, Dry: c.DryRun, Import: &consent.Import{Name: filepath.Base(c.File), Fates: map[consent.Fate]int{}}}
	if !c.DryRun {
		if run.Import, err = r.people.Registry.StartImport(ctx, r.Store, filepath.Base(c.File), digest, c.as(wording), r.Actor, c.Again); err != nil {
			return unusableRow(err)
		}
	}
	return c.run(ctx, r, run, info.Size())
}

// as says how rows are read that do not say all themselves.
func (c *subscriberImportCmd) as(wording string) string {
	out := "by " + c.Medium
	if c.Channel != "" {
		out = consent.ParsePurpose(c.Channel).String() + " " + out
	}
	for _, x := range []struct{ name, value string }{{"source", c.Source}, {"wording", wording}, {"wording version", c.Version}} {
		if x.value != "" {
			sum := sha256.Sum256([]byte(x.value))
			out += fmt.Sprintf(", %s %s", x.name, hex.EncodeToString(sum[:4]))
		}
	}
	return out
}

// unusableRow says that it is the input that cannot be used.
func unusableRow(err error) error {
	if _, is := errors.AsType[*consent.RowError](err); is {
		return unusable("%w", err)
	}
	return desk.PersonError("", err)
}

func digestOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, f); err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", file, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// imported is what an import tells programs.
type imported struct {
	Import  int64                `json:"import"`
	File    string               `json:"file"`
	Rows    int64                `json:"rows"`
	Fates   map[consent.Fate]int `json:"fates"`
	New     int                  `json:"new_people"`
	Legacy  int                  `json:"windows_1252"`
	Unknown []string             `json:"unknown_columns"`
	// Errors are the first of them.
	Errors []string `json:"errors"`
	Dry    bool     `json:"dry_run"`
}

// mostRowErrors is how many rows that cannot be used are named; --report has all.
const mostRowErrors = 20

func (c *subscriberImportCmd) run(ctx context.Context, r *registrar, run *consent.ImportRun, size int64) (err error) {
	out := imported{Import: run.Import.ID, File: c.File, Unknown: append([]string{}, run.Reader.Unknown...), Errors: []string{}, Dry: c.DryRun}
	earlier := run.Import.Rows
	var report *fateReport
	if c.Report != "" {
		if report, err = newFateReport(c.Report); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, report.close()) }()
	}
	if earlier > 0 && !r.json {
		r.print("%s goes on after row %s", run.Import, desk.Thousands(int(earlier)))
	}
	bar := progress(r.std.err, "import", disk.Bytes)
	run.Progress = func(read int64) {
		if bar != nil {
			bar(min(read, size-1), size)
		}
	}
	run.Told = func(row consent.ImportRow, fate consent.Fate, problem error) error {
		if problem != nil && len(out.Errors) < mostRowErrors {
			out.Errors = append(out.Errors, problem.Error())
		}
		return report.add(row.Line, fate, problem)
	}
	err = r.people.Registry.RunImport(ctx, run)
	if bar != nil {
		bar(size, size)
	}
	out.Import, out.Rows, out.Fates, out.New, out.Legacy = run.Import.ID, run.Import.Rows, run.Import.Fates, run.Import.NewPersons, run.Reader.Windows1252()
	if r.json && err == nil {
		return writeJSON(r.std.out, out)
	}
	if err == nil || run.Import.Rows > 0 {
		r.printImported(run, out)
	}
	return err
}

func (r *registrar) printImported(run *consent.ImportRun, out imported) {
	for _, e := range out.Errors {
		fmt.Fprintln(r.std.err, desk.Plain(e))
	}
	if n := out.Fates[consent.FateError]; n > len(out.Errors) && len(out.Errors) > 0 {
		fmt.Fprintf(r.std.err, "and %s more; all of them: --report FILE\n", desk.Thousands(n-len(out.Errors)))
	}
	what := run.Import.String()
	if out.Dry {
		what = "dry run, nothing was changed"
	}
	r.print("%s: %s", what, count(int(out.Rows), "row"))
	t := newTable()
	for _, f := range consent.Fates() {
		if n := out.Fates[f.Fate]; n > 0 {
			t.add("  "+desk.Thousands(n), string(f.Fate), f.Sentence)
		}
	}
	t.write(r.std.out)
	if out.Legacy > 0 {
		r.print("  %s no UTF-8 and read as Windows-1252", beVerb(out.Legacy, "row was", "rows were"))
	}
	if len(out.Unknown) > 0 {
		r.print("  columns that mean nothing here: %s; known are %s", desk.Plain(strings.Join(out.Unknown, ", ")), strings.Join(consent.ImportColumns(), ", "))
	}
	if out.Dry {
		return
	}
	if run.Import.State == consent.ImportDone {
		r.print("  nobody was written to; to take it back: belfry subscriber import --revoke %d --reason TEXT", out.Import)
	} else {
		r.print("  it is not finished: give the same file again")
	}
}

// fateReport writes what became of each row.
type fateReport struct {
	f *os.File
	w *csv.Writer
}

func newFateReport(file string) (*fateReport, error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil, unusable("%s is there already; name another file for the report", file)
	}
	if err != nil {
		return nil, fmt.Errorf("the report cannot be made: %w", err)
	}
	r := &fateReport{f, csv.NewWriter(f)}
	return r, r.w.Write([]string{"line", "fate", "error"})
}

func (r *fateReport) add(line int, fate consent.Fate, problem error) error {
	if r == nil {
		return nil
	}
	text := ""
	if problem != nil {
		text = problem.Error()
	}
	if err := r.w.Write([]string{fmt.Sprint(line), string(fate), text}); err != nil {
		return fmt.Errorf("the report cannot be written: %w", err)
	}
	return nil
}

func (r *fateReport) close() error {
	r.w.Flush()
	if err := errors.Join(r.w.Error(), r.f.Close()); err != nil {
		return fmt.Errorf("the report cannot be written: %w", err)
	}
	return nil
}

func (c *subscriberImportCmd) revoke(ctx context.Context, g *global, std streams) error {
	r, err := g.openToImport(ctx, std)
	if err != nil {
		return err
	}
	defer r.close()
	ended, err := r.people.Registry.RevokeImport(ctx, r.Store, c.Revoke, r.Actor, strings.TrimSpace(c.Reason), nil)
	if errors.Is(err, consent.ErrNotFound) {
		return unusable("there is no import %d; see: belfry subscriber imports", c.Revoke)
	}
	if err != nil {
		return unusableRow(err)
	}
	if g.JSON {
		return writeJSON(std.out, map[string]any{"import": c.Revoke, "ended": ended})
	}
	r.print("import %d is revoked: %s ended; who has agreed by themselves since still follows", c.Revoke, count(ended, "consent"))
	return nil
}

type subscriberImportsCmd struct{}

// Help is the long help.
func (*subscriberImportsCmd) Help() string {
	return `Example:

    belfry subscriber imports

Exit codes: 0 listed, 1 there is no store. With --json a list of {import, file, at, by, rows, new_people, state, fates}.`
}

// importRow is an import.
type importRow struct {
	ID    int64                `json:"import"`
	File  string               `json:"file"`
	At    desk.Stamp           `json:"at"`
	By    string               `json:"by"`
	Rows  int64                `json:"rows"`
	New   int                  `json:"new_people"`
	State string               `json:"state"`
	Fates map[consent.Fate]int `json:"fates"`
}

// Run lists imports.
func (c *subscriberImportsCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	list, err := d.Store.Imports(ctx)
	if err != nil {
		return err
	}
	out := []importRow{}
	t := newTable("IMPORT", "FILE", "WHEN", "ROWS", "CONSENTS", "WAITING", "STATE")
	for _, i := range list {
		out = append(out, importRow{i.ID, i.Name, desk.Stamp{Time: i.At}, i.Actor, i.Rows, i.NewPersons, string(i.State), i.Fates})
		t.add(fmt.Sprint(i.ID), clip(i.Name, 40), d.At(i.At), desk.Thousands(int(i.Rows)), desk.Thousands(i.Fates[consent.FateGranted]), desk.Thousands(i.Fates[consent.FatePending]), string(i.State))
	}
	if g.JSON {
		return writeJSON(std.out, out)
	}
	if len(out) == 0 {
		d.print("nothing was imported")
		return nil
	}
	t.write(std.out)
	return nil
}
