package consent

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// An import never sends anything, and never brings anybody back. A row with evidence makes a grant active; one that says that the
// person left keeps that so; any other waits until the person comes by themselves. Whoever left, or must not be written to, stays as they are, whatever the row says
// (promise 2 of the design).

// ImportRow is one row of a file, checked by itself.
type ImportRow struct {
	// Line is where the row begins in its file.
	Line int
	// Medium and Address: the address as it was typed, its form for use, and the one that is compared.
	Medium, Address string
	use, compare    string
	Purpose         Purpose
	Preferences     Preferences
	Habits          Habits
	// External is the reference by which notices name the person; empty for none.
	External string
	// Evidence that is complete makes the grant active (see ImportRow.Proven).
	Evidence Evidence
	// Left is when the person left it, where they were before; zero for who has not. Such a row begins nothing: it keeps every
	// other from beginning it.
	Left time.Time
}

// Proven says whether the row shows when and how the person agreed, and to which words.
func (r ImportRow) Proven() bool { return r.Evidence.proves() }

func (e Evidence) proves() bool {
	return !e.At.IsZero() && e.Note != "" && (e.Wording != "" || e.Version != "")
}

// Check brings the address into its form. Its error has CodeInvalid.
func (r *ImportRow) Check(normalize func(medium, address string) (use, compare string, err error)) (err error) {
	r.use, r.compare, err = normalize(r.Medium, r.Address)
	return err
}

// Fate is what became of a row.
type Fate string

// The fates. They stand in reports: the list is append-only.
const (
	FateGranted    Fate = "granted"     // an active grant was made of it
	FatePending    Fate = "pending"     // without evidence: it waits for the person
	FateFollows    Fate = "follows"     // the person follows already; what they chose since stays
	FateWaits      Fate = "waits"       // it waited for the person before, and still does
	FateLeft       Fate = "left"        // the person left, here or as the row says; only they can come back
	FateEnded      Fate = "ended"       // the consent ended after the time that the row shows
	FateSuppressed Fate = "suppressed"  // the address must not be written to
	FateOther      Fate = "other"       // the external reference belongs to another person
	FateError      Fate = "error"       // the row cannot be used
	FateEarlier    Fate = "earlier_run" // a run before this one took care of it
)

// Fates lists them with what they mean, in the order of a summary.
func Fates() []struct {
	Fate     Fate
	Sentence string
} {
	return []struct {
		Fate     Fate
		Sentence string
	}{
		{FateGranted, "with evidence: they follow now"},
		{FatePending, "without evidence: nobody is written to until the person comes by themselves"},
		{FateFollows, "follow already, and what they chose stays"},
		{FateWaits, "waited for the person before, and still do"},
		{FateLeft, "left: only they can come back"},
		{FateEnded, "ended after the time that the row shows"},
		{FateSuppressed, "must not be written to: complaint, dead address, or by their own wish"},
		{FateOther, "carry the external reference of another person"},
		{FateError, "cannot be used"},
		{FateEarlier, "were taken care of by the run before"},
	}
}

// Import is one file that was, or is being, imported.
type Import struct {
	ID         int64
	Name       string
	SHA256     string
	Actor      string
	At         time.Time
	Rows       int64 // that are done
	Fates      map[Fate]int
	State      ImportState
	NewPersons int
	// As says what else the rows were made by, such as "channel alertes by email": who goes on must do the same.
	As string
}

// ImportState of an import.
type ImportState string

// The states of an import.
const (
	ImportOpen    ImportState = "open"
	ImportDone    ImportState = "done"
	ImportRevoked ImportState = "revoked"
)

// PersonAt is a person whom an address reaches.
type PersonAt struct {
	Hash   string
	Person PersonID
	Ref    string
	Key    Sealed
}

// NewPerson is somebody whom an import makes, with everything that is theirs. Person is filled in by the store.
type NewPerson struct {
	Subscriber
	Key     Sealed
	Address Address
	Grants  []Grant
	Events  []LedgerEvent
}

