package direct

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/belfry-news/belfry/scheduler"
)

// judge decides about the candidates of one window.
type judge struct {
	base   policy.Facts
	digest func(*consent.Candidate) []int64
	now    time.Time
	zones  *policy.Zones
	// pauseAfter is how long after a message first asked whether they still read nothing is sent to who does not answer; 0 sends
	// on.
	pauseAfter time.Duration
}

// decide asks the policy about one candidate.
func (j judge) decide(c *consent.Candidate) consent.Judgement {
	if c.Stopped != "" {
		return consent.Judgement{State: consent.MessageSuppressed, Reason: c.Stopped}
	}
	f := j.base
	f.Now, f.Habits = j.now, c.Habits
	if c.Grant != nil {
		f.Grant = *c.Grant
		f.Version, f.MadeFor = int64(c.Grant.Version), int64(c.Grant.Version)
		if !c.Same {
			f.MadeFor = f.Version - 1
		}
	}
	for _, s := range c.Suppressions {
		p := policy.Suppression{Scope: policy.ScopeMedium, Medium: s.Medium, Why: s.Reason}
		switch s.Scope {
		case consent.ScopeNever:
			p.Scope = policy.ScopeNever
		case consent.ScopePurpose:
			kind, name, _ := strings.Cut(s.Purpose, " ")
			p.Scope, p.Purpose = policy.ScopePurpose, consent.Purpose{Kind: consent.Kind(kind), Name: name}
		}
		f.Suppressions = append(f.Suppressions, p)
	}
	zone := j.zones.Of(c.Habits)
	f.Zones, f.Country = []*time.Location{zone}, scheduler.CountryOf(c.Habits.Zone)
	f.Rules.LastHeard, f.Rules.Began = c.Heard, c.Verified || !c.Heard.IsZero()
	today := dayNumber(j.now.In(zone))
	if c.PurposeDays.Day == today {
		f.Caps.Today = c.PurposeDays.Count
	}
	f.Caps.Last = c.PurposeDays.Last
	for _, d := range c.WeekDays {
		if monday := today - (today+3)%7; d.Day >= monday && d.Day <= today { // day 0 was a Thursday
			f.Caps.ThisWeek += d.Count
		}
	}
	if c.Days.Day == today {
		f.Caps.All = c.Days.Count
	}
	f.Content.Withdrawn = f.Content.Withdrawn || c.Withdrawn
	if f.Kind == policy.Answer {
		f.Wrote, f.AnswerWithin = c.Stream.Created, max(c.Stream.Expires.Sub(c.Stream.Created), 0)
	}
	f.Brake = policy.Brake{New: c.NewAudience, Sent: c.AudienceSent, First: cmp.Or(f.Brake.First, firstOfAudience)}
	ask := !c.LastSign.IsZero()
	f.Asleep = ask && j.pauseAfter > 0 && c.Asked.After(c.LastSign) && j.now.Sub(c.Asked) >= j.pauseAfter
	var posts []int64
	if f.Kind == policy.Digest && j.digest != nil {
		posts = j.digest(c)
		f.Content.Empty = len(posts) == 0
	}
	d := policy.Decide(f)
	out := consent.Judgement{Reason: string(d.Reason), Override: d.Override, Day: today, Ask: ask}
	switch d.Verdict {
	case policy.Go:
		out.Go = true
		out.Posts, out.Fold = fill(posts, c.Folded)
	case policy.Wait:
		out.State, out.Next = consent.MessagePending, d.Until.Add(jitter(c.Person, d.Until.Sub(j.now)))
	case policy.Fold:
		out.State, out.Fold = consent.MessageFolded, posts
		// A digest shows a post in its newest revision, and so what was corrected; what was withdrawn it shows no more.
		if f.Kind == policy.Post || f.Kind == policy.Correction && !f.Content.Withdrawn {
			out.Fold = []int64{c.Stream.Post}
		}
		if len(out.Fold) == 0 { // nothing that a digest could hold: it waits for its own turn
			until := again(d.Reason, c.Habits, zone, j.now)
			out.State, out.Next = consent.MessagePending, until.Add(jitter(c.Person, until.Sub(j.now)))
		}
	case policy.Hold:
		out.State = consent.MessageHeld
	default:
		out.State = consent.MessageSuppressed
		if d.Reason == policy.Old || d.Reason == policy.OldByThen {
			out.State = consent.MessageExpired
		}
	}
	return out
}

// again is when a limit that was reached is over.
func again(reason policy.Reason, h consent.Habits, zone *time.Location, now time.Time) time.Time {
	switch reason {
	case policy.PersonPaused:
		return h.PausedUntil
	case policy.CapOfWeek:
		return policy.NextWeek(zone, now)
	}
	return policy.NextDay(zone, now)
}

// mostInDigest bounds a personal digest.
const mostInDigest = 20

// fill takes what fits into a digest, and leaves the rest for the next one: what has waited goes first, and then the newest.
// Both keep the order of the posts.
func fill(posts, waiting []int64) (now, later []int64) {
	if len(posts) <= mostInDigest {
		return posts, nil
	}
	taken := make(map[int64]bool, mostInDigest)
	for _, p := range posts {
		if len(taken) < mostInDigest && slices.Contains(waiting, p) {
			taken[p] = true
		}
	}
	for _, p := range slices.Backward(posts) {
		if len(taken) < mostInDigest {
			taken[p] = true
		}
	}
	for _, p := range posts {
		if taken[p] {
			now = append(now, p)
		} else {
			later = append(later, p)
		}
	}
	return now, later
}

// firstOfAudience is how many messages go to a new audience before somebody has looked at what came back, where nobody says.
const firstOfAudience = 50

// dayNumber counts the days of a zone since 1970.
func dayNumber(local time.Time) int64 {
	y, m, d := local.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400
}

// jitter spreads those who wait for the end of the same hours over up to ten minutes: the same person always alike.
func jitter(p consent.PersonID, wait time.Duration) time.Duration {
	most := min(10*time.Minute, max(wait, 0)/6)
	if most < time.Second {
		return 0
	}
	return time.Duration((uint64(p)*0x9e3779b97f4a7c15)>>11) % most
}

// SlotKey names the occurrence of a digest's slot: the channel, the local time and the zone, at an instant.
func SlotKey(purpose consent.Purpose, slot, zone, at string) string {
	return strings.Join([]string{purpose.String(), slot, zone, at}, "|")
}

// SlotOf gives the local time and the zone of an occurrence; empty when it is none of a digest's slot.
func SlotOf(occurrence string) (slot, zone string) {
	parts := strings.Split(occurrence, "|")
	if len(parts) != 4 {
		return "", ""
	}
	return parts[1], parts[2]
}
