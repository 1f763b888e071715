package intake

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
)

// Rules are what the configuration says about one source.
type Rules struct {
	Name string
	// Poll is the least time between two fetches.
	Poll time.Duration
	// Baseline says how many of the newest items of the first fetch are used; BaselineAll overrides it.
	Baseline    int
	BaselineAll bool
	// MaxNew is how many new items an hour of fetching may bring before the others are held.
	MaxNew int
	// HoldFuture makes a publication date ahead an embargo.
	HoldFuture bool
	// Watch is how long an item's own address is checked after it left the source; 0 never.
	Watch time.Duration
	// StaleAfter raises an alert when nothing new came for so long; 0 never.
	StaleAfter time.Duration
	// Called says that the source is called and not fetched, and Recent how many new items its calls brought within the last
	// hour. Each call is an act of somebody, so that calledFactor times as many are believed.
	Called bool
	Recent int
	// Pushed says that a hub told what a source has that is fetched otherwise: what it does not name says nothing, and the plan
	// of fetches stays. Called holds too.
	Pushed bool
	// Slow is the least time between two fetches while a hub tells what is new; 0 when none does.
	Slow time.Duration
	// Checkable says that the source can check its items' addresses.
	Checkable bool
	// CameBack is when the store came from a backup, taken at BackupTaken: what is new at the first fetch since then may have
	// been posted, and is held. Zero when it did not, or the source did not exist then.
	CameBack, BackupTaken time.Time
}

// returns reports whether this is the first good fetch since the store came from a backup.
func (r Rules) returns(st State) bool { return !r.CameBack.IsZero() && st.OKAt.Before(r.CameBack) }

// State is what the store knows of a source. Times are UTC, zero when they never happened.
type State struct {
	Name    string
	Version int64 // changes with every commit about the source
	Cursor  sdk.Cursor
	// Primed says that the first fetch is done.
	Primed bool
	// Called says that it is called and not fetched.
	Called bool
	// Gone says that the source answered that it is gone for good; it is not fetched again.
	Gone bool
	// Holds says that items or withdrawals of the source wait for a person.
	Holds bool

	// NextAt is when it is fetched next; WaitUntil is the part of that which does not come from the configuration, so that
	// a shorter poll interval counts at once.
	NextAt    time.Time
	WaitUntil time.Time
	// Force asks that the next fetch be unconditional; a command sets it.
	Force     bool
	FetchedAt time.Time
	OKAt      time.Time
	NewAt     time.Time
	// BadSince is when the first fetch failed, or was asked to wait, since the last good one; zero when the last was good.
	BadSince time.Time
	Failures int
	Code     sdk.Code
	Error    string
	About    sdk.About
	Notices  []string
}

// ItemState is where an item stands. Append-only.
type ItemState string

// The states of items.
const (
	Live    ItemState = "live"
	Held    ItemState = "held"    // the flood brake holds it
	Removed ItemState = "removed" // withdrawn by the source, or found gone
	Blocked ItemState = "blocked" // retracted for good by an editor
)

// Known is an item as the store has it.
type Known struct {
	ID       int64
	Key      string
	Revision int
	State    ItemState
	// Baseline says that it was there at the first fetch and is not used.
	Baseline bool
	// Substance and Facts identify its content (see substance, facts).
	Substance, Facts string
	Link, TitleKey   string
	Group            string
	SeenAt           time.Time
	Published        time.Time
	// Listed says that the last whole document of the source held it; ListedAt is when it was last seen there, to the day.
	Listed   bool
	ListedAt time.Time
	// Updated is when its source last changed it, as the source says; known only where calls are decided on (FoundKeys).
	Updated time.Time
	// Due is when what it announces happens; zero when it announces nothing. It is known only of items that are listed and are
	// absent from a batch in which absences count.
	Due time.Time
	// Checking says that its address is going to be looked at.
	Checking bool
	// Alias is the key it came under this time, when that is not Key.
	Alias string
}

// Found is what the store knows about the keys, links and titles of a batch.
type Found struct {
	// ByKey holds the items of the batch's keys, by the key asked for (aliases resolved), and Listed all that the source
	// listed last.
	ByKey  map[string]Known
	Listed []Known
	// BlockedKeys and BlockedLinks may never come back.
	BlockedKeys, BlockedLinks map[string]bool
}

