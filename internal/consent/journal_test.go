package consent_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/sdk"
)

// leaving is the way out that a page takes.
func (o *office) leaving(r consent.Reader) (consent.Ack, error) {
	return o.reg.Withdraw(o.t.Context(), r.ID, consent.Withdrawal{Evidence: consent.Evidence{Method: consent.ByLink, Actor: consent.Self}})
}

// TestAFullDiskAcknowledgesNothing: the disk of the journal is full when somebody leaves. Nobody is told that they have left,
// nothing is half done, and when there is room again the next withdrawal can be read back, whatever the full disk left behind.
func TestAFullDiskAcknowledgesNothing(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	must(t, err)
	defer full.Close()
	path := filepath.Join(o.dir, consent.JournalName)
	journal, err := consent.OpenJournal(path)
	must(t, err)
	defer journal.Close()
	o.reg = consent.New(consent.Settings{Store: o.db, Keys: o.keys, Journal: journal, Now: func() time.Time { return o.now }, Deadline: time.Second, Offers: o.reg.Offers})
	_, err = o.reg.Replay(t.Context())
	must(t, err)
	r := o.follow(consent.Email, "lea@example.org", alertes)
	disk := journal.Swap(full)
	if ack, err := o.leaving(r); err == nil || !strings.Contains(err.Error(), "no space left") || !strings.Contains(err.Error(), consent.JournalName) || ack.Settled {
		t.Fatalf("on a full disk leaving gives %+v, %v", ack, err)
	}
	if _, err := o.reg.Erase(t.Context(), r.ID, consent.Evidence{Method: consent.ByForm, Actor: consent.Self}); err == nil {
		t.Error("somebody is erased of whom a restore would not know it")
	}
	if got := o.state("lea@example.org", alertes); got != "active" {
		t.Errorf("the grant is %s", got)
	}
	_, err = disk.WriteString(`{"at":"2026-11-20T19:0`) // as much as there was room for
	must(t, err)
	journal.Swap(disk)
	before := o.now
	o.now = o.now.Add(time.Minute)
	ack, err := o.leaving(r)
	must(t, err)
	if !ack.Settled || len(ack.Ended) != 1 {
		t.Errorf("%+v", ack)
	}

	// A database of before reads it back.
	must(t, o.db.People(t.Context(), func(tx consent.Tx) error {
		grants, err := tx.Grants(r.ID)
		if err != nil {
			return err
		}
		grants[0].State, grants[0].Changed, grants[0].Version = consent.Active, before, 1
		_, err = tx.PutGrant(grants[0])
		if err != nil {
			return err
		}
		return tx.SetMark("withdrawals.applied", "0")
	}))
	ended, err := o.reg.Replay(t.Context())
	must(t, err)
	if got := o.state("lea@example.org", alertes); ended != 1 || got != "withdrawn" {
		t.Errorf("%d grants ended, it is %s", ended, got)
	}
}

// TestAComplaintStays: what forbids more is not replaced by what forbids less, so that somebody who complained is not asked
// again after they were erased or their address came back.
func TestAComplaintStays(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	must(t, o.db.UseWriters(t.Context(), map[string]string{consent.Email: "mail"}))
	r := o.follow(consent.Email, "lea@example.org", alertes)
	provider := consent.Evidence{Method: consent.ByComplaint, Actor: consent.Provider}
	must(t, o.reg.Gone(t.Context(), r.ID, consent.Email, consent.SuppressedComplaint, provider))
	must(t, o.reg.Gone(t.Context(), r.ID, consent.Email, consent.SuppressedBounce, provider))
	if _, err := o.leaving(r); err != nil {
		t.Fatal(err)
	}
	if _, err := o.reg.Erase(t.Context(), r.ID, consent.Evidence{Method: consent.ByForm, Actor: consent.Self}); err != nil {
		t.Fatal(err)
	}
	must(t, o.reg.SignUp(t.Context(), consent.SignUp{Medium: consent.Email, Address: "lea@example.org", Purposes: []consent.Purpose{alertes}, Evidence: provider}))
	if _, err := o.reg.Work(t.Context()); err != nil {
		t.Fatal(err)
	}
	if b, err := o.db.ClaimMessages(t.Context(), "mail", o.now.Add(time.Second), time.Minute, 10); err != nil || b != nil {
		t.Errorf("somebody who complained is asked again: %+v %v", b, err)
	}
}

// TestLeavingEverythingIsRemembered: an import begins nothing for somebody who left everything, also what they never followed
// and on media where they followed nothing, until they come back by themselves.
func TestLeavingEverythingIsRemembered(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	lea := o.follow(consent.Email, "lea@example.org", alertes)
	bot := o.follow(consent.Telegram, "4711", alertes)
	_, err := o.reg.Merge(t.Context(), bot.Ref, lea.Ref, "test", "the same")
	must(t, err)
	_, err = o.reg.Withdraw(t.Context(), lea.ID, consent.Withdrawal{Purpose: &brief, Evidence: consent.Evidence{Method: consent.ByLink, Actor: consent.Self}})
	must(t, err)
	const row = "email,channel,consented_at,source,wording\nlea@example.org,brief,2026-01-05T10:00:00Z,old form,Yes\n"
	if _, out, err := o.take(row, false); err != nil || out.Sum[consent.FateLeft] != 1 {
		t.Errorf("what they never followed, and do not want: %v %v", out, err)
	}
	_, err = o.leaving(lea)
	must(t, err)
	if _, out, err := o.take(row+"lea@example.org,alertes,2026-01-05T10:00:00Z,old form,Yes\n", false); err != nil || out.Sum[consent.FateLeft] != 2 {
		t.Errorf("after leaving everything: %v %v", out, err)
	}
	_, err = o.reg.Follow(t.Context(), consent.Follow{From: sdk.Handle{Medium: consent.Email, Value: "lea@example.org"}, Purposes: []consent.Purpose{brief},
		Evidence: consent.Evidence{Method: consent.ByButton, Actor: consent.Self}})
	must(t, err)
	if got := o.state("lea@example.org", brief); got != "active" {
		t.Errorf("who comes back by themselves is %s", got)
	}
}

// TestAnOldLinkLeadsOn: who was merged again and again still leaves by the links of the first messages.
func TestAnOldLinkLeadsOn(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	first := o.follow(consent.Email, "lea0@example.org", alertes)
	link, page := o.keys.LeaveLink(first.Ref, first.Grants[0].ID), first.Link
	last := first
	for i := range 12 {
		next := o.follow(consent.Email, fmt.Sprintf("lea%d@example.org", i+1), alertes)
		_, err := o.reg.Merge(t.Context(), last.Ref, next.Ref, "test", "the same")
		must(t, err)
		last = next
	}
	if r, err := o.reg.Reader(t.Context(), page); err != nil || r.ID != last.ID {
		t.Errorf("their page leads to %v: %v", r.ID, err)
	}
	if ack, err := o.reg.Leave(t.Context(), link, false, consent.Evidence{Method: consent.ByOneClick, Actor: consent.Self}); err != nil || len(ack.Ended) != 1 {
		t.Errorf("leaving gives %+v, %v", ack, err)
	}
	if got := o.state("lea12@example.org", alertes); got != "withdrawn" {
		t.Errorf("the grant is %s", got)
	}
}
