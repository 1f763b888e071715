package store

import (
	"context"
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

var _ consent.Store = (*DB)(nil)

// People implements consent.Store.
func (db *DB) People(ctx context.Context, do func(consent.Tx) error) error {
	return db.Write(ctx, func(tx *Tx) error { return do(people{tx}) })
}

// sealedSecret begins the names in meta of secrets of people's side, which the master key seals.
const sealedSecret = "sealed."

// Pepper implements consent.KeyStore.
func (db *DB) Pepper(ctx context.Context) (consent.Sealed, bool, error) {
	return db.SealedSecret(ctx, "pepper")
}

// SetPepper implements consent.KeyStore.
func (db *DB) SetPepper(ctx context.Context, s consent.Sealed, was string) error {
	return db.SetSealedSecret(ctx, "pepper", s, was)
}

// SealedSecret implements consent.KeyStore.
func (db *DB) SealedSecret(ctx context.Context, name string) (s consent.Sealed, found bool, err error) {
	text := ""
	err = notFound(db.queryRow(ctx, `SELECT value FROM meta WHERE name = $1`, sealedSecret+name).Scan(&text))
	if errors.Is(err, ErrNotFound) {
		return s, false, nil
	}
	if err == nil {
		err = decode(text, &s)
	}
	return s, err == nil, err
}

// SetSealedSecret implements consent.KeyStore.
func (db *DB) SetSealedSecret(ctx context.Context, name string, s consent.Sealed, was string) error {
	text, err := encode(s)
	if err != nil {
		return err
	}
	return db.Write(ctx, func(tx *Tx) error {
		if was == "" {
			return tx.run(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, sealedSecret+name, text)
		}
		return tx.run(`UPDATE meta SET value = $2 WHERE name = $1 AND json_extract(value, '$.Master') = $3`, sealedSecret+name, text, was)
	})
}

// Masters implements consent.KeyStore.
func (db *DB) Masters(ctx context.Context) (out []string, err error) {
	err = db.query(ctx, func(r scanner) error {
		id := ""
		err := r.Scan(&id)
		out = append(out, id)
		return err
	}, `WITH RECURSIVE used (id) AS (SELECT min(master) FROM person_keys
			UNION ALL SELECT (SELECT min(master) FROM person_keys WHERE master > used.id) FROM used WHERE used.id IS NOT NULL)
		SELECT id FROM used WHERE id IS NOT NULL`)
	return out, err
}

// people are the rows of people in the open transaction.
type people struct{ tx *Tx }

// missing turns the absence of a row into what consent calls it.
func missing(err error) error {
	if errors.Is(notFound(err), ErrNotFound) {
		return consent.ErrNotFound
	}
	return err
}

const subscriberColumns = `id, ref, external, lang, zone, quiet_from, quiet_until, paused_until, per_day, created_at, signal_at, asked_at, erased_at, import`

func scanSubscriber(r scanner) (s consent.Subscriber, err error) {
	var paused, created, signal, asked, erased int64
	err = r.Scan(&s.ID, &s.Ref, &s.External, &s.Habits.Lang, &s.Habits.Zone, &s.Habits.QuietFrom, &s.Habits.QuietUntil, &paused, &s.Habits.PerDay,
		&created, &signal, &asked, &erased, &s.Import)
	s.Habits.PausedUntil, s.Created, s.Signal, s.Asked, s.Erased = timeOf(paused), timeOf(created), timeOf(signal), timeOf(asked), timeOf(erased)
	return s, missing(err)
}

func (p people) Subscriber(id consent.PersonID) (consent.Subscriber, error) {
	return scanSubscriber(p.tx.row(`SELECT `+subscriberColumns+` FROM subscribers WHERE id = $1`, id))
}

func (p people) SubscriberByRef(ref string) (consent.Subscriber, error) {
	return scanSubscriber(p.tx.row(`SELECT `+subscriberColumns+` FROM subscribers WHERE ref = $1`, ref))
}

func (p people) SubscriberByExternal(hash string) (consent.Subscriber, error) {
	if hash == "" {
		return consent.Subscriber{}, consent.ErrNotFound
	}
	return scanSubscriber(p.tx.row(`SELECT `+subscriberColumns+` FROM subscribers WHERE external = $1 AND external <> ''`, hash))
}

func (p people) SubscriberByAddress(medium, hash string) (consent.Subscriber, error) {
	return scanSubscriber(p.tx.row(`SELECT `+subscriberColumns+` FROM subscribers
		WHERE id = (SELECT person FROM addresses WHERE medium = $1 AND hash = $2)`, medium, hash))
}

func (p people) AddSubscriber(s consent.Subscriber) (consent.PersonID, error) {
	h := s.Habits
	id, _, err := p.tx.insert(`INSERT INTO subscribers (ref, external, lang, zone, quiet_from, quiet_until, paused_until, per_day, created_at, signal_at, import)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id`,
		s.Ref, s.External, h.Lang, h.Zone, h.QuietFrom, h.QuietUntil, micros(h.PausedUntil), h.PerDay, micros(s.Created), micros(s.Signal), s.Import)
	return consent.PersonID(id), err
}

func (p people) SetSubscriber(s consent.Subscriber) error {
	h := s.Habits
	return p.tx.run(`UPDATE subscribers SET external = $2, lang = $3, zone = $4, quiet_from = $5, quiet_until = $6, paused_until = $7, per_day = $8,
		signal_at = $9, asked_at = $10 WHERE id = $1`,
		s.ID, s.External, h.Lang, h.Zone, h.QuietFrom, h.QuietUntil, micros(h.PausedUntil), h.PerDay, micros(s.Signal), micros(s.Asked))
}

func (p people) Key(id consent.PersonID) (s consent.Sealed, err error) {
	err = p.tx.row(`SELECT master, sealed FROM person_keys WHERE person = $1`, id).Scan(&s.Master, &s.Data)
	return s, missing(err)
}

func (p people) SetKey(id consent.PersonID, s consent.Sealed) error {
	return p.tx.run(`INSERT INTO person_keys (person, master, sealed) VALUES ($1, $2, $3)
		ON CONFLICT (person) DO UPDATE SET master = excluded.master, sealed = excluded.sealed`, id, s.Master, s.Data)
}

func (p people) DropKey(id consent.PersonID) error {
	return p.tx.run(`DELETE FROM person_keys WHERE person = $1`, id)
}

func (p people) Addresses(id consent.PersonID) (out []consent.Address, err error) {
	err = p.tx.rows(func(r scanner) error {
		a := consent.Address{Person: id}
		var verified, created int64
		err := r.Scan(&a.Medium, &a.Hash, &a.Sealed, &verified, &created)
		a.Verified, a.Created = timeOf(verified), timeOf(created)
		out = append(out, a)
		return err
	}, `SELECT medium, hash, sealed, verified_at, created_at FROM addresses WHERE person = $1 ORDER BY medium`, id)
	return out, err
}

func (p people) PutAddress(a consent.Address) error {
	return p.tx.run(`INSERT INTO addresses (person, medium, hash, sealed, verified_at, created_at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (person, medium) DO UPDATE SET hash = excluded.hash, sealed = excluded.sealed, verified_at = excluded.verified_at`,
		a.Person, a.Medium, a.Hash, a.Sealed, micros(a.Verified), micros(a.Created))
}

// DropAddress implements consent.Tx. A wish that waits for the same address goes with it.
func (p people) DropAddress(id consent.PersonID, medium string) error {
	if err := p.tx.run(`DELETE FROM signups WHERE medium = $2 AND hash IN (SELECT hash FROM addresses WHERE person = $1 AND medium = $2)`, id, medium); err != nil {
		return err
	}
	return p.tx.run(`DELETE FROM addresses WHERE person = $1 AND medium = $2`, id, medium)
}

// Unconfirmed implements consent.Tx.
func (p people) Unconfirmed(after consent.PersonID, look int, wrote, asked, imported time.Time) (out []consent.PersonID, last consent.PersonID, err error) {
	if err := p.tx.row(`SELECT coalesce(max(id), 0) FROM (SELECT id FROM subscribers WHERE id > $1 ORDER BY id LIMIT $2)`, after, look).Scan(&last); err != nil || last == 0 {
		return nil, 0, err
	}
	err = p.tx.rows(func(r scanner) error {
		var id consent.PersonID
		err := r.Scan(&id)
		out = append(out, id)
		return err
	}, `SELECT s.id FROM subscribers s WHERE s.id > $4 AND s.id <= $5 AND s.erased_at = 0 AND s.external = ''
		AND s.created_at < CASE WHEN s.import > 0 THEN $3 WHEN EXISTS (SELECT 1 FROM grants g WHERE g.person = s.id) THEN $2 ELSE $1 END
		AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.person = s.id AND (g.state = 'active' OR g.since > 0))
		AND NOT EXISTS (SELECT 1 FROM streams x WHERE x.person = s.id AND x.state = 'open') ORDER BY s.id`, micros(wrote), micros(asked), micros(imported), after, last)
	return out, last, err
}

const grantColumns = `id, person, kind, name, medium, state, version, mode, slots, topics, languages, breaking, since, changed_at`

func scanGrant(r scanner) (g consent.Grant, err error) {
	var slots, topics, languages string
	var breaking bool
	var since, changed int64
	if err := r.Scan(&g.ID, &g.Person, &g.Purpose.Kind, &g.Purpose.Name, &g.Medium, &g.State, &g.Version, &g.Preferences.Mode, &slots, &topics, &languages, &breaking, &since, &changed); err != nil {
		return g, missing(err)
	}
	g.Preferences.Breaking, g.Since, g.Changed = breaking, timeOf(since), timeOf(changed)
	return g, errors.Join(decode(slots, &g.Preferences.Slots), decode(topics, &g.Preferences.Topics), decode(languages, &g.Preferences.Languages))
}

func (p people) Grants(id consent.PersonID) (out []consent.Grant, err error) {
	err = p.tx.rows(func(r scanner) error {
		g, err := scanGrant(r)
		out = append(out, g)
		return err
	}, `SELECT `+grantColumns+` FROM grants WHERE person = $1 ORDER BY id`, id)
	return out, err
}

func (p people) Grant(id int64) (consent.Grant, error) {
	return scanGrant(p.tx.row(`SELECT `+grantColumns+` FROM grants WHERE id = $1`, id))
}

func (p people) PutGrant(g consent.Grant) (int64, error) {
	c := g.Preferences
	if c.Mode == "" {
		c.Mode = consent.Instant
	}
	if err := p.tx.grow(g); err != nil {
		return 0, err
	}
	id, _, err := p.tx.insert(`INSERT INTO grants (person, kind, name, medium, state, version, mode, slots, topics, languages, breaking, since, changed_at, covered)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $12)
		ON CONFLICT (person, kind, name, medium) DO UPDATE SET state = excluded.state, version = excluded.version, mode = excluded.mode, slots = excluded.slots,
			topics = excluded.topics, languages = excluded.languages, breaking = excluded.breaking, since = excluded.since, changed_at = excluded.changed_at,
			covered = CASE WHEN excluded.since > covered THEN excluded.since WHEN mode = 'instant' AND excluded.mode = 'digest' THEN $14 ELSE covered END
		RETURNING id`, g.Person, g.Purpose.Kind, g.Purpose.Name, g.Medium, g.State, max(g.Version, 1), c.Mode, jsonList(c.Slots), jsonList(c.Topics), jsonList(c.Languages),
		c.Breaking, micros(g.Since), micros(g.Changed), micros(time.Now())) // what came at once is not collected again
	return id, err
}

func (p people) Suppressions(medium, hash string) (out []consent.Suppression, err error) {
	err = p.tx.rows(func(r scanner) error {
		s := consent.Suppression{Medium: medium, Hash: hash}
		var at int64
		err := r.Scan(&s.Scope, &s.Purpose, &s.Reason, &at)
		s.At = timeOf(at)
		out = append(out, s)
		return err
	}, `SELECT scope, name, reason, at FROM suppressions WHERE medium = $1 AND hash = $2`, medium, hash)
	return out, err
}

func (p people) Suppress(s consent.Suppression) error {
	return p.tx.run(`INSERT INTO suppressions (medium, hash, scope, name, reason, at) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (medium, hash, scope, name) DO UPDATE SET reason = excluded.reason, at = excluded.at`, s.Medium, s.Hash, s.Scope, s.Purpose, s.Reason, micros(s.At))
}

func (p people) Lift(s consent.Suppression) error {
	return p.tx.run(`DELETE FROM suppressions WHERE medium = $1 AND hash = $2 AND scope = $3 AND name = $4`, s.Medium, s.Hash, s.Scope, s.Purpose)
}

func (p people) Signups(most int) (out []consent.SealedSignup, err error) {
	err = p.tx.rows(func(r scanner) error {
		var s consent.SealedSignup
		var at int64
		err := r.Scan(&s.ID, &s.Medium, &s.Hash, &s.Address, &s.Wish, &at)
		s.At = timeOf(at)
		out = append(out, s)
		return err
	}, `SELECT id, medium, hash, sealed, wish, at FROM signups ORDER BY id LIMIT $1`, most)
	return out, err
}

func (p people) AddSignup(s consent.SealedSignup) error {
	return p.tx.run(`INSERT INTO signups (medium, hash, sealed, wish, at) VALUES ($1, $2, $3, $4, $5)`, s.Medium, s.Hash, s.Address, s.Wish, micros(s.At))
}

func (p people) DropSignup(id int64) error {
	return p.tx.run(`DELETE FROM signups WHERE id = $1`, id)
}

func (p people) Token(hash string) (t consent.Token, err error) {
	var wish string
	var created, expires, used int64
	t.Hash = hash
	if err := p.tx.row(`SELECT person, medium, address, wish, created_at, expires_at, used_at, outcome FROM tokens WHERE hash = $1`, hash).
		Scan(&t.Person, &t.Medium, &t.Address, &wish, &created, &expires, &used, &t.Outcome); err != nil {
		return t, missing(err)
	}
	t.Created, t.Expires, t.Used = timeOf(created), timeOf(expires), timeOf(used)
	return t, decode(wish, &t.Wish) // base64
}

func (p people) PutToken(t consent.Token) error {
	wish, err := encode(t.Wish)
	if err != nil {
		return err
	}
	return p.tx.run(`INSERT INTO tokens (hash, person, medium, address, wish, created_at, expires_at, used_at, outcome) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (hash) DO UPDATE SET used_at = excluded.used_at, outcome = excluded.outcome`,
		t.Hash, t.Person, t.Medium, t.Address, wish, micros(t.Created), micros(t.Expires), micros(t.Used), t.Outcome)
}

func (p people) Asked(medium, hash string) (times int, last time.Time, err error) {
	var us int64
	err = missing(p.tx.row(`SELECT asked, last_at FROM confirmations WHERE medium = $1 AND hash = $2`, medium, hash).Scan(&times, &us))
	if errors.Is(err, consent.ErrNotFound) {
		return 0, time.Time{}, nil
	}
	return times, timeOf(us), err
}

func (p people) SetAsked(medium, hash string, times int, last time.Time) error {
	return p.tx.run(`INSERT INTO confirmations (medium, hash, asked, last_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (medium, hash) DO UPDATE SET asked = excluded.asked, last_at = excluded.last_at`, medium, hash, times, micros(last))
}

func (p people) AddEvent(e consent.LedgerEvent) error {
	return p.tx.run(`INSERT INTO ledger_events (at, recorded, person, kind, data) VALUES ($1, $2, $3, $4, $5)`, micros(e.At), micros(e.Recorded), e.Person, e.Kind, e.Data)
}

func (p people) EventsOf(id consent.PersonID, most int) (out []consent.LedgerEvent, err error) {
	err = p.tx.rows(func(r scanner) error {
		e := consent.LedgerEvent{Person: id}
		var at, recorded int64
		err := r.Scan(&e.ID, &at, &recorded, &e.Kind, &e.Data)
		e.At, e.Recorded = timeOf(at), timeOf(recorded)
		out = append(out, e)
		return err
	}, `SELECT id, at, recorded, kind, data FROM ledger_events WHERE person = $1 AND person > 0 ORDER BY id DESC LIMIT $2`, id, most)
	return out, err
}

func (p people) Mark(name string) (text string, err error) {
	err = notFound(p.tx.row(`SELECT value FROM meta WHERE name = $1`, name).Scan(&text))
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return text, err
}

func (p people) SetMark(name, value string) error {
	return p.tx.run(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, name, value)
}

// Forget implements consent.Tx. What was sent stays as a number: to whom it went, nobody can tell any more.
func (p people) Forget(id consent.PersonID) error {
	for _, statement := range []string{
		`UPDATE subscribers SET external = '', lang = '', zone = '', quiet_from = '', quiet_until = '', paused_until = 0, per_day = 0, erased_at = $2 WHERE id = $1`,
		`UPDATE grants SET slots = '[]', topics = '[]', languages = '[]' WHERE person = $1 AND $2 > 0`,
		`DELETE FROM tokens WHERE person = $1 AND $2 > 0`,
		`DELETE FROM folded WHERE person = $1 AND $2 > 0`,
		`DELETE FROM sent_days WHERE person = $1 AND $2 > 0`,
		`UPDATE notices SET sealed = x'', key = '', ended_at = CASE WHEN ended_at = 0 THEN $2 ELSE ended_at END WHERE person = $1`,
		`UPDATE streams SET content = x'' WHERE person = $1 AND $2 > 0`,
		`UPDATE messages SET posts = '', ref = '', error = '' WHERE person = $1 AND stream IN (SELECT id FROM streams WHERE person IS NULL UNION ALL SELECT id FROM streams WHERE person = $1) AND $2 > 0`,
	} {
		if err := p.tx.run(statement, id, micros(time.Now())); err != nil {
			return err
		}
	}
	return p.tx.wantForgotten(time.Now())
}
