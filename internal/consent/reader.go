package consent

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Reader is a person as they see themselves.
type Reader struct {
	ID  PersonID
	Ref string
	// Link is the address part of their own pages. It is a key to them: never log it.
	Link      string
	Since     time.Time
	Habits    Habits
	Addresses []Masked
	Grants    []Grant
}

// Masked is an address as its owner recognises it.
type Masked struct{ Medium, Text string }

func (p person) masked() (out []Masked, err error) {
	addresses, err := p.tx.Addresses(p.row.ID)
	for _, a := range addresses {
		text, err := p.key.open("address "+a.Medium, a.Sealed)
		if err != nil {
			return nil, err
		}
		out = append(out, Masked{a.Medium, Mask(a.Medium, string(text))})
	}
	return out, err
}

func (r *Registry) reader(p person) (Reader, error) {
	out := Reader{ID: p.row.ID, Ref: p.row.Ref, Link: r.s.Keys.Link(p.row.Ref), Since: p.row.Created, Habits: p.row.Habits}
	var err error
	if out.Addresses, err = p.masked(); err != nil {
		return out, err
	}
	grants, err := p.tx.Grants(p.row.ID)
	for _, g := range grants {
		if g.State != Pending { // somebody else may have asked
			out.Grants = append(out.Grants, g)
		}
	}
	return out, err
}

// Reader finds who a person's own link belongs to. Its error is ErrToken.
func (r *Registry) Reader(ctx context.Context, link string) (out Reader, err error) {
	ref, err := r.s.Keys.signed("person", link)
	if err != nil {
		return Reader{}, err
	}
	err = r.s.Store.People(ctx, func(tx Tx) error {
		ref, shut, err := nowRef(tx, ref)
		if err != nil {
			return err
		}
		if shut {
			return &TokenError{TokenUnknown}
		}
		row, err := tx.SubscriberByRef(ref)
		p, err := r.load(tx, row, err)
		if errors.Is(err, ErrNotFound) {
			return &TokenError{TokenUnknown}
		}
		if err != nil {
			return err
		}
		out, err = r.reader(p)
		return err
	})
	return out, err
}

// ReaderOf finds who writes to a bot or answers a mail.
func (r *Registry) ReaderOf(ctx context.Context, h sdk.Handle) (out Reader, found bool, err error) {
	_, compare, err := r.normalize(h.Medium, h.Value)
	if err != nil {
		return out, false, nil //nolint:nilerr // nobody has such an address
	}
	err = r.s.Store.People(ctx, func(tx Tx) error {
		p, err := r.at(tx, h.Medium, r.s.Keys.Hash(h.Medium, compare))
		if err != nil {
			return err
		}
		out, err = r.reader(p)
		return err
	})
	found, err = lookedUp(err)
	return out, found, err
}

// address gives the own address of a person, or of who they are one with now, of a medium; ErrNotFound when there is none.
func (r *Registry) address(ctx context.Context, id PersonID, medium string) (value string, err error) {
	err = r.s.Store.People(ctx, func(tx Tx) error {
		row, err := tx.Subscriber(id)
		if err != nil {
			return err
		}
		ref, shut, err := nowRef(tx, row.Ref)
		if err == nil && shut {
			err = ErrNotFound // who holds an old message need not be who moved
		}
		if err != nil {
			return err
		}
		row, err = tx.SubscriberByRef(ref)
		p, err := r.load(tx, row, err)
		if err != nil {
			return err
		}
		rows, err := tx.Addresses(p.row.ID)
		if err != nil {
			return err
		}
		for _, a := range rows {
			if a.Medium == medium {
				text, err := p.key.open("address "+medium, a.Sealed)
				value = string(text)
				return err
			}
		}
		return ErrNotFound
	})
	return value, err
}

// ByRef finds a person by what commands call them, for an operator: the look is an event of the ledger, with a reason.
func (r *Registry) ByRef(ctx context.Context, ref, operator, reason string) (out Reader, err error) {
	if reason == "" {
		return out, sdk.Errorf(sdk.CodeInvalid, "look up", "a look at a person's record needs a reason; give it with --reason")
	}
	now := r.now()
	err = r.s.Store.People(ctx, func(tx Tx) error {
		row, err := tx.SubscriberByRef(ref)
		p, err := r.load(tx, row, err)
		if err != nil {
			return err
		}
		if err := p.record(EventLooked, now, change{Evidence: Evidence{At: now, Method: ByOperator, Actor: Operator, Where: operator, Note: reason}}); err != nil {
			return err
		}
		out, err = r.reader(p)
		return err
	})
	return out, err
}

