package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http/httptrace"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/sdk"
)

type destinationCmd struct {
	List  destinationListCmd  `cmd:"" help:"List the destinations with what waits for them."`
	Check destinationCheckCmd `cmd:"" help:"Test the credential and the rights of a destination."`
}

// destinationJSON is a destination as list and status print it.
type destinationJSON struct {
	Name    string     `json:"name"`
	Type    string     `json:"type"`
	State   string     `json:"state"`
	Waiting int        `json:"waiting"`
	Oldest  stamp      `json:"oldest"`
	Unknown int        `json:"unknown"`
	Failed  int        `json:"failed"`
	Held    int        `json:"held"`
	Listed  int        `json:"needs_a_person"`
	OK      stamp      `json:"ok"`
	Error   string     `json:"error"`
	Until   stamp      `json:"paused_until"`
	Chats   []chatJSON `json:"chats"`
}

type chatJSON struct {
	Chat     string   `json:"chat"`
	Channels []string `json:"channels"`
	Title    string   `json:"title"`
	URL      string   `json:"url"`
	Stopped  bool     `json:"stopped"`
	Error    string   `json:"error"`
}

// chats are the chats of a destination that channels use, with the channels; alerts use the destination's own.
func (d *desk) chats(destination string) []chatJSON {
	by := map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(d.cfg.Channels)) {
		for _, t := range d.cfg.Channels[name].PublishTo {
			if t.Destination == destination && !slices.Contains(by[t.Chat], name) {
				by[t.Chat] = append(by[t.Chat], name)
			}
		}
	}
	if slices.Contains(d.cfg.Alerts.To, destination) {
		by[""] = append(by[""], "alerts")
	}
	out := []chatJSON{}
	for _, chat := range slices.Sorted(maps.Keys(by)) {
		out = append(out, chatJSON{Chat: chat, Channels: by[chat]})
	}
	return out
}

// destinations reads all configured destinations.
func (d *desk) destinations(ctx context.Context) ([]destinationJSON, error) {
	rows, err := d.db.DestinationRows(ctx)
	if err != nil {
		return nil, err
	}
	pauses, err := d.db.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	out := []destinationJSON{}
	for _, name := range slices.Sorted(maps.Keys(d.cfg.Destinations)) {
		r := rows[name]
		x := destinationJSON{Name: name, Type: d.cfg.Destinations[name].Type, State: "ok", Waiting: r.Waiting, Oldest: stamp{r.OldestAt}, Unknown: r.Unknown,
			Failed: r.Failed, Held: r.Held, Listed: r.Listed, OK: stamp{r.OKAt}, Error: r.Error, Until: stamp{r.PausedUntil}, Chats: d.chats(name)}
		for i := range x.Chats {
			for _, l := range r.Lanes {
				if c := &x.Chats[i]; l.Chat == c.Chat {
					c.Title, c.URL, c.Stopped, c.Error = l.Title, l.URL, !l.StoppedAt.IsZero(), l.Error
				}
			}
		}
		x.State = d.judge(x, r, pauses)
		out = append(out, x)
	}
	return out, nil
}

// judge says in a word how a destination is.
func (d *desk) judge(x destinationJSON, r store.DestinationRow, pauses []store.Pause) string {
	paused := slices.ContainsFunc(pauses, func(p store.Pause) bool {
		return p.Scope == store.PauseAll || p.Scope == store.PauseDestination && p.Name == x.Name
	})
	switch {
	case paused:
		return "paused"
	case !r.StoppedAt.IsZero() || slices.ContainsFunc(x.Chats, func(c chatJSON) bool { return c.Stopped }):
		return "stopped"
	case r.PausedUntil.After(d.now):
		return "waits"
	case r.Failures > 0:
		return "failing"
	}
	return "ok"
}

type destinationListCmd struct{}

// Help is the long help.
func (*destinationListCmd) Help() string {
	return `Example:

    belfry destination list

Exit codes: 0 listed, 1 there is no store. With --json a list of destinations with their chats.`
}

// Run lists destinations.
func (c *destinationListCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	all, err := d.destinations(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, all)
	}
	d.printDestinations(all)
	return nil
}

