package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/sdk"
)

// Resend sends a delivery that ended without success once more, as its publication is now.
func (db *DB) Resend(ctx context.Context, delivery int64, actor string, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		var publication int64
		var state, destination string
		if err := tx.row(`SELECT coalesce(publication, 0), state, destination FROM deliveries WHERE id = $1`, delivery).Scan(&publication, &state, &destination); err != nil {
			return notFound(err)
		}
		switch outbox.State(state) {
		case outbox.Failed, outbox.Expired, outbox.Dropped:
		default:
			return fmt.Errorf("delivery %d is %s; only one that is failed, expired or dropped can be sent again", delivery, state)
		}
		if err := tx.run(`UPDATE publications SET state = 'open', version = version + 1, rung = 0, reason = '', expires_at = 0 WHERE id = $1`, publication); err != nil {
			return err
		}
		n, err := tx.exec(`INSERT INTO deliveries (publication, destination, chat, next_at, created_at) SELECT id, destination, chat, $2, $2 FROM publications WHERE id = $1 ON CONFLICT DO NOTHING`, publication, micros(now))
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("delivery %d: its copy is being worked on already", delivery)
		}
		if err := tx.act(actor, "resend", fmt.Sprintf("delivery %d", delivery), now); err != nil {
			return err
		}
		return tx.alerts(nil, []alert.Key{{Code: alert.PostFailed, Subject: destination}, {Code: alert.PostExpired, Subject: destination}}, now)
	})
}

// Say settles what only a person can know: that an unknown call arrived or is missing, or that a listed correction was
// done by hand.
type Say string

// What a person can say.
const (
	SayArrived Say = "arrived"
	SayMissing Say = "missing"
	SayDone    Say = "done"
)

// ResolveByHand records what a person says about a delivery.
func (db *DB) ResolveByHand(ctx context.Context, delivery int64, say Say, url, actor string, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		var u outbox.UnknownCall
		var state, destination, chat, public string
		var call storedCall
		err := tx.row(`SELECT d.id, d.state, `+callColumns+`, d.destination, d.chat, u.id, u.version, p.public_id FROM deliveries d JOIN publications u ON u.id = d.publication
			JOIN posts p ON p.id = u.post LEFT JOIN calls c ON c.delivery = d.id WHERE d.id = $1`, delivery).Scan(&u.Delivery, &state, &call.call, &call.request, &destination, &chat, &u.Publication, &u.Version, &public)
		if err != nil {
			return notFound(err)
		}
		wrong := func(wants string) error {
			return fmt.Errorf("delivery %d is %s; --%s is for one that is %s", delivery, state, say, wants)
		}
		switch say {
		case SayArrived, SayMissing:
			if state != string(outbox.Unknown) {
				return wrong("unknown")
			}
			if err := call.read(&u.Call); err != nil {
				return err
			}
			if say == SayMissing {
				err = tx.decideAnew(u, now)
			} else if _, _, err = tx.settleCall(outbox.Settlement{Delivery: delivery, Publication: u.Publication, Call: &u.Call, Ref: sdk.PartRef{URL: url}}, now); err == nil {
				err = tx.dropCall(delivery)
			}
		case SayDone:
			if state != string(outbox.AwaitingPerson) {
				return wrong("awaiting_person")
			}
			if err := tx.run(`UPDATE deliveries SET state = 'sent', settled_at = $2, reason = 'by hand' WHERE id = $1`, delivery, micros(now)); err != nil {
				return err
			}
			err = tx.run(`UPDATE publications SET state = 'done', have = want, have_gone = gone, version = version + 1, reason = 'by hand' WHERE id = $1`, u.Publication)
		default:
			return fmt.Errorf("a delivery can be said to have arrived, to be missing or to be done, not %q", say)
		}
		if err != nil {
			return err
		}
		if err := tx.act(actor, "resolve delivery", fmt.Sprintf("%d: %s", delivery, say), now); err != nil {
			return err
		}
		listed := fmt.Sprintf("post %s on %s", public, strings.TrimSpace(destination+" "+chat))
		return tx.alerts(nil, []alert.Key{outbox.UnknownKey(delivery), {Code: alert.CorrectionListed, Subject: listed}}, now)
	})
}
