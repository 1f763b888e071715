package direct_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/sdk"
)

var quiet = slog.New(slog.DiscardHandler)

var (
	alertes = consent.Purpose{Kind: consent.Channel, Name: "alertes"}
	brief   = consent.Purpose{Kind: consent.Channel, Name: "brief"}
)

// house is a newsroom with people, a real store, and a messenger that keeps what it was given.
type house struct {
	t      testing.TB
	db     *store.DB
	people *consent.Registry
	engine *direct.Engine
	out    *outgoing
	post   int64
	jump   policy.Jump
	dir    string
	rows   bool
	keys   *consent.Keys
}

// outgoing is a platform.
type outgoing struct {
	mu    sync.Mutex
	got   []sent
	fail  func(n int, to string) error
	delay func(to string) <-chan struct{}
}

type sent struct {
	id, to string
	slots  map[string]string
	at     time.Time
}

func (o *outgoing) Close(context.Context) error { return nil }

func (o *outgoing) Message(ctx context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
	to, err := m.Recipient(time.Now())
	if err != nil {
		return sdk.MessageRef{}, err
	}
	value, _ := to.Reveal()
	if o.delay != nil {
		select {
		case <-o.delay(value):
		case <-ctx.Done():
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fail != nil {
		if err := o.fail(len(o.got), value); err != nil {
			return sdk.MessageRef{}, err
		}
	}
	o.got = append(o.got, sent{m.ID(), value, m.Slots, time.Now()})
	return sdk.MessageRef{ID: m.ID()}, nil
}

func (o *outgoing) all() []sent {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]sent(nil), o.got...)
}

// writer says the same to everybody.
type writer struct {
	caps       policy.Caps
	rules      policy.Rules
	first      int
	ask, pause time.Duration
}

func (w writer) Facts(_ context.Context, s consent.Stream, _ time.Time) (policy.Facts, func(*consent.Candidate) []int64, error) {
	return policy.Facts{Kind: policy.Kind(s.Kind), Purpose: s.Purpose, Medium: s.Medium, Caps: w.caps, Rules: w.rules, Brake: policy.Brake{First: w.first}, Content: policy.Content{Expires: s.Expires, Urgent: s.Urgent}}, nil, nil
}

func (writer) Text(_ context.Context, m consent.Start) (direct.Text, error) {
	out := direct.Text{Common: &sdk.Common{ID: "one", Subject: "News"}, Slots: map[string]string{"leave": m.Leave, "link": m.Link}}
	if m.Stream.Kind == consent.StreamConfirm {
		var c consent.Confirmation
		if err := json.Unmarshal(m.Text, &c); err != nil {
			return out, err
		}
		out.Slots[sdk.SlotConfirm] = c.Token
	}
	return out, nil
}

func (writer) Zone() *time.Location { return time.UTC }

func (w writer) Sunset() (ask, pause time.Duration) { return w.ask, w.pause }

func newHouse(t testing.TB) *house {
	t.Helper()
	dir := t.TempDir()
	db := sqlitetest.Open(t, filepath.Join(dir, "belfry.db"))
	t.Cleanup(func() { _ = db.Close() })
	master, err := consent.ParseKey(consent.NewKey())
	must(t, err)
	keys, err := consent.OpenKeys(t.Context(), db, master)
	must(t, err)
	journal, err := consent.OpenJournal(filepath.Join(dir, consent.JournalName))
	must(t, err)
	t.Cleanup(func() { _ = journal.Close() })
	h := &house{t: t, db: db, out: &outgoing{}, dir: dir, keys: keys}
	h.people = consent.New(consent.Settings{Store: db, Keys: keys, Journal: journal, Deadline: time.Minute, Offers: func() []consent.Offer {
		media := []consent.Medium{{Name: "email", Destination: "mail"}, {Name: "telegram", Destination: "bot"}}
		return []consent.Offer{{Purpose: alertes, Media: media, Modes: []consent.Mode{consent.Instant}, Topics: []string{"sport"}},
			{Purpose: brief, Media: media, Modes: []consent.Mode{consent.Instant}}}
	}, Changed: func() {
		if h.engine != nil {
			h.engine.Wake()
		}
	}})
	must(t, db.UseWriters(t.Context(), map[string]string{"email": "mail"}))
	return h
}

func (h *house) run(w direct.Writer, d direct.Destination) {
	h.t.Helper()
	h.engine = direct.New(direct.Settings{Store: h.db, People: h.people, Writer: w, Log: quiet})
	must(h.t, h.engine.Start(h.t.Context(), true))
	d.Name, d.Medium, d.Conn = "mail", "email", h.out
	if d.Timeout == 0 {
		d.Timeout = 2 * time.Second
	}
	h.engine.Use(h.t.Context(), map[string]direct.Destination{"mail": d})
	h.t.Cleanup(h.stop)
}