// ImportTx is a Tx that reads and writes many people at once.
type ImportTx interface {
	Tx
	// PeopleAt finds whom addresses of a medium reach, by their hashes; those who were erased are left out.
	PeopleAt(medium string, hashes []string) ([]PersonAt, error)
	SuppressedAt(medium string, hashes []string) (map[string][]Suppression, error)
	GrantsOf(people []PersonID) ([]Grant, error)
	// ByExternals finds who has external references, by their hashes.
	ByExternals(hashes []string) (map[string]PersonID, error)
	// AddPeople adds people, and fills in their numbers.
	AddPeople(people []NewPerson) error
	Import(id int64) (Import, error)
	PutImport(i Import) error
	// ImportEvents gives events of EventImported that were recorded since a time and are newer than an id, the oldest first.
	ImportEvents(since time.Time, after int64, most int) ([]LedgerEvent, error)
}

// ImportStore keeps imports. Everything that an Importing function does happens in one transaction, or not at all.
type ImportStore interface {
	Importing(ctx context.Context, do func(ImportTx) error) error
	// ImportOf finds the newest import of a file by its SHA-256; ErrNotFound when there is none.
	ImportOf(ctx context.Context, sha256 string) (Import, error)
	NewImport(ctx context.Context, i Import) (int64, error)
	Imports(ctx context.Context) ([]Import, error)
}

// prepared is a row with what does not need the store: its hash, and what is sealed for somebody new.
type prepared struct {
	ImportRow
	hash, external string
	fate           Fate
	err            error
	fresh          NewPerson
	key            personKey
}

// imported is what an event about an imported grant holds.
type imported struct {
	change
	Import int64 `json:"import"`
	Line   int   `json:"line"`
	State  State `json:"state"`
}

// ImportRows are some rows of a file, in their order, made ready outside of any transaction.
type ImportRows struct{ rows []prepared }

// Rejected makes a row that cannot be used.
func Rejected(line int) ImportRow { return ImportRow{Line: line} }

// Prepare seals what rows need, on all processors. Rows that were Rejected stay as they are.
func (r *Registry) Prepare(importID int64, rows []ImportRow) ImportRows {
	out := make([]prepared, len(rows))
	now, base := r.now(), newRef()
	parts := runtime.GOMAXPROCS(0)
	size := (len(rows) + parts - 1) / parts
	var wg sync.WaitGroup
	for from := 0; from < len(rows); from += size {
		wg.Go(func() {
			for i := from; i < min(from+size, len(rows)); i++ {
				out[i] = r.prepare(importID, rows[i], refAfter(base, i), now)
			}
		})
	}
	wg.Wait()
	return ImportRows{out}
}

// refAfter makes references that stand beside each other in an index: the first half is random, the second counts from a
// random number.
func refAfter(base string, i int) string {
	const half = 10
	const letters = "0123456789abcdefghjkmnpqrstvwxyz"
	b := []byte(base)
	n := i
	for at := len(b) - 1; at >= half && n > 0; at-- {
		n += slices.Index([]byte(letters), b[at])
		b[at] = letters[n%32]
		n /= 32
	}
	return string(b)
}

func (r *Registry) prepare(importID int64, row ImportRow, ref string, now time.Time) prepared {
	p := prepared{ImportRow: row}
	if row.compare == "" {
		p.fate = FateError
		return p
	}
	p.hash = r.s.Keys.Hash(row.Medium, row.compare)
	if row.External != "" {
		p.external = r.s.Keys.Hash("reference", row.External) // as SetReference does
	}
	p.Evidence = trimmed(p.Evidence, now)
	p.Evidence.Method, p.Evidence.Actor = ByImport, Importer
	if !row.Left.IsZero() { // nobody is made of it
		p.Evidence.At = row.Left
		return p
	}
	state, since := Pending, time.Time{}
	if row.Proven() {
		state, since = Active, now
	} else {
		p.Evidence.At = row.Evidence.At
	}
	var key Sealed
	p.key, key = r.s.Keys.newPersonKey(ref)
	p.fresh = NewPerson{Subscriber: Subscriber{Ref: ref, External: p.external, Habits: row.Habits, Created: now, Import: importID}, Key: key,
		Address: Address{Medium: row.Medium, Hash: p.hash, Sealed: p.key.seal("address "+row.Medium, []byte(row.use)), Created: now},
		Grants:  []Grant{{Purpose: row.Purpose, Medium: row.Medium, State: state, Since: since, Changed: now, Version: 1, Preferences: row.Preferences}}}
	var habits *Habits
	if row.Habits != (Habits{Lang: row.Habits.Lang, Zone: row.Habits.Zone}) {
		habits = &row.Habits
	}
	event, err := p.event(p.key, importID, state, "", now, habits)
	p.fresh.Events, p.err = []LedgerEvent{event}, err
	return p
}

