package configs_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/sdk"
)

// What is wrong inside a template or an expression is told at its own line and column, however YAML writes the text. The
// sign ¤ stands before it and is no part of the text.
func TestPositionsInsideTexts(t *testing.T) {
	t.Parallel()
	for name, setting := range map[string]string{
		"plain":                      "template: Été {{.Title}} {{¤.Titel}}",
		"plain over lines":           "template: Été\n      {{.Title}}\n\n      et {{.Summary}} puis\n      voilà {{¤.Titel}}",
		"plain on its own line":      "template:\n      Été {{¤.Titel}}",
		"single quotes":              "template: 'L''été {{.Title}} {{¤.Titel}}'",
		"single quotes over lines":   "template: 'L''été\n\n      d''ici {{.Title}}\n      {{¤.Titel}}'",
		"double quotes":              "template: \"Été {{¤.Titel}}\"",
		"escapes":                    `template: "\"\u00c9t\xe9\"\t{{.Title}}\n\\ {{¤.Titel}}"`,
		"an escape for a line end":   `template: "a\nb\n{{¤.Titel}}"`,
		"a surrogate":                "template: \"👩‍👧 é {{¤.Titel}}\"",
		"double quotes over lines":   "template: \"Été\n      {{.Title}}\n\n      l'été {{¤.Titel}}\"",
		"a line that goes on":        "template: \"Été \\\n      {{.Title}}\\\n      {{¤.Titel}}\"",
		"a literal block":            "template: |\n      Été {{.Title}}\n\n        indenté {{¤.Titel}}\n      fin",
		"a literal block, stripped":  "template: |-\n      Été {{¤.Titel}}\n",
		"a literal block, indented":  "template: |2\n        Été\n       {{¤.Titel}}\n",
		"a folded block":             "template: >\n      Été\n      {{.Title}}\n\n      l'été {{¤.Titel}}\n      fin",
		"a folded block, deeper":     "template: >+\n      Été\n        * {{.Title}}\n        * {{¤.Titel}}\n\n      fin\n\n",
		"between brackets":           "utm: {source: x}\n    publish_to: [{destination: d, template: \"é {{¤.Titel}}\"}]",
		"an expression":              "where: item.title == \"été\" and ¤hasTags(\"x\")",
		"an expression over lines":   "where: >-\n      item.title == \"été\"\n      and ¤hasTags(\"x\")",
		"an expression with escapes": `where: "item.title == \"été\" and ¤hasTags(\"x\")"`,
		"a folded expression":        "where: item.title == 'été'\n      and ¤hasTags(\"x\")",
	} {
		for _, end := range []string{"\n", "\r\n"} {
			t.Run(name+strings.TrimSpace(end), func(t *testing.T) {
				t.Parallel()
				text := "destinations:\n  d: {type: telegram, token: \"${env:TELEGRAM_TOKEN}\"}\n" + "channels:\n  c:\n    title: C\n    " + setting + "\n    lang: fr\n"
				if strings.Contains(text, "publish_to") {
					text = strings.Replace(text, "{destination: d", "{destination: d, chat: \"@gazette\"", 1)
				}
				before, after, _ := strings.Cut(text, "¤")
				line := strings.Count(before, "\n") + 1
				column := utf8.RuneCountInString(before[strings.LastIndex(before, "\n")+1:]) + 1
				path := filepath.Join(t.TempDir(), "belfry.yaml")
				if err := os.WriteFile(path, []byte(strings.ReplaceAll(before+after, "\n", end)), 0o600); err != nil {
					t.Fatal(err)
				}
				_, err := configs.Load(configs.Options{Path: path, Environ: environ, Specs: specs(), Checks: []func(*configs.Loaded) sdk.Problems{compose.Check}})
				invalid, ok := errors.AsType[*configs.Invalid](err)
				if !ok || len(invalid.Problems) != 1 {
					t.Fatalf("got %v", err)
				}
				if p := invalid.Problems[0]; p.Line != line || p.Column != column {
					t.Errorf("%s; want %d:%d", p, line, column)
				}
			})
		}
	}
}
