package direct_test

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/sdk"
)

var byMe = consent.Evidence{Method: consent.ByForm, Actor: consent.Self, Where: "/me"}

// reader finds who reads at an address.
func (h *house) reader(address string) (consent.Reader, bool) {
	h.t.Helper()
	r, found, err := h.people.ReaderOf(h.t.Context(), sdk.Handle{Medium: "email", Value: address})
	must(h.t, err)
	return r, found
}

// mails are those to an address; confirming is the token of the newest one that asks for something.
func (h *house) mails(to string) (n int, confirming string) {
	for _, s := range h.out.all() {
		if s.to != to {
			continue
		}
		n++
		if token := s.slots[sdk.SlotConfirm]; token != "" {
			confirming = token
		}
	}
	return n, confirming
}

// asks waits until an address was asked whether messages should come there.
func (h *house) asks(address string) (token string) {
	h.t.Helper()
	h.until("the question at "+address, func() bool { _, token = h.mails(address); return token != "" })
	return token
}

func states(r consent.Reader) (out []string) {
	for _, g := range r.Grants {
		out = append(out, g.Purpose.Name+" "+string(g.State))
	}
	return out
}

const old, fresh = "reader0@example.invalid", "new@example.invalid"

// TestAnotherAddress goes the whole way: the new address is asked, the old one gets everything until it has confirmed and is told
// then, and afterwards news comes to the new one alone.
func TestAnotherAddress(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	me := h.follow(1)[0]
	h.run(writer{}, direct.Destination{})
	must(t, h.people.ChangeAddress(t.Context(), me, "email", " New@Example.INVALID ", byMe))
	token := h.asks("New@example.invalid")
	asked, err := h.people.Asked(t.Context(), token)
	must(t, err)
	if asked.Joins || !asked.Change || asked.From != "r…@example.invalid" || asked.Masked != "N…@example.invalid" || len(asked.Purposes) != 1 {
		t.Errorf("it is asked like this: %+v", asked)
	}
	h.publish()
	h.until("news at the old address", func() bool { n, _ := h.mails(old); return n == 1 })
	reader, err := h.people.Confirm(t.Context(), token, consent.Evidence{Method: consent.ByLink, Actor: consent.Self, Wording: "I want it here"})
	must(t, err)
	if reader.ID != me || !slices.Equal(states(reader), []string{"alertes active"}) {
		t.Errorf("it is now %+v", reader)
	}
	h.until("the old address is told", func() bool { n, _ := h.mails(old); return n == 2 })
	h.publish()
	h.until("news at the new address", func() bool { n, _ := h.mails("New@example.invalid"); return n == 2 })
	if n, _ := h.mails(old); n != 2 {
		t.Errorf("the old address got %d", n)
	}
	record, err := h.people.Record(t.Context(), me)
	must(t, err)
	var kinds []string
	for _, e := range record.Events {
		kinds = append(kinds, e.Kind)
	}
	if got := strings.Join(kinds[:3], " "); got != "moved granted asked" || record.Events[1].Evidence.Wording != "I want it here" {
		t.Errorf("the record says %s", got)
	}
	// An import must not begin anything at the address that was given up, and a second press does nothing.
	list, err := h.suppressed(old)
	must(t, err)
	if len(list) != 1 || list[0].Purpose != "channel alertes" {
		t.Errorf("the old address is %+v", list)
	}
	if _, err := h.people.Confirm(t.Context(), token, byMe); err == nil {
		t.Error("the link works twice")
	}
}

// suppressed lists what forbids to write to an address.
func (h *house) suppressed(address string) (out []consent.Suppression, err error) {
	hash := h.keys.Hash("email", address)
	err = h.db.People(h.t.Context(), func(tx consent.Tx) error { out, err = tx.Suppressions("email", hash); return err })
	return out, err
}

