package intake

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
)

// rekeyWindow is how long after an item was first seen its link or title under a new key means the same item.
const rekeyWindow = 48 * time.Hour

// longOutage is after how long without a good fetch a person looks at what is new before it is used.
const longOutage = 30 * 24 * time.Hour

// futureSlack is how far ahead a publication date may be before it counts as an embargo: what clocks differ by.
const futureSlack = time.Minute

// longestWait bounds how long a source can ask not to be fetched, so that a wrong hint does not silence it.
const longestWait = 7 * 24 * time.Hour

// maxSentence is how long a sentence of a source may be, in bytes.
const maxSentence = 500

// checkGap is the least time between the two checks that prove a withdrawal.
const checkGap = 10 * time.Minute

// Decide turns a good batch into what is to be committed. It is pure.
func Decide(r Rules, st State, b sdk.Batch, found Found, now time.Time) Change {
	d := &decision{rules: r, batch: b, found: found, now: now, ch: Change{State: st}}
	d.first = !st.Primed
	d.items()
	if !r.Pushed {
		d.left()
	}
	d.removals()
	d.state()
	return d.ch
}

type decision struct {
	rules Rules
	batch sdk.Batch
	found Found
	now   time.Time
	first bool
	ch    Change

	notices []string
	// seen are the known items that the batch holds.
	seen map[int64]bool
	keys map[string]bool
	// replaceable are the listed items that a new one may replace; nil before it is needed.
	replaceable map[string][]Known
	// came counts the items that the source's document did not hold before.
	came int
}

func (d *decision) notice(format string, args ...any) {
	if len(d.notices) < 20 {
		d.notices = append(d.notices, fmt.Sprintf(format, args...))
	}
}

// items sorts the batch's items into new ones, revisions and the unchanged.
func (d *decision) items() {
	for _, n := range d.batch.Notices[:min(len(d.batch.Notices), 20)] {
		d.notice("%s", cleanText(n, maxSentence, false))
	}
	d.seen, d.keys = map[int64]bool{}, map[string]bool{}
	var fresh []Insert
	blocked := 0
	// The newest item stands first in most documents; taking them from the end gives older ones the smaller ids.
	for _, raw := range slices.Backward(d.batch.Items) {
		it, notes, ok := cleanItem(raw)
		d.notices = append(d.notices, notes...)
		if !ok || d.keys[it.Key] {
			if ok {
				d.notice("the key %s stands twice in one answer; the later one was left out", short(it.Key))
			}
			continue
		}
		d.keys[it.Key] = true
		link := Canonical(it.URL)
		in := Insert{Item: it, Substance: substance(it, link), Facts: facts(it), Link: link, TitleKey: nameKey(it),
			NotBefore: d.embargo(it), State: Live, SeenAt: d.now}
		if d.found.BlockedKeys[it.Key] || (in.Link != "" && d.found.BlockedLinks[in.Link]) {
			blocked++
			continue // retracted for good: it does not exist
		}
		if k, known := d.found.ByKey[it.Key]; known {
			d.known(k, in)
			continue
		}
		if old, same := d.rekeyed(in); same {
			old.Alias = it.Key
			d.notice("%s came back under the key %s and is the same item", short(old.Key), short(it.Key))
			d.known(old, in)
			continue
		}
		fresh = append(fresh, in)
	}
	if blocked > 0 { // not a word of them: a retraction for good leaves none
		d.notice("items that were retracted for good, by their key or their address, were left out (%d); why: belfry why --item ADDRESS", blocked)
	}
	d.came += len(fresh)
	d.brake(fresh)
}

// embargo is the time before which an item appears nowhere; zero when there is none.
func (d *decision) embargo(it sdk.Item) time.Time {
	at := it.NotBefore
	if d.rules.HoldFuture && it.Published.After(d.now.Add(futureSlack)) && it.Published.After(at) {
		at = it.Published
	}
	return at
}

// known compares an item with what the store has.
func (d *decision) known(k Known, in Insert) {
	d.seen[k.ID] = true
	if k.State == Blocked {
		return
	}
	if d.rules.Called && overtaken(in.Item, k.Updated) {
		d.notice("an older version of %s came late, and changes nothing", short(k.Key))
		return
	}
	u := Update{ID: k.ID, State: k.State, Alias: k.Alias}
	switch {
	case k.State == Removed:
		// The source shows it again: its withdrawal is over.
		u.State, u.Revises = Live, true
	case k.Substance != in.Substance:
		u.Revises = true
	}
	if u.Revises || k.Facts != in.Facts {
		it := in.Item
		it.Key = k.Key
		u.Item, u.Substance, u.Facts, u.Link, u.TitleKey, u.NotBefore = &it, in.Substance, in.Facts, in.Link, in.TitleKey, in.NotBefore
	}
	// ListedAt is kept to the day, so that unchanged items cost no write.
	if !k.Listed || d.now.Sub(k.ListedAt) > 24*time.Hour {
		u.Listed, u.ListedAt = true, d.now
	}
	u.SetCheck = k.Checking || !k.Listed // it is listed: nothing to check
	if !k.Listed {
		d.came++
	}
	if u.SetCheck || u.Item != nil || u.Alias != "" || !u.ListedAt.IsZero() {
		d.ch.Updates = append(d.ch.Updates, u)
	}
}

