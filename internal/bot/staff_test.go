package bot_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/bot"
	"github.com/belfry-news/belfry/sdk"
)

func newStaff(t *testing.T, lang string, change ...func(*bot.Settings)) *world {
	t.Helper()
	w := newWorld(t, lang, change...)
	w.name = "@AnnaB"
	w.room.held = []bot.Held{{Source: "articles", Note: "40 items at once", Items: 40, Titles: []string{"Un", "Deux"}}}
	w.room.lost = []bot.Unknown{{Delivery: 77, Post: "8f21", Title: "Incendie", Destination: "telegram", Since: w.now}}
	w.room.unsure = []bot.UnknownMessages{{Number: 78, About: "channel alertes 8f21", People: 12, Since: w.now}}
	return w
}

// Each act of staff is shown first, done by its button once, and recorded under their name.
func TestStaffActs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		ask      func(w *world) bot.Reply
		shows    []string
		button   string
		does     string
		tells    string
		tellsFr  string
		buttonFr string
	}{
		"create": {func(w *world) bot.Reply {
			return w.say("/post alertes\nIncendie à la gare\n\nLe trafic est interrompu.\nIl reprendra demain.\nhttps://news.example/a/1")
		}, []string{"alertes", "Incendie à la gare", "Le trafic est interrompu.\nIl reprendra demain.", "https://news.example/a/1"}, "Publish now",
			"Anna by pigeon creates alertes/Incendie à la gare/Le trafic est interrompu.\nIl reprendra demain./https://news.example/a/1",
			"is published in alertes (8f21)", "paraît dans alertes (8f21)", "Publier"},
		"edit": {func(w *world) bot.Reply { return w.say("/edit 8f21 Incendie maîtrisé") }, []string{"Incendie à la gare", "Incendie maîtrisé"}, "Correct it",
			"Anna by pigeon edits 8f21 Incendie maîtrisé//", "is corrected (8f21)", "est corrigé (8f21)", "Corriger"},
		"retract": {func(w *world) bot.Reply { return w.say("/retract 8f21 wrong place") }, []string{"Incendie à la gare", "wrong place"}, "Retract it",
			"Anna by pigeon retracts 8f21 wrong place", "is retracted (8f21)", "est retiré (8f21)", "Retirer partout"},
		"pause": {func(w *world) bot.Reply { return w.say("/pause-channel alertes") }, []string{"alertes"}, "Pause the channel",
			"Anna by pigeon pauses alertes", "alertes is paused.", "alertes est en pause.", "Mettre le canal"},
		"resume": {func(w *world) bot.Reply { return w.say("/resume_channel alertes") }, []string{"alertes"}, "Resume the channel",
			"Anna by pigeon resumes alertes", "alertes was not paused.", "alertes n’était pas", "Reprendre le canal"},
		"release": {func(w *world) bot.Reply {
			return w.press(w.say("/held"), map[string]string{"en": "Release articles", "fr": "Libérer articles"}[w.lang])
		}, []string{"articles", "40"}, "Release articles", "Anna by pigeon releases articles, dropped false", "articles: 3 items released.", "3 éléments libérés", "Libérer"},
		"discard": {func(w *world) bot.Reply {
			return w.press(w.say("/held"), map[string]string{"en": "Discard articles", "fr": "Écarter articles"}[w.lang])
		}, []string{"articles", "40"}, "Discard articles", "Anna by pigeon releases articles, dropped true", "3 items discarded.", "3 éléments écartés", "Écarter"},
		"arrived": {func(w *world) bot.Reply {
			return w.press(w.say("/unknown"), map[string]string{"en": "77 is there", "fr": "77 est arrivé"}[w.lang])
		}, []string{"Incendie", "telegram"}, "77 is there", "Anna by pigeon settles 77, arrived true", "it arrived", "il est arrivé", "77 est arrivé"},
		"missing": {func(w *world) bot.Reply {
			return w.press(w.say("/unknown"), map[string]string{"en": "77 is missing", "fr": "77 manque"}[w.lang])
		}, []string{"Incendie", "telegram"}, "77 is missing", "Anna by pigeon settles 77, arrived false", "it is sent again", "il est renvoyé", "77 manque"},
		"messages arrived": {func(w *world) bot.Reply {
			return w.press(w.say("/unknown"), map[string]string{"en": "78 is there", "fr": "78 est arrivé"}[w.lang])
		}, []string{"12", "channel alertes 8f21"}, "78 is there",
			"Anna by pigeon settles messages 78, arrived true", "12 messages are settled: they arrived", "12 messages réglés", "78 est arrivé"},
		"messages missing": {func(w *world) bot.Reply {
			return w.press(w.say("/unknown"), map[string]string{"en": "78 is missing", "fr": "78 manque"}[w.lang])
		}, []string{"12", "channel alertes 8f21"}, "78 is missing",
			"Anna by pigeon settles messages 78, arrived false", "they are sent again", "ils sont renvoyés", "78 manque"},
	} {
		for _, lang := range []string{"en", "fr"} {
			t.Run(name+" "+lang, func(t *testing.T) {
				t.Parallel()
				w := newStaff(t, lang)
				button, tells := c.button, c.tells
				if lang == "fr" {
					button, tells = c.buttonFr, c.tellsFr
				}
				asked := c.ask(w)
				w.reads(asked, c.shows...)
				if len(w.room.done) > 0 {
					t.Fatalf("done before it was confirmed: %q", w.room.done)
				}
				w.reads(w.press(asked, button), tells)
				again := w.press(asked, button)
				if diff := cmp.Diff([]string{c.does}, w.room.done); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if strings.Contains(text(again), tells) {
					t.Errorf("the second press says %q", text(again))
				}
			})
		}
	}
}

