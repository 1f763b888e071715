package consent_test

import (
	"errors"
	"testing"

	"github.com/belfry-news/belfry/internal/consent"
)

// TestAnEntryBesideAnOldDatabase holds that a withdrawal that is written beside a database that was just restored does not
// hide those before it from the replay.
func TestAnEntryBesideAnOldDatabase(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	lea, ben := o.follow(consent.Email, "lea@example.org", alertes), o.follow(consent.Email, "max@example.org", alertes)
	before := ""
	must(t, o.db.People(t.Context(), func(tx consent.Tx) (err error) { before, err = tx.Mark("withdrawals.applied"); return err }))
	o.leave(lea, alertes)
	// As a database of before knows it: Lea is a reader, and nothing of the journal since was seen.
	must(t, o.db.People(t.Context(), func(tx consent.Tx) error {
		g, err := tx.Grant(lea.Grants[0].ID)
		if err != nil {
			return err
		}
		g.State = consent.Active
		if _, err := tx.PutGrant(g); err != nil {
			return err
		}
		return tx.SetMark("withdrawals.applied", before)
	}))
	o.leave(ben, alertes)
	_, err := o.reg.Replay(t.Context())
	must(t, err)
	if got := o.state("lea@example.org", alertes); got != "withdrawn" {
		t.Errorf("who left before the restore is %s", got)
	}
}

// TestALinkIsOnePersons holds that an unsubscribe link of before a restore does not lead to whoever got its number since.
func TestALinkIsOnePersons(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	lea := o.follow(consent.Email, "lea@example.org", alertes)
	if _, err := o.reg.Leaving(t.Context(), o.keys.LeaveLink(lea.Ref, lea.Grants[0].ID)); err != nil {
		t.Errorf("her own link: %v", err)
	}
	if _, err := o.reg.Leaving(t.Context(), o.keys.LeaveLink("0123456789abcdef", lea.Grants[0].ID)); !errors.Is(err, consent.ErrToken) {
		t.Errorf("a link of somebody who is not there any more: %v", err)
	}
}
