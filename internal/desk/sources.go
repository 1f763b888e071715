package desk

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/websub"
)

// Source is a configured source with what the store has of it. State is ok, new, failing, holds, gone or paused.
type Source struct {
	Name     string   `json:"name"`
	Type     string   `json:"type"`
	State    string   `json:"state"`
	Items    int      `json:"items"`
	Usable   int      `json:"usable"`
	Baseline int      `json:"baseline"`
	Held     int      `json:"held"`
	Removed  int      `json:"withdrawn"`
	Fetched  Stamp    `json:"fetched"`
	OK       Stamp    `json:"ok"`
	New      Stamp    `json:"new"`
	Next     Stamp    `json:"next"`
	Failures int      `json:"failures"`
	Code     string   `json:"code"`
	Error    string   `json:"error"`
	Title    string   `json:"title"`
	URL      string   `json:"url"`
	Notices  []string `json:"notices"`
	Channels []string `json:"channels"`
	Holds    []Hold   `json:"holds"`
	// Calls are what is kept of the calls of a source that is called. Of one that is fetched they are what its hub told, and nil
	// while there is nothing.
	Calls *Calls `json:"calls,omitempty"`
	// Hub is the hub that the source names (WebSub), and how it stands with it; nil when it names none.
	Hub *Hub `json:"hub,omitempty"`
	// Paused is the pause that keeps it from being fetched; nil when there is none.
	Paused *Pause        `json:"-"`
	state  *intake.State // nil before the daemon has seen it
}

// Hold is what the flood brake of a source holds.
type Hold struct {
	Kind  string     `json:"kind"`
	Note  string     `json:"note"`
	At    Stamp      `json:"at"`
	Items []HeldItem `json:"items"`
}