// TestAnotherAddressRevivesNothing: what was left or closed at either address stays so.
func TestAnotherAddressRevivesNothing(t *testing.T) {
	t.Parallel()
	at := func(address string) sdk.Handle { return sdk.Handle{Medium: "email", Value: address} }
	follow := func(h *house, address string) consent.Reader {
		h.t.Helper()
		r, err := h.people.Follow(h.t.Context(), consent.Follow{From: at(address), Purposes: []consent.Purpose{alertes}, Evidence: byMe})
		must(h.t, err)
		return r
	}
	leave := func(h *house, r consent.Reader) {
		h.t.Helper()
		_, err := h.people.Withdraw(h.t.Context(), r.ID, consent.Withdrawal{Purpose: &alertes, Evidence: byMe})
		must(h.t, err)
	}
	for name, test := range map[string]struct {
		before func(h *house, me consent.Reader)
		// asked says that the new address is asked at all; want is how who reads there stands then.
		asked bool
		want  string
	}{
		"they left before":        {func(h *house, me consent.Reader) { leave(h, me) }, true, "alertes withdrawn"},
		"the new address follows": {func(h *house, _ consent.Reader) { follow(h, fresh) }, true, "alertes active"},
		"the new address left":    {func(h *house, _ consent.Reader) { leave(h, follow(h, fresh)) }, true, "alertes withdrawn"},
		"the old address bounced": {func(h *house, me consent.Reader) {
			must(h.t, h.people.Gone(h.t.Context(), me.ID, "email", consent.SuppressedBounce, byMe))
		}, true, "alertes withdrawn"},
		"the old address complained": {func(h *house, me consent.Reader) {
			must(h.t, h.people.Gone(h.t.Context(), me.ID, "email", consent.SuppressedComplaint, byMe))
		}, false, ""},
		"the new address bounced": {func(h *house, _ consent.Reader) {
			_, err := h.people.WithdrawAt(h.t.Context(), "email", fresh, consent.SuppressedBounce, byMe)
			must(h.t, err)
		}, false, ""},
		"who reads at the new address left it all": {func(h *house, _ consent.Reader) {
			r := follow(h, fresh)
			_, err := h.people.Withdraw(h.t.Context(), r.ID, consent.Withdrawal{Evidence: byMe})
			must(h.t, err)
		}, false, ""},
		"who read at the new address was forgotten": {func(h *house, _ consent.Reader) {
			r := follow(h, fresh)
			_, err := h.people.Erase(h.t.Context(), r.ID, byMe)
			must(h.t, err)
		}, false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			me := follow(h, old)
			test.before(h, me)
			must(t, h.people.ChangeAddress(t.Context(), me.ID, "email", fresh, byMe))
			h.run(writer{}, direct.Destination{})
			if !test.asked {
				h.until("the wish is looked at", func() bool {
					var left []consent.SealedSignup
					must(t, h.db.People(t.Context(), func(tx consent.Tx) (err error) { left, err = tx.Signups(1); return err }))
					return len(left) == 0
				})
				if streams, err := h.db.HalfMade(t.Context()); err != nil || len(streams) > 0 || len(h.out.all()) > 0 {
					t.Errorf("it is asked: %v, %v, %v", streams, h.out.all(), err)
				}
				return
			}
			r, err := h.people.Confirm(t.Context(), h.asks(fresh), byMe)
			must(t, err)
			now, found := h.reader(fresh)
			if !found || now.ID != r.ID || strings.Join(states(now), " ") != test.want {
				t.Errorf("who reads there stands as %v, found %t", states(now), found)
			}
			// Nothing is left that could be written to at the address of before.
			if before, found := h.reader(old); found && slices.Contains(states(before), "alertes active") {
				t.Errorf("the old address stands as %v", states(before))
			}
		})
	}
}

