package compose

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	ch := &Channel{Name: "alertes", Lang: "fr"}
	long := strings.Repeat("Un long paragraphe ", 10) + "qui finit ici."
	for name, c := range map[string]struct {
		draft                Draft
		title, summary, body string
		wrong                string
	}{
		"a title and a text":           {Draft{Title: "Titre", Text: "Un **mot**."}, "Titre", "Un mot.", "<p>Un <strong>mot</strong>.</p>", ""},
		"a short text is its title":    {Draft{Text: "La gare est **évacuée**."}, "La gare est évacuée.", "", "", ""},
		"the first paragraph goes up":  {Draft{Text: "La gare\n\nLes trains circulent."}, "La gare", "Les trains circulent.", "<p>Les trains circulent.</p>", ""},
		"a heading goes up":            {Draft{Text: "# La gare\n\nLes trains circulent."}, "La gare", "Les trains circulent.", "<p>Les trains circulent.</p>", ""},
		"lines of a title become one":  {Draft{Text: "La gare\nest fermée\n\nSuite."}, "La gare est fermée", "Suite.", "<p>Suite.</p>", ""},
		"a long paragraph stays whole": {Draft{Text: long}, render.CutText(long, 80, sdk.UnitGraphemes), long, "<p>" + long + "</p>", ""},
		"HTML is text":                 {Draft{Title: "A", Text: "<script>x</script>"}, "A", "<script>x</script>", "<p>&lt;script&gt;x&lt;/script&gt;</p>", ""},
		"a title alone":                {Draft{Title: " A\n b "}, "A b", "", "", ""},
		"nothing":                      {Draft{Text: " \n "}, "", "", "", "there is neither a title nor a text"},
		"a link that is none":          {Draft{Title: "A", Link: "gare"}, "", "", "", `"gare" is no address of an article; write it like https://news.example/article`},
		"a mail address":               {Draft{Title: "A", Link: "mailto:a@news.example"}, "", "", "", `"mailto:a@news.example" is no address of an article; write it like https://news.example/article`},
		"bytes that are no text":       {Draft{Title: "A", Text: "\xff"}, "", "", "", "the text is not UTF-8"},
		"too long a title":             {Draft{Title: strings.Repeat("a", 3000)}, "", "", "", "the title has 3000 bytes; at most 2000 are possible"},
		"too long a text":              {Draft{Title: "A", Text: strings.Repeat("a", 30_000)}, "", "", "", "the text has 30000 bytes; at most 20000 are possible"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := ch.Write(c.draft, now)
			if c.wrong != "" {
				if err == nil || err.Error() != c.wrong {
					t.Fatalf("got %v, want %q", err, c.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{c.title, c.summary, c.body, "fr"},
				[]string{got.Title, got.Summary, render.Render(got.Body, render.HTML), got.Lang}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if err := got.Body.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Whatever an editor writes becomes a valid content, or an error.
func FuzzWrite(f *testing.F) {
	for _, text := range []string{"", "a", "# a\n\nb", "- a\n- b", "> q", "```\ncode\n```", "[x](javascript:alert(1))", "<b>", "a\u202eb", "\x00", strings.Repeat("*", 300)} {
		f.Add("", text, "")
		f.Add("Titre", text, "https://news.example/a")
	}
	ch := &Channel{Name: "alertes", Lang: "fr"}
	f.Fuzz(func(t *testing.T, title, text, link string) {
		c, err := ch.Write(Draft{Title: title, Text: text, Link: link}, time.Unix(0, 0))
		if err != nil {
			return
		}
		if err := c.Body.Validate(); err != nil {
			t.Errorf("the text is not valid: %v", err)
		}
		if c.Title == "" || strings.ContainsAny(c.Title, "\r\n") || len(c.Title) > sdk.MaxTitle || len(c.Summary) > sdk.MaxSummary {
			t.Errorf("title %q, summary of %d bytes", c.Title, len(c.Summary))
		}
	})
}

func TestRevise(t *testing.T) {
	t.Parallel()
	text := func(s string) *string { return &s }
	before := Content{Lang: "fr", Title: "Avant", Summary: "Texte.", URL: "https://news.example/a", Note: "Déjà corrigé.",
		Media: []sdk.Media{{URL: "belfry:1", Alt: "Avant"}, {URL: "belfry:2"}}}
	for name, c := range map[string]struct {
		change Redraft
		kind   PostKind
		status PostStatus
		want   func(*Content)
		wrong  string
	}{
		"a title":                  {Redraft{Title: text("Après")}, KindEditor, PostLive, func(c *Content) { c.Title = "Après" }, ""},
		"a text":                   {Redraft{Text: text("")}, KindEditor, PostLive, func(c *Content) { c.Summary, c.Own = "", true }, ""},
		"another note":             {Redraft{Note: text("Encore.")}, KindEditor, PostLive, func(c *Content) { c.Note = "Encore." }, ""},
		"no link":                  {Redraft{Link: text("")}, KindEditor, PostLive, func(c *Content) { c.URL = "" }, ""},
		"no picture":               {Redraft{Image: &sdk.Media{}}, KindEditor, PostLive, func(c *Content) { c.Media = nil }, ""},
		"other words of a picture": {Redraft{Alt: text("Après")}, KindEach, PostLive, func(c *Content) { c.Media = []sdk.Media{{URL: "belfry:1", Alt: "Après"}, {URL: "belfry:2"}} }, ""},
		"a digest's title":         {Redraft{Title: text("Après")}, KindDigest, PostLive, func(c *Content) { c.Title = "Après" }, ""},
		"a digest's text":          {Redraft{Text: text("x")}, KindDigest, PostLive, nil, "it is a digest: its entries follow their items, and only its title and note can be changed"},
		"nothing":                  {Redraft{}, KindEditor, PostLive, nil, "nothing would change"},
		"the same":                 {Redraft{Title: text("Avant")}, KindEditor, PostLive, nil, "it says that already"},
		"no title":                 {Redraft{Title: text(" ")}, KindEditor, PostLive, nil, "a post needs a title"},
		"what was retracted":       {Redraft{Title: text("x")}, KindEditor, PostRetracted, nil, "it was retracted, and stays so"},
		"what was withdrawn":       {Redraft{Title: text("x")}, KindEach, PostWithdrawn, nil, "its source withdrew it; it comes back when the source shows it again"},
		"what leaves later":        {Redraft{Title: text("Après")}, KindEditor, PostScheduled, func(c *Content) { c.Title = "Après" }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := c.change.Revise(c.kind, c.status, before)
			want := before
			if c.want != nil {
				c.want(&want)
			}
			if c.wrong != "" && (err == nil || err.Error() != c.wrong) || c.wrong == "" && err != nil {
				t.Fatalf("got %v, want %q", err, c.wrong)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if before.Media[0].Alt != "Avant" {
				t.Error("the content before was changed")
			}
		})
	}
}

func TestEditorPost(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	cfg := configs.Default()
	c := configs.Channel{}
	c.SetDefaults()
	for _, where := range []string{"", `hasTag("x")`} {
		target := configs.Target{}
		target.SetDefaults()
		target.Destination, target.Chat, target.Where = "ops", where, where
		c.PublishTo = append(c.PublishTo, target)
	}
	cfg.Channels = map[string]configs.Channel{"alertes": c}
	p, problems := Compile(&cfg)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	post := p.Channels["alertes"].EditorPost(Content{Title: "A"}, now.Add(time.Hour), true, now)
	want := NewPost{Channel: "alertes", Kind: KindEditor, Status: PostScheduled, Content: Content{Title: "A"}, VisibleAt: now.Add(time.Hour), Urgent: true,
		Targets: []NewTarget{{Destination: "ops", ExpiresAt: now.Add(24 * time.Hour)}, {Destination: "ops", Chat: `hasTag("x")`, ExpiresAt: now.Add(24 * time.Hour)}}}
	if diff := cmp.Diff(want, post); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
