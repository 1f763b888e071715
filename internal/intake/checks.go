package intake

import (
	"fmt"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Check is an item whose own address is due to be looked at.
type Check struct {
	ID     int64
	Key    string
	URL    string
	SeenAt time.Time
	// GoneAt is when the address was first found gone; zero when it was not.
	GoneAt time.Time
}

// maxGone is how many items of a source may be found withdrawn in one round before a person is asked.
const maxGone = 3

// DecideChecks turns what the source saw at its items' addresses into updates. An item is withdrawn only when two looks,
// at least ten minutes apart, both found it gone. watched is how many items of the source are younger than Watch. It is
// pure.
func DecideChecks(r Rules, st State, checks []Check, seen []sdk.Presence, watched int, now time.Time) Change {
	ch := Change{State: st}
	var proven []Update
	for i, c := range checks {
		if i >= len(seen) {
			break
		}
		u := Update{ID: c.ID, State: Live, SetCheck: true}
		switch seen[i].State {
		case sdk.PresenceGone:
			u.GoneAt, u.GoneReason = c.GoneAt, cleanText(seen[i].Reason, 200, false)
			if c.GoneAt.IsZero() {
				u.GoneAt = now
			}
			if proof := u.GoneAt.Add(checkGap); now.Before(proof) {
				u.CheckAt = proof
				break
			}
			u.State, u.Reason = Removed, fmt.Sprintf("its address answers %s", u.GoneReason)
			proven = append(proven, u)
			continue
		case sdk.PresenceThere:
			u.CheckAt = nextCheck(r, c, now)
		default:
			// No evidence either way. A first finding stands until the next look contradicts it.
			u.GoneAt = c.GoneAt
			if u.CheckAt = now.Add(time.Hour); c.SeenAt.Add(r.Watch).Before(u.CheckAt) {
				u.CheckAt = time.Time{}
			}
		}
		ch.Updates = append(ch.Updates, u)
	}
	if len(proven) > maxGone && len(proven)*5 > watched {
		h := Hold{Kind: HoldRemoval, Note: fmt.Sprintf("the addresses of %d of %d recent items say that they are gone", len(proven), watched),
			Reason: "its address says that it is gone"}
		for _, u := range proven {
			h.Removals = append(h.Removals, u.ID)
			u.State, u.Reason, u.CheckAt = Live, "", time.Time{}
			ch.Updates = append(ch.Updates, u)
		}
		ch.Holds = append(ch.Holds, h)
		ch.State.Holds = true
		ch.Alerts = append(ch.Alerts, heldRemovalAlert(r.Name, h.Note))
		return ch
	}
	ch.Updates = append(ch.Updates, proven...)
	return ch
}

// nextCheck looks rarely at what is there: after an hour, then after a quarter of the item's age; never beyond Watch.
func nextCheck(r Rules, c Check, now time.Time) time.Time {
	at := now.Add(max(time.Hour, now.Sub(c.SeenAt)/4))
	if at.After(c.SeenAt.Add(r.Watch)) {
		return time.Time{}
	}
	return at
}