// TestMovingToWhoFollowsMakesOnePerson: who confirms at an address at which they follow already is one person afterwards, with all
// that both were reached by and nothing that either had left. Old links end what they ended, and open nobody's pages.
func TestMovingToWhoFollowsMakesOnePerson(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	follow := func(medium, address string, purposes ...consent.Purpose) consent.Reader {
		r, err := h.people.Follow(t.Context(), consent.Follow{From: sdk.Handle{Medium: medium, Value: address}, Purposes: purposes, Evidence: byMe})
		must(t, err)
		return r
	}
	me, bot, there := follow("email", old, alertes, brief), follow("telegram", "4711", alertes), follow("email", fresh, brief)
	if _, err := h.people.Merge(t.Context(), bot.Ref, me.Ref, "ada", "one person"); err != nil {
		t.Fatal(err)
	}
	_, err := h.people.Withdraw(t.Context(), there.ID, consent.Withdrawal{Purpose: &brief, Evidence: byMe})
	must(t, err)
	h.run(writer{}, direct.Destination{})
	h.publish()
	h.until("news at the old address", func() bool { n, _ := h.mails(old); return n == 1 })
	leave := h.out.all()[0].slots["leave"]
	must(t, h.people.ChangeAddress(t.Context(), me.ID, "email", fresh, byMe))
	token := h.asks(fresh)
	if asked, err := h.people.Asked(t.Context(), token); err != nil || !asked.Joins {
		t.Errorf("it is not said that they become one: %+v, %v", asked, err)
	}
	r, err := h.people.Confirm(t.Context(), token, byMe)
	must(t, err)
	one, found := h.reader(fresh)
	if want := []string{"alertes active", "alertes active", "brief withdrawn"}; !found || r.ID != there.ID || one.ID != there.ID || !sameWords(states(one), want) {
		t.Errorf("who reads there is %d and stands as %v, want %v", one.ID, states(one), want)
	}
	if r, found, err := h.people.ReaderOf(t.Context(), sdk.Handle{Medium: "telegram", Value: "4711"}); err != nil || !found || r.ID != there.ID {
		t.Errorf("the bot knows %d, %t, %v", r.ID, found, err)
	}
	if _, err := h.people.Look(t.Context(), consent.Lookup{Ref: me.Ref, Operator: "ada", Reason: "two?"}); err == nil {
		t.Error("they are two people")
	}
	record, err := h.people.Record(t.Context(), there.ID)
	must(t, err)
	if !slices.ContainsFunc(record.Events, func(e consent.Event) bool { return e.Kind == consent.EventMerged && e.Evidence.Actor == consent.Self }) {
		t.Errorf("the record says nothing of it: %+v", record.Events)
	}
	if _, err := h.people.Reader(t.Context(), me.Link); err == nil {
		t.Error("a link of before opens the pages of who reads there")
	}
	leaving, err := h.people.Leaving(t.Context(), leave)
	must(t, err)
	if leaving.State != consent.Active || leaving.Link != "" {
		t.Errorf("an old message ends %+v", leaving)
	}
	if _, err := h.people.Leave(t.Context(), leave, false, byMe); err != nil {
		t.Error(err)
	}
	if one, _ = h.reader(fresh); !sameWords(states(one), []string{"alertes active", "alertes withdrawn", "brief withdrawn"}) {
		t.Errorf("after it was left they stand as %v", states(one))
	}
}

func sameWords(a, b []string) bool {
	slices.Sort(a)
	slices.Sort(b)
	return slices.Equal(a, b)
}

// TestMovingWaitsForWhatIsUnderWay: nobody becomes one with another person while a message to one of them may still leave.
func TestMovingWaitsForWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.follow(1)
	there, err := h.people.Follow(t.Context(), consent.Follow{From: sdk.Handle{Medium: "email", Value: fresh}, Purposes: []consent.Purpose{alertes}, Evidence: byMe})
	must(t, err)
	arrives, news, open := make(chan struct{}), make(chan struct{}), make(chan struct{})
	close(open)
	var first sync.Once
	h.out.delay = func(to string) <-chan struct{} {
		if to == old {
			first.Do(func() { close(news) })
			return arrives
		}
		return open
	}
	h.run(writer{}, direct.Destination{Timeout: 15 * time.Second})
	must(t, h.people.ChangeAddress(t.Context(), ids[0], "email", fresh, byMe))
	token := h.asks(fresh)
	h.publish()
	<-news
	journal, err := consent.OpenJournal(filepath.Join(h.dir, consent.JournalName))
	must(t, err)
	defer journal.Close()
	hasty := consent.New(consent.Settings{Store: h.db, Keys: h.keys, Journal: journal, Deadline: time.Millisecond})
	if _, err := hasty.Confirm(t.Context(), token, byMe); !errors.Is(err, consent.ErrUnderWay) {
		t.Errorf("they become one while a message is under way: %v", err)
	}
	if r, found := h.reader(old); !found || !slices.Equal(states(r), []string{"alertes active"}) {
		t.Errorf("something changed: %+v", r)
	}
	close(arrives)
	r, err := h.people.Confirm(t.Context(), token, byMe)
	must(t, err)
	if r.ID != there.ID {
		t.Errorf("it reaches %d, want %d", r.ID, there.ID)
	}
}