// RefAt says what commands call the person whom an address reaches.
func (r *Registry) RefAt(ctx context.Context, h sdk.Handle) (string, error) {
	reader, found, err := r.ReaderOf(ctx, h)
	if err == nil && !found {
		err = ErrNotFound
	}
	return reader.Ref, err
}

// Choose changes the preferences of an active grant. What is not offered is refused with CodeInvalid.
func (r *Registry) Choose(ctx context.Context, id PersonID, grant int64, c Preferences, e Evidence) error {
	now := r.now()
	err := r.s.Store.People(ctx, func(tx Tx) error {
		row, err := tx.Subscriber(id)
		p, err := r.load(tx, row, err)
		if err != nil {
			return err
		}
		g, err := tx.Grant(grant)
		if err != nil || g.Person != id {
			return ErrNotFound
		}
		o, found := r.offer(g.Purpose, g.Medium)
		if !found {
			return sdk.Errorf(sdk.CodeInvalid, "preferences", "%s is not offered any more", g.Purpose)
		}
		if err := o.Check(&c); err != nil {
			return err
		}
		if g.State != Active {
			return sdk.Errorf(sdk.CodeInvalid, "preferences", "%s is not followed", g.Purpose)
		}
		if g.Preferences.Equal(c) {
			return p.touch(now)
		}
		g.Preferences = c
		if _, err := tx.PutGrant(g); err != nil {
			return err
		}
		if err := p.touch(now); err != nil {
			return err
		}
		return p.record(EventChosen, now, change{Purpose: g.Purpose, Medium: g.Medium, Evidence: trimmed(e, now), Preferences: &c})
	})
	if err == nil {
		r.s.Changed()
	}
	return err
}

// SetHabits changes language, zone, quiet hours, pause and cap. What is no zone or time is refused with CodeInvalid.
func (r *Registry) SetHabits(ctx context.Context, id PersonID, h Habits, e Evidence) error {
	if err := h.Check(); err != nil {
		return err
	}
	now := r.now()
	err := r.s.Store.People(ctx, func(tx Tx) error {
		row, err := tx.Subscriber(id)
		p, err := r.load(tx, row, err)
		if err != nil {
			return err
		}
		same := p.row.Habits == h
		p.row.Habits = h
		if err := p.touch(now); err != nil || same {
			return err
		}
		return p.record(EventHabits, now, change{Evidence: trimmed(e, now), Habits: &h})
	})
	if err == nil {
		r.s.Changed()
	}
	return err
}

// Record is a person's own record, the newest first.
type Record struct {
	Reader   Reader  `json:"person"`
	Events   []Event `json:"events"`
	Messages []Sent  `json:"messages"`
}

// Event is one entry of the ledger about a person.
type Event struct {
	At          time.Time    `json:"at"`
	Kind        string       `json:"kind"`
	Purpose     Purpose      `json:"purpose,omitzero"`
	Medium      string       `json:"medium,omitempty"`
	Evidence    Evidence     `json:"evidence"`
	Preferences *Preferences `json:"preferences,omitempty"`
	Habits      *Habits      `json:"habits,omitempty"`
	// State is what an import made of a consent.
	State State `json:"state,omitempty"`
}

// Agreed is when the person agreed, as far as the event shows it; zero otherwise.
func (e Event) Agreed() time.Time {
	if e.Kind == EventGranted || e.Kind == EventImported && e.State == Active {
		return e.Evidence.At
	}
	return time.Time{}
}

// Sent is a message with its outcome.
type Sent struct {
	At     time.Time `json:"at"`
	Medium string    `json:"medium"`
	// Kind is that of the stream; Title is empty where it says all.
	Kind    StreamKind `json:"kind"`
	Title   string     `json:"title"`
	URL     string     `json:"url,omitempty"`
	Outcome string     `json:"outcome"`
	Reason  string     `json:"reason,omitempty"`
	Purpose Purpose    `json:"purpose,omitzero"`
}

// Became is the outcome as its reader is told it: what came back after it was sent is "returned".
func (s Sent) Became() string {
	switch s.Reason {
	case OutcomeHard, OutcomeSoft, OutcomeOther:
		return "returned"
	}
	return s.Outcome
}

