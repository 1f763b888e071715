package consent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/permit"
	"github.com/belfry-news/belfry/sdk"
)

// StreamKind says what the messages of a stream are.
type StreamKind string

// The kinds of streams. Confirm and Answer are the two fixed texts without a grant.
const (
	StreamPost       StreamKind = "post"
	StreamDigest     StreamKind = "digest"
	StreamCorrection StreamKind = "correction"
	StreamNotice     StreamKind = "notice"
	StreamConfirm    StreamKind = "confirm"
	StreamAnswer     StreamKind = "answer"
)

// Stream is one text for many people, or for one.
type Stream struct {
	ID int64
	// Nonce is a secret that this stream alone has, while numbers are given again once a database was restored. Streams that were
	// made before there were any have none.
	Nonce               string
	Kind                StreamKind
	Destination, Medium string
	// Purpose is empty for the fixed texts.
	Purpose Purpose
	// Post, Notice and Occurrence say what it is made from.
	Post, Notice int64
	// Revision of the post when the stream was made; of a correction, the one that corrects.
	Revision   int
	Occurrence string
	// Content of a fixed text, sealed under the person's key.
	Content  []byte
	Urgent   bool
	Priority int
	// Collects says of a correction that who gets digests gets it with the next one.
	Collects bool
	// SlotAt of a digest: it takes the posts shown until then.
	SlotAt           time.Time
	Created, Expires time.Time
}

// Batch are messages of one stream that a node has claimed. Claimed means that they never left.
type Batch struct {
	ID         int64
	Fence      string
	Stream     Stream
	People     []PersonID
	LeaseUntil time.Time
}

// Result is what became of a started message.
type Result struct {
	Stream int64
	Person PersonID
	// State is how the row stands from now on; Next when it is to be claimed again, with State "pending".
	State  MessageState
	Reason string
	Next   time.Time
	Ref    string
	Error  string
	At     time.Time
	// Posts are what a digest held.
	Posts []int64
	// Revision of the post that a message showed; 0 where it is made from no post, or from several.
	Revision int
	// Again says that this was no attempt: it never left.
	Again bool
}

// MessageState of a message.
type MessageState string

// The states. All but Pending, Unknown and Held are ends.
const (
	MessagePending    MessageState = "pending"
	MessageSent       MessageState = "sent"
	MessageSuppressed MessageState = "suppressed"
	MessageUnknown    MessageState = "unknown"
	MessageHeld       MessageState = "held"
	MessageFailed     MessageState = "failed"
	MessageExpired    MessageState = "expired"
	MessageDropped    MessageState = "dropped"
	MessageFolded     MessageState = "folded"
)

// Candidate is what the transaction that starts a message reads about it, apart from the address.
type Candidate struct {
	Person  PersonID
	Ref     string
	Habits  Habits
	Attempt int
	// Unknown says that an earlier attempt may have arrived.
	Unknown bool
	// Grant is what the message was made for, as it is now; Same says that it did not end since.
	Grant   *Grant
	Same    bool
	Covered time.Time
	// Reachable says that there is a verified address of that medium; Verified is false for one that was never confirmed.
	Reachable, Verified bool
	Suppressions        []Suppression
	// Stopped says why the stream was stopped or held; empty while it is open. Withdrawn says that its post is not live.
	Stopped   string
	Withdrawn bool
	// Stream is one for all candidates of a window; nobody changes it.
	Stream *Stream
	// Days are what the person got on the newest days, over everything and of this purpose.
	Days, PurposeDays Day
	// WeekDays are what the person got of this purpose on the days of this week and some before, when the window asked for it.
	WeekDays []Day
	// NewAudience says that the person came with an import, or in a jump of the channel's audience (Jumped), that nobody has
	// released; AudienceSent messages were started to such people.
	NewAudience, Jumped bool
	AudienceSent        int
	// Heard is when the person last wrote on the medium, when the window asked for it; zero is never.
	Heard time.Time
	// Folded are posts that wait for the person's next digest; Had are urgent ones that reach them on their own.
	Folded, Had []int64

	// Import is the one that the person came with.
	Import int64
	// LastSign is when the person last showed that they are there, and Asked when a message first asked whether they still
	// read; both are zero unless that is longer ago than Window.SleepBefore.
	LastSign, Asked time.Time

	key     Sealed
	address []byte
}

