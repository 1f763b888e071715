package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
)

// Copy is a post on one destination.
type Copy struct {
	Destination string   `json:"destination"`
	Chat        string   `json:"chat"`
	State       string   `json:"state"`
	Have        int      `json:"have"`
	Want        int      `json:"want"`
	Gone        bool     `json:"gone"`
	URLs        []string `json:"urls"`
	Out         Stamp    `json:"out"`
	Delivery    int64    `json:"delivery"`
	Error       string   `json:"error"`
	Sentence    string   `json:"sentence"`
}

// The states of copies, as commands name them.
const (
	CopyThere   = "there"          // it is as it should be
	CopyGone    = "gone"           // it was taken away, or was withdrawn before it left
	CopyWaiting = "waiting"        // something is still to be done, and will be
	CopyUnknown = "unknown"        // a call may have arrived
	CopyHeld    = "held"           // a blackout holds it for a person
	CopyByHand  = "needs_a_person" // the platform does not let Belfry do it
	CopyStays   = "cannot_follow"  // it could not be corrected or deleted, and stays as it is
	CopyNotSent = "not_sent"       // it never left, and will not
)

// Place names where it is.
func (c *Copy) Place() string { return strings.TrimSpace(c.Destination + " " + c.Chat) }

// copies reads the copies of a post.
func (d *Desk) copies(ctx context.Context, post int64) ([]Copy, error) {
	rows, err := d.Store.Copies(ctx, post)
	if err != nil || len(rows) == 0 {
		return []Copy{}, err
	}
	destinations, err := d.Store.DestinationRows(ctx)
	if err != nil {
		return nil, err
	}
	pauses, err := d.Store.Pauses(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]Copy, len(rows))
	for i, r := range rows {
		c := &out[i]
		*c = Copy{Destination: r.Destination, Chat: r.Chat, Have: r.Have, Want: r.Want, Gone: r.Gone, URLs: append([]string{}, r.URLs...), Out: Stamp{r.OutAt},
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
		return CopyUnknown
	case outbox.Held:
		return CopyHeld
	case outbox.AwaitingPerson:
		return CopyByHand
	case outbox.Pending, outbox.Started:
		return CopyWaiting
	}
	switch r.State {
	case "open":
		return CopyWaiting
	case "listed":
		return CopyByHand
	case "held":
		return CopyHeld
	case "left":
		return CopyStays
	case "done":
		if r.Gone {
			return CopyGone
		}
		return CopyThere
	}
	if r.Have > 0 || !r.OutAt.IsZero() {
		return CopyStays
	}
	if r.Gone {
		return CopyGone // it never left, and is not wanted any more
	}
	return CopyNotSent
}

func (d *Desk) copySentence(c *Copy, r store.Copy, dest store.DestinationRow, pauses []store.Pause) string {
	resolve := func(how string) string { return fmt.Sprintf("belfry post resolve %d %s", c.Delivery, how) }
	switch c.State {
	case CopyThere:
		s := "there"
		if !c.Out.IsZero() {
			s += " since " + d.At(c.Out.Time)
		}
		if c.Have > 1 {
			s += fmt.Sprintf(", revision %d", c.Have)
		}
		return s
	case CopyGone:
		if r.OutAt.IsZero() {
			return "never left"
		}
		if r.Reason == "by hand" {
			return "gone, by hand"
		}
		return "gone"
	case CopyUnknown:
		return fmt.Sprintf("whether the call arrived is not known (%s); look there, then say: %s", Plain(OrDash(c.Error)), resolve("--arrived, or --missing"))
	case CopyHeld:
		return fmt.Sprintf("held (%s)", Plain(OrDash(c.Error)))
	case CopyByHand:
		what := "correct"
		if c.Gone {
			what = "delete"
		}
		return fmt.Sprintf("a person has to %s it there, then say: %s", what, resolve("--done"))
	case CopyStays:
		if c.Gone {
			return fmt.Sprintf("it cannot be deleted there (%s)", Plain(OrDash(c.Error)))
		}
		return fmt.Sprintf("revision %d is there; it could not follow the correction (%s)", c.Have, Plain(OrDash(c.Error)))
	case CopyNotSent:
		if r.State == "expired" {
			if r.ExpiresAt.IsZero() {
				return "not sent: it could not leave in time"
			}
			return fmt.Sprintf("not sent: it could not leave before %s (max_age)", d.At(r.ExpiresAt))
		}
		why := map[string]string{"failed": "refused", "dropped": "dropped"}[r.State]
		if c.Error != "" {
			why += ": " + Plain(c.Error)
		}
		return "not sent: " + why
	}
	return "waits: " + d.waitsFor(c, dest, pauses)
}

// waitsFor says what a delivery waits for.
func (d *Desk) waitsFor(c *Copy, dest store.DestinationRow, pauses []store.Pause) string {
	for _, p := range pauses {
		if p.Scope == store.PauseAll || p.Scope == store.PauseDestination && p.Name == c.Destination {
			return fmt.Sprintf("paused since %s; belfry resume %s", d.At(p.Since), strings.TrimSpace(p.Scope+" "+p.Name))
		}
	}
	if !dest.StoppedAt.IsZero() {
		return fmt.Sprintf("the destination has stopped: %s", Plain(dest.Error))
	}
	if i := slices.IndexFunc(dest.Lanes, func(l store.LaneRow) bool { return l.Chat == c.Chat && !l.StoppedAt.IsZero() }); i >= 0 {
		return fmt.Sprintf("the destination has stopped: %s", Plain(dest.Lanes[i].Error))
	}
	if dest.PausedUntil.After(d.Now) {
		return fmt.Sprintf("%s; it goes on %s", Plain(OrDash(dest.Error)), d.Until(dest.PausedUntil))
	}
	if c.Error != "" {
		return Plain(c.Error) + "; it is tried again"
	}
	if !d.Running() {
		return "the daemon is not running"
	}
	return "its turn"
}

// CopyCounts says in a line how the copies of a post are.
func CopyCounts(copies []Copy) string {
	n := map[string]int{}
	for _, c := range copies {
		n[c.State]++
	}
	words := map[string]string{CopyThere: "there", CopyGone: "gone", CopyWaiting: "waiting", CopyUnknown: "unknown", CopyHeld: "held",
		CopyByHand: "for a person", CopyStays: "left as they were", CopyNotSent: "not sent"}
	var parts []string
	for _, state := range []string{CopyThere, CopyGone, CopyWaiting, CopyUnknown, CopyHeld, CopyByHand, CopyStays, CopyNotSent} {
		if n[state] > 0 {
			parts = append(parts, fmt.Sprintf("%s %s", Thousands(n[state]), words[state]))
		}
	}
	if len(parts) == 0 {
		return "on its own page only"
	}
	return strings.Join(parts, " · ")
}
