package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
)

// registrar is a clerk who may open what belongs to people.
type registrar struct {
	*clerk
	people  *desk.People
	journal *consent.Journal
}

// openPeople opens the store with the keys of its people. It writes: each look is recorded.
func (g *global) openPeople(ctx context.Context, std streams) (*registrar, error) {
	return g.peopleOf(ctx, std, nil)
}

// openToImport is openPeople for very many rows.
func (g *global) openToImport(ctx context.Context, std streams) (*registrar, error) {
	return g.peopleOf(ctx, std, sqlite.OpenToImport)
}

func (g *global) peopleOf(ctx context.Context, std streams, open func(context.Context, string) (*store.DB, error)) (*registrar, error) {
	if _, err := g.load(); err != nil {
		return nil, err // the keys stand in no other place
	}
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return nil, err
	}
	if open != nil {
		d.close()
		if d.Store, err = open(ctx, app.Database(d.Config)); err != nil {
			return nil, err
		}
	}
	r := &registrar{clerk: d}
	if err := r.open(ctx); err != nil {
		r.close()
		return nil, err
	}
	return r, nil
}

func (r *registrar) open(ctx context.Context) error {
	if err := needsKey(r.Config); err != nil {
		return err
	}
	keys, err := app.OpenKeys(ctx, r.Store, r.Config)
	if err != nil {
		return err
	}
	rules, err := app.NewAddressRules(ctx, r.Store, func() *configs.Loaded { return r.Config })
	if err != nil {
		return err
	}
	if r.journal, err = consent.OpenJournal(filepath.Join(r.Dir, consent.JournalName)); err != nil {
		return err
	}
	r.people = &desk.People{Desk: r.Desk, Keys: keys, Registry: consent.New(consent.Settings{Store: r.Store, Keys: keys, Journal: r.journal,
		Offers: func() []consent.Offer { return app.Offers(r.Config) }, Rule: rules.Of,
		BackupsFor: r.Config.Privacy.Backups.Std(), Notifies: func(source string) bool { return app.Notifies(r.Config, source) }})}
	// A database that was just restored may know somebody as a reader who has left since.
	if _, err := r.people.Registry.Replay(ctx); err != nil && !errors.Is(err, consent.ErrJournalMissing) {
		return err
	}
	return nil
}

// needsKey refuses a configuration without the key of people.
func needsKey(l *configs.Loaded) error {
	if l.Privacy.Key.Empty() {
		return errors.New("no key of people is configured: make one with belfry keys new people.key, and write privacy: {key: \"${file:people.key}\"}")
	}
	return nil
}

func (r *registrar) close() {
	if r.journal != nil {
		_ = r.journal.Close()
	}
	r.clerk.close()
}

// person is who a command is about.
type person struct {
	Person string `arg:"" help:"What commands call the person, or - for an address on standard input."`
	Medium string `default:"email" placeholder:"NAME" help:"With -: what kind of address it is."`
	Reason string `required:"" placeholder:"TEXT" help:"Why, for the record: each look at a person is an event of the ledger."`
}

// ref gives the reference of the person. An address stands on no command line, where others of the machine would see it.
func (p *person) ref(ctx context.Context, r *registrar, std streams) (string, error) {
	if strings.TrimSpace(p.Reason) == "" {
		return "", unusable("--reason is empty; say why the person's record is looked at")
	}
	if strings.Contains(p.Person, "@") {
		return "", unusable("an address on the command line can be seen by others of this machine, and stays in the shell's history; write - and give it on standard input")
	}
	if p.Person != "-" {
		return strings.ToLower(p.Person), nil
	}
	line, err := bufio.NewReader(io.LimitReader(std.in, 4096)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if strings.TrimSpace(line) == "" {
		return "", unusable("there is no address on standard input")
	}
	return r.people.RefOf(ctx, p.Medium, line)
}

// with opens the store and does something about the person.
func (p *person) with(ctx context.Context, g *global, std streams, do func(r *registrar, ref string) error) error {
	r, err := g.openPeople(ctx, std)
	if err != nil {
		return err
	}
	defer r.close()
	ref, err := p.ref(ctx, r, std)
	if err != nil {
		return err
	}
	return do(r, ref)
}

// confirmed asks for a word to be typed before something that cannot be undone.
func confirmed(std streams, yes bool, word, question string) error {
	if yes {
		return nil
	}
	fmt.Fprintf(std.err, "%s\nType %s to go on: ", question, word)
	line, err := bufio.NewReader(io.LimitReader(std.in, 4096)).ReadString('\n')
	fmt.Fprintln(std.err)
	if strings.TrimSpace(line) != word {
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		return errors.New("nothing was changed; to go on without being asked add --yes")
	}
	return nil
}

// copiesBeside lists the older copies of the store that lie beside it.
func (r *registrar) copiesBeside() ([]string, error) {
	list, err := sqlite.Copies(filepath.Join(r.Dir, sqlite.FileName))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return list, err
}
