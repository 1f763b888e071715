package outbox

import (
	"context"
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
)

// Errors of the store.
var (
	// ErrConflict says that the publication changed since it was read; the step is decided again.
	ErrConflict = errors.New("outbox: the publication changed meanwhile")
	// ErrFence says that the lease of the batch is over; its rows belong to whoever recovers them.
	ErrFence = errors.New("outbox: the lease is over")
	// ErrPaused says that the destination or channel was paused or stopped meanwhile.
	ErrPaused = errors.New("outbox: the destination is paused")
)

// State is where a delivery stands. Append-only.
type State string

// The states of deliveries: the first six wait, the others are ends.
const (
	Pending        State = "pending"
	Started        State = "started"
	Unknown        State = "unknown"
	Held           State = "held"
	AwaitingPerson State = "awaiting_person"

	Sent       State = "sent"
	Failed     State = "failed"
	Suppressed State = "suppressed"
	Expired    State = "expired"
	Dropped    State = "dropped"
)

// Op is what one call does. Append-only.
type Op string

// The operations.
const (
	OpPublish Op = "publish"
	OpEdit    Op = "edit"
	OpDelete  Op = "delete"
	OpReply   Op = "reply" // a correction or withdrawal notice that answers the post
)

// Series keeps the parts of the post apart from the replies that correct it.
type Series string

// The series.
const (
	SeriesPost  Series = "post"
	SeriesReply Series = "reply"
)

// Batch is a claimed run of deliveries to one channel on a destination.
type Batch struct {
	ID          int64
	Fence       string
	Destination string
	Chat        string
	LeaseUntil  time.Time
	// Deliveries in the order they are to leave.
	Deliveries []int64
}

// Part is an accepted part of a publication.
type Part struct {
	Series   Series
	Position int
	Ref      sdk.PartRef
	Digest   string
	Revision int
}

// Work is everything that deciding a step needs, read at once.
type Work struct {
	Delivery int64
	Attempt  int
	Created  time.Time
	// Retry is set when the delivery repeats a call whose outcome was unknown: the very same part and key.
	Retry *Call

	Publication int64
	// Version changes with every change of the publication.
	Version     int64
	Post        int64
	PublicID    string
	Channel     string
	Destination string
	Chat        string
	// Want is the revision that is to be there, Gone that nothing is to be there, Purge that this is due to
	// a legal retraction: of the post itself, or of an item that a digest lost.
	Want  int
	Gone  bool
	Purge bool
	// Have is the revision that is there in full; 0 when none is. HaveGone says that the withdrawal was carried out.
	Have     int
	HaveGone bool
	// Rung is the step of the ladder that is tried.
	Rung  int
	Parts []Part
	// Out is when the first part was accepted and EditedAt when the last edit was; zero when they were not.
	Out, EditedAt time.Time
	ExpiresAt     time.Time
	// Released says that a person released it from a hold.
	Released bool

	// Content is the stored content of revision Want, in compose's form.
	Content   []byte
	Published time.Time // of the post
	Due       time.Time // from when the lag of the post counts
	RevisedAt time.Time // of revision Want
	// Note says whether revision Want carries a correction note.
	Note bool
}

// Call is one platform call.
type Call struct {
	Op       Op
	Series   Series
	Position int
	Revision int
	Key      string
	Part     sdk.Part
	// Ref is the part that is edited or deleted.
	Ref sdk.PartRef
	// Final says that the publication is as it should be, at revision Wanted, once this call is accepted.
	Final  bool
	Wanted int
}

// Start asks to begin a call.
type Start struct {
	Batch    Batch
	Delivery int64
	Version  int64
	Call     Call
	// Repeat says that this very call was started before.
	Repeat bool
	Rates  []sdk.Rate
}

// Settlement is what became of a delivery. Exactly one of the fields from Call on says what.
type Settlement struct {
	Delivery    int64
	Publication int64
	Version     int64
	// Batch and Fence say by which lease the delivery is settled.
	Batch int64
	Fence string
	// Call was accepted, with Ref.
	Call *Call
	Ref  sdk.PartRef
	// Done says that the publication needs nothing: it is as it should be, or was never to leave.
	Done Outcome
	// Postpone keeps the delivery pending until then.
	Postpone time.Time
	// NextRung ends the delivery as not done and tries the next step of the ladder.
	NextRung bool
	// State of a delivery that failed, is unknown, held, expired or dropped.
	State State

	Code  sdk.Code
	Error string
	// CountAttempt says that the attempt counts; a pause or a stop is nobody's fault.
	CountAttempt bool
	// HalfDone is an edit that failed and changed something all the same, or may have; Ref then replaces the part's
	// reference, and what the part shows counts as not known.
	HalfDone *Call
	// KeepCall keeps the call as it is for the next attempt: an earlier attempt of it may have arrived.
	KeepCall bool
	// LaneUntil and DestinationUntil keep the channel on the platform, or the whole destination, waiting.
	LaneUntil, DestinationUntil time.Time
	// StopLane and StopDestination stop them until a person or a new configuration resumes them.
	StopLane, StopDestination bool
	// DestinationFailed counts a failure in a row; Succeeded clears the count.
	DestinationFailed, Succeeded bool
	// Down is raised when the destination has been failing for DownAfter.
	Down    *alert.Alert
	Alerts  []alert.Alert
	Resolve []alert.Key
}