// HeldItem is an item that is held, or whose withdrawal is.
type HeldItem struct {
	Key   string `json:"key"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// Sources reads all configured sources.
func (d *Desk) Sources(ctx context.Context) ([]Source, error) {
	states, err := d.Store.Sources(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := d.Store.SourceCounts(ctx)
	if err != nil {
		return nil, err
	}
	pauses, err := d.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	holds, err := d.Store.Holds(ctx, "")
	if err != nil {
		return nil, err
	}
	known := map[string]*intake.State{}
	for i := range states {
		known[states[i].Name] = &states[i]
	}
	takers := map[string][]string{}
	for _, ch := range slices.Sorted(maps.Keys(d.Config.Channels)) {
		for _, name := range d.Config.Channels[ch].Sources {
			if !slices.Contains(takers[name], ch) {
				takers[name] = append(takers[name], ch)
			}
		}
	}
	held := map[string][]Hold{}
	for _, h := range holds {
		held[h.Source] = append(held[h.Source], newHold(h))
	}
	out := []Source{}
	for _, name := range slices.Sorted(maps.Keys(d.Config.Sources)) {
		s := Source{Name: name, Type: d.Config.Sources[name].Type, Notices: []string{},
			Channels: append([]string{}, takers[name]...), Holds: append([]Hold{}, held[name]...)}
		n := counts[name]
		s.Items, s.Usable, s.Baseline, s.Held, s.Removed = n.Items, n.Live, n.Baseline, n.Held, n.Removed
		if st := known[name]; st != nil {
			s.fill(st)
		}
		for i, p := range pauses {
			if p.Scope == store.PauseAll || p.Scope == store.PauseSource && p.Name == name {
				s.Paused = &pauses[i]
			}
		}
		s.State = s.judge()
		out = append(out, s)
	}
	return out, nil
}

func newHold(h store.OpenHold) Hold {
	out := Hold{Kind: h.Kind, Note: h.Note, At: Stamp{h.At}, Items: []HeldItem{}}
	for _, it := range h.Items {
		out.Items = append(out.Items, HeldItem{it.Key, it.Title, it.URL})
	}
	return out
}

func (s *Source) fill(st *intake.State) {
	s.state = st
	s.Fetched, s.OK, s.New, s.Next = Stamp{st.FetchedAt}, Stamp{st.OKAt}, Stamp{st.NewAt}, Stamp{st.NextAt}
	s.Failures, s.Code, s.Error, s.Title, s.URL = st.Failures, string(st.Code), st.Error, st.About.Title, st.About.URL
	s.Notices = append(s.Notices, st.Notices...)
	if st.Gone || st.Called {
		s.Next = Stamp{}
	}
}

// judge says in a word how the source is.
func (s *Source) judge() string {
	switch {
	case s.Paused != nil:
		return "paused"
	case s.state == nil:
		return "new"
	case s.state.Gone:
		return "gone"
	case s.Failures > 0:
		return "failing"
	case len(s.Holds) > 0:
		return "holds"
	case !s.state.Primed:
		return "new"
	}
	return "ok"
}

// Source finds one configured source.
func (d *Desk) Source(ctx context.Context, name string) (Source, error) {
	if _, ok := d.Config.Sources[name]; !ok {
		return Source{}, UnknownName("source", name, slices.Collect(maps.Keys(d.Config.Sources)))
	}
	all, err := d.Sources(ctx)
	if err != nil {
		return Source{}, err
	}
	s := all[slices.IndexFunc(all, func(s Source) bool { return s.Name == name })]
	if s.state == nil {
		return s, nil
	}
	c, err := d.Store.Calls(ctx, name)
	if err != nil {
		return Source{}, err
	}
	if s.state.Called || c.Waiting+c.Failed > 0 {
		s.Calls = &Calls{Waiting: c.Waiting, Failed: c.Failed, Reasons: append([]string{}, c.Reasons...), Told: !s.state.Called}
	}
	if !s.state.Called {
		if s.Hub, err = d.hub(ctx, name, s.state.About.Hub); err != nil {
			return Source{}, err
		}
	}
	return s, nil
}

// Hub is the hub of a feed. State is active, pending, denied, or not_public where site.url is no public https address.
type Hub struct {
	URL     string `json:"url"`
	State   string `json:"state"`
	Expires Stamp  `json:"expires"`
	Told    Stamp  `json:"told"`
	Next    Stamp  `json:"next"`
	Error   string `json:"error"`
}

// hub says how a source stands with the hub that it names.
func (d *Desk) hub(ctx context.Context, source, named string) (*Hub, error) {
	if named == "" {
		return nil, nil
	}
	out := &Hub{URL: named, State: string(websub.Pending)}
	if d.Config.Site.Callable() == "" {
		out.State = "not_public"
		return out, nil
	}
	subs, err := d.Store.Subscriptions(ctx)
	for _, sub := range subs {
		if sub.Source == source && sub.Hub == named && sub.State != websub.Leaving {
			out.State, out.Told, out.Next, out.Error = string(sub.State), Stamp{sub.DeliveredAt}, Stamp{sub.NextAt}, sub.Error
			if sub.State == websub.Active {
				out.Expires = Stamp{sub.ExpiresAt}
			}
		}
	}
	return out, err
}

// Calls are the webhooks of a source that wait to be mapped, or could not be, with the reasons, the newest first.
type Calls struct {
	Waiting int      `json:"waiting"`
	Failed  int      `json:"failed"`
	Reasons []string `json:"reasons"`
	// Told says that they are what a hub told of a feed.
	Told bool `json:"-"`
}

// Replayed says how many webhooks are mapped again, or were forgotten.
type Replayed struct {
	Source   string `json:"source"`
	Replayed int    `json:"replayed"`
	Dropped  int    `json:"dropped"`
}

// Replay lets the webhooks of a source that could not be mapped be mapped again, with what came after the first of them, or
// all that are kept; or it forgets those that could not be.
func (d *Desk) Replay(ctx context.Context, name string, all, drop bool) (Replayed, error) {
	out := Replayed{Source: name}
	s, err := d.Source(ctx, name)
	if err != nil {
		return out, err
	}
	switch {
	case s.Calls == nil:
		return out, errorf(Conflict, "source %s is fetched and not called; fetch it again: belfry source fetch %s --force", name, name)
	case all && s.Calls.Told:
		return out, errorf(Conflict, "source %s is fetched, and what its hub told before may be older than what it has; only what could not be read is read again: belfry source replay %s", name, name)
	}
	if drop {
		out.Dropped, err = d.Store.DropCalls(ctx, name, d.Actor, time.Now())
	} else {
		out.Replayed, err = d.Store.ReplayCalls(ctx, name, all, d.Actor, time.Now())
	}
	if err == nil && out.Replayed+out.Dropped == 0 {
		return out, errorf(Conflict, "source %s keeps no webhook that could not be mapped", name)
	}
	return out, err
}

// Fetched is what became of a wish to fetch a source now.
type Fetched struct {
	Source  string `json:"source"`
	Fetched bool   `json:"fetched"`
	Daemon  bool   `json:"daemon"`
	At      Stamp  `json:"at"`
	New     int    `json:"new"`
	Held    int    `json:"held"`
	Code    string `json:"code"`
	Error   string `json:"error"`
	// Paused is the pause that keeps the source from being fetched; nil when there is none.
	Paused *Pause `json:"-"`
}

// Fetch makes a source due at once, even where its server asked to wait; force asks for everything, and also asks a source
// that said it is gone. It waits for a running daemon to do it.
func (d *Desk) Fetch(ctx context.Context, name string, force bool, wait time.Duration) (Fetched, error) {
	before, err := d.Source(ctx, name)
	if err != nil {
		return Fetched{}, err
	}
	if before.state != nil && before.state.Called {
		return Fetched{}, errorf(Conflict, "source %s is called and not fetched; to map again what it sent: belfry source replay %s", name, name)
	}
	out := Fetched{Source: name, Daemon: d.Running(), Paused: before.Paused}
	switch err := d.Store.FetchNow(ctx, name, force, time.Now()); {
	case errors.Is(err, store.ErrNotFound):
		return out, errorf(Conflict, "the daemon has not taken up source %s yet; it does so when it starts, or reloads the configuration", name)
	case err != nil:
		return out, err
	}
	after := before
	if out.Daemon && wait > 0 && before.Paused == nil {
		out.Fetched, err = waitFor(ctx, wait, func() (bool, error) {
			after, err = d.Source(ctx, name)
			return err == nil && after.state.Version != before.state.Version && after.Fetched.After(d.Now.Add(-time.Second)), err
		})
		if err != nil {
			return out, err
		}
	}
	out.At, out.New, out.Held, out.Code, out.Error = after.Fetched, after.Items-before.Items, after.Held-before.Held, after.Code, after.Error
	return out, nil
}

// Released says how many items of a source were let go, or dropped.
type Released struct {
	Dropped  int    `json:"dropped"`
	Released int    `json:"released"`
	Source   string `json:"source"`
}

// FirstOnly says that all a source has brought was there at its first fetch, and that nothing was posted of it.
func (s *Source) FirstOnly() bool { return s.Baseline > 0 && s.Usable == 0 && len(s.Channels) > 0 }

// FirstSentence says why nothing is posted of a source that brought nothing since its first fetch.
func (d *Desk) FirstSentence(source string, items int) string {
	things := "1 item"
	if items != 1 {
		things = Thousands(items) + " items"
	}
	return fmt.Sprintf("source %s: %s known, none posted (baseline: %s); post the newest N: belfry source release %s --baseline N", source, things, d.Config.Sources[source].Baseline, source)
}

// ReleaseFirst lets the newest of what was there at a source's first fetch be used after all, like new items.
func (d *Desk) ReleaseFirst(ctx context.Context, name string, newest int) (Released, error) {
	out := Released{Source: name}
	if _, err := d.Source(ctx, name); err != nil {
		return out, err
	}
	if newest < 1 {
		return out, unusable("%d is no number of items; write how many of the newest are to be posted, such as 10", newest)
	}
	n, err := d.Store.ReleaseBaseline(ctx, name, newest, d.Actor, time.Now())
	if err == nil && n == 0 {
		return out, errorf(Conflict, "source %s has no items left from its first fetch that were not posted", name)
	}
	out.Released = n
	return out, err
}

// ReleaseSource lets go what the flood brake of a source holds, or drops it.
func (d *Desk) ReleaseSource(ctx context.Context, name string, drop bool) (Released, error) {
	out := Released{Source: name}
	s, err := d.Source(ctx, name)
	if err != nil {
		return out, err
	}
	if len(s.Holds) == 0 {
		return out, errorf(Conflict, "source %s holds nothing", name)
	}
	n, err := d.Store.ReleaseSourceHolds(ctx, name, drop, d.Actor, time.Now())
	if drop {
		out.Dropped = n
	} else {
		out.Released = n
	}
	return out, err
}
