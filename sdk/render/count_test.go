package render

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
)

func TestCount(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text                                string
		bytes, utf16, codePoints, graphemes int
	}{
		{"", 0, 0, 0, 0},
		{"abc", 3, 3, 3, 3},
		{"a\r\nb\n", 5, 5, 5, 4},
		{"é", 2, 1, 1, 1},
		{"e\u0301", 3, 2, 2, 1},
		{"€", 3, 1, 1, 1},
		{"😀", 4, 2, 1, 1},
		{"👨‍👩‍👧‍👦 é", 28, 13, 9, 3},
		{"🇫🇷🇩🇪", 16, 8, 4, 2},
		{"نص", 4, 2, 2, 2},
		{"கி", 6, 2, 2, 1},
		{"\xff\xfe", 2, 2, 2, 2},
	}
	for _, tt := range tests {
		for u, want := range map[sdk.Unit]int{sdk.UnitBytes: tt.bytes, sdk.UnitUTF16: tt.utf16, sdk.UnitCodePoints: tt.codePoints,
			sdk.UnitGraphemes: tt.graphemes, "furlongs": tt.bytes} {
			if got := Count(tt.text, u); got != want {
				t.Errorf("Count(%q, %s) = %d, want %d", tt.text, u, got, want)
			}
			for limit := range want + 2 {
				if got := exceeds(tt.text, u, limit); got != (want > limit) {
					t.Errorf("exceeds(%q, %s, %d) = %t", tt.text, u, limit, got)
				}
			}
		}
	}
}

func TestCutText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		limit      int
		unit       sdk.Unit
		want       string
	}{
		{"it fits", "one two", 7, sdk.UnitBytes, "one two"},
		{"at a word", "The quick brown fox", 12, sdk.UnitGraphemes, "The quick…"},
		{"the ellipsis counts", "The quick brown fox", 10, sdk.UnitGraphemes, "The quick…"},
		{"and counts its bytes", "The quick brown fox", 11, sdk.UnitBytes, "The…"},
		{"no word is near", "anticonstitutionnellement", 10, sdk.UnitGraphemes, "anticonst…"},
		{"a short word before a long one", "a nticonstitutionnellement", 12, sdk.UnitGraphemes, "a nticonsti…"},
		{"punctuation before the ellipsis", "Well, there (it is)", 8, sdk.UnitGraphemes, "Well…"},
		{"a sentence that ends", "It rains. It pours.", 11, sdk.UnitGraphemes, "It rains…"},
		{"a question stays one", "Rain? It pours.", 8, sdk.UnitGraphemes, "Rain?…"},
		{"a no-break space joins", "prix de 12\u00a0000\u00a0€ net", 13, sdk.UnitGraphemes, "prix de…"},
		{"scripts without spaces", "日本語のとても長い文章です。", 8, sdk.UnitGraphemes, "日本語のとても…"},
		{"families stay together", "👨‍👩‍👧‍👦👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 30, sdk.UnitBytes, "👨‍👩‍👧‍👦…"},
		{"accents stay on their letters", strings.Repeat("e\u0301", 9), 8, sdk.UnitCodePoints, strings.Repeat("e\u0301", 3) + "…"},
		{"flags stay whole", "🇫🇷🇩🇪🇮🇹", 9, sdk.UnitUTF16, "🇫🇷🇩🇪…"},
		{"hashtags stay whole", "Fire at the #gare_centrale", 22, sdk.UnitGraphemes, "Fire at the…"},
		{"mentions stay whole", "Ask @gazette_du_soir now", 12, sdk.UnitGraphemes, "Ask…"},
		{"addresses stay whole", "Read https://news.example/a-b-c-d", 25, sdk.UnitGraphemes, "Read…"},
		{"a hashtag that alone is too long", "#anticonstitutionnellement", 9, sdk.UnitGraphemes, "#anticon…"},
		{"only the ellipsis", "word", 1, sdk.UnitGraphemes, "…"},
		{"not even the ellipsis", "word", 2, sdk.UnitBytes, "wo"},
		{"not even a cluster", "👨‍👩‍👧‍👦👨‍👩‍👧‍👦", 2, sdk.UnitBytes, ""},
		{"no room", "word", 0, sdk.UnitBytes, ""},
		{"less than none", "word", -1, sdk.UnitBytes, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := CutText(tt.text, tt.limit, tt.unit); got != tt.want {
				t.Errorf("CutText(%q, %d, %s) = %q, want %q", tt.text, tt.limit, tt.unit, got, tt.want)
			}
		})
	}
}

func FuzzCutText(f *testing.F) {
	for i, s := range naughty {
		f.Add(strings.Repeat(s+" ", 3), i%40, byte(i))
	}
	f.Fuzz(func(t *testing.T, text string, limit int, unit byte) {
		u := []sdk.Unit{sdk.UnitBytes, sdk.UnitUTF16, sdk.UnitCodePoints, sdk.UnitGraphemes}[unit%4]
		got := CutText(text, limit, u)
		if n := Count(got, u); n > limit && limit >= 0 {
			t.Fatalf("CutText(%q, %d, %s) = %q, which counts %d", text, limit, u, got, n)
		}
		if limit >= 0 && Count(text, u) <= limit {
			if got != text {
				t.Fatalf("what fits was cut: %q", got)
			}
			return
		}
		kept := strings.TrimSuffix(got, ellipsis)
		if !strings.HasPrefix(text, kept) {
			t.Fatalf("%q is no beginning of %q", kept, text)
		}
		if utf8.ValidString(text) && !utf8.ValidString(got) {
			t.Fatalf("%q is not UTF-8", got)
		}
		if len(cutBytes(text, len(kept))) != len(kept) && strings.TrimSpace(text[len(kept):]) != "" && !strings.ContainsAny(text[len(kept):][:1], " \t\r\n") {
			t.Fatalf("%q ends inside a cluster of %q", kept, text)
		}
	})
}
