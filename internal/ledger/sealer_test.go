package ledger

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

func count(t *testing.T, m *memory) (sealed, tail int64) {
	t.Helper()
	sealed, err := m.Size(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if tail, err = m.Tail(t.Context()); err != nil {
		t.Fatal(err)
	}
	return sealed, tail
}

func TestTheSealerSealsWithinASecond(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		signer, keys := key(t, 'a')
		m, sink := &memory{}, &kept{}
		s := NewSealer(Settings{Store: m, Node: "a", Signer: signer, Sinks: []Sink{sink}, Every: 10})
		if err := s.Stop(t.Context()); err != nil {
			t.Fatalf("before the start: %v", err)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := s.Start(t.Context()); err == nil {
			t.Error("it starts twice")
		}
		add := func(n int) {
			for range n {
				m.append(Event{At: time.Now(), Recorded: time.Now(), Kind: "grant.confirmed"})
			}
		}
		at := func(name string, events, checkpoints int) {
			t.Helper()
			synctest.Wait()
			sealed, tail := count(t, m)
			stored, err := m.Checkpoints(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if sealed != int64(events) || tail != 0 || len(stored) != checkpoints || sink.count() != checkpoints {
				t.Errorf("%s: %d sealed, %d not, %d checkpoints, %d of them kept; want %d events, %d checkpoints", name, sealed, tail,
					len(stored), sink.count(), events, checkpoints)
			}
		}
		time.Sleep(time.Minute)
		at("nothing happened", 0, 0)
		add(1)
		time.Sleep(time.Second)
		at("the first event is signed at once", 1, 1)
		add(9)
		time.Sleep(time.Second)
		at("nine more", 10, 1)
		add(1)
		s.Wake()
		at("ten more, with a hint", 11, 2)
		add(3)
		time.Sleep(59 * time.Minute)
		at("three more, not yet an hour", 14, 2)
		time.Sleep(time.Minute)
		at("an hour", 14, 3)
		time.Sleep(5 * time.Hour)
		at("nothing new is signed", 14, 3)
		add(1203)
		time.Sleep(time.Second)
		at("many at once", 1217, 4)
		for range 2 {
			if err := s.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		var outside [][]byte
		for _, c := range sink.all {
			outside = append(outside, c.Text)
		}
		r, err := Verify(t.Context(), m, origin, keys, outside...)
		if err != nil || r.First != nil || r.Sealed != 1217 || r.Agreeing != 8 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func TestTwoSealers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		signer, keys := key(t, 'a')
		m := &memory{}
		a := NewSealer(Settings{Store: m, Node: "a", Signer: signer})
		b := NewSealer(Settings{Store: m, Node: "b", Signer: signer})
		for _, s := range []*Sealer{a, b} {
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		for range 20 {
			m.append(Event{At: time.Now(), Recorded: time.Now()})
			time.Sleep(300 * time.Millisecond)
		}
		if err := a.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.append(Event{At: time.Now(), Recorded: time.Now()})
		time.Sleep(11 * time.Second) // the lease of the first ends
		if sealed, tail := count(t, m); sealed != 21 || tail != 0 {
			t.Errorf("%d sealed, %d not", sealed, tail)
		}
		if err := b.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if m.holder != "b" {
			t.Errorf("%s has the lease", m.holder)
		}
		if r, err := Verify(t.Context(), m, origin, keys); err != nil || r.First != nil {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// A node whose lease ran out between its reading and its writing makes no second log.
func TestASealThatComesTooLate(t *testing.T) {
	t.Parallel()
	signer, keys := key(t, 'a')
	m := filled(t, signer, 2, 3)
	late := NewSealer(Settings{Store: m, Node: "late", Signer: signer})
	m.holder = ""
	m.beforeSeal = func() {
		m.beforeSeal, m.until = nil, time.Time{}
		if err := NewSealer(Settings{Store: m, Node: "other", Signer: signer}).Pass(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := late.Pass(t.Context()); err != nil {
		t.Errorf("being late is no trouble: %v", err)
	}
	if r, err := Verify(t.Context(), m, origin, keys); err != nil || r.First != nil || r.Sealed != 5 || r.Tail != 0 {
		t.Errorf("%+v, %v", r, err)
	}
}

// What does not extend the last checkpoint is not signed.
func TestAForkIsNotSigned(t *testing.T) {
	t.Parallel()
	signer, _ := key(t, 'a')
	m := filled(t, signer, 5, 0, 5)
	m.events[2].Data[0] ^= 1
	retree(m)
	m.append(Event{At: dawn, Recorded: dawn})
	sink := &kept{}
	s := NewSealer(Settings{Store: m, Node: "a", Signer: signer, Every: 1, Sinks: []Sink{sink}})
	if err := s.Pass(t.Context()); !errors.Is(err, ErrForked) {
		t.Errorf("%v, want %v", err, ErrForked)
	}
	if len(m.checkpoints) != 1 || len(sink.all) != 0 {
		t.Errorf("%d checkpoints, %d kept", len(m.checkpoints), len(sink.all))
	}
}

func TestTroubleIsToldAndOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		signer, _ := key(t, 'a')
		m, sink := &memory{}, &kept{fail: errors.New("the other machine is away")}
		var mu sync.Mutex
		var told error
		last := func() error {
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			return told
		}
		s := NewSealer(Settings{Store: m, Node: "a", Signer: signer, Sinks: []Sink{sink}, Trouble: func(err error) {
			mu.Lock()
			defer mu.Unlock()
			told = err
		}})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		m.append(Event{At: time.Now(), Recorded: time.Now()})
		time.Sleep(time.Second)
		if err := last(); !errors.Is(err, sink.fail) {
			t.Errorf("told: %v", err)
		}
		sink.mu.Lock()
		sink.fail = nil
		sink.mu.Unlock()
		time.Sleep(time.Second)
		if err := last(); err != nil || sink.count() != 1 {
			t.Errorf("told: %v, and %d are kept", err, sink.count())
		}
		m.mu.Lock()
		m.fail = errors.New("the disk is full")
		m.mu.Unlock()
		time.Sleep(time.Second)
		if err := last(); !errors.Is(err, m.fail) {
			t.Errorf("told: %v", err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestStopIsBounded(t *testing.T) {
	t.Parallel()
	signer, _ := key(t, 'a')
	m, reached, release := filled(t, signer, 0, 1), make(chan struct{}), make(chan struct{})
	m.beforeSeal = func() { close(reached); <-release }
	s := NewSealer(Settings{Store: m, Node: "a", Signer: signer})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-reached
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Stop(over); !errors.Is(err, context.Canceled) {
		t.Errorf("a store that hangs: %v", err)
	}
	close(release)
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "kept", "elsewhere")
	f := Folder(dir)
	signer, _ := key(t, 'a')
	text, err := Checkpoint{Origin: origin, Size: 12, Root: tlog.Hash{1}}.Sign(signer)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := f.Keep(t.Context(), Stored{Size: 12, Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Keep(t.Context(), Stored{Size: 12, Text: []byte("another")}); err == nil {
		t.Error("a checkpoint is replaced")
	}
	names, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(names) != 1 || filepath.Base(names[0]) != "000000000012.checkpoint" {
		t.Fatalf("%v, %v", names, err)
	}
	got, err := os.ReadFile(names[0])
	if err != nil || !bytes.Equal(got, text) {
		t.Errorf("%q, %v", got, err)
	}
	hidden, err := filepath.Glob(filepath.Join(dir, ".*"))
	if err != nil || len(hidden) != 0 {
		t.Errorf("left behind: %v, %v", hidden, err)
	}
	file := filepath.Join(t.TempDir(), "a file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Folder(file).Keep(t.Context(), Stored{Size: 1}); err == nil {
		t.Error("a file is taken for a folder")
	}
}
