package intake

import (
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Call is a genuine webhook as it is kept until it is mapped.
type Call struct {
	ID     int64
	Source string
	// Delivery names it, the same for the sender's retries; empty when nothing does.
	Delivery string
	Request  sdk.WebhookRequest
	// Topic is the address of the feed whose content a hub told; empty for a call of a source that is called.
	Topic string
	// Attempts is how often mapping it ended for a passing reason.
	Attempts int
	// Told says that its notices were given when it was mapped before.
	Told bool
}

// Kept says what became of a call that was to be kept.
type Kept string

// What becomes of a call.
const (
	KeptNew Kept = "accepted"
	// KeptDuplicate is a delivery that came before.
	KeptDuplicate Kept = "duplicate"
	// KeptConflict is another body under the name of a delivery that came before.
	KeptConflict Kept = "conflict"
)

// MaxWaitingCalls is how many calls of a source may wait to be mapped; more are not taken.
const MaxWaitingCalls = 100_000

// RememberCalls is how long the names of deliveries are remembered, which is longer than any known sender repeats one.
const RememberCalls = 14 * 24 * time.Hour
