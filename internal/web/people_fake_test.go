package web_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/web"
	"github.com/belfry-news/belfry/sdk"
)

// people is a stand-in for the Registry, as strict as its contract: what is not offered is refused, a confirmation works
// once, leaving works always. It keeps what was done to it.
type people struct {
	mu     sync.Mutex
	moves  []string // addresses that were asked for, with the language
	again  []int64  // grants that were asked for again
	now    func() time.Time
	offers []consent.Offer
	// known are addresses that follow already.
	known  map[string]bool
	asked  map[string]consent.Asked
	ended  map[string]string // why a confirmation leads nowhere
	link   string
	reader consent.Reader
	leave  map[string]int64 // the grant that an unsubscribe link ends
	record consent.Record
	erased bool
	// underway says that a message is under way whenever somebody leaves; fault is what the store answers to everything.
	underway bool
	fault    error
	panics   bool

	done     []string
	signUps  []consent.SignUp
	evidence []consent.Evidence
}

const (
	personLink   = "w7d3k5.9p2m4q8r6t1v3x5y7z0a2c4e"
	confirmToken = "c0nf1rmc0nf1rmc0nf1rmc0nf1rmc0nf"
	usedToken    = "0ldc0nf1rm0ldc0nf1rm0ldc0nf1rm00"
	lateToken    = "1atec0nf1rm1atec0nf1rm1atec0nf11"
	leaveToken   = "1a.6hk2m4p8q0r3s5t7v9w1x3y5z7a9b1"
)

// gazettePeople are the offers of the newsroom in Paris, with one reader who follows two channels and left a third.
func gazettePeople(n *newsroom) *people {
	telegram := func(start string) consent.Medium {
		return consent.Medium{Name: "telegram", Destination: "telegram", Link: "https://t.me/gazette_bot?start=" + start}
	}
	mail := consent.Medium{Name: "email", Destination: "mail"}
	channel := func(name string) consent.Purpose { return consent.Purpose{Kind: consent.Channel, Name: name} }
	p := &people{now: n.clock.now, known: map[string]bool{"known@example.org": true}, link: personLink, leave: map[string]int64{leaveToken: 11}, ended: map[string]string{usedToken: consent.TokenUsed, lateToken: consent.TokenExpired},
		offers: []consent.Offer{
			{Purpose: channel("alertes"), Title: map[string]string{"fr": "Dernière minute", "en": "Breaking"}, Description: map[string]string{"fr": "Ce qui vient d’arriver.", "en": "What has just happened."},
				Lang: "fr", Media: []consent.Medium{mail, telegram("alertes")}, Modes: []consent.Mode{consent.Instant, consent.Digest}, Slots: []string{"07:00", "12:30", "18:00"},
				Topics: []string{"politique", "transports", "météo"}, Languages: []string{"fr", "en"}, Breaking: true},
			{Purpose: channel("brief"), Title: map[string]string{"": "Le brief de 7 h"}, Lang: "fr", Media: []consent.Medium{mail}, Modes: []consent.Mode{consent.Digest}, Slots: []string{"07:00"}},
			{Purpose: channel("culture"), Title: map[string]string{"": "Culture"}, Lang: "fr", Media: []consent.Medium{telegram("culture")}, Modes: []consent.Mode{consent.Instant}},
			{Purpose: consent.Purpose{Kind: consent.Notice, Name: "livraison"}, Title: map[string]string{"fr": "Votre livraison", "en": "Your delivery"}, Lang: "fr", Media: []consent.Medium{mail}},
		}}
	preferences := consent.Preferences{Mode: consent.Digest, Slots: []string{"07:00", "18:00"}, Topics: []string{"transports"}}
	p.asked = map[string]consent.Asked{confirmToken: {Medium: "email", Masked: "m…@example.org", Purposes: []consent.Purpose{channel("alertes")}, Preferences: preferences,
		Habits: consent.Habits{Lang: "fr", Zone: "Europe/Paris"}, Expires: n.clock.now().Add(40 * time.Hour)}}
	since := paris(n.t, "2026-10-03 09:00:00")
	p.reader = consent.Reader{ID: 7, Ref: "h4k2m6p8q0r3s5t7", Link: personLink, Since: since, Habits: consent.Habits{Lang: "fr", Zone: "Europe/Paris", QuietFrom: "22:00", QuietUntil: "07:00"},
		Addresses: []consent.Masked{{Medium: "email", Text: "m…@example.org"}, {Medium: "telegram", Text: "…214"}},
		Grants: []consent.Grant{
			{ID: 11, Person: 7, Purpose: channel("alertes"), Medium: "email", State: consent.Active, Since: since, Changed: since, Preferences: preferences},
			{ID: 12, Person: 7, Purpose: consent.Purpose{Kind: consent.Notice, Name: "livraison"}, Medium: "email", State: consent.Active, Since: since, Changed: since, Preferences: consent.Preferences{Mode: consent.Instant}},
			{ID: 13, Person: 7, Purpose: channel("culture"), Medium: "telegram", State: consent.Withdrawn, Since: since, Changed: since.Add(30 * 24 * time.Hour)},
			{ID: 14, Person: 7, Purpose: channel("concours"), Medium: "email", State: consent.Active, Since: since, Changed: since},
		}}
	wording := consent.Evidence{At: since, Method: consent.ByLink, Actor: consent.Self, Wording: "En appuyant sur le bouton, je confirme.", Version: "0a1b2c3d4e5f6071", Lang: "fr", Where: "/confirm"}
	p.record = consent.Record{Events: []consent.Event{
		{At: since.Add(30 * 24 * time.Hour), Kind: consent.EventWithdrawn, Purpose: channel("culture"), Medium: "telegram", Evidence: consent.Evidence{Method: consent.ByPlatform, Actor: consent.Self}},
		{At: since, Kind: consent.EventGranted, Purpose: channel("alertes"), Medium: "email", Evidence: wording, Preferences: &preferences},
		{At: since.Add(-time.Hour), Kind: "kind of a later version", Medium: "email"},
	}, Messages: []consent.Sent{
		{At: since.Add(48 * time.Hour), Medium: "email", Title: "Incendie à la gare du Nord", URL: "https://canaux.gazette.example/c/alertes/abcdefgh", Outcome: "sent", Reason: "allowed", Purpose: channel("alertes")},
		{At: since.Add(24 * time.Hour), Medium: "email", Title: "Ligne 9 : reprise", Outcome: "suppressed", Reason: "quiet_hours", Purpose: channel("alertes")},
		{At: since.Add(24 * time.Hour), Medium: "email", Title: "Ligne 8", Outcome: "sent", Reason: consent.OutcomeHard, Purpose: channel("alertes")},
		{At: since.Add(23 * time.Hour), Medium: "email", Outcome: "outcome of a later version", Reason: "reason of a later version"},
	}}
	return p
}

