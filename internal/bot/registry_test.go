package bot_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/bot"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/sdk"
)

var (
	_ bot.People = (*consent.Registry)(nil)
	_ bot.Memory = (*consent.Inbox)(nil)
)

// registered is a world whose consent is kept by the real registry.
func registered(t *testing.T, lang string) (*world, *consent.Registry) {
	t.Helper()
	dir := t.TempDir()
	db := sqlitetest.Open(t, filepath.Join(dir, "belfry.db"))
	t.Cleanup(func() { _ = db.Close() })
	master, err := consent.ParseKey(consent.NewKey())
	must(t, err)
	keys, err := consent.OpenKeys(t.Context(), db, master)
	must(t, err)
	journal, err := consent.OpenJournal(filepath.Join(dir, consent.JournalName))
	must(t, err)
	t.Cleanup(func() { _ = journal.Close() })
	var w *world
	r := consent.New(consent.Settings{Store: db, Keys: keys, Journal: journal, Deadline: 5 * time.Second, Offers: offers,
		Now: func() time.Time { return w.now }, BackupsFor: 30 * 24 * time.Hour})
	var memory bot.Memory = r.Inbox(db)
	w = newWorld(t, lang, func(s *bot.Settings) { s.People, s.Memory = r, memory })
	return w, r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A reader's way through the real registry: what the bot says is what stands there.
func TestOnTheRegistry(t *testing.T) {
	t.Parallel()
	w, r := registered(t, "fr")
	grants := func() (out []string) {
		t.Helper()
		reader, _, err := r.ReaderOf(t.Context(), w.from)
		must(t, err)
		for _, g := range reader.Grants {
			out = append(out, g.Purpose.Name+" "+string(g.State)+" "+strings.Join(g.Preferences.Topics, ","))
		}
		slices.Sort(out)
		return out
	}
	expect := func(want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, grants()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	w.say("/start alertes")
	w.say("START")
	expect()
	w.follow("alertes")
	w.follow("brief")
	expect("alertes active ", "brief active ")
	w.press(w.say("/topics"), "Ajouter sport")
	w.reads(w.say("/stop brief"), "Vous ne suivez plus Le brief.", "Vous suivez encore Alertes.")
	expect("alertes active sport", "brief withdrawn ")
	w.reads(w.press(w.say("/quiet 22-7"), "Heures calmes de 23"), "de 23\u00a0h\u00a000 à 6\u00a0h\u00a000")
	w.say("ne pas arrêt")
	reader, _, err := r.ReaderOf(t.Context(), w.from)
	must(t, err)
	if h := reader.Habits; h.QuietFrom != "23:00" || !h.PausedUntil.Equal(w.now.Add(bot.MaybeFor)) || h.Lang != "fr" {
		t.Errorf("%+v", h)
	}
	w.say("/resume")
	w.handle(w.event(sdk.EventStop))
	expect("alertes withdrawn sport", "brief withdrawn ")
	w.handle(w.event(sdk.EventReopen))
	w.say("/start alertes")
	expect("alertes withdrawn sport", "brief withdrawn ")
	w.follow("alertes")
	record, err := r.Record(t.Context(), reader.ID)
	must(t, err)
	granted := slices.IndexFunc(record.Events, func(e consent.Event) bool { return e.Kind == consent.EventGranted })
	if e := record.Events[granted].Evidence; e.Method != consent.ByButton || !strings.HasPrefix(e.Wording, "Alertes\nCe qui ne peut attendre") || e.Lang != "fr" {
		t.Errorf("the evidence is %+v", e)
	}
	w.reads(w.say("/mydata"), "Alertes")
	w.reads(w.press(w.say("/forget"), "Effacer"), "est effacé", "20 décembre 2026")
	if _, found, err := r.ReaderOf(t.Context(), w.from); found || err != nil {
		t.Errorf("still there, %v", err)
	}
	w.follow("alertes")
	expect("alertes active ")
}

// Acts of staff are kept by the real memory, and given once.
func TestStaffOnTheRegistry(t *testing.T) {
	t.Parallel()
	w, _ := registered(t, "en")
	w.name = "@annab"
	asked := w.say("/retract 8f21 wrong place")
	w.press(asked, "Retract")
	w.press(asked, "Retract")
	if diff := cmp.Diff([]string{"Anna by pigeon retracts 8f21 wrong place"}, w.room.done); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if w.say("hello").Answer == nil || w.say("hello").Answer != nil {
		t.Error("a message that is no command is answered once a day")
	}
}
