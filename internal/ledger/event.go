package ledger

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Event is one thing that happened.
type Event struct {
	// ID is the row's. IDs rise in the order in which events were committed.
	ID int64
	// Sequence is its place in the log, from 0. It means something for sealed events only.
	Sequence int64
	// At is when it happened, Recorded when it was written, both by our clock, UTC. A clock may go back; sequences do not.
	At, Recorded time.Time
	// Person is whom it is about; 0 is nobody.
	Person int64
	// Kind says what happened, such as "grant.confirmed".
	Kind string
	// Data is the rest: ciphertext under the person's key, or canonical bytes that say nothing of a person. It is stored
	// as it is given.
	Data []byte
}

// tag begins the bytes of every event, so that they are never those of something else.
const tag = "belfry/ledger/event/1\n"

// Bytes gives the canonical bytes of the event; the sequence is not in them, since the place in the tree says it.
func (e Event) Bytes() []byte {
	number := binary.BigEndian.AppendUint64
	b := make([]byte, 0, len(tag)+8*8+len(e.Kind)+len(e.Data))
	b = append(b, tag...)
	b = number(b, uint64(e.ID))
	for _, t := range []time.Time{e.At, e.Recorded} {
		b = number(b, uint64(t.Unix()))
		b = number(b, uint64(t.Nanosecond()))
	}
	b = number(b, uint64(e.Person))
	b = append(number(b, uint64(len(e.Kind))), e.Kind...)
	return append(number(b, uint64(len(e.Data))), e.Data...)
}

// Digest gives the hash of the event's leaf (RFC 6962, section 2.1).
func (e Event) Digest() tlog.Hash { return tlog.RecordHash(e.Bytes()) }

// Log is what Verify reads.
type Log interface {
	// Sealed gives up to most sealed events from a sequence on, by their sequence. A gap is given as it is.
	Sealed(ctx context.Context, from int64, most int) ([]Event, error)
	// Tail counts the events that are not sealed.
	Tail(ctx context.Context) (int64, error)
	// Size gives how many leaves the tree has, by its stored hashes and not by the events: TreeSize of their highest index.
	Size(ctx context.Context) (int64, error)
	// ReadHashes gives the stored hashes with these indexes, in their order; one that is missing is ErrNoHash.
	ReadHashes(ctx context.Context, indexes []int64) ([]tlog.Hash, error)
	// Checkpoints gives all signed checkpoints, the smallest first.
	Checkpoints(ctx context.Context) ([]Stored, error)
}

// Store is what a Sealer needs.
type Store interface {
	Log
	// Unsealed gives up to most events that are not sealed, by their ID. It must not give an event while one with a
	// smaller ID can still be committed.
	Unsealed(ctx context.Context, most int) ([]Event, error)
	// Lease takes or renews the sealers' one lease for a node; false while another node has it.
	Lease(ctx context.Context, node string, until time.Time) (bool, error)
	// Seal does all of a Seal in one transaction, or nothing. ErrMoved says that the tree has not the size From any more,
	// or that one of the events is sealed already.
	Seal(ctx context.Context, s Seal) error
	// Last gives the largest checkpoint; false when there is none.
	Last(ctx context.Context) (Stored, bool, error)
	// Keep stores a checkpoint. One of its size that is there already stays.
	Keep(ctx context.Context, c Stored) error
}

// Seal gives events their sequences, From and on, and adds hashes to the tree: they begin at tlog.StoredHashCount(From).
type Seal struct {
	From   int64
	Events []int64 // their IDs
	Hashes []tlog.Hash
}

// Stored is a signed checkpoint with when it was made. The time is for people: what is signed is Text.
type Stored struct {
	Size int64
	At   time.Time
	Text []byte
}

var (
	// ErrMoved says that somebody else sealed meanwhile.
	ErrMoved = errors.New("the ledger was sealed by another node meanwhile")
	// ErrNoHash says that a hash of the tree is not stored.
	ErrNoHash = errors.New("a hash of the ledger's tree is missing")
	// ErrForked says that the tree does not extend the one that was signed last. Nothing is signed then: see Verify.
	ErrForked = errors.New("the ledger's tree does not extend the one of its last checkpoint")
)
