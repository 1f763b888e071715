package intake

import (
	"strings"
	"testing"
)

// What counts as tidy is what cleaning and folding leave alone.
func FuzzTidy(f *testing.F) {
	for _, s := range []string{"", " ", "a", "a b", " a", "a ", "a  b", "a\nb", "a \nb", "\na", "a\n", "a\tb", "a\x7f", "a\x00b", "é", "a\u00a0b", "a\u202eb", "\xff"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, lines bool) {
		if !tidy(s, lines) {
			return
		}
		if got := clean(s, len(s), lines); got != s {
			t.Errorf("%q is tidy, but cleaning it gives %q", s, got)
		}
		if folded := strings.Join(strings.Fields(s), " "); !lines && folded != s {
			t.Errorf("%q is tidy, but folding it gives %q", s, folded)
		}
	})
}