// Insert is a new item.
type Insert struct {
	Item             sdk.Item
	Substance, Facts string
	Link, TitleKey   string
	NotBefore        time.Time
	State            ItemState
	Baseline         bool
	SeenAt           time.Time
}

// Update changes a known item.
type Update struct {
	ID int64
	// Item is the new content; nil leaves it.
	Item             *sdk.Item
	Substance, Facts string
	Link, TitleKey   string
	NotBefore        time.Time
	// Revises says that this is a new revision and not only other tags, times or credits.
	Revises bool
	State   ItemState
	// Reason says why it is removed.
	Reason string
	// Alias is a further key of the item.
	Alias string
	// Listed and ListedAt say whether the source lists it; zero ListedAt leaves both.
	Listed   bool
	ListedAt time.Time
	// CheckAt is when its address is looked at; zero means never again. Only with SetCheck.
	SetCheck bool
	CheckAt  time.Time
	// GoneAt is when its address was first found gone; zero means that it was not. Only with SetCheck.
	GoneAt     time.Time
	GoneReason string
}

// Hold keeps new items, or withdrawals, for a person.
type Hold struct {
	Kind HoldKind
	// Note is the sentence that says why.
	Note string
	// Removals are the items whose withdrawal is held; for a hold of new items the inserts with state Held belong to it.
	Removals []int64
	Reason   string
}

// HoldKind says what is held. Append-only.
type HoldKind string

// The kinds of holds.
const (
	HoldFlood   HoldKind = "flood"
	HoldRekeyed HoldKind = "rekeyed"
	HoldRemoval HoldKind = "removal"
)

// Change is one transaction about one source.
type Change struct {
	State State // the new state; State.Version is the version it was decided on
	// Forced says that the fetch was one that a person forced. The wish for one that came meanwhile stays.
	Forced  bool
	Inserts []Insert
	Updates []Update
	Holds   []Hold
	Alerts  []alert.Alert
	Resolve []alert.Key
	// Mapped are the calls that it comes from, which are done with it.
	Mapped []int64
	// Forget are those of them that said nothing but news about single persons: it was given, and what is kept of it goes.
	Forget []int64
}

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

// calledFactor is how many times as many new items a source that is called may bring in an hour.
const calledFactor = 10

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
	for _, byLink := range []bool{true, false} {
		for _, k := range d.found.Listed {
			if k.State == Blocked || d.seen[k.ID] || d.now.Sub(k.SeenAt) > rekeyWindow || d.inBatch(k.Key) {
				continue
			}
			if byLink && !in.Item.Due.IsZero() {
				continue // the times of a series share their address
			}
			if byLink && in.Link != "" && k.Link == in.Link || !byLink && in.TitleKey != "" && k.TitleKey == in.TitleKey {
				return k, true
			}
		}
	}
	return Known{}, false
}

func (d *decision) inBatch(key string) bool {
	return slices.ContainsFunc(d.batch.Items, func(it sdk.Item) bool { return it.Key == key })
}

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

// UnopenedError is the cause of a fetch that failed because the source itself cannot be opened: nobody was asked.
type UnopenedError struct {
	// Mend is what a person can do.
	Mend string
	Err  error
}

// Error is the cause.
func (e *UnopenedError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UnopenedError) Unwrap() error { return e.Err }

const (
	// limitedFor is how long a source may ask to be left alone before somebody is told.
	limitedFor = time.Hour
	// badFor and badTimes are how long, or how often in a row, a source may fail for passing reasons before that.
	badFor   = 15 * time.Minute
	badTimes = 3
	// longestReopen is the longest wait after which a source that could not be opened is opened again, which asks nobody.
	longestReopen = 15 * time.Minute
)