func (h *house) stop() {
	if h.engine != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = h.engine.Stop(ctx)
		h.engine = nil
	}
}

// follow makes people who follow the channel.
func (h *house) follow(n int) (ids []consent.PersonID) {
	h.t.Helper()
	for i := range n {
		r, err := h.people.Follow(h.t.Context(), consent.Follow{From: sdk.Handle{Medium: "email", Value: fmt.Sprintf("reader%d@example.invalid", i)}, Purposes: []consent.Purpose{alertes},
			Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}})
		must(h.t, err)
		ids = append(ids, r.ID)
	}
	return ids
}

// publish makes a post with a stream of messages.
func (h *house) publish() {
	h.t.Helper()
	h.post++
	now := time.Now()
	s := consent.Stream{Kind: consent.StreamPost, Destination: "mail", Medium: "email", Purpose: alertes, Occurrence: fmt.Sprintf("post %d", h.post), Priority: 2, Created: now, Expires: now.Add(time.Hour)}
	if h.rows {
		s.Post = h.post
	}
	_, err := h.db.MakeStreams(h.t.Context(), []consent.Stream{s}, h.jump)
	must(h.t, err)
	if h.engine != nil {
		h.engine.Wake()
	}
}

func (h *house) until(what string, ok func() bool) {
	h.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("%s did not happen; %d messages left", what, len(h.out.all()))
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestEverybodyGetsItOnce(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.follow(700)
	h.publish()
	h.run(writer{}, direct.Destination{Parallel: 8})
	h.until("sending", func() bool { return len(h.out.all()) >= 700 })
	h.publish()
	h.until("sending", func() bool { return len(h.out.all()) >= 1400 })
	seen := map[string]int{}
	for _, s := range h.out.all() {
		seen[s.id]++
		if s.slots["leave"] == "" || s.slots["link"] == "" {
			t.Fatalf("a message has no way out: %v", s.slots)
		}
	}
	if len(seen) != 1400 {
		t.Errorf("%d messages left, %d of them different", len(h.out.all()), len(seen))
	}
	h.stop()
	if unknown, err := h.db.RecoverMessages(t.Context(), true, time.Now()); err != nil || unknown != 0 {
		t.Errorf("%d unknown, %v", unknown, err)
	}
}

// TestASignUpIsConfirmed goes the whole way: a form, a mail, the button, a message, and the way out.
func TestASignUpIsConfirmed(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.run(writer{}, direct.Destination{Parallel: 2})
	sign := consent.SignUp{Medium: "email", Address: " Reader@Example.INVALID ", Purposes: []consent.Purpose{alertes}, Evidence: consent.Evidence{Method: consent.ByForm, Actor: consent.Self, Wording: "I want it"}}
	must(t, h.people.SignUp(t.Context(), sign))
	h.until("the confirmation", func() bool { return len(h.out.all()) == 1 })
	must(t, h.people.SignUp(t.Context(), sign)) // within 24 hours nobody is asked twice
	h.publish()                                 // and nothing reaches somebody who has not confirmed
	mail := h.out.all()[0]
	token := mail.slots[sdk.SlotConfirm]
	asked, err := h.people.Asked(t.Context(), token)
	must(t, err)
	if mail.to != "Reader@example.invalid" || asked.Masked != "R…@example.invalid" || asked.Purposes[0] != alertes {
		t.Errorf("%+v %+v", mail, asked)
	}
	reader, err := h.people.Confirm(t.Context(), token, consent.Evidence{Method: consent.ByLink, Actor: consent.Self})
	must(t, err)
	if _, err := h.people.Confirm(t.Context(), token, consent.Evidence{}); !errors.Is(err, consent.ErrToken) {
		t.Errorf("a second click gives %v", err)
	}
	time.Sleep(10 * time.Millisecond)
	h.publish()
	h.until("the message", func() bool { return len(h.out.all()) == 2 })
	ack, err := h.people.Leave(t.Context(), h.out.all()[1].slots["leave"], false, consent.Evidence{Method: consent.ByOneClick, Actor: consent.Self})
	must(t, err)
	if !ack.Settled || len(ack.Ended) != 1 {
		t.Errorf("%+v", ack)
	}
	h.publish()
	time.Sleep(300 * time.Millisecond)
	if n := len(h.out.all()); n != 2 {
		t.Errorf("%d messages left", n)
	}
	record, err := h.people.Record(t.Context(), reader.ID)
	must(t, err)
	var kinds []string
	for _, e := range record.Events {
		kinds = append(kinds, e.Kind)
	}
	if got := strings.Join(kinds, " "); got != "withdrawn granted asked" || record.Events[1].Evidence.Wording != "I want it" {
		t.Errorf("the record says %q: %+v", got, record.Events)
	}
}

// TestAWithdrawalWaits holds that the acknowledgement comes after the message that is under way, and that nothing starts
// after it.
func TestAWithdrawalWaits(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.follow(1)
	gate, under := make(chan struct{}), make(chan struct{})
	h.out.delay = func(string) <-chan struct{} { close(under); return gate }
	h.publish()
	h.run(writer{}, direct.Destination{Parallel: 1})
	<-under
	acked := make(chan consent.Ack, 1)
	go func() {
		ack, err := h.people.Withdraw(context.Background(), ids[0], consent.Withdrawal{Evidence: consent.Evidence{Method: consent.ByKeyword, Actor: consent.Self}})
		if err != nil {
			t.Error(err)
		}
		acked <- ack
	}()
	select {
	case ack := <-acked:
		t.Fatalf("it was acknowledged while a message was under way: %+v", ack)
	case <-time.After(200 * time.Millisecond):
	}
	close(gate)
	if ack := <-acked; !ack.Settled {
		t.Errorf("%+v", ack)
	}
	h.out.delay = nil
	h.publish()
	time.Sleep(200 * time.Millisecond)
	if n := len(h.out.all()); n != 1 {
		t.Errorf("%d messages left", n)
	}
}

func TestAnAddressThatIsGone(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.follow(3)
	h.out.fail = func(_ int, to string) error {
		if to == "reader1@example.invalid" {
			return &sdk.Error{Code: sdk.CodeGone, Scope: sdk.ScopePerson, Public: "no such mailbox"}
		}
		return nil
	}
	h.publish()
	h.run(writer{}, direct.Destination{Parallel: 1})
	h.until("sending", func() bool { return len(h.out.all()) == 2 })
	h.until("the suppression", func() bool {
		r, err := h.people.Record(t.Context(), ids[1])
		return err == nil && len(r.Reader.Grants) == 1 && r.Reader.Grants[0].State == consent.Withdrawn
	})
	h.out.fail = nil
	h.publish()
	h.until("the next post", func() bool { return len(h.out.all()) == 4 })
	for _, s := range h.out.all() {
		if s.to == "reader1@example.invalid" {
			t.Error("somebody who is gone was written to")
		}
	}
}

// TestAnAccountThatIsGone holds that an account that was closed stops its destination, and ends nobody's consent.
func TestAnAccountThatIsGone(t *testing.T) {
	t.Parallel()
	for _, scope := range []sdk.Scope{sdk.ScopeAccount, sdk.ScopeDestination} {
		t.Run(string(scope), func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			ids := h.follow(2)
			h.out.fail = func(int, string) error {
				return &sdk.Error{Code: sdk.CodeGone, Scope: scope, Public: "the account was closed"}
			}
			h.publish()
			h.run(writer{}, direct.Destination{Parallel: 1})
			h.until("the stop", func() bool {
				list, err := h.db.Alerts(t.Context())
				return err == nil && len(list) == 1 && list[0].Code == alert.DestinationStop
			})
			for _, id := range ids {
				r, err := h.people.Record(t.Context(), id)
				must(t, err)
				if len(r.Reader.Grants) != 1 || r.Reader.Grants[0].State != consent.Active {
					t.Errorf("%+v", r.Reader.Grants)
				}
			}
		})
	}
}

