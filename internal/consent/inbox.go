package consent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Inbound is an event from a platform or a person, sealed until it is worked on.
type Inbound struct {
	Connection, ID string
	At             time.Time
	Kind           sdk.EventKind
	Sealed         []byte
}

// InboxStore keeps inbound events, and what conversations have to remember.
type InboxStore interface {
	Cursor(ctx context.Context, connection string) ([]byte, error)
	// PutInbound keeps events, each once, and the cursor behind them, unless it is nil, in one transaction.
	PutInbound(ctx context.Context, in []Inbound, connection string, cursor []byte) error
	OpenInbound(ctx context.Context, most int) ([]Inbound, error)
	// CountInbound counts the events of a connection that nobody has worked on yet, no further than most.
	CountInbound(ctx context.Context, connection string, most int) (int, error)
	EndInbound(ctx context.Context, connection, id, outcome string, person PersonID) error
	// Outcomes lists when events ended so since a time; of person 0, those about anybody.
	Outcomes(ctx context.Context, connection, outcome string, person PersonID, since time.Time) ([]time.Time, error)
	// SentSince counts the messages that were sent by a destination since a time, and no more of them than most.
	SentSince(ctx context.Context, destination string, since time.Time, most int) (int, error)
	// Bounced notes that a message came back, and gives its medium; ErrNotFound when there is none: the stream's number and its
	// nonce must both be right.
	Bounced(ctx context.Context, s Stream, person PersonID, reason, text string) (medium string, err error)
	// Wrote gives the medium of a message that left, or may have; ErrNotFound when there is none.
	Wrote(ctx context.Context, s Stream, person PersonID) (medium string, err error)
	// Heard notes when somebody wrote from an address, and lets go what waited for that; it says how many messages.
	Heard(ctx context.Context, medium, hash string, at, now time.Time) (n int64, err error)
	// Remember keeps data under a name unless there is something already; Recall gives it once.
	Remember(ctx context.Context, hash, name string, data []byte, until, now time.Time) (first bool, err error)
	Recall(ctx context.Context, hash, name string, now time.Time) (data []byte, found bool, err error)
}

// Inbox takes in what comes back from platforms and people.
type Inbox struct {
	r     *Registry
	store InboxStore
}

// Inbox gives the inbox of a registry.
func (r *Registry) Inbox(store InboxStore) *Inbox { return &Inbox{r, store} }

// Cursor is where listening on a connection goes on.
func (i *Inbox) Cursor(ctx context.Context, connection string) (sdk.Cursor, error) {
	return i.store.Cursor(ctx, connection)
}

// Receive keeps an event, with the cursor behind it, before anybody acts on it.
func (i *Inbox) Receive(ctx context.Context, connection string, events []sdk.InboxEvent, cursor sdk.Cursor) error {
	desk := i.r.s.Keys.desk()
	var in []Inbound
	for _, e := range events {
		text, err := json.Marshal(e) //nolint:musttag // kept sealed for seconds, and read back by the same type
		if err != nil {
			return err
		}
		at := e.At
		if now := i.r.now(); at.IsZero() || at.After(now) {
			at = now
		}
		in = append(in, Inbound{Connection: connection, ID: e.ID, At: at, Kind: e.Kind, Sealed: desk.seal("event", text)})
	}
	return i.store.PutInbound(ctx, in, connection, cursor)
}

// Backlog counts the events of a connection that nobody has worked on yet, no further than most.
func (i *Inbox) Backlog(ctx context.Context, connection string, most int) (int, error) {
	return i.store.CountInbound(ctx, connection, most)
}

// Waiting gives the events that nobody has worked on yet, in the order in which they came, by connection.
func (i *Inbox) Waiting(ctx context.Context) (out []Waiting, err error) {
	list, err := i.store.OpenInbound(ctx, 100)
	if err != nil {
		return nil, err
	}
	desk := i.r.s.Keys.desk()
	for _, in := range list {
		text, err := desk.open("event", in.Sealed)
		if err != nil {
			return nil, err
		}
		w := Waiting{Connection: in.Connection}
		if err := json.Unmarshal(text, &w.Event); err != nil { //nolint:musttag // see Receive
			return nil, err
		}
		if err := i.known(ctx, &w.Event); err != nil {
			return nil, err
		}
		out = append(out, w)
	}
	return out, nil
}

// known puts the address of whoever a message was written to in the place of what its answer says of itself: the answer proves,
// by a secret of that message's alone, who wrote it. An answer to a message that is not known proves nothing.
func (i *Inbox) known(ctx context.Context, e *sdk.InboxEvent) error {
	stream, id, ok := messageOf(e.Answers)
	if e.Answers = ""; !ok {
		return nil
	}
	medium, err := i.store.Wrote(ctx, stream, id)
	if errors.Is(err, ErrNotFound) || err == nil && medium != e.From.Medium {
		return nil
	}
	if err != nil {
		return err
	}
	value, err := i.r.address(ctx, id, medium)
	if errors.Is(err, ErrNotFound) {
		return nil // erased since
	}
	if err != nil {
		return err
	}
	e.From, e.Claimed = sdk.Handle{Medium: medium, Value: value}, false
	return nil
}

// Waiting is an event that nobody has worked on yet.
type Waiting struct {
	Connection string
	Event      sdk.InboxEvent
}

// End says what became of an event. What it said is not kept.
func (i *Inbox) End(ctx context.Context, w Waiting, outcome string, person PersonID) error {
	return i.store.EndInbound(ctx, w.Connection, w.Event.ID, outcome, person)
}