// recordMost is how many events and messages a record shows.
const recordMost = 500

// Record is what is known about a person and what was sent to them.
func (r *Registry) Record(ctx context.Context, id PersonID) (out Record, err error) {
	return r.recordOf(ctx, id, recordMost)
}

func (r *Registry) recordOf(ctx context.Context, id PersonID, most int) (out Record, err error) {
	err = r.s.Store.People(ctx, func(tx Tx) error {
		row, err := tx.Subscriber(id)
		p, err := r.load(tx, row, err)
		if err != nil {
			return err
		}
		if out.Reader, err = r.reader(p); err != nil {
			return err
		}
		if out.Events, err = p.events(most); err != nil {
			return err
		}
		out.Messages, err = tx.MessagesOf(id, most)
		return err
	})
	return out, err
}

func (p person) events(most int) (out []Event, err error) {
	rows, err := p.tx.EventsOf(p.row.ID, most)
	for _, row := range rows {
		text, err := p.key.open("event "+row.Kind, row.Data)
		if err != nil {
			return nil, err
		}
		e := Event{At: row.At, Kind: row.Kind}
		var c struct {
			change
			State State `json:"state"`
		}
		if err := json.Unmarshal(text, &c); err != nil {
			return nil, err
		}
		e.State = c.State
		e.Purpose, e.Medium, e.Evidence, e.Preferences, e.Habits = c.Purpose, c.Medium, c.Evidence, c.Preferences, c.Habits
		all, err := expanded(e, text)
		if err != nil {
			return nil, err
		}
		out = append(out, all...)
	}
	return out, err
}

// Export is everything about a person, with their own addresses, as JSON (GDPR, articles 15 and 20).
func (r *Registry) Export(ctx context.Context, id PersonID) ([]byte, error) {
	record, err := r.recordOf(ctx, id, math.MaxInt32)
	if err != nil {
		return nil, err
	}
	addresses := map[string]string{}
	if err := r.s.Store.People(ctx, func(tx Tx) error {
		row, err := tx.Subscriber(id)
		p, err := r.load(tx, row, err)
		if err != nil {
			return err
		}
		rows, err := tx.Addresses(id)
		for _, a := range rows {
			text, err := p.key.open("address "+a.Medium, a.Sealed)
			if err != nil {
				return err
			}
			addresses[a.Medium] = string(text)
		}
		return err
	}); err != nil {
		return nil, err
	}
	return json.MarshalIndent(struct {
		Exported  time.Time         `json:"exported"`
		Person    string            `json:"person"`
		Since     time.Time         `json:"since"`
		Addresses map[string]string `json:"addresses"`
		Habits    Habits            `json:"habits"`
		Grants    []Grant           `json:"grants"`
		Events    []Event           `json:"events"`
		Messages  []Sent            `json:"messages"`
	}{r.now(), record.Reader.Ref, record.Reader.Since, addresses, record.Reader.Habits, record.Reader.Grants, record.Events, record.Messages}, "", "  ")
}

// Erased says when a person was erased, and until when a backup may still hold them. Settled is false when a message to them may
// still be under way.
type Erased struct {
	At, BackupsUntil time.Time
	Settled          bool
	// Calls are the webhooks that were not mapped and name the person.
	Calls Found
}

// Erase takes away everything about a person but what keeps them from being written to: their address as a keyed hash, and
// the ledger, whose entries nobody can open any more because their key is gone.
func (r *Registry) Erase(ctx context.Context, id PersonID, e Evidence) (Erased, error) {
	now := r.now()
	out := Erased{At: now}
	if r.s.BackupsFor > 0 {
		out.BackupsUntil = now.Add(r.s.BackupsFor)
	}
	ack, err := r.withdraw(ctx, func(tx Tx) (person, error) {
		row, err := tx.Subscriber(id)
		return r.load(tx, row, err)
	}, func(p person) (Withdrawal, error) { return Withdrawal{Evidence: e}, nil })
	if err != nil {
		return out, err
	}
	out.Settled = ack.Settled
	var who traces
	if err := r.s.Store.People(ctx, func(tx Tx) error {
		row, err := tx.Subscriber(id)
		if err != nil {
			return err
		}
		who.external = row.External
		who.addresses, err = tx.Addresses(id)
		return err
	}); err != nil {
		return out, err
	}
	// Before they are gone: what cannot be finished can be begun again.
	if out.Calls, err = r.inCalls(ctx, who); err != nil {
		return out, err
	}
	return out, r.s.Store.People(ctx, func(tx Tx) error {
		row, err := tx.Subscriber(id)
		p, err := r.load(tx, row, err)
		if err != nil {
			return err
		}
		if err := p.record(EventErased, now, change{Evidence: trimmed(e, now)}); err != nil {
			return err
		}
		addresses, err := tx.Addresses(id)
		if err != nil {
			return err
		}
		for _, a := range addresses {
			if err := r.enter(tx, entry{At: now, Medium: a.Medium, Hash: a.Hash, Erased: true}); err != nil {
				return err
			}
		}
		return p.vanish(now)
	})
}

