package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/sdk"
)

type destinationCmd struct {
	List  destinationListCmd  `cmd:"" help:"List the destinations with what waits for them."`
	Check destinationCheckCmd `cmd:"" help:"Test the credential and the rights of a destination."`
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
	all, err := d.Destinations(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, all)
	}
	d.printDestinations(all, nil)
	return nil
}

// printDestinations prints the table of destinations, and below it their trouble unless an alert tells of it.
func (d *clerk) printDestinations(all []desk.Destination, alerts []desk.Alert) {
	if len(all) == 0 {
		d.print("no destination is configured: posts appear on the hosted pages only")
		return
	}
	t := newTable("DESTINATION", "TYPE", "STATE", "WAITING", "OLDEST", "UNKNOWN", "FAILED", "HELD", "BY HAND")
	for _, x := range all {
		oldest := "-"
		if !x.Oldest.IsZero() {
			oldest = span(d.Now.Sub(x.Oldest.Time))
		}
		t.add(x.Name, x.Type, x.State, desk.Thousands(x.Waiting), oldest, desk.Thousands(x.Unknown), desk.Thousands(x.Failed), desk.Thousands(x.Held), desk.Thousands(x.Listed))
	}
	t.write(d.std.out)
	for _, x := range all {
		if x.Error != "" && !told(alerts, x.Name, x.Chats) {
			d.print("  %s: %s", x.Name, desk.Plain(x.Error))
		}
		if x.Until.After(d.Now) {
			d.print("  %s goes on %s", x.Name, d.Until(x.Until.Time))
		}
		for _, ch := range x.Chats {
			if ch.Stopped && ch.Error != x.Error && !told(alerts, x.Name, []desk.Chat{ch}) {
				d.print("  %s: %s", strings.TrimSpace(x.Name+" "+ch.Chat), desk.Plain(ch.Error))
			}
		}
	}
}

// told says that an alert tells of the trouble of a destination, or of one of its chats.
func told(alerts []desk.Alert, destination string, chats []desk.Chat) bool {
	return slices.ContainsFunc(alerts, func(a desk.Alert) bool {
		return strings.HasPrefix(a.Code, "destination_") && (a.Subject == destination ||
			slices.ContainsFunc(chats, func(c desk.Chat) bool { return a.Subject == strings.TrimSpace(destination+" "+c.Chat) }))
	})
}

type destinationCheckCmd struct {
	Name string `arg:"" help:"The destination."`
}

// Help is the long help.
func (*destinationCheckCmd) Help() string {
	return `Asks the platform for every chat that channels use there: whether the credential is good, whether the bot may post, and
what the limits are. A receiver of type http cannot be asked: its name is resolved, its address judged and a connection made,
with TLS where it is https, and the answer says what stays untested. Nothing is posted. A destination that had stopped, or had
asked to be left alone, serves again when it is found healthy; of a receiver that cannot be asked, the next post then shows
whether it accepts the credential, and the destination stops again if not.

Example:

    belfry destination check telegram

With --json: {destination, type, ok, resumed, chats: [{chat, channels, ok, asked, tested, untested, title, url, limits, code, error}]}.

Exit codes: 0 healthy, 1 something is missing, 2 no such destination.`
}

// Run tests a destination.
func (c *destinationCheckCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.ask(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	out, err := c.check(ctx, g, d)
	if err != nil {
		return err
	}
	if out.Healthy() {
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

// check asks the platform.
func (c *destinationCheckCmd) check(ctx context.Context, g *global, d *clerk) (desk.Checked, error) {
	var shop *workshop
	defer func() {
		if shop != nil {
			shop.close()
		}
	}()
	return d.Check(ctx, c.Name, func(ctx context.Context, name string) (conn sdk.Connector, foreign bool, err error) {
		if shop, err = g.quietWorkshop(d.Config, d.std.err); err != nil {
			return nil, false, err
		}
		return shop.opening(d)(ctx, name)
	})
}

// startAgain lets a stopped destination serve again. Where another user owns the store, that is told only when it is needed.
func (c *destinationCheckCmd) startAgain(ctx context.Context, d *clerk) (bool, error) {
	if d.Store == nil {
		db, err := sqlite.OpenExisting(ctx, app.Database(d.Config))
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		d.Store = db
	}
	stopped, err := d.Stopped(ctx, c.Name)
	if err != nil || !stopped {
		return false, err
	}
	if err := ownStore(app.Database(d.Config)); err != nil {
		return false, err
	}
	return true, d.StartAgain(ctx, c.Name)
}

func (d *clerk) printChecked(out desk.Checked) {
	for _, chat := range out.Chats {
		where := strings.TrimSpace(out.Destination + " " + chat.Chat)
		if !chat.OK {
			d.print("destination %s: %s", where, desk.Plain(chat.Error))
			continue
		}
		name := desk.Plain(chat.Title)
		if chat.URL != "" {
			name += " " + desk.Plain(chat.URL)
		}
		switch {
		case strings.Contains(chat.Tested, "\n"):
			d.print("destination %s: it can be used; nothing was sent", where)
			for line := range strings.Lines(chat.Tested) {
				d.print("  %s", desk.Plain(strings.TrimSpace(line)))
			}
		case chat.Tested != "":
			d.print("destination %s: its settings are in order; %s; nothing was posted", where, desk.Plain(chat.Tested))
		case chat.Asked:
			d.print("destination %s: %s can be posted to", where, desk.OrDash(name))
		default:
			d.print("destination %s: its settings are in order; %s cannot be asked anything but to take a post", where, desk.OrDash(name))
		}
		for i, line := range strings.Split(chat.Untested, "\n") {
			if i == 0 && line != "" {
				line = "not tested: " + line
			}
			if line != "" {
				d.print("  %s", desk.Plain(line))
			}
		}
		if chat.Limits != nil {
			d.print("  corrections: edit %s, delete %s%s", chat.Limits.EditFor, chat.Limits.DeleteFor, limitWords(chat.Limits))
		}
	}
	if out.Resumed {
		d.print("it serves again, and what waits is tried now%s", proof(out))
	}
}

// proof says what shows whether a destination is well that serves again without having been asked.
func proof(out desk.Checked) string {
	for _, chat := range out.Chats {
		if chat.OK && chat.Untested != "" {
			return "; that shows whether its credential is good: if it is not, nothing is lost, and it stops again with an alert"
		}
	}
	return ""
}

// limitWords says the limits in a few words.
func limitWords(l *desk.Limits) string {
	var s []string
	if l.Text > 0 {
		s = append(s, fmt.Sprintf("text up to %s %s", desk.Thousands(l.Text), unitWord(l.Unit)))
	}
	if l.Caption > 0 && l.Caption != l.Text {
		s = append(s, fmt.Sprintf("%s beside pictures", desk.Thousands(l.Caption)))
	}
	if len(l.Rates) > 0 {
		rates := make([]string, len(l.Rates))
		for i, r := range l.Rates {
			rates[i] = r.String()
		}
		s = append(s, "at most "+strings.Join(rates, ", "))
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
