package consent_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// busy is a store in which a message to everybody is under way.
type busy struct{ *store.DB }

func (busy) Under(context.Context, consent.PersonID) (bool, error) { return true, nil }

// TestNobodyIsAskedWhereTheyBegin: a platform on which people write first asks nobody who may be anybody for a confirmation.
func TestNobodyIsAskedWhereTheyBegin(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	err := o.reg.SignUp(t.Context(), consent.SignUp{Medium: consent.Telegram, Address: "4711", Purposes: []consent.Purpose{alertes}})
	if e := sdk.AsError(err); e.Code != sdk.CodeInvalid || !strings.Contains(e.Public, "press its button") {
		t.Errorf("the sign-up is answered with %v", err)
	}
}

// TestNeverAgainTellsOfWhatIsUnderWay: "never write to me again" is acknowledged as settled only when no message is under way.
func TestNeverAgainTellsOfWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	journal, err := consent.OpenJournal(filepath.Join(o.dir, consent.JournalName))
	must(t, err)
	defer journal.Close()
	for name, c := range map[string]struct {
		store   consent.Store
		settled bool
	}{"nothing": {o.db, true}, "one message": {busy{o.db}, false}} {
		reg := consent.New(consent.Settings{Store: c.store, Keys: o.keys, Journal: journal, Now: func() time.Time { return o.now }, Deadline: time.Millisecond, Offers: o.reg.Offers})
		var token string
		must(t, o.db.People(t.Context(), func(tx consent.Tx) (err error) {
			token, err = reg.Ask(tx, consent.Email, name[:3]+"@example.org", consent.Wish{Purposes: []consent.Purpose{alertes}}, o.now.Add(time.Hour))
			return err
		}))
		ack, err := reg.Refuse(t.Context(), token, consent.Evidence{Method: consent.ByLink, Actor: consent.Self})
		if err != nil || ack.Settled != c.settled || ack.At.IsZero() || len(ack.Ended) != 1 {
			t.Errorf("%s under way: %+v, %v", name, ack, err)
		}
	}
}