func (d *desk) printDestinations(all []destinationJSON) {
	if len(all) == 0 {
		d.print("no destination is configured: posts appear on the hosted pages only")
		return
	}
	t := newTable("DESTINATION", "TYPE", "STATE", "WAITING", "OLDEST", "UNKNOWN", "FAILED", "HELD", "BY HAND")
	for _, x := range all {
		oldest := "-"
		if !x.Oldest.IsZero() {
			oldest = span(d.now.Sub(x.Oldest.Time))
		}
		t.add(x.Name, x.Type, x.State, thousands(x.Waiting), oldest, thousands(x.Unknown), thousands(x.Failed), thousands(x.Held), thousands(x.Listed))
	}
	t.write(d.std.out)
	for _, x := range all {
		if x.Error != "" {
			d.print("  %s: %s", x.Name, plain(x.Error))
		}
		if x.Until.After(d.now) {
			d.print("  %s goes on %s", x.Name, d.until(x.Until.Time))
		}
		for _, ch := range x.Chats {
			if ch.Stopped && ch.Error != x.Error {
				d.print("  %s: %s", strings.TrimSpace(x.Name+" "+ch.Chat), plain(ch.Error))
			}
		}
	}
}

type destinationCheckCmd struct {
	Name string `arg:"" help:"The destination."`
}

// Help is the long help.
func (*destinationCheckCmd) Help() string {
	return `Asks the platform for every chat that channels use there: whether the credential is good, whether the bot may post, and
what the limits are. Nothing is posted. A destination that had stopped serves again when it is found healthy.

Example:

    belfry destination check telegram

With --json: {destination, type, ok, resumed, chats: [{chat, channels, ok, asked, title, url, limits, code, error}]}.

Exit codes: 0 healthy, 1 something is missing, 2 no such destination.`
}

type checkedJSON struct {
	Destination string            `json:"destination"`
	Type        string            `json:"type"`
	OK          bool              `json:"ok"`
	Resumed     bool              `json:"resumed"`
	Chats       []checkedChatJSON `json:"chats"`
}

type checkedChatJSON struct {
	Chat     string   `json:"chat"`
	Channels []string `json:"channels"`
	OK       bool     `json:"ok"`
	// Asked says that the platform was asked; there are receivers that nothing can be asked of but to take a post.
	Asked  bool        `json:"asked"`
	Title  string      `json:"title"`
	URL    string      `json:"url"`
	Limits *limitsJSON `json:"limits"`
	Code   string      `json:"code"`
	Error  string      `json:"error"`
}

type limitsJSON struct {
	Text       int      `json:"text"`
	Unit       string   `json:"unit"`
	Caption    int      `json:"caption"`
	Media      int      `json:"media"`
	MediaBytes int64    `json:"media_bytes"`
	EditFor    string   `json:"edit_for"`
	DeleteFor  string   `json:"delete_for"`
	Rates      []string `json:"rates"`
}

// Run tests a destination.
func (c *destinationCheckCmd) Run(ctx context.Context, g *global, std streams) error {
	cfg, err := g.load()
	if err != nil {
		return err
	}
	d := g.desk(cfg, std)
	dest, ok := cfg.Destinations[c.Name]
	if !ok {
		return unknownName("destination", c.Name, slices.Collect(maps.Keys(cfg.Destinations)))
	}
	out := checkedJSON{Destination: c.Name, Type: dest.Type, OK: true, Chats: []checkedChatJSON{}}
	if err := c.ask(ctx, g, d, &out); err != nil {
		return err
	}
	anyOK := len(out.Chats) == 0
	for _, chat := range out.Chats {
		out.OK, anyOK = out.OK && chat.OK, anyOK || chat.OK
	}
	if anyOK {
		// What is healthy serves again; a chat that is not stops again by itself.
		if out.Resumed, err = c.startAgain(ctx, d); err != nil {
			return err
		}
	}
	if g.JSON {
		if err := writeJSON(std.out, out); err != nil {
			return err
		}
	} else {
		d.printChecked(out)
	}
	if !out.OK {
		return &exitError{code: exitFailed}
	}
	return nil
}