// DownAfter is how long a destination fails before somebody is told: longer than a restart over there takes.
const DownAfter = 5 * time.Minute

// Outcome names an end at which nothing was sent.
type Outcome string

// The outcomes without a call.
const (
	OutcomeNone      Outcome = ""
	OutcomeUnchanged Outcome = "unchanged"            // the destination would show the same
	OutcomeWithdrawn Outcome = "withdrawn_before"     // withdrawn before it left
	OutcomeListed    Outcome = "needs_a_person"       // the ladder ended at list
	OutcomeLeft      Outcome = "ladder_ended"         // the ladder ended without list
	OutcomeReplaced  Outcome = "newer_revision_there" // nothing to do any more
)

// Lane is what is known of one channel on a destination.
type Lane struct {
	Destination, Chat string
	Ref               sdk.ChannelRef
	Limits            sdk.Limits
	ResolvedAt        time.Time
}

// UnknownCall is a delivery whose call may have arrived.
type UnknownCall struct {
	Delivery, Publication int64
	Version               int64
	Post                  string
	Channel, Chat         string
	Call                  Call
	// FirstAt is when this very call was first started.
	FirstAt, Created time.Time
	Attempt          int
	// Crashes counts how often the daemon ended while it was under way.
	Crashes int
	// Error is the sentence about the attempt whose outcome is not known; empty when there is none.
	Error string
	// Alerted says that a person was asked.
	Alerted bool
	// Gone says that the post was taken back since.
	Gone bool
}

// Store is what the outbox needs of the store.
type Store interface {
	// Claim leases due deliveries of a destination: one batch for each of its channels that has no batch yet, at most
	// lanes batches with at most size rows each. Nothing is claimed while the destination is paused or stopped.
	Claim(ctx context.Context, destination string, now time.Time, lease time.Duration, lanes, size int) ([]Batch, error)
	// Next is when the destination can next have something due; zero when only new rows can change that.
	Next(ctx context.Context, destination string, now time.Time) (time.Time, error)
	// Release gives the rows of a batch that were not started back.
	Release(ctx context.Context, b Batch) error
	Renew(ctx context.Context, b Batch, until time.Time) error
	Work(ctx context.Context, delivery int64) (Work, error)
	// Works reads several at once, in any order, and leaves out what does not exist.
	Works(ctx context.Context, deliveries []int64) ([]Work, error)
	// Start begins a call, or says until when the rates ask to wait, or gives ErrConflict, ErrFence or ErrPaused.
	Start(ctx context.Context, s Start, now time.Time) (wait time.Time, err error)
	// Settle records an outcome. It gives the next delivery of the same publication when one is due at once. An accepted
	// call is recorded whoever holds the lease by now; any other outcome gives ErrFence once the lease was lost, and one
	// that was decided on an older version of the publication gives ErrConflict, unless its call was made: then the
	// delivery ends, and the publication goes on as it is wanted now.
	Settle(ctx context.Context, s Settlement, now time.Time) (next int64, err error)
	// SettleAndStart records an accepted call and starts the next one of its batch in one transaction. err says that neither
	// happened. Otherwise the call is recorded, and wait and startErr are what Start gives; startErr is ErrConflict too when
	// the publication of the accepted call goes on with the delivery next, which then comes first.
	SettleAndStart(ctx context.Context, s Settlement, following Start, now time.Time) (next int64, wait time.Time, startErr, err error)
	// Recover ends the batches whose lease is over, or all of them, and says how many calls became unknown.
	Recover(ctx context.Context, all bool, now time.Time) (unknown int, err error)
	Lane(ctx context.Context, destination, chat string) (Lane, bool, error)
	SaveLane(ctx context.Context, l Lane) error
	// LaneTrouble pauses or stops a channel on a platform, or its destination, outside of a delivery.
	LaneTrouble(ctx context.Context, destination, chat string, s Settlement, now time.Time) error
	UnknownCalls(ctx context.Context, destination string) ([]UnknownCall, error)
	// Resolve settles an unknown call: as accepted with ref, or to be repeated or decided anew, or as waiting for a person.
	Resolve(ctx context.Context, u UnknownCall, r Resolution, now time.Time) error
}

// Resolution of an unknown call.
type Resolution struct {
	// Accepted with Ref; or Repeat the very same call; or decide Anew what to do, because the call is certainly missing or
	// does no harm twice. None of them leaves it waiting for a person and raises the alert.
	Accepted     bool
	Ref          sdk.PartRef
	Repeat, Anew bool
	// Until is when it is repeated or decided anew.
	Until   time.Time
	Alert   *alert.Alert
	Resolve []alert.Key
}
