package bot_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/bot"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/sdk"
)

// A deep link shows the exact wording, and only the button under it grants.
func TestFollowing(t *testing.T) {
	t.Parallel()
	for lang, c := range map[string]struct{ wording, button, done, title string }{
		"en": {"Breaking\nWhat cannot wait\n\nPress “Follow” and La Gazette writes to you here with what it publishes in “Breaking” (each publication at once), and with " +
			"nothing else. Each message says why you get it. You can end it at any time: send STOP or press “Leave”.",
			"Follow Breaking", "You now follow “Breaking”: each publication at once.", "Breaking"},
		"fr": {"Alertes\nCe qui ne peut attendre\n\nAppuyez sur «\u00a0Suivre\u00a0» et La Gazette vous écrit ici ce qui paraît dans «\u00a0Alertes\u00a0» (chaque publication " +
			"dès sa parution), et rien d’autre. Chaque message dit pourquoi vous le recevez. Vous pouvez y mettre fin à tout moment\u00a0: " +
			"envoyez ARRÊT ou appuyez sur «\u00a0Ne plus suivre\u00a0».",
			"Suivre Alertes", "Vous suivez désormais «\u00a0Alertes\u00a0»\u00a0: chaque publication dès sa parution.", "Alertes"},
	} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, lang)
			shown := w.say("/start alertes")
			if text(shown) != c.wording {
				t.Errorf("the wording is\n%s\nwant\n%s", text(shown), c.wording)
			}
			if shown.Answer.ReplyTo != "m1" || len(w.people.follows) > 0 || len(w.people.readers) > 0 {
				t.Errorf("a link granted %+v", w.people.follows)
			}
			w.reads(w.press(shown, c.button), c.done)
			want := []consent.Follow{{From: w.from, Purposes: []consent.Purpose{{Kind: consent.Channel, Name: "alertes"}},
				Preferences: consent.Preferences{Mode: consent.Instant}, Habits: consent.Habits{Lang: lang},
				Evidence: consent.Evidence{At: w.now, Method: consent.ByButton, Actor: consent.Self, Wording: c.wording, Version: "bot-1", Lang: lang,
					Where: "pigeon e2"}}}
			want[0].Preferences = w.people.follows[0].Preferences // filled in by the offer
			if diff := cmp.Diff(want, w.people.follows); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			// The second press changes nothing, and the list shows what is followed.
			w.press(shown, c.button)
			if len(w.people.follows) != 1 {
				t.Error("the second press granted again")
			}
			if got := labels(w.say("/channels")); !strings.Contains(strings.Join(got, "|"), c.title) || len(got) != 3 {
				t.Errorf("the list has %q", got)
			}
		})
	}
}

func TestNothingIsGrantedBy(t *testing.T) {
	t.Parallel()
	for name, act := range map[string]func(w *world){
		"start":              func(w *world) { w.say("/start") },
		"a link":             func(w *world) { w.say("/start alertes") },
		"a notice's link":    func(w *world) { w.say("/start _rendez-vous") },
		"an unknown link":    func(w *world) { w.say("/start no-such-channel") },
		"the keyword":        func(w *world) { w.say("START") },
		"yes":                func(w *world) { w.say("yes") },
		"unblocking":         func(w *world) { w.handle(w.event(sdk.EventReopen)) },
		"following by event": func(w *world) { w.handle(w.event(sdk.EventFollow)) },
		"a list":             func(w *world) { w.press(w.say("/channels"), "Follow Breaking") },
		"a guessed button": func(w *world) {
			w.push(strings.ReplaceAll(button(w.t, w.say("/channels"), "Follow Breaking"), "|s|", "|f|") + "|AAAAAAAA")
		},
		"a channel that is not offered here": func(w *world) { w.say("/start lettre") },
		"a wording that has changed": func(w *world) {
			r := w.say("/start alertes")
			w.people.offers[0].Description["en"] = "Everything, all day long"
			w.reads(w.press(r, "Follow Breaking"), "has changed since you read it", "Everything, all day long")
		},
		"a channel that has gone": func(w *world) {
			r := w.say("/start alertes")
			w.people.offers = w.people.offers[1:]
			w.reads(w.press(r, "Follow Breaking"), "older message")
		},
		"a refusal": func(w *world) {
			r := w.say("/start alertes")
			w.people.broken = sdk.Errorf(sdk.CodeInvalid, "follow", "no")
			w.reads(w.press(r, "Follow Breaking"), "nothing has changed")
		},
		"settings": func(w *world) {
			for _, c := range []string{"/quiet 22-7", "/pause 1d", "/lang fr", "/topics", "/digest", "/zone Europe/Paris", "/mydata", "/forget", "/help", "/stop"} {
				w.say(c)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, "en")
			act(w)
			if len(w.people.follows) > 0 || len(w.people.readers) > 0 {
				t.Errorf("granted %+v", w.people.follows)
			}
		})
	}
}

