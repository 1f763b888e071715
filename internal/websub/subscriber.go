package websub

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/url"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

const (
	// lease is how long a hub is asked to tell, and the bounds within which its own choice is believed.
	lease, shortestLease, longestLease = 10 * 24 * time.Hour, time.Minute, 90 * 24 * time.Hour
	// verifyWithin is how long a hub may take to ask back.
	verifyWithin = 5 * time.Minute
	// askAgain is the first wait after a failure, longestWait the longest, and deniedFor the wait after a denial.
	askAgain, longestWait, deniedFor = time.Minute, 6 * time.Hour, 24 * time.Hour
	// leaveTries is how often a hub is told that nothing more is wanted; leaveFor is how long its answer is waited for.
	leaveTries, leaveFor = 3, 24 * time.Hour
	// lookEvery is how often everything is looked at, whatever hint was lost.
	lookEvery = time.Minute
	// atOnce is how many hubs are asked at the same time.
	atOnce = 8
	// slowly is how often a feed is fetched whose hub tells what is new.
	slowly = 12 * time.Hour
)

// Settings wire a Subscriber.
type Settings struct {
	Store Store
	Log   *slog.Logger
	// Ask asks a hub; nil asks over HTTP. An error says in a sentence what is wrong.
	Ask func(ctx context.Context, hub string, form url.Values, guard sdk.Guard) error
	// UserAgent is told to hubs.
	UserAgent string
	// Origin is where hubs reach this daemon, such as https://news.example; empty when they cannot.
	Origin func() string
	// Guard says where the hub of a source may be.
	Guard func(source string) sdk.Guard
	// Poll is how often a source is fetched without a hub.
	Poll func(source string) time.Duration
	// Due is called after a source became due sooner.
	Due func()
}

// Subscriber keeps subscriptions.
type Subscriber struct {
	s      Settings
	ask    func(ctx context.Context, hub string, form url.Values, guard sdk.Guard) error
	wake   chan struct{}
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu sync.Mutex
	// trusted says until when the hub of a source is trusted, as far as is known.
	trusted map[string]time.Time
}

// New makes a Subscriber; Start starts it.
func New(s Settings) *Subscriber {
	ask := s.Ask
	if ask == nil {
		ask = asker(s.UserAgent)
	}
	return &Subscriber{s: s, ask: ask, wake: make(chan struct{}, 1), trusted: map[string]time.Time{}}
}

