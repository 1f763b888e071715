package desk

import (
	"cmp"
	"time"

	"github.com/belfry-news/belfry/scheduler"
)

// DueQuery asks when a schedule is due. From and To are times as commands take them; Zone is that of the schedule, and of
// times that name none.
type DueQuery struct {
	Cron, Zone, From, To string
	// Count is how many to list at most; 0 lists all up to To, or DueCount where there is no To.
	Count int
}

// DueCount is how many times are listed when nothing says how many.
const DueCount = 5

// Due is one time at which a schedule is due. Shift is gap or overlap where a clock change moved or doubled it.
type Due struct {
	At    Stamp  `json:"at"`
	Local string `json:"local"`
	Shift string `json:"shift,omitempty"`
	// Occurrence is what the schedule says of it.
	Occurrence scheduler.Occurrence `json:"-"`
}

// Schedule lists when a schedule is due, after From, which is now when it is empty, and up to To. It needs neither a
// configuration nor a store.
func Schedule(q DueQuery, now time.Time) (list []Due, spec scheduler.Spec, to time.Time, err error) {
	zone, err := scheduler.LoadZone(cmp.Or(q.Zone, "UTC"))
	if err != nil {
		return nil, spec, to, &Error{Unusable, err}
	}
	if spec, err = scheduler.Parse(q.Cron, zone); err != nil {
		return nil, spec, to, &Error{Unusable, err}
	}
	from, err := ParseTime(q.From, spec.Zone(), now)
	if err != nil {
		return nil, spec, to, err
	}
	if to, err = ParseTime(q.To, spec.Zone(), time.Time{}); err != nil {
		return nil, spec, to, err
	}
	if !to.IsZero() && !to.After(from) {
		return nil, spec, to, unusable("%s is not after %s; give a later end, or an earlier beginning", q.To, cmp.Or(q.From, "now"))
	}
	most := q.Count
	if most == 0 && to.IsZero() {
		most = DueCount
	}
	list = []Due{}
	for most == 0 || len(list) < most {
		o, ok := spec.Next(from)
		if !ok || !to.IsZero() && o.At.After(to) {
			break
		}
		from = o.At
		list = append(list, Due{Stamp{o.At}, o.Local.Format(time.RFC3339), string(o.Shift), o})
	}
	return list, spec, to, nil
}
