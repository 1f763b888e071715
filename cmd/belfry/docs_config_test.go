package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/sdk"
)

// The reference of the configuration says what the structs say.
func TestConfigurationPage(t *testing.T) {
	t.Parallel()
	golden(t, filepath.Join("..", "..", "docs", "configuration.md"), configurationPage())
}

// The schema that is shipped for editors is the one that the program prints.
func TestSchemaFile(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := writeJSON(&out, configs.Schema(builtIn(), nil)); err != nil {
		t.Fatal(err)
	}
	golden(t, filepath.Join("..", "..", "configs", "belfry.schema.json"), out.String())
}

// Every configuration in the README can be pasted: it is whole, and what a daemon would serve by. What the first steps
// begin with differs from it only in what the README speaks of.
func TestReadmeConfigurations(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) == 0 {
		t.Fatal("the README shows no configuration")
	}
	begin := loadText(t, configs.Minimal)
	for i, block := range blocks {
		for _, ch := range configs.Diff(begin.Tree(), loadText(t, block[1]).Tree()) {
			if ch.Path != "destinations" && ch.Path != "destinations.telegram" && !strings.HasPrefix(ch.Path, "channels.articles.publish_to") {
				t.Errorf("block %d is another file than belfry config example: %s", i+1, ch)
			}
		}
	}
}

func loadText(t *testing.T, text string) *configs.Loaded {
	t.Helper()
	path := filepath.Join(t.TempDir(), "belfry.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := configs.Load(configs.Options{Path: path, Environ: []string{"TELEGRAM_TOKEN=123456:abcdefghijklmnopqrstuvwxyzABCDEFGHI"}, Specs: builtIn(),
		Checks: []func(*configs.Loaded) sdk.Problems{compose.Check, configs.RequireAlerts}})
	if err != nil {
		t.Fatalf("%s\n%s", err, text)
	}
	return l
}

// Whoever adds a setting finds a place for it on the page.
func TestTheConfigurationPageHasEverySetting(t *testing.T) {
	t.Parallel()
	page := configurationPage()
	for _, s := range sdk.Fields(configs.Default()) {
		if s.Path != "alerts" && !strings.Contains(page, "| `"+s.Path+"` |") { // which has a section of its own
			t.Errorf("%s is not on it", s.Path)
		}
	}
}

func configurationPage() string {
	var b strings.Builder
	f := func(format string, args ...any) { fmt.Fprintf(&b, format, args...) }
	f(`# Configuration

Made from the program itself (go generate ./cmd/belfry). [belfry.example.yaml](../configs/belfry.example.yaml) shows it at
work; "belfry config schema" prints the JSON Schema that editors complete and check by
([belfry.schema.json](../configs/belfry.schema.json)).

One YAML file, or a folder of files merged in name order. Over a file comes its neighbour conf.d/*.yaml, then the
environment (BELFRY__SITE__URL sets site.url), then --set site.url=…. Maps merge by key, lists are replaced whole. A
misspelt key, a value of another type, a key that stands twice, a second document or a number like 010 is a problem, named
with its line. A changed file is read again by itself, or at once on SIGHUP; it counts whole or not at all.

A value may hold references: "${env:NAME}" stands for a variable of the environment, "${file:path}" for the text of a file
(relative to the configuration), alone or inside other text, such as "Bearer ${env:TOKEN}". Use them for credentials. What
is a secret or came by a reference is never shown, and what changed about it is told without its value. A template takes a
reference only as the whole of it; "$${env:NAME}" is the text itself.

Names of sources, destinations and channels are small letters, digits, - and _. A name that holds posts or followers cannot just vanish:
rename it with was:, or list it in retired:.
`)
	section := func(title, intro string, fields []sdk.Field) {
		f("\n## %s\n\n%s\n", title, intro)
		f("| setting | type | default | meaning |\n|---|---|---|---|\n")
		for _, s := range fields {
			kind := s.Type
			if s.Enum != nil {
				kind = strings.Join(s.Enum, ", ")
			}
			def := s.Default
			if s.Required {
				def = "*required*"
			} else if def != "" {
				def = code(def)
			}
			doc := cell(s.Doc)
			if s.Example != "" {
				doc += " Example: " + code(s.Example)
			}
			f("| `%s` | %s | %s | %s |\n", s.Path, cell(kind), def, doc)
		}
	}
	root := sdk.Fields(configs.Default())
	top := func(prefixes ...string) (out []sdk.Field) {
		for _, s := range root {
			first, _, _ := strings.Cut(s.Path, ".")
			if slices.Contains(prefixes, strings.TrimSuffix(first, "[]")) {
				out = append(out, s)
			}
		}
		return out
	}
	section("The whole", "What concerns all of it.\n", top("timezone", "site", "listen", "admin_listen", "admin", "trusted_proxies", "data_dir", "storage", "retention", "disk_floor",
		"retired", "media", "plugins", "shutdown_grace"))
	section("Alerts", "Settings, or the word none; a daemon is not started without one of them. [operations.md](operations.md) explains each alert.\n", below("alerts", sdk.Fields(configs.Default().Alerts)))
	section("Sources", "Every source has these settings besides those of its type.\n", top("sources"))
	for _, s := range builtIn() {
		if s.Has(sdk.RoleSource) || s.Has(sdk.RoleWebhook) {
			section("Source type "+s.Type, s.Summary+"\n", s.Fields())
		}
	}
	section("Destinations", "Every destination has these settings besides those of its type.\n", top("destinations"))
	for _, s := range builtIn() {
		if s.Has(sdk.RolePublisher) || s.Has(sdk.RoleMessenger) {
			section("Destination type "+s.Type, s.Summary+"\n", s.Fields())
		}
	}
	section("Channels", `A channel posts each item, or makes digests, or neither when only editors write in it.

Expressions (where, urgent) see item.source, key, group, title, summary, text, url, lang, tags, authors, urgency (1 to 9, 5
when the source does not say), has_image and published, and may call hasTag("…"), hasWord("…"), titleHas("…"),
hasAuthor("…"), fromSource("…") and inLang("…"), each with several words to choose from; case and accents do not count.

Templates are Markdown with the fields .Title .Summary .Text .URL .Permalink .Lang .Channel .Tags .Hashtags .Authors
.Published .Updated .Now .Correction .Credit .Items .Count and, besides the functions of Go's text/template, cut, upper,
lower, date, join and default. A line's end is one that readers see. What an item says is always text: it can become
neither markup nor template code. A closing line of links and hashtags is kept when a text is cut.
`, top("channels"))
	section("Blackouts", "A time in which nothing new is posted. Corrections and withdrawals always pass.\n", top("blackouts"))
	section("People", "What concerns people who are written to. [people.md](people.md) explains it.\n",
		top("privacy", "notices", "staff", "replies", "bulk_guard", "new_audience", "medium_rules"))
	return b.String()
}

// below gives settings the path that they have in a file.
func below(prefix string, fields []sdk.Field) []sdk.Field {
	out := slices.Clone(fields)
	for i := range out {
		out[i].Path = prefix + "." + out[i].Path
	}
	return out
}

// cell is text in a cell of a table, and code what stands there as it is written: it can be pasted. In both a | would end
// the cell.
func cell(s string) string {
	return strings.NewReplacer("|", `\|`, "\n", " ", "<", `\<`).Replace(s)
}

func code(s string) string { return "`" + strings.NewReplacer("|", `\|`, "\n", " ").Replace(s) + "`" }
