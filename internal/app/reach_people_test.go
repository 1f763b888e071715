package app

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// TestRulesOfTheConfiguration holds that what the configuration says of a medium decides about real messages, and that an
// operator is told the same reason.
func TestRulesOfTheConfiguration(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		config, messages string
		before           func(t *testing.T, p *post)
		reason, sentence string
	}{
		"the law's hours": {config: `medium_rules: {email: {quiet: {EVERYWHERE: "00:00-12:00, 12:00-24:00"}}}`, reason: "quiet_hours_endless", sentence: "never end"},
		"the law's hours of a country, for who gave no zone": {config: `medium_rules: {email: {quiet: {FR: "00:00-12:00, 12:00-24:00"}}}`, reason: "quiet_hours_endless", sentence: "never end"},
		"a platform that forbids the same to many":           {config: `medium_rules: {email: {own_choice: true}}`, reason: "not_selected", sentence: "no choice of this person selects this one"},
		"a reply window": {config: `medium_rules: {email: {reply_window: 24h}}`, reason: "reply_window_closed", sentence: "only after they write again"},
		"a week": {messages: ", per_week: 1", before: func(t *testing.T, p *post) {
			t.Helper()
			p.publish(feedtest.Article{ID: "first", Title: "Le premier de la semaine"})
			p.until("the first of the week", func() bool { return len(p.letters()) == 1 })
		}, reason: "cap_of_week", sentence: "this week"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPost(t)
			p.config(strings.NewReplacer("%RELAY%", p.relay.Addr, "{destination: mail}", "{destination: mail"+test.messages+"}", "channels:", test.config+"\nchannels:").Replace(followed))
			p.start()
			who := p.follow("reader", consent.Preferences{})
			if test.before != nil {
				test.before(t, p)
			}
			sent := len(p.letters())
			p.publish(feedtest.Article{ID: "it", Title: "Ce qui attend"})
			p.until("it is shown", func() bool { return len(p.posts()) == sent+1 })
			post := p.posts()[0]
			for _, q := range p.posts() {
				if q.ID > post.ID {
					post = q
				}
			}
			d := &desk.People{Desk: &desk.Desk{Config: p.app.Config(), Store: p.app.Store(), Now: time.Now()}, Registry: p.app.people}
			var last []desk.WhyMessage
			p.until("it is decided", func() bool {
				var err error
				last, err = d.WhyPerson(context.Background(), who, post.PublicID, func(s consent.Stream) (consent.Judgement, error) {
					preview := NewPreview(p.app.Config(), p.app.Store(), p.app.people, p.app.engine.Program())
					a, err := preview.Ask(context.Background(), s, who, time.Now())
					if err == nil && a.Reason != test.reason {
						t.Errorf("asked now it is %+v", a.Judgement)
					}
					return a.Judgement, err
				})
				if err != nil {
					t.Fatal(err)
				}
				return len(last) == 1 && !last[0].Now
			})
			if last[0].Reason != test.reason || !strings.Contains(last[0].Sentence, test.sentence) {
				t.Errorf("it is told as %+v", last[0])
			}
			if n := len(p.letters()); n != sent {
				t.Errorf("%d mails left", n-sent)
			}
		})
	}
}

// TestAnAudienceThatMultiplied is braked, and the house is told.
func TestAnAudienceThatMultiplied(t *testing.T) {
	t.Parallel()
	p := newPost(t)
	p.config(strings.NewReplacer("%RELAY%", p.relay.Addr, "channels:", "new_audience: {first: 2, growth: 2, people: 4}\nchannels:").Replace(followed))
	p.start()
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		p.follow(name, consent.Preferences{})
	}
	p.publish(feedtest.Article{ID: "a", Title: "Première"})
	p.until("the first two", func() bool { return len(p.letters()) == 2 })
	var held []desk.HeldMessages
	d := &desk.Desk{Config: p.app.Config(), Store: p.app.Store(), Now: time.Now(), Actor: "ada"}
	p.until("the others wait", func() bool {
		var err error
		if held, err = d.HeldMessages(context.Background()); err != nil {
			t.Fatal(err)
		}
		return len(held) == 1 && held[0].People == 3
	})
	open := func() bool {
		list, err := p.app.Store().Alerts(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range list {
			if a.Code == alert.MessagesHeld && strings.Contains(a.Sentence, "many new people follow alertes") {
				return true
			}
		}
		return false
	}
	if !open() {
		t.Error("nobody is told")
	}
	if n, err := d.ReleaseMessages(context.Background(), held[0].Number); err != nil || n != 3 {
		t.Errorf("%d released, %v", n, err)
	}
	p.app.direct.Wake()
	p.until("all have it", func() bool { return len(p.letters()) == 5 })
	if open() {
		t.Error("the alert goes on")
	}
}
