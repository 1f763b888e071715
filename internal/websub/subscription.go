package websub

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // the oldest method of the standard; as a MAC it holds
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"hash"
	"strings"
	"time"
)

// State is where a subscription stands. Append-only.
type State string

// The states of a subscription.
const (
	Pending State = "pending"
	Active  State = "active"
	Denied  State = "denied"
	Leaving State = "leaving"
)

// Subscription is what a hub was asked to tell of a source. Times are UTC, zero when they never happened.
type Subscription struct {
	ID                 int64
	Source, Hub, Topic string
	// Origin of the address that the hub calls, which ends with Token; Secret is what it signs with.
	Origin, Token, Secret string
	State                 State
	// AskedAt is when the hub was asked for what it has not come back about; zero when nothing is open.
	AskedAt, VerifiedAt time.Time
	// ExpiresAt is the end of the lease, and NextAt when something is to be done.
	ExpiresAt, NextAt time.Time
	// DeliveredAt is when the hub last told something, and MissedAt when a fetch last found what it had not told.
	DeliveredAt, MissedAt time.Time
	// Attempts failed since the last good one, for the reason Error.
	Attempts int
	Error    string
}

// Path is where hubs call.
const Path = "/hooks/websub/"

// Callback is the address that the hub calls.
func (s Subscription) Callback() string { return s.Origin + Path + s.Token }

// trusted says that the hub tells what is new.
func (s Subscription) trusted(now time.Time) bool {
	return s.State == Active && now.Before(s.ExpiresAt) && s.DeliveredAt.After(s.MissedAt)
}

// Genuine says whether a body carries the hub's signature (X-Hub-Signature, WebSub section 8).
func (s Subscription) Genuine(signatures []string, body []byte) bool {
	for _, header := range signatures {
		method, sum, ok := strings.Cut(strings.TrimSpace(header), "=")
		if !ok {
			continue
		}
		var h func() hash.Hash
		switch strings.ToLower(method) {
		case "sha1":
			h = sha1.New
		case "sha256":
			h = sha256.New
		case "sha384":
			h = sha512.New384
		case "sha512":
			h = sha512.New
		default:
			continue
		}
		said, err := hex.DecodeString(sum)
		if err != nil {
			continue
		}
		mac := hmac.New(h, []byte(s.Secret))
		mac.Write(body)
		if hmac.Equal(said, mac.Sum(nil)) {
			return true
		}
	}
	return false
}

// Feed is a source that names a hub.
type Feed struct{ Source, Hub, Topic string }

// ErrUnknown says that there is no such subscription.
var ErrUnknown = errors.New("websub: no such subscription")

// Store is what subscriptions need of the store.
type Store interface {
	// HubFeeds lists the configured sources that name a hub.
	HubFeeds(ctx context.Context) ([]Feed, error)
	// Subscriptions lists all, the oldest first.
	Subscriptions(ctx context.Context) ([]Subscription, error)
	// Subscription finds one by its token, or gives ErrUnknown.
	Subscription(ctx context.Context, token string) (Subscription, error)
	// ChangeSubscriptions adds new ones, lets some leave that are due at now, and forgets some.
	ChangeSubscriptions(ctx context.Context, add []Subscription, leave, forget []int64, now time.Time) error
	// SubscriptionAsked notes that the hub is being asked, and by when it has to come back.
	SubscriptionAsked(ctx context.Context, id int64, at, until time.Time) error
	// SubscriptionFailed ends the asking that began at asked, unless the hub came back meanwhile.
	SubscriptionFailed(ctx context.Context, id int64, asked time.Time, sentence string, next time.Time) error
	// SubscriptionVerified makes one active if it is being asked for, which it reports.
	SubscriptionVerified(ctx context.Context, id int64, now, renew, expires time.Time) (bool, error)
	// SubscriptionEnded makes an active or pending one pending or denied.
	SubscriptionEnded(ctx context.Context, id int64, state State, sentence string, next time.Time) error
	// SubscriptionDelivered and SubscriptionMissed note when the hub told something, and when it had not.
	SubscriptionDelivered(ctx context.Context, id int64, now time.Time) error
	SubscriptionMissed(ctx context.Context, source string, now time.Time) error
	// PollSoon makes a source due when poll has passed since it was fetched, unless its server asked to wait longer.
	PollSoon(ctx context.Context, source string, poll time.Duration) error
}