// TestWhoSleepsIsAskedFirst holds that nobody is left out who was not asked, and that an answer brings everything back.
func TestWhoSleepsIsAskedFirst(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.follow(1)
	time.Sleep(60 * time.Millisecond)
	h.publish()
	h.run(writer{ask: 50 * time.Millisecond, pause: 300 * time.Millisecond}, direct.Destination{Parallel: 1})
	h.until("the message that asks", func() bool { return len(h.out.all()) == 1 })
	time.Sleep(400 * time.Millisecond)
	h.publish()
	h.until("the one that does not leave", func() bool {
		for what := range h.outcomes() {
			if strings.HasSuffix(what, " "+string(policy.Asleep)) {
				return true
			}
		}
		return false
	})
	if n := len(h.out.all()); n != 1 {
		t.Fatalf("%d messages left", n)
	}
	must(t, h.people.SetHabits(t.Context(), ids[0], consent.Habits{Lang: "fr"}, consent.Evidence{Method: consent.ByForm, Actor: consent.Self}))
	h.publish()
	h.until("what came after the answer", func() bool { return len(h.out.all()) == 2 })
	record, err := h.people.Record(t.Context(), ids[0])
	must(t, err)
	if m := record.Messages; len(m) != 3 || m[1].Reason != string(policy.Asleep) {
		t.Errorf("the record says %+v", m)
	}
}
