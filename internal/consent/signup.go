package consent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// SignUp is a wish to follow, from somebody who may be anybody.
type SignUp struct {
	Medium string
	// Address as it was typed.
	Address     string
	Purposes    []Purpose
	Preferences Preferences
	Habits      Habits
	Evidence    Evidence
	// Reference is what your own system calls the person, for notices; it counts once they have confirmed.
	Reference string
}

// SignUp takes a wish. It does the same work, and so answers alike in text and time, whoever's address it is: what becomes
// of it is decided later, by Work. Only what is malformed or not offered is refused, with CodeInvalid.
func (r *Registry) SignUp(ctx context.Context, s SignUp) error {
	use, compare, err := r.normalize(s.Medium, s.Address)
	if err != nil {
		return err
	}
	now := r.now()
	w := Wish{Purposes: s.Purposes, Preferences: s.Preferences, Habits: s.Habits, Evidence: trimmed(s.Evidence, now)}
	if err := r.check(&w, s.Medium); err != nil {
		return err
	}
	for _, p := range s.Purposes {
		if o, _ := r.offer(p, s.Medium); slices.ContainsFunc(o.Media, func(m Medium) bool { return m.Name == s.Medium && m.TheyBegin }) {
			return sdk.Errorf(sdk.CodeInvalid, "follow", "nobody can be asked by %s before they have written there; let them open the bot and press its button", s.Medium)
		}
	}
	if s.Reference != "" {
		w.External = r.s.Keys.Hash("reference", s.Reference)
	}
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	desk := r.s.Keys.desk()
	row := SealedSignup{Medium: s.Medium, Hash: r.s.Keys.Hash(s.Medium, compare), Address: desk.seal("address", []byte(use)), Wish: desk.seal("wish", text), At: now}
	if err := r.s.Store.People(ctx, func(tx Tx) error { return tx.AddSignup(row) }); err != nil {
		return err
	}
	r.s.Changed()
	return nil
}

// Work looks at the wishes that wait, and says how many there were. Each is a transaction of its own, so that one that fails
// keeps no other.
func (r *Registry) Work(ctx context.Context) (n int, err error) {
	for {
		var waiting []SealedSignup
		if err := r.s.Store.People(ctx, func(tx Tx) (err error) { waiting, err = tx.Signups(100); return err }); err != nil || len(waiting) == 0 {
			return n, err
		}
		for _, s := range waiting {
			if err := r.s.Store.People(ctx, func(tx Tx) error {
				if err := r.ask(tx, s); err != nil {
					return err
				}
				return tx.DropSignup(s.ID)
			}); err != nil {
				return n, fmt.Errorf("a sign-up cannot be worked on: %w", err)
			}
			n++
		}
		r.s.Changed()
	}
}

// ask writes the confirmation that a wish asks for, unless the address must not be written to, was asked lately, or never
// clicked.
func (r *Registry) ask(tx Tx, s SealedSignup) error {
	now := r.now()
	desk := r.s.Keys.desk()
	address, err := desk.open("address", s.Address)
	if err != nil {
		return err
	}
	text, err := desk.open("wish", s.Wish)
	if err != nil {
		return err
	}
	var w Wish
	if err := json.Unmarshal(text, &w); err != nil {
		return err
	}
	if now.Sub(s.At) > askAgain {
		return nil // whoever asked has given up, and an old mail would surprise
	}
	if w.Change != "" {
		return r.askChange(tx, s, string(address), w, now)
	}
	if err := r.check(&w, s.Medium); err != nil {
		return nil //nolint:nilerr // no longer offered
	}
	list, err := tx.Suppressions(s.Medium, s.Hash)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, func(s Suppression) bool { return s.Scope == ScopeNever || s.Reason == SuppressedComplaint }) {
		return nil
	}
	times, last, err := tx.Asked(s.Medium, s.Hash)
	if err != nil || times >= maxAsked || !last.IsZero() && now.Sub(last) < askAgain {
		return err
	}
	row, err := tx.SubscriberByAddress(s.Medium, s.Hash)
	found, err := lookedUp(err)
	if err != nil {
		return err
	}
	var p person
	if found {
		if p, err = r.load(tx, row, nil); err != nil {
			return err
		}
		if all, err := p.follows(w.Purposes, s.Medium); err != nil || all {
			return err // they have what is asked for; their own page changes it
		}
	} else if p, err = r.create(tx, s.Medium, string(address), s.Hash, w.Habits, now); err != nil {
		return err
	}
	if err := tx.SetAsked(s.Medium, s.Hash, times+1, now); err != nil {
		return err
	}
	token, hash := newToken()
	if err := tx.PutToken(Token{Hash: hash, Person: p.row.ID, Medium: s.Medium, Address: s.Hash, Wish: p.key.seal("wish", text), Created: now, Expires: now.Add(confirmFor)}); err != nil {
		return err
	}
	if err := p.pend(w, s.Medium, now); err != nil {
		return err
	}
	lang := w.Habits.Lang
	if lang == "" {
		lang = p.row.Habits.Lang
	}
	if err := r.queue(p, s.Medium, "confirm", Confirmation{Token: token, Purposes: w.Purposes, Lang: lang}, now, now.Add(confirmFor)); err != nil {
		if errors.Is(err, ErrNotFound) {
			return nil // nothing writes to that medium any more
		}
		return err
	}
	return p.record(EventAsked, now, change{Medium: s.Medium, Evidence: w.Evidence, Preferences: &w.Preferences})
}

