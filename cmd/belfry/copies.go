package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
)

// copyJSON is a post on one destination.
type copyJSON struct {
	Destination string   `json:"destination"`
	Chat        string   `json:"chat"`
	State       string   `json:"state"`
	Have        int      `json:"have"`
	Want        int      `json:"want"`
	Gone        bool     `json:"gone"`
	URLs        []string `json:"urls"`
	Out         stamp    `json:"out"`
	Delivery    int64    `json:"delivery"`
	Error       string   `json:"error"`
	Sentence    string   `json:"sentence"`
}

// The states of copies, as commands name them.
const (
	copyThere   = "there"          // it is as it should be
	copyGone    = "gone"           // it was taken away, or was withdrawn before it left
	copyWaiting = "waiting"        // something is still to be done, and will be
	copyUnknown = "unknown"        // a call may have arrived
	copyHeld    = "held"           // a blackout holds it for a person
	copyByHand  = "needs_a_person" // the platform does not let Belfry do it
	copyStays   = "cannot_follow"  // it could not be corrected or deleted, and stays as it is
	copyNotSent = "not_sent"       // it never left, and will not
)

func (c *copyJSON) place() string { return strings.TrimSpace(c.Destination + " " + c.Chat) }

// copies reads the copies of a post.
func (d *desk) copies(ctx context.Context, post int64) ([]copyJSON, error) {
	rows, err := d.db.Copies(ctx, post)
	if err != nil || len(rows) == 0 {
		return []copyJSON{}, err
	}
	destinations, err := d.db.DestinationRows(ctx)
	if err != nil {
		return nil, err
	}
	pauses, err := d.db.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]copyJSON, len(rows))
	for i, r := range rows {
		c := &out[i]
		*c = copyJSON{Destination: r.Destination, Chat: r.Chat, Have: r.Have, Want: r.Want, Gone: r.Gone, URLs: append([]string{}, r.URLs...), Out: stamp{r.OutAt},
			Delivery: r.Delivery, Error: r.Error}
		if c.Error == "" {
			c.Error = r.Reason
		}
		c.State = copyState(r)
		c.Sentence = d.copySentence(c, r, destinations[r.Destination], pauses)
	}
	return out, nil
}

func copyState(r store.Copy) string {
	switch outbox.State(r.Waiting) {
	case outbox.Unknown:
		return copyUnknown
	case outbox.Held:
		return copyHeld
	case outbox.AwaitingPerson:
		return copyByHand
	case outbox.Pending, outbox.Started:
		return copyWaiting
	}
	switch r.State {
	case "open":
		return copyWaiting
	case "listed":
		return copyByHand
	case "held":
		return copyHeld
	case "left":
		return copyStays
	case "done":
		if r.Gone {
			return copyGone
		}
		return copyThere
	}
	if r.Have > 0 || !r.OutAt.IsZero() {
		return copyStays
	}
	if r.Gone {
		return copyGone // it never left, and is not wanted any more
	}
	return copyNotSent
}

func (d *desk) copySentence(c *copyJSON, r store.Copy, dest store.DestinationRow, pauses []store.Pause) string {
	resolve := func(how string) string { return fmt.Sprintf("belfry post resolve %d %s", c.Delivery, how) }
	switch c.State {
	case copyThere:
		s := "there"
		if !c.Out.IsZero() {
			s += " since " + d.at(c.Out.Time)
		}
		if c.Have > 1 {
			s += fmt.Sprintf(", revision %d", c.Have)
		}
		return s
	case copyGone:
		if r.OutAt.IsZero() {
			return "never left"
		}
		return "gone"
	case copyUnknown:
		return fmt.Sprintf("whether the call arrived is not known (%s); look there, then say: %s", plain(orDash(c.Error)), resolve("--arrived, or --missing"))
	case copyHeld:
		return fmt.Sprintf("held (%s)", plain(orDash(c.Error)))
	case copyByHand:
		what := "correct"
		if c.Gone {
			what = "delete"
		}
		return fmt.Sprintf("a person has to %s it there, then say: %s", what, resolve("--done"))
	case copyStays:
		if c.Gone {
			return fmt.Sprintf("it cannot be deleted there (%s)", plain(orDash(c.Error)))
		}
		return fmt.Sprintf("revision %d is there; it could not follow the correction (%s)", c.Have, plain(orDash(c.Error)))
	case copyNotSent:
		why := map[string]string{"failed": "refused", "expired": "it could not leave in time", "dropped": "dropped"}[r.State]
		if c.Error != "" {
			why += ": " + plain(c.Error)
		}
		return "not sent: " + why
	}
	return "waits: " + d.waitsFor(c, dest, pauses)
}

// waitsFor says what a delivery waits for.
func (d *desk) waitsFor(c *copyJSON, dest store.DestinationRow, pauses []store.Pause) string {
	for _, p := range pauses {
		if p.Scope == store.PauseAll || p.Scope == store.PauseDestination && p.Name == c.Destination {
			return fmt.Sprintf("paused since %s; belfry resume %s", d.at(p.Since), strings.TrimSpace(p.Scope+" "+p.Name))
		}
	}
	if !dest.StoppedAt.IsZero() {
		return fmt.Sprintf("the destination has stopped: %s", plain(dest.Error))
	}
	if i := slices.IndexFunc(dest.Lanes, func(l store.LaneRow) bool { return l.Chat == c.Chat && !l.StoppedAt.IsZero() }); i >= 0 {
		return fmt.Sprintf("the destination has stopped: %s", plain(dest.Lanes[i].Error))
	}
	if dest.PausedUntil.After(d.now) {
		return fmt.Sprintf("%s; it goes on %s", plain(orDash(dest.Error)), d.until(dest.PausedUntil))
	}
	if c.Error != "" {
		return plain(c.Error) + "; it is tried again"
	}
	if !d.running() {
		return "the daemon is not running"
	}
	return "its turn"
}

// copyCounts says in a line how the copies of a post are.
func copyCounts(copies []copyJSON) string {
	n := map[string]int{}
	for _, c := range copies {
		n[c.State]++
	}
	words := map[string]string{copyThere: "there", copyGone: "gone", copyWaiting: "waiting", copyUnknown: "unknown", copyHeld: "held",
		copyByHand: "for a person", copyStays: "left as they were", copyNotSent: "not sent"}
	var parts []string
	for _, state := range []string{copyThere, copyGone, copyWaiting, copyUnknown, copyHeld, copyByHand, copyStays, copyNotSent} {
		if n[state] > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", thousands(n[state]), words[state]))
		}
	}
	if len(parts) == 0 {
		return "on its own page only"
	}
	return strings.Join(parts, " · ")
}

func (d *desk) printCopies(copies []copyJSON) {
	t := newTable()
	for _, c := range copies {
		t.add("  "+c.place(), c.Sentence, strings.Join(c.URLs, " "))
	}
	t.write(d.std.out)
}
