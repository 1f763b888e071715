package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/websub"
	"github.com/belfry-news/belfry/sdk"
)

var _ websub.Store = (*DB)(nil)

// HubFeeds implements websub.Store.
func (db *DB) HubFeeds(ctx context.Context) (out []websub.Feed, err error) {
	err = db.query(ctx, func(r scanner) error {
		var f websub.Feed
		var text string
		var about sdk.About
		if err := r.Scan(&f.Source, &text); err != nil {
			return err
		}
		if err := decode(text, &about); err != nil {
			return err
		}
		f.Hub, f.Topic = about.Hub, about.Topic
		if f.Hub != "" {
			out = append(out, f)
		}
		return nil
	}, `SELECT name, about FROM sources WHERE configured = 1 AND called = 0 AND gone = 0 AND about LIKE '%"Hub":"h%' ORDER BY name`)
	return out, err
}

const subscriptionColumns = `id, source, hub, topic, origin, token, secret, state, asked_at, verified_at, expires_at, next_at, delivered_at, missed_at, attempts, error`

func scanSubscription(r scanner) (websub.Subscription, error) {
	var s websub.Subscription
	var asked, verified, expires, next, delivered, missed int64
	err := r.Scan(&s.ID, &s.Source, &s.Hub, &s.Topic, &s.Origin, &s.Token, &s.Secret, &s.State, &asked, &verified, &expires, &next, &delivered, &missed, &s.Attempts, &s.Error)
	s.AskedAt, s.VerifiedAt, s.ExpiresAt, s.NextAt, s.DeliveredAt, s.MissedAt = timeOf(asked), timeOf(verified), timeOf(expires), timeOf(next), timeOf(delivered), timeOf(missed)
	return s, err
}

// Subscriptions implements websub.Store.
func (db *DB) Subscriptions(ctx context.Context) (out []websub.Subscription, err error) {
	err = db.query(ctx, func(r scanner) error {
		s, err := scanSubscription(r)
		out = append(out, s)
		return err
	}, `SELECT `+subscriptionColumns+` FROM subscriptions ORDER BY id`)
	return out, err
}

// Subscription implements websub.Store.
func (db *DB) Subscription(ctx context.Context, token string) (websub.Subscription, error) {
	s, err := scanSubscription(db.queryRow(ctx, `SELECT `+subscriptionColumns+` FROM subscriptions WHERE token = $1`, token))
	if errors.Is(err, sql.ErrNoRows) {
		err = websub.ErrUnknown
	}
	return s, err
}

// ChangeSubscriptions implements websub.Store.
func (db *DB) ChangeSubscriptions(ctx context.Context, add []websub.Subscription, leave, forget []int64, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		for _, s := range add {
			if err := tx.run(`INSERT INTO subscriptions (source, hub, topic, origin, token, secret, next_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
				s.Source, s.Hub, s.Topic, s.Origin, s.Token, s.Secret, micros(s.NextAt)); err != nil {
				return err
			}
		}
		return errors.Join(
			tx.run(`UPDATE subscriptions SET state = 'leaving', asked_at = 0, attempts = 0, error = '', next_at = $2 WHERE id IN @list($1) AND state <> 'leaving'`, jsonList(leave), micros(now)),
			tx.run(`DELETE FROM subscriptions WHERE id IN @list($1)`, jsonList(forget)))
	})
}

// SubscriptionAsked implements websub.Store.
func (db *DB) SubscriptionAsked(ctx context.Context, id int64, at, until time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`UPDATE subscriptions SET asked_at = $2, next_at = $3 WHERE id = $1`, id, micros(at), micros(until))
	})
}

// SubscriptionFailed implements websub.Store.
func (db *DB) SubscriptionFailed(ctx context.Context, id int64, asked time.Time, sentence string, next time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`UPDATE subscriptions SET asked_at = 0, attempts = attempts + 1, error = $3, next_at = $4 WHERE id = $1 AND asked_at = $2`, id, micros(asked), sentence, micros(next))
	})
}

// SubscriptionVerified implements websub.Store.
func (db *DB) SubscriptionVerified(ctx context.Context, id int64, now, renew, expires time.Time) (ok bool, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		n, err := tx.exec(`UPDATE subscriptions SET state = 'active', asked_at = 0, attempts = 0, error = '', verified_at = $2, next_at = $3, expires_at = $4
			WHERE id = $1 AND state <> 'leaving' AND asked_at > 0`, id, micros(now), micros(renew), micros(expires))
		ok = n > 0
		return err
	})
	return ok, err
}

// SubscriptionEnded implements websub.Store.
func (db *DB) SubscriptionEnded(ctx context.Context, id int64, state websub.State, sentence string, next time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`UPDATE subscriptions SET state = $2, asked_at = 0, error = $3, next_at = $4 WHERE id = $1 AND state <> 'leaving'`, id, string(state), sentence, micros(next))
	})
}

// SubscriptionDelivered implements websub.Store.
func (db *DB) SubscriptionDelivered(ctx context.Context, id int64, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`UPDATE subscriptions SET delivered_at = $2 WHERE id = $1`, id, micros(now))
	})
}

// SubscriptionMissed implements websub.Store.
func (db *DB) SubscriptionMissed(ctx context.Context, source string, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`UPDATE subscriptions SET missed_at = $2 WHERE source = $1 AND state = 'active'`, source, micros(now))
	})
}

// PollSoon implements websub.Store.
func (db *DB) PollSoon(ctx context.Context, source string, poll time.Duration) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`UPDATE sources SET next_at = min(next_at, max(wait_until, fetched_at + CAST($2 AS BIGINT))) WHERE name = $1 AND fetched_at > 0 AND failures = 0`, source, poll.Microseconds())
	})
}
