package compose

import (
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
	"github.com/google/go-cmp/cmp"
)

// A title that was taken from the text is taken anew from a corrected text; one that was given stays.
func TestTheTitleFollowsTheTextItCameFrom(t *testing.T) {
	t.Parallel()
	ch := &Channel{Name: "alertes", Lang: "fr"}
	text := func(s string) *string { return &s }
	for name, c := range map[string]struct {
		draft  Draft
		change Redraft
		want   []string // title and text
		wrong  string
	}{
		"derived":                    {Draft{Text: "La gare est évacuée"}, Redraft{Text: text("La gare est rouverte")}, []string{"La gare est rouverte", ""}, ""},
		"derived, with more":         {Draft{Text: "La gare est évacuée\n\nSuite."}, Redraft{Text: text("La gare est rouverte\n\nEnfin.")}, []string{"La gare est rouverte", "Enfin."}, ""},
		"given":                      {Draft{Title: "La gare", Text: "Elle est évacuée."}, Redraft{Text: text("Elle est rouverte.")}, []string{"La gare", "Elle est rouverte."}, ""},
		"derived, now given":         {Draft{Text: "La gare est évacuée"}, Redraft{Text: text("Elle est rouverte."), Title: text("La gare")}, []string{"La gare", "Elle est rouverte."}, ""},
		"derived, and another note":  {Draft{Text: "La gare est évacuée"}, Redraft{Note: text("Fausse alerte.")}, []string{"La gare est évacuée", ""}, ""},
		"derived, nothing to derive": {Draft{Text: "La gare est évacuée"}, Redraft{Text: text(" ")}, nil, "a post needs a title"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, err := ch.Write(c.draft, time.Unix(0, 0))
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.change.Revise(KindEditor, PostLive, before)
			if c.wrong != "" {
				if err == nil || err.Error() != c.wrong {
					t.Fatalf("got %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, []string{got.Title, got.Summary}); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
	// A title that was given once is not derived by a later change of the text.
	first, err := ch.Write(Draft{Text: "Un"}, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	second, err := Redraft{Title: text("Deux")}.Revise(KindEditor, PostLive, first)
	if err != nil {
		t.Fatal(err)
	}
	if third, err := (Redraft{Text: text("Trois")}).Revise(KindEditor, PostLive, second); err != nil || third.Title != "Deux" {
		t.Errorf("%+v, %v", third, err)
	}
}

// An editor's post goes by the template of its destination, and its text keeps its markup there.
func TestAnEditorsPostGoesByTheTemplate(t *testing.T) {
	t.Parallel()
	ch := &Channel{Name: "c", Lang: "fr"}
	draft := Draft{Title: "Le _titre_", Text: "Un **mot** et {{.Title}}.\n\n- a\n- b", Link: "https://news.example/a"}
	for name, c := range map[string]struct {
		template, title string
		text            string
		want            string // in CommonMark
	}{
		"text":               {"{{.Title}}\n\n{{.Text}}\n\n{{.Permalink}} {{.URL}}", "", "", "Le \\_titre\\_\n\nUn **mot** et {{.Title}}.\n\n- a\n- b\n\n<https://news.example/c/c/abc> <https://news.example/a?utm_source=belfry>"},
		"summary":            {"{{.Title}}\n\n{{.Summary}}", "", "", "Le \\_titre\\_\n\nUn **mot** et {{.Title}}.\n\n- a\n- b"},
		"both stand once":    {"{{.Summary}}\n\n{{.Text}}", "", "", "Un **mot** et {{.Title}}.\n\n- a\n- b"},
		"in a line":          {"{{.Title}}\n{{.Text}}\n{{.URL}}", "", "", "Le \\_titre\\_\n\nUn **mot** et {{.Title}}.\n\n- a\n- b\n\n<https://news.example/a?utm_source=belfry>"},
		"within a sentence":  {"{{.Title}}: {{.Text}}", "", "Un **mot**.", "Le \\_titre\\_: Un mot."},
		"shortened":          {"{{cut 3 .Text}}", "", "Un **mot**.", "Un…"},
		"a headline alone":   {"{{.Title}}", "", "", "Le \\_titre\\_"},
		"a digest's":         {"{{.Title}}\n{{range .Items}}- {{.Title}}\n{{end}}", "", "Un **mot**.", "**Le \\_titre\\_**\n\nUn **mot**.\n\n<https://news.example/a?utm_source=belfry>"},
		"without a text":     {"{{.Title}}\n\n{{.Text}}", "", " ", "Le \\_titre\\_"},
		"the default":        {"", "", "Un **mot**.", "**Le \\_titre\\_**\n\nUn **mot**.\n\n<https://news.example/a?utm_source=belfry>"},
		"marks are no marks": {"{{.Text}}", "", "A\ue0006869\ue001B https://address.belfry.invalid/6869/", "A6869B 6869/"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := program(t, channel(func(cfg *configs.Channel) {
				cfg.UTM = configs.UTM{Source: "belfry"}
				cfg.Template = configs.Template{Text: c.template}
			}))
			d := draft
			if c.text != "" {
				d.Text = c.text
			}
			content, err := ch.Write(d, time.Unix(0, 0))
			if err != nil {
				t.Fatal(err)
			}
			post, err := p.Post(Revision{PublicID: "abc", Channel: "c", Number: 1, Content: content}, "d", "", nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, strings.TrimSpace(render.Render(post.Body, render.CommonMark))); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if err := post.Body.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A post that is gone is not revised because it is gone for another reason.
func TestAnotherReasonIsNoRevision(t *testing.T) {
	t.Parallel()
	p := program(t, channel(nil))
	s := Stale{Channel: "c", Kind: KindDigest, Status: PostWithdrawn, Current: Content{Title: "Brief", Withdrawn: true, Reason: "all items were retracted"},
		Items: []StaleItem{{ID: 1, State: "blocked", Reason: "ruling"}}}
	if r := p.Recompose(s, time.Now()); r.Content != nil {
		t.Errorf("%+v", r.Content)
	}
}

func TestKeyInLogs(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{"https://news.example/a/b?token=x": "/a/b", "tag:news.example,2026:7": "tag:news.example,2026:7", "a\nb": "a b",
		strings.Repeat("a", 300): render.CutText(strings.Repeat("a", 300), 100, sdk.UnitBytes)} {
		if got := keyInLogs(key); got != want {
			t.Errorf("%q: %q", key, got)
		}
	}
}