// silent is a store without any post: the people's pages show none, and a real one takes a while to open.
type silent struct{ web.Store }

func (silent) PagesVersion(context.Context) (string, error)              { return "1", nil }
func (silent) ShownPosts(context.Context, web.Range) ([]web.Post, error) { return nil, nil }
func (silent) Places(context.Context) ([]web.Place, error)               { return nil, nil }
func (silent) Files(context.Context, []string) (compose.Files, error)    { return nil, nil }
func (silent) NextPost(context.Context, []string, time.Time) (time.Time, error) {
	return time.Time{}, nil
}
func (silent) NewestPosts(context.Context, []string, time.Time) ([]web.Post, error) { return nil, nil }

// openPeople makes a newsroom without any post, whose channels can be followed by message. What is logged goes to log.
func openPeople(t testing.TB, config *configs.Config, log *bytes.Buffer) (*newsroom, *people) {
	t.Helper()
	n := &newsroom{t: t, config: config, clock: &clock{t: paris(t, "2026-11-20 07:41:20")}}
	return n, n.welcome(silent{}, log)
}

// openFilled makes one with a morning's news.
func openFilled(t testing.TB, config *configs.Config) (*newsroom, *people) {
	t.Helper()
	n := open(t, config)
	n.fill()
	return n, n.welcome(n.db, nil)
}

// welcome lets a newsroom's channels be followed by message.
func (n *newsroom) welcome(store web.Store, log *bytes.Buffer) *people {
	p := gazettePeople(n)
	s := web.Settings{Store: store, Files: n.files, Config: n.config, Now: n.clock.now, People: p, Log: slog.New(slog.NewTextHandler(n.t.Output(), nil)),
		Origin:  func(r *http.Request) string { return r.Header.Get("X-Test-Origin") },
		Network: func(r *http.Request) string { return r.Header.Get("X-Test-Network") }}
	if log != nil {
		s.Log = slog.New(slog.NewTextHandler(&locked{w: log}, nil))
	}
	n.server = web.New(s)
	return p
}

// locked lets several goroutines write.
type locked struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

// form sends a form.
func (n *newsroom) form(path string, fields url.Values, headers ...string) answer {
	n.t.Helper()
	return n.ask(http.MethodPost, path, strings.NewReader(fields.Encode()), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

// changes gives what was done and forgets it.
func (p *people) changes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := p.done
	p.done = nil
	return out
}

func (p *people) note(e consent.Evidence, format string, args ...any) {
	p.done = append(p.done, fmt.Sprintf(format, args...))
	p.evidence = append(p.evidence, e)
}

// last is the newest evidence.
func (p *people) last(t *testing.T) consent.Evidence {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.evidence) == 0 {
		t.Fatal("there is no evidence")
	}
	return p.evidence[len(p.evidence)-1]
}

