package web_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/google/go-cmp/cmp"
	"github.com/mmcdole/gofeed"
)

// atomRules are what RFC 4287 and RFC 6721 ask of a feed, checked on the text itself.
func atomRules(t *testing.T, text string) {
	t.Helper()
	type link struct {
		Rel  string `xml:"rel,attr"`
		Type string `xml:"type,attr"`
		Href string `xml:"href,attr"`
	}
	type person struct {
		Name string `xml:"name"`
		URI  string `xml:"uri"`
	}
	var f struct {
		XMLName xml.Name `xml:"http://www.w3.org/2005/Atom feed"`
		ID      []string `xml:"id"`
		Title   []string `xml:"title"`
		Updated []string `xml:"updated"`
		Author  []person `xml:"author"`
		Links   []link   `xml:"link"`
		Deleted []struct {
			Ref  string `xml:"ref,attr"`
			When string `xml:"when,attr"`
		} `xml:"http://purl.org/atompub/tombstones/1.0 deleted-entry"`
		Entries []struct {
			ID        []string `xml:"id"`
			Title     []string `xml:"title"`
			Updated   []string `xml:"updated"`
			Published []string `xml:"published"`
			Author    []person `xml:"author"`
			Links     []link   `xml:"link"`
			Content   []struct {
				Type string `xml:"type,attr"`
			} `xml:"http://www.w3.org/2005/Atom content"`
		} `xml:"entry"`
	}
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict = true
	if err := d.Decode(&f); err != nil {
		t.Fatalf("the feed is no XML: %v", err)
	}
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if space, ok := token.(xml.CharData); err != nil || !ok || strings.TrimSpace(string(space)) != "" {
			t.Fatalf("something follows the feed: %v, %v", token, err)
		}
	}
	one := func(what string, values []string) string {
		if len(values) != 1 || strings.TrimSpace(values[0]) == "" {
			t.Errorf("%s: %q, want exactly one", what, values)
			return ""
		}
		return values[0]
	}
	iri := func(what, s string) {
		if u, err := url.Parse(s); err != nil || !u.IsAbs() {
			t.Errorf("%s: %q is no absolute IRI", what, s)
		}
	}
	date := func(what, s string) time.Time {
		at, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		return at
	}
	iri("feed id", one("feed id", f.ID))
	one("feed title", f.Title)
	newest := date("feed updated", one("feed updated", f.Updated))
	if len(f.Author) == 0 || f.Author[0].Name == "" {
		t.Error("the feed has no author")
	}
	self := 0
	for _, l := range f.Links {
		iri("link "+l.Rel, l.Href)
		if l.Rel == "self" {
			self++
		}
	}
	if self != 1 {
		t.Errorf("%d links to the feed itself", self)
	}
	seen := map[string]bool{}
	for _, e := range f.Entries {
		id := one("entry id", e.ID)
		iri("entry id", id)
		if seen[id] {
			t.Errorf("two entries are %s", id)
		}
		seen[id] = true
		one("entry title", e.Title)
		if at := date("entry updated", one("entry updated", e.Updated)); at.After(newest) {
			t.Errorf("entry %s is newer than its feed", id)
		}
		date("entry published", one("entry published", e.Published))
		alternate := 0
		for _, l := range e.Links {
			iri("entry link", l.Href)
			if l.Rel == "alternate" {
				alternate++
			}
		}
		if alternate != 1 || len(e.Content) > 1 {
			t.Errorf("entry %s has %d alternates and %d contents", id, alternate, len(e.Content))
		}
		for _, a := range e.Author {
			if a.Name == "" {
				t.Errorf("an author of %s has no name", id)
			}
			if a.URI != "" {
				iri("author", a.URI)
			}
		}
	}
	for _, g := range f.Deleted {
		iri("deleted entry", g.Ref)
		date("deleted entry", g.When)
		if seen[g.Ref] {
			t.Errorf("entry %s is deleted and there", g.Ref)
		}
	}
}

// jsonRules are what JSON Feed 1.1 asks.
func jsonRules(t *testing.T, text string) {
	t.Helper()
	var f struct {
		Version string           `json:"version"`
		Title   string           `json:"title"`
		Items   []map[string]any `json:"items"`
		Home    string           `json:"home_page_url"`
		Self    string           `json:"feed_url"`
	}
	if err := json.Unmarshal([]byte(text), &f); err != nil {
		t.Fatalf("the feed is no JSON: %v", err)
	}
	if f.Version != "https://jsonfeed.org/version/1.1" || f.Title == "" || f.Items == nil {
		t.Errorf("version %q, title %q, items %v", f.Version, f.Title, f.Items != nil)
	}
	absolute := func(what string, v any) {
		s, _ := v.(string)
		if u, err := url.Parse(s); err != nil || !u.IsAbs() {
			t.Errorf("%s: %q is no absolute address", what, s)
		}
	}
	absolute("home_page_url", f.Home)
	absolute("feed_url", f.Self)
	for _, it := range f.Items {
		if id, _ := it["id"].(string); id == "" {
			t.Errorf("an item has no id: %v", it)
		}
		if _, html := it["content_html"].(string); !html {
			t.Errorf("item %v has no content", it["id"])
		}
		absolute("url", it["url"])
		for _, key := range []string{"external_url", "image"} {
			if v, ok := it[key]; ok {
				absolute(key, v)
			}
		}
		for _, key := range []string{"date_published", "date_modified"} {
			s, _ := it[key].(string)
			if _, err := time.Parse(time.RFC3339, s); err != nil {
				t.Errorf("%s of %v: %v", key, it["id"], err)
			}
		}
		for key := range it {
			if !regexp.MustCompile(`^(id|url|external_url|title|content_html|summary|image|date_published|date_modified|authors|tags|language|_belfry)$`).MatchString(key) {
				t.Errorf("item %v has %q, which JSON Feed does not know", it["id"], key)
			}
		}
	}
}

