package intake

import (
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
)

// Rules are what the configuration says about one source.
type Rules struct {
	Name string
	// Poll is the least time between two fetches.
	Poll time.Duration
	// Baseline says how many of the newest items of the first fetch are used; BaselineAll overrides it.
	Baseline    int
	BaselineAll bool
	// MaxNew is how many new items an hour of fetching may bring before the others are held.
	MaxNew int
	// HoldFuture makes a publication date ahead an embargo.
	HoldFuture bool
	// Watch is how long an item's own address is checked after it left the source; 0 never.
	Watch time.Duration
	// StaleAfter raises an alert when nothing new came for so long; 0 never.
	StaleAfter time.Duration
	// Called says that the source is called and not fetched, and Recent how many new items its calls brought within the last
	// hour. Each call is an act of somebody, so that calledFactor times as many are believed.
	Called bool
	Recent int
	// Pushed says that a hub told what a source has that is fetched otherwise: what it does not name says nothing, and the plan
	// of fetches stays. Called holds too.
	Pushed bool
	// Slow is the least time between two fetches while a hub tells what is new; 0 when none does.
	Slow time.Duration
	// Checkable says that the source can check its items' addresses.
	Checkable bool
	// CameBack is when the store came from a backup, taken at BackupTaken: what is new at the first fetch since then may have
	// been posted, and is held. Zero when it did not, or the source did not exist then.
	CameBack, BackupTaken time.Time
}

// returns reports whether this is the first good fetch since the store came from a backup.
func (r Rules) returns(st State) bool { return !r.CameBack.IsZero() && st.OKAt.Before(r.CameBack) }

// State is what the store knows of a source. Times are UTC, zero when they never happened.
type State struct {
	Name    string
	Version int64 // changes with every commit about the source
	Cursor  sdk.Cursor
	// Primed says that the first fetch is done.
	Primed bool
	// Called says that it is called and not fetched.
	Called bool
	// Gone says that the source answered that it is gone for good; it is not fetched again.
	Gone bool
	// Holds says that items or withdrawals of the source wait for a person.
	Holds bool

	// NextAt is when it is fetched next; WaitUntil is the part of that which does not come from the configuration, so that
	// a shorter poll interval counts at once.
	NextAt    time.Time
	WaitUntil time.Time
	// Force asks that the next fetch be unconditional; a command sets it.
	Force     bool
	FetchedAt time.Time
	OKAt      time.Time
	NewAt     time.Time
	// BadSince is when the first fetch failed, or was asked to wait, since the last good one; zero when the last was good.
	BadSince time.Time
	Failures int
	Code     sdk.Code
	Error    string
	About    sdk.About
	Notices  []string
}

// ItemState is where an item stands. Append-only.
type ItemState string

// The states of items.
const (
	Live    ItemState = "live"
	Held    ItemState = "held"    // the flood brake holds it
	Removed ItemState = "removed" // withdrawn by the source, or found gone
	Blocked ItemState = "blocked" // retracted for good by an editor
)

// Known is an item as the store has it.
type Known struct {
	ID       int64
	Key      string
	Revision int
	State    ItemState
	// Baseline says that it was there at the first fetch and is not used.
	Baseline bool
	// Substance and Facts identify its content (see substance, facts).
	Substance, Facts string
	Link, TitleKey   string
	Group            string
	SeenAt           time.Time
	Published        time.Time
	// Listed says that the last whole document of the source held it; ListedAt is when it was last seen there, to the day.
	Listed   bool
	ListedAt time.Time
	// Updated is when its source last changed it, as the source says; known only where calls are decided on (FoundCalled).
	Updated time.Time
	// Due is when what it announces happens; zero when it announces nothing. It is known only of items that are listed and are
	// absent from a batch in which absences count.
	Due time.Time
	// Checking says that its address is going to be looked at.
	Checking bool
	// Alias is the key it came under this time, when that is not Key.
	Alias string
}

// Found is what the store knows about the keys, links and titles of a batch.
type Found struct {
	// ByKey holds the items of the batch's keys, by the key asked for (aliases resolved), and Listed all that the source
	// listed last.
	ByKey  map[string]Known
	Listed []Known
	// BlockedKeys and BlockedLinks may never come back.
	BlockedKeys, BlockedLinks map[string]bool
}

// Insert is a new item.
type Insert struct {
	Item             sdk.Item
	Substance, Facts string
	Link, TitleKey   string
	NotBefore        time.Time
	State            ItemState
	Baseline         bool
	SeenAt           time.Time
}

// Update changes a known item.
type Update struct {
	ID int64
	// Item is the new content; nil leaves it.
	Item             *sdk.Item
	Substance, Facts string
	Link, TitleKey   string
	NotBefore        time.Time
	// Revises says that this is a new revision and not only other tags, times or credits.
	Revises bool
	State   ItemState
	// Reason says why it is removed.
	Reason string
	// Alias is a further key of the item.
	Alias string
	// Listed and ListedAt say whether the source lists it; zero ListedAt leaves both.
	Listed   bool
	ListedAt time.Time
	// CheckAt is when its address is looked at; zero means never again. Only with SetCheck.
	SetCheck bool
	CheckAt  time.Time
	// GoneAt is when its address was first found gone; zero means that it was not. Only with SetCheck.
	GoneAt     time.Time
	GoneReason string
}

// Hold keeps new items, or withdrawals, for a person.
type Hold struct {
	Kind HoldKind
	// Note is the sentence that says why.
	Note string
	// Removals are the items whose withdrawal is held; for a hold of new items the inserts with state Held belong to it.
	Removals []int64
	Reason   string
}

// HoldKind says what is held. Append-only.
type HoldKind string

// The kinds of holds.
const (
	HoldFlood   HoldKind = "flood"
	HoldRekeyed HoldKind = "rekeyed"
	HoldRemoval HoldKind = "removal"
)

// Change is one transaction about one source.
type Change struct {
	State State // the new state; State.Version is the version it was decided on
	// Forced says that the fetch was one that a person forced. The wish for one that came meanwhile stays.
	Forced  bool
	Inserts []Insert
	Updates []Update
	Holds   []Hold
	Alerts  []alert.Alert
	Resolve []alert.Key
	// Mapped are the calls that it comes from, which are done with it.
	Mapped []int64
	// Forget are those of them that said something about single persons: it was given, and what is kept of it goes.
	Forget []int64
}