func (p *people) enter() (func(), error) {
	p.mu.Lock()
	if p.panics {
		p.mu.Unlock()
		panic("a fault of the program")
	}
	return p.mu.Unlock, p.fault
}

func (p *people) Offers() []consent.Offer { return p.offers }

func (p *people) offer(purpose consent.Purpose, medium string) (consent.Offer, bool) {
	for _, o := range p.offers {
		if o.Purpose == purpose && slices.ContainsFunc(o.Media, func(m consent.Medium) bool { return m.Name == medium }) {
			return o, true
		}
	}
	return consent.Offer{}, false
}

func (p *people) SignUp(_ context.Context, s consent.SignUp) error {
	leave, err := p.enter()
	defer leave()
	if err != nil {
		return err
	}
	if _, _, err := consent.Normalize(s.Medium, s.Address); err != nil {
		return err
	}
	for _, purpose := range s.Purposes {
		o, found := p.offer(purpose, s.Medium)
		if !found {
			return sdk.Errorf(sdk.CodeInvalid, "follow", "%s cannot be followed by %s", purpose, s.Medium)
		}
		if err := o.Check(&s.Preferences); err != nil {
			return err
		}
	}
	if err := s.Habits.Check(); err != nil {
		return err
	}
	p.signUps = append(p.signUps, s)
	p.note(s.Evidence, "sign up %s", s.Address)
	return nil
}

func (p *people) find(token string) (consent.Asked, error) {
	if why := p.ended[token]; why != "" {
		return consent.Asked{}, &consent.TokenError{Why: why}
	}
	a, ok := p.asked[token]
	if !ok {
		return a, fmt.Errorf("find: %w", &consent.TokenError{Why: consent.TokenUnknown})
	}
	return a, nil
}

func (p *people) Asked(_ context.Context, token string) (consent.Asked, error) {
	leave, err := p.enter()
	defer leave()
	if err != nil {
		return consent.Asked{}, err
	}
	return p.find(token)
}

func (p *people) Confirm(_ context.Context, token string, e consent.Evidence) (consent.Reader, error) {
	leave, err := p.enter()
	defer leave()
	if err != nil {
		return consent.Reader{}, err
	}
	if _, err := p.find(token); err != nil {
		return consent.Reader{}, err
	}
	p.ended[token] = consent.TokenUsed
	p.note(e, "confirm")
	return p.reader, nil
}

func (p *people) Refuse(_ context.Context, token string, e consent.Evidence) (consent.Ack, error) {
	leave, err := p.enter()
	defer leave()
	if err != nil {
		return consent.Ack{}, err
	}
	if _, err := p.find(token); err != nil {
		return consent.Ack{}, err
	}
	p.ended[token] = consent.TokenUsed
	p.note(e, "refuse")
	return consent.Ack{At: p.now(), Settled: !p.underway}, nil
}

func (p *people) Reader(_ context.Context, link string) (consent.Reader, error) {
	leave, err := p.enter()
	defer leave()
	if err != nil {
		return consent.Reader{}, err
	}
	if link != p.link || p.erased {
		return consent.Reader{}, &consent.TokenError{Why: consent.TokenUnknown}
	}
	out := p.reader
	out.Grants = slices.Clone(p.reader.Grants)
	return out, nil
}

func (p *people) Choose(_ context.Context, id consent.PersonID, grant int64, c consent.Preferences, e consent.Evidence) error {
	leave, err := p.enter()
	defer leave()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(p.reader.Grants, func(g consent.Grant) bool { return g.ID == grant && g.State == consent.Active })
	if i < 0 || id != p.reader.ID {
		return sdk.Errorf(sdk.CodeInvalid, "preferences", "this is not followed")
	}
	o, found := p.offer(p.reader.Grants[i].Purpose, p.reader.Grants[i].Medium)
	if !found {
		return sdk.Errorf(sdk.CodeInvalid, "preferences", "this is not offered any more")
	}
	if err := o.Check(&c); err != nil {
		return err
	}
	p.reader.Grants[i].Preferences = c
	text, _ := json.Marshal(c)
	p.note(e, "choose %d %s", grant, text)
	return nil
}

func (p *people) SetHabits(_ context.Context, id consent.PersonID, h consent.Habits, e consent.Evidence) error {
	leave, err := p.enter()
	defer leave()
	if err != nil {
		return err
	}
	if err := h.Check(); err != nil || id != p.reader.ID {
		return err
	}
	p.reader.Habits = h
	text, _ := json.Marshal(h)
	p.note(e, "habits %s", text)
	return nil
}

