package websub

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// longestChallenge bounds what is said back to a hub, in bytes.
const longestChallenge = 4 << 10

// Question answers what a hub asks at a callback (WebSub sections 5.2 and 5.3): whether a subscription, or its end, is wanted;
// or takes note that it was denied. The error is of the store.
func (s *Subscriber) Question(ctx context.Context, token string, q url.Values) (sdk.WebhookReply, error) {
	no := sdk.WebhookProblem(http.StatusNotFound, "not_wanted", "nothing of the kind was asked for here")
	sub, err := s.s.Store.Subscription(ctx, token)
	if errors.Is(err, ErrUnknown) {
		return no, nil
	}
	if err != nil {
		return no, err
	}
	if q.Get("hub.topic") != sub.Topic {
		return no, nil
	}
	challenge := q.Get("hub.challenge")
	now := time.Now()
	log := s.s.Log.With("source", sub.Source, "hub", host(sub.Hub))
	switch mode := q.Get("hub.mode"); {
	case mode == "denied":
		if sub.State == Leaving {
			return plainly(""), nil
		}
		reason := "the hub denied it"
		if why := said([]byte(q.Get("hub.reason"))); why != "" {
			reason += why
		}
		log.Warn("a hub denied a subscription; the feed is fetched as before", "reason", reason)
		if err := s.s.Store.SubscriptionEnded(ctx, sub.ID, Denied, reason, now.Add(deniedFor)); err != nil {
			return no, err
		}
		return plainly(""), s.fallBack(ctx, sub.Source)
	case challenge == "" || len(challenge) > longestChallenge:
		return sdk.WebhookProblem(http.StatusBadRequest, "no_challenge", "hub.challenge is missing, or longer than 4096 bytes"), nil
	case mode == "unsubscribe" && sub.State == Leaving:
		return plainly(challenge), nil
	case mode != "subscribe" || sub.State == Leaving || sub.AskedAt.IsZero():
		return no, nil
	}
	granted := lease
	if n, err := strconv.ParseInt(q.Get("hub.lease_seconds"), 10, 64); err == nil && n > 0 {
		granted = time.Duration(min(n, int64(longestLease/time.Second))) * time.Second
	}
	granted = max(granted, shortestLease)
	ok, err := s.s.Store.SubscriptionVerified(ctx, sub.ID, now, now.Add(granted*2/3), now.Add(granted))
	if err != nil || !ok {
		return no, err
	}
	log.Info("a hub tells what is new", "lease", granted)
	s.Wake() // one of before may leave
	return plainly(challenge), nil
}

func plainly(text string) sdk.WebhookReply {
	return sdk.WebhookReply{Status: http.StatusOK, Header: map[string][]string{"Content-Type": {"text/plain; charset=utf-8"}}, Body: []byte(text)}
}

// Find gives the subscription of a callback, or ErrUnknown.
func (s *Subscriber) Find(ctx context.Context, token string) (Subscription, error) {
	return s.s.Store.Subscription(ctx, token)
}

// Delivered notes that a hub told something that was kept.
func (s *Subscriber) Delivered(ctx context.Context, sub Subscription) error {
	now := time.Now()
	if sub.trusted(now) && now.Sub(sub.DeliveredAt) < time.Minute {
		return nil // one write a minute tells enough
	}
	if err := s.s.Store.SubscriptionDelivered(ctx, sub.ID, now); err != nil {
		return err
	}
	sub.DeliveredAt = now
	if sub.trusted(now) {
		s.mu.Lock()
		s.trusted[sub.Source] = sub.ExpiresAt
		s.mu.Unlock()
	}
	return nil
}
