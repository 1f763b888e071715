package plugindev

import (
	"slices"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// journal keeps what the page shows, and tells viewers of changes.
type journal struct {
	mu      sync.Mutex
	kept    record
	number  int // of the last call
	viewers map[chan struct{}]bool
}

// record is what is known, the newest of each.
type record struct {
	state state
	// typ is the plugin's type, roles are what it can do, and site is where the daemon's own pages are.
	typ   string
	roles []sdk.Role
	site  string
	posts []Post
	calls []Call
	items []Item
	log   []Line
	// messages are those to the reader.
	messages []Message
}

// state is what became of the project.
type state struct {
	// Running says that a program runs, be it one before.
	Running bool
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
	At time.Time
	// From is who says it: belfry, the plugin's type, or fake.
	From  string
	Level string
	Text  string
	// More is what was said besides.
	More []More
}

// More is a named value of a line.
type More struct{ Name, Value string }

// The most that is kept.
const (
	mostCalls = 120
	mostItems = 60
	mostLines = 200
	mostMail  = 60
)

func newJournal(typ string) *journal {
	return &journal{kept: record{typ: typ}, viewers: map[chan struct{}]bool{}}
}

// say changes the state.
func (j *journal) say(change func(s *state)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change(&j.kept.state)
	j.changed()
}

// called notes a call. One that is like the last and gave nothing new is counted with it.
func (j *journal) called(c Call) {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.changed()
	if n := len(j.kept.calls); n > 0 {
		last := &j.kept.calls[n-1]
		if last.Op == c.Op && last.Of == c.Of && last.Gave == c.Gave && last.Code == c.Code && last.Detail == c.Detail {
			last.Again++
			last.At, last.Took = c.At, c.Took
			return
		}
	}
	j.number++
	c.Number = j.number
	j.kept.calls = newest(append(j.kept.calls, c), mostCalls)
}

// saw notes an item.
func (j *journal) saw(it Item) {
	j.mu.Lock()
	defer j.mu.Unlock()
	defer j.changed()
	items := j.kept.items
	if i := slices.IndexFunc(items, func(old Item) bool { return old.Key == it.Key }); i >= 0 {
		old := items[i]
		if old.mark == it.mark && old.Removed == it.Removed {
			return
		}
		it.Versions = old.Versions
		if it.Removed {
			it.Title, it.URL = old.Title, old.URL
		}
		items = slices.Delete(items, i, i+1)
	}
	if !it.Removed {
		it.Versions++
	}
	j.kept.items = newest(append(items, it), mostItems)
}

// runs notes what runs.
func (j *journal) runs(typ string, roles []sdk.Role, site string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.kept.typ, j.kept.roles, j.kept.site = typ, roles, site
	j.changed()
}

// posted notes the posts of the channel.
func (j *journal) posted(posts []Post) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !slices.Equal(j.kept.posts, posts) {
		j.kept.posts = posts
		j.changed()
	}
}

// messaged notes a message to the reader. One that was tried again takes the place of the last attempt.
func (j *journal) messaged(m Message) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if n := len(j.kept.messages); n > 0 && j.kept.messages[n-1].Code != "" && j.kept.messages[n-1].Text == m.Text {
		j.kept.messages = j.kept.messages[:n-1]
	}
	j.kept.messages = newest(append(j.kept.messages, m), mostMail)
	j.changed()
}

// logged notes a line.
func (j *journal) logged(l Line) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.kept.log = newest(append(j.kept.log, l), mostLines)
	j.changed()
}

// newest cuts a list down to its end.
func newest[T any](list []T, most int) []T {
	if len(list) > most {
		return slices.Delete(list, 0, len(list)-most)
	}
	return list
}

// read gives a copy of all of it, the newest first.
func (j *journal) read() record {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := j.kept
	r.calls, r.items, r.log, r.messages = slices.Clone(r.calls), slices.Clone(r.items), slices.Clone(r.log), slices.Clone(r.messages)
	slices.Reverse(r.messages)
	slices.Reverse(r.calls)
	slices.Reverse(r.items)
	slices.Reverse(r.log)
	return r
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
