package desk_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk"
)

// TestExportPageSaysEverything: the page that a person is given says in their words what the file for programs holds.
func TestExportPageSaysEverything(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 10, 3, 7, 0, 0, 0, time.UTC)
	alertes := consent.Purpose{Kind: consent.Channel, Name: "alertes"}
	chosen := consent.Preferences{Mode: consent.Digest, Slots: []string{"07:00", "18:00"}, Topics: []string{"sport"}, Languages: []string{"en", "fr"}, Breaking: true}
	page := func(h consent.Habits) string {
		data, err := json.Marshal(map[string]any{
			"exported": at, "person": "4f0xk2c9m7qz1a3b", "since": at, "addresses": map[string]string{"email": "lea@example.org"}, "habits": h,
			"grants": []consent.Grant{{Purpose: alertes, Medium: consent.Email, State: consent.Active, Since: at, Preferences: chosen}},
			"events": []consent.Event{
				{At: at, Kind: consent.EventHabits, Habits: &h, Evidence: consent.Evidence{Method: consent.ByLink}},
				{At: at, Kind: consent.EventImported, Purpose: alertes, Medium: consent.Email, State: consent.Active, Evidence: consent.Evidence{At: at.AddDate(-2, 0, 0), Method: consent.ByImport}},
				{At: at, Kind: consent.EventImported, Purpose: alertes, Medium: consent.Email, State: consent.Withdrawn, Evidence: consent.Evidence{At: at.AddDate(-1, 0, 0), Method: consent.ByImport}},
				{At: at, Kind: consent.EventChosen, Purpose: alertes, Medium: consent.Email, Preferences: &consent.Preferences{Mode: consent.Instant}, Evidence: consent.Evidence{Method: consent.ByForm}},
			},
			"messages": []consent.Sent{{At: at, Medium: consent.Email, Kind: consent.StreamConfirm, Outcome: "sent"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		p := &desk.People{Desk: &desk.Desk{Config: &configs.Loaded{}, Now: at}}
		out, err := p.ExportPage(data)
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	for name, tt := range map[string]struct {
		habits consent.Habits
		want   []string
	}{
		"French, paused until they resume": {
			consent.Habits{Lang: "fr", Zone: "Europe/Paris", QuietFrom: "22:00", QuietUntil: "06:30", PerDay: 3, PausedUntil: consent.UntilResumed()},
			[]string{
				"Par e-mail\u00a0: lea@example.org", "Langue des pages et des messages\u00a0: Français.", "Heures calmes\u00a0: 22\u00a0h\u00a000 – 6\u00a0h\u00a030.", "Nombre de messages par jour, au plus\u00a0: 3.",
				"Pause\u00a0: jusqu’à ce que vous y mettiez fin.", "Par e-mail, depuis le 3 octobre 2026.", "Un récapitulatif, à 7\u00a0h\u00a000 et 18\u00a0h\u00a000.", "Sujets\u00a0: sport.", "Langues\u00a0: English et Français.",
				"Les informations urgentes à toute heure.", "Accord donné le 3 octobre 2024, selon cette liste.", "Chaque publication, dès sa parution.", "La demande de confirmation de l’abonnement",
			},
		},
		"English, paused for a day": {
			consent.Habits{Lang: "en", PausedUntil: at.AddDate(0, 0, 1)},
			[]string{"keeps about you, as of 3 October 2026, 07:00 (UTC).", "By e-mail: lea@example.org", "Pause: until 4 October 2026, 07:00 (UTC).", "Posts come collected, at 07:00 and 18:00.", "The question whether you want to follow"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out := page(tt.habits)
			for _, want := range tt.want {
				if !strings.Contains(out, want) {
					t.Errorf("it does not say %q:\n%s", want, out)
				}
			}
			if strings.Contains(out, "[people") || strings.Contains(out, "9999") || strings.Contains(out, "2025") {
				t.Errorf("it says what nobody wrote:\n%s", out)
			}
		})
	}
}
