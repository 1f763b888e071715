package demo

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
)

// world is what every place has of one article, whose copies are all there.
type world struct {
	books books
	held  holdings
}

const ledgerLink = "http://paper.example/newsroom/en/fog"

func complete() world {
	message := telegramtest.Message{ID: 7, Raw: `<a href="` + ledgerLink + `">Read</a>`}
	return world{
		books: books{posts: map[string]int{ledgerLink: 1}, under: map[string]store.Delivery{}, read: time.Now()},
		held: holdings{chats: map[int64][]telegramtest.Message{chatSecond: {message}},
			posts: []receivertest.Post{{ID: "p", URL: ledgerLink, Times: 1}}},
	}
}

func (w world) compare(published time.Time) Audit {
	return w.books.compare([]Article{{ID: "en/fog", Lang: "en", Story: Story{Title: "Fog"}, Published: published}}, w.held,
		map[string]edition{"en": {Lang: "en", Channel: "news", Chat: chatSecond}}, func(Article) string { return ledgerLink })
}

func TestLedger(t *testing.T) {
	t.Parallel()
	gone := time.Now()
	at := func(place string) []Finding { return []Finding{{Title: "Fog", Place: place}} }
	for _, tc := range []struct {
		name   string
		change func(w *world)
		recent bool
		want   Audit
	}{
		{"all is there", func(*world) {}, false, Audit{}},
		{"lost at Telegram", func(w *world) { w.held.chats = nil }, false, Audit{Lost: at(placeTelegram)}},
		{"taken away at Telegram", func(w *world) { w.held.chats[chatSecond][0].Deleted = gone }, false, Audit{Lost: at(placeTelegram)}},
		{"in another chat", func(w *world) { w.held.chats = map[int64][]telegramtest.Message{chatFirst: w.held.chats[chatSecond]} }, false,
			Audit{Lost: at(placeTelegram)}},
		{"lost at the webhook", func(w *world) { w.held.posts = nil }, false, Audit{Lost: at(placeWebhook)}},
		{"withdrawn at the webhook", func(w *world) { w.held.posts[0].Withdrawn = gone }, false, Audit{Lost: at(placeWebhook)}},
		{"lost on the page", func(w *world) { w.books.posts = nil }, false, Audit{Lost: at(placePage)}},
		{"not composed yet", func(w *world) { *w = world{books: books{read: time.Now()}} }, true, Audit{Open: 3}},
		{"never composed", func(w *world) { *w = world{books: books{read: time.Now()}} }, false,
			Audit{Lost: append(append(at(placePage), at(placeTelegram)...), at(placeWebhook)...)}},
		{"twice at Telegram", func(w *world) {
			w.held.chats[chatSecond] = append(w.held.chats[chatSecond], w.held.chats[chatSecond][0])
		}, false, Audit{Doubled: at(placeTelegram)}},
		{"twice at the webhook, as one post", func(w *world) { w.held.posts[0].Times = 2 }, false, Audit{Doubled: at(placeWebhook)}},
		{"twice at the webhook, as two posts", func(w *world) { w.held.posts = append(w.held.posts, w.held.posts[0]) }, false, Audit{Doubled: at(placeWebhook)}},
		{"twice on the page", func(w *world) { w.books.posts[ledgerLink] = 2 }, false, Audit{Doubled: at(placePage)}},
		{"under way", func(w *world) {
			w.held.chats = nil
			w.books.under[ledgerLink+" telegram"] = store.Delivery{ID: 3, State: outbox.Started}
		}, false, Audit{Open: 1}},
		{"unknown, not looked at yet", func(w *world) {
			d := store.Delivery{ID: 3, State: outbox.Unknown, Destination: placeTelegram, Title: "Fog"}
			w.books.under[ledgerLink+" telegram"], w.books.unknown = d, []store.Delivery{d}
		}, false, Audit{Open: 1, Unknown: []Finding{{Title: "Fog", Place: placeTelegram, Delivery: 3}}}},
		{"unknown, a person is asked", func(w *world) {
			d := store.Delivery{ID: 3, State: outbox.Unknown, Destination: placeTelegram, Title: "Fog", Reason: "asked"}
			w.books.under[ledgerLink+" telegram"], w.books.unknown = d, []store.Delivery{d}
		}, false, Audit{Unknown: []Finding{{Title: "Fog", Place: placeTelegram, Delivery: 3, Asked: true}}}},
		{"a digest is unknown", func(w *world) {
			w.books.unknown = []store.Delivery{{ID: 4, State: outbox.Unknown, Destination: placeTelegram, Title: "The brief", Reason: "asked"}}
		}, false, Audit{Unknown: []Finding{{Title: "The brief", Place: placeTelegram, Delivery: 4, Asked: true}}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			w := complete()
			tc.change(&w)
			published := w.books.read.Add(-time.Minute)
			if tc.recent {
				published = w.books.read.Add(-time.Second)
			}
			tc.want.Articles, tc.want.Copies = 1, 3
			if diff := cmp.Diff(tc.want, w.compare(published)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// What was counted is said, in both languages, and bad figures look bad.
func TestScore(t *testing.T) {
	t.Parallel()
	cut := &Cut{Phase: PhaseCounted, Audit: Audit{Articles: 40, Copies: 120, Lost: []Finding{{Title: "Fog", Place: placePage}},
		Doubled: []Finding{{Title: "Tides", Place: placeTelegram}}, Unknown: []Finding{{Title: "Trams", Place: placeTelegram, Delivery: 9, Chat: "-7"}}}}
	for lang, want := range map[string]cutView{
		"en": {Score: []figure{{"1 lost", "wrong"}, {"1 doubled", "wrong"}, {"1 unknown", "open"}}, Trouble: []string{"“Fog” is missing: On the page", "“Tides” came more than once: On Telegram"}},
		"fr": {Score: []figure{{"1 perdue", "wrong"}, {"1 en double", "wrong"}, {"1 inconnue", "open"}}, Trouble: []string{"«\u00a0Fog\u00a0» manque\u00a0: Sur la page", "«\u00a0Tides\u00a0» est arrivé plus d’une fois\u00a0: Sur Telegram"}},
	} {
		t.Run(lang, func(t *testing.T) {
			t.Parallel()
			v, got := &view{Catalogue: i18n.For(lang)}, cutView{}
			v.score(&got, cut, map[string]string{"-7": "The Gazette"})
			if diff := cmp.Diff(want.Score, got.Score); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(want.Trouble, got.Trouble); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if len(got.Unknown) != 1 || got.Unknown[0].Delivery != 9 || !strings.Contains(got.Unknown[0].Say, "The Gazette") {
				t.Errorf("the unknown call is not asked about: %v", got.Unknown)
			}
		})
	}
	v, fine := &view{Catalogue: i18n.For("en")}, cutView{}
	v.score(&fine, &Cut{Phase: PhaseCounted, Audit: Audit{Articles: 40, Copies: 120}}, nil)
	if diff := cmp.Diff([]figure{{"0 lost", "fine"}, {"0 doubled", "fine"}}, fine.Score); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
