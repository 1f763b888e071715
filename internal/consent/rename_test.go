package consent_test

import (
	"slices"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/store"
)

// TestARenamedChannelKeepsItsFollowers: who follows a channel follows it under its new name, who left it has left it, a
// click that is still to come is about the new name, and what the journal notes under the old name counts for the new one.
func TestARenamedChannelKeepsItsFollowers(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	neu := consent.Purpose{Kind: consent.Channel, Name: "breves"}
	o.follow(consent.Email, "lea@example.org", alertes)
	gone := o.follow(consent.Email, "max@example.org", alertes)
	o.leave(gone, alertes)
	var token string
	must(t, o.db.People(t.Context(), func(tx consent.Tx) error {
		if err := tx.SetMark("messages.since.alertes/mail", "2026-01-01T00:00:00Z"); err != nil {
			return err
		}
		if err := tx.SetMark("messages.since.alertes-2/mail", "2026-02-02T00:00:00Z"); err != nil {
			return err
		}
		var err error
		if token, err = o.reg.Ask(tx, consent.Email, "lea@example.org", consent.Wish{Purposes: []consent.Purpose{alertes, brief}}, o.now.Add(time.Hour)); err != nil {
			return err
		}
		return tx.Suppress(consent.Suppression{Medium: consent.Email, Hash: "h", Scope: consent.ScopePurpose, Purpose: "channel alertes", Reason: consent.SuppressedStopped, At: o.now})
	}))
	held := func() []store.Held {
		list, err := o.db.Held(t.Context())
		must(t, err)
		return list
	}
	if got := held(); !slices.Equal(got, []store.Held{{Kind: "channel", Name: "alertes", Grants: 1}}) {
		t.Errorf("the store holds %+v", got)
	}
	o.now = o.now.Add(time.Minute)
	must(t, o.db.Rename(t.Context(), "channel", "alertes", "breves", o.now))
	if got := held(); !slices.Equal(got, []store.Held{{Kind: "channel", Name: "breves", Grants: 1}}) {
		t.Errorf("renamed, the store holds %+v", got)
	}
	if a, b := o.state("lea@example.org", neu), o.state("max@example.org", neu); a != "active" || b != "withdrawn" {
		t.Errorf("who follows is %s, who left is %s", a, b)
	}
	if asked, err := o.reg.Asked(t.Context(), token); err != nil || !slices.Equal(asked.Purposes, []consent.Purpose{neu, brief}) {
		t.Errorf("the click is about %v, %v", asked.Purposes, err)
	}
	must(t, o.db.People(t.Context(), func(tx consent.Tx) error {
		list, err := tx.Suppressions(consent.Email, "h")
		if err != nil {
			return err
		}
		if len(list) != 1 || list[0].Purpose != neu.String() {
			t.Errorf("suppressed: %+v", list)
		}
		for name, want := range map[string]string{"messages.since.breves/mail": "2026-01-01T00:00:00Z", "messages.since.alertes/mail": "", "messages.since.alertes-2/mail": "2026-02-02T00:00:00Z"} {
			if got, err := tx.Mark(name); err != nil || got != want {
				t.Errorf("%s is %q, %v", name, got, err)
			}
		}
		// A database of before the withdrawal, in which the channel has its new name already.
		grants, err := tx.Grants(gone.ID)
		if err != nil {
			return err
		}
		grants[0].State, grants[0].Changed = consent.Active, o.now.Add(-time.Hour)
		if _, err := tx.PutGrant(grants[0]); err != nil {
			return err
		}
		return tx.SetMark("withdrawals.applied", "0")
	}))
	if ended, err := o.reg.Replay(t.Context()); err != nil || ended != 1 || o.state("max@example.org", neu) != "withdrawn" {
		t.Errorf("the journal ended %d, %v; the grant is %s", ended, err, o.state("max@example.org", neu))
	}
}

// TestARenamedDestinationKeepsWritingToPeople: streams, what was heard and the marks go on under the new name.
func TestARenamedDestinationKeepsWritingToPeople(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	must(t, o.db.UseWriters(t.Context(), map[string]string{consent.Email: "mail"}))
	r := o.follow(consent.Email, "lea@example.org", alertes)
	must(t, o.db.People(t.Context(), func(tx consent.Tx) error {
		if err := tx.SetMark("messages.since.alertes/mail", "2026-01-01T00:00:00Z"); err != nil {
			return err
		}
		return tx.Queue(consent.Fixed{Kind: "answer", Medium: consent.Email, Person: r.ID, Content: []byte("x"), At: o.now, Expires: o.now.Add(time.Hour)})
	}))
	must(t, o.db.PutInbound(t.Context(), []consent.Inbound{{Connection: "mail", ID: "1", At: o.now, Kind: "message", Sealed: []byte("x")}}, "mail", []byte("7")))
	must(t, o.db.Rename(t.Context(), "destination", "mail", "post", o.now))
	cursor, err := o.db.Cursor(t.Context(), "post")
	must(t, err)
	waiting, err := o.db.OpenInbound(t.Context(), 10)
	must(t, err)
	if string(cursor) != "7" || len(waiting) != 1 || waiting[0].Connection != "post" {
		t.Errorf("heard up to %q, waiting %+v", cursor, waiting)
	}
	must(t, o.db.People(t.Context(), func(tx consent.Tx) error {
		for name, want := range map[string]string{"messages.since.alertes/post": "2026-01-01T00:00:00Z", "writer.email": "post"} {
			if got, err := tx.Mark(name); err != nil || got != want {
				t.Errorf("%s is %q, %v", name, got, err)
			}
		}
		return nil
	}))
	if b, err := o.db.ClaimMessages(t.Context(), "post", o.now, time.Minute, 10); err != nil || b == nil {
		t.Errorf("what waited is claimed as %v, %v", b, err)
	}
}
