package ledger

import (
	"math/bits"

	"golang.org/x/mod/sumdb/tlog"
)

// tree is a Merkle tree that grows leaf by leaf, and keeps only the roots of its complete subtrees.
type tree struct {
	size  int64
	peaks []tlog.Hash // the largest subtree first
}

// add appends a leaf, and gives the hashes that it completes, as tlog.StoredHashes does.
func (t *tree) add(leaf tlog.Hash) []tlog.Hash {
	made := []tlog.Hash{leaf}
	for range bits.TrailingZeros64(uint64(t.size) + 1) {
		last := len(t.peaks) - 1
		leaf = tlog.NodeHash(t.peaks[last], leaf)
		t.peaks = t.peaks[:last]
		made = append(made, leaf)
	}
	t.peaks = append(t.peaks, leaf)
	t.size++
	return made
}

// root gives the tree's hash; of no leaves that of the empty text.
func (t *tree) root() tlog.Hash {
	if t.size == 0 {
		empty, _ := tlog.TreeHash(0, nil)
		return empty
	}
	h := t.peaks[len(t.peaks)-1]
	for i := len(t.peaks) - 2; i >= 0; i-- {
		h = tlog.NodeHash(t.peaks[i], h)
	}
	return h
}

// grown is a tree of so many leaves, of which the store has the hashes.
func grown(size int64, r tlog.HashReader) (*tree, error) {
	t := &tree{size: size}
	var at []int64
	for first, level := int64(0), 62; level >= 0; level-- {
		if width := int64(1) << level; size&width != 0 {
			at = append(at, tlog.StoredHashIndex(level, first>>level))
			first += width
		}
	}
	var err error
	if len(at) > 0 {
		t.peaks, err = r.ReadHashes(at)
	}
	return t, err
}

// TreeSize gives the number of leaves of a stored tree by the highest index of its hashes; -1 is no hash at all. It is how
// a Log's Size is found.
func TreeSize(highest int64) int64 {
	if highest < 0 {
		return 0
	}
	level, n := tlog.SplitStoredHashIndex(highest)
	return (n + 1) << level
}
