package newsroom_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/bot"
	"github.com/belfry-news/belfry/internal/bot/newsroom"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/desk/desktest"
	"github.com/belfry-news/belfry/sdk"
)

const anna = "Anna by pigeon"

func setup(t *testing.T) (*desktest.Newsroom, *newsroom.Newsroom) {
	t.Helper()
	n := desktest.New(t, time.Now().Truncate(time.Second))
	return n, newsroom.New(func(actor string) *desk.Desk {
		return &desk.Desk{Config: n.Config, Store: n.Store, Dir: n.Dir, Now: time.Now(), Actor: actor, Daemon: func() (int, bool) { return 0, false }}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks that an error is a sentence for staff.
func refused(t *testing.T, what string, err error, says string) {
	t.Helper()
	if e := sdk.AsError(err); err == nil || e.Code != sdk.CodeInvalid || !strings.Contains(e.Public, says) {
		t.Errorf("%s: %v, want %q", what, err, says)
	}
}

func TestPosts(t *testing.T) {
	t.Parallel()
	_, room := setup(t)
	ctx := t.Context()
	d := bot.Draft{Channel: "alertes", Title: "Incendie", Text: "Le trafic est interrompu.", Link: "https://news.example/a/9"}
	must(t, room.Check(ctx, "", d))
	p, err := room.Create(ctx, anna, d)
	must(t, err)
	if p.ID == "" || p.Channel != "alertes" || p.Title != "Incendie" || p.Status == "" {
		t.Errorf("%+v", p)
	}
	change := bot.Draft{Title: "Incendie maîtrisé"}
	must(t, room.Check(ctx, p.ID, change))
	edited, err := room.Edit(ctx, anna, p.ID, change)
	must(t, err)
	if edited.Title != "Incendie maîtrisé" || edited.ID != p.ID {
		t.Errorf("%+v", edited)
	}
	gone, err := room.Retract(ctx, anna, p.ID, "wrong place")
	must(t, err)
	if gone.Status != "retracted" {
		t.Errorf("%+v", gone)
	}
	_, err = room.Retract(ctx, anna, p.ID, "")
	refused(t, "a second retraction", err, "retracted already")
	refused(t, "an edit of what is retracted", room.Check(ctx, p.ID, change), "was retracted")
	refused(t, "an unknown channel", room.Check(ctx, "", bot.Draft{Channel: "alerts", Title: "x"}), "alertes")
	refused(t, "a bad link", room.Check(ctx, "", bot.Draft{Channel: "alertes", Title: "x", Link: "ftp://x"}), "cannot be written")
	_, err = room.Post(ctx, "ffffffff")
	refused(t, "an unknown post", err, "no post")
	refused(t, "an edit of nothing", room.Check(ctx, "ffffffff", change), "no post")
}

func TestPauses(t *testing.T) {
	t.Parallel()
	n, room := setup(t)
	for i, want := range []bool{true, false} {
		if changed, err := room.Pause(t.Context(), anna, "brief"); err != nil || changed != want {
			t.Errorf("pause %d: %t, %v", i, changed, err)
		}
	}
	pauses, err := n.Store.Pauses(t.Context())
	must(t, err)
	if len(pauses) != 1 || pauses[0].Name != "brief" {
		t.Errorf("%+v", pauses)
	}
	for i, want := range []bool{true, false} {
		if changed, err := room.Resume(t.Context(), anna, "brief"); err != nil || changed != want {
			t.Errorf("resume %d: %t, %v", i, changed, err)
		}
	}
	_, err = room.Pause(t.Context(), anna, "breif")
	refused(t, "a misspelt channel", err, `did you mean "brief"`)
}

func TestHeld(t *testing.T) {
	t.Parallel()
	_, room := setup(t)
	held, err := room.Held(t.Context())
	must(t, err)
	if len(held) != 1 || held[0].Source != "articles" || held[0].Items != 2 || held[0].Note == "" {
		t.Fatalf("%+v", held)
	}
	slices.Sort(held[0].Titles)
	if diff := cmp.Diff([]string{"Le pont", "Le quai"}, held[0].Titles); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if items, err := room.Release(t.Context(), anna, "articles", false); err != nil || items != 2 {
		t.Errorf("%d, %v", items, err)
	}
	if held, err = room.Held(t.Context()); err != nil || len(held) > 0 {
		t.Errorf("%+v, %v", held, err)
	}
	_, err = room.Release(t.Context(), anna, "articles", true)
	refused(t, "a second release", err, "holds nothing")
}

func TestUnknown(t *testing.T) {
	t.Parallel()
	n, room := setup(t)
	arrived, missing := n.Lose(t, "ops"), n.Lose(t, "wire")
	list, err := room.Unknown(t.Context())
	must(t, err)
	seen := map[int64]string{}
	for _, u := range list {
		seen[u.Delivery] = u.Title + " to " + u.Destination
		if time.Since(u.Since).Abs() > time.Hour {
			t.Errorf("%+v", u)
		}
	}
	if diff := cmp.Diff(map[int64]string{arrived: "La gare est évacuée to ops", missing: "La gare est évacuée to wire @gazette"}, seen); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	must(t, room.Settle(t.Context(), anna, arrived, true))
	must(t, room.Settle(t.Context(), anna, missing, false))
	if list, err = room.Unknown(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("%+v, %v", list, err)
	}
	refused(t, "a second settlement", room.Settle(t.Context(), anna, arrived, true), "")
	refused(t, "an unknown delivery", room.Settle(t.Context(), anna, 999, true), "no delivery 999")
}