// TestNobodyIsFlooded: a person asks for three addresses a day, and an address is asked once, by whomever.
func TestNobodyIsFlooded(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	ids := h.follow(2)
	h.run(writer{}, direct.Destination{})
	must(t, h.people.ChangeAddress(t.Context(), ids[0], "email", fresh, byMe))
	h.asks(fresh)
	must(t, h.people.ChangeAddress(t.Context(), ids[0], "email", fresh, byMe))
	must(t, h.people.ChangeAddress(t.Context(), ids[1], "email", fresh, byMe))
	must(t, h.people.ChangeAddress(t.Context(), ids[0], "email", "other@example.invalid", byMe))
	h.asks("other@example.invalid")
	if n, _ := h.mails(fresh); n != 1 {
		t.Errorf("%d questions came", n)
	}
	for what, address := range map[string]string{"a fourth": "fourth@example.invalid", "their own": old, "none": "nobody"} {
		if err := h.people.ChangeAddress(t.Context(), ids[0], "email", address, byMe); sdk.AsError(err).Code != sdk.CodeInvalid {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := h.people.ChangeAddress(t.Context(), ids[0], "telegram", "4711", byMe); sdk.AsError(err).Code != sdk.CodeInvalid {
		t.Errorf("an address where there is none: %v", err)
	}
}

// TestAskedForAgain: what has ended begins again after a confirmation alone.
func TestAskedForAgain(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	me := h.follow(1)[0]
	r, _ := h.reader(old)
	if err := h.people.AskAgain(t.Context(), me, r.Grants[0].ID, byMe); sdk.AsError(err).Code != sdk.CodeInvalid {
		t.Errorf("what they have: %v", err)
	}
	_, err := h.people.Withdraw(t.Context(), me, consent.Withdrawal{Evidence: byMe})
	must(t, err)
	h.run(writer{}, direct.Destination{})
	must(t, h.people.AskAgain(t.Context(), me, r.Grants[0].ID, byMe))
	token := h.asks(old)
	if r, _ = h.reader(old); !slices.Equal(states(r), []string{"alertes withdrawn"}) {
		t.Errorf("before the confirmation: %v", states(r))
	}
	_, err = h.people.Confirm(t.Context(), token, byMe)
	must(t, err)
	if r, _ = h.reader(old); !slices.Equal(states(r), []string{"alertes active"}) {
		t.Errorf("after it: %v", states(r))
	}
	if err := h.people.AskAgain(t.Context(), me, 99, byMe); err == nil {
		t.Error("a grant of nobody is asked for")
	}
}

// TestAnAnswerIsTheirsWhoTheyAreNow: STOP as an answer to a message of before a merge is said by who they are one with.
func TestAnAnswerIsTheirsWhoTheyAreNow(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.follow(2)
	h.run(writer{}, direct.Destination{})
	h.publish()
	h.until("news", func() bool { return len(h.out.all()) == 2 })
	from, _ := h.reader(old)
	into, _ := h.reader("reader1@example.invalid")
	var message string
	for _, s := range h.out.all() {
		if s.to == old {
			message = s.id
		}
	}
	_, err := h.people.Merge(t.Context(), from.Ref, into.Ref, "ada", "wrote from both")
	must(t, err)
	inbox := h.people.Inbox(h.db)
	must(t, inbox.Receive(t.Context(), "mail", []sdk.InboxEvent{{ID: "1", Kind: sdk.EventMessage, Text: "STOP", From: sdk.Handle{Medium: "email", Value: "elsewhere@example.invalid"}, Claimed: true, Answers: message}}, nil))
	waiting, err := inbox.Waiting(t.Context())
	must(t, err)
	if len(waiting) != 1 || waiting[0].Event.From.Value != "reader1@example.invalid" || waiting[0].Event.Claimed {
		t.Errorf("it is said by %+v", waiting)
	}
}
