package consent

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// askedChange is the medium under which it is counted how often a person asked for another address.
const askedChange = "change"

// ChangeAddress asks for what a person gets on a medium to come to another address from now on. Nothing changes until whoever
// reads there has pressed the button behind the confirmation, and the answer is the same whoever's address it is. Only what is
// malformed, is their address already, or is asked for too often is refused, with CodeInvalid.
func (r *Registry) ChangeAddress(ctx context.Context, id PersonID, medium, address string, e Evidence) error {
	use, compare, err := r.normalize(medium, address)
	if err != nil {
		return err
	}
	now, desk := r.now(), r.s.Keys.desk()
	hash := r.s.Keys.Hash(medium, compare)
	err = r.s.Store.People(ctx, func(tx Tx) error {
		row, err := tx.Subscriber(id)
		p, err := r.load(tx, row, err)
		if err != nil {
			return err
		}
		addresses, err := tx.Addresses(id)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(addresses, of(medium))
		switch {
		case i < 0:
			return sdk.Errorf(sdk.CodeInvalid, "address", "there is no address by %s that could be changed", medium)
		case addresses[i].Hash == hash:
			return sdk.Errorf(sdk.CodeInvalid, "address", "this is your address already")
		}
		// Whoever asks is known, so that they may be told: nobody floods strangers by way of their own page.
		counted := r.s.Keys.Hash(askedChange, p.row.Ref)
		times, last, err := tx.Asked(askedChange, counted)
		if err != nil {
			return err
		}
		if now.Sub(last) >= askAgain {
			times = 0
		}
		if times >= maxAsked {
			return sdk.Errorf(sdk.CodeInvalid, "address", "another address was asked for three times today; try again tomorrow")
		}
		if err := tx.SetAsked(askedChange, counted, times+1, now); err != nil {
			return err
		}
		w := Wish{Change: p.row.Ref, Habits: Habits{Lang: p.row.Habits.Lang}, Evidence: trimmed(e, now)}
		if w.Habits.Lang == "" {
			w.Habits.Lang = e.Lang
		}
		text, err := json.Marshal(w)
		if err != nil {
			return err
		}
		if err := p.touch(now); err != nil {
			return err
		}
		if err := p.record(EventAsked, now, change{Medium: medium, Evidence: w.Evidence}); err != nil {
			return err
		}
		return tx.AddSignup(SealedSignup{Medium: medium, Hash: hash, Address: desk.seal("address", []byte(use)), Wish: desk.seal("wish", text), At: now})
	})
	if err == nil {
		r.s.Changed()
	}
	return err
}

// closed reports whether nothing at all may be written to an address, whoever asks.
func closed(list []Suppression) bool {
	return slices.ContainsFunc(list, func(s Suppression) bool { return s.Scope != ScopePurpose })
}

// refusing reports whether the person behind an address wants nothing any more, which no other address of theirs gets around.
func refusing(list []Suppression) bool {
	return slices.ContainsFunc(list, func(s Suppression) bool { return s.Scope == ScopeNever || s.Reason == SuppressedComplaint })
}

// askChange asks at the new address, as often as any other wish would.
func (r *Registry) askChange(tx Tx, s SealedSignup, address string, w Wish, now time.Time) error {
	mover, at, err := r.moving(tx, w, s.Medium)
	if errors.Is(err, ErrNotFound) {
		return nil // gone since
	}
	if err != nil {
		return err
	}
	there, err := tx.Suppressions(s.Medium, s.Hash)
	if err != nil {
		return err
	}
	here, err := tx.Suppressions(s.Medium, at.Hash)
	if err != nil || closed(there) || refusing(here) || at.Hash == s.Hash {
		return err
	}
	times, last, err := tx.Asked(s.Medium, s.Hash)
	if err != nil || times >= maxAsked || !last.IsZero() && now.Sub(last) < askAgain {
		return err
	}
	p, err := r.at(tx, s.Medium, s.Hash)
	if errors.Is(err, ErrNotFound) {
		p, err = r.create(tx, s.Medium, address, s.Hash, w.Habits, now)
	}
	if err != nil {
		return err
	}
	grants, err := tx.Grants(mover.row.ID)
	if err != nil {
		return err
	}
	waiting := Wish{}
	for _, g := range grants {
		if g.Medium != s.Medium {
			continue
		}
		waiting.Purposes = append(waiting.Purposes, g.Purpose) // what has ended keeps the wish alive, and is not begun again
		if g.State == Active {
			w.Purposes = append(w.Purposes, g.Purpose)
		}
	}
	if err := p.pend(waiting, s.Medium, now); err != nil {
		return err
	}
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	if err := tx.SetAsked(s.Medium, s.Hash, times+1, now); err != nil {
		return err
	}
	token, hash := newToken()
	if err := tx.PutToken(Token{Hash: hash, Person: p.row.ID, Medium: s.Medium, Address: s.Hash, Wish: p.key.seal("wish", text), Created: now, Expires: now.Add(confirmFor)}); err != nil {
		return err
	}
	if err := r.queue(p, s.Medium, "confirm", Confirmation{Token: token, Purposes: w.Purposes, Lang: w.Habits.Lang, Change: true}, now, now.Add(confirmFor)); err != nil {
		if errors.Is(err, ErrNotFound) {
			return nil // nothing writes to that medium any more
		}
		return err
	}
	return p.record(EventAsked, now, change{Medium: s.Medium, Evidence: w.Evidence})
}

