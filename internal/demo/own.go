package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/i18n"
	"github.com/belfry-news/belfry/internal/store"
)

// paper is where the articles come from: the invented newsroom, or somebody's own feed. The times it gives are when what
// was done was done.
type paper interface {
	// Live lists what is posted or should be, the newest first; of every edition when the name is empty.
	Live(ctx context.Context, edition string) ([]Article, error)
	// Link is the address of an article.
	Link(a Article) string
	// Withdrawn reports whether an article was taken back, so that it should be nowhere.
	Withdrawn(ctx context.Context, a Article) (bool, error)
	Correct(ctx context.Context, id string) (Article, time.Time, error)
	Withdraw(ctx context.Context, id string) (Article, time.Time, error)
	// Burst publishes several articles at once.
	Burst(ctx context.Context, edition string, count int) ([]Article, time.Time, error)
}

// The names of the one source and channel of somebody's own feed.
const (
	ownSource  = "yours"
	ownChannel = "feed"
	ownEdition = "own"
)

// actor is who the record of acts names.
const actor = "demonstration"

// ownFeed is somebody's own feed. What happens to it is done by an editor's commands; the feed itself is only read.
type ownFeed struct {
	address string
	// db is the store once the daemon has made it.
	db func() *store.DB
}

var errNotYet = errors.New("demo: the daemon has not made its store yet")

// FeedState is what is known about the feed.
type FeedState struct {
	Address string
	// Read says that it was read once; Title is what it calls itself.
	Read  bool
	Title string
	// Trouble is why it could not be read the last time.
	Trouble string
	// Found items, of which Unposted wait for the button.
	Found, Unposted int
	// Waiting are the newest of those.
	Waiting []Article
}

// State looks at the feed.
func (o *ownFeed) State(ctx context.Context) (FeedState, error) {
	out := FeedState{Address: o.address}
	db := o.db()
	if db == nil {
		return out, nil
	}
	st, err := db.SourceState(ctx, ownSource)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	}
	if err != nil {
		return out, err
	}
	out.Read, out.Title, out.Trouble = st.Primed, st.About.Title, st.Error
	counts, err := db.SourceCounts(ctx)
	if err != nil {
		return out, err
	}
	out.Found, out.Unposted = counts[ownSource].Items, counts[ownSource].Baseline
	list, err := db.NotUsed(ctx, ownChannel, time.Time{}, 40)
	if err != nil {
		return out, err
	}
	for _, x := range list {
		if x.Reason == compose.ReasonBaseline {
			out.Waiting = append(out.Waiting, Article{ID: x.Key, Lang: ownEdition, Story: Story{Title: x.Title}, URL: x.URL})
		}
	}
	return out, nil
}

// Ring lets the newest items that were not posted into the channel.
func (o *ownFeed) Ring(ctx context.Context, count int) ([]Article, time.Time, error) {
	st, err := o.State(ctx)
	if err != nil {
		return nil, time.Time{}, err
	}
	db := o.db()
	if db == nil {
		return nil, time.Time{}, errNotYet
	}
	at := time.Now()
	n, err := db.ReleaseBaseline(ctx, ownSource, count, actor, at)
	if err != nil {
		return nil, at, err
	}
	if n == 0 {
		return nil, at, errNothingToDo
	}
	return st.Waiting[:min(n, len(st.Waiting))], at, nil
}

// Live implements paper.
func (o *ownFeed) Live(ctx context.Context, _ string) ([]Article, error) {
	db := o.db()
	if db == nil {
		return nil, nil
	}
	posts, err := db.Posts(ctx, ownChannel, false, 200)
	if err != nil {
		return nil, err
	}
	var urls []string
	for _, p := range posts {
		urls = append(urls, p.Content.Images()...)
	}
	files, err := db.Files(ctx, urls)
	if err != nil {
		return nil, err
	}
	var out []Article
	for _, p := range posts {
		if p.Kind == compose.KindEach && p.Status == compose.PostLive {
			out = append(out, ownArticle(p, files))
		}
	}
	return out, nil
}

