package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/websub"
	"github.com/belfry-news/belfry/sdk"
)

type sourceCmd struct {
	List    sourceListCmd    `cmd:"" help:"List the sources, or what one of them holds."`
	Show    sourceShowCmd    `cmd:"" help:"Everything about one source."`
	Fetch   sourceFetchCmd   `cmd:"" help:"Fetch a source now."`
	Release sourceReleaseCmd `cmd:"" help:"Let what the flood brake holds go, or drop it."`
	Replay  sourceReplayCmd  `cmd:"" help:"Map kept webhooks of a source again."`
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
	all, err := d.Sources(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, all)
	}
	d.printSources(all, nil)
	return nil
}

// printSources prints the table of sources, and below it their trouble unless an alert tells of it.
func (d *clerk) printSources(all []desk.Source, alerts []desk.Alert) {
	t := newTable("SOURCE", "TYPE", "STATE", "ITEMS", "HELD", "FETCHED", "NEXT")
	for _, s := range all {
		next := d.Until(s.Next.Time)
		if s.Paused != nil {
			next = "when resumed"
		}
		t.add(s.Name, s.Type, s.State, desk.Thousands(s.Items), desk.Thousands(s.Held), d.Ago(s.Fetched.Time), next)
	}
	if len(all) == 0 {
		d.print("no source is configured")
		return
	}
	t.write(d.std.out)
	for _, s := range all {
		if s.Error != "" && !slices.ContainsFunc(alerts, func(a desk.Alert) bool { return strings.HasPrefix(a.Code, "source_") && a.Subject == s.Name }) {
			d.print("  %s: %s", s.Name, desk.Plain(s.Error))
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
	s, err := d.Source(ctx, c.Name)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, s)
	}
	d.print("source %s (%s): %s", s.Name, s.Type, s.State)
	t := newTable()
	if s.Title != "" || s.URL != "" {
		t.add("  describes itself as", strings.TrimSpace(desk.Plain(s.Title)+"  "+desk.Plain(s.URL)))
	}
	t.add("  items", fmt.Sprintf("%s: %s usable, %s from before the first fetch, %s held, %s withdrawn", desk.Thousands(s.Items), desk.Thousands(s.Usable),
		desk.Thousands(s.Baseline), desk.Thousands(s.Held), desk.Thousands(s.Removed)))
	t.add("  channels", desk.OrDash(strings.Join(s.Channels, ", ")))
	t.add("  last fetched", d.Ago(s.Fetched.Time))
	t.add("  last good answer", d.Ago(s.OK.Time))
	t.add("  last new item", d.Ago(s.New.Time))
	t.add("  next fetch", d.Until(s.Next.Time))
	if c := s.Calls; c != nil {
		label, done := "  webhooks", "mapped"
		if c.Told {
			label, done = "  told by its hub", "read"
		}
		t.add(label, fmt.Sprintf("%s waiting, %s could not be %s", desk.Thousands(c.Waiting), desk.Thousands(c.Failed), done))
	}
	if s.Hub != nil {
		t.add("  hub", d.hub(s.Hub))
	}
	if s.Error != "" {
		t.add("  trouble", fmt.Sprintf("%s (%s in a row)", desk.Plain(s.Error), count(s.Failures, "failure")))
	}
	if s.Paused != nil {
		t.add("  paused", "since "+d.At(s.Paused.Since.Time))
	}
	t.write(std.out)
	for _, n := range s.Notices {
		d.print("  note: %s", desk.Plain(n))
	}
	if c := s.Calls; c != nil {
		not, again := "not mapped", "map them again"
		if c.Told {
			not, again = "not read", "read them again"
		}
		for _, reason := range c.Reasons {
			d.print("  %s: %s", not, desk.Plain(reason))
		}
		if c.Failed > 0 {
			d.print("%s: belfry source replay %s    forget them: belfry source replay %s --drop", again, s.Name, s.Name)
		}
	}
	for _, h := range s.Holds {
		d.printHold(s.Name, h)
	}
	return nil
}

// hub says in a sentence how a source stands with its hub.
func (d *clerk) hub(h *desk.Hub) string {
	name := desk.Plain(h.URL)
	switch h.State {
	case "not_public":
		return name + " cannot call here, because site.url is no public https address; the feed is fetched"
	case string(websub.Active):
		text := fmt.Sprintf("%s tells what is new, its lease ends %s; it last told something %s", name, d.Until(h.Expires.Time), d.Ago(h.Told.Time))
		if h.Error != "" {
			text += "; it could not be renewed: " + desk.Plain(h.Error)
		}
		return text
	}
	why := h.Error
	if why == "" {
		why = "it has not asked back yet"
	}
	return fmt.Sprintf("%s does not tell what is new: %s; it is asked again %s, and the feed is fetched", name, desk.Plain(why), d.Until(h.Next.Time))
}