// moving finds who wants another address, and the one that they have. ErrNotFound when either is gone.
func (r *Registry) moving(tx Tx, w Wish, medium string) (p person, at Address, err error) {
	ref, _, err := nowRef(tx, w.Change)
	if err != nil {
		return p, at, err
	}
	row, err := tx.SubscriberByRef(ref)
	if p, err = r.load(tx, row, err); err != nil {
		return p, at, err
	}
	addresses, err := tx.Addresses(p.row.ID)
	if err != nil {
		return p, at, err
	}
	i := slices.IndexFunc(addresses, of(medium))
	if i < 0 {
		return p, at, ErrNotFound
	}
	return p, addresses[i], nil
}

// move does what a confirmation of another address asked for: whoever reads there has pressed the button. What was left at
// either address stays left. It gives who is reached there from now on: who reads there already and who moves are one person
// afterwards. Its error is ErrUnderWay while a message to one of them is.
func (r *Registry) move(ctx context.Context, tx Tx, t Token, w Wish, there person, e Evidence, now time.Time) (person, error) {
	mover, at, err := r.moving(tx, w, t.Medium)
	if errors.Is(err, ErrNotFound) || err == nil && mover.row.ID == there.row.ID {
		err = &TokenError{TokenUnknown}
	}
	if err != nil {
		return there, err
	}
	here, err := tx.Suppressions(t.Medium, at.Hash)
	if err != nil {
		return there, err
	}
	forbidden, err := tx.Suppressions(t.Medium, t.Address)
	if err != nil {
		return there, err
	}
	if closed(forbidden) || refusing(here) {
		return there, &TokenError{TokenUnknown}
	}
	own, err := tx.Grants(there.row.ID)
	if err != nil {
		return there, err
	}
	if err := mover.leaveBehind(t, here, forbidden, own, e, now); err != nil {
		return there, err
	}
	grants, err := tx.Grants(mover.row.ID)
	if err != nil {
		return there, err
	}
	grants = slices.DeleteFunc(grants, func(g Grant) bool { return g.Medium != t.Medium || g.State != Active })
	before, err := mover.key.open("address "+t.Medium, at.Sealed)
	if err != nil {
		return there, err
	}
	// The journal first: a database of before must not write to the address that was given up.
	for _, g := range grants {
		if err := r.enter(tx, entry{At: now, Medium: t.Medium, Hash: at.Hash, Purpose: g.Purpose.String(), Method: e.Method, Actor: e.Actor}); err != nil {
			return there, err
		}
		if err := tx.Suppress(Suppression{Medium: t.Medium, Hash: at.Hash, Scope: ScopePurpose, Purpose: g.Purpose.String(), Reason: SuppressedStopped, At: now}); err != nil {
			return there, err
		}
	}
	known := there.known(own)
	if known {
		err = mover.handOver(t.Medium, grants, own, there, e, now)
	} else {
		err = r.take(mover, there, t, grants, e, now)
	}
	if err != nil {
		return there, err
	}
	if err := mover.record(EventMoved, now, change{Medium: t.Medium, Evidence: e}); err != nil {
		return there, err
	}
	reached := mover
	if known {
		if reached, err = r.join(ctx, tx, mover, there, t.Medium, e, now); err != nil {
			return there, err
		}
	}
	lang := mover.row.Habits.Lang
	if lang == "" {
		lang = w.Habits.Lang
	}
	return reached, r.tellBefore(tx, t.Medium, string(before), at.Hash, lang, now)
}

// known reports whether somebody once agreed to something, by their grants, or is known to the sender's own system. Everybody else
// is only an address that was asked.
func (p person) known(own []Grant) bool {
	return p.row.External != "" || slices.ContainsFunc(own, func(g Grant) bool { return g.State != Pending && g.State != Expired || !g.Since.IsZero() })
}

