package consent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Merged says what came of two people.
type Merged struct {
	From, Into string
	// Moved are grants that went along, Ended those that a withdrawal of the other one ended, Waiting those that were given
	// for an address that is no longer used, so that the person has to agree anew.
	Moved, Ended, Waiting []Purpose
	// Addresses are the media of the addresses that went along, Dropped of those that did not, because the other one has
	// an address of that medium.
	Addresses, Dropped []string
}

// The names under which the store keeps where the links of merged people lead. Links to the own pages of somebody under
// mergedShut end nowhere; those that leave go on as mergedPerson says.
const (
	mergedPerson = "merged.person."
	mergedGrant  = "merged.grant."
	mergedShut   = "merged.shut."
)

// ErrUnderWay says that a message to the person has no outcome yet.
var ErrUnderWay = errors.New("a message to one of them is under way; try again in a moment")

// history is what an event of EventMerged holds: what was known of the other one.
type history struct {
	change
	History []Event `json:"history,omitempty"`
}

// Merge makes two people one: what from has goes to into, and from is no longer anybody. A withdrawal of either holds for
// both, and nobody is brought back: consent stays with the address that it was given for. Links in messages to from lead to
// into from then on, so that who leaves by one of them leaves. The ledger keeps both records: that of from is copied, since
// its key is destroyed.
//
// It waits until no message to either is under way, at most for the deadline of a call.
func (r *Registry) Merge(ctx context.Context, from, into, operator, reason string) (out Merged, err error) {
	switch {
	case reason == "":
		return out, sdk.Errorf(sdk.CodeInvalid, "merge", "a merge needs a reason; give it with --reason")
	case from == into:
		return out, sdk.Errorf(sdk.CodeInvalid, "merge", "%s is one and the same person", from)
	}
	var ids []PersonID
	if err := r.s.Store.People(ctx, func(tx Tx) error {
		ids = nil
		for _, ref := range []string{from, into} {
			row, err := tx.SubscriberByRef(ref)
			if err == nil && !row.Erased.IsZero() {
				err = ErrNotFound
			}
			if err != nil {
				return fmt.Errorf("%s: %w", ref, err)
			}
			ids = append(ids, row.ID)
		}
		return nil
	}); err != nil {
		return out, err
	}
	for _, id := range ids {
		if settled, err := r.settled(ctx, id); err != nil || !settled {
			return out, errors.Join(err, ErrUnderWay)
		}
	}
	err = r.s.Store.People(ctx, func(tx Tx) error {
		if err := r.still(ctx, ids...); err != nil {
			return err
		}
		m := merging{r: r, tx: tx, now: r.now(), evidence: Evidence{Method: ByOperator, Actor: Operator, Where: operator, Note: reason}, out: Merged{From: from, Into: into}}
		m.evidence = trimmed(m.evidence, m.now)
		if err := m.run(ids[0], ids[1]); err != nil {
			return err
		}
		out = m.out
		return nil
	})
	return out, err
}

// underWay is ErrUnderWay, and names to whom.
type underWay PersonID

func (underWay) Error() string        { return ErrUnderWay.Error() }
func (underWay) Is(target error) bool { return target == ErrUnderWay }

// still asks, inside a transaction during which nothing can start, that no message to these people is under way.
func (r *Registry) still(ctx context.Context, ids ...PersonID) error {
	for _, id := range ids {
		under, err := r.s.Store.Under(ctx, id)
		if err != nil {
			return err
		}
		if under {
			return underWay(id)
		}
	}
	return nil
}

// merging is one merge inside its transaction.
type merging struct {
	r          *Registry
	tx         Tx
	now        time.Time
	evidence   Evidence
	from, into person
	out        Merged
	// over is the medium on which everything of from has been brought to into already, and ended; see move.
	over string
}

