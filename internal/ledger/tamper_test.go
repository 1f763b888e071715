package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// renumber gives the sealed events new sequences, in the order of their slice.
func renumber(m *memory) {
	n := int64(0)
	for i := range m.events {
		if m.events[i].Sequence >= 0 {
			m.events[i].Sequence = n
			n++
		}
	}
}

// retree makes the tree that belongs to the events, as somebody would who knows how it is made.
func retree(m *memory) {
	var tr tree
	m.hashes = nil
	events := slices.Clone(m.events)
	slices.SortFunc(events, func(a, b Event) int { return cmp.Compare(a.Sequence, b.Sequence) })
	for _, e := range events {
		if e.Sequence >= 0 {
			m.hashes = append(m.hashes, tr.add(e.Digest())...)
		}
	}
}

func TestEveryChangeIsNamed(t *testing.T) {
	t.Parallel()
	signer, keys := key(t, 'a')
	const n = 11
	for _, signed := range [][]int{nil, {n}, {4, 9}} {
		sound := filled(t, signer, n, 2, signed...)
		check := func(name string, what What, from, through int64, tamper func(m *memory)) {
			t.Helper()
			m := sound.copy()
			tamper(m)
			r, err := Verify(t.Context(), m, origin, keys)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				return
			}
			if r.First == nil || r.First.What != what || r.First.Sequence != from || r.First.Through != through || r.First.Detail == "" {
				t.Errorf("%v, %s: %+v, want %s from %d to %d", signed, name, r.First, what, from, through)
			}
		}
		for i := range n {
			k := int64(i)
			at := func(what string) string { return fmt.Sprintf("%s of event %d", what, i) }
			for j := range sound.events[i].Data {
				check(at(fmt.Sprintf("byte %d", j)), Changed, k, k, func(m *memory) { m.events[i].Data[j] ^= 1 })
			}
			check(at("a byte less"), Changed, k, k, func(m *memory) { m.events[i].Data = m.events[i].Data[1:] })
			check(at("a byte more"), Changed, k, k, func(m *memory) { m.events[i].Data = append(m.events[i].Data, 0) })
			check(at("kind"), Changed, k, k, func(m *memory) { m.events[i].Kind = "grant.confirmee" })
			check(at("a byte over the border"), Changed, k, k, func(m *memory) {
				m.events[i].Kind += string(m.events[i].Data[:1])
				m.events[i].Data = m.events[i].Data[1:]
			})
			check(at("person"), Changed, k, k, func(m *memory) { m.events[i].Person++ })
			check(at("time"), Changed, k, k, func(m *memory) { m.events[i].At = m.events[i].At.Add(1) })
			check(at("time of recording"), Changed, k, k, func(m *memory) { m.events[i].Recorded = m.events[i].Recorded.Add(-time.Second) })
			check(at("id"), Changed, k, k, func(m *memory) { m.events[i].ID += 100 })

			check(at("deletion"), Missing, k, k, func(m *memory) { m.events = slices.Delete(m.events, i, i+1) })
			check(at("deletion and renumbering"), Missing, k, k, func(m *memory) { m.events = slices.Delete(m.events, i, i+1); renumber(m) })
			check(at("taking back the seal"), Missing, k, k, func(m *memory) { m.events[i].Sequence = -1 })
			check(at("insertion before"), Extra, k, k, func(m *memory) {
				m.events = slices.Insert(m.events, i, Event{ID: 99, At: dawn, Recorded: dawn, Kind: "grant.confirmed"})
				renumber(m)
			})
			for j := i + 1; j < n; j++ {
				check(at(fmt.Sprintf("swap with %d", j)), Moved, k, k, func(m *memory) {
					m.events[i].Sequence, m.events[j].Sequence = m.events[j].Sequence, m.events[i].Sequence
				})
			}
			if i+1 < n {
				check(at("deletion, and of the next"), Missing, k, k+1, func(m *memory) { m.events = slices.Delete(m.events, i, i+2); renumber(m) })
			}
		}
		check("an event after the last", Extra, n, n, func(m *memory) { m.events[n].Sequence = n })
		check("the end", Missing, n-3, n-1, func(m *memory) { m.events = slices.Delete(m.events, n-3, n) })
		for i, h := range sound.hashes {
			level, k := tlog.SplitStoredHashIndex(int64(i))
			last := (k+1)<<level - 1 // the event that completes it
			what := Tree
			if level == 0 && (len(signed) == 0 || last >= int64(slices.Max(signed))) {
				what = Changed // without a signature nobody knows whether the event or its leaf is the right one
			}
			check(fmt.Sprintf("hash %d", i), what, last, last, func(m *memory) { m.hashes[i] = tlog.NodeHash(h, h) })
			if i < len(sound.hashes)-1 {
				check(fmt.Sprintf("no hash %d", i), what, last, last, func(m *memory) { m.hashes[i] = tlog.Hash{} })
			}
		}
	}
}

