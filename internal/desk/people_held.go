package desk

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/belfry-news/belfry/internal/store"
)

// HeldMessages are messages that wait for somebody of the house.
type HeldMessages struct {
	// Number names them for a release.
	Number int64  `json:"number"`
	Kind   string `json:"kind"`
	// Unknown says that they may have arrived: they are settled, not released.
	Unknown  bool   `json:"unknown"`
	Purpose  string `json:"purpose"`
	Post     string `json:"post"`
	Reason   string `json:"reason"`
	Sentence string `json:"sentence"`
	People   int    `json:"people"`
	Since    Stamp  `json:"since"`
	// Digest names the text of notices that say the same.
	Digest string `json:"-"`
}

// HeldMessages lists what waits for somebody of the house, and what may have arrived.
func (d *Desk) HeldMessages(ctx context.Context) ([]HeldMessages, error) {
	rows, err := d.Store.HeldMessages(ctx)
	out := []HeldMessages{}
	for _, h := range rows {
		out = append(out, HeldMessages{Number: h.Stream, Kind: h.Kind, Unknown: mayHaveArrived(h.Reason), Purpose: h.Purpose, Post: h.Post, Reason: h.Reason, Sentence: MessageReason(h.Reason), People: h.Count,
			Since: Stamp{h.Since}, Digest: h.Digest})
	}
	return out, err
}

// mayHaveArrived says that a reason is one of messages of which nobody knows whether they arrived.
func mayHaveArrived(reason string) bool {
	return reason == "unknown" || reason == "node_ended" || reason == "restored"
}

// HeldPerson is one of those to whom held messages are, by reference.
type HeldPerson struct {
	Person string `json:"person"`
	// Unknown says that it may have arrived.
	Unknown  bool   `json:"unknown"`
	Reason   string `json:"reason"`
	Sentence string `json:"sentence"`
	Error    string `json:"error"`
	// Since is when it ended so; null while it was not started.
	Since Stamp `json:"since"`
}

// heldShown is how many people are listed at the most.
const heldShown = 1000

// HeldPeople lists to whom the messages under a number are, at most 1,000.
func (d *Desk) HeldPeople(ctx context.Context, number int64) ([]HeldPerson, error) {
	rows, err := d.Store.HeldPeople(ctx, number, heldShown)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, errorf(Missing, "no messages wait under the number %d; see: belfry message held", number)
	}
	out := []HeldPerson{}
	for _, h := range rows {
		out = append(out, HeldPerson{Person: h.Ref, Unknown: h.State == string(consent.MessageUnknown), Reason: h.Reason, Sentence: MessageReason(h.Reason), Error: h.Error, Since: Stamp{h.Since}})
	}
	return out, nil
}

// SettledMessages is what somebody of the house said of messages. Number and person are empty where they were not asked for.
type SettledMessages struct {
	Number   int64  `json:"number"`
	Person   string `json:"person"`
	Settled  string `json:"settled"`
	Messages int64  `json:"messages"`
}

// SettleMessages records whether messages arrived of which nobody knows: those under a number, those to a person by reference, or
// the one under a number to a person. Those that are missing start again; everything that decides is read anew then.
func (d *Desk) SettleMessages(ctx context.Context, number int64, person string, arrived bool) (SettledMessages, error) {
	say := store.SayMissing
	if arrived {
		say = store.SayArrived
	}
	which := store.Unsure{Stream: number}
	if person != "" {
		row, err := d.subscriber(ctx, person)
		if err != nil {
			return SettledMessages{}, err
		}
		which.Person, person = row.ID, row.Ref
	}
	n, err := d.Store.SayMessages(ctx, which, say, d.Actor, time.Now())
	switch {
	case errors.Is(err, store.ErrNotFound) && person != "":
		return SettledMessages{}, errorf(Missing, "of no such message to %s is it unknown whether it arrived; see: belfry message held", person)
	case errors.Is(err, store.ErrNotFound):
		return SettledMessages{}, errorf(Missing, "no messages under the number %d may or may not have arrived; see: belfry message held", number)
	case errors.Is(err, store.ErrFixedText), errors.Is(err, store.ErrOver):
		return SettledMessages{}, errorf(Conflict, "%s; say that they arrived, so that they are listed no more", err)
	}
	return SettledMessages{number, person, string(say), n}, err
}

// subscriber finds a person by reference.
func (d *Desk) subscriber(ctx context.Context, ref string) (row consent.Subscriber, err error) {
	err = d.Store.People(ctx, func(tx consent.Tx) (err error) {
		row, err = tx.SubscriberByRef(strings.ToLower(ref))
		if err == nil && !row.Erased.IsZero() {
			err = consent.ErrNotFound
		}
		return err
	})
	return row, PersonError(ref, err)
}

// ReleaseMessages lets held messages be looked at again, and says how many. Notices that say the same go together. Everything
// that decides is read anew when they start: who has left meanwhile gets nothing.
func (d *Desk) ReleaseMessages(ctx context.Context, number int64) (int64, error) {
	list, err := d.HeldMessages(ctx)
	if err != nil {
		return 0, err
	}
	for _, h := range list {
		if h.Number != number || h.Unknown {
			continue
		}
		if h.Digest != "" && h.Reason == string(policy.SameToMany) {
			return d.Store.ReleaseNotices(ctx, h.Digest, d.Actor, time.Now())
		}
		return d.Store.ReleaseMessages(ctx, number, d.Actor, time.Now())
	}
	for _, h := range list {
		if h.Number == number {
			return 0, errorf(Conflict, "the messages under the number %d may have arrived; say whether they did: belfry message settle %d --arrived, or --missing", number, number)
		}
	}
	return 0, errorf(Missing, "no messages are held under the number %d; see: belfry message held", number)
}
