package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/compose"
)

func (p *planJSON) print(d *desk) {
	p.printChanges(d)
	d.print("from %s until %s", d.at(p.From.Time), d.at(p.Until.Time))
	if !p.Store {
		d.print("there is no store yet, so nothing is known of items; these digests are due:")
	}
	if len(p.Posts) == 0 {
		d.print("nothing will be posted")
	}
	p.printPosts(d)
	p.printItems(d)
	if len(p.Deliveries) > 0 {
		d.print("\nat destinations: %s", deliveriesText(p.Deliveries))
		t := newTable("DELIVERY", "POST", "WHERE", "STATE", "NEXT", "TITLE")
		for _, x := range p.Deliveries {
			t.add(fmt.Sprint(x.ID), x.Post, strings.TrimSpace(x.Destination+" "+x.Chat), x.State, d.until(x.Next.Time), clip(orDash(x.Title), 50))
		}
		t.write(d.std.out)
	}
	if p.More {
		d.print("\nthere is more than is listed; a shorter --for lists less")
	}
	if p.Store && !p.Daemon {
		d.print("\nthe daemon is not running; all this happens when it does")
	}
}

// mostAlike is how many digests without items, or items left out for the same reason, are listed one by one.
const mostAlike = 5

func (p *planJSON) printPosts(d *desk) {
	if len(p.Posts) == 0 {
		return
	}
	t := newTable("WHEN", "CHANNEL", "WHAT", "WHERE")
	alike := map[string]int{}
	for _, x := range p.Posts {
		if len(x.Items) == 0 && x.Kind == string(compose.KindDigest) {
			if alike[x.Channel]++; alike[x.Channel] > mostAlike {
				continue
			}
		}
		t.add(d.at(x.At.Time), x.Channel, x.what(), x.where())
		for _, it := range x.Items {
			if x.Kind == string(compose.KindDigest) {
				t.add("", "", "  - "+clip(orDash(it.Title), 58), "")
			}
		}
	}
	t.write(d.std.out)
	for _, name := range slices.Sorted(maps.Keys(alike)) {
		if n := alike[name] - mostAlike; n > 0 {
			d.print("and %s of %s without items", count(n, "more digest"), name)
		}
	}
}

func deliveriesText(list []plannedDelivery) string {
	by := map[string]int{}
	for _, x := range list {
		by[x.State]++
	}
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, fmt.Sprintf("%s %s", thousands(by[state]), strings.ReplaceAll(state, "_", " ")))
	}
	return strings.Join(parts, ", ")
}

func (p *planJSON) printChanges(d *desk) {
	if p.Changes == nil {
		return
	}
	switch {
	case !p.Store:
		d.print("nothing runs yet, so there is nothing to compare with")
	case len(p.Changes) == 0:
		d.print("%s is what runs: nothing changes", d.cfg.Path)
	default:
		d.print("%s changes %s of the running configuration:", d.cfg.Path, count(len(p.Changes), "setting"))
		for _, ch := range p.Changes {
			d.print("  %s", plain(ch.String()))
		}
		for _, name := range p.NeedRestart {
			d.print("  %s counts from the next start only", name)
		}
	}
	d.print("")
}

func (x plannedPost) what() string {
	what := clip(orDash(x.Title), 60)
	if x.Kind == string(compose.KindDigest) {
		what = "digest"
		if len(x.Items) > 0 {
			what = fmt.Sprintf("digest of %s: %s", count(len(x.Items), "item"), clip(x.Title, 50))
		}
	}
	if x.Note != "" {
		what += " (" + x.Note + ")"
	}
	if x.Late {
		what += fmt.Sprintf(" (caught up, was due %s)", x.Due.Format("2006-01-02 15:04 UTC"))
	}
	switch x.Shift {
	case "gap":
		what += " (the clock goes forward: its time does not exist)"
	case "overlap":
		what += " (the clock goes back: its time comes twice, the first counts)"
	}
	return what
}

func (x plannedPost) where() string {
	if x.Note != "" && len(x.Items) == 0 && x.Kind == string(compose.KindDigest) {
		return "-"
	}
	places := []string{"page"}
	for _, t := range x.To {
		places = append(places, strings.TrimSpace(t.Destination+" "+t.Chat))
	}
	return strings.Join(places, ", ")
}

func (p *planJSON) printItems(d *desk) {
	if len(p.Waiting) > 0 {
		d.print("\n%s until then:", count(len(p.Waiting), "item")+waitVerb(len(p.Waiting)))
		t := newTable("CHANNEL", "ITEM", "WAITS FOR", "UNTIL")
		for _, w := range p.Waiting {
			t.add(w.Channel, clip(orDash(w.Title), 60), w.For, d.until(w.Until.Time))
		}
		t.write(d.std.out)
	}
	if len(p.LeftOut) > 0 {
		d.print("\nleft out or held:")
		t := newTable("CHANNEL", "ITEM", "WHY")
		alike := map[[2]string]int{}
		for _, o := range p.LeftOut {
			alike[[2]string{o.Channel, o.Sentence}]++
		}
		for _, o := range p.LeftOut {
			why, item := o.Sentence, clip(orDash(o.Title), 60)
			if o.Future {
				why += ", from " + d.at(o.At.Time)
			} else if key := [2]string{o.Channel, o.Sentence}; alike[key] > mostAlike {
				item = clip(o.Title, 40) + " and " + count(alike[key]-1, "other")
				alike[key] = -1
			} else if alike[key] < 0 {
				continue // told of already
			}
			t.add(o.Channel, item, why)
		}
		t.write(d.std.out)
	}
}

func waitVerb(n int) string {
	if n == 1 {
		return " waits"
	}
	return " wait"
}

// reasonSentence says in words why a channel does not use an item.
func reasonSentence(r compose.Reason, detail string) string {
	with := func(s string) string {
		if detail == "" {
			return s
		}
		return s + " (" + plain(detail) + ")"
	}
	switch r {
	case compose.ReasonBaseline:
		return "it was there at the source's first fetch, and baseline: does not ask for it"
	case compose.ReasonBefore:
		return "it is older than the channel"
	case compose.ReasonWhere:
		return with("the channel's where: does not hold for it")
	case compose.ReasonDuplicate:
		return with("another source brought the same article first")
	case compose.ReasonMaxAge:
		return with("it waited longer than max_age")
	case compose.ReasonExpired:
		return with("it lost its meaning before it could be used")
	case compose.ReasonWithdrawn:
		return "it was withdrawn before it was used"
	case compose.ReasonBlocked:
		return "an editor retracted it for good"
	case compose.ReasonBlackout:
		return with("a blackout silenced it")
	case compose.ReasonDropped:
		return "a person dropped what was held"
	case compose.ReasonFailed:
		return with("no post could be made of it")
	case "":
		return "it is not known why"
	}
	return with(strings.ReplaceAll(string(r), "_", " "))
}
