package consent

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Withdrawal says what ends: one purpose or all, over one medium or all.
type Withdrawal struct {
	Purpose  *Purpose
	Medium   string
	Evidence Evidence
}

// Ack is the acknowledgement of a withdrawal.
type Ack struct {
	At time.Time
	// Settled says that no message to the person starts or is under way any more. Otherwise the withdrawal is recorded, and
	// one message may already be on its way.
	Settled bool
	Ended   []Purpose
}

// end ends the grants that a withdrawal names, and says which.
func (p person) end(w Withdrawal, now time.Time) (ended []Purpose, err error) {
	grants, err := p.tx.Grants(p.row.ID)
	if err != nil {
		return nil, err
	}
	for _, g := range grants {
		if w.Purpose != nil && g.Purpose != *w.Purpose || w.Medium != "" && g.Medium != w.Medium || g.State == Withdrawn || g.State == Expired {
			continue
		}
		was := g.State
		g.State, g.Changed = Withdrawn, now
		g.Version++
		if _, err := p.tx.PutGrant(g); err != nil {
			return nil, err
		}
		if err := p.record(EventWithdrawn, now, change{Purpose: g.Purpose, Medium: g.Medium, Evidence: w.Evidence, Was: was}); err != nil {
			return nil, err
		}
		ended = append(ended, g.Purpose)
	}
	return ended, nil
}

// stop remembers a withdrawal where no grant does: whoever left everything on a medium also left what they never followed,
// and whoever left something on all media also left it where they never followed it. An import must not begin that; their
// own act lifts it.
func (p person) stop(w Withdrawal, now time.Time) error {
	addresses, err := p.tx.Addresses(p.row.ID)
	if err != nil {
		return err
	}
	grants, err := p.tx.Grants(p.row.ID)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		s := Suppression{Medium: a.Medium, Hash: a.Hash, Scope: ScopeAll, Reason: SuppressedStopped, At: now}
		if w.Purpose != nil {
			s.Scope, s.Purpose = ScopePurpose, w.Purpose.String()
		}
		if w.Medium != "" && a.Medium != w.Medium ||
			w.Purpose != nil && slices.ContainsFunc(grants, func(g Grant) bool { return g.Purpose == *w.Purpose && g.Medium == a.Medium }) {
			continue
		}
		if err := forbid(p.tx, s); err != nil {
			return err
		}
	}
	return nil
}

// forbid keeps an address from being written to. What forbids more stays: "never write to me again", a complaint, and any
// reason that is stronger than that its owner left.
func forbid(tx Tx, s Suppression) error {
	if s.Scope != ScopeAll {
		return tx.Suppress(s)
	}
	known, err := tx.Suppressions(s.Medium, s.Hash)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(known, func(k Suppression) bool {
		return k.Scope == ScopeNever || k.Scope == ScopeAll && (k.Reason == SuppressedComplaint || s.Reason == SuppressedStopped)
	}) {
		return nil
	}
	return tx.Suppress(s)
}

// note writes a withdrawal into the journal beside the database, once for each address that it concerns.
func (r *Registry) note(p person, w Withdrawal, reason string, now time.Time) error {
	addresses, err := p.tx.Addresses(p.row.ID)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if w.Medium != "" && a.Medium != w.Medium {
			continue
		}
		e := entry{At: now, Medium: a.Medium, Hash: a.Hash, Reason: reason, Method: w.Evidence.Method, Actor: w.Evidence.Actor}
		if w.Purpose != nil {
			e.Purpose = w.Purpose.String()
		}
		if err := r.enter(p.tx, e); err != nil {
			return err
		}
	}
	return nil
}

// Withdraw ends what a person agreed to. It returns when no started message to them is left without an outcome, at most
// after the deadline of a call (promise 1): nothing to that person starts after it has returned. Repeats succeed.
func (r *Registry) Withdraw(ctx context.Context, id PersonID, w Withdrawal) (Ack, error) {
	return r.withdraw(ctx, func(tx Tx) (person, error) {
		row, err := tx.Subscriber(id)
		return r.load(tx, row, err)
	}, func(person) (Withdrawal, error) { return w, nil })
}

func (r *Registry) withdraw(ctx context.Context, find func(Tx) (person, error), what func(person) (Withdrawal, error)) (Ack, error) {
	now := r.now()
	ack := Ack{At: now}
	var who PersonID
	err := r.s.Store.People(ctx, func(tx Tx) error {
		ack.Ended = nil
		p, err := find(tx)
		if err != nil {
			return err
		}
		who = p.row.ID
		w, err := what(p)
		if err != nil {
			return err
		}
		w.Evidence = trimmed(w.Evidence, now)
		// The journal first: what stands there and not here is only honoured twice.
		if err := r.note(p, w, "", now); err != nil {
			return err
		}
		if ack.Ended, err = p.end(w, now); err != nil {
			return err
		}
		if err := p.stop(w, now); err != nil {
			return err
		}
		if len(ack.Ended) > 0 && w.Evidence.Actor == Self {
			return p.touch(now)
		}
		return nil
	})
	if err != nil {
		return Ack{}, err
	}
	ack.Settled, err = r.settled(ctx, who)
	return ack, err
}

// settled waits until no started message to a person is without an outcome, at most for the deadline.
func (r *Registry) settled(ctx context.Context, id PersonID) (bool, error) {
	end := time.NewTimer(r.s.Deadline)
	defer end.Stop()
	wait := 2 * time.Millisecond
	for {
		under, err := r.s.Store.Under(ctx, id)
		if err != nil || !under {
			return err == nil, err
		}
		look := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			look.Stop()
			return false, nil // it is recorded; who asked does not wait any more
		case <-end.C:
			look.Stop()
			return false, nil
		case <-look.C:
		}
		wait = min(2*wait, 100*time.Millisecond)
	}
}