// vanish takes a person's address, key and profile away, and leaves what keeps them from being written to.
func (p person) vanish(now time.Time) error {
	tx, id := p.tx, p.row.ID
	addresses, err := tx.Addresses(id)
	if err != nil {
		return err
	}
	grants, err := tx.Grants(id)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if err := forbid(tx, Suppression{Medium: a.Medium, Hash: a.Hash, Scope: ScopeAll, Reason: SuppressedErased, At: now}); err != nil {
			return err
		}
		for _, g := range grants {
			if g.Medium != a.Medium || g.State != Withdrawn {
				continue
			}
			// Should they come back for something else, an import must not begin this.
			if err := forbid(tx, Suppression{Medium: a.Medium, Hash: a.Hash, Scope: ScopePurpose, Purpose: g.Purpose.String(), Reason: SuppressedStopped, At: now}); err != nil {
				return err
			}
		}
		if err := tx.DropAddress(id, a.Medium); err != nil {
			return err
		}
	}
	if err := tx.DropKey(id); err != nil {
		return err
	}
	return tx.Forget(id)
}

// How long somebody who agreed to nothing is kept: who only wrote and was answered, who asked, and who was imported without
// evidence.
const (
	answeredFor    = time.Hour
	unconfirmedFor = 30 * 24 * time.Hour
	importedFor    = 365 * 24 * time.Hour
)

// Tidy forgets people who never agreed to anything, and says how many. Their addresses are not suppressed; how often they
// were asked stays known.
func (r *Registry) Tidy(ctx context.Context) (n int, err error) {
	var after, last PersonID
	for {
		found := 0
		if err := r.s.Store.People(ctx, func(tx Tx) error {
			now := r.now()
			list, to, err := tx.Unconfirmed(after, tidyLook, now.Add(-answeredFor), now.Add(-unconfirmedFor), now.Add(-importedFor))
			if err != nil {
				return err
			}
			found, last = len(list), to
			for _, id := range list {
				if err := r.expire(tx, id, now); err != nil {
					return err
				}
			}
			return nil
		}); err != nil || last == 0 {
			return n, err
		}
		n, after = n+found, last
	}
}

// tidyLook is how many people are looked at in one transaction: everything else waits meanwhile.
const tidyLook = 200

// expire forgets one of them.
func (r *Registry) expire(tx Tx, id PersonID, now time.Time) error {
	row, err := tx.Subscriber(id)
	p, err := r.load(tx, row, err)
	if err != nil {
		return err
	}
	grants, err := tx.Grants(id)
	if err != nil {
		return err
	}
	for _, g := range grants {
		if g.State == Withdrawn { // they said no before they ever said yes: nobody may begin it for them
			addresses, err := tx.Addresses(id)
			if err != nil {
				return err
			}
			for _, a := range addresses {
				if a.Medium != g.Medium {
					continue
				}
				if err := forbid(tx, Suppression{Medium: a.Medium, Hash: a.Hash, Scope: ScopePurpose, Purpose: g.Purpose.String(), Reason: SuppressedStopped, At: now}); err != nil {
					return err
				}
			}
		}
		if g.State != Pending {
			continue
		}
		g.State, g.Changed = Expired, now
		if _, err := tx.PutGrant(g); err != nil {
			return err
		}
	}
	if err := p.record(EventExpired, now, change{Evidence: Evidence{At: now, Method: ByTime, Actor: Clock}}); err != nil {
		return err
	}
	addresses, err := tx.Addresses(id)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if err := tx.DropAddress(id, a.Medium); err != nil {
			return err
		}
	}
	if err := tx.DropKey(id); err != nil {
		return err
	}
	return tx.Forget(id)
}
