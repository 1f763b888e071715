package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/sdk"
)

// window is the time of a calendar that is looked at.
type window struct {
	agenda   bool // the source announces events
	from, to time.Time
}

const (
	defaultLook = 35 * 24 * time.Hour
	longestLook = 3660 * 24 * time.Hour
	// maxTries bounds how often a source that gives its items by pages is asked.
	maxTries = 200
)

// look aims a source that announces events at the window, in which each occurrence is one item.
func (c *tryCmd) look(r *sdk.FetchRequest, options map[string]any, fields []sdk.Field) error {
	has := func(option string) bool {
		return slices.ContainsFunc(fields, func(f sdk.Field) bool { return f.Path == option })
	}
	c.window.agenda = slices.ContainsFunc(fields, func(f sdk.Field) bool { return strings.HasPrefix(f.Path, "announce") }) && has("horizon")
	if !c.window.agenda {
		if c.Since != "" || c.Until != "" {
			return fmt.Errorf("--from and --to are for calendars, and a source of type %s is none", c.Type)
		}
		return nil
	}
	zone := time.UTC
	if name, given := options["zone"]; given {
		if loc, err := time.LoadLocation(fmt.Sprint(name)); err == nil {
			zone = loc // a name that is unknown is said by the source
		}
	}
	from, err := parseLook("--from", c.Since, zone, r.Now.Truncate(time.Second))
	if err != nil {
		return err
	}
	to, err := parseLook("--to", c.Until, zone, from.Add(defaultLook))
	if err != nil {
		return err
	}
	if !to.After(from) {
		return fmt.Errorf("--to %s is not after --from %s", to.Format(time.RFC3339), from.Format(time.RFC3339))
	}
	if to.Sub(from) > longestLook {
		return errors.New("--from and --to are more than ten years apart; look at less at a time")
	}
	// The source reads no less than an hour ahead; what lies behind the window is left out by agenda.
	c.window.from, c.window.to = from, to
	options["announce"], options["horizon"] = []any{"0s"}, fmt.Sprintf("%ds", int64(max(to.Sub(from), time.Hour).Seconds())+1)
	r.Now = from.UTC()
	return nil
}

func parseLook(flag, s string, zone *time.Location, unset time.Time) (time.Time, error) {
	if s == "" {
		return unset, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil && t.Year() >= 1 {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%s %q is no time; write it like 2026-12-01 or 2026-12-01T18:00:00+01:00", flag, s)
}

// all fetches until there is no more, and gives all of it as one batch.
func (c *tryCmd) all(ctx context.Context, source sdk.Source, r sdk.FetchRequest) (sdk.Batch, error) {
	var all sdk.Batch
	for range maxTries {
		b, err := source.Fetch(ctx, r)
		if err == nil {
			err = b.Validate()
		}
		if err != nil {
			return sdk.Batch{}, err
		}
		b.Items, b.Removed = append(all.Items, b.Items...), append(all.Removed, b.Removed...)
		b.Notices = append(all.Notices, b.Notices...)
		if all.About != (sdk.About{}) {
			b.About = all.About
		}
		if all = b; !b.More || !c.window.agenda {
			break
		}
		r.Cursor, r.Force = b.Next, false
	}
	return all, nil
}

// occurrenceJSON is the contract of belfry try calendar --json.
type occurrenceJSON struct {
	UID        string  `json:"uid"`
	Recurrence *string `json:"recurrence_id"`
	Start      *string `json:"start"`
	End        *string `json:"end"`
	AllDay     bool    `json:"all_day"`
	Zone       string  `json:"zone"`
	Summary    string  `json:"summary"`
	Location   string  `json:"location"`
	URL        string  `json:"url"`
	Status     string  `json:"status"`
}

func zoned(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.Format(time.RFC3339)
	return &s
}

// agenda prints the occurrences of a calendar, the earliest first.
func (c *tryCmd) agenda(batch sdk.Batch, asJSON bool, std streams) error {
	items := slices.DeleteFunc(batch.Items, func(it sdk.Item) bool { return it.Event == nil || !it.Event.Start.Before(c.window.to) })
	slices.SortStableFunc(items, func(a, b sdk.Item) int {
		if d := a.Event.Start.Compare(b.Event.Start); d != 0 {
			return d
		}
		return strings.Compare(a.Key, b.Key)
	})
	if asJSON {
		for _, it := range items {
			e := it.Event
			if err := writeLine(std.out, occurrenceJSON{UID: e.UID, Recurrence: zoned(e.Recurrence), Start: zoned(e.Start), End: zoned(e.End),
				AllDay: e.AllDay, Zone: e.Zone, Summary: summary(it), Location: e.Location, URL: it.URL, Status: e.Status}); err != nil {
				return err
			}
		}
		return printRemarks(batch, std.err)
	}
	fmt.Fprintln(std.out, desk.OrDash(desk.Plain(batch.About.Title)))
	fmt.Fprintf(std.out, "%s from %s to %s\n", count(len(items), "occurrence"), c.window.from.Format("2006-01-02 15:04 MST"), c.window.to.Format("2006-01-02 15:04 MST"))
	if len(items) > 0 {
		fmt.Fprintln(std.out)
		t := newTable("BEGINS", "ENDS", "TITLE", "PLACE", "STATUS")
		for _, it := range items {
			e := it.Event
			begins, ends := e.Start.Format("2006-01-02 15:04 -07:00"), e.End.Format("2006-01-02 15:04 -07:00")
			if e.AllDay {
				begins, ends = e.Start.Format("2006-01-02, all day"), e.End.AddDate(0, 0, -1).Format("2006-01-02, all day")
			}
			t.add(begins, ends, clip(desk.OrDash(it.Title), 60), clip(desk.OrDash(e.Location), 40), desk.OrDash(strings.ToLower(e.Status)))
		}
		t.write(std.out)
	}
	return printRemarks(batch, std.out)
}

func printRemarks(batch sdk.Batch, w io.Writer) error {
	for _, n := range batch.Notices {
		if _, err := fmt.Fprintln(w, "note:", desk.Plain(n)); err != nil {
			return err
		}
	}
	return nil
}

// summary is an event's title; one that has none is called by its time, which stands beside it anyway.
func summary(it sdk.Item) string {
	if it.Title == it.Summary {
		return ""
	}
	return it.Title
}