// Leaving is what an unsubscribe link ends.
type Leaving struct {
	Purpose        Purpose
	Medium, Masked string
	State          State
	// Link leads to the person's own pages; empty where the token proves only that its holder may leave.
	Link string
}

// Leaving shows what an unsubscribe link ends, and changes nothing. Its error is ErrToken.
func (r *Registry) Leaving(ctx context.Context, token string) (l Leaving, err error) {
	err = r.s.Store.People(ctx, func(tx Tx) error {
		p, g, shut, err := r.grantOf(tx, token)
		if err != nil {
			return err
		}
		l = Leaving{Purpose: g.Purpose, Medium: g.Medium, State: g.State}
		if !shut {
			l.Link = r.s.Keys.Link(p.row.Ref)
		}
		addresses, err := p.masked()
		if i := slices.IndexFunc(addresses, func(m Masked) bool { return m.Medium == g.Medium }); i >= 0 {
			l.Masked = addresses[i].Text
		}
		return err
	})
	return l, err
}

// grantOf finds what a token ends, and whose it is now. Shut says that it opens no own pages.
func (r *Registry) grantOf(tx Tx, token string) (p person, g Grant, shut bool, err error) {
	ref, id, err := r.s.Keys.leaving(token)
	if err != nil {
		return p, g, false, &TokenError{TokenUnknown}
	}
	if ref, shut, err = nowRef(tx, ref); err != nil {
		return p, g, false, err
	}
	if id, err = nowGrant(tx, id); err != nil {
		return p, g, false, err
	}
	if g, err = tx.Grant(id); err == nil {
		var row Subscriber
		row, err = tx.Subscriber(g.Person)
		p, err = r.load(tx, row, err)
		if err == nil && p.row.Ref != ref { // a number that was given again once a database was restored
			err = ErrNotFound
		}
	}
	if errors.Is(err, ErrNotFound) {
		err = &TokenError{TokenUnknown}
	}
	return p, g, shut, err
}

// Leave ends what an unsubscribe link is about, or everything. It needs no login and works for ever. Its error is ErrToken.
func (r *Registry) Leave(ctx context.Context, token string, all bool, e Evidence) (Ack, error) {
	var g Grant
	return r.withdraw(ctx, func(tx Tx) (p person, err error) {
		p, g, _, err = r.grantOf(tx, token)
		return p, err
	}, func(person) (Withdrawal, error) {
		if all {
			return Withdrawal{Evidence: e}, nil
		}
		return Withdrawal{Purpose: &g.Purpose, Medium: g.Medium, Evidence: e}, nil
	})
}

// WithdrawAt ends what reaches an address, whoever it belongs to: the platform says that they blocked us, or a provider passes
// on a complaint. Reason is a Suppressed constant, or empty for a withdrawal alone. Nobody at that address is no error.
func (r *Registry) WithdrawAt(ctx context.Context, medium, address, reason string, e Evidence) (Ack, error) {
	_, compare, err := r.normalize(medium, address)
	if err != nil {
		return Ack{}, err
	}
	hash := r.s.Keys.Hash(medium, compare)
	if reason != "" {
		now := r.now()
		if err := r.s.Store.People(ctx, func(tx Tx) error {
			p, err := r.at(tx, medium, hash)
			if errors.Is(err, ErrNotFound) {
				if err := r.enter(tx, entry{At: now, Medium: medium, Hash: hash, Reason: reason, Method: e.Method, Actor: e.Actor}); err != nil {
					return err
				}
				return forbid(tx, Suppression{Medium: medium, Hash: hash, Scope: ScopeAll, Reason: reason, At: now})
			}
			if err != nil {
				return err
			}
			return r.gone(p, medium, reason, trimmed(e, now), now)
		}); err != nil {
			return Ack{}, err
		}
	}
	ack, err := r.withdraw(ctx, func(tx Tx) (person, error) { return r.at(tx, medium, hash) },
		func(person) (Withdrawal, error) { return Withdrawal{Medium: medium, Evidence: e}, nil })
	if errors.Is(err, ErrNotFound) {
		return Ack{At: r.now(), Settled: true}, nil
	}
	return ack, err
}

// Gone notes that a message to a person came back for good, or that they closed the way to them: the address is suppressed,
// and what reached it ends. Somebody who is gone by now is no error.
func (r *Registry) Gone(ctx context.Context, id PersonID, medium, reason string, e Evidence) error {
	now := r.now()
	err := r.s.Store.People(ctx, func(tx Tx) error {
		row, err := tx.Subscriber(id)
		p, err := r.load(tx, row, err)
		if err != nil {
			return err
		}
		return r.gone(p, medium, reason, trimmed(e, now), now)
	})
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// gone does so inside a transaction.
func (r *Registry) gone(p person, medium, reason string, e Evidence, now time.Time) error {
	addresses, err := p.tx.Addresses(p.row.ID)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if a.Medium != medium {
			continue
		}
		if err := forbid(p.tx, Suppression{Medium: medium, Hash: a.Hash, Scope: ScopeAll, Reason: reason, At: now}); err != nil {
			return err
		}
	}
	w := Withdrawal{Medium: medium, Evidence: e}
	if err := r.note(p, w, reason, now); err != nil {
		return err
	}
	if _, err := p.end(w, now); err != nil {
		return err
	}
	return p.record(EventSuppressed, now, change{Medium: medium, Evidence: e})
}
