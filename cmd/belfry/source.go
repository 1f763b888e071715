package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
)

type sourceCmd struct {
	List    sourceListCmd    `cmd:"" help:"List the sources, or what one of them holds."`
	Show    sourceShowCmd    `cmd:"" help:"Everything about one source."`
	Fetch   sourceFetchCmd   `cmd:"" help:"Fetch a source now."`
	Release sourceReleaseCmd `cmd:"" help:"Let what the flood brake holds go, or drop it."`
}

// sourceJSON is a source as list and show print it.
type sourceJSON struct {
	Name     string        `json:"name"`
	Type     string        `json:"type"`
	State    string        `json:"state"`
	Items    int           `json:"items"`
	Usable   int           `json:"usable"`
	Baseline int           `json:"baseline"`
	Held     int           `json:"held"`
	Removed  int           `json:"withdrawn"`
	Fetched  stamp         `json:"fetched"`
	OK       stamp         `json:"ok"`
	New      stamp         `json:"new"`
	Next     stamp         `json:"next"`
	Failures int           `json:"failures"`
	Code     string        `json:"code"`
	Error    string        `json:"error"`
	Title    string        `json:"title"`
	URL      string        `json:"url"`
	Notices  []string      `json:"notices"`
	Channels []string      `json:"channels"`
	Holds    []holdJSON    `json:"holds"`
	state    *intake.State // nil before the daemon has seen it
	paused   *store.Pause  // nil when it is not paused
}

type holdJSON struct {
	Kind  string         `json:"kind"`
	Note  string         `json:"note"`
	At    stamp          `json:"at"`
	Items []heldItemJSON `json:"items"`
}