// Every way to leave ends it, and what is said follows what consent gave back.
func TestLeaving(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		act    func(w *world) bot.Reply
		method consent.Method
		left   []string // what is followed afterwards
		says   map[string]string
	}{
		"the keyword": {func(w *world) bot.Reply { return w.say("Stop.") }, consent.ByKeyword, nil,
			map[string]string{"en": "You no longer follow Breaking and Le brief.", "fr": "Vous ne suivez plus Alertes et Le brief."}},
		"another language's keyword": {func(w *world) bot.Reply { return w.say("إلغاء الاشتراك") }, consent.ByKeyword, nil, map[string]string{"en": "no longer follow", "fr": "ne suivez plus"}},
		"ARRÊT":                      {func(w *world) bot.Reply { return w.say("ARRÊT SVP") }, consent.ByKeyword, nil, map[string]string{"en": "no longer follow", "fr": "ne suivez plus"}},
		"the command":                {func(w *world) bot.Reply { return w.say("/stop@gazette_bot") }, consent.ByKeyword, nil, map[string]string{"en": "no longer follow", "fr": "ne suivez plus"}},
		"with a name": {func(w *world) bot.Reply { return w.say("/stop le BRIEF") }, consent.ByKeyword, []string{"alertes"},
			map[string]string{"en": "You no longer follow Le brief. Nothing more comes from it.\n\nYou still follow Breaking.", "fr": "Vous suivez encore Alertes."}},
		"with an unknown name": {func(w *world) bot.Reply { return w.say("/stop everything please") }, consent.ByKeyword, nil, map[string]string{"en": "no longer", "fr": "ne suivez plus"}},
		"the button": {func(w *world) bot.Reply {
			return w.press(w.say("/channels"), map[string]string{"en": "Leave Breaking", "fr": "Ne plus suivre Alertes"}[w.lang])
		}, consent.ByButton, []string{"brief"}, map[string]string{"en": "You no longer follow Breaking.", "fr": "Vous ne suivez plus Alertes."}},
		"the button for all": {func(w *world) bot.Reply {
			return w.press(w.say("/stop brief"), map[string]string{"en": "Leave everything", "fr": "Ne plus rien suivre"}[w.lang])
		}, consent.ByButton, nil, map[string]string{"en": "no longer follow Breaking", "fr": "ne suivez plus Alertes"}},
		"blocking": {func(w *world) bot.Reply { return w.handle(w.event(sdk.EventStop)) }, consent.ByPlatform, nil, nil},
	} {
		for _, lang := range []string{"en", "fr"} {
			t.Run(name+" "+lang, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, lang)
				w.follow("alertes")
				w.follow("brief")
				r := c.act(w)
				if diff := cmp.Diff(c.left, w.active()); diff != "" {
					t.Errorf("still followed (-want +got):\n%s", diff)
				}
				last := w.people.withdrawn[len(w.people.withdrawn)-1]
				if last.Evidence.Method != c.method || last.Medium != "pigeon" {
					t.Errorf("the withdrawal is %+v", last)
				}
				if c.says == nil && (r.Answer != nil || r.Forward != "") {
					t.Errorf("answered %q", text(r))
				}
				if c.says != nil {
					w.reads(r, c.says[lang])
				}
			})
		}
	}
}

// The acknowledgement is said only when nothing is under way any more; and not at all when nothing was recorded.
func TestAcknowledgement(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "en")
	w.follow("alertes")
	w.people.broken = errors.New("the disk is full")
	e := w.event(sdk.EventMessage)
	e.Text = "STOP"
	if r, err := w.bot.Handle(t.Context(), e); err == nil || r.Answer != nil {
		t.Errorf("acknowledged %q, %v", text(r), err)
	}
	w.people.broken, w.people.unsettled = nil, true
	r := w.handle(e)
	w.reads(r, "It is recorded that you no longer want Breaking.", "One message may already be on its way")
	if strings.Contains(text(r), "You no longer follow") || strings.Contains(text(r), "nothing more") {
		t.Errorf("acknowledged although a message may be under way: %q", text(r))
	}
	// The same event again: nothing is left to end, and still no acknowledgement that would not be true.
	if r := w.handle(e); !strings.Contains(text(r), "may already be on its way") {
		t.Errorf("said %q", text(r))
	}
	w.people.unsettled = false
	w.reads(w.handle(e), "You follow nothing here")
	w.from.Value = "43"
	w.reads(w.say("stop"), "You follow nothing here")
}