// Fail turns a failed fetch into what is to be committed. The next fetch is never earlier than the other side asked.
// jitter is a random number in [0, 1).
func Fail(r Rules, st State, err *sdk.Error, now time.Time, jitter float64) Change {
	ch := Change{State: st}
	s := &ch.State
	s.Force = false
	s.FetchedAt, s.Code, s.Error = now, err.Code, publicSentence(err)
	if s.BadSince.IsZero() {
		s.BadSince = now
	}
	if err.Code == sdk.CodeRateLimited {
		return limited(ch, r, err, now)
	}
	s.Failures++
	unopened, isUnopened := errors.AsType[*UnopenedError](err)
	backoff := min(r.Poll<<min(s.Failures-1, 20), 24*time.Hour)
	if backoff <= 0 {
		backoff = 24 * time.Hour
	}
	switch {
	case isUnopened:
		backoff = min(time.Minute<<min(s.Failures-1, 20), longestReopen)
	case err.Code == sdk.CodeForbidden || err.Code == sdk.CodeUnauthenticated:
		backoff = max(backoff, min(time.Hour<<min(s.Failures-1, 5), 24*time.Hour))
	}
	wait := backoff + time.Duration(jitter*float64(backoff)/10)
	s.NextAt = now.Add(max(wait, min(err.RetryAfter, longestWait)))
	s.WaitUntil = s.NextAt
	held, isHeld := errors.AsType[interface {
		error
		PluginHeld() (kind string)
	}](err)
	bad := s.Failures >= badTimes || now.Sub(s.BadSince) >= badFor
	switch {
	case err.Code == sdk.CodeGone:
		s.Gone = true
		ch.Alerts = append(ch.Alerts, alert.Alert{Code: alert.SourceGone, Subject: r.Name,
			Sentence: fmt.Sprintf("source %s says that it is gone for good, and is not fetched any more: %s", r.Name, s.Error),
			Mend:     fmt.Sprintf("give its new address in the configuration, or try again: belfry source fetch %s --force", r.Name)})
	case isHeld:
		ch.Resolve = append(ch.Resolve, alert.Key{Code: alert.SourceFailing, Subject: r.Name})
		ch.Alerts = append(ch.Alerts, alert.Alert{Code: alert.PluginHeld, Subject: r.Name,
			Sentence: fmt.Sprintf("source %s is not read any more, because plugin %s failed too often: %s", r.Name, held.PluginHeld(), s.Error),
			Mend:     fmt.Sprintf("look into the log for what makes it fail; then: belfry source fetch %s --force", r.Name)})
	case isUnopened:
		ch.Alerts = append(ch.Alerts, failing(r.Name, s, fmt.Sprintf("%s; then: belfry source fetch %s --force", unopened.Mend, r.Name)))
	case err.RetryAfter > 0 && bad:
		ch.Alerts = append(ch.Alerts, failing(r.Name, s, leftAlone(r.Name)))
	// What never worked and will not by itself is somebody's to mend at once.
	case bad, st.OKAt.IsZero() && err.Code.Disposition() != sdk.DispositionRetry:
		ch.Alerts = append(ch.Alerts, failing(r.Name, s, "try it: belfry source fetch "+r.Name))
	}
	return ch
}

// limited waits as long as it was asked to, at least twice the poll interval. Being asked to wait is no failure, unless
// it lasts.
func limited(ch Change, r Rules, err *sdk.Error, now time.Time) Change {
	s := &ch.State
	s.NextAt = now.Add(max(2*r.Poll, min(err.RetryAfter, longestWait)))
	s.WaitUntil = s.NextAt
	if now.Sub(s.BadSince) >= limitedFor {
		ch.Alerts = append(ch.Alerts, failing(r.Name, s, leftAlone(r.Name)))
	}
	return ch
}

// leftAlone is what helps where a server asks not to be asked.
func leftAlone(name string) string {
	return fmt.Sprintf("let it be, and fetch it less often (poll: of source %s), or ask whoever runs its server to allow it", name)
}

func failing(name string, s *State, mend string) alert.Alert {
	return alert.Alert{Code: alert.SourceFailing, Subject: name,
		Sentence: fmt.Sprintf("source %s cannot be read: %s; it is tried again at %s", name, s.Error, s.NextAt.UTC().Format("15:04 MST")), Mend: mend}
}

func publicSentence(err *sdk.Error) string {
	s := err.Public
	if s == "" {
		s = err.Error()
	}
	return cleanText(s, maxSentence, false)
}
