package consent

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Offer is what a person can follow.
type Offer struct {
	Purpose Purpose
	// Title and Description by language; "" is for any.
	Title, Description map[string]string
	Lang               string
	Media              []Medium
	Modes              []Mode
	Slots              []string
	Topics             []string
	Languages          []string
	// Breaking says that urgent posts may come in quiet hours if the person wants that.
	Breaking bool
}

// Medium is one way to follow.
type Medium struct {
	Name, Destination string
	// Link starts following at the medium itself (a bot's deep link); empty where a form does.
	Link string
	// TheyBegin says that the platform lets nobody be asked there: a person begins at the medium itself.
	TheyBegin bool
}

// Settings wire a Registry.
type Settings struct {
	Store Store
	Keys  *Keys
	Log   *slog.Logger
	// Offers are what can be followed, of the configuration in force.
	Offers func() []Offer
	// Journal is the file of acknowledged withdrawals.
	Journal *Journal
	// Now is the clock; nil is the real one. Deadline is how long a call to a platform may take, which a withdrawal waits
	// for at most.
	Now      func() time.Time
	Deadline time.Duration
	// Changed is called after something that lets messages go.
	Changed func()
	// BackupsFor is how long backups may hold what was erased since; zero when that is not known.
	BackupsFor time.Duration
	// Notifies says whether webhooks of a source may bring notices; nil means that those of every source may.
	Notifies func(source string) bool
	// Rule says of a medium when two spellings are one address there; nil is exactly for all.
	Rule func(medium string) sdk.AddressRule
}

// Registry is who asked for what.
type Registry struct{ s Settings }

// confirmFor is how long a confirmation link works; askAgain how long an address is not asked again; maxAsked how often it
// is asked without a click.
const (
	confirmFor = 48 * time.Hour
	askAgain   = 24 * time.Hour
	maxAsked   = 3
)

// New makes a Registry.
func New(s Settings) *Registry {
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Rule == nil {
		s.Rule = func(string) sdk.AddressRule { return sdk.AddressExact }
	}
	if s.Changed == nil {
		s.Changed = func() {}
	}
	if s.Deadline == 0 {
		s.Deadline = 15 * time.Second
	}
	if s.Offers == nil {
		s.Offers = func() []Offer { return nil }
	}
	if s.Notifies == nil {
		s.Notifies = func(string) bool { return true }
	}
	return &Registry{s: s}
}

// Offers are what can be followed.
func (r *Registry) Offers() []Offer { return r.s.Offers() }

func (r *Registry) now() time.Time { return r.s.Now().UTC() }

// offer finds what is offered over a medium.
func (r *Registry) offer(p Purpose, medium string) (Offer, bool) {
	for _, o := range r.s.Offers() {
		if o.Purpose == p && slices.ContainsFunc(o.Media, func(m Medium) bool { return m.Name == medium }) {
			return o, true
		}
	}
	return Offer{}, false
}

// check brings a wish into order, or says what in it is not offered.
func (r *Registry) check(w *Wish, medium string) error {
	if len(w.Purposes) == 0 {
		return sdk.Errorf(sdk.CodeInvalid, "follow", "nothing was chosen to follow")
	}
	for _, p := range w.Purposes {
		o, found := r.offer(p, medium)
		if !found {
			return sdk.Errorf(sdk.CodeInvalid, "follow", "%s cannot be followed by %s", p, medium)
		}
		if err := o.Check(&w.Preferences); err != nil {
			return err
		}
	}
	return w.Habits.Check()
}