type heldItemJSON struct {
	Key   string `json:"key"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// sources reads all configured sources.
func (d *desk) sources(ctx context.Context) ([]sourceJSON, error) {
	states, err := d.db.Sources(ctx)
	if err != nil {
		return nil, err
	}
	counts, err := d.db.SourceCounts(ctx)
	if err != nil {
		return nil, err
	}
	pauses, err := d.db.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	holds, err := d.db.Holds(ctx, "")
	if err != nil {
		return nil, err
	}
	out := []sourceJSON{}
	for _, name := range slices.Sorted(maps.Keys(d.cfg.Sources)) {
		s := sourceJSON{Name: name, Type: d.cfg.Sources[name].Type, Notices: []string{}, Channels: []string{}, Holds: []holdJSON{}}
		n := counts[name]
		s.Items, s.Usable, s.Baseline, s.Held, s.Removed = n.Items, n.Live, n.Baseline, n.Held, n.Removed
		for _, ch := range slices.Sorted(maps.Keys(d.cfg.Channels)) {
			if slices.Contains(d.cfg.Channels[ch].Sources, name) {
				s.Channels = append(s.Channels, ch)
			}
		}
		for i := range states {
			if states[i].Name == name {
				s.fill(&states[i])
			}
		}
		for i, p := range pauses {
			if p.Scope == store.PauseAll || p.Scope == store.PauseSource && p.Name == name {
				s.paused = &pauses[i]
			}
		}
		for _, h := range holds {
			if h.Source == name {
				s.Holds = append(s.Holds, newHold(h))
			}
		}
		s.State = s.judge()
		out = append(out, s)
	}
	return out, nil
}

func newHold(h store.OpenHold) holdJSON {
	out := holdJSON{Kind: h.Kind, Note: h.Note, At: stamp{h.At}, Items: []heldItemJSON{}}
	for _, it := range h.Items {
		out.Items = append(out.Items, heldItemJSON{it.Key, it.Title, it.URL})
	}
	return out
}

func (s *sourceJSON) fill(st *intake.State) {
	s.state = st
	s.Fetched, s.OK, s.New, s.Next = stamp{st.FetchedAt}, stamp{st.OKAt}, stamp{st.NewAt}, stamp{st.NextAt}
	s.Failures, s.Code, s.Error, s.Title, s.URL = st.Failures, string(st.Code), st.Error, st.About.Title, st.About.URL
	s.Notices = append(s.Notices, st.Notices...)
	if st.Gone {
		s.Next = stamp{}
	}
}

// judge says in a word how the source is.
func (s *sourceJSON) judge() string {
	switch {
	case s.paused != nil:
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

// source finds one configured source.
func (d *desk) source(ctx context.Context, name string) (sourceJSON, error) {
	if _, ok := d.cfg.Sources[name]; !ok {
		return sourceJSON{}, unknownName("source", name, slices.Collect(maps.Keys(d.cfg.Sources)))
	}
	all, err := d.sources(ctx)
	if err != nil {
		return sourceJSON{}, err
	}
	i := slices.IndexFunc(all, func(s sourceJSON) bool { return s.Name == name })
	return all[i], nil
}

type sourceListCmd struct {
	Name string `arg:"" optional:"" help:"Only this one, with what it holds."`
}

// Help is the long help.
func (*sourceListCmd) Help() string {
	return `Example:

    belfry source list

Exit codes: 0 listed, 1 there is no store, 2 no such source. With --json a list of sources.`
}

// Run lists sources.
func (c *sourceListCmd) Run(ctx context.Context, g *global, std streams) error {
	if c.Name != "" {
		return (&sourceShowCmd{c.Name}).Run(ctx, g, std)
	}
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	all, err := d.sources(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, all)
	}
	d.printSources(all)
	return nil
}

func (d *desk) printSources(all []sourceJSON) {
	t := newTable("SOURCE", "TYPE", "STATE", "ITEMS", "HELD", "FETCHED", "NEXT")
	for _, s := range all {
		next := d.until(s.Next.Time)
		if s.paused != nil {
			next = "when resumed"
		}
		t.add(s.Name, s.Type, s.State, thousands(s.Items), thousands(s.Held), d.ago(s.Fetched.Time), next)
	}
	if len(all) == 0 {
		d.print("no source is configured")
		return
	}
	t.write(d.std.out)
	for _, s := range all {
		if s.Error != "" {
			d.print("  %s: %s", s.Name, plain(s.Error))
		}
	}
}

type sourceShowCmd struct {
	Name string `arg:"" help:"The source."`
}

// Help is the long help.
func (*sourceShowCmd) Help() string {
	return `Example:

    belfry source show articles

Exit codes: 0 printed, 1 there is no store, 2 no such source.`
}

// Run prints one source.
func (c *sourceShowCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	s, err := d.source(ctx, c.Name)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, s)
	}
	d.print("source %s (%s): %s", s.Name, s.Type, s.State)
	t := newTable()
	if s.Title != "" || s.URL != "" {
		t.add("  describes itself as", strings.TrimSpace(plain(s.Title)+"  "+plain(s.URL)))
	}
	t.add("  items", fmt.Sprintf("%s: %s usable, %s from before the first fetch, %s held, %s withdrawn", thousands(s.Items), thousands(s.Usable),
		thousands(s.Baseline), thousands(s.Held), thousands(s.Removed)))
	t.add("  channels", orDash(strings.Join(s.Channels, ", ")))
	t.add("  last fetched", d.ago(s.Fetched.Time))
	t.add("  last good answer", d.ago(s.OK.Time))
	t.add("  last new item", d.ago(s.New.Time))
	t.add("  next fetch", d.until(s.Next.Time))
	if s.Error != "" {
		t.add("  trouble", fmt.Sprintf("%s (%s in a row)", plain(s.Error), count(s.Failures, "failure")))
	}
	if s.paused != nil {
		t.add("  paused", "since "+d.at(s.paused.Since))
	}
	t.write(std.out)
	for _, n := range s.Notices {
		d.print("  note: %s", plain(n))
	}
	for _, h := range s.Holds {
		d.printHold(s.Name, h)
	}
	return nil
}

func (d *desk) printHold(name string, h holdJSON) {
	d.print("\nheld since %s: %s", d.at(h.At.Time), plain(h.Note))
	for i, it := range h.Items {
		if i == 20 {
			d.print("  and %s more", thousands(len(h.Items)-i))
			break
		}
		d.print("  %s  %s", clip(orDash(it.Title), 70), plain(it.URL))
	}
	if h.Kind == string(intake.HoldRemoval) {
		d.print("withdraw them: belfry source release %s    keep them: belfry source release %s --drop", name, name)
		return
	}
	d.print("post them: belfry source release %s    never post them: belfry source release %s --drop", name, name)
}

type sourceFetchCmd struct {
	Name  string        `arg:"" help:"The source."`
	Force bool          `help:"Ask for everything, and also ask a source that said it is gone."`
	Wait  time.Duration `default:"60s" placeholder:"TIME" help:"How long to wait for the daemon; 0s does not wait."`
}

// Help is the long help.
func (*sourceFetchCmd) Help() string {
	return `The source becomes due at once, even where its server asked to wait. A running daemon fetches it within a second and this
command tells what came of it; without a daemon it is fetched at the next start.

Example:

    belfry source fetch articles --force

With --json: {source, fetched, daemon, at, new, held, code, error}.

Exit codes: 0 fetched, or noted for the next start, 1 the fetch failed or nobody fetched in time, 2 no such source.`
}

type fetchJSON struct {
	Source  string `json:"source"`
	Fetched bool   `json:"fetched"`
	Daemon  bool   `json:"daemon"`
	At      stamp  `json:"at"`
	New     int    `json:"new"`
	Held    int    `json:"held"`
	Code    string `json:"code"`
	Error   string `json:"error"`
}

// Run makes a source due, and waits for the daemon.
func (c *sourceFetchCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	before, err := d.source(ctx, c.Name)
	if err != nil {
		return err
	}
	out := fetchJSON{Source: c.Name, Daemon: d.running()}
	switch err := d.db.FetchNow(ctx, c.Name, c.Force, time.Now()); {
	case errors.Is(err, store.ErrNotFound):
		return fmt.Errorf("the daemon has not taken up source %s yet; it does so when it starts, or reloads the configuration", c.Name)
	case err != nil:
		return err
	}
	after := before
	if out.Daemon && c.Wait > 0 && before.paused == nil {
		out.Fetched, err = waitFor(ctx, c.Wait, func() (bool, error) {
			after, err = d.source(ctx, c.Name)
			return err == nil && after.state.Version != before.state.Version && after.Fetched.After(d.now.Add(-time.Second)), err
		})
		if err != nil {
			return err
		}
	}
	out.At, out.New, out.Held, out.Code, out.Error = after.Fetched, after.Items-before.Items, after.Held-before.Held, after.Code, after.Error
	return c.tell(d, out, before)
}

func (c *sourceFetchCmd) tell(d *desk, out fetchJSON, before sourceJSON) error {
	if d.json {
		if err := writeJSON(d.std.out, out); err != nil {
			return err
		}
	}
	say := func(format string, args ...any) {
		if !d.json {
			d.print(format, args...)
		}
	}
	switch {
	case out.Fetched && out.Error != "":
		say("source %s cannot be read: %s", c.Name, plain(out.Error))
		return &exitError{code: exitFailed}
	case out.Fetched && out.Held > 0:
		say("source %s was fetched: %s, %d held; look: belfry source list %s", c.Name, count(out.New, "new item"), out.Held, c.Name)
	case out.Fetched:
		say("source %s was fetched: %s", c.Name, count(out.New, "new item"))
	case before.paused != nil:
		say("source %s is paused; it is fetched when it is resumed: belfry resume %s", c.Name, strings.TrimSpace(before.paused.Scope+" "+before.paused.Name))
	case !out.Daemon:
		say("the daemon is not running; it will fetch %s when it starts", c.Name)
	case c.Wait > 0:
		say("source %s was not fetched within %s; look: belfry source show %s", c.Name, c.Wait, c.Name)
		return &exitError{code: exitFailed}
	default:
		say("source %s is due now", c.Name)
	}
	return nil
}

type sourceReleaseCmd struct {
	Name string `arg:"" help:"The source."`
	Drop bool   `help:"Never post what is held; keep items whose withdrawal is held."`
}

// Help is the long help.
func (*sourceReleaseCmd) Help() string {
	return `When a source brings more new items at once than max_new allows, or withdraws many, they are held until a person says what
they are.

Examples:

    belfry source list articles
    belfry source release articles

Exit codes: 0 done, 1 nothing is held, 2 no such source. With --json: {source, released, dropped}.`
}

// Run releases what is held.
func (c *sourceReleaseCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	s, err := d.source(ctx, c.Name)
	if err != nil {
		return err
	}
	if len(s.Holds) == 0 {
		return fmt.Errorf("source %s holds nothing", c.Name)
	}
	n, err := d.db.ReleaseSourceHolds(ctx, c.Name, c.Drop, actor(), time.Now())
	if err != nil {
		return err
	}
	if g.JSON {
		out := map[string]any{"source": c.Name, "released": 0, "dropped": 0}
		out[map[bool]string{false: "released", true: "dropped"}[c.Drop]] = n
		return writeJSON(std.out, out)
	}
	what := "released: they are used like new ones"
	if c.Drop {
		what = "dropped: they stay known and nothing happens with them"
	}
	d.print("source %s: %s %s", c.Name, count(n, "item"), what)
	return nil
}