// overtaken says that a version is older than one of another time. Calls come in any order; where the sender says when it changed
// an item, that counts, and else the order in which they came.
func overtaken(it sdk.Item, by time.Time) bool { return !it.Updated.IsZero() && it.Updated.Before(by) }

// rekeyed finds a listed item that this one replaces: the same link, or else the same title, first seen within two days
// and not in the document any more under its own key.
func (d *decision) rekeyed(in Insert) (Known, bool) {
	if d.replaceable == nil {
		d.replaceable = d.whatMayBeReplaced()
	}
	looks := []string{"title " + in.TitleKey}
	if in.Item.Due.IsZero() { // the times of a series share their address
		looks = []string{"link " + in.Link, looks[0]}
	}
	for _, look := range looks {
		for _, k := range d.replaceable[look] {
			if !d.seen[k.ID] {
				return k, true
			}
		}
	}
	return Known{}, false
}

// whatMayBeReplaced gives the listed items that came lately and are absent from the batch, by link and by title. A source may give
// thousands of items new keys at once.
func (d *decision) whatMayBeReplaced() map[string][]Known {
	present := make(map[string]bool, len(d.batch.Items))
	for _, it := range d.batch.Items {
		present[it.Key] = true
	}
	out := map[string][]Known{}
	for _, k := range d.found.Listed {
		if k.State == Blocked || d.now.Sub(k.SeenAt) > rekeyWindow || present[k.Key] {
			continue
		}
		if k.Link != "" {
			out["link "+k.Link] = append(out["link "+k.Link], k)
		}
		if k.TitleKey != "" {
			out["title "+k.TitleKey] = append(out["title "+k.TitleKey], k)
		}
	}
	return out
}

// state moves the source on after a good fetch.
func (d *decision) state() {
	st := &d.ch.State
	if d.rules.Pushed {
		d.pushed(st)
		return
	}
	quiet := st.NewAt
	if quiet.IsZero() {
		quiet = st.OKAt
	}
	moved := !bytes.Equal(st.Cursor, d.batch.Next)
	st.Cursor, st.Primed, st.Failures, st.Code, st.Error, st.Force, st.Gone = d.batch.Next, true, 0, "", "", false, false
	st.FetchedAt, st.OKAt, st.BadSince = d.now, d.now, time.Time{}
	if len(d.ch.Inserts) > 0 || d.first {
		st.NewAt = d.now // for a source without items the waiting begins now
		quiet = d.now
	}
	if d.batch.About != (sdk.About{}) {
		st.About = cleanAbout(d.batch.About)
	}
	if !d.batch.Unchanged {
		st.Notices = d.notices[:min(len(d.notices), 20)]
	}
	st.WaitUntil = time.Time{}
	wait := min(d.batch.Wait, longestWait)
	if wait > 0 {
		st.WaitUntil = d.now.Add(wait)
	}
	st.NextAt = d.now.Add(max(d.rules.Poll, wait, d.rules.Slow))
	if d.batch.More && moved { // one that does not get on has no more
		st.NextAt = d.now
	}
	if len(d.ch.Holds) > 0 {
		st.Holds = true
	}
	d.ch.Resolve = append(d.ch.Resolve, alert.Key{Code: alert.SourceFailing, Subject: d.rules.Name}, alert.Key{Code: alert.SourceGone, Subject: d.rules.Name},
		alert.Key{Code: alert.PluginHeld, Subject: d.rules.Name})
	stale := alert.Key{Code: alert.SourceStale, Subject: d.rules.Name}
	if d.rules.StaleAfter > 0 && !quiet.IsZero() && d.now.Sub(quiet) > d.rules.StaleAfter {
		d.ch.Alerts = append(d.ch.Alerts, alert.Alert{Code: alert.SourceStale, Subject: d.rules.Name,
			Sentence: fmt.Sprintf("source %s answers, but nothing new came for %s", d.rules.Name, sdk.D(d.now.Sub(quiet).Truncate(time.Minute))),
			Mend:     fmt.Sprintf("look at what it answers: belfry source fetch %s --force; if this is its habit, raise stale_after", d.rules.Name)})
	} else {
		d.ch.Resolve = append(d.ch.Resolve, stale)
	}
}

// pushed notes that something came between two fetches, which stay as they were planned.
func (d *decision) pushed(st *State) {
	if len(d.ch.Holds) > 0 {
		st.Holds = true
	}
	if len(d.ch.Inserts) > 0 {
		st.NewAt = d.now
		d.ch.Resolve = append(d.ch.Resolve, alert.Key{Code: alert.SourceStale, Subject: d.rules.Name})
	}
}
