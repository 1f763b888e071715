package configs

import (
	"testing"
	"unicode"
)

// Whatever is written and meant, each character of the value that shows something has the place at which it is written.
func FuzzAlign(f *testing.F) {
	for _, seed := range [][2]string{{`"a\n\u00e9 b"`, "a\né b"}, {"'it''s\n  z'", "it's z"}, {"one\n  two\n\n  three", "one two\nthree"}, {"  x\n\n    y\n", "x\n\n  y\n"}, {`"\`, "\\"},
		{`"a\`, "a"}, {"\"\\\n  b\"", "b"}, {"", ""}, {`""`, ""}, {"x", "y"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, raw, value string) {
		var quote byte
		if len(raw) > 1 && (raw[0] == '"' || raw[0] == '\'') && raw[len(raw)-1] == raw[0] {
			quote = raw[0]
		}
		runes := []rune(value)
		offsets, ok := align(raw, quote, runes)
		if !ok {
			return
		}
		if len(offsets) != len(runes)+1 {
			t.Fatalf("%d places for %d characters", len(offsets), len(runes))
		}
		units := map[int]rune{}
		for _, u := range unitsOf(raw, quote) {
			units[u.at] = u.r
		}
		last := 0
		for i, at := range offsets {
			if at < 0 || at > len(raw) {
				t.Fatalf("the place %d of a text of %d bytes", at, len(raw))
			}
			if i == len(runes) || unicode.IsSpace(runes[i]) {
				continue
			}
			if units[at] != runes[i] || at < last {
				t.Fatalf("%q stands at %d of %q", runes[i], at, raw)
			}
			last = at
		}
	})
}