func (d *clerk) printHold(name string, h desk.Hold) {
	d.print("\nheld since %s: %s", d.At(h.At.Time), desk.Plain(h.Note))
	for i, it := range h.Items {
		if i == 20 {
			d.print("  and %s more", desk.Thousands(len(h.Items)-i))
			break
		}
		d.print("  %s  %s", clip(desk.OrDash(it.Title), 70), desk.Plain(it.URL))
	}
	if h.Kind == string(intake.HoldRemoval) {
		d.print("withdraw them: belfry source release %s    keep them: belfry source release %s --drop", name, name)
		return
	}
	d.print("post them: belfry source release %s    never post them: belfry source release %s --drop", name, name)
}

type sourceFetchCmd struct {
	Name  string       `arg:"" help:"The source."`
	Force bool         `help:"Ask for everything, and also ask a source that said it is gone."`
	Wait  sdk.Duration `default:"60s" placeholder:"TIME" help:"How long to wait for the daemon; 0s does not wait."`
}

// Help is the long help.
func (*sourceFetchCmd) Help() string {
	return `The source becomes due at once, whatever poll, its server's hints and earlier failures say. A running daemon fetches it
within a second and this command tells what came of it; without a daemon it is fetched at the next start. A server that
answered 429 or 503 with a Retry-After is still left alone for that long, for all feeds of its host and with --force too:
then nothing is fetched, and the answer says when the next try is.

Example:

    belfry source fetch articles --force

With --json: {source, fetched, daemon, at, new, held, code, error}.

Exit codes: 0 fetched, or noted for the next start, 1 the fetch failed or nobody fetched in time, 2 no such source.`
}

// Run makes a source due, and waits for the daemon.
func (c *sourceFetchCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	out, err := d.Fetch(ctx, c.Name, c.Force, c.Wait.Std())
	if err != nil {
		return err
	}
	return c.tell(d, out)
}

func (c *sourceFetchCmd) tell(d *clerk, out desk.Fetched) error {
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
		say("source %s cannot be read: %s", c.Name, desk.Plain(out.Error))
		return &exitError{code: exitFailed}
	case out.Fetched && out.Held > 0:
		say("source %s was fetched: %s, %d held; look: belfry source list %s", c.Name, count(out.New, "new item"), out.Held, c.Name)
	case out.Fetched:
		say("source %s was fetched: %s", c.Name, count(out.New, "new item"))
	case out.Paused != nil:
		say("source %s is paused; it is fetched when it is resumed: belfry resume %s", c.Name, strings.TrimSpace(out.Paused.Scope+" "+out.Paused.Name))
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
	Name     string `arg:"" help:"The source."`
	Drop     bool   `xor:"what" help:"Never post what is held; keep items whose withdrawal is held."`
	Baseline int    `xor:"what" placeholder:"N" help:"Post the newest N of the items that were there at the first fetch, instead of what is held."`
}

// Help is the long help.
func (*sourceReleaseCmd) Help() string {
	return `When a source brings more new items at once than max_new allows, or withdraws many, they are held until a person says what
they are. What was there at a source's first fetch is known and not posted, unless baseline: asks for it; --baseline lets
the newest of it be posted after all.

Examples:

    belfry source list articles
    belfry source release articles
    belfry source release articles --baseline 10

Exit codes: 0 done, 1 nothing is held, or nothing is left of the first fetch, 2 no such source. With --json: {source, released, dropped}.`
}

// Run releases what is held.
func (c *sourceReleaseCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	var out desk.Released
	if c.Baseline != 0 {
		out, err = d.ReleaseFirst(ctx, c.Name, c.Baseline)
	} else {
		out, err = d.ReleaseSource(ctx, c.Name, c.Drop)
	}
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, out)
	}
	what := "released: used like new ones"
	if c.Drop {
		what = "dropped: known from now on, and never posted"
	}
	d.print("source %s: %s %s", c.Name, count(out.Released+out.Dropped, "item"), what)
	return nil
}

type sourceReplayCmd struct {
	Name string `arg:"" help:"The source."`
	All  bool   `xor:"what" help:"Map every webhook again that is still kept, as after a change of the map."`
	Drop bool   `xor:"what" help:"Forget the webhooks that could not be mapped."`
}

// Help is the long help.
func (*sourceReplayCmd) Help() string {
	return `A webhook is kept as it came. One that could not be mapped, because an expression failed or gave no title, is told of by an alert
and stays until the map is corrected and it is mapped again, in the order in which webhooks came: what came after the first
of them is mapped again too, so that an old version does not go over a newer one. Those that were mapped are kept for
retention.webhooks. A running daemon maps within a second; without one it is done at the next start.

Examples:

    belfry source show desk
    belfry source replay desk
    belfry source replay desk --all

Exit codes: 0 done, 1 none is kept, 2 no such source. With --json: {source, replayed, dropped}.`
}

// Run lets webhooks be mapped again.
func (c *sourceReplayCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.openToWrite(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	out, err := d.Replay(ctx, c.Name, c.All, c.Drop)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, out)
	}
	if c.Drop {
		d.print("source %s: %s forgotten", c.Name, count(out.Dropped, "webhook"))
		return nil
	}
	d.print("source %s: %s will be mapped again", c.Name, count(out.Replayed, "webhook"))
	return nil
}