// A word that ends everything, where it is no order, is read by a person, and pauses for a week.
func TestMaybe(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "en", func(s *bot.Settings) { s.Forwards = true })
	w.follow("alertes")
	r := w.say("Please don't stop!")
	if r.Forward != bot.ForwardMaybeStop || len(w.people.withdrawn) > 0 || !w.reader().Habits.PausedUntil.Equal(w.now.AddDate(0, 0, 7)) {
		t.Errorf("%q, %+v", r.Forward, w.reader().Habits)
	}
	w.reads(r, "Do you want no more messages?", "A person of the newsroom")
	again := w.say("I said don't stop")
	if again.Answer != nil || again.Forward != bot.ForwardMaybeStop {
		t.Errorf("answered twice: %q, %q", text(again), again.Forward)
	}
	w.reads(w.press(r, "Resume"), "Nothing is paused")
	if !w.reader().Habits.PausedUntil.IsZero() || len(w.active()) != 1 {
		t.Errorf("%+v", w.reader())
	}
	w.press(r, "Leave everything")
	if len(w.active()) != 0 {
		t.Error("the button under the question did not end it")
	}
	// Who follows nothing has nothing to pause.
	if r := w.say("how do I stop the war"); r.Forward != bot.ForwardUnknown || !w.reader().Habits.PausedUntil.IsZero() {
		t.Errorf("%q, %+v", r.Forward, w.reader().Habits)
	}
}

func TestUnknownMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "en", func(s *bot.Settings) { s.Forwards = true })
	for i, c := range []struct {
		text     string
		answered bool
		after    time.Duration
	}{{"Thank you", true, time.Hour}, {"/frobnicate", false, 22 * time.Hour}, {"hello", false, time.Hour}, {"hello again", true, 0}} {
		r := w.say(c.text)
		if (r.Answer != nil) != c.answered || r.Forward != bot.ForwardUnknown {
			t.Errorf("message %d: answered %q, forwarded %q", i, text(r), r.Forward)
		}
		w.now = w.now.Add(c.after)
	}
	if r := w.say(""); r.Forward != "" {
		t.Error("a picture without words was forwarded")
	}
	alone := newWorld(t, "fr")
	r := alone.say("Bonjour")
	alone.reads(r, "qui ne comprend que des commandes", "personne ne lit")
	if r.Forward != "" {
		t.Error("forwarded although nobody reads")
	}
}

func TestTopics(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "en")
	w.reads(w.say("/topics"), "None of what you follow")
	w.follow("alertes")
	w.follow("brief")
	r := w.say("/topics")
	w.reads(r, "“Breaking”: you get every topic")
	r = w.press(r, "Add sport")
	w.reads(r, "you get only sport")
	r = w.press(r, "Add politique")
	w.reads(r, "only politique and sport")
	r = w.press(r, "Take out sport")
	if diff := cmp.Diff([]string{"politique"}, w.reader().Grants[0].Preferences.Topics); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.people.offers[0].Topics = []string{"politique"}
	w.reads(w.press(r, "Add sport"), "older message")
}

func TestDigest(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "fr")
	w.reads(w.say("/digest"), "pas d’autre rythme")
	w.follow("brief")
	prefs := func() consent.Preferences { return w.reader().Grants[0].Preferences }
	r := w.say("/rythme")
	w.reads(r, "dans un récapitulatif à 7\u00a0h\u00a000", "celles de Paris")
	r = w.press(r, "Récapitulatif à 18")
	if diff := cmp.Diff([]string{"07:00", "18:30"}, prefs().Slots); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r = w.press(r, "Pas de récapitulatif à 7")
	if got := labels(r); strings.Contains(strings.Join(got, "|"), "Pas de récapitulatif") {
		t.Errorf("the last time can be taken away: %q", got)
	}
	r = w.press(r, "Chaque publication")
	if prefs().Mode != consent.Instant || len(prefs().Slots) > 0 {
		t.Errorf("%+v", prefs())
	}
	w.press(r, "Récapitulatif à 18")
	if diff := cmp.Diff([]string{"18:30"}, prefs().Slots); diff != "" || prefs().Mode != consent.Digest {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.follow("alertes")
	r = w.say("/digest")
	w.reads(r, "Lequel\u00a0?")
	w.press(w.press(r, "Alertes"), "Informations urgentes")
	if !w.reader().Grants[1].Preferences.Breaking {
		t.Errorf("%+v", w.reader().Grants[1])
	}
	w.press(w.say("/digest alertes"), "Heures calmes même pour")
	if w.reader().Grants[1].Preferences.Breaking {
		t.Errorf("%+v", w.reader().Grants[1])
	}
}

