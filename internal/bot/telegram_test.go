package bot_test

import (
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/connectors/telegram"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/internal/bot"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

// phone is the bot on a platform that refuses what Telegram refuses, with the host between them played by hand: what is
// written is heard, handled and answered under a permit for an answer.
type phone struct {
	*world
	server *telegramtest.Server
	conn   *telegram.Connector
	events sdk.Events
	number int64
}

func newPhone(t *testing.T) *phone {
	t.Helper()
	const token = "123456:a-token_that-nobody-may-see"
	p := &phone{world: newWorld(t, "fr"), number: sdktest.FirstNobody + 42}
	for i := range p.people.offers {
		p.people.offers[i].Media = append(p.people.offers[i].Media, consent.Medium{Name: "telegram"})
	}
	p.from = sdk.Handle{Medium: "telegram", Value: strconv.FormatInt(p.number, 10)}
	p.server = telegramtest.New(telegramtest.Options{Token: token, BotID: 123456, Bot: "gazette_bot", Chats: []telegramtest.Chat{
		{ID: p.number, Type: "private", Title: "Anna", Username: "annab", Lang: "fr"}}})
	web := httptest.NewServer(p.server)
	t.Cleanup(web.Close)
	conn, err := telegram.Spec().Open(t.Context(), sdk.Settings{Instance: "telegram"},
		map[string]any{"token": token, "api": web.URL, "allow_private": []any{"127.0.0.1/32"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	p.conn = conn.(*telegram.Connector)
	if p.events, err = p.conn.Listen(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.events.Close() })
	return p
}

// turn hears one event and sends what is answered. It gives the last message on the phone.
func (p *phone) turn() telegramtest.Message {
	p.t.Helper()
	event, _, err := p.events.Next(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	if r := p.handle(event); r.Answer != nil {
		permit := sdktest.PermitFor(p.t, "a"+event.ID, event.From.Medium, event.From.Value, sdk.PurposeAnswer, p.event("").At.AddDate(50, 0, 0))
		if _, err := p.conn.Message(p.t.Context(), sdk.NewDirectMessage(permit, *r.Answer)); err != nil {
			p.t.Fatalf("the answer to %+v: %v", event, err)
		}
	}
	all := p.server.Messages(p.number)
	if len(all) == 0 {
		return telegramtest.Message{}
	}
	return all[len(all)-1]
}

func (p *phone) writes(text string) telegramtest.Message {
	p.t.Helper()
	if err := p.server.Say(p.number, text); err != nil {
		p.t.Fatal(err)
	}
	return p.turn()
}

func (p *phone) taps(m telegramtest.Message, beginning string) telegramtest.Message {
	p.t.Helper()
	for _, row := range m.Buttons {
		for _, b := range row {
			if strings.HasPrefix(b.Text, beginning) {
				if _, err := p.server.Press(p.number, m.ID, b.Data); err != nil {
					p.t.Fatal(err)
				}
				return p.turn()
			}
		}
	}
	p.t.Fatalf("no button %q under %q", beginning, m.Text)
	return telegramtest.Message{}
}

// A reader's day with the bot: follow by a link, choose, leave, and come back after blocking it.
func TestOnTelegram(t *testing.T) {
	t.Parallel()
	p := newPhone(t)
	link, err := p.conn.FollowLink(t.Context(), bot.Payload(p.people.offers[0].Purpose))
	if err != nil || link != "https://t.me/gazette_bot?start=alertes" {
		t.Fatalf("%q, %v", link, err)
	}
	m := p.writes("/start alertes")
	if !m.Preview.Disabled || len(p.people.follows) > 0 {
		t.Errorf("%+v", m)
	}
	m = p.taps(m, "Suivre Alertes")
	p.taps(p.taps(m, "Choisir des sujets"), "Ajouter sport")
	if diff := cmp.Diff([]string{"sport"}, p.reader().Grants[0].Preferences.Topics); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if m = p.writes("Arrêt !"); !strings.HasPrefix(m.Text, "Vous ne suivez plus Alertes.") || len(p.active()) != 0 {
		t.Errorf("%q, %v", m.Text, p.active())
	}
	p.taps(p.writes("/start brief"), "Suivre Le brief")
	for _, block := range []func(int64) error{p.server.Block, p.server.Unblock} {
		if err := block(p.number); err != nil {
			t.Fatal(err)
		}
		before := len(p.server.Messages(p.number))
		p.turn()
		if len(p.server.Messages(p.number)) != before || len(p.active()) != 0 {
			t.Errorf("after blocking or coming back: %v", p.active())
		}
	}
	if last := p.people.withdrawn[len(p.people.withdrawn)-1]; last.Evidence.Method != consent.ByPlatform {
		t.Errorf("%+v", last)
	}
}

// Every answer of the menu and every button under it is taken by the platform.
func TestEveryAnswerOnTelegram(t *testing.T) {
	t.Parallel()
	p := newPhone(t)
	p.taps(p.writes("/start alertes"), "Suivre")
	p.taps(p.writes("/start brief"), "Suivre")
	for _, lang := range i18n.Languages() {
		if err := p.conn.OfferCommands(t.Context(), lang, bot.Menu(lang)); err != nil {
			t.Fatal(err)
		}
		for _, c := range p.server.Commands(lang) {
			if c.Command == "stop" {
				continue
			}
			m := p.writes("/" + c.Command)
			for _, row := range m.Buttons {
				for _, b := range row {
					if b.Data != "" && !strings.HasPrefix(b.Data, "1|e|") && !strings.HasPrefix(b.Data, "1|l|") {
						p.taps(m, b.Text)
					}
				}
			}
		}
	}
	if diff := cmp.Diff([]string{"alertes", "brief"}, p.active()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