// Day is how many messages a person got on a day of their zone, and when the last one left.
type Day struct {
	Day   int64 // since 1970
	Count int
	Last  time.Time
}

// SealAddress puts what only a start transaction reads into a candidate.
func (c *Candidate) SealAddress(key Sealed, address []byte) { c.key, c.address = key, address }

// Judgement is what a start transaction does with a candidate.
type Judgement struct {
	Go bool
	// Otherwise the row stands so from now on.
	State  MessageState
	Reason string
	Next   time.Time
	// Override says that quiet hours were passed by because the person wants breaking news.
	Override bool
	// Ask says that the message asks whether the person still reads.
	Ask bool
	// Day is the day of the person's zone that the message counts for; Fold are posts for the next digest, also beside one that
	// goes and is full; Posts are what a digest holds.
	Day   int64
	Fold  []int64
	Posts []int64
}

// Window is the part of a batch that starts now, together with what became of the window before.
type Window struct {
	Batch   Batch
	Size    int
	Results []Result
	// Ended are batches all of whose messages have an outcome with Results: they are taken away.
	Ended []Batch
	Now   time.Time
	// Lease is how long the batch is kept from now on.
	Lease time.Duration
	// Until is when a message of the window must no longer leave.
	Until time.Time
	// Overridden makes the event of the ledger that says that quiet hours were passed; Start fills it in.
	Overridden func(*Candidate) (LedgerEvent, error)
	// SleepBefore asks who has not shown since then that they are there; zero asks nobody.
	SleepBefore time.Time
	// Heard and Week ask for what candidates have under these names: most decisions do not need it.
	Heard, Week bool
}

// MessageStore starts and settles messages.
type MessageStore interface {
	// StartMessages reads the next messages of a batch and everything that decides about them, asks judge about each, and
	// writes that they may leave or what became of them: all in one transaction, in which the results of before are settled
	// too. It gives those that may leave. ErrFence when the batch is not ours any more; ErrPaused when nothing may start now.
	StartMessages(ctx context.Context, w Window, judge func(*Candidate) Judgement) (started []*Candidate, all int, err error)
}

// Errors of StartMessages.
var (
	ErrFence  = errors.New("the batch belongs to another node by now")
	ErrPaused = errors.New("messages are paused")
)

// Start is a message that may leave.
type Start struct {
	*Candidate
	// ID is the same for every attempt.
	ID     string
	Permit sdk.Permit
	// Links of the person, for the slots of the text. Leave is empty without a grant.
	Link, Leave string
	// Text is the content of a fixed text or a notice, opened.
	Text []byte
	// Broken says why nobody can be written to: what is sealed cannot be opened. There is no permit then.
	Broken error
}

// MessageID names a message to platforms: in letters and digits that survive a relay, and by the stream's secret, so that what
// comes back after a restore is never taken for what the new numbers stand for.
func MessageID(s Stream, p PersonID) string {
	stream := strconv.FormatInt(s.ID, 36)
	if s.Nonce != "" {
		stream += "-" + s.Nonce
	}
	return stream + "-" + strconv.FormatInt(int64(p), 36)
}

// messageOf reads a message's name; see MessageID.
func messageOf(name string) (s Stream, person PersonID, ok bool) {
	parts := strings.Split(name, "-")
	if len(parts) == 3 {
		s.Nonce = parts[1]
		parts = []string{parts[0], parts[2]}
		if s.Nonce == "" {
			return s, 0, false
		}
	}
	if len(parts) != 2 {
		return s, 0, false
	}
	id, err := strconv.ParseInt(parts[0], 36, 64)
	p, perr := strconv.ParseInt(parts[1], 36, 64)
	s.ID = id
	return s, PersonID(p), err == nil && perr == nil
}

// Begun is a window that has begun.
type Begun struct {
	// Messages are the N that may leave. Each is opened and gets its permit as it comes, once.
	Messages iter.Seq[Start]
	N        int
	// All is how many messages of the batch are behind it now.
	All int
}