// leaveBehind ends what somebody left at the address that another one moves to, and remembers there what the other one left. Only
// their own act begins anything again.
func (p person) leaveBehind(t Token, here, forbidden []Suppression, own []Grant, e Evidence, now time.Time) error {
	for _, s := range here {
		if s.Scope != ScopePurpose {
			if slices.ContainsFunc(own, func(g Grant) bool { return g.Medium == t.Medium && g.State == Active }) {
				continue // what is read there is not ended by what was wrong with the address of before
			}
			s.Reason = SuppressedStopped // an import must not begin there what it could not begin at the address of before
		}
		s.Hash = t.Address
		if err := forbid(p.tx, s); err != nil {
			return err
		}
	}
	var left []Purpose
	for _, s := range forbidden {
		left = append(left, ParsePurpose(s.Purpose))
	}
	for _, g := range own {
		if g.Medium == t.Medium && g.State == Withdrawn {
			left = append(left, g.Purpose)
		}
	}
	for _, purpose := range left {
		if _, err := p.end(Withdrawal{Purpose: &purpose, Medium: t.Medium, Evidence: e}, now); err != nil {
			return err
		}
	}
	return nil
}

// take gives an address that reached nobody yet to the person who moves there. Their grants stay, with the consent of now.
func (r *Registry) take(mover, there person, t Token, grants []Grant, e Evidence, now time.Time) error {
	addresses, err := there.tx.Addresses(there.row.ID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(addresses, of(t.Medium))
	if i < 0 {
		return &TokenError{TokenUnknown}
	}
	use, err := there.key.open("address "+t.Medium, addresses[i].Sealed)
	if err != nil {
		return err
	}
	if err := r.expire(there.tx, there.row.ID, now); err != nil {
		return err
	}
	if err := mover.setAddress(t.Medium, string(use), t.Address, now, now); err != nil {
		return err
	}
	for _, g := range grants {
		if err := mover.record(EventGranted, now, change{Purpose: g.Purpose, Medium: g.Medium, Evidence: e, Was: Active, Preferences: &g.Preferences}); err != nil {
			return err
		}
	}
	return mover.touch(now)
}

// handOver begins what the person followed for whoever reads at the other address and is known already, and ends it here.
func (p person) handOver(medium string, grants, own []Grant, there person, e Evidence, now time.Time) error {
	for _, g := range grants {
		if slices.ContainsFunc(own, func(o Grant) bool { return o.Purpose == g.Purpose && o.Medium == medium && o.State == Active }) {
			continue
		}
		if err := there.activate(Wish{Purposes: []Purpose{g.Purpose}, Preferences: g.Preferences}, medium, e, now); err != nil {
			return err
		}
	}
	if _, err := p.end(Withdrawal{Medium: medium, Evidence: e}, now); err != nil {
		return err
	}
	if err := p.tx.DropAddress(p.row.ID, medium); err != nil {
		return err
	}
	if err := there.verify(medium, now); err != nil {
		return err
	}
	if err := there.touch(now); err != nil {
		return err
	}
	return there.record(EventMoved, now, change{Medium: medium, Evidence: e})
}

// join makes who moved one person with who reads at the other address already, once handOver has brought there what came by the
// medium. By the links in what came to the old address one can still leave, and no more: who asks for another one's address and
// finds them obliging must not get to the pages of that one.
func (r *Registry) join(ctx context.Context, tx Tx, mover, there person, medium string, e Evidence, now time.Time) (person, error) {
	if err := r.still(ctx, mover.row.ID, there.row.ID); err != nil {
		return there, err
	}
	m := merging{r: r, tx: tx, now: now, evidence: e, over: medium}
	if err := m.run(mover.row.ID, there.row.ID); err != nil {
		return there, err
	}
	if err := tx.SetMark(mergedShut+mover.row.Ref, "moved"); err != nil {
		return there, err
	}
	row, err := tx.Subscriber(there.row.ID)
	return r.load(tx, row, err)
}

// tellBefore tells the address that was given up, by a fixed text. The row that is made for it holds nothing but where to write,
// and goes soon; see Tidy.
func (r *Registry) tellBefore(tx Tx, medium, use, hash, lang string, now time.Time) error {
	p, err := r.create(tx, medium, use, hash, Habits{}, now)
	if err != nil {
		return err
	}
	err = r.queue(p, medium, "confirm", Confirmation{Lang: lang, Moved: true}, now, now.Add(confirmFor))
	if errors.Is(err, ErrNotFound) {
		return nil // nothing writes to that medium any more
	}
	return err
}
