package store

import (
	"cmp"
	"context"
	"database/sql"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

var (
	_ consent.ImportStore = (*DB)(nil)
	_ consent.ImportTx    = people{}
)

// Importing implements consent.ImportStore.
func (db *DB) Importing(ctx context.Context, do func(consent.ImportTx) error) error {
	return db.Write(ctx, func(tx *Tx) error { return do(people{tx}) })
}

const importColumns = `id, name, sha256, actor, at, rows_done, summary, state`

// importSummary is what the column summary holds.
type importSummary struct {
	Fates  map[consent.Fate]int `json:"fates"`
	People int                  `json:"people"`
	As     string               `json:"as"`
}

func scanImport(r scanner) (i consent.Import, err error) {
	var at int64
	var text string
	if err := r.Scan(&i.ID, &i.Name, &i.SHA256, &i.Actor, &at, &i.Rows, &text, &i.State); err != nil {
		return i, missing(err)
	}
	s := importSummary{Fates: map[consent.Fate]int{}}
	err = decode(text, &s)
	i.At, i.Fates, i.NewPersons, i.As = timeOf(at), s.Fates, s.People, s.As
	return i, err
}

// ImportOf implements consent.ImportStore.
func (db *DB) ImportOf(ctx context.Context, sha256 string) (consent.Import, error) {
	return scanImport(db.queryRow(ctx, `SELECT `+importColumns+` FROM imports WHERE sha256 = $1 ORDER BY id DESC LIMIT 1`, sha256))
}

// Imports implements consent.ImportStore.
func (db *DB) Imports(ctx context.Context) (out []consent.Import, err error) {
	err = db.query(ctx, func(r scanner) error {
		i, err := scanImport(r)
		out = append(out, i)
		return err
	}, `SELECT `+importColumns+` FROM imports ORDER BY id DESC`)
	return out, err
}

// NewImport implements consent.ImportStore.
func (db *DB) NewImport(ctx context.Context, i consent.Import) (id int64, err error) {
	text, err := encode(importSummary{i.Fates, i.NewPersons, i.As})
	if err != nil {
		return 0, err
	}
	err = db.Write(ctx, func(tx *Tx) error {
		id, _, err = tx.insert(`INSERT INTO imports (name, sha256, actor, at, summary) VALUES ($1, $2, $3, $4, $5) RETURNING id`, i.Name, i.SHA256, i.Actor, micros(i.At), text)
		if err != nil {
			return err
		}
		return tx.act(i.Actor, "import", i.Name, i.At)
	})
	return id, err
}

func (p people) Import(id int64) (consent.Import, error) {
	return scanImport(p.tx.row(`SELECT `+importColumns+` FROM imports WHERE id = $1`, id))
}

func (p people) PutImport(i consent.Import) error {
	text, err := encode(importSummary{i.Fates, i.NewPersons, i.As})
	if err != nil {
		return err
	}
	return p.tx.run(`UPDATE imports SET rows_done = $2, summary = $3, state = $4 WHERE id = $1`, i.ID, i.Rows, text, i.State)
}

func (p people) PeopleAt(medium string, hashes []string) (out []consent.PersonAt, err error) {
	err = p.tx.rows(func(r scanner) error {
		var at consent.PersonAt
		var master sql.NullString
		err := r.Scan(&at.Hash, &at.Person, &at.Ref, &master, &at.Key.Data)
		at.Key.Master = master.String
		out = append(out, at)
		return err
	}, `SELECT a.hash, a.person, s.ref, k.master, k.sealed FROM addresses a JOIN subscribers s ON s.id = a.person LEFT JOIN person_keys k ON k.person = a.person
		WHERE a.medium = $1 AND a.hash IN @list($2) AND s.erased_at = 0`, medium, jsonList(hashes))
	return out, err
}

func (p people) SuppressedAt(medium string, hashes []string) (map[string][]consent.Suppression, error) {
	out := map[string][]consent.Suppression{}
	err := p.tx.rows(func(r scanner) error {
		s := consent.Suppression{Medium: medium}
		var at int64
		err := r.Scan(&s.Hash, &s.Scope, &s.Purpose, &s.Reason, &at)
		s.At = timeOf(at)
		out[s.Hash] = append(out[s.Hash], s)
		return err
	}, `SELECT hash, scope, name, reason, at FROM suppressions WHERE medium = $1 AND hash IN @list($2)`, medium, jsonList(hashes))
	return out, err
}

func (p people) GrantsOf(list []consent.PersonID) (out []consent.Grant, err error) {
	err = p.tx.rows(func(r scanner) error {
		g, err := scanGrant(r)
		out = append(out, g)
		return err
	}, `SELECT `+grantColumns+` FROM grants WHERE person IN @list($1) ORDER BY id`, jsonList(list))
	return out, err
}

func (p people) ByExternals(hashes []string) (map[string]consent.PersonID, error) {
	out := map[string]consent.PersonID{}
	err := p.tx.rows(func(r scanner) error {
		var hash string
		var id consent.PersonID
		err := r.Scan(&hash, &id)
		out[hash] = id
		return err
	}, `SELECT external, id FROM subscribers WHERE external <> '' AND external IN @list($1)`, jsonList(hashes))
	return out, err
}

func (p people) ImportEvents(since time.Time, after int64, most int) (out []consent.LedgerEvent, err error) {
	err = p.tx.rows(func(r scanner) error {
		e := consent.LedgerEvent{}
		var at, recorded int64
		err := r.Scan(&e.ID, &at, &recorded, &e.Person, &e.Kind, &e.Data)
		e.At, e.Recorded = timeOf(at), timeOf(recorded)
		out = append(out, e)
		return err
	}, `SELECT id, at, recorded, person, kind, data FROM ledger_events WHERE id > $1 AND kind = $2 AND recorded >= $3 AND person > 0 ORDER BY id LIMIT $4`,
		after, consent.EventImported, micros(since), most)
	return out, err
}

// AddPeople implements consent.ImportTx.
func (p people) AddPeople(list []consent.NewPerson) error {
	if len(list) == 0 {
		return nil
	}
	var first int64
	if err := p.tx.row(`SELECT coalesce(max(id), 0) + 1 FROM subscribers`).Scan(&first); err != nil {
		return err
	}
	grants, events := 0, 0
	for i := range list {
		n := &list[i]
		n.ID = consent.PersonID(first + int64(i))
		grants, events = grants+len(n.Grants), events+len(n.Events)
	}
	if err := p.tx.insertRows(`subscribers (id, ref, external, lang, zone, quiet_from, quiet_until, paused_until, per_day, created_at, import)`, 11, len(list), func(row []any, i int) []any {
		n := &list[i]
		h := &n.Habits
		return append(row, int64(n.ID), n.Ref, n.External, h.Lang, h.Zone, h.QuietFrom, h.QuietUntil, micros(h.PausedUntil), h.PerDay, micros(n.Created), n.Import)
	}); err != nil {
		return err
	}
	if err := p.tx.insertRows(`person_keys (person, master, sealed)`, 3, len(list), func(row []any, i int) []any {
		n := &list[i]
		return append(row, int64(n.ID), n.Key.Master, n.Key.Data)
	}); err != nil {
		return err
	}
	// Addresses one by one: their hashes are all over the index, and a statement for several keeps a copy of each page that
	// it changes, in case that it has to undo itself.
	for i := range list {
		n := &list[i]
		a := n.Address
		if err := p.tx.run(`INSERT INTO addresses (person, medium, hash, sealed, created_at) VALUES ($1, $2, $3, $4, $5)`, int64(n.ID), a.Medium, a.Hash, a.Sealed, micros(a.Created)); err != nil {
			return err
		}
	}
	who, at := 0, -1
	next := func(of func(*consent.NewPerson) int) *consent.NewPerson { // of the one after the last, in the order of the people
		for at++; at >= of(&list[who]); at = 0 {
			who++
		}
		return &list[who]
	}
	if err := p.tx.insertRows(`grants (person, kind, name, medium, state, mode, slots, topics, languages, breaking, since, changed_at, covered)`, 13, grants, func(row []any, _ int) []any {
		n := next(func(n *consent.NewPerson) int { return len(n.Grants) })
		g := &n.Grants[at]
		c, since := g.Preferences, micros(g.Since)
		return append(row, int64(n.ID), string(g.Purpose.Kind), g.Purpose.Name, g.Medium, string(g.State), string(cmp.Or(c.Mode, consent.Instant)),
			jsonList(c.Slots), jsonList(c.Topics), jsonList(c.Languages), c.Breaking, since, micros(g.Changed), since)
	}); err != nil {
		return err
	}
	who, at = 0, -1
	return p.tx.insertRows(`ledger_events (at, recorded, person, kind, data)`, 5, events, func(row []any, _ int) []any {
		n := next(func(n *consent.NewPerson) int { return len(n.Events) })
		e := &n.Events[at]
		return append(row, micros(e.At), micros(e.Recorded), int64(n.ID), e.Kind, e.Data)
	})
}

func (p people) MoveGrant(id int64, to consent.PersonID) error {
	// Who came with an import that nobody has released stays one of its audience.
	if err := p.tx.run(`UPDATE subscribers SET import = (SELECT s.import FROM grants g JOIN subscribers s ON s.id = g.person WHERE g.id = $1) WHERE id = $2
		AND import NOT IN (SELECT id FROM imports WHERE released = 0)
		AND EXISTS (SELECT 1 FROM grants g JOIN subscribers s ON s.id = g.person JOIN imports i ON i.id = s.import WHERE g.id = $1 AND i.released = 0)`, id, to); err != nil {
		return err
	}
	return p.tx.run(`UPDATE grants SET person = $2 WHERE id = $1`, id, to)
}
