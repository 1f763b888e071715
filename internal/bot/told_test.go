package bot_test

import (
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/bot"
)

// TestWhoTellsStandsInTheEvidence: what somebody else than Belfry says that a person did is kept as their word.
func TestWhoTellsStandsInTheEvidence(t *testing.T) {
	t.Parallel()
	for teller, want := range map[string]string{"the plugin paging": "as the plugin paging tells", "": ""} {
		w := newWorld(t, "fr", func(s *bot.Settings) {
			s.Teller = func(medium string) string { return map[string]string{"pigeon": teller}[medium] }
		})
		w.follow("alertes")
		w.say("STOP")
		if len(w.people.follows) != 1 || len(w.people.withdrawn) != 1 {
			t.Fatalf("%d follow, %d leave", len(w.people.follows), len(w.people.withdrawn))
		}
		if f, l := w.people.follows[0].Evidence.Note, w.people.withdrawn[0].Evidence.Note; f != want || l != want {
			t.Errorf("the evidence says %q and %q, wanted is %q", f, l, want)
		}
	}
}

// TestWhereNoButtonComesBack: buttons lead to pages there, as in a mail.
func TestWhereNoButtonComesBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "fr", func(s *bot.Settings) { s.Buttonless = func(medium string) bool { return medium == "pigeon" } })
	r := w.say("/start alertes")
	found := false
	for _, row := range r.Answer.Buttons {
		for _, b := range row {
			found = found || strings.HasSuffix(b.URL, "/follow/alertes")
			if b.Data != "" {
				t.Errorf("the button %+v sends what nobody hears", b)
			}
		}
	}
	if !found {
		t.Errorf("nothing leads to the page of the channel: %+v", r.Answer.Buttons)
	}
}