// Who has the database and knows how the tree is made leaves no trace in it: only what was signed tells.
func TestARewrittenLog(t *testing.T) {
	t.Parallel()
	signer, keys := key(t, 'a')
	thief, _ := key(t, 'b')
	sound := filled(t, signer, 11, 0, 4, 9)
	early, late := sound.checkpoints[0].Text, sound.checkpoints[1].Text
	first := func(m *memory, outside ...[]byte) *Difference {
		t.Helper()
		r, err := Verify(t.Context(), m, origin, keys, outside...)
		if err != nil {
			t.Fatal(err)
		}
		return r.First
	}
	is := func(name string, d *Difference, what What, from, through int64) {
		t.Helper()
		if d == nil || d.What != what || d.Sequence != from || d.Through != through {
			t.Errorf("%s: %+v, want %s from %d to %d", name, d, what, from, through)
		}
	}

	m := sound.copy()
	m.events[6].Data[0] ^= 1
	retree(m)
	is("an event and the tree", first(m), Rewritten, 4, 8)

	m = sound.copy()
	m.events[1].Person = 9
	retree(m)
	is("an early event and the tree", first(m), Rewritten, 0, 3)

	// With the checkpoints of the database gone as well, what was kept elsewhere tells.
	m.checkpoints = nil
	if d := first(m); d != nil {
		t.Errorf("without any checkpoint nobody can tell, and yet: %+v", d)
	}
	is("all written anew", first(m, late), Rewritten, 0, 8)
	is("all written anew, two kept", first(m, late, early), Rewritten, 0, 3)

	// Signed again with another key: the stored ones do not count, and the kept one tells.
	for _, c := range sound.checkpoints {
		text, err := Checkpoint{Origin: origin, Size: c.Size, Root: tlog.RecordHash(nil)}.Sign(thief)
		if err != nil {
			t.Fatal(err)
		}
		m.checkpoints = append(m.checkpoints, Stored{Size: c.Size, Text: text})
	}
	is("signed by another", first(m), Unsigned, 0, 3)
	is("signed by another, one kept", first(m, early), Rewritten, 0, 3)

	// The end cut off, with its hashes and checkpoints.
	m = sound.copy()
	m.events, m.checkpoints = m.events[:6], m.checkpoints[:1]
	retree(m)
	if d := first(m); d != nil {
		t.Errorf("without an outside checkpoint nobody can tell, and yet: %+v", d)
	}
	is("the end cut off", first(m, late), Cut, 6, 8)
	m.checkpoints = sound.checkpoints
	is("the end cut off, but not the checkpoints", first(m), Cut, 6, 8)

	// What was cut off, and then grew anew past the checkpoint.
	m = sound.copy()
	m.events, m.checkpoints = m.events[:6], m.checkpoints[:1]
	for i := range 8 {
		m.append(Event{At: dawn, Recorded: dawn, Kind: "grant.withdrawn", Data: []byte{byte(i)}})
		m.events[6+i].Sequence = int64(6 + i)
	}
	retree(m)
	is("grown anew", first(m, late), Rewritten, 4, 8)
	m.checkpoints = nil
	is("emptied", first(&memory{}, early), Cut, 0, 3)

	// A stored checkpoint that claims another size.
	m = sound.copy()
	m.checkpoints[1].Size = 10
	is("a checkpoint under another size", first(m), Unsigned, 0, 9)
}

// The keys of before are known, and still count.
func TestAKeyOfBefore(t *testing.T) {
	t.Parallel()
	old, oldKeys := key(t, 'a')
	next, nextKeys := key(t, 'b')
	m := filled(t, old, 3, 1, 3)
	if err := NewSealer(Settings{Store: m, Node: "a", Signer: next, Every: 1}).Pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r, err := Verify(t.Context(), m, origin, both{oldKeys, nextKeys}); err != nil || r.First != nil || r.Agreeing != 2 {
		t.Errorf("both keys are known: %+v, %v", r, err)
	}
	if r, err := Verify(t.Context(), m, origin, nextKeys); err != nil || r.First == nil || r.First.What != Unsigned {
		t.Errorf("the old key is not known: %+v, %v", r.First, err)
	}
}

type both [2]note.Verifiers

func (b both) Verifier(name string, hash uint32) (note.Verifier, error) {
	if v, err := b[0].Verifier(name, hash); err == nil {
		return v, nil
	}
	return b[1].Verifier(name, hash)
}
