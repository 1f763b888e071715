package store

import (
	"slices"
	"testing"

	"github.com/belfry-news/belfry/internal/consent"
	"pgregory.net/rapid"
)

// TestStretches holds that everybody is in one stretch or among the others, and nobody else is.
func TestStretches(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		people := rapid.SliceOfDistinct(rapid.Int64Range(1, 200), func(n int64) int64 { return n }).Draw(t, "people")
		var in, out []consent.PersonID
		for _, n := range people {
			in = append(in, consent.PersonID(n))
		}
		long, others := stretches(slices.Clone(in))
		out = append(out, others...)
		for _, s := range long {
			if s.last-s.first < shortStretch-1 {
				t.Errorf("%+v is short", s)
			}
			for id := s.first; id <= s.last; id++ {
				out = append(out, id)
			}
		}
		slices.Sort(in)
		slices.Sort(out)
		if !slices.Equal(in, out) {
			t.Errorf("%v became %v and %v", in, long, others)
		}
	})
}
