package compose

import (
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
)

// Changed is an item that came, was revised, released or withdrawn, and that channels have not looked at since.
type Changed struct {
	ID     int64
	Source string
	// Change counts the changes that nobody has looked at; the evaluation of one count does not settle a later one.
	Change   int64
	Revision int
	// State is the item's state in the store: live, held, removed, blocked.
	State    string
	Baseline bool
	Content  sdk.Item
	// Link is the article's address, spelt so that two spellings of it are equal; empty when it has none.
	Link   string
	SeenAt time.Time
	// In is where channels have it.
	In []Membership
	// Duplicates are the channels in which an earlier live item of another source has the same address, and that item.
	Duplicates map[string]int64
}

// EvaluateItems lets every channel look at changed items, which come in the order of their ids: of one article that two of
// them bring, a channel takes the first. created is when each channel first existed. It is pure.
func (p *Program) EvaluateItems(items []Changed, created map[string]time.Time) []Evaluation {
	out := make([]Evaluation, len(items))
	taken := articles{}
	for i, it := range items {
		taken.mark(&it, p.Channels)
		out[i] = p.EvaluateItem(it, created)
		taken.take(it, out[i])
	}
	return out
}

// articles remembers, for one batch of changed items, which channels take which article up: the store does not know yet.
type articles map[[2]string]Changed

// mark completes the duplicates of an item by those within its batch. Items come in the order of their ids.
func (a articles) mark(it *Changed, channels map[string]*Channel) {
	for name := range channels {
		first, ok := a[[2]string{name, it.Link}]
		if _, known := it.Duplicates[name]; !ok || known || it.Link == "" || first.Source == it.Source {
			continue
		}
		if it.Duplicates == nil {
			it.Duplicates = map[string]int64{}
		}
		it.Duplicates[name] = first.ID
	}
}

// take notes what an evaluation took up.
func (a articles) take(it Changed, e Evaluation) {
	for _, m := range e.Set {
		key := [2]string{m.Channel, it.Link}
		if _, known := a[key]; !known && m.State == StateWaiting && it.State == "live" && it.Link != "" {
			a[key] = it
		}
	}
}

// MembershipState is where an item stands in a channel. Append-only.
type MembershipState string

// The states of an item in a channel.
const (
	StateWaiting MembershipState = "waiting"
	StateUsed    MembershipState = "used"
	StateLeftOut MembershipState = "left_out"
	StateHeld    MembershipState = "held"
)

// Membership is an item in a channel.
type Membership struct {
	Channel string
	Item    int64
	State   MembershipState
	Reason  Reason
	Detail  string
	// Post is the post that uses it, made from PostRevision of the item; 0 when none does.
	Post         int64
	PostRevision int
	// Released says that a person released it from a hold.
	Released bool
}

// Evaluation is what channels make of a changed item.
type Evaluation struct {
	Item   int64
	Change int64
	// Set are the memberships that change.
	Set []Membership
	// Recompose are the posts that use the item and are made anew.
	Recompose []int64
	// Images are the addresses of images that a post may need.
	Images []string
	// Alerts tell of expressions that failed for the item.
	Alerts []alert.Alert
}