func TestFeeds(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	n.fill()
	for _, channel := range []string{"alertes", "culture", "brief", "paris-letter", "transports", "concours", "coulisses"} {
		atomRules(t, n.get("/c/"+channel+"/feed.atom").Body)
		jsonRules(t, n.get("/c/"+channel+"/feed.json").Body)
	}
	for _, format := range []string{"feed.atom", "feed.json"} {
		feed, err := gofeed.NewParser().ParseString(n.get("/c/alertes/" + format).Body)
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		var titles []string
		for _, it := range feed.Items {
			titles = append(titles, it.Title)
			if it.GUID == "" || it.PublishedParsed == nil || it.UpdatedParsed == nil || it.Link == "" {
				t.Errorf("%s: %q has no id, time or link", format, it.Title)
			}
			for _, body := range []string{it.Title, it.Description, it.Content} {
				if strings.Contains(body, "ne pas montrer") {
					t.Errorf("%s shows a withdrawn post", format)
				}
			}
		}
		want := []string{"Incendie à la gare du Nord\u00a0: les trains arrêtés, aucun blessé", "Grève des contrôleurs aériens levée pour le week-end",
			"Tempête Aurélie\u00a0: 38 000 foyers sans électricité en Bretagne, les écoles fermées dans le Finistère", "إغلاق محطة القطار الشمالية حتى إشعار آخر",
			"Nous couvrons la soirée électorale en direct dès 19 h 30. Les premiers…"}
		if diff := cmp.Diff(want, titles); diff != "" {
			t.Errorf("%s: titles (-want +got):\n%s", format, diff)
		}
		fire := feed.Items[0]
		if at := fire.UpdatedParsed.UTC().Format(time.RFC3339); at != "2026-11-20T06:31:00Z" {
			t.Errorf("%s: the corrected item was updated %s", format, at)
		}
		if !strings.Contains(fire.Content, "<strong>Rectifié à 7\u00a0h\u00a031\u00a0:</strong> l’incendie s’est déclaré") {
			t.Errorf("%s: the corrected item does not say so: %s", format, fire.Content)
		}
		if len(fire.Authors) != 1 || fire.Authors[0].Name != "Camille Roux" {
			t.Errorf("%s: authors %v", format, fire.Authors)
		}
		if format == "feed.atom" {
			if fire.Link != "https://gazette.example/2026/11/20/incendie" {
				t.Errorf("the entry leads to %s", fire.Link)
			}
			note := fire.Extensions["belfry"]["correction"]
			if len(note) != 1 || note[0].Value != "l’incendie s’est déclaré dans un local technique, et non sur un quai." {
				t.Errorf("the correction for programs: %v", note)
			}
			if media := fire.Extensions["media"]["content"]; len(media) != 1 || media[0].Children["credit"][0].Value != "Agence Clair" {
				t.Errorf("the picture's credit: %v", media)
			}
			if gone := feed.Extensions["at"]["deleted-entry"]; len(gone) != 1 || gone[0].Attrs["when"] != "2026-11-19T21:05:00Z" {
				t.Errorf("the tombstones are %v", gone)
			}
		}
	}
}

// TestFeedIdentity holds that a post stays the same post for feed readers, whatever becomes of it.
func TestFeedIdentity(t *testing.T) {
	t.Parallel()
	config := gazette()
	n := open(t, config)
	id := n.post("alertes", "2026-11-20 06:00:00", compose.KindEach, compose.Content{Title: "Avant", URL: "https://gazette.example/a"})
	entry := regexp.MustCompile(`<entry[^>]*>\s*<id>([^<]*)</id>`)
	read := func(channel string) string {
		n.server.Changed()
		m := entry.FindStringSubmatch(n.get("/c/" + channel + "/feed.atom").Body)
		if m == nil {
			return ""
		}
		return m[1]
	}
	first := read("alertes")
	n.revise(id, "2026-11-20 06:10:00", func(c *compose.Content) { c.Title, c.URL = "Après", "https://gazette.example/b" })
	if got := read("alertes"); got != first || first == "" {
		t.Errorf("a revision makes %s of %s", got, first)
	}
	config.Site.URL = "https://autre.example"
	n.server.Use(config)
	if got := read("alertes"); got != first {
		t.Errorf("another domain makes %s of %s", got, first)
	}
	if err := n.db.Rename(t.Context(), "channel", "alertes", "culture", n.clock.now()); err != nil {
		t.Fatal(err)
	}
	if got := read("culture"); got != first {
		t.Errorf("another name of the channel makes %s of %s", got, first)
	}
	n.withdraw(id, "2026-11-20 06:20:00")
	n.server.Changed()
	if body := n.get("/c/culture/feed.atom").Body; !strings.Contains(body, `<at:deleted-entry ref="`+first+`" when="2026-11-20T05:20:00Z">`) {
		t.Errorf("the tombstone does not stand for %s:\n%s", first, body)
	}
}
