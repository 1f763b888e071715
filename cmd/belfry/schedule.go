package main

import (
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

// Run prints due times.
func (c *scheduleNextCmd) Run(g *global, std streams) error {
	q := desk.DueQuery{Cron: c.Cron, Zone: c.Zone, From: c.From, To: c.To}
	if c.Count != nil {
		if q.Count = *c.Count; q.Count < 1 {
			return unusable("--count %d lists nothing; at least 1", q.Count)
		}
	}
	list, spec, to, err := desk.Schedule(q, time.Now())
	if err != nil {
		return err
	}
	t := newTable()
	for _, x := range list {
		if g.JSON {
			if err := writeLine(std.out, x); err != nil {
				return err
			}
			continue
		}
		o := x.Occurrence
		t.add(o.Local.Format("Mon 2006-01-02 15:04:05 MST"), o.At.Format("15:04:05 UTC"), shiftNote(o))
	}
	t.write(std.out)
	if len(list) == 0 && !g.JSON {
		fmt.Fprintf(std.out, "nothing is due up to %s\n", to.In(spec.Zone()).Format("Mon 2006-01-02 15:04:05 MST"))
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
