package rss

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

// fifty is a newsroom of 50 articles of ordinary size, with full texts when full is set.
func fifty(full bool) *feedtest.Newsroom {
	room := &feedtest.Newsroom{Channel: feedtest.Channel{Title: "Gazette", Link: "https://gazette.example/", Lang: "fr"}}
	paragraph := strings.Repeat("Le conseil a voté hier le budget de la ville. ", 9)
	for i := range 50 {
		a := feedtest.Article{ID: fmt.Sprintf("https://gazette.example/?p=%d", i), Title: fmt.Sprintf("Le conseil vote le budget & la suite, épisode %d", i),
			Link: fmt.Sprintf("https://gazette.example/2026/11/article-%d", i), Summary: "<p>" + paragraph[:300] + "</p>", Author: "Jeanne Dupont",
			Tags: []string{"Actualité", "Ville", "Budget"}, Image: fmt.Sprintf("https://gazette.example/img/%d.jpg", i), Published: start.Add(-time.Duration(i) * time.Hour)}
		if full {
			a.HTML = strings.Repeat("<p>"+paragraph+"</p>\n", 4) + `<p><a href="https://gazette.example/tag/ville">Lire la suite</a></p>`
		}
		room.Publish(a)
	}
	return room
}

func BenchmarkDocument(b *testing.B) {
	for _, full := range []bool{false, true} {
		for name, body := range map[string][]byte{"RSS": fifty(full).RSS(), "Atom": fifty(full).Atom(), "JSON": fifty(full).JSON()} {
			b.Run(fmt.Sprintf("%s/full=%v", name, full), func(b *testing.B) {
				src := openSource(b, fetch.New(), "https://gazette.example/feed")
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					batch, err := src.Fetch(context.Background(), sdk.FetchRequest{Now: start, Document: &sdk.Document{Body: body}})
					if err != nil || len(batch.Items) != 50 {
						b.Fatal(len(batch.Items), err)
					}
				}
			})
		}
	}
}

func BenchmarkFetch(b *testing.B) {
	body := fifty(false).RSS()
	for name, page := range map[string]feedtest.Page{
		"304":       {Type: "application/rss+xml", Body: body, ETag: `"1"`},
		"same body": {Type: "application/rss+xml", Body: body},
	} {
		b.Run(name, func(b *testing.B) {
			bench := newBench(b)
			bench.site.Set("/feed", page)
			first := bench.fetch(b)
			b.ReportAllocs()
			for b.Loop() {
				batch, err := bench.Fetch(context.Background(), sdk.FetchRequest{Now: start, Cursor: first.Next})
				if err != nil || !batch.Unchanged {
					b.Fatal(batch.Unchanged, err)
				}
			}
		})
	}
}
