package demo

import (
	"context"
	"html"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Kind says what the newsroom did.
type Kind string

// The kinds of acts.
const (
	KindNew       Kind = "new"
	KindCorrected Kind = "corrected"
	KindWithdrawn Kind = "withdrawn"
)

// Act is something the newsroom did, with the times at which it was there, as measured at each place. A zero time means
// not yet.
type Act struct {
	Number  int
	Kind    Kind
	Edition string
	Article Article
	Link    string
	// At is when the feed had it.
	At time.Time
	// Page is when a reader of the hosted page was given it; Telegram and Webhook are when the receivers took it.
	Page, Telegram, Webhook time.Time
	// Late says that it did not reach every place in time.
	Late bool
}

// Done reports whether it has reached every place.
func (a Act) Done() bool { return !a.Page.IsZero() && !a.Telegram.IsZero() && !a.Webhook.IsZero() }

// arrivals are what changes about an act.
func (a Act) arrivals() [4]any { return [4]any{a.Page, a.Telegram, a.Webhook, a.Late} }

// edition is one of the newspaper's languages as Belfry has it: its channel and its chat.
type edition struct {
	Lang    string
	Channel string
	Chat    int64
	Digest  string // the channel of its digest; empty without
}

// stopwatch measures how acts travel.
type stopwatch struct {
	receivers *receivers
	// page is where the daemon serves; empty while it does not.
	page     func() string
	editions map[string]edition
	changed  func()
	client   *http.Client

	mu      sync.Mutex
	acts    []Act
	pending []int // numbers
	wake    chan struct{}
	cancel  context.CancelFunc
	done    sync.WaitGroup
}

const (
	lookEvery = 15 * time.Millisecond
	// patience is after how long an act that did not arrive is late.
	patience = 30 * time.Second
	keptActs = 40
)

// Start begins to measure.
func (s *stopwatch) Start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.wake = cancel, make(chan struct{}, 1)
	s.client = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 1, IdleConnTimeout: 5 * time.Second}}
	s.done.Go(func() { s.loop(ctx) })
}

// Stop ends it.
func (s *stopwatch) Stop() {
	s.cancel()
	s.done.Wait()
	s.client.CloseIdleConnections()
}

// Watch takes acts up.
func (s *stopwatch) Watch(acts ...Act) {
	s.mu.Lock()
	for _, a := range acts {
		a.Number = 1
		if n := len(s.acts); n > 0 {
			a.Number = s.acts[n-1].Number + 1
		}
		s.acts = append(s.acts, a)
		s.pending = append(s.pending, a.Number)
	}
	if extra := len(s.acts) - keptActs; extra > 0 {
		s.acts = slices.Delete(s.acts, 0, extra)
	}
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
	s.changed()
}

// published is when the feed had the newest article with a title, which may have lost its special spaces on the way; zero
// when no such article came.
func (s *stopwatch) published(edition, title string) time.Time {
	plain := func(s string) string { return strings.Join(strings.Fields(s), " ") }
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range slices.Backward(s.acts) {
		if a.Edition == edition && a.Kind == KindNew && plain(a.Article.Title) == plain(title) {
			return a.At
		}
	}
	return time.Time{}
}

// newSince counts the articles of an edition that came after a moment.
func (s *stopwatch) newSince(edition string, at time.Time) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.acts {
		if a.Edition == edition && a.Kind == KindNew && a.At.After(at) {
			n++
		}
	}
	return n
}

// Last is the latest act of an edition; false before the first.
func (s *stopwatch) Last(edition string) (Act, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range slices.Backward(s.acts) {
		if a.Edition == edition {
			return a, true
		}
	}
	return Act{}, false
}

// Act finds an act by its number.
func (s *stopwatch) Act(number int) (Act, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.acts, func(a Act) bool { return a.Number == number }); i >= 0 {
		return s.acts[i], true
	}
	return Act{}, false
}

// Quiet reports whether nothing is under way.
func (s *stopwatch) Quiet() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending) == 0
}

func (s *stopwatch) loop(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		}
		t := time.NewTicker(lookEvery)
		for !s.Quiet() && ctx.Err() == nil {
			s.look(ctx)
			select {
			case <-ctx.Done():
			case <-t.C:
			}
		}
		t.Stop()
	}
}

// look asks every place about the acts under way.
func (s *stopwatch) look(ctx context.Context) {
	s.mu.Lock()
	var open []Act
	for _, a := range s.acts {
		if slices.Contains(s.pending, a.Number) {
			open = append(open, a)
		}
	}
	s.mu.Unlock()
	pages := map[string]string{}
	held := s.receivers.Holdings()
	moved := false
	for _, a := range open {
		before := a
		e := s.editions[a.Edition]
		if a.Page.IsZero() {
			text, read := pages[e.Channel]
			if !read {
				text = s.read(ctx, e)
				pages[e.Channel] = text
			}
			if text != "" && a.onPage(text) {
				a.Page = time.Now()
			}
		}
		if a.Telegram.IsZero() {
			a.Telegram = a.when(held.atTelegram(e.Chat, a.Link))
		}
		if a.Webhook.IsZero() {
			a.Webhook = a.when(held.atWebhook(a.Link))
		}
		a.Late = !a.Done() && time.Since(a.At) > patience
		if a.arrivals() != before.arrivals() {
			moved = true
			s.put(a)
		}
	}
	if moved {
		s.changed()
	}
}

func (s *stopwatch) put(a Act) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.IndexFunc(s.acts, func(b Act) bool { return b.Number == a.Number }); i >= 0 {
		s.acts[i] = a
	}
	if a.Done() || a.Late {
		s.pending = slices.DeleteFunc(s.pending, func(n int) bool { return n == a.Number })
	}
}

// when is the time of the act at a receiver; zero while it is not there.
func (a Act) when(x shown) time.Time {
	var t time.Time
	switch a.Kind {
	case KindNew:
		t = x.At
	case KindCorrected:
		t = x.Edited
	case KindWithdrawn:
		t = x.Gone
	}
	if t.Before(a.At) {
		return time.Time{} // of something earlier
	}
	return t
}

// onPage reports whether a page shows the act.
func (a Act) onPage(text string) bool {
	switch a.Kind {
	case KindWithdrawn:
		return !strings.Contains(text, `"`+a.Link+`"`)
	case KindCorrected:
		return strings.Contains(text, a.Article.Note)
	}
	return strings.Contains(text, `"`+a.Link+`"`)
}

// read gives the page of an edition's channel as a reader gets it; empty while there is none.
func (s *stopwatch) read(ctx context.Context, e edition) string {
	address := s.page()
	if address == "" {
		return ""
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/c/"+e.Channel, nil)
	if err != nil {
		return ""
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil || resp.StatusCode != http.StatusOK {
		return ""
	}
	return html.UnescapeString(string(text))
}
