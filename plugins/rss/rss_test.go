package rss

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start is the time at which tests begin.
var start = time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)

// bench is a source in front of a site.
type bench struct {
	*Source
	site   *feedtest.Site
	server *httptest.Server
	cursor sdk.Cursor
	now    time.Time
}

// newBench opens a source on /feed of a new site.
func newBench(t testing.TB, change ...func(*Config)) *bench {
	t.Helper()
	site := feedtest.New()
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	b := &bench{site: site, server: server, now: start}
	b.Source = openSource(t, fetch.New(), server.URL+"/feed", change...)
	return b
}

func openSource(t testing.TB, n *fetch.Network, address string, change ...func(*Config)) *Source {
	t.Helper()
	c := defaults()
	c.URL = address
	if err := c.permit("127.0.0.0/8"); err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(&c)
	}
	src, err := open(n, sdk.Settings{Instance: "test", UserAgent: "Belfry/test (https://belfry.example)", Log: slog.New(slog.DiscardHandler)}, c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := src.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return src
}

// permit allows one network, for tests.
func (c *Config) permit(network string) error {
	var p fetch.Prefix
	if err := p.UnmarshalText([]byte(network)); err != nil {
		return err
	}
	c.AllowPrivate = append(c.AllowPrivate, p)
	return nil
}

// try fetches with the cursor kept so far, which it moves on when that succeeds.
func (b *bench) try(t testing.TB, force ...bool) (sdk.Batch, error) {
	t.Helper()
	batch, err := b.Fetch(context.Background(), sdk.FetchRequest{Cursor: b.cursor, Now: b.now, Force: len(force) > 0})
	if err == nil {
		if len(batch.Next) == 0 || len(batch.Next) > sdk.MaxCursor {
			t.Errorf("the cursor has %d bytes", len(batch.Next))
		}
		b.cursor = batch.Next
	}
	if faults := b.site.Faults(); len(faults) > 0 {
		t.Errorf("the site was asked wrongly: %v", faults)
	}
	return batch, err
}

func (b *bench) fetch(t testing.TB, force ...bool) sdk.Batch {
	t.Helper()
	batch, err := b.try(t, force...)
	if err != nil {
		t.Fatalf("fetch: %v", err)
	}
	return batch
}

// fails fetches and gives the error.
func (b *bench) fails(t testing.TB, force ...bool) *sdk.Error {
	t.Helper()
	batch, err := b.try(t, force...)
	if err == nil {
		t.Fatalf("fetch gave %d items, unchanged %v", len(batch.Items), batch.Unchanged)
	}
	return sdk.AsError(err)
}

func (b *bench) later(d time.Duration) { b.now = b.now.Add(d) }

// articles is a newsroom with n articles.
func articles(n int) *feedtest.Newsroom {
	room := &feedtest.Newsroom{Channel: feedtest.Channel{Title: "Gazette", Link: "https://gazette.example/", Lang: "fr"}}
	for i := range n {
		id := string(rune('a' + i%26))
		room.Publish(feedtest.Article{ID: "id-" + id, Title: "Article " + id, Link: "https://gazette.example/" + id, Summary: "Summary of " + id,
			Published: start.Add(-time.Duration(n-i) * time.Hour)})
	}
	return room
}

func keysOf(b sdk.Batch) []string {
	out := []string{}
	for _, it := range b.Items {
		out = append(out, it.Key)
	}
	return out
}

func parse(t testing.TB, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