// Heard notes that a person wrote or pressed a button: what waited for that may leave now.
func (i *Inbox) Heard(ctx context.Context, from sdk.Handle, at time.Time) error {
	now := i.r.now()
	if at.IsZero() || at.After(now) {
		at = now
	}
	n, err := i.store.Heard(ctx, from.Medium, i.hash(from), at, now)
	if n > 0 {
		i.r.s.Changed()
	}
	return err
}

// Outcomes of bounces and complaints in the inbox.
const (
	OutcomeHard      = "bounce_hard"
	OutcomeSoft      = "bounce_soft"
	OutcomeOther     = "bounce_other"
	OutcomeComplaint = "complaint"
)

// Soft bounces end an address when they came on so many days, over at least so long (facts sheet, 1.6).
const (
	softDays = 3
	softOver = 14 * 24 * time.Hour
)

// Bounce does what a bounce or complaint asks for, and says under which outcome it ends.
func (i *Inbox) Bounce(ctx context.Context, w Waiting) (outcome string, person PersonID, err error) {
	stream, id, ok := messageOf(w.Event.Ref)
	if !ok {
		return "unmatched", 0, nil
	}
	if about := w.Event.From.Medium; about != "" { // who tells of one medium knows nothing of another's messages
		medium, err := i.store.Wrote(ctx, stream, id)
		if errors.Is(err, ErrNotFound) || err == nil && medium != about {
			return "unmatched", 0, nil
		}
		if err != nil {
			return "", 0, err
		}
	}
	b := w.Event.Bounce
	outcome, reason := OutcomeOther, ""
	switch {
	case w.Event.Kind == sdk.EventComplaint:
		outcome, reason = OutcomeComplaint, SuppressedComplaint
	case b.Class == sdk.BounceHard:
		outcome, reason = OutcomeHard, SuppressedBounce
	case b.Class == sdk.BounceSoft:
		outcome = OutcomeSoft
	}
	medium, err := i.store.Bounced(ctx, stream, id, outcome, strings.TrimSpace(b.Status+" "+b.Reason))
	if errors.Is(err, ErrNotFound) {
		return "unmatched", 0, nil
	}
	if err != nil {
		return "", 0, err
	}
	if outcome == OutcomeSoft {
		since := i.r.now().Add(-60 * 24 * time.Hour)
		times, err := i.store.Outcomes(ctx, w.Connection, OutcomeSoft, id, since)
		if err != nil {
			return "", 0, err
		}
		days := map[string]bool{w.Event.At.UTC().Format(time.DateOnly): true}
		first := w.Event.At
		for _, at := range times {
			days[at.UTC().Format(time.DateOnly)] = true
			if at.Before(first) {
				first = at
			}
		}
		if len(days) >= softDays && w.Event.At.Sub(first) >= softOver {
			reason = SuppressedBounce
		}
	}
	if reason != "" {
		method := ByBounce
		if outcome == OutcomeComplaint {
			method = ByComplaint
		}
		err = i.r.Gone(ctx, id, medium, reason, Evidence{At: i.r.now(), Method: method, Actor: Provider, Where: w.Event.ID, Note: strings.TrimSpace(b.Status + " " + b.Reason)})
	}
	return outcome, id, err
}

// Limits near which a provider begins to refuse everything: a complaint or a hard bounce in so many messages sent in a day.
// Fewer of them than the least number say nothing.
const (
	complaintIn    = 1000
	complaintLeast = 3
	bounceIn       = 20
	bounceLeast    = 20
)

// TooMany says why a destination should not write to anybody before somebody has looked; empty while all is well. It counts no
// more of what was sent than it takes to know: a large house sends millions while a complaint comes.
func (i *Inbox) TooMany(ctx context.Context, destination string) (string, error) {
	since := i.r.now().Add(-24 * time.Hour)
	for _, c := range []struct {
		outcome, sentence string
		in, least         int
	}{{OutcomeComplaint, "%d complaints about %d messages sent in a day", complaintIn, complaintLeast},
		{OutcomeHard, "%d of %d messages sent in a day came back for good", bounceIn, bounceLeast}} {
		times, err := i.store.Outcomes(ctx, destination, c.outcome, 0, since)
		if err != nil {
			return "", err
		}
		n := len(times)
		if n < c.least {
			continue
		}
		enough := n*c.in + 1
		sent, err := i.store.SentSince(ctx, destination, since, enough)
		if err != nil {
			return "", err
		}
		if sent < enough {
			return fmt.Sprintf(c.sentence, n, sent), nil
		}
	}
	return "", nil
}

// First reports whether nothing of this kind was answered to a handle within the time, and notes that it is now.
func (i *Inbox) First(ctx context.Context, from sdk.Handle, kind string, within time.Duration) (bool, error) {
	now := i.r.now()
	return i.store.Remember(ctx, i.hash(from), "first."+kind, []byte{}, now.Add(within), now)
}

// Keep holds data for a handle under an id until a time.
func (i *Inbox) Keep(ctx context.Context, from sdk.Handle, id string, data []byte, until time.Time) error {
	_, err := i.store.Remember(ctx, i.hash(from), "kept."+id, i.r.s.Keys.desk().seal("memory", data), until, i.r.now())
	return err
}

// Take gives what was kept for a handle under an id, once.
func (i *Inbox) Take(ctx context.Context, from sdk.Handle, id string) ([]byte, bool, error) {
	sealed, found, err := i.store.Recall(ctx, i.hash(from), "kept."+id, i.r.now())
	if err != nil || !found {
		return nil, false, err
	}
	data, err := i.r.s.Keys.desk().open("memory", sealed)
	return data, err == nil, err
}

func (i *Inbox) hash(h sdk.Handle) string {
	_, compare, err := i.r.normalize(h.Medium, h.Value)
	if err != nil {
		compare = h.Value
	}
	return i.r.s.Keys.Hash(h.Medium, compare)
}
