package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Difference is where a log is not what it was.
type Difference struct {
	What What
	// Sequence is the first place that differs, and Through the last of the places that are meant, often the same.
	Sequence, Through int64
	// Detail says it in a sentence.
	Detail string
}

// What a difference is. The list is append-only.
type What string

const (
	// Changed says: the event at Sequence is not the one that was sealed.
	Changed What = "changed"
	// Missing says: the events from Sequence to Through are not there.
	Missing What = "missing"
	// Extra says: the event at Sequence was never sealed there.
	Extra What = "extra"
	// Moved says: the event at Sequence was sealed at another place.
	Moved What = "moved"
	// Cut says: a signed checkpoint covers Sequence to Through, and the log ends before them.
	Cut What = "cut"
	// Rewritten says: events and tree agree with each other, but not with a signed checkpoint. The change lies between Sequence
	// and Through.
	Rewritten What = "rewritten"
	// Tree says: the events are those that were signed, and a stored hash of the tree is not.
	Tree What = "tree"
	// Unsigned says: a stored checkpoint of Through+1 events is not signed with a known key, or is no checkpoint.
	Unsigned What = "unsigned"
)

// Report is what Verify found.
type Report struct {
	// Sealed events were recomputed; Tail events are not sealed yet, so nothing is known of them.
	Sealed, Tail int64
	Root         tlog.Hash
	// Agreeing counts the checkpoints, stored and given, that agree; Signed is how many events the largest of them covers.
	Agreeing int
	Signed   int64
	// First is the first difference; nil when there is none.
	First *Difference
}

// window is how many events, or hashes, are read at once.
const window = 500

// Verify recomputes the log from its events, and compares it with the stored tree, with the stored checkpoints, and with
// those that were kept elsewhere. Without one of those it cannot see that all was written anew, or that the end was cut
// off together with its checkpoints. An error means that it could not be verified; a difference is no error.
func Verify(ctx context.Context, l Log, origin string, keys note.Verifiers, outside ...[]byte) (Report, error) {
	v := verification{ctx: ctx, log: l}
	var r Report
	for i, text := range outside {
		c, err := Open(text, origin, keys)
		if err != nil {
			return r, fmt.Errorf("checkpoint %d of those given cannot be used: %w", i+1, err)
		}
		v.checkpoints = append(v.checkpoints, c)
	}
	stored, err := l.Checkpoints(ctx)
	if err != nil {
		return r, err
	}
	for _, s := range stored {
		c, err := Open(s.Text, origin, keys)
		if err == nil && c.Size != s.Size {
			err = fmt.Errorf("it is of size %d", c.Size)
		}
		if err != nil {
			v.differs(Unsigned, 0, max(s.Size-1, 0), fmt.Sprintf("the stored checkpoint of size %d does not count: %s", s.Size, err))
			continue
		}
		v.checkpoints = append(v.checkpoints, c)
	}
	slices.SortStableFunc(v.checkpoints, func(a, b Checkpoint) int { return cmp.Compare(a.Size, b.Size) })
	if v.size, err = l.Size(ctx); err != nil {
		return r, err
	}
	if r.Tail, err = l.Tail(ctx); err != nil {
		return r, err
	}
	if err := v.events(); err != nil {
		return r, err
	}
	r.Sealed, r.Root = v.tree.size, v.tree.root()
	v.compare(&r)
	r.First = v.first()
	return r, nil
}

// verification is one run of Verify.
type verification struct {
	ctx         context.Context
	log         Log
	size        int64        // of the stored tree
	checkpoints []Checkpoint // the smallest first
	agree       int          // of the checkpoints, those that were compared and agree
	covered     int64        // how many events the largest of them covers
	refuted     *Checkpoint  // the first that does not
	tree        tree         // recomputed
	broken      bool         // an event is not where it was; what follows means nothing
	found       []Difference
}

func (v *verification) differs(what What, from, through int64, detail string) {
	v.found = append(v.found, Difference{what, from, through, detail})
}

// at compares the checkpoints of the size that the tree has now.
func (v *verification) at() {
	for i := range v.checkpoints {
		c := &v.checkpoints[i]
		switch {
		case c.Size != v.tree.size:
		case c.Root == v.tree.root():
			v.agree++
			v.covered = c.Size
		case v.refuted == nil:
			v.refuted = c
		}
	}
}