// Check refuses what the offer does not have, and fills in what was left open. Its errors have CodeInvalid.
func (o Offer) Check(p *Preferences) error {
	if p.Mode == "" {
		p.Mode = Instant
		if len(o.Modes) > 0 {
			p.Mode = o.Modes[0]
		}
	}
	if len(o.Modes) > 0 && !slices.Contains(o.Modes, p.Mode) {
		return sdk.Errorf(sdk.CodeInvalid, "preferences", "%q is not offered", p.Mode)
	}
	if p.Mode == Digest && len(p.Slots) == 0 && len(o.Slots) > 0 {
		p.Slots = o.Slots[:1]
	}
	if p.Mode != Digest {
		p.Slots = nil
	}
	for what, chosen := range map[string][2][]string{"time": {p.Slots, o.Slots}, "topic": {p.Topics, o.Topics}, "language": {p.Languages, o.Languages}} {
		for _, c := range chosen[0] {
			if !slices.Contains(chosen[1], c) {
				return sdk.Errorf(sdk.CodeInvalid, "preferences", "the %s %q is not offered", what, c)
			}
		}
	}
	p.Breaking = p.Breaking && o.Breaking
	for _, list := range []*[]string{&p.Slots, &p.Topics, &p.Languages} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return nil
}

// mostPerDay is the most messages a day that somebody can ask for.
const mostPerDay = 1000

// Check refuses what is no zone or time. Its errors have CodeInvalid.
func (h *Habits) Check() error {
	if h.Zone != "" {
		if _, err := time.LoadLocation(h.Zone); err != nil || h.Zone == "Local" {
			return sdk.Errorf(sdk.CodeInvalid, "zone", "%q is no time zone; write it like Europe/Paris", h.Zone)
		}
	}
	if (h.QuietFrom == "") != (h.QuietUntil == "") {
		return sdk.Errorf(sdk.CodeInvalid, "quiet", "quiet hours need a beginning and an end")
	}
	for _, t := range []string{h.QuietFrom, h.QuietUntil} {
		if _, err := time.Parse("15:04", t); t != "" && err != nil {
			return sdk.Errorf(sdk.CodeInvalid, "quiet", "%q is no time; write it like 22:00", t)
		}
	}
	if h.QuietFrom == h.QuietUntil {
		h.QuietFrom, h.QuietUntil = "", ""
	}
	if h.PerDay < 0 || h.PerDay > mostPerDay {
		return sdk.Errorf(sdk.CodeInvalid, "per_day", "%d messages a day is not possible", h.PerDay)
	}
	return nil
}

// person is a subscriber with the key that opens what belongs to them, inside a transaction.
type person struct {
	tx  Tx
	row Subscriber
	key personKey
}

// load opens a person. What was erased is ErrNotFound.
func (r *Registry) load(tx Tx, row Subscriber, err error) (person, error) {
	if err != nil {
		return person{}, err
	}
	if !row.Erased.IsZero() {
		return person{}, ErrNotFound
	}
	sealed, err := tx.Key(row.ID)
	if err != nil {
		return person{}, err
	}
	key, err := r.s.Keys.person(row.Ref, sealed)
	return person{tx, row, key}, err
}

// create makes a person with an address.
func (r *Registry) create(tx Tx, medium, use, hash string, h Habits, now time.Time) (person, error) {
	p := person{tx: tx, row: Subscriber{Ref: newRef(), Habits: h, Created: now}}
	id, err := tx.AddSubscriber(p.row)
	if err != nil {
		return p, err
	}
	p.row.ID = id
	var sealed Sealed
	p.key, sealed = r.s.Keys.newPersonKey(p.row.Ref)
	if err := tx.SetKey(id, sealed); err != nil {
		return p, err
	}
	return p, p.setAddress(medium, use, hash, time.Time{}, now)
}

func (p person) setAddress(medium, use, hash string, verified, now time.Time) error {
	return p.tx.PutAddress(Address{Person: p.row.ID, Medium: medium, Hash: hash, Sealed: p.key.seal("address "+medium, []byte(use)), Verified: verified, Created: now})
}

// record writes an event of the ledger about the person, sealed by their key.
func (p person) record(kind string, now time.Time, e any) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("an event cannot be written: %w", err)
	}
	return p.tx.AddEvent(LedgerEvent{At: now, Recorded: now, Person: p.row.ID, Kind: kind, Data: p.key.seal("event "+kind, text)})
}

