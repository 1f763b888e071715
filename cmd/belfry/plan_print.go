package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/desk"
)

func (d *clerk) printPlan(p *desk.Plan) {
	d.printChanges(p)
	d.print("from %s until %s", d.At(p.From.Time), d.At(p.Until.Time))
	switch {
	case !p.Store && len(p.Posts) == 0:
		d.print("there is no store yet, so nothing is known of items; no digest is due")
	case !p.Store:
		d.print("there is no store yet, so nothing is known of items; these digests are due:")
	case len(p.Posts) == 0 && !p.Until.After(d.Now):
		d.print("that is past")
	case len(p.Posts) == 0:
		d.print("nothing will be posted")
	}
	for _, x := range p.FirstOnly {
		d.print("%s", d.FirstSentence(x.Source, x.Items))
	}
	d.printPlanned(p)
	d.printPlannedItems(p)
	if len(p.Deliveries) > 0 {
		d.print("\nat destinations: %s", deliveriesText(p.Deliveries))
		t := newTable("DELIVERY", "POST", "WHERE", "STATE", "NEXT", "TITLE")
		for _, x := range p.Deliveries {
			t.add(fmt.Sprint(x.ID), x.Post, strings.TrimSpace(x.Destination+" "+x.Chat), x.State, d.Until(x.Next.Time), clip(desk.OrDash(x.Title), 50))
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

func (d *clerk) printPlanned(p *desk.Plan) {
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
		t.add(d.At(x.At.Time), x.Channel, plannedWhat(x), plannedWhere(x))
		for _, it := range x.Items {
			if x.Kind == string(compose.KindDigest) {
				t.add("", "", "  - "+clip(desk.OrDash(it.Title), 58), "")
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

func deliveriesText(list []desk.PlannedDelivery) string {
	by := map[string]int{}
	for _, x := range list {
		by[x.State]++
	}
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, fmt.Sprintf("%s %s", desk.Thousands(by[state]), strings.ReplaceAll(state, "_", " ")))
	}
	return strings.Join(parts, ", ")
}

func (d *clerk) printChanges(p *desk.Plan) {
	if p.Changes == nil {
		return
	}
	switch {
	case !p.Store:
		d.print("nothing runs yet, so there is nothing to compare with")
	case len(p.Changes) == 0:
		d.print("%s is what runs: nothing changes", d.Config.Path)
	default:
		d.print("%s changes %s of the running configuration:", d.Config.Path, count(len(p.Changes), "setting"))
		for _, ch := range p.Changes {
			d.print("  %s", desk.Plain(ch.String()))
		}
		for _, name := range p.NeedRestart {
			d.print("  %s counts from the next start only", name)
		}
	}
	d.print("")
}

// plannedWhat says what is posted.
func plannedWhat(x desk.PlannedPost) string {
	what := clip(desk.OrDash(x.Title), 60)
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

// plannedWhere says where it goes.
func plannedWhere(x desk.PlannedPost) string {
	if x.Missed {
		return "-"
	}
	places := []string{"page"}
	for _, t := range x.To {
		places = append(places, strings.TrimSpace(t.Destination+" "+t.Chat))
	}
	return strings.Join(places, ", ")
}

func (d *clerk) printPlannedItems(p *desk.Plan) {
	if len(p.Waiting) > 0 {
		d.print("\n%s until then:", count(len(p.Waiting), "item")+waitVerb(len(p.Waiting)))
		t := newTable("CHANNEL", "ITEM", "WAITS FOR", "UNTIL")
		for _, w := range p.Waiting {
			t.add(w.Channel, clip(desk.OrDash(w.Title), 60), w.For, d.Until(w.Until.Time))
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
			why, item := o.Sentence, clip(desk.OrDash(o.Title), 60)
			if o.Future {
				why += ", from " + d.At(o.At.Time)
			} else if key := [2]string{o.Channel, o.Sentence}; alike[key] > mostAlike {
				item = clip(o.Title, 40) + " and " + count(alike[key]-1, "other")
				alike[key] = -1
			} else if alike[key] < 0 {
				continue // told of already
			}
			t.add(desk.OrDash(o.Channel), item, why)
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
