package feed

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

var update = flag.Bool("update", false, "write the golden files")

var now = time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)

func input(t testing.TB, body []byte) Input {
	t.Helper()
	u, err := url.Parse("https://fetched.example/feeds/feed.xml")
	if err != nil {
		t.Fatal(err)
	}
	return Input{Body: body, URL: u, Now: now}
}

// golden is what a golden file shows of a feed: everything that is not empty.
type golden struct {
	Format            string
	About             sdk.About     `json:",omitzero"`
	Complete, Expired bool          `json:",omitzero"`
	Whole             bool          `json:",omitzero"`
	Hints             Hints         `json:",omitzero"`
	Removed           []sdk.Removal `json:",omitempty"`
	Notices           []string      `json:",omitempty"`
	Items             []goldenItem
}

type goldenItem struct {
	ID                                       string
	Rule                                     Rule
	Link                                     string `json:",omitempty"`
	Title, Summary, Body, URL, Lang          string `json:",omitempty"`
	Authors                                  []sdk.Author
	Tags                                     []string      `json:",omitempty"`
	Media                                    []goldenMedia `json:",omitempty"`
	Published, Updated, NotBefore, ExpiresAt time.Time     `json:",omitzero"`
	Urgency                                  int           `json:",omitzero"`
	Correction, TranslationOf                string        `json:",omitempty"`
}

type goldenMedia struct {
	URL               string
	Type, Alt, Credit string        `json:",omitempty"`
	Width, Height     int           `json:",omitzero"`
	Duration          time.Duration `json:",omitzero"`
}

func show(t *testing.T, f *Feed) []byte {
	t.Helper()
	g := golden{Format: f.Format, About: f.About, Complete: f.Complete, Expired: f.Expired, Whole: f.Whole, Hints: f.Hints, Removed: f.Removed, Notices: f.Notices}
	for _, e := range f.Entries {
		it := e.Item
		g.Items = append(g.Items, goldenItem{ID: e.ID, Rule: e.Rule, Link: e.Link, Title: it.Title, Summary: it.Summary, Body: render.Render(it.Body, render.HTML),
			URL: it.URL, Lang: it.Lang, Authors: it.Authors, Tags: it.Tags, Published: it.Published, Updated: it.Updated, NotBefore: it.NotBefore,
			ExpiresAt: it.ExpiresAt, Urgency: it.Urgency, Correction: it.Correction, TranslationOf: it.TranslationOf})
		for _, m := range it.Media {
			last := &g.Items[len(g.Items)-1]
			last.Media = append(last.Media, goldenMedia{m.URL, m.Type, m.Alt, m.Credit, m.Width, m.Height, m.Duration})
		}
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	if err := enc.Encode(g); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestCorpus reads every document under testdata and compares what came out with the file beside it.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, dir := range []string{"good", "broken"} {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no documents in testdata/%s: %v", dir, err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, ".golden") {
				continue
			}
			t.Run(dir+"/"+filepath.Base(file), func(t *testing.T) {
				t.Parallel()
				body, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				f, err := Read(context.Background(), input(t, body))
				if err != nil {
					t.Fatal(err)
				}
				if len(f.Notices) == 0 && dir == "broken" {
					t.Errorf("a broken document was read without a notice")
				}
				for _, e := range f.Entries {
					check(t, e)
				}
				got := show(t, f)
				if *update {
					if err := os.WriteFile(file+".golden", got, 0o644); err != nil {
						t.Fatal(err)
					}
					return
				}
				want, err := os.ReadFile(file + ".golden")
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(string(want), string(got)); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		}
	}
}

// check holds what every entry promises.
func check(t testing.TB, e Entry) {
	t.Helper()
	it := e.Item
	if e.ID == "" || e.Rule == "" || Key(e.ID) == "" || len(Key(e.ID)) > sdk.MaxKey {
		t.Errorf("the identifier is %q by %q", e.ID, e.Rule)
	}
	if err := it.Body.Validate(); err != nil {
		t.Errorf("%q: %v", e.ID, err)
	}
	if it.URL != "" {
		if link, err := sdk.CheckLink(it.URL); err != nil || !strings.HasPrefix(link, "http") {
			t.Errorf("%q: the address %q: %v", e.ID, it.URL, err)
		}
	}
	for what, pair := range map[string][2]int{"title": {len(it.Title), sdk.MaxTitle}, "summary": {len(it.Summary), sdk.MaxSummary}, "tags": {len(it.Tags), sdk.MaxTags},
		"authors": {len(it.Authors), sdk.MaxAuthors}, "media": {len(it.Media), sdk.MaxMedia}, "correction": {len(it.Correction), sdk.MaxTitle}, "urgency": {it.Urgency, 9}} {
		if pair[0] > pair[1] {
			t.Errorf("%q: the %s is %d, at most %d are allowed", e.ID, what, pair[0], pair[1])
		}
	}
	for _, m := range it.Media {
		if link, err := sdk.CheckLink(m.URL); err != nil || !strings.HasPrefix(link, "http") || len(m.Alt) > sdk.MaxAlt {
			t.Errorf("%q: the medium %q: %v", e.ID, m.URL, err)
		}
	}
	for _, s := range []string{it.Title, it.Correction, it.Lang} {
		if strings.ContainsAny(s, "\n\r\t\x00\u202e\u2066") {
			t.Errorf("%q holds what no line should", s)
		}
	}
	for _, at := range []time.Time{it.Published, it.Updated, it.NotBefore, it.ExpiresAt} {
		if !at.IsZero() && at.Location() != time.UTC {
			t.Errorf("%q: %s is not in UTC", e.ID, at)
		}
	}
}

func TestRefused(t *testing.T) {
	t.Parallel()
	for file, says := range map[string]string{
		"sitemap.xml": "root <urlset>", "other.json": "no list of items", "list.json": "not an object", "empty.xml": "is empty",
		"stump.xml": "broken off before its first item", "laughs.xml": "made of other entities", "external.xml": "external entity",
	} {
		body, err := os.ReadFile(filepath.Join("testdata", "refused", file))
		if err != nil {
			t.Fatal(err)
		}
		_, err = Read(context.Background(), input(t, body))
		if e := sdk.AsError(err); err == nil || e.Code != sdk.CodeInvalid || !strings.Contains(e.Public, says) {
			t.Errorf("%s: the error is %v, want %q", file, err, says)
		}
	}
}
