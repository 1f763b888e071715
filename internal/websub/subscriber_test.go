package websub

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/belfry-news/belfry/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rows is a Store in memory.
type rows struct {
	mu    sync.Mutex
	feeds []Feed
	subs  []Subscription
	soon  []string
	last  int64
	// told is called after the subscriptions were read, before the reader has them; may be nil.
	told func()
}

func (r *rows) do(f func()) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
	return nil
}

func (r *rows) of(id int64, f func(s *Subscription)) error {
	return r.do(func() {
		for i := range r.subs {
			if r.subs[i].ID == id {
				f(&r.subs[i])
			}
		}
	})
}

func (r *rows) HubFeeds(context.Context) (out []Feed, err error) {
	return out, r.do(func() { out = slices.Clone(r.feeds) })
}

func (r *rows) Subscriptions(context.Context) (out []Subscription, err error) {
	var told func()
	err = r.do(func() { out, told = slices.Clone(r.subs), r.told })
	if told != nil {
		told()
	}
	return out, err
}

func (r *rows) Subscription(_ context.Context, token string) (s Subscription, err error) {
	err = ErrUnknown
	_ = r.do(func() {
		for _, x := range r.subs {
			if x.Token == token {
				s, err = x, nil
			}
		}
	})
	return s, err
}

func (r *rows) ChangeSubscriptions(_ context.Context, add []Subscription, leave, forget []int64, now time.Time) error {
	return r.do(func() {
		for i := range r.subs {
			if s := &r.subs[i]; slices.Contains(leave, s.ID) && s.State != Leaving {
				s.State, s.AskedAt, s.Attempts, s.Error, s.NextAt = Leaving, time.Time{}, 0, "", now
			}
		}
		r.subs = slices.DeleteFunc(r.subs, func(s Subscription) bool { return slices.Contains(forget, s.ID) })
		for _, s := range add {
			r.last++
			s.ID = r.last
			r.subs = append(r.subs, s)
		}
	})
}

func (r *rows) SubscriptionAsked(_ context.Context, id int64, at, until time.Time) error {
	return r.of(id, func(s *Subscription) { s.AskedAt, s.NextAt = at, until })
}

func (r *rows) SubscriptionFailed(_ context.Context, id int64, asked time.Time, sentence string, next time.Time) error {
	return r.of(id, func(s *Subscription) {
		if s.AskedAt.Equal(asked) {
			s.AskedAt, s.Attempts, s.Error, s.NextAt = time.Time{}, s.Attempts+1, sentence, next
		}
	})
}

func (r *rows) SubscriptionVerified(_ context.Context, id int64, now, renew, expires time.Time) (ok bool, err error) {
	err = r.of(id, func(s *Subscription) {
		if ok = s.State != Leaving && !s.AskedAt.IsZero(); ok {
			s.State, s.AskedAt, s.Attempts, s.Error, s.VerifiedAt, s.NextAt, s.ExpiresAt = Active, time.Time{}, 0, "", now, renew, expires
		}
	})
	return ok, err
}

func (r *rows) SubscriptionEnded(_ context.Context, id int64, state State, sentence string, next time.Time) error {
	return r.of(id, func(s *Subscription) { s.State, s.AskedAt, s.Error, s.NextAt = state, time.Time{}, sentence, next })
}

func (r *rows) SubscriptionDelivered(_ context.Context, id int64, now time.Time) error {
	return r.of(id, func(s *Subscription) { s.DeliveredAt = now })
}

func (r *rows) SubscriptionMissed(_ context.Context, source string, now time.Time) error {
	return r.do(func() {
		for i := range r.subs {
			if r.subs[i].Source == source && r.subs[i].State == Active {
				r.subs[i].MissedAt = now
			}
		}
	})
}

func (r *rows) PollSoon(_ context.Context, source string, _ time.Duration) error {
	return r.do(func() { r.soon = append(r.soon, source) })
}

// hub answers requests as answer says; by itself it asks back and grants an hour.
type hub struct {
	sub    *Subscriber
	asked  []url.Values
	at     []string
	answer func(form url.Values) error
}

func (h *hub) ask(ctx context.Context, address string, form url.Values, _ sdk.Guard) error {
	h.asked, h.at = append(h.asked, form), append(h.at, address)
	if h.answer != nil {
		return h.answer(form)
	}
	return h.back(ctx, form, "3600")
}

