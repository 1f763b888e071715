package main

import (
	"cmp"
	"fmt"
	"time"

	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/scheduler"
)

type scheduleCmd struct {
	Next scheduleNextCmd `cmd:"" default:"withargs" help:"The next times at which a schedule is due."`
}

type scheduleNextCmd struct {
	Cron  string `required:"" placeholder:"EXPR" help:"The schedule: five fields, @daily or @every 90m."`
	Zone  string `default:"UTC" placeholder:"ZONE" help:"The zone of the schedule."`
	From  string `placeholder:"TIME" help:"List what is due after this time; without it, after now."`
	Count *int   `placeholder:"N" xor:"end" help:"How many; 5 unless --to is given."`
	To    string `placeholder:"TIME" xor:"end" help:"List what is due up to and at this time."`
}

// Help is the long help.
func (*scheduleNextCmd) Help() string {
	return `Times are RFC 3339 ("2026-03-29T00:00:00Z"), or a date with or without a time in the zone ("2026-03-29 02:30").
A local time that a clock change skips is due at the first instant after it, and one that comes twice the first time;
both are marked.

Example:

    belfry schedule next --cron "30 2 * * *" --zone Europe/Paris --from 2026-03-28 --count 3

With --json one object on a line: at (RFC 3339, UTC), local (RFC 3339 with the zone's offset), and shift ("gap" or
"overlap") where a clock change moved or doubled it.

Exit codes: 0 printed, 2 the schedule, the zone or a time cannot be used.`
}

type occurrenceJSON struct {
	At    desk.Stamp `json:"at"`
	Local string     `json:"local"`
	Shift string     `json:"shift,omitempty"`
}

// Run prints due times.
func (c *scheduleNextCmd) Run(g *global, std streams) error {
	zone, err := scheduler.LoadZone(c.Zone)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	spec, err := scheduler.Parse(c.Cron, zone)
	if err != nil {
		return &exitError{exitUsage, err}
	}
	from, err := desk.ParseTime(c.From, spec.Zone(), time.Now())
	if err != nil {
		return err
	}
	most := 5
	var until time.Time
	switch {
	case c.Count != nil && *c.Count < 1:
		return unusable("--count %d lists nothing; at least 1", *c.Count)
	case c.Count != nil:
		most = *c.Count
	case c.To != "":
		if until, err = desk.ParseTime(c.To, spec.Zone(), time.Time{}); err != nil {
			return err
		}
		if !until.After(from) {
			return unusable("--to %s is not after %s; give a later end, or an earlier --from", c.To, cmp.Or(c.From, "now"))
		}
		most = -1
	}
	t := newTable()
	n := 0
	for ; n != most; n++ {
		o, ok := spec.Next(from)
		if !ok || !until.IsZero() && o.At.After(until) {
			break
		}
		from = o.At
		if g.JSON {
			if err := writeLine(std.out, occurrenceJSON{desk.Stamp{Time: o.At}, o.Local.Format(time.RFC3339), string(o.Shift)}); err != nil {
				return err
			}
			continue
		}
		t.add(o.Local.Format("Mon 2006-01-02 15:04:05 MST"), o.At.Format("15:04:05 UTC"), shiftNote(o))
	}
	t.write(std.out)
	if n == 0 && !g.JSON {
		fmt.Fprintf(std.out, "nothing is due up to %s\n", until.In(spec.Zone()).Format("Mon 2006-01-02 15:04:05 MST"))
	}
	return nil
}

// shiftNote says what a clock change does to an occurrence.
func shiftNote(o scheduler.Occurrence) string {
	switch o.Shift {
	case scheduler.Gap:
		return fmt.Sprintf("%s does not exist that day: the clock goes forward", clockOf(o.Key))
	case scheduler.Overlap:
		return fmt.Sprintf("%s comes twice that day: the clock goes back, and the first counts", clockOf(o.Key))
	}
	return ""
}

// clockOf takes the time of day out of a planned wall time.
func clockOf(key string) string { return key[len(key)-len("15:04"):] }
