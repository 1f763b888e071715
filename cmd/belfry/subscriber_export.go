package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/mattn/go-isatty"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk"
)

type subscriberExportCmd struct {
	Person  string `arg:"" optional:"" help:"What commands call the person, or - for an address on standard input."`
	All     bool   `help:"Instead of one person: everybody, as CSV."`
	Channel string `placeholder:"NAME" help:"Instead of one person: who has to do with this channel, as CSV."`
	State   string `placeholder:"STATE" default:"" enum:"active,pending,withdrawn,expired," help:"With --all or --channel: only consents in this state."`
	Medium  string `default:"email" placeholder:"NAME" help:"With -: what kind of address it is."`
	HTML    bool   `name:"html" help:"Of one person: a page that can be read without a program, in their language."`
	To      string `placeholder:"FILE" help:"Write it to this new file, which only you can read, instead of printing it."`
	Reason  string `required:"" placeholder:"TEXT" help:"Why, for the record: each look at a person is an event of the ledger."`
}

// Help is the long help.
func (*subscriberExportCmd) Help() string {
	return `Of one person, everything that is kept about them, to be given to them: see belfry consent export, which does the same.

With --all or --channel, the people as a CSV file that belfry subscriber import takes back, here or in another Belfry: one line
for each consent, with address, medium, channel, and everything that was chosen: language, zone, quiet hours, a pause, the most
messages a day; when and how messages come, topics, languages, leave for breaking news. An active one has when, how and to which
words the person agreed, so that it is active there too; one that was left has left_at, so that no import begins it again, and
whoever left all of a medium, complained or came back has a line of channel *; one that waits has neither, and waits there.

What the file does not hold: what your own system calls people, of which only a hash is kept (write it into a column external, for
notices); that two addresses are one person, who becomes two there until belfry subscriber merge makes them one again; and those who
are only a hash themselves, because they were erased, or an import said that they had left: give such an import there too, and nothing
that is older than this file. Links in messages that were sent lead to this Belfry: keep it running, without sources, for as long as
people may use them.

The file holds addresses. Each person has the export in their record, with its reason, before their line is written; nothing is
printed on a terminal.

Examples:

    belfry subscriber export 4f0xk2c9m7qz1a3b --html --to lea.html --reason "asked by mail on 20 November"
    belfry subscriber export --all --to people.csv --reason "we move to another machine"
    belfry subscriber export --channel alertes --state active --to alertes.csv --reason "audit of the consents, 2026"

Exit codes: 0 exported, 1 nobody is called that, or it could not be written, 2 the command line cannot be used. With --json and --to,
of many: {file, people, rows}.`
}

// Run exports one person or all.
func (c *subscriberExportCmd) Run(ctx context.Context, g *global, std streams) error {
	many := c.All || c.Channel != "" || c.State != ""
	switch {
	case strings.TrimSpace(c.Reason) == "":
		return unusable("--reason is empty; say why people are exported")
	case many && c.Person != "":
		return unusable("name either a person, or who with --all, --channel and --state")
	case !many && c.Person == "":
		return unusable("name a person, or export everybody with --all; see: belfry subscriber list")
	case many && c.HTML:
		return unusable("--html is of one person; many are exported as CSV")
	case !many:
		one := consentExportCmd{person: person{Person: c.Person, Medium: c.Medium, Reason: c.Reason}, HTML: c.HTML, To: c.To}
		return one.Run(ctx, g, std)
	case c.To == "" && g.JSON:
		return unusable("--json tells what was written to a file; name it with --to")
	case c.To == "" && onScreen(std.out):
		return unusable("the addresses of many people belong on no screen; name a new file with --to")
	}
	r, err := g.openPeople(ctx, std)
	if err != nil {
		return err
	}
	defer r.close()
	out, end := std.out, func(bool) error { return nil }
	if c.To != "" {
		f, err := newPrivate(c.To, "nothing is written over")
		if err != nil {
			return err
		}
		out, end = f, func(whole bool) error { return closeWhole(f, whole) }
	}
	people, rows, err := c.write(ctx, r, out)
	if err := errors.Join(err, end(err == nil)); err != nil {
		return err
	}
	switch {
	case g.JSON:
		return writeJSON(std.out, map[string]any{"file": c.To, "people": people, "rows": rows})
	case c.To != "":
		who := "1 person"
		if people != 1 {
			who = desk.Thousands(people) + " people"
		}
		r.print("%s of %s: %s", count(rows, "line"), who, c.To)
		r.print("  it holds addresses, and how they were given: keep it like the key of people, and delete it when it is used")
	}
	return nil
}

func (c *subscriberExportCmd) write(ctx context.Context, r *registrar, to io.Writer) (people, rows int, err error) {
	w := csv.NewWriter(to)
	if err := w.Write(consent.ExportColumns()); err != nil {
		return 0, 0, err
	}
	people, err = r.people.ExportAll(ctx, desk.SubscriberFilter{Channel: c.Channel, State: c.State}, strings.TrimSpace(c.Reason), progress(r.std.err, "export", ofPeople), func(row []string) error {
		rows++
		return w.Write(row)
	})
	w.Flush()
	return people, rows, errors.Join(err, w.Error())
}

// onScreen reports whether somebody reads what is printed.
func onScreen(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}

// newPrivate makes a file that only its owner can read; lost says why one that is there is left alone.
func newPrivate(file, lost string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil, unusable("%s is there already, and %s; name another file", file, lost)
	}
	if err != nil {
		return nil, fmt.Errorf("the file cannot be made: %w", err)
	}
	return f, nil
}

// closeWhole closes a file; one that is not whole goes.
func closeWhole(f *os.File, whole bool) error {
	err := errors.Join(f.Sync(), f.Close())
	if err != nil || !whole {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", f.Name(), err)
	}
	return nil
}
