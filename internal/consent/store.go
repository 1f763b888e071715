package consent

import (
	"context"
	"errors"
	"time"
)

// ErrNotFound is what a Tx answers when there is no such row.
var ErrNotFound = errors.New("nobody and nothing of that name")

// Store keeps people. Everything a People function does happens in one transaction, or not at all.
type Store interface {
	KeyStore
	People(ctx context.Context, do func(Tx) error) error
	// Under reports whether a started message to the person has no recorded outcome yet.
	Under(ctx context.Context, p PersonID) (bool, error)
	// KeptCalls gives webhooks that were not mapped, with ids after one, in the order of their ids. DropKept takes those of them out
	// that are not mapped yet, and CutKept gives one of those another body; both say how many.
	KeptCalls(ctx context.Context, after int64, most int) ([]KeptCall, error)
	DropKept(ctx context.Context, ids []int64, now time.Time) (int, error)
	CutKept(ctx context.Context, id int64, body []byte) (int, error)
}

// Subscriber is a person's row.
type Subscriber struct {
	ID  PersonID
	Ref string
	// External is the keyed hash of the reference by which notices name the person.
	External string
	Habits   Habits
	// Created, Signal (when they last showed that they are there), Asked (whether they still read) and Erased. UTC.
	Created, Signal, Asked, Erased time.Time
	Import                         int64
}

// Address is where a person is reached, sealed.
type Address struct {
	Person            PersonID
	Medium, Hash      string
	Sealed            []byte
	Verified, Created time.Time
}

// Scope of a suppression.
type Scope string

// The scopes. ScopeNever also stops the mail that would ask for a confirmation.
const (
	ScopePurpose Scope = "purpose"
	ScopeAll     Scope = "all"
	ScopeNever   Scope = "never"
)

// Suppression forbids to write to an address, whatever grants there are. It survives the erasure of the person.
type Suppression struct {
	Medium, Hash string
	Scope        Scope
	// Purpose counts with ScopePurpose.
	Purpose string
	// Reason is one of the Suppressed constants.
	Reason string
	At     time.Time
}

// The reasons of suppressions.
const (
	SuppressedNever     = "never_again"
	SuppressedBounce    = "hard_bounce"
	SuppressedComplaint = "complaint"
	SuppressedBlocked   = "blocked"
	SuppressedErased    = "erased"
	SuppressedOperator  = "operator"
	SuppressedStopped   = "stopped"
)

// Token is a confirmation that was asked for.
type Token struct {
	Hash            string
	Person          PersonID
	Medium, Address string // the address as its hash
	// Wish is sealed under the person's key.
	Wish             []byte
	Created, Expires time.Time
	Used             time.Time
	Outcome          string
}

// Wish is what somebody asks for.
type Wish struct {
	Purposes    []Purpose   `json:"purposes"`
	Preferences Preferences `json:"preferences"`
	Habits      Habits      `json:"habits"`
	Evidence    Evidence    `json:"evidence"`
	// External is the keyed hash of the reference by which notices are to name the person.
	External string `json:"external,omitempty"`
	// Change is the reference of who is to be reached there from now on, in place of where they are reached.
	Change string `json:"change,omitempty"`
}

// SealedSignup is a wish that nobody has looked at yet.
type SealedSignup struct {
	ID           int64
	Medium, Hash string
	// Address and Wish are sealed by the desk's key.
	Address, Wish []byte
	At            time.Time
}

// LedgerEvent is one entry of the ledger as it is stored.
type LedgerEvent struct {
	ID           int64
	At, Recorded time.Time
	Person       PersonID
	Kind         string
	Data         []byte
}

// Fixed is one of the two texts that are written without a grant, to one person. Content is sealed.
type Fixed struct {
	Kind    string // confirm or answer
	Medium  string
	Person  PersonID
	Content []byte
	At      time.Time
	Expires time.Time
}

// Tx are the rows of people inside a transaction. What is not there is ErrNotFound.
type Tx interface {
	PersonTx
	GrantTx
	SignupTx
	RecordTx
}

// PersonTx are people with their keys and addresses.
type PersonTx interface {
	Subscriber(id PersonID) (Subscriber, error)
	SubscriberByRef(ref string) (Subscriber, error)
	SubscriberByExternal(hash string) (Subscriber, error)
	SubscriberByAddress(medium, hash string) (Subscriber, error)
	AddSubscriber(s Subscriber) (PersonID, error)
	SetSubscriber(s Subscriber) error

	Key(p PersonID) (Sealed, error)
	SetKey(p PersonID, s Sealed) error
	DropKey(p PersonID) error
	// KeysNotBy gives people's keys that another master key than this one sealed.
	KeysNotBy(master string, most int) ([]PersonKey, error)
	// Unconfirmed looks at so many people after one, and gives those who never agreed to anything: who only wrote before one time,
	// asked for something before another, or were imported before a third. last is the last one that was looked at, 0 for nobody.
	Unconfirmed(after PersonID, look int, wrote, asked, imported time.Time) (found []PersonID, last PersonID, err error)

	Addresses(p PersonID) ([]Address, error)
	// PutAddress gives a person their one address of a medium.
	PutAddress(a Address) error
	DropAddress(p PersonID, medium string) error
	// Forget takes everything personal out of a person's rows, apart from addresses, keys and grants.
	Forget(p PersonID) error
}

// GrantTx are consents, and what forbids to write whatever they say.
type GrantTx interface {
	Grants(p PersonID) ([]Grant, error)
	Grant(id int64) (Grant, error)
	// PutGrant adds a grant, or replaces the one of the same person, purpose and medium; it gives the id.
	PutGrant(g Grant) (int64, error)
	// MoveGrant gives a grant to another person, who has none of its purpose and medium. Its number stays.
	MoveGrant(id int64, to PersonID) error

	Suppressions(medium, hash string) ([]Suppression, error)
	Suppress(s Suppression) error
	Lift(s Suppression) error
}

// SignupTx are wishes, and the confirmations that were asked for.
type SignupTx interface {
	Signups(most int) ([]SealedSignup, error)
	AddSignup(s SealedSignup) error
	DropSignup(id int64) error
	Token(hash string) (Token, error)
	PutToken(t Token) error
	// Asked is how often an address was asked since its last click, and when it was last.
	Asked(medium, hash string) (int, time.Time, error)
	SetAsked(medium, hash string, times int, last time.Time) error
	// Queue makes the message of a fixed text. Those for a medium without a destination fail with ErrNotFound.
	Queue(f Fixed) error
}

// RecordTx is what was done, and how far.
type RecordTx interface {
	AddEvent(e LedgerEvent) error
	// EventsOf are the newest events about a person.
	EventsOf(p PersonID, most int) ([]LedgerEvent, error)
	// MessagesOf are the newest messages to a person that have an outcome.
	MessagesOf(p PersonID, most int) ([]Sent, error)
	// Mark and SetMark keep how far something was done.
	Mark(name string) (string, error)
	SetMark(name, value string) error
}