func (p *people) ChangeAddress(_ context.Context, id consent.PersonID, medium, address string, e consent.Evidence) error {
	leave, err := p.enter()
	defer leave()
	if err != nil || id != p.reader.ID {
		return err
	}
	if _, _, err := consent.Normalize(medium, address); err != nil {
		return err
	}
	if address == "mine@example.org" {
		return sdk.Errorf(sdk.CodeInvalid, "address", "this is your address already")
	}
	p.moves = append(p.moves, address+" "+e.Lang)
	return nil
}

func (p *people) AskAgain(_ context.Context, id consent.PersonID, grant int64, _ consent.Evidence) error {
	leave, err := p.enter()
	defer leave()
	if err != nil || id != p.reader.ID {
		return err
	}
	p.again = append(p.again, grant)
	return nil
}

func (p *people) Withdraw(_ context.Context, id consent.PersonID, w consent.Withdrawal) (consent.Ack, error) {
	leave, err := p.enter()
	defer leave()
	if err != nil || id != p.reader.ID {
		return consent.Ack{}, err
	}
	return p.end(w, "withdraw"), nil
}

func (p *people) end(w consent.Withdrawal, how string) consent.Ack {
	ack := consent.Ack{At: p.now(), Settled: !p.underway}
	for i, g := range p.reader.Grants {
		if g.State == consent.Active && (w.Purpose == nil || *w.Purpose == g.Purpose) && (w.Medium == "" || w.Medium == g.Medium) {
			p.reader.Grants[i].State = consent.Withdrawn
			ack.Ended = append(ack.Ended, g.Purpose)
		}
	}
	p.note(w.Evidence, "%s %s", how, purposes(ack.Ended))
	return ack
}

func purposes(list []consent.Purpose) string {
	var out []string
	for _, p := range list {
		out = append(out, p.Name)
	}
	return strings.Join(out, "+")
}

func (p *people) Leaving(_ context.Context, token string) (consent.Leaving, error) {
	leave, err := p.enter()
	defer leave()
	if err != nil {
		return consent.Leaving{}, err
	}
	id, ok := p.leave[token]
	if !ok {
		return consent.Leaving{}, &consent.TokenError{Why: consent.TokenUnknown}
	}
	g := p.reader.Grants[slices.IndexFunc(p.reader.Grants, func(g consent.Grant) bool { return g.ID == id })]
	return consent.Leaving{Purpose: g.Purpose, Medium: g.Medium, Masked: "m…@example.org", State: g.State, Link: p.link}, nil
}

func (p *people) Leave(ctx context.Context, token string, all bool, e consent.Evidence) (consent.Ack, error) {
	leave, err := p.enter()
	defer leave()
	if err != nil {
		return consent.Ack{}, err
	}
	if ctx.Err() != nil {
		return consent.Ack{}, ctx.Err()
	}
	id, ok := p.leave[token]
	if !ok {
		return consent.Ack{}, &consent.TokenError{Why: consent.TokenUnknown}
	}
	g := p.reader.Grants[slices.IndexFunc(p.reader.Grants, func(g consent.Grant) bool { return g.ID == id })]
	w := consent.Withdrawal{Purpose: &g.Purpose, Medium: g.Medium, Evidence: e}
	if all {
		w = consent.Withdrawal{Evidence: e}
	}
	return p.end(w, "leave"), nil
}

func (p *people) Record(_ context.Context, id consent.PersonID) (consent.Record, error) {
	leave, err := p.enter()
	defer leave()
	if err != nil || id != p.reader.ID {
		return consent.Record{}, err
	}
	out := p.record
	out.Reader = p.reader
	return out, nil
}

func (p *people) Export(_ context.Context, id consent.PersonID) ([]byte, error) {
	leave, err := p.enter()
	defer leave()
	if err != nil || id != p.reader.ID {
		return nil, err
	}
	return []byte(`{"person": "h4k2m6p8q0r3s5t7"}`), nil
}

func (p *people) Erase(_ context.Context, id consent.PersonID, e consent.Evidence) (consent.Erased, error) {
	leave, err := p.enter()
	defer leave()
	if err != nil || id != p.reader.ID {
		return consent.Erased{}, err
	}
	p.erased = true
	p.note(e, "erase")
	return consent.Erased{At: p.now(), Settled: !p.underway, BackupsUntil: p.now().Add(30 * 24 * time.Hour)}, nil
}

// hangUp posts to a path and does not wait for the answer.
func (n *newsroom) hangUp(path string) {
	n.t.Helper()
	ctx, cancel := context.WithCancel(n.t.Context())
	cancel()
	n.server.Handler().ServeHTTP(httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, path, nil))
}