// Confirmation is what the mail that asks for a confirmation needs.
type Confirmation struct {
	Token    string    `json:"token"`
	Purposes []Purpose `json:"purposes"`
	Lang     string    `json:"lang"`
	// Change says that somebody wants to get here what came to another address until now. Moved tells that other address that it
	// is written to no more: there is nothing to confirm.
	Change bool `json:"change,omitempty"`
	Moved  bool `json:"moved,omitempty"`
}

// queue makes the message of a fixed text.
func (r *Registry) queue(p person, medium, kind string, content any, now, until time.Time) error {
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	return p.tx.Queue(Fixed{Kind: kind, Medium: medium, Person: p.row.ID, Content: p.key.seal("text "+kind, text), At: now, Expires: until})
}

// follows reports whether all of that is active already.
func (p person) follows(purposes []Purpose, medium string) (bool, error) {
	grants, err := p.tx.Grants(p.row.ID)
	if err != nil {
		return false, err
	}
	for _, want := range purposes {
		if !slices.ContainsFunc(grants, func(g Grant) bool { return g.Purpose == want && g.Medium == medium && g.State == Active }) {
			return false, nil
		}
	}
	return true, nil
}

// pend notes what was asked for where nothing is known yet. It changes no grant that exists: somebody else may have asked.
func (p person) pend(w Wish, medium string, now time.Time) error {
	grants, err := p.tx.Grants(p.row.ID)
	if err != nil {
		return err
	}
	for _, purpose := range w.Purposes {
		if slices.ContainsFunc(grants, func(g Grant) bool { return g.Purpose == purpose && g.Medium == medium }) {
			continue
		}
		if _, err := p.tx.PutGrant(Grant{Person: p.row.ID, Purpose: purpose, Medium: medium, State: Pending, Changed: now, Version: 1, Preferences: w.Preferences}); err != nil {
			return err
		}
	}
	return nil
}

// Asked is what a confirmation link is about.
type Asked struct {
	Medium, Masked string
	Purposes       []Purpose
	Preferences    Preferences
	Habits         Habits
	Expires        time.Time
	// Change says that it is about another address for what the person has; From is where it comes now, masked.
	Change bool
	From   string
	// Joins says that somebody is reached there already, who becomes one person with who has it.
	Joins bool
}

