package rss

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/fetch"
)

// FuzzDocument holds that whatever the bytes, a fetch gives a batch that keeps to the rules, or an Error with a sentence,
// and that a second fetch with its cursor gives the same keys.
func FuzzDocument(f *testing.F) {
	for _, pattern := range []string{"good", "broken", "refused"} {
		files, err := filepath.Glob(filepath.Join("internal", "feed", "testdata", pattern, "*"))
		if err != nil || len(files) == 0 {
			f.Fatalf("no documents: %v", err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, ".golden") {
				continue
			}
			body, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(body, "text/xml", "https://base.example/")
		}
	}
	f.Add([]byte(`{"items":[{"id":"a\u0000b","title":"x"},{"id":"\u0000","title":"y"},{"id":" ","title":"z"}]}`), "", "")
	f.Add(gzipped(f, []byte("<rss><channel><item><guid>a</guid></item></channel></rss>")), "", "")
	src := openSource(f, fetch.New(), "https://news.example/feed")
	f.Fuzz(func(t *testing.T, body []byte, contentType, base string) {
		request := sdk.FetchRequest{Now: start, Document: &sdk.Document{URL: base, ContentType: contentType, Body: body}}
		batch, err := src.Fetch(context.Background(), request)
		if err != nil {
			var e *sdk.Error
			if !errors.As(err, &e) || e.Public == "" || len(e.Public) > 1000 || len(batch.Items)+len(batch.Next) > 0 {
				t.Fatalf("the error is %v", err)
			}
			return
		}
		if err := batch.Validate(); err != nil {
			t.Fatal(err)
		}
		for _, it := range batch.Items {
			if it.Title == "" && it.Summary == "" && len(it.Body) == 0 {
				t.Fatalf("item %q says nothing", it.Key)
			}
		}
		request.Cursor = batch.Next
		again, err := src.Fetch(context.Background(), request)
		if err != nil {
			t.Fatal(err)
		}
		if a, b := strings.Join(keysOf(batch), "\n"), strings.Join(keysOf(again), "\n"); a != b {
			t.Fatalf("the keys were\n%s\nand then\n%s", a, b)
		}
	})
}
