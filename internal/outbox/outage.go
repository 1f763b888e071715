package outbox

import (
	"sync"
	"time"
)

// A destination that fails is told from a post that it cannot take: only what several posts met in a row, with none
// accepted in between, is an outage. In an outage every post that failed is tried again at the same moments, so that they
// leave in their order when it ends, and at each of them one post that was not tried yet goes along: if that one is
// accepted, the destination is well, and what still fails has trouble of its own and keeps nobody waiting.
//
// What is kept here only spaces attempts. What has to hold over restarts and nodes, the pauses and the next attempts, are
// rows; without memory an outage is noticed anew.
type outages struct {
	mu sync.Mutex
	// of are the outages by channel on the platform; under "*" that of the whole destination.
	of map[string]*outage
}

// whole stands for all channels of a destination.
const whole = "*"

// outage is what failed since the last accepted call.
type outage struct {
	since, last time.Time
	failing     map[int64]bool
	// others failed before others were accepted. Those that failed again after that have trouble of their own.
	others map[int64]trouble
}

// trouble says whose a trouble is.
type trouble int

const (
	open trouble = iota // the outage may have ended a moment too late for it
	own
)

// maxOthers bounds what is remembered of posts that stayed behind.
const maxOthers = 1000

// forgetAfter is after which silence a failure begins another outage.
const forgetAfter = 30 * time.Minute

// pace says how the moments of an outage lie: each later than the one before by a part of how long it lasts.
type pace struct {
	least, most time.Duration
	part        time.Duration
}

var (
	// Where a repetition does no harm, the end of an outage is to be noticed soon.
	harmless = pace{least: 2 * time.Second, most: time.Minute, part: 2}
	// Where a person has to look after every call without a clear answer, few posts are risked.
	risky = pace{least: 5 * time.Second, most: 5 * time.Minute, part: 1}
)

// after gives the next moment of an outage, a little after now: what comes at a moment and fails waits for the one after.
func (p pace) after(since, now time.Time) time.Time {
	if now.Sub(since) > 24*time.Hour {
		return now.Add(p.most)
	}
	at, soon := since, now.Add(p.least/2)
	for !at.After(soon) {
		at = at.Add(min(max(at.Sub(since)/p.part, p.least), p.most))
	}
	return at
}

// failed notes a failure and gives when the delivery is tried again; ok is false when it has trouble of its own. alone says
// that nothing else failed since the last accepted call.
func (o *outages) failed(key string, delivery int64, p pace, now time.Time) (again time.Time, alone, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	x := o.of[key]
	if x == nil {
		x = &outage{failing: map[int64]bool{}, others: map[int64]trouble{}}
		if o.of == nil {
			o.of = map[string]*outage{}
		}
		o.of[key] = x
	}
	if _, behind := x.others[delivery]; behind {
		x.others[delivery] = own
		return time.Time{}, false, false
	}
	if now.Sub(x.last) > forgetAfter {
		clear(x.failing) // that was another outage
	}
	if len(x.failing) == 0 {
		x.since = now
	}
	x.last = now
	x.failing[delivery] = true
	return p.after(x.since, now), len(x.failing) == 1, true
}

// again gives when a delivery that failed in an outage is tried again: soon, when the outage ended since; false when it failed
// in none.
func (o *outages) again(key string, delivery int64, p pace, now time.Time) (time.Time, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	x := o.of[key]
	if x == nil {
		return time.Time{}, false
	}
	if whose, behind := x.others[delivery]; behind && whose == open {
		return now.Add(p.least), true
	}
	return p.after(x.since, now), x.failing[delivery]
}

// accepted ends the outages of a channel and of the whole destination.
func (o *outages) accepted(chat string, delivery int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, key := range []string{chat, whole} {
		x := o.of[key]
		if x == nil {
			continue
		}
		if len(x.others) > maxOthers {
			clear(x.others)
		}
		for id := range x.failing {
			if id != 0 { // what is no delivery asked for a channel
				x.others[id] = open
			}
		}
		clear(x.failing)
		delete(x.others, delivery)
	}
}