// Start begins a window. Permits and addresses come only from here: from what the transaction read that let the message go.
func (r *Registry) Start(ctx context.Context, store MessageStore, w Window, judge func(*Candidate) Judgement) (Begun, error) {
	purpose := permit.Delivery
	switch w.Batch.Stream.Kind {
	case StreamConfirm:
		purpose = permit.Confirm
	case StreamAnswer:
		purpose = permit.Answer
	}
	w.Overridden = func(c *Candidate) (LedgerEvent, error) { return r.overridden(c, w) }
	started, all, err := store.StartMessages(ctx, w, func(c *Candidate) Judgement {
		// Whatever a policy says: without a live grant there is no message (promise 1).
		switch {
		case purpose == permit.Delivery && (c.Grant == nil || c.Grant.State != Active || !c.Same):
			return Judgement{State: MessageSuppressed, Reason: c.ungranted()}
		case !c.Reachable:
			return Judgement{State: MessageSuppressed, Reason: "no_address"}
		}
		return judge(c)
	})
	if err != nil {
		return Begun{All: all}, err
	}
	return Begun{N: len(started), All: all, Messages: func(yield func(Start) bool) {
		for _, c := range started {
			if !yield(r.opened(c, w, purpose)) {
				return
			}
		}
	}}, nil
}

// opened makes a started message of a candidate. One whose rows cannot be opened has no permit, and Broken says why.
func (r *Registry) opened(c *Candidate, w Window, purpose permit.Purpose) Start {
	s := Start{Candidate: c, ID: MessageID(w.Batch.Stream, c.Person), Link: r.s.Keys.Link(c.Ref)}
	sealed, address := c.key, c.address
	c.key, c.address = Sealed{}, nil
	key, err := r.s.Keys.person(c.Ref, sealed)
	var value []byte
	if err == nil {
		value, err = key.open("address "+w.Batch.Stream.Medium, address)
	}
	if err == nil && len(c.Stream.Content) > 0 {
		s.Text, err = key.open("text "+string(c.Stream.Kind), c.Stream.Content)
	}
	if err != nil {
		s.Broken = err
		return s
	}
	if c.Grant != nil {
		s.Leave = r.s.Keys.LeaveLink(c.Ref, c.Grant.ID)
	}
	s.Permit = permit.Mint(s.ID, w.Batch.Stream.Medium, string(value), purpose, w.Until)
	return s
}

// overridden is the event of a breaking message that came in quiet hours, as the person's own.
func (r *Registry) overridden(c *Candidate, w Window) (LedgerEvent, error) {
	key, err := r.s.Keys.person(c.Ref, c.key)
	if err != nil {
		return LedgerEvent{}, err
	}
	text, err := json.Marshal(change{Purpose: w.Batch.Stream.Purpose, Medium: w.Batch.Stream.Medium,
		Evidence: Evidence{At: w.Now, Method: ByTime, Actor: Clock, Where: MessageID(w.Batch.Stream, c.Person)}})
	return LedgerEvent{At: w.Now, Recorded: w.Now, Person: c.Person, Kind: EventOverride, Data: key.seal("event "+EventOverride, text)}, err
}

// ungranted says why there is no live grant. The words are the policy's.
func (c *Candidate) ungranted() string {
	switch {
	case c.Grant == nil:
		return "no_grant"
	case c.Grant.State == Withdrawn:
		return "withdrawn"
	case c.Grant.State == Pending:
		return "not_confirmed"
	case c.Grant.State == Expired:
		return "grant_expired"
	}
	return "earlier_grant"
}

// Answer queues the one answer to an inbound event: a fixed text. The person is whoever wrote; somebody unknown is nobody to
// write to until they act, so that a row is made for them that holds nothing but where to answer.
func (r *Registry) Answer(ctx context.Context, to sdk.Handle, content []byte, until time.Time) error {
	use, compare, err := r.normalize(to.Medium, to.Value)
	if err != nil {
		return err
	}
	now := r.now()
	hash := r.s.Keys.Hash(to.Medium, compare)
	err = r.s.Store.People(ctx, func(tx Tx) error {
		p, err := r.at(tx, to.Medium, hash)
		if errors.Is(err, ErrNotFound) {
			p, err = r.create(tx, to.Medium, use, hash, Habits{}, now)
		}
		if err != nil {
			return err
		}
		if err := tx.Queue(Fixed{Kind: string(StreamAnswer), Medium: to.Medium, Person: p.row.ID, Content: p.key.seal("text answer", content), At: now, Expires: until}); err != nil {
			return fmt.Errorf("an answer cannot be queued: %w", err)
		}
		return nil
	})
	if err == nil {
		r.s.Changed()
	}
	return err
}