func TestQuiet(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]string{
		"/quiet 22:30-06:45": {"22:30", "06:45"}, "/quiet 22-7": {"22:00", "07:00"}, "/quiet 22h30 à 7h": {"22:30", "07:00"},
		"/quiet 23h–6h": {"23:00", "06:00"}, "/silence 2100-0800": {"21:00", "08:00"}, "/quiet 9 to 17": {"09:00", "17:00"},
		"/quiet 25-7": {}, "/quiet 22:70-7": {}, "/quiet night": {}, "/quiet 7-7": {}, "/quiet": {}, "/quiet 22:00-": {},
	} {
		w := newWorld(t, "en")
		w.follow("alertes")
		w.say(text)
		if h := w.reader().Habits; h.QuietFrom != want[0] || h.QuietUntil != want[1] {
			t.Errorf("%q sets %q to %q", text, h.QuietFrom, h.QuietUntil)
		}
	}
	w := newWorld(t, "en")
	w.reads(w.say("/quiet 22-7"), "nothing to change")
	w.follow("alertes")
	r := w.press(w.say("/quiet"), "Quiet from 22:00")
	w.reads(r, "from 22:00 to 07:00, Paris time")
	w.reads(w.say("/quiet tomorrow"), "cannot be read", "from 22:00 to 07:00")
	w.reads(w.press(r, "No quiet hours"), "You have no quiet hours")
	w.reads(w.say("/zone America/Montreal"), "Montreal, where it is 01:58")
	w.reads(w.say("/zone Mars/Olympus"), "no time zone")
	if w.reader().Habits.Zone != "America/Montreal" {
		t.Errorf("%+v", w.reader().Habits)
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "fr")
	w.follow("alertes")
	r := w.say("/pause")
	for _, c := range []struct {
		button, says string
		until        time.Time
	}{
		{"Un jour", "jusqu’au samedi 21 novembre 2026 à 7\u00a0h\u00a058 (Paris)", w.now.AddDate(0, 0, 1)},
		{"Une semaine", "vendredi 27 novembre 2026", w.now.AddDate(0, 0, 7)},
		{"Pause jusqu’à nouvel ordre", "ce que vous écriviez /resume", consent.UntilResumed()},
	} {
		w.reads(w.press(r, c.button), c.says)
		if got := w.reader().Habits.PausedUntil; !got.Equal(c.until) || got.Location() != time.UTC {
			t.Errorf("%s: until %s, want %s", c.button, got, c.until)
		}
	}
	w.reads(w.say("/resume"), "Rien n’est en pause")
	if !w.reader().Habits.PausedUntil.IsZero() {
		t.Error("still paused")
	}
}

func TestLanguage(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "pt-BR") // no words for it: the site's
	w.reads(w.say("/help"), "Ce programme")
	w.lang = "en-GB"
	w.reads(w.say("/aide"), "This program")
	w.press(w.say("/start alertes"), "Follow")
	w.reads(w.press(w.say("/lang"), "Français"), "désormais en français")
	w.reads(w.say("help"), "Ce programme")
	w.reads(w.say("/lang en"), "in English now")
	if w.reader().Habits.Lang != "en" {
		t.Errorf("%+v", w.reader().Habits)
	}
}

func TestMyDataAndForget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "en", func(s *bot.Settings) { s.Privacy = "https://news.example/privacy" })
	w.reads(w.say("/mydata"), "keeps nothing about you")
	w.reads(w.say("/forget"), "keeps nothing about you")
	w.follow("alertes")
	r := w.say("/mydata")
	w.reads(r, "since 20 November 2026", "…42", "“Breaking” by pigeon", "1 message", "2 entries")
	if r.Answer.Buttons[0][0].URL != "https://news.example/me/link-of-a-person/data" {
		t.Errorf("%+v", r.Answer.Buttons)
	}
	w.reads(w.say("/privacy"), "/forget erases it")
	ask := w.say("/forget")
	w.reads(ask, "cannot be undone")
	if w.people.erased != 0 {
		t.Error("erased without a confirmation")
	}
	w.now = w.now.Add(2 * time.Hour)
	w.reads(w.press(ask, "Erase everything"), "cannot be undone") // it waited too long: asked again
	w.push("1|e|zzzzzzzzzz")
	if w.people.erased != 0 {
		t.Error("erased by an old or forged button")
	}
	w.people.backups = time.Date(2026, 12, 20, 0, 0, 0, 0, time.UTC)
	w.people.unsettled = true
	ask = w.say("/forget")
	w.reads(w.press(ask, "Erase everything"), "is erased", "One message may already be on its way", "until 20 December 2026")
	if w.people.erased != 1 {
		t.Error("not erased")
	}
	w.reads(w.press(ask, "Erase everything"), "keeps nothing about you")
}