// first gives the first difference: that of an event, unless a checkpoint shows one in the stretch before it.
func (v *verification) first() (first *Difference) {
	slices.SortStableFunc(v.found, func(a, b Difference) int {
		unsigned := func(d Difference) int {
			if d.What == Unsigned {
				return 1
			}
			return 0
		}
		return cmp.Or(cmp.Compare(a.Through, b.Through), cmp.Compare(unsigned(a), unsigned(b)))
	})
	for i := range v.found {
		d := &v.found[i]
		stretch := d.What == Rewritten || d.What == Cut || d.What == Unsigned
		if first == nil || !stretch && d.Sequence <= first.Through {
			first = d
		}
	}
	return first
}

// events recomputes the tree from the events.
func (v *verification) events() error {
	v.at()
	for {
		from := v.tree.size
		events, err := v.log.Sealed(v.ctx, from, window)
		if err != nil {
			return err
		}
		stored, err := v.stored(from, int64(len(events)))
		if err != nil {
			return err
		}
		for i, e := range events {
			k := from + int64(i)
			if e.Sequence != k {
				v.gap(k, e)
				return nil
			}
			made := v.tree.add(e.Digest())
			if k >= v.size {
				v.differs(Extra, k, k, fmt.Sprintf("event %d (id %d, %s) was never sealed: the tree ends at %d", k, e.ID, e.Kind, v.size))
				v.broken = true
				return nil
			}
			if !v.broken {
				if err := v.same(k, e, made, stored); err != nil {
					return err
				}
			}
			v.at()
		}
		if len(events) < window {
			break
		}
	}
	if n := v.tree.size; n < v.size && !v.broken {
		v.differs(Missing, n, v.size-1, fmt.Sprintf("the log ends at %d, and its tree at %d", n, v.size))
		v.broken = true
	}
	return nil
}

// gap names a sequence that is not there, or one that is there twice.
func (v *verification) gap(k int64, e Event) {
	v.broken = true
	if e.Sequence < k {
		v.differs(Extra, e.Sequence, e.Sequence, fmt.Sprintf("there are two events %d (one with id %d)", e.Sequence, e.ID))
		return
	}
	v.differs(Missing, k, e.Sequence-1, fmt.Sprintf("after event %d comes event %d", k-1, e.Sequence))
}

// stored gives the hashes that the tree has for events, by index; those that are missing are left out.
func (v *verification) stored(from, n int64) (map[int64]tlog.Hash, error) {
	n = min(n, v.size-from)
	if n <= 0 {
		return nil, nil
	}
	var indexes []int64
	for i := tlog.StoredHashCount(from); i < tlog.StoredHashCount(from+n); i++ {
		indexes = append(indexes, i)
	}
	out := make(map[int64]tlog.Hash, len(indexes))
	hashes, err := v.log.ReadHashes(v.ctx, indexes)
	if errors.Is(err, ErrNoHash) { // which one is missing is found one by one
		for _, i := range indexes {
			one, err := v.log.ReadHashes(v.ctx, []int64{i})
			if err != nil && !errors.Is(err, ErrNoHash) {
				return nil, err
			}
			if err == nil && len(one) == 1 {
				out[i] = one[0]
			}
		}
		return out, nil
	}
	if err != nil {
		return nil, err
	}
	if len(hashes) != len(indexes) {
		return nil, fmt.Errorf("the store gave %d hashes of %d", len(hashes), len(indexes))
	}
	for i, h := range hashes {
		out[indexes[i]] = h
	}
	return out, nil
}

// same compares what an event adds to the tree with what is stored.
func (v *verification) same(k int64, e Event, made []tlog.Hash, stored map[int64]tlog.Hash) error {
	first := tlog.StoredHashIndex(0, k)
	for level, h := range made {
		if have, found := stored[first+int64(level)]; found && have == h {
			continue
		}
		v.broken = true
		if level > 0 {
			v.differs(Tree, k, k, fmt.Sprintf("the hash %d of the tree, which event %d completes, is not the one of its events", first+int64(level), k))
			return nil
		}
		return v.misplaced(k, e)
	}
	return nil
}

