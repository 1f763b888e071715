package direct

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestShortErrorsAreText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"short":                   {"550 no such mailbox", "550 no such mailbox"},
		"as long as may be":       {strings.Repeat("x", 300), strings.Repeat("x", 300)},
		"cut between runes":       {strings.Repeat("é", 200), strings.Repeat("é", 150)},
		"cut inside a rune":       {"x" + strings.Repeat("é", 200), "x" + strings.Repeat("é", 149)},
		"cut inside a long rune":  {"xy" + strings.Repeat("🔔", 100), "xy" + strings.Repeat("🔔", 74)},
		"a relay that sends junk": {"550 bo\xeete pleine", "550 bo\uFFFDte pleine"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := short(errors.New(c.text))
			if got != c.want || !utf8.ValidString(got) || len(got) > mostError {
				t.Errorf("%d bytes: %q, want %q", len(got), got, c.want)
			}
		})
	}
}