func (m *merging) run(from, into PersonID) error {
	for _, who := range []struct {
		id PersonID
		to *person
	}{{from, &m.from}, {into, &m.into}} {
		row, err := m.tx.Subscriber(who.id)
		if *who.to, err = m.r.load(m.tx, row, err); err != nil {
			return err
		}
	}
	past, err := m.from.events(recordMost)
	if err != nil {
		return err
	}
	mine, err := m.tx.Addresses(from)
	if err != nil {
		return err
	}
	theirs, err := m.tx.Addresses(into)
	if err != nil {
		return err
	}
	if err := m.grants(mine, theirs); err != nil {
		return err
	}
	if err := m.addresses(mine, theirs); err != nil {
		return err
	}
	external := m.from.row.External
	if err := m.from.record(EventMerged, m.now, change{Evidence: m.evidence}); err != nil {
		return err
	}
	if err := m.tx.DropKey(from); err != nil {
		return err
	}
	if err := m.tx.Forget(from); err != nil {
		return err
	}
	row := m.into.row
	row.Habits = row.Habits.merged(m.from.row.Habits)
	if row.External == "" {
		row.External = external
	}
	if m.from.row.Signal.After(row.Signal) {
		row.Signal = m.from.row.Signal
	}
	if err := m.tx.SetSubscriber(row); err != nil {
		return err
	}
	if err := m.tx.SetMark(mergedPerson+m.from.row.Ref, m.into.row.Ref); err != nil {
		return err
	}
	return m.into.record(EventMerged, m.now, history{change{Evidence: m.evidence}, past})
}

// grants brings the grants of both together.
func (m *merging) grants(mine, theirs []Address) error {
	grants, err := m.tx.Grants(m.from.row.ID)
	if err != nil {
		return err
	}
	others, err := m.tx.Grants(m.into.row.ID)
	if err != nil {
		return err
	}
	for _, g := range grants {
		// Consent is given for an address: where the other one is written to at another, it is not taken along.
		stays := slices.ContainsFunc(mine, of(g.Medium)) && !slices.ContainsFunc(theirs, of(g.Medium)) || !slices.ContainsFunc(mine, of(g.Medium))
		at := slices.IndexFunc(others, func(o Grant) bool { return o.Purpose == g.Purpose && o.Medium == g.Medium })
		if at >= 0 && g.Medium == m.over {
			if err := m.leads(g, others[at]); err != nil {
				return err
			}
			continue
		}
		if at < 0 {
			if err := m.move(g, stays); err != nil {
				return err
			}
			continue
		}
		if err := m.both(g, others[at]); err != nil {
			return err
		}
	}
	if err := m.stops(mine, theirs); err != nil {
		return err
	}
	// What is withdrawn now is withdrawn at every address of both.
	all, err := m.tx.Grants(m.into.row.ID)
	if err != nil {
		return err
	}
	for _, g := range all {
		if g.State != Withdrawn {
			continue
		}
		for _, a := range slices.Concat(mine, theirs) {
			if a.Medium != g.Medium {
				continue
			}
			if err := m.r.enter(m.tx, entry{At: m.now, Medium: a.Medium, Hash: a.Hash, Purpose: g.Purpose.String()}); err != nil {
				return err
			}
		}
	}
	return nil
}

func of(medium string) func(Address) bool { return func(a Address) bool { return a.Medium == medium } }

// move gives a grant to the other one, who has none like it.
func (m *merging) move(g Grant, stays bool) error {
	if err := m.tx.MoveGrant(g.ID, m.into.row.ID); err != nil {
		return err
	}
	g.Person = m.into.row.ID
	if g.State == Active && !stays {
		g.State, g.Changed = Pending, m.now
		g.Version++
		if _, err := m.tx.PutGrant(g); err != nil {
			return err
		}
		m.out.Waiting = append(m.out.Waiting, g.Purpose)
		return m.into.record(EventExpired, m.now, change{Purpose: g.Purpose, Medium: g.Medium, Evidence: m.evidence, Was: Active})
	}
	m.out.Moved = append(m.out.Moved, g.Purpose)
	return nil
}

// leads lets who leaves by a link of one grant leave the other one.
func (m *merging) leads(g, other Grant) error {
	return m.tx.SetMark(mergedGrant+strconv.FormatInt(g.ID, 10), strconv.FormatInt(other.ID, 10))
}

