package choices

import (
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/google/go-cmp/cmp"
)

func TestWords(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	french := Words{Catalogue: i18n.For("fr"), When: func(at time.Time) string { return at.Format("02/01") }, Free: func(text string) string { return "<" + text + ">" }}
	digest := consent.Preferences{Mode: consent.Digest, Slots: []string{"07:00", "18:30"}, Topics: []string{"sport"}, Languages: []string{"fr", "pt"}, Breaking: true}
	for name, tt := range map[string]struct{ got, want string }{
		"mail":                   {french.Medium(consent.Email), "e-mail"},
		"another medium":         {Words{Catalogue: i18n.For("en")}.Medium("pager"), "Pager"},
		"no medium":              {Words{Catalogue: i18n.For("en")}.Medium(""), ""},
		"a language":             {french.Tongue("en"), "English"},
		"one without words":      {french.Tongue("pt"), "<pt>"},
		"an hour":                {french.Hour("07:00"), "7\u00a0h\u00a000"},
		"no hour":                {french.Hour("soon"), "<soon>"},
		"a word of a later list": {french.Says("people.event.", "sang"), "<sang>"},
		"notices":                {french.Manner(consent.Notice, digest), ""},
		"a digest":               {french.Manner(consent.Channel, digest), "Un récapitulatif, à 7\u00a0h\u00a000 et 18\u00a0h\u00a030. Sujets\u00a0: <sport>. Langues\u00a0: Français et <pt>. Les informations urgentes à toute heure."},
		"a digest at no time":    {french.Manner(consent.Channel, consent.Preferences{Mode: consent.Digest}), ""},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", name, tt.got, tt.want)
		}
	}
	h := consent.Habits{Lang: "fr", Zone: "Europe/Paris", PausedUntil: now.Add(-time.Hour)}
	then, at := french.Habits(h), french.HabitsNow(h, now)
	if len(then) != 3 || cmp.Diff(then[:2], at) != "" {
		t.Errorf("then %v, now %v", then, at)
	}
}
