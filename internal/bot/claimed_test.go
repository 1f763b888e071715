package bot_test

import (
	"testing"

	"github.com/belfry-news/belfry/internal/bot"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/sdk"
)

// TestClaimed: of what nothing proves who wrote it, only a pause comes, which one step undoes; nobody who follows nothing is
// answered, and nobody is staff.
func TestClaimed(t *testing.T) {
	t.Parallel()
	for lang, words := range map[string][2]string{"en": {"asked La Gazette to stop", "with your address as its sender came to La Gazette"},
		"fr": {"a demandé à La Gazette d’arrêter", "est parvenu à La Gazette"}} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, lang, func(s *bot.Settings) {
				s.Forwards = true
				s.Staff = append(s.Staff, bot.Staff{Handle: sdk.Handle{Medium: consent.Email, Value: "anna@news.example"}, Name: "Anna", May: bot.Rights()})
			})
			claim := func(from, text string) bot.Reply {
				w.from = sdk.Handle{Medium: consent.Email, Value: from}
				e := w.event(sdk.EventMessage)
				e.Text, e.Claimed = text, true
				return w.handle(e)
			}
			for _, text := range []string{"STOP", "/start alertes", "START", "Hello there", "help"} {
				if r := claim("stranger@reader.example", text); r.Answer != nil || r.Forward != bot.ForwardUnknown {
					t.Errorf("%s: a stranger is answered %q", text, bot.Reply{}.Forward)
				}
			}
			w.from = sdk.Handle{Medium: "pigeon", Value: "42"}
			w.follow("alertes")
			reader := w.people.readers[w.from]
			reader.Grants[0].Medium = consent.Email
			w.people.readers[sdk.Handle{Medium: consent.Email, Value: "lea@reader.example"}] = reader
			for _, text := range []string{"hello", "/pause 7", "/mydata", "/topics"} {
				r := claim("lea@reader.example", text)
				if !w.reader().Habits.PausedUntil.IsZero() || r.Answer == nil != (text != "hello") {
					t.Errorf("%s: %+v", text, r)
				}
				if text == "hello" {
					w.reads(r, words[1])
				}
			}
			r := claim("lea@reader.example", "STOP")
			w.reads(r, words[0])
			if len(w.active()) != 1 || !w.reader().Habits.PausedUntil.Equal(consent.UntilResumed()) || len(r.Answer.Buttons) != 1 || r.Answer.Buttons[0][0].URL != "https://news.example/me/link-of-a-person" {
				t.Errorf("%v, %+v, %+v", w.active(), w.reader().Habits, r.Answer)
			}
			for _, text := range []string{"Arrêt !", "/forget", "please don't stop"} {
				if r := claim("lea@reader.example", text); r.Answer != nil || len(w.active()) != 1 {
					t.Errorf("%s: it is answered again: %+v", text, r)
				}
			}
			if claim("anna@news.example", "/retract 8f21 x"); len(w.room.done) > 0 {
				t.Errorf("whoever names themselves staff did %v", w.room.done)
			}
			// Proved, the same word ends it.
			w.from = sdk.Handle{Medium: consent.Email, Value: "lea@reader.example"}
			w.say("STOP")
			if len(w.active()) != 0 {
				t.Error("STOP did not end it")
			}
		})
	}
}
