package consent_test

import (
	"context"
	"testing"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/sdk"
)

// returns is a store that wrote a message by mail, and notes what came back.
type returns struct {
	consent.InboxStore
	bounced int
}

func (r *returns) Wrote(_ context.Context, s consent.Stream, _ consent.PersonID) (string, error) {
	if s.Nonce != "n" {
		return "", consent.ErrNotFound
	}
	return consent.Email, nil
}

func (r *returns) Bounced(context.Context, consent.Stream, consent.PersonID, string, string) (string, error) {
	r.bounced++
	return consent.Email, nil
}

// TestABounceIsOfItsOwnMedium: whoever tells what came back on one medium says nothing of another's messages, even if they know a name
// of one.
func TestABounceIsOfItsOwnMedium(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	ours, forged := consent.MessageID(consent.Stream{ID: 7, Nonce: "n"}, 3), consent.MessageID(consent.Stream{ID: 7, Nonce: "x"}, 3)
	for name, tc := range map[string]struct {
		medium, ref, want string
	}{
		"a mail's, by mail":           {consent.Email, ours, consent.OutcomeOther},
		"a mail's, without a medium":  {"", ours, consent.OutcomeOther},
		"a mail's, by a plugin":       {"pager", ours, "unmatched"},
		"a name that nobody gave":     {consent.Email, forged, "unmatched"},
		"something that is no name":   {"pager", "zzz", "unmatched"},
		"nothing at all, by a plugin": {"pager", "", "unmatched"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store := &returns{}
			outcome, _, err := o.reg.Inbox(store).Bounce(t.Context(), consent.Waiting{Connection: "x", Event: sdk.InboxEvent{Kind: sdk.EventBounce, From: sdk.Handle{Medium: tc.medium}, Ref: tc.ref,
				Bounce: sdk.Bounce{Class: sdk.BounceOther}}})
			if err != nil || outcome != tc.want || store.bounced != map[bool]int{true: 0, false: 1}[tc.want == "unmatched"] {
				t.Errorf("it ends as %q with %d bounces, %v; wanted is %q", outcome, store.bounced, err, tc.want)
			}
		})
	}
}

// TestTheBacklogOfAConnection counts what nobody has worked on, of one connection, and no further than asked.
func TestTheBacklogOfAConnection(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	var in []consent.Inbound
	for _, id := range []string{"1", "2", "3"} {
		in = append(in, consent.Inbound{Connection: "pager", ID: id, At: o.now, Kind: "message", Sealed: []byte("x")})
	}
	must(t, o.db.PutInbound(t.Context(), append(in, consent.Inbound{Connection: "mail", ID: "1", At: o.now, Kind: "message", Sealed: []byte("x")}), "pager", nil))
	must(t, o.db.EndInbound(t.Context(), "pager", "2", "answered", 0))
	for most, want := range map[int]int{1: 1, 2: 2, 500: 2} {
		if n, err := o.reg.Inbox(o.db).Backlog(t.Context(), "pager", most); err != nil || n != want {
			t.Errorf("of at most %d there are %d, %v", most, n, err)
		}
	}
}
