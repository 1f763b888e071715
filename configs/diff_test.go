package configs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
)

// A tree that was stored as JSON equals the same tree that was not.
func TestDiffOfAStoredTree(t *testing.T) {
	t.Parallel()
	fresh := map[string]any{"media": map[string]any{"max_bytes": 15728640, "width": 1280}, "on": true}
	stored := map[string]any{"media": map[string]any{"max_bytes": float64(15728640), "width": float64(1280)}, "on": true}
	if d := configs.Diff(stored, fresh); len(d) > 0 {
		t.Errorf("got %v", d)
	}
	stored["on"] = false
	if d := configs.Diff(stored, fresh); len(d) != 1 || d[0].Path != "on" {
		t.Errorf("got %v", d)
	}
}

// Each difference is one short line, with values as YAML writes them.
func TestDiffForPeople(t *testing.T) {
	t.Parallel()
	const before = `timezone: Europe/Paris
sources:
  articles: {type: rss, url: "https://news.example/feed.xml"}
  agenda: {type: rss, url: "https://news.example/agenda.xml"}
destinations:
  tg: {type: telegram, token: "123456:abcdefghijklmnopqrstuvwxyzABCDEFGHI"}
  ops: {type: http, url: "https://ops.example/hook", secret: "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="}
alerts: {to: [ops]}
channels:
  news:
    title: Les nouvelles
    sources: [articles]
    each: {settle: 1h}
    template: |
      Un long texte qui ne change pas du tout au commencement, et puis **{{.Title}}** avec {{.Summary}}, et encore
      {{.URL}}
    publish_to:
      - {destination: tg, chat: "@gazette", max_age: 1d}
      - {destination: ops}
`
	for name, c := range map[string]struct {
		edit []string // old, new, …
		want []string
	}{
		"nothing":         {nil, nil},
		"a number":        {[]string{"sources: [articles]", "sources: [articles]\n    hashtags: 5"}, []string{`~ channels.news.hashtags: 3 → 5`}},
		"a duration":      {[]string{"settle: 1h", "settle: 90s"}, []string{`~ channels.news.each.settle: 1h → 1m30s`}},
		"a text":          {[]string{"Les nouvelles", "\"Tout: vite\""}, []string{`~ channels.news.title: Les nouvelles → "Tout: vite"`}},
		"a list of words": {[]string{"sources: [articles]", "sources: [articles, agenda]"}, []string{`~ channels.news.sources: [articles] → [articles, agenda]`}},
		"a letter of a template": {[]string{"avec {{.Summary}}", "sans {{.Summary}}"},
			[]string{`~ channels.news.template: "… **{{.Title}}** avec {{.Summary}}, e…" → "… **{{.Title}}** sans {{.Summary}}, e…"`}},
		"a field of a place":       {[]string{"max_age: 1d", "max_age: 2h"}, []string{`~ channels.news.publish_to[tg/@gazette].max_age: 1d → 2h`}},
		"a place taken out":        {[]string{"      - {destination: ops}\n", ""}, []string{`- channels.news.publish_to[ops]: {destination: ops, max_age: 1d, media: 1}`}},
		"places in another order":  {[]string{"      - {destination: ops}\n", "", "    publish_to:\n", "    publish_to:\n      - {destination: ops}\n"}, []string{`~ channels.news.publish_to: [tg/@gazette, ops] → [ops, tg/@gazette]`}},
		"settings that were added": {[]string{"    sources: [articles]", "    sources: [articles]\n    utm: {source: belfry}"}, []string{`~ channels.news.utm.source: "" → belfry`}},
		"a channel renamed": {[]string{"  news:\n", "  nieuws:\n    was: news\n", "settle: 1h", "settle: 2h"},
			[]string{`~ channels.nieuws: renamed news → nieuws`, `~ channels.nieuws.each.settle: 1h → 2h`}},
		"a source renamed": {[]string{"  agenda: {", "  dates: {was: agenda, "}, []string{`~ sources.dates: renamed agenda → dates`}},
		"a source added": {[]string{"sources:\n", "sources:\n  more: {type: rss, url: \"https://more.example/feed\"}\n"},
			[]string{`+ sources.more: `}},
		"who is told": {[]string{"alerts: {to: [ops]}", "alerts: {to: [ops, {destination: tg, chat: \"@gazette_ops\"}]}"}, []string{`+ alerts.to[tg/@gazette_ops]: {chat: "@gazette_ops", destination: tg}`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			after := before
			for i := 0; i < len(c.edit); i += 2 {
				if !strings.Contains(after, c.edit[i]) {
					t.Fatalf("%q is not there", c.edit[i])
				}
				after = strings.Replace(after, c.edit[i], c.edit[i+1], 1)
			}
			// The running one comes from the store.
			text, err := json.Marshal(tree(t, before))
			if err != nil {
				t.Fatal(err)
			}
			var stored map[string]any
			if err := json.Unmarshal(text, &stored); err != nil {
				t.Fatal(err)
			}
			var got []string
			for i, ch := range configs.Diff(stored, tree(t, after)) {
				line := ch.String()
				if i < len(c.want) && strings.HasSuffix(c.want[i], ": ") && strings.HasPrefix(line, c.want[i]) && len(line) < 160 {
					line = c.want[i]
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func tree(t *testing.T, text string) map[string]any {
	t.Helper()
	path := filepath.Join(t.TempDir(), "belfry.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := configs.Load(configs.Options{Path: path, Specs: specs()})
	if err != nil {
		t.Fatal(err)
	}
	return l.Tree()
}

// Programs get the types that the configuration has.
func TestDiffForPrograms(t *testing.T) {
	t.Parallel()
	before := map[string]any{"channels": map[string]any{"a": map[string]any{"hashtags": json.Number("3"), "listed": true, "sources": []any{"x"}, "title": "A"}}}
	after := map[string]any{"channels": map[string]any{"b": map[string]any{"hashtags": 4, "listed": false, "sources": []any{"x", "y"}, "title": "A", "was": "a"}}}
	got, err := json.Marshal(configs.Diff(before, after))
	want := `[{"path":"channels.b","was":"a"},{"path":"channels.b.hashtags","old":3,"new":4},{"path":"channels.b.listed","old":true,"new":false},` +
		`{"path":"channels.b.sources","old":["x"],"new":["x","y"]}]`
	if err != nil || string(got) != want {
		t.Errorf("got %s, %v", got, err)
	}
}

// A long list says what it gains and loses.
func TestDiffOfALongList(t *testing.T) {
	t.Parallel()
	var long []any
	for i := range 40 {
		long = append(long, strings.Repeat("x", i+1))
	}
	more := append(append([]any{}, long[1:]...), "new one")
	got := configs.Diff(map[string]any{"a": long}, map[string]any{"a": more})
	if len(got) != 1 || got[0].String() != "~ a: adds new one, takes out x" {
		t.Errorf("got %v", got)
	}
}