// event tells of the grant that a row makes, and of the habits that become the person's with it: only somebody new has them from
// a file.
func (p *prepared) event(key personKey, importID int64, state, was State, now time.Time, habits *Habits) (LedgerEvent, error) {
	c := change{Purpose: p.Purpose, Medium: p.Medium, Evidence: p.Evidence, Was: was, Preferences: &p.Preferences, Habits: habits}
	text, err := json.Marshal(imported{c, importID, p.Line, state})
	return LedgerEvent{At: now, Recorded: now, Kind: EventImported, Data: key.seal("event "+EventImported, text)}, err
}

// errDry undoes what a dry run did.
var errDry = errors.New("nothing is written in a dry run")

// ErrImportMoved says that another run worked on the same import meanwhile.
var ErrImportMoved = errors.New("another run imports the same file at this moment; look at it with: belfry subscriber imports")

// Import does one chunk in one transaction: rows that follow the ones that are done. It gives the fate of each. A dry run
// does the same and undoes it.
func (r *Registry) Import(ctx context.Context, store ImportStore, i *Import, chunk ImportRows, dry bool) ([]Fate, error) {
	for _, p := range chunk.rows {
		if p.err != nil {
			return nil, p.err
		}
	}
	var fates []Fate
	next := *i
	err := store.Importing(ctx, func(tx ImportTx) error {
		w := importing{tx: tx, r: r, keys: r.s.Keys, id: i.ID, now: r.now(), fates: make([]Fate, len(chunk.rows))}
		if !dry {
			have, err := tx.Import(i.ID)
			if err != nil {
				return err
			}
			if have.Rows != i.Rows || have.State != ImportOpen {
				return ErrImportMoved
			}
		}
		if err := w.run(chunk.rows); err != nil {
			return err
		}
		fates = w.fates
		next.Rows, next.Fates, next.NewPersons = i.Rows+int64(len(fates)), map[Fate]int{}, i.NewPersons+len(w.people)
		maps.Copy(next.Fates, i.Fates)
		for _, f := range fates {
			next.Fates[f]++
		}
		if dry {
			return errDry
		}
		if err := r.enter(tx, w.gone...); err != nil {
			return err
		}
		return tx.PutImport(next)
	})
	if err != nil && !(dry && errors.Is(err, errDry)) {
		return nil, err
	}
	*i = next
	if !dry && slices.Contains(fates, FateGranted) {
		r.s.Changed()
	}
	return fates, nil
}

// FinishImport notes that all rows of a file are done.
func (r *Registry) FinishImport(ctx context.Context, store ImportStore, i *Import) error {
	i.State = ImportDone
	return store.Importing(ctx, func(tx ImportTx) error { return tx.PutImport(*i) })
}

// StartImport begins an import of a file, or goes on with one that stopped. A finished one is begun anew only with again.
func (r *Registry) StartImport(ctx context.Context, store ImportStore, name, sha256, as, actor string, again bool) (*Import, error) {
	have, err := store.ImportOf(ctx, sha256)
	found, err := lookedUp(err)
	switch {
	case err != nil:
		return nil, err
	case found && have.State == ImportOpen && have.As != as:
		return nil, sdk.Errorf(sdk.CodeInvalid, "import", "%s is import %d, which is not finished and was begun as %s; finish it in the same way, or take it back with: belfry subscriber import --revoke %d",
			name, have.ID, have.As, have.ID)
	case found && have.State == ImportOpen:
		return &have, nil
	case found && !again:
		return nil, sdk.Errorf(sdk.CodeInvalid, "import", "%s is import %d (%s, %s) already; to do it once more add --again", name, have.ID, have.Name, have.State)
	}
	i := &Import{Name: name, SHA256: sha256, Actor: actor, At: r.now(), Fates: map[Fate]int{}, State: ImportOpen, As: as}
	i.ID, err = store.NewImport(ctx, *i)
	return i, err
}

// String names an import.
func (i Import) String() string { return "import " + strconv.FormatInt(i.ID, 10) + " (" + i.Name + ")" }
