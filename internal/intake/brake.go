package intake

import (
	"fmt"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
)

// calledFactor is how many times as many new items a source that is called may bring in an hour.
const calledFactor = 10

// brake marks the first fetch's items as known but unused, and holds a flood.
func (d *decision) brake(fresh []Insert) {
	if nothingUsed := d.first && !d.rules.BaselineAll && d.rules.Baseline == 0; d.rules.returns(d.ch.State) && !nothingUsed {
		d.holdReturned(fresh)
		return
	}
	if d.first {
		slices.Reverse(fresh) // document order, to break ties of missing dates by it
		used := map[string]bool{}
		if !d.rules.BaselineAll {
			ranked := slices.Clone(fresh)
			slices.SortStableFunc(ranked, func(a, b Insert) int { return b.Item.Published.Compare(a.Item.Published) })
			for _, in := range ranked[:min(d.rules.Baseline, len(ranked))] {
				used[in.Item.Key] = true
			}
		}
		slices.Reverse(fresh)
		for i := range fresh {
			fresh[i].Baseline = !d.rules.BaselineAll && !used[fresh[i].Item.Key] && !d.ahead(fresh[i])
		}
		d.ch.Inserts = fresh
		return
	}
	away := max(0, d.now.Sub(d.ch.State.OKAt)) // a clock that was set back says less than nothing
	if d.ch.State.OKAt.IsZero() {
		away = 0 // none yet
	}
	allowed := d.rules.MaxNew * min(1+int(away/time.Hour), 24)
	if d.rules.Called {
		allowed = max(0, calledFactor*d.rules.MaxNew-d.rules.Recent)
	}
	kept := 0
	for _, k := range d.found.Listed {
		if d.seen[k.ID] {
			kept++
		}
	}
	// The keys of a whole document changing from one fetch to the next is a migration, not news.
	rekeyed := !d.rules.Pushed && len(d.found.Listed) >= 5 && len(fresh) >= 5 && kept*5 < len(d.found.Listed) && away < 6*d.rules.Poll+time.Hour
	outage := away > longOutage && len(fresh) > 0 && !d.rules.BaselineAll
	flood := 0
	for _, in := range fresh {
		if !d.ahead(in) {
			flood++
		}
	}
	if flood > allowed || rekeyed || outage {
		h := Hold{Kind: HoldFlood, Note: fmt.Sprintf("%d new items came at once, and max_new allows %d", flood, allowed)}
		switch {
		case d.rules.Called:
			h.Note = fmt.Sprintf("%d new items came within an hour, and max_new allows %d from calls", d.rules.Recent+len(fresh), calledFactor*d.rules.MaxNew)
		case outage:
			h.Note = fmt.Sprintf("%d new items came after %d days in which it was not read", len(fresh), int(away/(24*time.Hour)))
		case rekeyed:
			h.Kind = HoldRekeyed
			h.Note = fmt.Sprintf("%d items came under new keys while only %d of %d known ones stayed, as after a move of the site", len(fresh), kept, len(d.found.Listed))
		}
		for i := range fresh {
			if rekeyed || outage || !d.ahead(fresh[i]) {
				fresh[i].State = Held
			}
		}
		d.ch.Holds = append(d.ch.Holds, h)
		d.ch.Alerts = append(d.ch.Alerts, heldNewAlert(d.rules.Name, h.Note))
	}
	d.ch.Inserts = fresh
}

// ahead says that an item announces an event and has its turn later: however many of them come at once, or were there at
// the first fetch, each is used in its own time.
func (d *decision) ahead(in Insert) bool { return !in.Item.Due.IsZero() && in.NotBefore.After(d.now) }

// past says that what an item announced has begun or is over. Calendars forget the past: that it is absent says nothing.
func (d *decision) past(k Known) bool { return !k.Due.IsZero() && !k.Due.After(d.now) }

// holdReturned holds what is new since the backup from which the store came.
func (d *decision) holdReturned(fresh []Insert) {
	d.ch.Inserts = fresh
	if len(fresh) == 0 {
		return
	}
	for i := range fresh {
		fresh[i].State = Held
	}
	h := Hold{Kind: HoldFlood, Note: fmt.Sprintf("the store came from a backup of %s, and %d items that it does not know may have been posted since",
		d.rules.BackupTaken.UTC().Format("2006-01-02 15:04 MST"), len(fresh))}
	d.ch.Holds = append(d.ch.Holds, h)
	d.ch.Alerts = append(d.ch.Alerts, heldNewAlert(d.rules.Name, h.Note))
}

// heldNewAlert tells of new items that are held.
func heldNewAlert(source, note string) alert.Alert {
	return alert.Alert{Code: alert.SourceHeld, Subject: source,
		Sentence: fmt.Sprintf("source %s: %s; they are held and nothing of them is posted", source, note),
		Mend:     fmt.Sprintf("look: belfry source list %s; post them: belfry source release %s; never post them: belfry source release %s --drop", source, source, source)}
}