// change is what an event about a grant holds.
type change struct {
	Purpose  Purpose  `json:"purpose,omitzero"`
	Medium   string   `json:"medium,omitempty"`
	Evidence Evidence `json:"evidence"`
	// Was is the state before.
	Was State `json:"was,omitempty"`
	// Preferences or Habits, where they were changed.
	Preferences *Preferences `json:"preferences,omitempty"`
	Habits      *Habits      `json:"habits,omitempty"`
}

// The kinds of events. They are append-only: the ledger keeps them.
const (
	EventAsked      = "asked"      // a confirmation was asked for
	EventGranted    = "granted"    // consent was given
	EventRefused    = "refused"    // "never write to me again"
	EventWithdrawn  = "withdrawn"  // consent was taken back
	EventChosen     = "chosen"     // preferences of a grant
	EventHabits     = "habits"     // language, zone, quiet hours, pause
	EventSuppressed = "suppressed" // by a bounce, a complaint, the platform or an operator
	EventImported   = "imported"
	EventErased     = "erased"
	EventLooked     = "looked" // an operator looked the person up
	EventMerged     = "merged"
	EventMoved      = "moved" // another address was confirmed
	EventExpired    = "expired"
	EventOverride   = "override" // a breaking message came in quiet hours
)

// activate makes grants active by an act of the person themselves.
func (p person) activate(w Wish, medium string, e Evidence, now time.Time) error {
	grants, err := p.tx.Grants(p.row.ID)
	if err != nil {
		return err
	}
	for _, purpose := range w.Purposes {
		g := Grant{Person: p.row.ID, Purpose: purpose, Medium: medium, Version: 1}
		was := State("")
		if i := slices.IndexFunc(grants, func(g Grant) bool { return g.Purpose == purpose && g.Medium == medium }); i >= 0 {
			g, was = grants[i], grants[i].State
		}
		if was != Active {
			g.State, g.Since, g.Changed = Active, now, now
		}
		g.Preferences = w.Preferences
		if _, err := p.tx.PutGrant(g); err != nil {
			return err
		}
		if err := p.record(EventGranted, now, change{Purpose: purpose, Medium: medium, Evidence: e, Was: was, Preferences: &g.Preferences}); err != nil {
			return err
		}
	}
	return nil
}

// liftFor ends the suppressions that a fresh act of the person on that medium lifts.
func (p person) liftFor(medium, hash string, purposes []Purpose) error {
	list, err := p.tx.Suppressions(medium, hash)
	if err != nil {
		return err
	}
	for _, s := range list {
		if s.Scope == ScopePurpose && !slices.ContainsFunc(purposes, func(q Purpose) bool { return q.String() == s.Purpose }) {
			continue
		}
		if err := p.tx.Lift(s); err != nil {
			return err
		}
	}
	return nil
}

// touch says that the person showed that they are there.
func (p *person) touch(now time.Time) error {
	p.row.Signal = now
	return p.tx.SetSubscriber(p.row)
}

// merged fills in what a person has not chosen yet.
func (h Habits) merged(with Habits) Habits {
	if h.Lang == "" {
		h.Lang = with.Lang
	}
	if h.Zone == "" {
		h.Zone = with.Zone
	}
	if h.QuietFrom == "" {
		h.QuietFrom, h.QuietUntil = with.QuietFrom, with.QuietUntil
	}
	return h
}

// lookedUp says whether an error only means that there is nobody.
func lookedUp(err error) (found bool, _ error) {
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// trimmed bounds what evidence keeps of a text from outside.
func trimmed(e Evidence, now time.Time) Evidence {
	cut := func(s string, most int) string {
		s = strings.ToValidUTF8(s, "\ufffd")
		if len(s) > most {
			s = strings.ToValidUTF8(s[:most], "")
		}
		return s
	}
	if e.At.IsZero() {
		e.At = now
	}
	e.Wording, e.Version, e.Where, e.Origin, e.Note = cut(e.Wording, 8<<10), cut(e.Version, 128), cut(e.Where, 512), cut(e.Origin, 64), cut(e.Note, 512)
	return e
}