// misplaced finds out what became of an event whose leaf is not the one that was sealed at k.
func (v *verification) misplaced(k int64, e Event) error {
	add := func(what What, through int64, format string, args ...any) error {
		v.differs(what, k, through, fmt.Sprintf(format, args...))
		return nil
	}
	sealed, err := v.leaf(k)
	if err != nil {
		return err
	}
	after, err := v.digest(k + 1)
	if err != nil {
		return err
	}
	was, err := v.search(e.Digest())
	switch {
	case err != nil:
		return err
	case was < 0 && sealed != nil && after != nil && *after == *sealed:
		return add(Extra, k, "event %d (id %d, %s) was put in: what was sealed there comes after it", k, e.ID, e.Kind)
	case was < 0:
		return add(Changed, k, "event %d (id %d, %s) is not the one that was sealed", k, e.ID, e.Kind)
	}
	there, err := v.digest(was)
	if err != nil {
		return err
	}
	following, err := v.leaf(was + 1)
	if err != nil {
		return err
	}
	swapped := sealed != nil && there != nil && *there == *sealed
	moved := (following == nil) == (after == nil) && (after == nil || *following == *after)
	if was > k && !swapped && moved {
		return add(Missing, was-1, "event %d is not there: what was sealed as %d stands in its place", k, was)
	}
	return add(Moved, k, "event %d (id %d, %s) was sealed as event %d", k, e.ID, e.Kind, was)
}

// leaf gives the stored hash of a sequence, nil when there is none.
func (v *verification) leaf(k int64) (*tlog.Hash, error) {
	if k < 0 || k >= v.size {
		return nil, nil
	}
	h, err := v.log.ReadHashes(v.ctx, []int64{tlog.StoredHashIndex(0, k)})
	if errors.Is(err, ErrNoHash) || err == nil && len(h) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return &h[0], nil
}

// digest gives the hash of the event that stands at a sequence, nil when none does.
func (v *verification) digest(k int64) (*tlog.Hash, error) {
	events, err := v.log.Sealed(v.ctx, k, 1)
	if err != nil || len(events) == 0 || events[0].Sequence != k {
		return nil, err
	}
	h := events[0].Digest()
	return &h, nil
}

// search finds the sequence that was sealed with a leaf; -1 when none was.
func (v *verification) search(leaf tlog.Hash) (int64, error) {
	for from := int64(0); from < v.size; from += window {
		stored, err := v.stored(from, window)
		if err != nil {
			return 0, err
		}
		for k := from; k < min(from+window, v.size); k++ {
			if h, found := stored[tlog.StoredHashIndex(0, k)]; found && h == leaf {
				return k, nil
			}
		}
	}
	return -1, nil
}

// compare weighs the checkpoints against what was recomputed.
func (v *verification) compare(r *Report) {
	r.Agreeing, r.Signed = v.agree, v.covered
	for i, d := range v.found {
		// Where a signature covers the events as they are, it is the stored tree that is wrong.
		if d.What == Changed && v.refuted == nil && v.covered > d.Sequence {
			v.found[i] = Difference{Tree, d.Sequence, d.Through, fmt.Sprintf("the stored hash of event %d is not its own; the event agrees with the checkpoint of size %d", d.Sequence, v.covered)}
		}
	}
	if c := v.refuted; c != nil {
		from := int64(0)
		for _, other := range v.checkpoints {
			if other.Size < c.Size && other.Size <= v.covered {
				from = other.Size
			}
		}
		v.differs(Rewritten, from, max(c.Size-1, 0), fmt.Sprintf("the first %d events are not those that the checkpoint of size %d signs; the difference lies from event %d on", c.Size, c.Size, from))
	}
	if len(v.checkpoints) == 0 {
		return
	}
	if last := v.checkpoints[len(v.checkpoints)-1]; last.Size > max(v.tree.size, v.size) {
		n := v.tree.size
		v.differs(Cut, n, last.Size-1, fmt.Sprintf("the log ends at %d, and a checkpoint signs %d events", n, last.Size))
	}
}
