package plugindev

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// journal keeps what the page shows, the newest of each, and tells viewers of changes.
type journal struct {
	mu     sync.Mutex
	state  state
	calls  []Call
	items  []Item
	log    []Line
	number int
	// posts are those of the channel; roles are what the plugin can do, and site is where the daemon's own pages are.
	posts   []Post
	roles   []sdk.Role
	site    string
	viewers map[chan struct{}]bool
}

// state is what became of the project.
type state struct {
	// Busy says what is done now; empty when nothing is.
	Busy string
	// Trouble is why what was saved last does not run: what was tried, and what was said.
	Trouble, Said string
	// Builds counts the programs that ran, At is since when the last of them does.
	Builds int
	At     time.Time
	// Changed are the files that were saved before it.
	Changed []string
}

// Call is a call of the plugin.
type Call struct {
	Number int
	At     time.Time
	Took   time.Duration
	// Op is the ability's verb, Of what it was about, Gave what came of it.
	Op, Of, Gave string
	// Code is that of the error; empty when it went well.
	Code string
	// Detail is what was sent, for who wants to see it.
	Detail string
	// Again counts the calls after it that were the same.
	Again int
}

// Item is an item as the plugin gave it last.
type Item struct {
	Key, Title, URL string
	At              time.Time
	// Versions counts how often it came with another content.
	Versions int
	Removed  bool
	Reason   string
	// mark tells contents apart.
	mark string
}

// Line is a line of a log.
type Line struct {
	At    time.Time
	From  string
	Level string
	Text  string
}

// The most that is kept.
const (
	mostCalls = 120
	mostItems = 60
	mostLines = 200
)

func newJournal() *journal { return &journal{viewers: map[chan struct{}]bool{}} }

// say changes the state.
func (j *journal) say(change func(s *state)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&j.state)
	j.changed()
}

// called notes a call. One that is like the last and gave nothing new is counted with it.
func (j *journal) called(c Call) {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.changed()
	if n := len(j.calls); n > 0 {
		last := &j.calls[n-1]
		if last.Op == c.Op && last.Of == c.Of && last.Gave == c.Gave && last.Code == c.Code && last.Detail == c.Detail {
			last.Again++
			last.At, last.Took = c.At, c.Took
			return
		}
	}
	j.number++
	c.Number = j.number
	j.calls = kept(append(j.calls, c), mostCalls)
}

// saw notes an item.
func (j *journal) saw(it Item) {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.changed()
	if i := slices.IndexFunc(j.items, func(old Item) bool { return old.Key == it.Key }); i >= 0 {
		old := j.items[i]
		if old.mark == it.mark && old.Removed == it.Removed {
			return
		}
		it.Versions = old.Versions
		if it.Removed {
			it.Title, it.URL = old.Title, old.URL
		}
		j.items = slices.Delete(j.items, i, i+1)
	}
	if !it.Removed {
		it.Versions++
	}
	j.items = kept(append(j.items, it), mostItems)
}

// runs notes what runs, and the posts of its channel.
func (j *journal) runs(roles []sdk.Role, site string, posts []Post) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.roles, j.site, j.posts = roles, site, posts
	j.changed()
}

// logged notes a line.
func (j *journal) logged(l Line) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.log = kept(append(j.log, l), mostLines)
	j.changed()
}

// kept are the newest of a list.
func kept[T any](list []T, most int) []T {
	if len(list) > most {
		return slices.Delete(list, 0, len(list)-most)
	}
	return list
}

// read gives all of it, the newest first.
func (j *journal) read() (s state, calls []Call, items []Item, log []Line) {
	j.mu.Lock()
	defer j.mu.Unlock()
	s, calls, items, log = j.state, slices.Clone(j.calls), slices.Clone(j.items), slices.Clone(j.log)
	slices.Reverse(calls)
	slices.Reverse(items)
	slices.Reverse(log)
	return s, calls, items, log
}

// changed wakes the viewers; the lock is held.
func (j *journal) changed() {
	for c := range j.viewers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// join adds a viewer, and gives the function that takes it away.
func (j *journal) join() (<-chan struct{}, func()) {
	c := make(chan struct{}, 1)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.viewers[c] = true
	return c, func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.viewers, c)
	}
}

// logWriter takes the lines of a slog.TextHandler without times.
type logWriter struct{ j *journal }

// Write implements io.Writer: one call is one line.
func (w logWriter) Write(p []byte) (int, error) {
	text := strings.TrimSpace(string(p))
	level, rest, _ := strings.Cut(text, " ")
	w.j.logged(Line{At: time.Now(), From: "belfry", Level: strings.TrimPrefix(level, "level="), Text: rest})
	return len(p), nil
}