// EvaluateItem lets every channel look at a changed item. created is when each channel first existed. It is pure.
func (p *Program) EvaluateItem(it Changed, created map[string]time.Time) Evaluation {
	e := Evaluation{Item: it.ID, Change: it.Change}
	in := map[string]Membership{}
	for _, m := range it.In {
		in[m.Channel] = m
		// Other tags or credits are no reason to touch what is out; a revision or a withdrawal is.
		if m.State == StateUsed && m.Post != 0 && (m.PostRevision != it.Revision || it.State != "live") {
			e.Recompose = append(e.Recompose, m.Post)
		}
	}
	view := View(it.Source, it.Content)
	wanted := false
	for name, ch := range p.Channels {
		before, has := in[name]
		if !slices.Contains(ch.Config.Sources, it.Source) && !has {
			continue
		}
		m, changes, failed := ch.evaluate(it, view, before, has, created[name])
		if changes {
			m.Channel, m.Item = name, it.ID
			e.Set = append(e.Set, m)
		}
		if failed != nil {
			e.Alerts = append(e.Alerts, ch.whereAlert(failed, itemRef{it.ID, it.Source}))
		}
		if m.State == StateWaiting && it.State == "live" {
			e.Alerts = append(e.Alerts, ch.tryUrgent(view, itemRef{it.ID, it.Source})...)
		}
		wanted = wanted || m.State == StateWaiting || m.State == StateUsed || m.State == StateHeld
	}
	if wanted && it.State == "live" {
		for _, m := range images(it.Content.Media) {
			e.Images = append(e.Images, m.URL)
		}
	}
	slices.SortFunc(e.Set, func(a, b Membership) int { return strings.Compare(a.Channel, b.Channel) })
	slices.SortFunc(e.Alerts, func(a, b alert.Alert) int { return strings.Compare(a.Subject, b.Subject) })
	slices.Sort(e.Recompose)
	return e
}

// tryUrgent tells when the channel's urgent: fails for an item that it took up.
func (ch *Channel) tryUrgent(view ItemView, it itemRef) []alert.Alert {
	_, err := ch.urgent.Match(view)
	if f := asFailure(err); f != nil {
		return []alert.Alert{ch.urgentAlert(f, it)}
	}
	return nil
}

// evaluate decides where the item stands in the channel, and whether that changes anything. A channel's condition that
// failed is given; the item is held then, unless a person let it go before.
func (ch *Channel) evaluate(it Changed, view ItemView, before Membership, has bool, created time.Time) (m Membership, changes bool, failed *Failure) {
	out := func(r Reason, detail string) (Membership, bool, *Failure) {
		m := Membership{State: StateLeftOut, Reason: r, Detail: detail}
		return m, !has || before.State != m.State || before.Reason != r, nil
	}
	if has && before.State == StateUsed {
		return before, false, nil
	}
	switch it.State {
	case "held":
		return Membership{}, false, nil // nobody has decided yet whether it exists
	case "removed":
		if !has {
			return Membership{}, false, nil
		}
		return out(ReasonWithdrawn, "")
	case "blocked":
		return out(ReasonBlocked, "")
	}
	// What a person or the clock decided about an item stands, whatever its revisions say.
	if has && before.State == StateLeftOut {
		switch before.Reason {
		case ReasonWhere, ReasonWithdrawn, ReasonDuplicate:
		default:
			return before, false, nil
		}
	}
	if it.Baseline {
		return out(ReasonBaseline, "")
	}
	if !has && it.SeenAt.Before(created) {
		return out(ReasonBefore, "")
	}
	other, twice := it.Duplicates[ch.Name]
	ok, err := ch.where.Match(view)
	switch {
	case err != nil && !twice:
		return ch.unsure(before, has, asFailure(err))
	case err == nil && !ok:
		return out(ReasonWhere, ch.Config.Where)
	}
	if twice {
		return out(ReasonDuplicate, itemName(other))
	}
	if has && (before.State == StateWaiting || before.State == StateHeld && before.Reason != ReasonWhereFailed) {
		return before, false, nil
	}
	return Membership{State: StateWaiting}, true, nil
}

// unsure holds an item for which the channel's condition failed: that it may not fit is no reason to lose it, and that it
// may is none to post it. What a person released, or a blackout holds already, stays as it is.
func (ch *Channel) unsure(before Membership, has bool, failed *Failure) (Membership, bool, *Failure) {
	if has && (before.State == StateWaiting && before.Released || before.State == StateHeld && before.Reason != ReasonWhereFailed) {
		return before, false, nil
	}
	m := Membership{State: StateHeld, Reason: ReasonWhereFailed, Detail: failed.Error()}
	return m, !has || before.State != m.State || before.Detail != m.Detail, failed
}
