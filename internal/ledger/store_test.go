package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// memory is a Store that keeps what a database would, and refuses what one would.
type memory struct {
	mu          sync.Mutex
	events      []Event // Sequence -1 is not sealed
	hashes      []tlog.Hash
	checkpoints []Stored
	holder      string
	until       time.Time
	beforeSeal  func() // outside of the transaction
	fail        error
}

func (m *memory) append(e Event) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e.ID, e.Sequence = int64(len(m.events))+1, -1
	m.events = append(m.events, e)
}

func (m *memory) Unsealed(_ context.Context, most int) (out []Event, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if e.Sequence < 0 && len(out) < most {
			out = append(out, e)
		}
	}
	return out, m.fail
}

func (m *memory) Sealed(_ context.Context, from int64, most int) (out []Event, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if e.Sequence >= from {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b Event) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return out[:min(most, len(out))], m.fail
}

func (m *memory) Tail(context.Context) (n int64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.events {
		if e.Sequence < 0 {
			n++
		}
	}
	return n, m.fail
}

func (m *memory) Size(context.Context) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return TreeSize(int64(len(m.hashes)) - 1), m.fail
}

func (m *memory) ReadHashes(_ context.Context, indexes []int64) ([]tlog.Hash, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []tlog.Hash
	for _, i := range indexes {
		if i >= int64(len(m.hashes)) || m.hashes[i] == (tlog.Hash{}) { // zero stands for a row that is gone
			return nil, fmt.Errorf("hash %d: %w", i, ErrNoHash)
		}
		out = append(out, m.hashes[i])
	}
	return out, m.fail
}

func (m *memory) Seal(_ context.Context, s Seal) error {
	if m.beforeSeal != nil {
		m.beforeSeal()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if TreeSize(int64(len(m.hashes))-1) != s.From {
		return ErrMoved
	}
	for _, id := range s.Events {
		if m.events[id-1].Sequence >= 0 {
			return ErrMoved
		}
	}
	for i, id := range s.Events {
		m.events[id-1].Sequence = s.From + int64(i)
	}
	m.hashes = append(m.hashes, s.Hashes...)
	return m.fail
}

func (m *memory) Lease(_ context.Context, node string, until time.Time) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holder != node && time.Now().Before(m.until) {
		return false, nil
	}
	m.holder, m.until = node, until
	return true, m.fail
}

func (m *memory) Last(context.Context) (Stored, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.checkpoints) == 0 {
		return Stored{}, false, m.fail
	}
	return m.checkpoints[len(m.checkpoints)-1], true, m.fail
}

func (m *memory) Checkpoints(context.Context) ([]Stored, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.checkpoints), m.fail
}

func (m *memory) Keep(_ context.Context, c Stored) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.checkpoints = append(m.checkpoints, c)
	return m.fail
}

// copy gives a store with the same rows, to be tampered with.
func (m *memory) copy() *memory {
	out := &memory{events: slices.Clone(m.events), hashes: slices.Clone(m.hashes), checkpoints: slices.Clone(m.checkpoints)}
	for i := range out.events {
		out.events[i].Data = slices.Clone(out.events[i].Data)
	}
	return out
}

const origin = "news.example/belfry/ledger"

var dawn = time.Date(2026, 11, 20, 5, 58, 0, 123456789, time.UTC)

// key makes a key of the log, the same for the same seed.
func key(t testing.TB, seed byte) (note.Signer, note.Verifiers) {
	t.Helper()
	private, public, err := note.GenerateKey(strings.NewReader(strings.Repeat(string(rune(seed)), 64)), origin)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(public)
	if err != nil {
		t.Fatal(err)
	}
	return signer, note.VerifierList(verifier)
}

// kept is a Sink that remembers.
type kept struct {
	mu   sync.Mutex
	all  []Stored
	fail error
}

func (k *kept) Keep(_ context.Context, c Stored) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fail != nil {
		return k.fail
	}
	k.all = append(k.all, c)
	return nil
}

func (k *kept) count() int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.all)
}

// filled is a log of so many events, with a checkpoint of each of the sizes, and a tail.
func filled(t testing.TB, signer note.Signer, n, tail int, sizes ...int) *memory {
	t.Helper()
	m := &memory{}
	s := NewSealer(Settings{Store: m, Node: "a", Signer: signer, Every: 1, Within: time.Hour})
	for i := range n {
		m.append(Event{At: dawn.Add(time.Duration(i) * time.Second), Recorded: dawn.Add(time.Duration(i) * time.Minute), Person: int64(i % 3),
			Kind: "grant.confirmed", Data: []byte(fmt.Sprintf("{%d}", i))})
		if _, err := s.seal(t.Context()); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(sizes, i+1) {
			if err := s.Pass(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range tail {
		m.append(Event{At: dawn, Recorded: dawn, Kind: "grant.withdrawn"})
	}
	if len(m.checkpoints) != len(sizes) {
		t.Fatalf("%d checkpoints, want %d", len(m.checkpoints), len(sizes))
	}
	return m
}