// Start begins to keep subscriptions. The context ends with starting.
func (s *Subscriber) Start(ctx context.Context) error {
	if _, err := s.trust(ctx, time.Now()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.done.Go(func() { s.loop(ctx) })
	return nil
}

// Stop gives up what is being asked, and waits until ctx ends. Subscriptions stay.
func (s *Subscriber) Stop(ctx context.Context) error {
	if s.cancel == nil {
		return nil
	}
	s.cancel()
	ended := make(chan struct{})
	go func() { s.done.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Wake makes the subscriber look now, as after a feed named another hub.
func (s *Subscriber) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Slow is the least time between two fetches of a source whose hub tells what is new; 0 when it has none, or none that is
// trusted.
func (s *Subscriber) Slow(source string) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if until, ok := s.trusted[source]; ok && time.Now().Before(until) {
		return slowly
	}
	return 0
}

func (s *Subscriber) loop(ctx context.Context) {
	for ctx.Err() == nil {
		next, err := s.pass(ctx)
		if err != nil && ctx.Err() == nil {
			s.s.Log.Error("subscriptions cannot be looked at", "err", err)
		}
		t := time.NewTimer(max(min(time.Until(next), lookEvery), time.Millisecond))
		select {
		case <-ctx.Done():
		case <-s.wake:
		case <-t.C:
		}
		t.Stop()
	}
}

// pass does everything that is due, and says when the next thing is.
func (s *Subscriber) pass(ctx context.Context) (next time.Time, err error) {
	now := time.Now()
	next = now.Add(lookEvery)
	feeds, err := s.s.Store.HubFeeds(ctx)
	if err != nil {
		return next, err
	}
	subs, err := s.s.Store.Subscriptions(ctx)
	if err != nil {
		return next, err
	}
	add, leave, forget := plan(feeds, subs, s.s.Origin(), now)
	if len(add)+len(leave)+len(forget) > 0 {
		if err := s.s.Store.ChangeSubscriptions(ctx, add, leave, forget, now); err != nil {
			return next, err
		}
		if subs, err = s.s.Store.Subscriptions(ctx); err != nil {
			return next, err
		}
	}
	work := make(chan struct{}, atOnce)
	var asking sync.WaitGroup
	for _, sub := range subs {
		if now.Before(due(sub)) {
			continue
		}
		work <- struct{}{}
		asking.Go(func() {
			defer func() { <-work }()
			if err := s.act(ctx, sub, now); err != nil && ctx.Err() == nil {
				s.s.Log.Error("a subscription cannot be kept", "source", sub.Source, "hub", host(sub.Hub), "err", err)
			}
		})
	}
	asking.Wait()
	if subs, err = s.trust(ctx, now); err != nil {
		return next, err
	}
	for _, sub := range subs {
		if at := due(sub); at.Before(next) {
			next = at
		}
	}
	if soonest := now.Add(time.Second); next.Before(soonest) {
		next = soonest // a store that takes nothing is not asked again and again
	}
	return next, nil
}

// due is when something is to be done about a subscription.
func due(s Subscription) time.Time {
	if s.State == Active && s.ExpiresAt.Before(s.NextAt) {
		return s.ExpiresAt
	}
	return s.NextAt
}

// plan says which subscriptions are to be made, left and forgotten, so that each feed has one at the hub that it names. The one
// of before stays until the new one is active.
func plan(feeds []Feed, subs []Subscription, origin string, now time.Time) (add []Subscription, leave, forget []int64) {
	current := map[string]*Subscription{} // by source
	wanted := map[string]Feed{}
	for _, f := range feeds {
		if origin != "" {
			wanted[f.Source] = f
		}
	}
	for i, s := range subs {
		if f, ok := wanted[s.Source]; ok && s.State != Leaving && s.Hub == f.Hub && s.Topic == f.Topic && s.Origin == origin && current[s.Source] == nil {
			current[s.Source] = &subs[i]
		}
	}
	for _, s := range subs {
		c := current[s.Source]
		_, want := wanted[s.Source]
		switch {
		case s.State == Leaving:
			if s.Attempts >= leaveTries || !s.AskedAt.IsZero() && !now.Before(s.NextAt) {
				forget = append(forget, s.ID)
			}
		case c != nil && c.ID == s.ID:
		case want && s.State == Active && now.Before(s.ExpiresAt) && (c == nil || c.State != Active):
			// it goes on telling until the other hub does
		default:
			leave = append(leave, s.ID)
		}
	}
	for _, f := range feeds {
		if _, want := wanted[f.Source]; want && current[f.Source] == nil {
			add = append(add, Subscription{Source: f.Source, Hub: f.Hub, Topic: f.Topic, Origin: origin, Token: random(), Secret: random(), State: Pending, NextAt: now})
		}
	}
	return add, leave, forget
}

// random gives 32 random bytes as text.
func random() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// act does what is due about one subscription.
func (s *Subscriber) act(ctx context.Context, sub Subscription, now time.Time) error {
	log := s.s.Log.With("source", sub.Source, "hub", host(sub.Hub))
	switch {
	case sub.State == Active && !now.Before(sub.ExpiresAt):
		log.Warn("a hub's lease has ended; the feed is fetched as before", "failures", sub.Attempts, "reason", sub.Error)
		sentence := sub.Error
		if sentence == "" {
			sentence = "the lease ended before the hub renewed it"
		}
		if err := s.s.Store.SubscriptionEnded(ctx, sub.ID, Pending, sentence, now); err != nil {
			return err
		}
		return s.fallBack(ctx, sub.Source)
	case !sub.AskedAt.IsZero():
		const sentence = "the hub took the request and did not ask back"
		log.Warn("a hub did not ask back; it is asked again later")
		return s.s.Store.SubscriptionFailed(ctx, sub.ID, sub.AskedAt, sentence, s.again(sub, now))
	}
	mode, until := "subscribe", now.Add(verifyWithin)
	if sub.State == Leaving {
		mode, until = "unsubscribe", now.Add(leaveFor)
	}
	asked := now.Truncate(time.Microsecond)
	if err := s.s.Store.SubscriptionAsked(ctx, sub.ID, asked, until); err != nil {
		return err
	}
	form := url.Values{"hub.mode": {mode}, "hub.topic": {sub.Topic}, "hub.callback": {sub.Callback()}}
	if mode == "subscribe" {
		form.Set("hub.lease_seconds", fmt.Sprint(int64(lease/time.Second)))
		form.Set("hub.secret", sub.Secret)
	}
	err := s.ask(ctx, sub.Hub, form, s.s.Guard(sub.Source))
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return context.Cause(ctx) // the hub may come back: the asking stays open
	}
	sentence := sdk.AsError(err).Public
	if sentence == "" {
		sentence = "the hub cannot be asked"
	}
	log.Warn("a hub cannot be asked; the feed is fetched as before", "mode", mode, "err", err)
	return s.s.Store.SubscriptionFailed(ctx, sub.ID, asked, sentence, s.again(sub, time.Now()))
}

// again is when a hub is asked again after a failure.
func (s *Subscriber) again(sub Subscription, now time.Time) time.Time {
	return now.Add(min(askAgain<<min(sub.Attempts, 10), longestWait))
}

// fallBack lets a source be fetched as often as without a hub, from now on.
func (s *Subscriber) fallBack(ctx context.Context, source string) error {
	s.mu.Lock()
	delete(s.trusted, source)
	s.mu.Unlock()
	err := s.s.Store.PollSoon(ctx, source, s.s.Poll(source))
	if err == nil && s.s.Due != nil {
		s.s.Due()
	}
	return err
}

// trust reads which hubs are trusted, and gives all subscriptions. It holds the lock meanwhile: what else changes trust does so in
// the store first, and so either is read here or comes after.
func (s *Subscriber) trust(ctx context.Context, now time.Time) ([]Subscription, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	subs, err := s.s.Store.Subscriptions(ctx)
	if err != nil {
		return nil, err
	}
	clear(s.trusted)
	for _, sub := range subs {
		if sub.trusted(now) && sub.ExpiresAt.After(s.trusted[sub.Source]) {
			s.trusted[sub.Source] = sub.ExpiresAt
		}
	}
	return subs, nil
}

// Missed notes that a fetch of a source found what its hub had not told: it is fetched as before until the hub tells something.
func (s *Subscriber) Missed(ctx context.Context, source string) error {
	if err := s.s.Store.SubscriptionMissed(ctx, source, time.Now()); err != nil {
		return err
	}
	return s.fallBack(ctx, source)
}

func host(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}