// Asked shows what a confirmation link is about, and changes nothing: scanners follow links. Its error is ErrToken.
func (r *Registry) Asked(ctx context.Context, token string) (a Asked, err error) {
	err = r.s.Store.People(ctx, func(tx Tx) error {
		t, wish, p, err := r.token(tx, token)
		if err != nil {
			return err
		}
		a = Asked{Medium: t.Medium, Purposes: wish.Purposes, Preferences: wish.Preferences, Habits: wish.Habits, Expires: t.Expires}
		if wish.Change != "" {
			mover, _, err := r.moving(tx, wish, t.Medium)
			if errors.Is(err, ErrNotFound) {
				return &TokenError{TokenUnknown}
			}
			if err != nil {
				return err
			}
			masks, err := mover.masked()
			if err != nil {
				return err
			}
			for _, m := range masks {
				if m.Medium == t.Medium {
					a.Change, a.From = true, m.Text
				}
			}
			own, err := tx.Grants(p.row.ID)
			if err != nil {
				return err
			}
			a.Joins = p.known(own)
		}
		addresses, err := p.masked()
		for _, m := range addresses {
			if m.Medium == t.Medium {
				a.Masked = m.Text
			}
		}
		return err
	})
	return a, err
}

// token finds an unused confirmation and its person.
func (r *Registry) token(tx Tx, token string) (Token, Wish, person, error) {
	var w Wish
	t, err := tx.Token(tokenHash(token))
	switch found, err := lookedUp(err); {
	case err != nil:
		return t, w, person{}, err
	case !found:
		return t, w, person{}, &TokenError{TokenUnknown}
	case !t.Used.IsZero():
		return t, w, person{}, &TokenError{TokenUsed}
	case !r.now().Before(t.Expires):
		return t, w, person{}, &TokenError{TokenExpired}
	}
	row, err := tx.SubscriberByAddress(t.Medium, t.Address)
	if found, err := lookedUp(err); err != nil {
		return t, w, person{}, err
	} else if !found || row.ID != t.Person {
		return t, w, person{}, &TokenError{TokenUnknown} // the address belongs to nobody or somebody else by now
	}
	p, err := r.load(tx, row, nil)
	if errors.Is(err, ErrNotFound) {
		err = &TokenError{TokenUnknown}
	}
	if err == nil {
		var text []byte
		if text, err = p.key.open("wish", t.Wish); err == nil {
			err = json.Unmarshal(text, &w)
		}
		for i, q := range w.Purposes { // a channel may have been renamed since
			if err != nil {
				break
			}
			var called string
			if called, err = nowCalled(tx, q.String(), t.Created); err == nil {
				w.Purposes[i].Name = strings.TrimPrefix(called, string(q.Kind)+" ")
			}
		}
	}
	return t, w, p, err
}

// oftenEnough is how often a confirmation waits for messages that are under way to two people who become one.
const oftenEnough = 5

// Confirm does what a confirmation asked for: the person pressed the button behind a link that only they were sent. Its
// error is ErrToken, or ErrUnderWay when it has to be tried again: nothing has changed then.
func (r *Registry) Confirm(ctx context.Context, token string, e Evidence) (reader Reader, err error) {
	for range oftenEnough {
		var busy underWay
		if reader, err = r.confirm(ctx, token, e); !errors.As(err, &busy) {
			break
		}
		if settled, err := r.settled(ctx, PersonID(busy)); err != nil || !settled {
			return reader, errors.Join(err, ErrUnderWay)
		}
	}
	return reader, err
}

func (r *Registry) confirm(ctx context.Context, token string, e Evidence) (reader Reader, err error) {
	now := r.now()
	e = trimmed(e, now)
	err = r.s.Store.People(ctx, func(tx Tx) error {
		t, wish, p, err := r.token(tx, token)
		if err != nil {
			return err
		}
		t.Used, t.Outcome = now, "confirmed"
		if err := tx.PutToken(t); err != nil {
			return err
		}
		if err := tx.SetAsked(t.Medium, t.Address, 0, now); err != nil {
			return err
		}
		if wish.Change != "" {
			if p, err = r.move(ctx, tx, t, wish, p, e, now); err != nil {
				return err
			}
			reader, err = r.reader(p)
			return err
		}
		if err := p.liftFor(t.Medium, t.Address, wish.Purposes); err != nil {
			return err
		}
		if err := p.verify(t.Medium, now); err != nil {
			return err
		}
		// What they saw when they asked is the wording; where and how they confirmed is the act.
		if e.Wording == "" {
			e.Wording, e.Version, e.Lang = wish.Evidence.Wording, wish.Evidence.Version, wish.Evidence.Lang
		}
		p.row.Habits = p.row.Habits.merged(wish.Habits)
		if wish.External != "" && p.row.External == "" {
			// A reference that is somebody else's already stays theirs.
			if taken, err := lookedUp(second(tx.SubscriberByExternal(wish.External))); err != nil {
				return err
			} else if !taken {
				p.row.External = wish.External
			}
		}
		if err := p.touch(now); err != nil {
			return err
		}
		if err := p.activate(wish, t.Medium, e, now); err != nil {
			return err
		}
		reader, err = r.reader(p)
		return err
	})
	if err == nil {
		r.s.Changed()
	}
	return reader, err
}