func TestStaffGiveUp(t *testing.T) {
	t.Parallel()
	w := newStaff(t, "en")
	asked := w.say("/retract 8f21")
	w.reads(w.press(asked, "Do nothing"), "Nothing was done")
	w.reads(w.press(asked, "Retract"), "done or given up already")
	late := w.say("/retract 8f21")
	w.now = w.now.Add(time.Hour)
	w.reads(w.press(late, "Retract"), "waited too long")
	if len(w.room.done) > 0 {
		t.Errorf("done: %q", w.room.done)
	}
}

// Somebody who is no staff sees nothing of what staff can do, by commands, by buttons of others, or in the help.
func TestStrangersSeeNothing(t *testing.T) {
	t.Parallel()
	w := newStaff(t, "en")
	asked := w.say("/retract 8f21")
	w.reads(w.say("/help"), "For the newsroom")
	for _, name := range []string{"", "@annab2", "annab", "@"} {
		w.name, w.from.Value = name, "other"+name
		plain := newWorld(t, "en").say("/retract 8f21")
		for _, command := range []string{"/post alertes\nx", "/edit 8f21 x", "/retract 8f21", "/pause_channel alertes", "/held", "/unknown"} {
			w.memory.first = map[string]time.Time{}
			if got := w.say(command); text(got) != text(plain) {
				t.Errorf("%s says %q to a stranger", command, text(got))
			}
		}
		w.reads(w.press(asked, "Retract"), "older message")
		if strings.Contains(text(w.say("/help")), "newsroom") {
			t.Error("the help of a stranger names the newsroom")
		}
	}
	// Another medium's handle of the same name is somebody else.
	w.name, w.from = "@annab", sdk.Handle{Medium: "raven", Value: "1"}
	w.reads(w.press(asked, "Retract"), "older message")
	if len(w.room.done) > 0 {
		t.Errorf("done: %q", w.room.done)
	}
}

// A confirmation belongs to whom it was shown, and what it needs is asked for when it is pressed.
func TestStaffRights(t *testing.T) {
	t.Parallel()
	staff := []bot.Staff{
		{Handle: sdk.Handle{Medium: "pigeon", Value: "@annab"}, Name: "Anna", May: []string{bot.MayCreate}},
		{Handle: sdk.Handle{Medium: "pigeon", Value: "43"}, Name: "Bo", May: bot.Rights()},
	}
	w := newStaff(t, "en", func(s *bot.Settings) { s.Staff = staff })
	for _, command := range []string{"/edit 8f21 x", "/retract 8f21", "/pause_channel alertes", "/held", "/unknown", "/resume_channel alertes"} {
		w.reads(w.say(command), "may not do this")
	}
	if help := text(w.say("/help")); !strings.Contains(help, "/post CHANNEL") || strings.Contains(help, "/retract") {
		t.Errorf("the help is %q", help)
	}
	asked := w.say("/post alertes x")
	w.from.Value, w.name = "43", ""
	w.reads(w.press(asked, "Publish now"), "done or given up already") // Bo was not asked
	list := w.say("/held")
	retract := w.say("/retract 8f21")
	staff[1].May = []string{bot.MayCreate} // the slice is the bot's
	w.reads(w.press(list, "Release"), "may not do this")
	w.reads(w.press(retract, "Retract"), "may not do this")
	if len(w.room.done) > 0 {
		t.Errorf("done: %q", w.room.done)
	}
}

func TestStaffMistakes(t *testing.T) {
	t.Parallel()
	w := newStaff(t, "en")
	for command, says := range map[string]string{
		"/post": "/post CHANNEL", "/post alertes": "/post CHANNEL", "/edit": "/edit POST", "/edit 8f21": "/edit POST", "/retract": "/retract POST",
		"/pause_channel": "/pause_channel CHANNEL", "/resume_channel a b": "/resume_channel CHANNEL",
		"/post nowhere\nTitle": "there is no channel", "/edit 9999 x": "there is no post 9999", "/retract 9999": "there is no post 9999",
	} {
		w.reads(w.say(command), says)
	}
	w.room.held, w.room.lost, w.room.unsure = nil, nil, nil
	w.reads(w.say("/held"), "No source waits")
	w.reads(w.say("/unknown"), "No delivery is unknown")
	asked := w.say("/retract 8f21")
	w.room.broken = errors.New("the disk with the secret path is full")
	r := w.press(asked, "Retract")
	w.reads(r, "could not be done")
	if strings.Contains(text(r), "secret") {
		t.Errorf("our own error is shown: %q", text(r))
	}
	w.room.broken = sdk.Errorf(sdk.CodeInvalid, "retract", "it is retracted already")
	w.reads(w.press(w.say("/retract 8f21"), "Retract"), "it is retracted already")
}
