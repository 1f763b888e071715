package intake

import (
	"time"
)

// left notices which items are no longer in the source's document, so that their addresses are looked at from now on. It
// must run before removals, which forgets the looks at what the source itself withdraws.
//
// An item that was pushed off the end by newer ones is looked at within an hour. One that vanished while older ones
// stayed, or while fewer came than left, was probably withdrawn, and is looked at now.
func (d *decision) left() {
	if len(d.batch.Whole) > 0 {
		for _, k := range d.found.Listed {
			if !d.seen[k.ID] && d.past(k) {
				d.ch.Updates = append(d.ch.Updates, Update{ID: k.ID, State: k.State, ListedAt: d.now})
			}
		}
		return
	}
	if len(d.batch.Items) == 0 {
		d.emptied()
		return
	}
	var gone []Known
	var oldest time.Time // in the document, items that may never come back among them
	for _, it := range d.batch.Items {
		oldest = earlier(oldest, it.Published)
	}
	var lowest int64 // ids follow the order in which items came
	for _, k := range d.found.Listed {
		switch {
		case !d.seen[k.ID] && !d.keys[k.Key]:
			gone = append(gone, k)
		case lowest == 0 || k.ID < lowest:
			lowest = k.ID
		}
	}
	for _, k := range gone {
		u := Update{ID: k.ID, State: k.State, Listed: false, ListedAt: d.now, SetCheck: true}
		if d.watched(k) {
			u.CheckAt = d.now.Add(time.Hour)
			amidst := !oldest.IsZero() && k.Published.After(oldest) || k.Published.IsZero() && lowest > 0 && k.ID > lowest
			if amidst || len(gone) > d.came {
				u.CheckAt = d.now
			}
		}
		d.ch.Updates = append(d.ch.Updates, u)
	}
}

// emptied looks at the items of a document that holds nothing any more. They stay listed: an empty document is a site
// being rebuilt more often than it is the end of everything, and what comes back under new keys must be known again.
func (d *decision) emptied() {
	if b := d.batch; b.Unchanged || b.Complete || b.Reset || b.More || len(b.Removed) > 0 {
		return
	}
	for _, k := range d.found.Listed {
		if d.watched(k) && !k.Checking {
			d.ch.Updates = append(d.ch.Updates, Update{ID: k.ID, State: k.State, SetCheck: true, CheckAt: d.now})
		}
	}
}

// watched says that an item's withdrawal can be noticed at its address.
func (d *decision) watched(k Known) bool {
	return d.rules.Checkable && d.rules.Watch > 0 && k.State == Live && !k.Baseline && k.Link != "" && d.now.Sub(k.SeenAt) < d.rules.Watch
}

// earlier is the earlier of two times, of which a zero one is none.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}
