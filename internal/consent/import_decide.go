package consent

import (
	"slices"
	"time"
)

// importing is one chunk inside its transaction.
type importing struct {
	tx     ImportTx
	r      *Registry
	keys   *Keys
	id     int64
	now    time.Time
	fates  []Fate
	known  map[addressKey]*knownPerson
	stops  map[addressKey][]Suppression
	owners map[string]PersonID
	people []NewPerson
	// gone is what the journal has to hold of those who left.
	gone []entry
}

type addressKey struct{ medium, hash string }

// knownPerson is somebody whom the store, or a row before in the same chunk, knows.
type knownPerson struct {
	PersonAt
	grants []Grant
	// fresh is where they stand among the people of the chunk, from 1; 0 for somebody of the store.
	fresh int
	key   personKey
}

// number tells people apart, also those who have none yet.
func (k *knownPerson) number() PersonID {
	if k.fresh > 0 {
		return -PersonID(k.fresh)
	}
	return k.Person
}

func (w *importing) run(rows []prepared) error {
	if err := w.read(rows); err != nil {
		return err
	}
	for i := range rows {
		p := &rows[i]
		if p.fate != "" {
			w.fates[i] = p.fate
			continue
		}
		fate, err := w.row(p)
		if err != nil {
			return err
		}
		w.fates[i] = fate
	}
	return w.tx.AddPeople(w.people)
}

// read gets from the store what it knows of the chunk's addresses.
func (w *importing) read(rows []prepared) error {
	w.known, w.stops = map[addressKey]*knownPerson{}, map[addressKey][]Suppression{}
	hashes := map[string][]string{}
	var externals []string
	for i := range rows {
		if p := &rows[i]; p.fate == "" {
			hashes[p.Medium] = append(hashes[p.Medium], p.hash)
			if p.external != "" {
				externals = append(externals, p.external)
			}
		}
	}
	var ids []PersonID
	byID := map[PersonID][]*knownPerson{}
	for medium, list := range hashes {
		people, err := w.tx.PeopleAt(medium, list)
		if err != nil {
			return err
		}
		for _, at := range people {
			k := &knownPerson{PersonAt: at}
			w.known[addressKey{medium, at.Hash}] = k
			if byID[at.Person] == nil {
				ids = append(ids, at.Person)
			}
			byID[at.Person] = append(byID[at.Person], k)
		}
		stops, err := w.tx.SuppressedAt(medium, list)
		if err != nil {
			return err
		}
		for hash, s := range stops {
			w.stops[addressKey{medium, hash}] = s
		}
	}
	if len(ids) > 0 {
		grants, err := w.tx.GrantsOf(ids)
		if err != nil {
			return err
		}
		for _, g := range grants {
			for _, k := range byID[g.Person] {
				k.grants = append(k.grants, g)
			}
		}
	}
	w.owners = map[string]PersonID{}
	if len(externals) == 0 {
		return nil
	}
	var err error
	w.owners, err = w.tx.ByExternals(externals)
	return err
}

// row decides about one row and writes it.
func (w *importing) row(p *prepared) (Fate, error) {
	if !p.Left.IsZero() {
		return w.left(p)
	}
	at := addressKey{p.Medium, p.hash}
	if i := slices.IndexFunc(w.stops[at], func(s Suppression) bool { return s.Scope != ScopePurpose || s.Purpose == p.Purpose.String() }); i >= 0 {
		if w.stops[at][i].Reason == SuppressedStopped {
			return FateLeft, nil
		}
		return FateSuppressed, nil
	}
	k := w.known[at]
	if p.external != "" {
		if owner, taken := w.owners[p.external]; taken && (k == nil || owner != k.number()) {
			return FateOther, nil
		}
	}
	if k == nil {
		w.people = append(w.people, p.fresh)
		k = &knownPerson{PersonAt: PersonAt{Hash: p.hash, Ref: p.fresh.Ref}, grants: slices.Clone(p.fresh.Grants), fresh: len(w.people), key: p.key}
		w.known[at] = k
		if p.external != "" {
			w.owners[p.external] = k.number()
		}
		return fateOf(p.fresh.Grants[0].State), nil
	}
	return w.toKnown(k, p)
}

func fateOf(s State) Fate {
	if s == Active {
		return FateGranted
	}
	return FatePending
}

// toKnown gives somebody who is known a grant, unless theirs says otherwise.
func (w *importing) toKnown(k *knownPerson, p *prepared) (Fate, error) {
	g := Grant{Person: k.Person, Purpose: p.Purpose, Medium: p.Medium, Version: 1, Preferences: p.Preferences}
	was, follows, left := State(""), false, false
	for _, have := range k.grants {
		if have.Medium != p.Medium {
			continue
		}
		follows, left = follows || have.State == Active, left || have.State == Withdrawn
		if have.Purpose == p.Purpose {
			g, was = have, have.State
		}
	}
	switch {
	case was == Active:
		return FateFollows, nil
	case was == Withdrawn, left && !follows: // who left everything did not mean to be asked for the rest
		return FateLeft, nil
	case was == Pending && !p.Proven():
		return FateWaits, nil
	case was == Expired && !(p.Proven() && p.Evidence.At.After(g.Changed)):
		return FateEnded, nil
	}
	g.State, g.Changed, g.Preferences = Pending, w.now, p.Preferences
	if p.Proven() {
		g.State, g.Since = Active, w.now
	}
	if k.fresh > 0 {
		return w.toFresh(k, p, g, was)
	}
	if k.key.aead == nil {
		var err error
		if k.key, err = w.keys.person(k.Ref, k.Key); err != nil {
			return "", err
		}
	}
	if _, err := w.tx.PutGrant(g); err != nil {
		return "", err
	}
	k.remember(g)
	event, err := p.event(k.key, w.id, g.State, was, w.now, nil)
	if err != nil {
		return "", err
	}
	event.Person = k.Person
	if err := w.tx.AddEvent(event); err != nil {
		return "", err
	}
	return fateOf(g.State), w.refer(k, p)
}

// toFresh gives a grant to somebody whom a row before in the same chunk made.
func (w *importing) toFresh(k *knownPerson, p *prepared, g Grant, was State) (Fate, error) {
	fresh := &w.people[k.fresh-1]
	event, err := p.event(k.key, w.id, g.State, was, w.now, nil)
	if err != nil {
		return "", err
	}
	if i := slices.IndexFunc(fresh.Grants, func(have Grant) bool { return have.Purpose == g.Purpose && have.Medium == g.Medium }); i >= 0 {
		fresh.Grants[i] = g
	} else {
		fresh.Grants = append(fresh.Grants, g)
	}
	fresh.Events = append(fresh.Events, event)
	k.remember(g)
	if p.external != "" && fresh.External == "" {
		fresh.External, w.owners[p.external] = p.external, k.number()
	}
	return fateOf(g.State), nil
}

func (k *knownPerson) remember(g Grant) {
	if i := slices.IndexFunc(k.grants, func(have Grant) bool { return have.Purpose == g.Purpose && have.Medium == g.Medium }); i >= 0 {
		k.grants[i] = g
		return
	}
	k.grants = append(k.grants, g)
}

// refer notes an external reference for somebody who has none.
func (w *importing) refer(k *knownPerson, p *prepared) error {
	if p.external == "" {
		return nil
	}
	s, err := w.tx.Subscriber(k.Person)
	if err != nil || s.External != "" {
		return err
	}
	s.External, w.owners[p.external] = p.external, k.Person
	return w.tx.SetSubscriber(s)
}
