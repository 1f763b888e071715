package desk

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/policy"
)

// HeldMessages are messages that wait for somebody of the house.
type HeldMessages struct {
	// Number names them for a release.
	Number   int64  `json:"number"`
	Kind     string `json:"kind"`
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
		out = append(out, HeldMessages{Number: h.Stream, Kind: h.Kind, Purpose: h.Purpose, Post: h.Post, Reason: h.Reason, Sentence: MessageReason(h.Reason), People: h.Count,
			Since: Stamp{h.Since}, Digest: h.Digest})
	}
	return out, err
}

// ReleaseMessages lets held messages be looked at again, and says how many. Notices that say the same go together. Everything
// that decides is read anew when they start: who has left meanwhile gets nothing.
func (d *Desk) ReleaseMessages(ctx context.Context, number int64) (int64, error) {
	list, err := d.HeldMessages(ctx)
	if err != nil {
		return 0, err
	}
	for _, h := range list {
		if h.Number != number || h.Reason == "unknown" || h.Reason == "node_ended" {
			continue
		}
		if h.Digest != "" && h.Reason == string(policy.SameToMany) {
			return d.Store.ReleaseNotices(ctx, h.Digest, d.Actor, time.Now())
		}
		return d.Store.ReleaseMessages(ctx, number, d.Actor, time.Now())
	}
	return 0, errorf(Missing, "no messages are held under the number %d; see: belfry message held", number)
}
