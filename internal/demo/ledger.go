package demo

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
)

// Audit compares what the newsroom wrote with what every place has.
type Audit struct {
	// Articles that stand, and the Copies that there should be of them: on the page and at both receivers.
	Articles, Copies int
	// Lost are copies that are nowhere and nobody is about to make; Doubled are those that came more than once.
	Lost, Doubled []Finding
	// Unknown are calls of which nobody can know whether they arrived; Open ones are still under way.
	Unknown []Finding
	Open    int
	// Repeats are calls that the webhook receiver knew already and did not take again.
	Repeats int
}

// Finding is one copy that is not as it should be.
type Finding struct {
	Title, Place string
	// Delivery is its number in the store, and Chat where it went, for unknown calls.
	Delivery int64
	Chat     string
	// Asked says that a person has to look.
	Asked bool
}

// The places of copies.
const (
	placePage     = "page"
	placeTelegram = "telegram"
	placeWebhook  = "webhook"
)

// books are what the store says.
type books struct {
	// posts counts the posts on show of an article by its address, and under has its deliveries that are under way, by address and
	// place.
	posts map[string]int
	under map[string]store.Delivery
	// unknown are the calls of every channel whose outcome is unknown.
	unknown []store.Delivery
	read    time.Time
}

// settled reports whether an article had the time to become a post.
func (b books) settled(a Article, link string) bool {
	return b.posts[link] > 0 || b.read.Sub(a.Published) > 20*time.Second
}

func readBooks(ctx context.Context, db *store.DB, editions map[string]edition) (books, error) {
	out := books{posts: map[string]int{}, under: map[string]store.Delivery{}, read: time.Now()}
	links := map[string]string{}
	for _, e := range editions {
		posts, err := db.Posts(ctx, e.Channel, false, 10_000)
		if err != nil {
			return out, err
		}
		for _, p := range posts {
			links[p.PublicID] = p.Content.URL
			if p.Status == compose.PostLive {
				out.posts[p.Content.URL]++
			}
		}
		for _, state := range []outbox.State{outbox.Pending, outbox.Started, outbox.Unknown} {
			list, err := db.Deliveries(ctx, store.DeliveryFilter{Channel: e.Channel, State: string(state), Limit: 1000})
			if err != nil {
				return out, err
			}
			for _, d := range list {
				out.under[links[d.Post]+" "+d.Destination] = d
			}
		}
	}
	var err error
	out.unknown, err = db.Deliveries(ctx, store.DeliveryFilter{State: string(outbox.Unknown), Limit: 1000})
	return out, err
}

// compare counts, for every article and place, the copies that are there.
func (b books) compare(articles []Article, held holdings, editions map[string]edition, link func(Article) string) Audit {
	named := map[int64]bool{}
	out := Audit{Articles: len(articles), Copies: 3 * len(articles)}
	for _, a := range articles {
		chat, link := editions[a.Lang].Chat, link(a)
		for _, place := range []struct {
			name string
			has  shown
		}{{placePage, shown{Times: b.posts[link], Standing: b.posts[link]}}, {placeTelegram, held.atTelegram(chat, link)}, {placeWebhook, held.atWebhook(link)}} {
			f := Finding{Title: a.Title, Place: place.name}
			d, underWay := b.under[link+" "+place.name]
			switch {
			case place.has.Times > 1:
				out.Doubled = append(out.Doubled, f)
			case underWay && d.State == outbox.Unknown && place.name == placeTelegram:
				named[d.ID] = true
				out.unknown(f, d)
			case underWay:
				out.Open++
			case place.has.Standing > 0:
			case !b.settled(a, link):
				out.Open++ // it is still being read or composed
			default:
				out.Lost = append(out.Lost, f)
			}
		}
	}
	// Digests and alerts have copies, too.
	for _, d := range b.unknown {
		if !named[d.ID] && d.Destination == placeTelegram {
			out.unknown(Finding{Title: d.Title, Place: d.Destination}, d)
		}
	}
	return out
}

// unknown notes a call of which nobody knows whether it arrived.
func (a *Audit) unknown(f Finding, d store.Delivery) {
	f.Delivery, f.Chat, f.Asked = d.ID, d.Chat, d.Reason == "asked"
	a.Unknown = append(a.Unknown, f)
	if !f.Asked {
		a.Open++ // the daemon has not looked at it yet
	}
}
