package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

const howOneBad = `
Five feeds, each polled every second (` + "`poll: 1s`" + `), each bringing one new item with every answer: five posts a second from a channel to
ten HTTP destinations. All ten are well for a while; then the first of them hangs (it takes the call and answers nothing), then it
fails (a 500 for every call), then it drips (a 200 whose body comes byte by byte, one a second), each for as long, in the same run of
the same daemon, with the defaults for retries and deadlines; in between it is well until it has everything. An item's time runs as
in latency, to each of the other nine. Each phase gives the p95 (nearest rank) of all of them, after a second of settling; the ratio
is that of a phase to the one in health. An item that did not arrive at one of the nine within 10 s fails the bench, and so does one
that the tenth still lacks two minutes after it became well.
`

// crowd are ten receivers at one address. The first of them has moods.
type crowd struct {
	mu   sync.Mutex
	mood mood
	at   []map[string]time.Time // by receiver and the article's address: when it came first
	met  int                    // how many calls met the mood
}

type mood int

const (
	well mood = iota
	hangs
	fails
	drips
)

const crowdSize = 10

func newCrowd() *crowd {
	c := &crowd{at: make([]map[string]time.Time, crowdSize)}
	for i := range c.at {
		c.at[i] = map[string]time.Time{}
	}
	return c
}

func (c *crowd) be(m mood) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mood, c.met = m, 0
}

func (c *crowd) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	now, who := time.Now(), 0
	var call struct {
		Data struct {
			URL string `json:"url"`
		} `json:"data"`
	}
	if _, scanErr := fmt.Sscanf(r.URL.Path, "/to/%d", &who); scanErr != nil || who < 0 || who >= crowdSize || err != nil ||
		json.Unmarshal(body, &call) != nil || call.Data.URL == "" {
		http.Error(w, "a post in the standard form was expected", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	m := well
	if who == 0 {
		if m = c.mood; m != well {
			c.met++
		}
	}
	if _, known := c.at[who][call.Data.URL]; !known && m == well {
		c.at[who][call.Data.URL] = now
	}
	c.mu.Unlock()
	switch m {
	case well:
		w.WriteHeader(http.StatusNoContent)
	case hangs:
		<-r.Context().Done()
	case fails:
		w.WriteHeader(http.StatusInternalServerError)
	case drips:
		w.Header().Set("Content-Length", "1000")
		for r.Context().Err() == nil {
			_, _ = io.WriteString(w, "{")
			_ = http.NewResponseController(w).Flush()
			_ = pause(r.Context(), time.Second)
		}
	}
}

// lags are how long items were under way to each receiver but the first, in milliseconds. It is false while one of them has
// not arrived.
func (c *crowd) lags(served map[string]time.Time, from, to time.Time) (out sample, all bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for url, begun := range served {
		if begun.Before(from) || begun.After(to) {
			continue
		}
		for _, at := range c.at[1:] {
			came, ok := at[url]
			if !ok {
				return nil, false
			}
			out = append(out, float64(came.Sub(begun).Microseconds())/1000)
		}
	}
	return out, len(out) > 0
}

// caughtUp reports whether the first receiver has everything that was served by a time.
func (c *crowd) caughtUp(served map[string]time.Time, by time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for url, begun := range served {
		if _, came := c.at[0][url]; !came && begun.Before(by) {
			return false
		}
	}
	return true
}

// moods are the phases of a run, with what the first receiver does in them.
var moods = []struct {
	mood mood
	does string
}{{hangs, "hangs"}, {fails, "answers 500"}, {drips, "drips"}}

func measureOneBad(ctx context.Context, b *bench) error {
	calm := b.row("from the feed's answer to nine of ten destinations, p95, all ten well", "ms", goal{})
	var late, times []*row
	for _, m := range moods {
		late = append(late, b.row("the same nine while the tenth "+m.does+", p95", "ms", goal{}))
		times = append(times, b.row("the same, as a multiple of their p95 in health", "times", atMost(2)))
	}
	for range b.runs {
		if err := b.quiet(ctx); err != nil {
			return err
		}
		p95, err := b.crowded(ctx)
		if err != nil {
			return err
		}
		calm.add(p95[0])
		for i := range moods {
			late[i].add(p95[i+1])
			times[i].add(p95[i+1] / p95[0])
		}
		b.say("p95 of nine destinations: %s ms in health; while the tenth hangs, fails, drips: %s, %s, %s ms", figure(p95[0]), figure(p95[1]), figure(p95[2]), figure(p95[3]))
	}
	return nil
}

// crowded runs one daemon through all moods, and gives the p95 of the nine in each: in health first.
func (b *bench) crowded(ctx context.Context) ([]float64, error) {
	const feeds = 5
	news, receivers := newTicker(), newCrowd()
	newsServer, err := serve(news)
	if err != nil {
		return nil, err
	}
	defer newsServer.stop()
	crowdServer, err := serve(receivers)
	if err != nil {
		return nil, err
	}
	defer crowdServer.stop()
	s, err := b.newSite("one-bad")
	if err != nil {
		return nil, err
	}
	defer s.remove()
	sources, names := sourcesOf(newsServer.url, feeds, ", poll: 1s")
	to, text := destinationsOf(crowdServer.url, crowdSize)
	if err := s.configure(sources + text + channelOf(names, "each: {}\n    publish_to: ["+to+"]")); err != nil {
		return nil, err
	}
	d, err := s.start(ctx)
	if err != nil {
		return nil, err
	}
	defer d.stop()
	if err := pause(ctx, 2*time.Second); err != nil {
		return nil, err
	}
	var out []float64
	phase := func(m mood) error {
		receivers.be(m)
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
		begun := time.Now()
		if err := pause(ctx, pick(b, 15*time.Second, 4*time.Second)); err != nil {
			return err
		}
		ended := time.Now()
		var lags sample
		err := await(ctx, 20*time.Millisecond, 10*time.Second, "every item has arrived at the nine", func() (all bool, err error) {
			lags, all = receivers.lags(news.times(), begun, ended)
			return all, d.alive()
		})
		if err != nil {
			return fmt.Errorf("%w\n%s", err, s.tail())
		}
		receivers.mu.Lock()
		met := receivers.met
		receivers.mu.Unlock()
		if m != well && met == 0 {
			return fmt.Errorf("the tenth destination was not called while it was to be bad\n%s", s.tail())
		}
		out = append(out, lags.percentile(95))
		return nil
	}
	if err := phase(well); err != nil {
		return nil, err
	}
	for _, m := range moods {
		if err := phase(m.mood); err != nil {
			return nil, fmt.Errorf("while the tenth %s: %w", m.does, err)
		}
		receivers.be(well)
		ended := time.Now()
		if err := await(ctx, 100*time.Millisecond, 2*time.Minute, "the tenth has everything", func() (bool, error) {
			return receivers.caughtUp(news.times(), ended), d.alive()
		}); err != nil {
			return nil, fmt.Errorf("after the tenth %s: %w\n%s", m.does, err, s.tail())
		}
	}
	return out, nil
}