// A mail has no buttons: what they do stands behind links, and nothing of an answer leads nowhere.
func TestAnswersByMail(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "en")
	w.follow("alertes")
	reader := w.people.readers[w.from]
	w.from = sdk.Handle{Medium: consent.Email, Value: "lea@example.org"}
	links := func(r bot.Reply) (out []string) {
		t.Helper()
		if r.Answer == nil {
			t.Fatal("no answer")
		}
		for _, row := range r.Answer.Buttons {
			for _, b := range row {
				if b.Data != "" {
					t.Errorf("the button %q sends data", b.Text)
				}
				out = append(out, b.Text+" "+b.URL)
			}
		}
		return out
	}
	same := func(what string, got []string, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", what, diff)
		}
	}
	same("a stranger", links(w.say("Hello there")), "Show what can be followed https://news.example/")
	same("something to follow", links(w.say("/start lettre")), "Follow La lettre https://news.example/follow/lettre", "Show what can be followed https://news.example/")
	w.people.readers[w.from] = reader
	const own = "https://news.example/me/link-of-a-person"
	same("forget", links(w.say("/forget")), "Erase everything about me "+own+"/forget")
	same("maybe", links(w.say("Please don't stop!")), "Open my preferences "+own)
	same("privacy", links(w.say("/privacy")), "What is known about you "+own+"/data")
}

func TestStaleButtons(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "en")
	w.follow("alertes")
	before := w.reader()
	for _, data := range []string{"", "1", "|", "0|x", "2|x", "1|?", "1|l", "1|l|AAAAAAAA", "1|d|AAAAAAAA|i", "follow", "1|S|x", "1|r|x|1", "1|u|7|1",
		"1|b|" + strings.Repeat("x", 50), "\x00", "1|N"} {
		r := w.push(data)
		w.reads(r, "older message")
	}
	// What is a button but asks for nonsense leaves things as they are.
	for _, data := range []string{"1|p|1000y", "1|q|99", "1|g|xx", "1|c|-5", "1|c|999"} {
		w.push(data)
	}
	if diff := cmp.Diff(before, w.reader()); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestManyChannels(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "en")
	for i := range 20 {
		w.people.offers = append(w.people.offers, consent.Offer{Purpose: consent.Purpose{Kind: consent.Channel, Name: strings.Repeat("x", 62) + string(rune('a'+i))},
			Title: map[string]string{"": strings.Repeat("A very long title ", 9)}, Media: []consent.Medium{{Name: "pigeon"}}})
	}
	r, seen := w.say("/channels"), 0
	for {
		n := len(labels(r))
		if n == 9 {
			seen += 8
			r = w.press(r, "Show more")
			continue
		}
		seen += n
		break
	}
	if seen != 23 {
		t.Errorf("%d of 23 channels are listed", seen)
	}
	w.say("/start " + bot.Payload(w.people.offers[5].Purpose))
}

func TestMenu(t *testing.T) {
	t.Parallel()
	for _, lang := range []string{"en", "fr"} {
		menu := bot.Menu(lang)
		if len(menu) < 10 {
			t.Errorf("%s: %d commands", lang, len(menu))
		}
		w := newWorld(t, lang)
		w.follow("alertes")
		for _, c := range menu {
			r := w.say("/" + c.Name)
			if r.Answer == nil || r.Forward != "" {
				t.Errorf("/%s is not understood", c.Name)
			}
			if !strings.Contains(text(w.say("/help")), c.Text) {
				t.Errorf("the help lacks /%s", c.Name)
			}
		}
	}
}

// Other kinds of events are no conversation.
func TestOtherEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t, "en")
	for _, kind := range []sdk.EventKind{sdk.EventReopen, sdk.EventReaction, sdk.EventReceipt, sdk.EventBounce, sdk.EventComplaint, "new"} {
		if r := w.handle(w.event(kind)); r.Answer != nil || r.Forward != "" {
			t.Errorf("%s: %+v", kind, r)
		}
	}
}
