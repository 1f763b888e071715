package desk

import (
	"context"
	"errors"
	"time"

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

// SettledMessages is what a person said of messages.
type SettledMessages struct {
	Number   int64  `json:"number"`
	Settled  string `json:"settled"`
	Messages int64  `json:"messages"`
}

// SettleMessages records whether messages arrived of which nobody knows. Those that are missing start again; everything that
// decides is read anew then.
func (d *Desk) SettleMessages(ctx context.Context, number int64, arrived bool) (SettledMessages, error) {
	say := store.SayMissing
	if arrived {
		say = store.SayArrived
	}
	n, err := d.Store.SayMessages(ctx, number, say, d.Actor, time.Now())
	switch {
	case errors.Is(err, store.ErrNotFound):
		return SettledMessages{}, errorf(Missing, "no messages under the number %d may or may not have arrived; see: belfry message held", number)
	case errors.Is(err, store.ErrFixedText), errors.Is(err, store.ErrOver):
		return SettledMessages{}, errorf(Conflict, "%s; say that they arrived, so that they are listed no more", err)
	}
	return SettledMessages{number, string(say), n}, err
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
