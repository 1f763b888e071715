package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Sink is a second place for signed checkpoints. Keep must bear one that it has already.
type Sink interface {
	Keep(ctx context.Context, c Stored) error
}

// Settings of a Sealer.
type Settings struct {
	Store  Store
	Node   string
	Signer note.Signer // its name is the origin of the log
	Sinks  []Sink
	// A checkpoint is signed when Every events are new, or when anything is and the last one is older than Within.
	// 1000 and an hour by default.
	Every  int64
	Within time.Duration
	// Pause between two looks for events, half a second by default; Lease of the one sealer, ten seconds by default.
	Pause, Lease time.Duration
	Logger       *slog.Logger
	// Trouble is told after each pass what went wrong, and nil when nothing did; it may be nil. ErrForked means that
	// somebody has to look.
	Trouble func(error)
}

// Sealer seals events as they come, and signs checkpoints. One of all nodes has the lease and works.
type Sealer struct {
	Settings
	wake   chan struct{}
	mu     sync.Mutex
	cancel context.CancelFunc
	done   chan struct{}
	kept   []int64 // the size of the last checkpoint that each sink has
}

// batch is how many events one transaction seals.
const batch = 500

// NewSealer makes a sealer that is not started.
func NewSealer(s Settings) *Sealer {
	set := func(d *time.Duration, def time.Duration) {
		if *d <= 0 {
			*d = def
		}
	}
	set(&s.Within, time.Hour)
	set(&s.Pause, 500*time.Millisecond)
	set(&s.Lease, 10*time.Second)
	if s.Every <= 0 {
		s.Every = 1000
	}
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	return &Sealer{Settings: s, wake: make(chan struct{}, 1), kept: make([]int64, len(s.Sinks))}
}

// Start begins to seal. It may be called once; ctx covers the start alone.
func (s *Sealer) Start(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done != nil {
		return errors.New("the sealer was started before")
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.done = cancel, make(chan struct{})
	go s.run(ctx, s.done)
	return nil
}

// Stop ends the pass that is under way and waits for it, until ctx is over. It may be called before Start and twice.
func (s *Sealer) Stop(ctx context.Context) error {
	s.mu.Lock()
	done, cancel := s.done, s.cancel
	s.mu.Unlock()
	if done == nil {
		return nil
	}
	cancel()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("the ledger's sealer does not stop: %w", context.Cause(ctx))
	}
}

// Wake hints that there are events. It may be lost.
func (s *Sealer) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Sealer) run(ctx context.Context, done chan<- struct{}) {
	defer close(done)
	tick := time.NewTicker(s.Pause)
	defer tick.Stop()
	for ctx.Err() == nil {
		err := s.Pass(ctx)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			s.Logger.Error("the ledger could not be sealed", slog.Any("error", err))
		}
		if s.Trouble != nil {
			s.Trouble(err)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		case <-s.wake:
		}
	}
}

// Pass seals what there is, signs a checkpoint when one is due, and hands the newest to the sinks. Start calls it again
// and again; a program that runs no daemon may call it itself.
func (s *Sealer) Pass(ctx context.Context) error {
	mine, err := s.Store.Lease(ctx, s.Node, time.Now().Add(s.Lease))
	if err != nil || !mine {
		return err
	}
	size, err := s.seal(ctx)
	if errors.Is(err, ErrMoved) {
		return nil // another node had the lease for a moment, and what it sealed is sealed
	}
	if err != nil {
		return err
	}
	last, found, err := s.Store.Last(ctx)
	if err != nil {
		return err
	}
	if size > last.Size && (!found || size-last.Size >= s.Every || time.Since(last.At) >= s.Within) {
		if last, err = s.sign(ctx, size, last, found); err != nil {
			return err
		}
		found = true
	}
	if !found {
		return nil
	}
	return s.hand(ctx, last)
}

// reader reads the store's hashes.
func (s *Sealer) reader(ctx context.Context) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		if len(indexes) == 0 {
			return nil, nil
		}
		return s.Store.ReadHashes(ctx, indexes)
	})
}

// seal puts all that is committed into the tree, and gives its size.
func (s *Sealer) seal(ctx context.Context) (int64, error) {
	size, err := s.Store.Size(ctx)
	if err != nil {
		return 0, err
	}
	var t *tree
	for ctx.Err() == nil {
		events, err := s.Store.Unsealed(ctx, batch)
		if err != nil || len(events) == 0 {
			return size, err
		}
		if t == nil {
			if t, err = grown(size, s.reader(ctx)); err != nil {
				return 0, err
			}
		}
		next := Seal{From: size}
		for _, e := range events {
			next.Events = append(next.Events, e.ID)
			next.Hashes = append(next.Hashes, t.add(e.Digest())...)
		}
		if err := s.Store.Seal(ctx, next); err != nil {
			return 0, err
		}
		size = t.size
	}
	return 0, context.Cause(ctx)
}

// sign makes a checkpoint of the tree, after proving that it extends the last one.
func (s *Sealer) sign(ctx context.Context, size int64, last Stored, found bool) (Stored, error) {
	r := s.reader(ctx)
	root, err := tlog.TreeHash(size, r)
	if err != nil {
		return Stored{}, err
	}
	if found && last.Size > 0 {
		signed, _, _ := strings.Cut(string(last.Text), "\n\n") // a key of before may have signed it
		before, err := parse(signed+"\n", s.Signer.Name())
		if err != nil {
			return Stored{}, fmt.Errorf("the checkpoint of size %d cannot be read: %w", last.Size, err)
		}
		proof, err := tlog.ProveTree(size, before.Size, r)
		if err != nil {
			return Stored{}, err
		}
		if err := tlog.CheckTree(proof, size, root, before.Size, before.Root); err != nil {
			return Stored{}, fmt.Errorf("%w (size %d, then %d): run belfry consent verify", ErrForked, before.Size, size)
		}
	}
	text, err := Checkpoint{Origin: s.Signer.Name(), Size: size, Root: root}.Sign(s.Signer)
	if err != nil {
		return Stored{}, err
	}
	c := Stored{Size: size, At: time.Now().UTC(), Text: text}
	return c, s.Store.Keep(ctx, c)
}

// hand gives the newest checkpoint to the sinks that have not got it.
func (s *Sealer) hand(ctx context.Context, c Stored) error {
	var errs []error
	for i, sink := range s.Sinks {
		if s.kept[i] >= c.Size {
			continue
		}
		if err := sink.Keep(ctx, c); err != nil {
			errs = append(errs, fmt.Errorf("the checkpoint of size %d cannot be kept elsewhere: %w", c.Size, err))
			continue
		}
		s.kept[i] = c.Size
	}
	return errors.Join(errs...)
}