// back is the hub's question.
func (h *hub) back(ctx context.Context, form url.Values, lease string) error {
	token := form.Get("hub.callback")[len("https://news.example"+Path):]
	reply, err := h.sub.Question(ctx, token, url.Values{"hub.mode": form["hub.mode"], "hub.topic": form["hub.topic"], "hub.challenge": {"so?"}, "hub.lease_seconds": {lease}})
	if err == nil && (reply.Status != http.StatusOK || string(reply.Body) != "so?") {
		err = errors.New("the question was not answered")
	}
	return err
}

func (h *hub) modes() (out []string) {
	for _, f := range h.asked {
		out = append(out, f.Get("hub.mode"))
	}
	return out
}

const feedHub, otherHub = "https://hub.example/", "https://other.example/"

// kept starts a subscriber of one feed in a bubble.
func kept(t *testing.T, f func(r *rows, h *hub, s *Subscriber)) {
	synctest.Test(t, func(t *testing.T) {
		r := &rows{feeds: []Feed{{"articles", feedHub, "https://news.example/feed"}}}
		h := &hub{}
		s := New(Settings{Store: r, Log: slog.New(slog.DiscardHandler), Ask: h.ask, Origin: func() string { return "https://news.example" },
			Guard: func(string) sdk.Guard { return sdk.Guard{} }, Poll: func(string) time.Duration { return time.Hour }})
		h.sub = s
		f(r, h, s)
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func start(t *testing.T, s *Subscriber) {
	t.Helper()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

// later lets time pass. What the test saw and set before is seen by who works then.
func later(r *rows, d time.Duration) {
	_ = r.do(func() {})
	time.Sleep(d) // of the bubble's clock
	synctest.Wait()
}

// A lease is renewed with the same callback and secret before it ends.
func TestRenewal(t *testing.T) {
	t.Parallel()
	kept(t, func(r *rows, h *hub, s *Subscriber) {
		start(t, s)
		if r.subs[0].State != Active || len(h.asked) != 1 {
			t.Fatalf("%+v", r.subs)
		}
		later(r, 39*time.Minute)
		if len(h.asked) != 1 {
			t.Error("asked again too early")
		}
		later(r, 2*time.Minute)
		if len(h.asked) != 2 || h.asked[0].Get("hub.callback") != h.asked[1].Get("hub.callback") || h.asked[0].Get("hub.secret") != h.asked[1].Get("hub.secret") {
			t.Errorf("%v", h.asked)
		}
		if secret := h.asked[0].Get("hub.secret"); len(secret) < 40 || len(secret) >= 200 {
			t.Errorf("a secret of %d bytes", len(secret))
		}
		later(r, 24*time.Hour)
		if r.subs[0].State != Active {
			t.Errorf("%+v", r.subs[0])
		}
	})
}

// A hub that fails is asked ever more rarely, its lease ends, the feed is fetched as before, and all is well once it works again.
func TestALeaseThatEnds(t *testing.T) {
	t.Parallel()
	kept(t, func(r *rows, h *hub, s *Subscriber) {
		start(t, s)
		if err := s.Delivered(t.Context(), r.subs[0]); err != nil || s.Slow("articles") != slowly {
			t.Errorf("a hub that tells: %s, %v", s.Slow("articles"), err)
		}
		h.answer = func(url.Values) error { return sdk.Errorf(sdk.CodeUnavailable, "subscribe", "the hub answered 500") }
		later(r, 59*time.Minute)
		if r.subs[0].State != Active || r.subs[0].Error != "the hub answered 500" || s.Slow("articles") == 0 {
			t.Errorf("before the end: %+v", r.subs[0])
		}
		later(r, 2*time.Minute)
		if r.subs[0].State != Pending || s.Slow("articles") != 0 || !slices.Equal(r.soon, []string{"articles"}) {
			t.Errorf("after the end: %+v %v", r.subs[0], r.soon)
		}
		before := len(h.asked)
		later(r, 24*time.Hour)
		if n := len(h.asked) - before; n < 4 || n > 12 {
			t.Errorf("asked %d times in a day", n)
		}
		h.answer = nil
		later(r, longestWait+time.Minute)
		if r.subs[0].State != Active || r.subs[0].Error != "" {
			t.Errorf("%+v", r.subs[0])
		}
	})
}

// Requests that a hub takes and forgets, and those that it denies, are made again later.
func TestAHubThatDoesNotComeBack(t *testing.T) {
	t.Parallel()
	kept(t, func(r *rows, h *hub, s *Subscriber) {
		h.answer = func(url.Values) error { return nil }
		start(t, s)
		later(r, verifyWithin-time.Second)
		if r.subs[0].Attempts != 0 {
			t.Errorf("%+v", r.subs[0])
		}
		later(r, 2*time.Second)
		if r.subs[0].Attempts != 1 || r.subs[0].State != Pending || r.subs[0].Error == "" {
			t.Errorf("%+v", r.subs[0])
		}
		sub := r.subs[0]
		reply, err := s.Question(t.Context(), sub.Token, url.Values{"hub.mode": {"subscribe"}, "hub.topic": {sub.Topic}, "hub.challenge": {"x"}, "hub.lease_seconds": {"60"}})
		if err != nil || reply.Status != http.StatusNotFound {
			t.Errorf("a question about nothing that was asked for: %d %v", reply.Status, err)
		}
		reply, err = s.Question(t.Context(), sub.Token, url.Values{"hub.mode": {"denied"}, "hub.topic": {sub.Topic}, "hub.reason": {"too many"}})
		if err != nil || reply.Status != http.StatusOK || r.subs[0].State != Denied {
			t.Errorf("%d %v %+v", reply.Status, err, r.subs[0])
		}
		before := len(h.asked)
		later(r, deniedFor-time.Minute)
		if len(h.asked) != before {
			t.Error("asked again too early")
		}
		h.answer = nil
		later(r, 2*time.Minute)
		if r.subs[0].State != Active {
			t.Errorf("%+v", r.subs[0])
		}
	})
}

// When a feed names another hub, the one of before tells until the other does, and then learns that it need not.
func TestAHubMoves(t *testing.T) {
	t.Parallel()
	kept(t, func(r *rows, h *hub, s *Subscriber) {
		start(t, s)
		first := r.subs[0]
		h.answer = func(f url.Values) error {
			if h.at[len(h.at)-1] == otherHub {
				return nil // it will ask back
			}
			return h.back(t.Context(), f, "3600")
		}
		_ = r.do(func() { r.feeds[0].Hub = otherHub })
		s.Wake()
		synctest.Wait()
		if len(r.subs) != 2 || r.subs[0].State != Active || r.subs[1].State != Pending || r.subs[0].Token == r.subs[1].Token || r.subs[0].Secret == r.subs[1].Secret {
			t.Fatalf("%+v", r.subs)
		}
		if err := h.back(t.Context(), h.asked[len(h.asked)-1], "3600"); err != nil {
			t.Fatal(err)
		}
		later(r, time.Minute)
		if got := h.modes(); !slices.Equal(got, []string{"subscribe", "subscribe", "unsubscribe"}) || h.at[2] != feedHub || r.subs[0].State != Leaving || r.subs[1].State != Active {
			t.Errorf("%q %+v", got, r.subs)
		}
		later(r, leaveFor+time.Minute)
		if len(r.subs) != 1 || r.subs[0].ID == first.ID {
			t.Errorf("%+v", r.subs)
		}
	})
}

// What a fetch finds while subscriptions are being looked at counts: the hub is not trusted by what was read before.
func TestAHubMissesDuringALook(t *testing.T) {
	t.Parallel()
	kept(t, func(r *rows, _ *hub, s *Subscriber) {
		start(t, s)
		if err := s.Delivered(t.Context(), r.subs[0]); err != nil || s.Slow("articles") != slowly {
			t.Fatalf("a hub that tells: %s, %v", s.Slow("articles"), err)
		}
		time.Sleep(time.Second)
		var missed sync.WaitGroup
		reads := 0
		_ = r.do(func() {
			r.told = func() {
				if reads++; reads != 2 { // the last one of a look, after which nothing is to be done
					return
				}
				missed.Go(func() {
					if err := s.Missed(t.Context(), "articles"); err != nil {
						t.Error(err)
					}
				})
				for range 1000 { // as much time as it wants
					runtime.Gosched()
				}
			}
		})
		s.Wake()
		synctest.Wait()
		missed.Wait()
		if s.Slow("articles") != 0 || reads != 2 {
			t.Errorf("it is fetched every %s, after %d reads", s.Slow("articles"), reads)
		}
	})
}

// Where nobody can call nothing is asked for, and what was is ended.
func TestNoPublicAddress(t *testing.T) {
	t.Parallel()
	kept(t, func(r *rows, h *hub, s *Subscriber) {
		s.s.Origin = func() string { return "" }
		start(t, s)
		if len(h.asked)+len(r.subs) != 0 {
			t.Errorf("%v", h.asked)
		}
	})
}

func TestGenuine(t *testing.T) {
	t.Parallel()
	s := Subscription{Secret: "topsecret"}
	// printf '{"post":{}}' | openssl dgst -sha256 -hmac topsecret
	const sha1 = "95dbd7bdf1dcc4fc22e3b3efa9b9b5ca13f65478"
	const sha256 = "5d3a1db0f6e2bc676c69cf17d2f66f18c63d72d6a5f2522cb4bf139ac347bfc7"
	const sha384 = "04f2e7bf8ccb6f39f94e0f42514902e45837adc37e6a60b58a653ac20277d7fbee55b5523c86f359d278975b42fd9632"
	const sha512 = "342d0f18f0b99422b2debb996e4d5a04cb8b7a6f2a50dc1f56ac6babe58f209d5a623cb6de3b74d111d3cf843172d8784d74c43ae2b2da2b7985401ec016fe12"
	for name, c := range map[string]struct {
		signatures []string
		want       bool
	}{
		"none":           {nil, false},
		"empty":          {[]string{"sha256="}, false},
		"no method":      {[]string{"00"}, false},
		"unknown method": {[]string{"md5=00"}, false},
		"sha1":           {[]string{"sha1=" + sha1}, true},
		"sha256":         {[]string{"sha256=" + sha256}, true},
		"sha384":         {[]string{"sha384=" + sha384}, true},
		"sha512":         {[]string{"bad", "SHA512=" + sha512}, true},
		"cut":            {[]string{"sha256=" + sha256[:32]}, false},
	} {
		if got := s.Genuine(c.signatures, []byte(`{"post":{}}`)); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if s.Genuine([]string{"sha256=" + sha256}, []byte(`{"post":{} }`)) {
		t.Error("another body")
	}
}

// Who asks at a callback for what was not asked for is told nothing, and changes nothing.
func TestQuestionsThatAreRefused(t *testing.T) {
	t.Parallel()
	kept(t, func(r *rows, h *hub, s *Subscriber) {
		h.answer = func(url.Values) error { return nil } // it will ask back
		start(t, s)
		sub := r.subs[0]
		good := url.Values{"hub.mode": {"subscribe"}, "hub.topic": {sub.Topic}, "hub.challenge": {"so?"}, "hub.lease_seconds": {"3600"}}
		with := func(name, value string) url.Values {
			q := maps.Clone(good)
			q[name] = []string{value}
			return q
		}
		for name, c := range map[string]struct {
			token  string
			q      url.Values
			status int
		}{
			"nobody's callback":        {"guessed", good, http.StatusNotFound},
			"another topic":            {sub.Token, with("hub.topic", "https://news.example/other"), http.StatusNotFound},
			"no challenge":             {sub.Token, with("hub.challenge", ""), http.StatusBadRequest},
			"a challenge without end":  {sub.Token, with("hub.challenge", strings.Repeat("x", longestChallenge+1)), http.StatusBadRequest},
			"an end that nobody wants": {sub.Token, with("hub.mode", "unsubscribe"), http.StatusNotFound},
			"no mode":                  {sub.Token, with("hub.mode", ""), http.StatusNotFound},
		} {
			reply, err := s.Question(t.Context(), c.token, c.q)
			if err != nil || reply.Status != c.status || strings.Contains(string(reply.Body), "so?") {
				t.Errorf("%s: %d %s %v", name, reply.Status, reply.Body, err)
			}
		}
		if r.subs[0] != sub {
			t.Errorf("%+v became %+v", sub, r.subs[0])
		}
		if reply, err := s.Question(t.Context(), sub.Token, good); err != nil || string(reply.Body) != "so?" || r.subs[0].State != Active {
			t.Errorf("the one that was asked for: %d %v %+v", reply.Status, err, r.subs[0])
		}
	})
}
