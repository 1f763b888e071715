package web_test

import (
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/sdk"
)

// A summary that says what the text begins with is not said twice, on the page or in a feed.
func TestTheTextStandsOnce(t *testing.T) {
	t.Parallel()
	const first = "Le pont de la Loire ferme ce soir à 22 heures pour trois nuits."
	const mark = "ferme ce soir"
	long := first + strings.Repeat(" Les bus sont déviés par le pont amont, qui reste ouvert aux cyclistes et aux piétons.", 9)
	body := sdk.Body{sdk.Paragraph(sdk.Text("Le pont de la Loire "), sdk.Strong(sdk.Text("ferme ce soir")), sdk.Text(" à 22 heures pour trois nuits.")), sdk.Paragraph(sdk.Text("Les bus sont déviés."))}
	linked := sdk.Body{sdk.Paragraph(sdk.Text("Le "), sdk.Link("https://gazette.example/pont", sdk.Text("pont")), sdk.Text(" de la Loire ferme ce soir."))}
	for name, c := range map[string]struct {
		item sdk.Item
		want int
	}{
		"only a description":             {sdk.Item{Summary: first, Body: sdk.Body{sdk.Paragraph(sdk.Text(first))}}, 1},
		"no summary at all":              {sdk.Item{Body: body}, 1},
		"a summary cut from a long text": {sdk.Item{Summary: long[:300] + "…", Body: sdk.Body{sdk.Paragraph(sdk.Text(long))}}, 1},
		"no summary, and a link":         {sdk.Item{Body: linked}, 1},
		"the first paragraph":            {sdk.Item{Summary: first, Body: body}, 1},
		"set otherwise":                  {sdk.Item{Summary: "«\u00a0Le pont de la Loire\u00a0» ferme ce soir, à 22\u00a0heures", Body: body}, 1},
		"a summary of its own":           {sdk.Item{Summary: "Trois nuits de travaux\u00a0: le pont ferme ce soir.", Body: body}, 2},
		"without a text":                 {sdk.Item{Summary: first}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := open(t, gazette())
			c.item.Title, c.item.URL = "Pont fermé", "https://gazette.example/pont"
			id := n.post("culture", "", compose.KindEach, compose.ItemContent(c.item, "fr", true))
			page := parse(t, n.get("/c/culture/"+id).Body)
			for d := range page.Descendants() {
				if strings.HasPrefix(attr(d, "class"), "body") {
					if got := strings.Count(text(d), mark); got != c.want {
						t.Errorf("the page says it %d times, want %d:\n%s", got, c.want, text(d))
					}
				}
			}
			var atom struct {
				Entries []struct {
					Summary string `xml:"summary"`
					Content string `xml:"content"`
				} `xml:"entry"`
			}
			if err := xml.Unmarshal([]byte(n.get("/c/culture/feed.atom").Body), &atom); err != nil || len(atom.Entries) != 1 {
				t.Fatalf("%+v, %v", atom, err)
			}
			var feed struct {
				Items []struct {
					Summary string `json:"summary"`
					Content string `json:"content_html"`
				} `json:"items"`
			}
			if err := json.Unmarshal([]byte(n.get("/c/culture/feed.json").Body), &feed); err != nil || len(feed.Items) != 1 {
				t.Fatalf("%+v, %v", feed, err)
			}
			summaries := 0
			if c.want == 2 || len(c.item.Body) == 0 {
				summaries = 1
			}
			for format, got := range map[string][2]string{"Atom": {atom.Entries[0].Summary, atom.Entries[0].Content}, "JSON": {feed.Items[0].Summary, feed.Items[0].Content}} {
				if strings.Count(got[0], mark) != summaries || strings.Count(strings.ReplaceAll(strings.ReplaceAll(got[1], "<strong>", ""), "</strong>", ""), mark) != 1 {
					t.Errorf("%s: summary %q, content %q", format, got[0], got[1])
				}
			}
		})
	}
}
