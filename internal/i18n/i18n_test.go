package i18n

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCataloguesAreAlike(t *testing.T) {
	t.Parallel()
	hole := regexp.MustCompile(`\{[a-z_]+\}`)
	want := For("en").words
	for _, lang := range Languages() {
		have := For(lang).words
		if diff := cmp.Diff(slices.Sorted(maps.Keys(want)), slices.Sorted(maps.Keys(have))); diff != "" {
			t.Errorf("%s has other messages than en (-en +%s):\n%s", lang, lang, diff)
		}
		for key, text := range have {
			if strings.TrimSpace(text) != text || text == "" {
				t.Errorf("%s %s: %q is empty or has spaces around it", lang, key, text)
			}
			a, b := hole.FindAllString(want[key], -1), hole.FindAllString(text, -1)
			slices.Sort(a)
			slices.Sort(b)
			if !slices.Equal(a, b) {
				t.Errorf("%s %s: has the places %v, en has %v", lang, key, b, a)
			}
		}
		if n := len(strings.Fields(have["months"])); n != 12 {
			t.Errorf("%s has %d months", lang, n)
		}
		if n := len(strings.Fields(have["weekdays"])); n != 7 {
			t.Errorf("%s has %d weekdays", lang, n)
		}
	}
}

// TestNothingIsSaidTwice: of two messages under one key a reader of JSON believes the later one, and the other is lost.
func TestNothingIsSaidTwice(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages() {
		text, err := files.ReadFile("catalogue/" + lang + ".json")
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, key := range regexp.MustCompile(`(?m)^\s*"([^"]+)": "`).FindAllStringSubmatch(string(text), -1) {
			if seen[key[1]] {
				t.Errorf("%s: %s stands there twice", lang, key[1])
			}
			seen[key[1]] = true
		}
		if len(seen) != len(For(lang).words) {
			t.Errorf("%s: %d lines make %d messages", lang, len(seen), len(For(lang).words))
		}
	}
}

// TestOneWordForOneThing: whoever goes from a page to the bot and to a mail finds the same things under the same names, and is not
// taken for a man.
func TestOneWordForOneThing(t *testing.T) {
	t.Parallel()
	bad := regexp.MustCompile(`(?i)courriel|résumé|heures de silence|nouvelles? urgente|robot|abonné\P{L}|abonné$`)
	for key, text := range For("fr").words {
		if m := bad.FindString(text); m != "" {
			t.Errorf("fr %s: %q says %q; write e-mail, récapitulatif, heures calmes, informations urgentes, bot, abonnement", key, text, m)
		}
	}
}

func TestFrenchTypography(t *testing.T) {
	t.Parallel()
	bad := regexp.MustCompile(`[\pL\d)] [:;?!»%]|« |[\pL\d)][;?!»]`)
	for key, text := range For("fr").words {
		if m := bad.FindString(text); m != "" {
			t.Errorf("fr %s: %q needs a space that does not break (U+00A0) at %q", key, text, m)
		}
		if strings.ContainsAny(text, "'\"") {
			t.Errorf("fr %s: %q has typewriter marks; write ’ and « »", key, text)
		}
	}
}

// TestVoice holds the voice of the pages: plain sentences that do not shout.
func TestVoice(t *testing.T) {
	t.Parallel()
	for _, lang := range Languages() {
		for key, text := range For(lang).words {
			if strings.ContainsAny(text, "!") || regexp.MustCompile(`(?i)success|succès|oops|sorry|désolé`).MatchString(text) {
				t.Errorf("%s %s: %q is not how Belfry speaks", lang, key, text)
			}
		}
	}
}

func TestDatesAndNumbers(t *testing.T) {
	t.Parallel()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 11, 1, 7, 5, 0, 0, paris)
	for _, c := range []struct{ got, want string }{
		{For("en-GB").Day(at), "Sunday 1 November 2026"},
		{For("fr").Day(at), "dimanche 1er novembre 2026"},
		{For("fr").Time(at), "7\u00a0h\u00a005"},
		{For("en").Time(at), "07:05"},
		{For("pt").Lang(), "en"},
		{For("fr").Number(1234567), "1\u202f234\u202f567"},
		{For("en").Number(-1234), "-1,234"},
		{For("en").Number(12), "12"},
		{Zone(at), "Paris"},
		{Match("pt, fr-CA;q=0.8, en;q=0.3", "en"), "fr"},
		{Match("", "fr"), "fr"},
		{Match("fr;q=0", "en"), "en"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}