// ask asks the platform for each chat.
func (c *destinationCheckCmd) ask(ctx context.Context, g *global, d *desk, out *checkedJSON) error {
	dest := d.cfg.Destinations[c.Name]
	shop, err := g.quietWorkshop(d.cfg, d.std.err)
	if err != nil {
		return err
	}
	defer shop.close()
	conn, err := shop.Open(ctx, c.Name, dest.Type, false, dest.Options)
	if err != nil {
		return fmt.Errorf("destination %s cannot be opened: %w", c.Name, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	resolver, ok := sdk.As[sdk.Resolver](conn)
	if !ok {
		return fmt.Errorf("destination %s: a %s has no channels that can be asked for", c.Name, dest.Type)
	}
	chats := d.chats(c.Name)
	if len(chats) == 0 {
		chats = []chatJSON{{}}
	}
	for _, chat := range chats {
		asked := specOf(dest.Type) == nil // what another process asks is not seen here
		ctx, cancel := context.WithTimeout(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GetConn: func(string) { asked = true }}), dest.Timeout.Std())
		ref, limits, err := resolver.ResolveChannel(ctx, chat.Chat)
		cancel()
		x := checkedChatJSON{Chat: chat.Chat, Channels: append([]string{}, chat.Channels...), OK: err == nil, Asked: asked, Title: ref.Title, URL: ref.URL}
		if err != nil {
			e := sdk.AsError(err)
			x.Code, x.Error = string(e.Code), sentenceOf(err).Error()
			if len(chat.Channels) == 0 && (e.Code == sdk.CodeInvalid || e.Code == sdk.CodeNotAChannel) {
				// No channel uses it: that the platform wants a chat says nothing against the destination.
				x.Error = "no channel publishes to it yet, and it has no channel of its own: " + x.Error
			}
		} else {
			x.Limits = newLimits(limits)
		}
		out.Chats = append(out.Chats, x)
	}
	return nil
}

// startAgain lets a stopped destination serve again.
func (c *destinationCheckCmd) startAgain(ctx context.Context, d *desk) (bool, error) {
	db, err := sqlite.OpenExisting(ctx, app.Database(d.cfg))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	d.db = db
	defer d.close()
	all, err := d.destinations(ctx)
	if err != nil {
		return false, err
	}
	stopped := slices.ContainsFunc(all, func(x destinationJSON) bool { return x.Name == c.Name && (x.State == "stopped" || x.State == "waits") })
	if !stopped {
		return false, nil
	}
	if err := ownStore(app.Database(d.cfg)); err != nil {
		return false, err
	}
	return true, db.StartAgain(ctx, c.Name, time.Now())
}

func newLimits(l sdk.Limits) *limitsJSON {
	out := &limitsJSON{Text: l.Text, Unit: string(l.Unit), Caption: l.Caption, Media: l.Media, MediaBytes: l.MediaBytes, EditFor: windowText(l.Rules.EditFor),
		DeleteFor: windowText(l.Rules.DeleteFor), Rates: []string{}}
	for _, r := range l.Rules.Rates {
		scope := "in each channel"
		if r.Scope == sdk.RateDestination {
			scope = "in all"
		}
		out.Rates = append(out.Rates, fmt.Sprintf("%d in %s %s", r.Events, sdk.D(r.Per), scope))
	}
	return out
}

func windowText(d time.Duration) string {
	switch d {
	case 0:
		return "never"
	case sdk.Forever:
		return "always"
	}
	return "for " + sdk.D(d).String()
}

func (d *desk) printChecked(out checkedJSON) {
	for _, chat := range out.Chats {
		where := strings.TrimSpace(out.Destination + " " + chat.Chat)
		if !chat.OK {
			d.print("destination %s: %s", where, plain(chat.Error))
			continue
		}
		name := plain(chat.Title)
		if chat.URL != "" {
			name += " " + plain(chat.URL)
		}
		if chat.Asked {
			d.print("destination %s: %s can be posted to", where, orDash(name))
		} else {
			d.print("destination %s: its settings are in order; %s cannot be asked anything but to take a post", where, orDash(name))
		}
		d.print("  corrections: edit %s, delete %s%s", chat.Limits.EditFor, chat.Limits.DeleteFor, chat.Limits.words())
	}
	if out.Resumed {
		d.print("it had stopped; what waits is tried again now")
	}
}

// words says the limits in a few words.
func (l *limitsJSON) words() string {
	var s []string
	if l.Text > 0 {
		s = append(s, fmt.Sprintf("text up to %s %s", thousands(l.Text), unitWord(l.Unit)))
	}
	if l.Caption > 0 && l.Caption != l.Text {
		s = append(s, fmt.Sprintf("%s beside pictures", thousands(l.Caption)))
	}
	if len(l.Rates) > 0 {
		s = append(s, "at most "+strings.Join(l.Rates, ", "))
	}
	if len(s) == 0 {
		return ""
	}
	return "; " + strings.Join(s, ", ")
}

func unitWord(unit string) string {
	switch sdk.Unit(unit) {
	case sdk.UnitBytes:
		return "bytes"
	case sdk.UnitUTF16:
		return "UTF-16 units"
	case sdk.UnitGraphemes:
		return "characters"
	}
	return "code points"
}
