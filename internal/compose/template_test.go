package compose

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
	"github.com/google/go-cmp/cmp"
)

func TestCompileTemplateRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, text, want string }{
		{"misspelt field", "**{{.Titel}}**", `template line 1: there is no field .Titel; did you mean .Title?`},
		{"misspelt field in a branch that no sample reaches", "{{if eq .Lang \"xx\"}}\n{{.Sumary}}{{end}}", `template line 2: there is no field .Sumary; did you mean .Summary?`},
		{"field of the wrong place", "{{range .Items}}{{.Permalink}}{{end}}", `template line 1: there is no field .Permalink here; inside Items known are Title, Summary, URL, Tags, Authors, Published`},
		{"unknown function", "{{shout .Title}}", `template line 1: function "shout" not defined; besides those of text/template there are cut, upper, lower, date, join and default`},
		{"range over a number", "{{range 1000000000}}x{{end}}", `template line 1: range goes over something that is no list; range over .Items, .Tags, .Hashtags or .Authors`},
		{"range over a computed number", "{{range len .Title}}x{{end}}", `template line 1: range goes over something that is no list; range over .Items, .Tags, .Hashtags or .Authors`},
		{"unclosed action", "{{if .Title}}x", `template line 1: the template ends inside an if, range, with or block; close it with {{end}}`},
		{"inner characters", "\ue000", `the template holds the characters U+E000 or U+E001, which are kept for inner use; take them out`},
		{"index of what is not there", "{{index .Tags 5}}", `template line 1: there may be no entry 5 in .Tags; ask first: {{if gt (len .Tags) 5}}{{index .Tags 5}}{{end}}; the first entry is 0`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := CompileTemplate(c.text)
			if _, ok := errors.AsType[*TemplateError](err); !ok {
				t.Fatalf("got %v", err)
			}
			if diff := cmp.Diff(c.want, err.Error()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func program(t testing.TB, yamlChannel configs.Channel) *Program {
	t.Helper()
	c := configs.Default()
	c.Site.URL = "https://news.example"
	c.Timezone = "Europe/Paris"
	c.Sources = map[string]configs.Source{"s": {Type: "rss"}}
	c.Channels = map[string]configs.Channel{"c": yamlChannel}
	p, problems := Compile(&c)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return p
}

func channel(change func(*configs.Channel)) configs.Channel {
	var c configs.Channel
	c.SetDefaults()
	c.Title = configs.Localized{"": "Channel"}
	c.Sources = []string{"s"}
	e := &configs.Each{}
	e.SetDefaults()
	c.Each = e
	if change != nil {
		change(&c)
	}
	return c
}

func TestPostIsRenderedByItsTemplate(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 6, 12, 0, 0, time.UTC)
	p := program(t, channel(func(c *configs.Channel) {
		c.Hashtags = 2
		c.UTM = configs.UTM{Source: "belfry", Medium: "social"}
		c.Template = configs.Template{Text: "# {{.Title | upper}}\n{{cut 12 .Summary}}\nby {{range $i, $a := .Authors}}{{if $i}}, {{end}}{{$a.Name}}{{end}} at {{date \"15:04\" .Published}}\n\n[read on]({{.URL}}) {{join \" \" .Hashtags}}"}
		c.PublishTo = []configs.Target{{Destination: "d", Template: configs.Template{Text: "{{.Title}}"}, UTM: &configs.UTM{}}}
	}))
	rev := Revision{PublicID: "abc", Channel: "c", Number: 1, Published: at, At: at, Content: Content{Lang: "fr", Title: "Une *étoile*", Summary: "Le ciel [cache](x) la nuit",
		URL: "https://news.example/a?x=1", Tags: []string{"Espace", "ciel étoilé", "2026"}, Authors: []sdk.Author{{Name: "A_B_C"}, {Name: "<b>"}}, Published: at}}
	post, err := p.Post(rev, "elsewhere", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	want := "UNE *ÉTOILE*\n\nLe ciel…\nby A_B_C, <b> at 07:12\n\nread on (https://news.example/a?x=1&utm_source=belfry&utm_medium=social) #Espace #CielÉtoilé"
	if diff := cmp.Diff(want, render.Render(post.Body, render.Plain)); diff != "" {
		t.Error(diff)
	}
	own, err := p.Post(rev, "d", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("Une *étoile*", render.Render(own.Body, render.Plain)); diff != "" {
		t.Error(diff)
	}
	if own.URL != "https://news.example/a?x=1" {
		t.Errorf("the target's own campaign does not count: %s", own.URL)
	}
}

// What comes from an item is text, whatever it says.
func FuzzItemTextIsNeverMarkup(f *testing.F) {
	for _, s := range []string{"**bold**", "[x](https://evil.example)", "<b>x</b>", "# head", "- item", "1. x", "`code`", "> quote", "{{.Title}}", "\ue0006869\ue001",
		"https://address.belfry.invalid/6869/", "a\nb", "![i](x)", "&amp;", "\\*x", "***", "---", "| a | b |", "http://x.example", "~~~\ncode", "  x  ", "\u202eevil", ""} {
		f.Add(s, s)
	}
	tmpl, err := CompileTemplate("# {{.Title}}\n\n- {{.Summary}}\n- x\n\n> **{{.Title}}** [{{.Summary}}]({{.URL}})\n\n`{{.Title}}` {{.URL}}\n")
	if err != nil {
		f.Fatal(err)
	}
	shape := func(title, summary, link string) string {
		body, err := tmpl.Execute(map[string]any{"Title": value(title), "Summary": value(summary), "URL": address(link)})
		if err != nil {
			f.Fatalf("%q %q: %v", title, summary, err)
		}
		var b strings.Builder
		var walk func([]sdk.Node)
		walk = func(nodes []sdk.Node) {
			last := sdk.NodeKind("")
			for _, n := range nodes {
				kind := n.Kind
				if kind == sdk.NodeBreak {
					kind = sdk.NodeText
				}
				if kind == sdk.NodeText && last == kind {
					continue
				}
				last = kind
				b.WriteString(string(kind) + "(")
				if n.Kind == sdk.NodeLink && n.URL != "https://news.example/" {
					b.WriteString(n.URL)
				}
				walk(n.Children)
				b.WriteString(")")
			}
		}
		walk(body)
		return b.String()
	}
	visible := func(s string) bool {
		return strings.TrimFunc(cleanForTest(s), func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }) != ""
	}
	want := shape("title", "summary", "https://news.example/")
	f.Fuzz(func(t *testing.T, title, summary string) {
		if !visible(title) || !visible(summary) {
			return // blocks that stay empty are dropped
		}
		if got := shape(title, summary, "https://news.example/"); got != want {
			t.Errorf("title %q, summary %q:\n got %s\nwant %s", title, summary, got, want)
		}
	})
}

func cleanForTest(s string) string {
	return strings.Map(func(r rune) rune {
		if r == openText || r == closeText {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "x"))
}
