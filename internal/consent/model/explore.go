package model

import (
	"fmt"
	"hash/maphash"
	"strings"
)

// Result is what an exploration found.
type Result struct {
	// States counts the different states, Depth the steps to the furthest of them.
	States, Depth int
	// Broken is the promise that a run breaks, empty when none does; Trace is a shortest such run.
	Broken string
	Trace  []string
}

// String gives the run line by line.
func (r Result) String() string {
	if r.Broken == "" {
		return fmt.Sprintf("%d states, the furthest after %d steps: every promise holds", r.States, r.Depth)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s, after %d steps (%d states were seen):\n", r.Broken, len(r.Trace), r.States)
	for i, step := range r.Trace {
		fmt.Fprintf(&b, "%3d. %s\n", i+1, step)
	}
	return b.String()
}

// visit is how a state was first reached.
type visit struct {
	from int32
	act  act
}

// Explore tries every order of steps within the bounds, breadth first, so that a run that breaks a promise is a shortest
// one. States are known by two independent hashes of 64 bits.
func Explore(b Bounds, f Flaw) Result {
	m := model{b, f}
	one, two := maphash.MakeSeed(), maphash.MakeSeed()
	type key [2]uint64
	seen := map[key]struct{}{}
	know := func(s *state) bool {
		k := key{maphash.Comparable(one, *s), maphash.Comparable(two, *s)}
		_, known := seen[k]
		seen[k] = struct{}{}
		return known
	}
	start := state{}
	know(&start)
	visits := []visit{{from: -1}}
	level, first := []state{start}, 0 // first is the number of the level's first state
	for depth := 0; ; depth++ {
		var deeper []state
		for i := range level {
			from, completed := int32(first+i), true
			result := Result{States: len(seen), Depth: depth}
			m.next(&level[i], func(a act, to *state, broken string) {
				completed = completed && !a.verb.progress()
				if broken != "" && result.Broken == "" {
					result.Broken, result.Trace = broken, append(trace(visits, from), a.String())
				}
				if result.Broken == "" && !know(to) {
					visits = append(visits, visit{from, a})
					deeper = append(deeper, *to)
				}
			})
			if result.Broken == "" && completed && level[i].open() {
				result.Broken, result.Trace = noOutcome, trace(visits, from)
			}
			if result.Broken != "" {
				return result
			}
		}
		if len(deeper) == 0 {
			return Result{States: len(seen), Depth: depth}
		}
		first += len(level)
		level = deeper
	}
}

// open reports whether a message has no outcome yet.
func (s *state) open() bool {
	for _, r := range s.db.messages {
		if r.row != absent && !r.row.ended() {
			return true
		}
	}
	return false
}

// trace gives the steps to a state.
func trace(visits []visit, at int32) (steps []string) {
	if at <= 0 {
		return nil
	}
	return append(trace(visits, visits[at].from), visits[at].act.String())
}
