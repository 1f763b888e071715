package intake

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
)

// removals believes withdrawals that the source itself declares, unless too much would vanish at once.
func (d *decision) removals() {
	var gone []Known
	reason := map[int64]string{}
	add := func(k Known, why string) {
		if k.State == Live || k.State == Held {
			if _, twice := reason[k.ID]; !twice {
				gone = append(gone, k)
			}
			reason[k.ID] = why
		}
	}
	byKey := map[string]Known{}
	for _, k := range d.found.Listed {
		byKey[k.Key] = k
	}
	maps.Copy(byKey, d.found.ByKey)
	for _, rm := range d.batch.Removed {
		if k, ok := byKey[rm.Key]; ok && !d.keys[rm.Key] {
			add(k, cleanText(rm.Reason, 200, false))
		}
	}
	absent, listed := 0, 0
	for _, k := range d.found.Listed {
		if !d.past(k) {
			listed++
		}
		switch {
		case d.seen[k.ID] || d.batch.Reset || d.past(k):
		case d.batch.Complete:
			absent++
			add(k, "absent from a complete answer")
		case k.Group != "" && slices.Contains(d.batch.Whole, k.Group):
			add(k, "absent from its group")
		}
	}
	if len(gone) == 0 {
		return
	}
	// More than a fifth (and more than a few) vanishing at once is a fault more often than it is news.
	if absent > 2 && absent*5 > listed {
		d.holdRemovals(gone, fmt.Sprintf("%d of %d items vanished at once", absent, listed))
		return
	}
	for _, k := range gone {
		d.remove(k.ID, reason[k.ID])
	}
}

func (d *decision) remove(id int64, why string) {
	for i := range d.ch.Updates {
		if u := &d.ch.Updates[i]; u.ID == id {
			u.State, u.Reason, u.SetCheck, u.CheckAt = Removed, why, true, time.Time{}
			return
		}
	}
	d.ch.Updates = append(d.ch.Updates, Update{ID: id, State: Removed, Reason: why, SetCheck: true})
}

func (d *decision) holdRemovals(gone []Known, note string) {
	h := Hold{Kind: HoldRemoval, Note: note, Reason: "withdrawn by the source"}
	for _, k := range gone {
		h.Removals = append(h.Removals, k.ID)
	}
	d.ch.Holds = append(d.ch.Holds, h)
	d.ch.Alerts = append(d.ch.Alerts, heldRemovalAlert(d.rules.Name, note))
}

func heldRemovalAlert(source, note string) alert.Alert {
	return alert.Alert{Code: alert.SourceHeld, Subject: source,
		Sentence: fmt.Sprintf("source %s: %s; nothing is withdrawn until a person says so", source, note),
		Mend:     fmt.Sprintf("look: belfry source list %s; withdraw them: belfry source release %s; keep them: belfry source release %s --drop", source, source, source)}
}