// Withdrawn implements paper.
func (o *ownFeed) Withdrawn(ctx context.Context, a Article) (bool, error) {
	db := o.db()
	if db == nil {
		return false, errNotYet
	}
	posts, err := db.Posts(ctx, ownChannel, false, 10_000)
	return slices.ContainsFunc(posts, func(p store.Post) bool { return p.Content.URL == a.URL && p.Status == compose.PostRetracted }), err
}

func ownArticle(p store.Post, files compose.Files) Article {
	c := p.Content
	a := Article{ID: p.PublicID, Lang: ownEdition, Story: Story{Title: c.Title, Summary: c.Summary, Tags: c.Tags[:min(len(c.Tags), 3)]}, URL: c.URL,
		Published: p.VisibleAt, Note: c.Note, Dialect: c.Lang}
	for _, m := range c.Media {
		if f, stored := files[m.URL]; stored {
			a.Image, a.Picture.Alt = "/media/"+f.Name, m.Alt
			break
		}
	}
	return a
}

// Link implements paper.
func (o *ownFeed) Link(a Article) string { return a.URL }

// Correct implements paper by an editor's act: the feed is not ours to write.
func (o *ownFeed) Correct(ctx context.Context, id string) (Article, time.Time, error) {
	return o.change(ctx, id, func(db *store.DB, p store.Post, at time.Time) (Article, error) {
		note := i18n.For(p.Content.Lang).Text("demo.own.note", "time", at.Format("15:04:05"))
		content, err := compose.Redraft{Note: &note}.Revise(p.Kind, p.Status, p.Content)
		if err != nil {
			return Article{}, err
		}
		if err := db.EditPost(ctx, p.ID, p.Revision, content, nil, actor, at); err != nil {
			return Article{}, err
		}
		p.Content = content
		return ownArticle(p, nil), nil
	})
}

// Withdraw implements paper by an editor's act.
func (o *ownFeed) Withdraw(ctx context.Context, id string) (Article, time.Time, error) {
	return o.change(ctx, id, func(db *store.DB, p store.Post, at time.Time) (Article, error) {
		_, err := db.RetractPost(ctx, p.ID, false, "withdrawn in the demonstration", actor, at)
		return ownArticle(p, nil), err
	})
}

func (o *ownFeed) change(ctx context.Context, id string, do func(db *store.DB, p store.Post, at time.Time) (Article, error)) (Article, time.Time, error) {
	db := o.db()
	if db == nil {
		return Article{}, time.Time{}, errNotYet
	}
	p, err := db.PostByID(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && p.Status != compose.PostLive {
		return Article{}, time.Time{}, errNothingToDo
	}
	if err != nil {
		return Article{}, time.Time{}, err
	}
	at := time.Now()
	a, err := do(db, p, at)
	return a, at, err
}

// Burst implements paper.
func (o *ownFeed) Burst(ctx context.Context, _ string, count int) ([]Article, time.Time, error) {
	return o.Ring(ctx, count)
}

// checkFeed reads an address as somebody types it, and gives it with the private networks that it may be fetched from: an
// address on one's own network is one's own to name.
func checkFeed(ctx context.Context, raw string) (address string, private []netip.Prefix, err error) {
	raw = strings.TrimSpace(raw)
	if !strings.Contains(raw, "://") {
		raw = "https://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" {
		return "", nil, fmt.Errorf("%q is no address of a feed; write it like https://news.example/feed.xml", raw)
	}
	host := u.Hostname()
	addrs := []netip.Addr{}
	if a, err := netip.ParseAddr(host); err == nil {
		addrs = append(addrs, a)
	} else {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		// A name that cannot be looked up now is for the daemon to complain about.
		addrs, _ = net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}
	for _, a := range addrs {
		a = a.Unmap().WithZone("")
		if a.IsPrivate() || a.IsLoopback() {
			private = append(private, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return u.String(), private, nil
}

// hostName is what the channel is called until the feed has said its own name, or when it has none.
func hostName(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return strings.TrimPrefix(u.Hostname(), "www.")
}

// urgent reports whether an article is an alert.
func (a Article) urgent() bool { return a.Urgency > 0 && a.Urgency <= 2 }
