package store

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
)

func (p people) KeysNotBy(master string, most int) (out []consent.PersonKey, err error) {
	err = p.tx.rows(func(r scanner) error {
		var k consent.PersonKey
		err := r.Scan(&k.Person, &k.Ref, &k.Key.Master, &k.Key.Data)
		out = append(out, k)
		return err
	}, `SELECT k.person, s.ref, k.master, k.sealed FROM person_keys k JOIN subscribers s ON s.id = k.person WHERE k.master < $1 OR k.master > $1 LIMIT $2`, master, most)
	return out, err
}

// KeyCounts says how many people's keys each master key sealed.
func (db *DB) KeyCounts(ctx context.Context) (map[string]int, error) {
	out := map[string]int{}
	err := db.query(ctx, func(r scanner) error {
		var id string
		var n int
		err := r.Scan(&id, &n)
		out[id] = n
		return err
	}, `SELECT master, count(*) FROM person_keys GROUP BY master`)
	return out, err
}

// SecretMasters are the ids of the master keys that sealed secrets of the installation: the pepper, the key of the ledger.
func (db *DB) SecretMasters(ctx context.Context) (out []string, err error) {
	err = db.query(ctx, func(r scanner) error {
		id := ""
		err := r.Scan(&id)
		out = append(out, id)
		return err
	}, `SELECT DISTINCT json_extract(value, '$.Master') FROM meta WHERE substr(name, 1, length($1)) = $1`, sealedSecret)
	return out, err
}

// PeopleFilter says which people ListPeople gives. Empty means all.
type PeopleFilter struct{ Channel, State string }

// ListedPerson is a person without anything that says who they are.
type ListedPerson struct {
	consent.Subscriber
	// Media in which they have an address.
	Media  []string
	Grants []consent.Grant
}

// ListPeople gives people with numbers after one, in the order of their numbers. Those who were erased are left out.
func (db *DB) ListPeople(ctx context.Context, f PeopleFilter, after consent.PersonID, most int) (out []ListedPerson, err error) {
	byID := map[consent.PersonID]int{}
	var ids []consent.PersonID
	if err := db.query(ctx, func(r scanner) error {
		s, err := scanSubscriber(r)
		byID[s.ID] = len(out)
		ids, out = append(ids, s.ID), append(out, ListedPerson{Subscriber: s})
		return err
	}, `SELECT `+subscriberColumns+` FROM subscribers s WHERE s.erased_at = 0 AND s.id > $1 AND ($2 = '' AND $3 = '' OR EXISTS (SELECT 1 FROM grants g
		WHERE g.person = s.id AND ($2 = '' OR g.kind = 'channel' AND g.name = $2) AND ($3 = '' OR g.state = $3))) ORDER BY s.id LIMIT $4`, after, f.Channel, f.State, most); err != nil {
		return nil, err
	}
	if err := db.query(ctx, func(r scanner) error {
		var id consent.PersonID
		var medium string
		err := r.Scan(&id, &medium)
		out[byID[id]].Media = append(out[byID[id]].Media, medium)
		return err
	}, `SELECT person, medium FROM addresses WHERE person IN @list($1) ORDER BY person, medium`, jsonList(ids)); err != nil {
		return nil, err
	}
	return out, db.query(ctx, func(r scanner) error {
		g, err := scanGrant(r)
		out[byID[g.Person]].Grants = append(out[byID[g.Person]].Grants, g)
		return err
	}, `SELECT `+grantColumns+` FROM grants WHERE person IN @list($1) ORDER BY id`, jsonList(ids))
}

// LastPerson is the highest number of a person; 0 when there is nobody.
func (db *DB) LastPerson(ctx context.Context) (id consent.PersonID, err error) {
	err = db.queryRow(ctx, `SELECT coalesce(max(id), 0) FROM subscribers`).Scan(&id)
	return id, err
}

// RecordAct records what somebody of the house did.
func (db *DB) RecordAct(ctx context.Context, actor, act, detail string, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error { return tx.act(actor, act, detail, now) })
}