// both brings two grants of the same purpose and medium together, in that of the other one. A withdrawal wins.
func (m *merging) both(g, other Grant) error {
	if err := m.leads(g, other); err != nil {
		return err
	}
	if g.State == Active || g.State == Pending { // nobody is reached by it any more
		was := g.State
		g.State, g.Changed = Withdrawn, m.now
		g.Version++
		if _, err := m.tx.PutGrant(g); err != nil {
			return err
		}
		g.State = was
	}
	switch {
	case g.State == Withdrawn && other.State != Withdrawn:
		was := other.State
		other.State, other.Changed = Withdrawn, m.now
		other.Version++
		if _, err := m.tx.PutGrant(other); err != nil {
			return err
		}
		m.out.Ended = append(m.out.Ended, other.Purpose)
		return m.into.record(EventWithdrawn, m.now, change{Purpose: other.Purpose, Medium: other.Medium, Evidence: m.evidence, Was: was})
	case g.State == Active && other.State == Active && g.Changed.After(other.Changed):
		other.Preferences = g.Preferences
		_, err := m.tx.PutGrant(other)
		return err
	}
	return nil
}

// stops takes along what forbids to write to an address: who left something on a medium, or must not be written to there, is
// not written to at the other one's address either.
func (m *merging) stops(mine, theirs []Address) error {
	for _, a := range mine {
		i := slices.IndexFunc(theirs, of(a.Medium))
		if i < 0 {
			continue // the address goes along, and what forbids to write to it
		}
		list, err := m.tx.Suppressions(a.Medium, a.Hash)
		if err != nil {
			return err
		}
		for _, s := range list {
			w := Withdrawal{Medium: a.Medium, Evidence: m.evidence}
			if s.Scope == ScopePurpose {
				p := ParsePurpose(s.Purpose)
				w.Purpose = &p
			}
			s.Hash = theirs[i].Hash
			if err := forbid(m.tx, s); err != nil {
				return err
			}
			ended, err := m.into.end(w, m.now)
			if err != nil {
				return err
			}
			m.out.Ended = append(m.out.Ended, ended...)
		}
	}
	return nil
}

// addresses moves those of media of which the other one has none. The others are dropped, and remember what was left there.
func (m *merging) addresses(mine, theirs []Address) error {
	all, err := m.tx.Grants(m.into.row.ID)
	if err != nil {
		return err
	}
	for _, a := range mine {
		text, err := m.from.key.open("address "+a.Medium, a.Sealed)
		if err != nil {
			return err
		}
		if err := m.tx.DropAddress(m.from.row.ID, a.Medium); err != nil {
			return err
		}
		if !slices.ContainsFunc(theirs, of(a.Medium)) {
			if err := m.into.setAddress(a.Medium, string(text), a.Hash, a.Verified, m.now); err != nil {
				return err
			}
			m.out.Addresses = append(m.out.Addresses, a.Medium)
			continue
		}
		m.out.Dropped = append(m.out.Dropped, a.Medium)
		for _, g := range all {
			if g.Medium != a.Medium || g.State != Withdrawn {
				continue
			}
			if err := m.tx.Suppress(Suppression{Medium: a.Medium, Hash: a.Hash, Scope: ScopePurpose, Purpose: g.Purpose.String(), Reason: SuppressedStopped, At: m.now}); err != nil {
				return err
			}
		}
	}
	return nil
}

// longestTrail bounds how often somebody was merged on. A link in an old message has to lead to who they are now, however often
// that was; nobody is merged into somebody who is gone, so that no trail is a ring.
const longestTrail = 10_000

// nowGrant follows the link of a grant that became another one's.
func nowGrant(tx Tx, id int64) (int64, error) {
	for range longestTrail {
		text, err := tx.Mark(mergedGrant + strconv.FormatInt(id, 10))
		if err != nil || text == "" {
			return id, err
		}
		if id, err = strconv.ParseInt(text, 10, 64); err != nil {
			return id, err
		}
	}
	return id, nil
}

// nowRef follows the link of a person who became another one. Shut says that it does not open the own pages of who they are now.
func nowRef(tx Tx, ref string) (now string, shut bool, err error) {
	for range longestTrail {
		next, err := tx.Mark(mergedPerson + ref)
		if err != nil || next == "" {
			return ref, shut, err
		}
		mark, err := tx.Mark(mergedShut + ref)
		if err != nil {
			return ref, shut, err
		}
		ref, shut = next, shut || mark != ""
	}
	return ref, shut, nil
}

// expanded adds what an event of EventMerged tells of the other one.
func expanded(e Event, text []byte) ([]Event, error) {
	if e.Kind != EventMerged {
		return []Event{e}, nil
	}
	var h history
	if err := json.Unmarshal(text, &h); err != nil {
		return nil, err
	}
	return append([]Event{e}, h.History...), nil
}