// second is the error of two results.
func second[T any](_ T, err error) error { return err }

// verify notes that the person is reached there.
func (p person) verify(medium string, now time.Time) error {
	addresses, err := p.tx.Addresses(p.row.ID)
	if err != nil {
		return err
	}
	for _, a := range addresses {
		if a.Medium == medium && a.Verified.IsZero() {
			a.Verified = now
			return p.tx.PutAddress(a)
		}
	}
	return nil
}

// Refuse takes "never write to me again": the address is not even asked any more. It waits like Withdraw.
func (r *Registry) Refuse(ctx context.Context, token string, e Evidence) (Ack, error) {
	now := r.now()
	e = trimmed(e, now)
	ack := Ack{At: now}
	var who PersonID
	if err := r.s.Store.People(ctx, func(tx Tx) error {
		t, _, p, err := r.token(tx, token)
		if err != nil {
			return err
		}
		who = p.row.ID
		t.Used, t.Outcome = now, "refused"
		if err := tx.PutToken(t); err != nil {
			return err
		}
		if err := r.enter(tx, entry{At: now, Medium: t.Medium, Hash: t.Address, Never: true}); err != nil {
			return err
		}
		if err := tx.Suppress(Suppression{Medium: t.Medium, Hash: t.Address, Scope: ScopeNever, Reason: SuppressedNever, At: now}); err != nil {
			return err
		}
		if ack.Ended, err = p.end(Withdrawal{Medium: t.Medium, Evidence: e}, now); err != nil {
			return err
		}
		return p.record(EventRefused, now, change{Medium: t.Medium, Evidence: e})
	}); err != nil {
		return Ack{}, err
	}
	var err error
	ack.Settled, err = r.settled(ctx, who)
	return ack, err
}

// Follow is an explicit act on the medium itself: a bot's button, a keyword.
type Follow struct {
	From        sdk.Handle
	Purposes    []Purpose
	Preferences Preferences
	Habits      Habits
	Evidence    Evidence
}

// Follow makes grants active at once: the act itself came from where the messages will go.
func (r *Registry) Follow(ctx context.Context, f Follow) (reader Reader, err error) {
	use, compare, err := r.normalize(f.From.Medium, f.From.Value)
	if err != nil {
		return Reader{}, err
	}
	now := r.now()
	w := Wish{Purposes: f.Purposes, Preferences: f.Preferences, Habits: f.Habits}
	if err := r.check(&w, f.From.Medium); err != nil {
		return Reader{}, err
	}
	hash := r.s.Keys.Hash(f.From.Medium, compare)
	err = r.s.Store.People(ctx, func(tx Tx) error {
		p, err := r.at(tx, f.From.Medium, hash)
		if errors.Is(err, ErrNotFound) {
			p, err = r.create(tx, f.From.Medium, use, hash, w.Habits, now)
		}
		if err != nil {
			return err
		}
		if err := p.liftFor(f.From.Medium, hash, w.Purposes); err != nil {
			return err
		}
		if err := p.verify(f.From.Medium, now); err != nil {
			return err
		}
		p.row.Habits = p.row.Habits.merged(w.Habits)
		if err := p.touch(now); err != nil {
			return err
		}
		if err := p.activate(w, f.From.Medium, trimmed(f.Evidence, now), now); err != nil {
			return err
		}
		reader, err = r.reader(p)
		return err
	})
	if err == nil {
		r.s.Changed()
	}
	return reader, err
}

// at finds the person whom an address reaches.
func (r *Registry) at(tx Tx, medium, hash string) (person, error) {
	row, err := tx.SubscriberByAddress(medium, hash)
	return r.load(tx, row, err)
}
