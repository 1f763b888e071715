package configs_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/sdk"
)

// write writes files below a folder.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

const small = `sources:
  articles: {type: rss, url: "https://news.example/feed.xml"}
channels:
  alertes: {title: Alertes, sources: [articles], each: {}}
`

// Files are merged in the order of their names, then the environment and flags over them; editors' files are not read.
func TestLayers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"belfry.yaml":            "site: {title: main, description: main}\nlisten: 127.0.0.1:1\ntimezone: UTC\n" + small,
		"conf.d/10-a.yml":        "site: {title: a}\nlisten: 127.0.0.1:2\ntimezone: Europe/Paris\n",
		"conf.d/20-b.yaml":       "listen: 127.0.0.1:3\ndata_dir: b\n",
		"conf.d/.#20-b.yaml":     "broken: [",
		"conf.d/20-b.yaml~":      "broken: [",
		"conf.d/notes.txt":       "broken: [",
		"conf.d/.30-hidden.yaml": "broken: [",
	})
	if err := os.Symlink("nowhere", filepath.Join(dir, "conf.d", ".#lock.yaml")); err != nil {
		t.Fatal(err)
	}
	l, err := configs.Load(configs.Options{Path: filepath.Join(dir, "belfry.yaml"), Specs: specs(),
		Environ: []string{"BELFRY__DATA_DIR=env", "BELFRY__SITE__LANG=fr", "OTHER=x"}, Flags: map[string]string{"site.lang": "en"}})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{l.Site.Title, l.Site.Description, l.Listen, l.Timezone, l.DataDir, l.Site.Lang}
	if diff := cmp.Diff([]string{"a", "main", "127.0.0.1:3", "Europe/Paris", "env", "en"}, got); diff != "" {
		t.Error(diff)
	}
	for pointer, want := range map[string]string{"/site/title": "10-a.yml:1:15", "/listen": "20-b.yaml:1:9", "/data_dir": "environment variable BELFRY__DATA_DIR", "/site/lang": "--set site.lang"} {
		if at, ok := l.Origin(pointer); !ok || filepath.Base(at.String()) != want {
			t.Errorf("%s stands at %v, want %s", pointer, at, want)
		}
	}
}

// Values are what is written, not what a reader of YAML makes of it.
func TestValuesAreKeptAsWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"1.10"`: "1.10", `'010'`: "010", `"no"`: "no", `no`: "no", `yes`: "yes", `2026-11-20`: "2026-11-20", `22:30`: "22:30", `"a: b # c"`: "a: b # c", `a#b`: "a#b",
		`"é\n"`: "é\n", "|\n    two\n    lines": "two\nlines", ">\n    one\n    line": "one line", `!!str 1.10`: "1.10", `"${env:NUMBER}"`: "0010", `"$HOME"`: "$HOME",
		`Norway`: "Norway", `~tilde`: "~tilde", `1.2.3`: "1.2.3", `"*/5"`: "*/5",
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			write(t, dir, map[string]string{"belfry.yaml": "site:\n  description: " + text + "\n" + small})
			l, err := configs.Load(configs.Options{Path: filepath.Join(dir, "belfry.yaml"), Specs: specs(), Environ: []string{"NUMBER=0010"}})
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimRight(l.Site.Description, "\n"); got != strings.TrimRight(want, "\n") {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// Anchors and merge keys work inside the settings.
func TestAnchors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"belfry.yaml": `sources:
  articles: {type: rss, url: "https://news.example/feed.xml"}
channels:
  alertes: &usual
    title: Alertes
    sources: [articles]
    each: {settle: 2m}
  brief:
    <<: *usual
    title: Brief
`})
	l, err := configs.Load(configs.Options{Path: filepath.Join(dir, "belfry.yaml"), Specs: specs()})
	if err != nil {
		t.Fatal(err)
	}
	b := l.Channels["brief"]
	if b.Title.In("en") != "Brief" || b.Each == nil || b.Each.Settle.String() != "2m" || !slices.Equal(b.Sources, []string{"articles"}) {
		t.Errorf("got %+v", b)
	}
}

// What is shown and stored of a configuration holds none of its secrets.
func TestTreeMasks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"token": "123456:FromAFile\n", "belfry.yaml": small + `destinations:
  tg: {type: telegram, token: "${env:TELEGRAM_TOKEN}"}
  tg2: {type: telegram, token: "${file:token}"}
  hook: {type: http, url: "https://ops.example/hook", secret: "` + "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" + `", headers: {X-Key: hunter2}}
plugins: {external: {strange: {path: /opt/strange}}}
alerts: {to: [hook]}
`})
	write(t, dir, map[string]string{"conf.d/strange.yaml": "sources: {other: {type: strange, key: hunter2}}\nsite: {description: \"${env:OPS_SECRET}\"}\n"})
	l, err := configs.Load(configs.Options{Path: filepath.Join(dir, "belfry.yaml"), Specs: specs(), Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(l.Tree())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"AbCdEf", "FromAFile", "MDEyMzQ1", "hunter2"} {
		if strings.Contains(string(text), s) {
			t.Errorf("%s is told in %s", s, text)
		}
	}
	if strings.Contains(fmt.Sprintf("%v %+v", l.Destinations["tg"], l.Warnings), "hunter2") {
		t.Error("a secret is printed")
	}
	warned := []string{}
	for _, w := range l.Warnings {
		warned = append(warned, w.What)
	}
	if want := []string{fmt.Sprintf("%s stands in the file itself", "secret")}; !slices.Equal(warned, want) {
		t.Errorf("warned of %q, want %q", warned, want)
	}
}

// Warnings come in the order of the file, and what has no secret shows none.
func TestWarningsInOrderAndNoSecretWhereThereIsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var dests strings.Builder
	for i := range 12 {
		fmt.Fprintf(&dests, "  d%d: {type: http, url: \"https://desk.example/%d\", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}\n", i, i)
	}
	write(t, dir, map[string]string{"belfry.yaml": small + "destinations:\n" + dests.String()})
	l, err := configs.Load(configs.Options{Path: filepath.Join(dir, "belfry.yaml"), Specs: specs()})
	if err != nil {
		t.Fatal(err)
	}
	last := 0
	for _, w := range l.Warnings {
		if w.Line < last {
			t.Errorf("line %d is told of after line %d", w.Line, last)
		}
		last = w.Line
	}
	if len(l.Warnings) < 12 {
		t.Errorf("%d warnings", len(l.Warnings))
	}
	text, err := json.Marshal(l.Tree())
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "[secret]"); n != 12 {
		t.Errorf("%d secrets are masked, of 12 that there are: %s", n, text)
	}
}

// What flags and the environment set is told apart from what the file says.
func TestWhatIsSetOutside(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	load := func(text string, flags map[string]string, environ ...string) *configs.Loaded {
		t.Helper()
		write(t, dir, map[string]string{"belfry.yaml": text})
		l, err := configs.Load(configs.Options{Path: filepath.Join(dir, "belfry.yaml"), Specs: specs(), Flags: flags, Environ: environ})
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	daemon := load(small, map[string]string{"listen": "127.0.0.1:9"}, "BELFRY__SITE__TITLE=Autre")
	if got, want := daemon.Outside(), []string{"listen", "site.title"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for name, c := range map[string]struct {
		here *configs.Loaded
		want bool
	}{
		"the same file":          {load(small, nil), false},
		"a flag of here":         {load(small, map[string]string{"data_dir": "elsewhere"}), false},
		"another file":           {load(small+"data_dir: elsewhere\n", nil), true},
		"another setting beside": {load(small+"site: {lang: fr}\n", nil), true},
	} {
		if got := c.here.Unlike(daemon.Tree(), nil, daemon.Outside()); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// Whatever a file holds, it is a configuration or a list of problems with their places, and no secret is told.
func FuzzLoad(f *testing.F) {
	entries, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(e)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add(configs.Minimal)
	f.Add(configs.Example)
	f.Add("a: &a [*a, *a]\n")
	f.Add("a: &a {<<: *a}\n")
	f.Add("timezone: ${env:CANARY}\nlisten: ${env:CANARY}\nsite: ${env:CANARY}\n")
	f.Add(small + "destinations:\n  d: {type: http, url: ${env:CANARY}, secret: ${env:CANARY}}\n")
	f.Add(strings.Repeat("{a: ", 500))
	f.Add(strings.Repeat("- ", 500) + "x")
	const canary = "kanarienvogel-7391"
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "file:") || strings.Contains(text, "kanarien") || strings.Contains(text, "7391") {
			return
		}
		path := filepath.Join(dir, "belfry.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := configs.Load(configs.Options{Path: path, Specs: specs(), Environ: append([]string{"CANARY=" + canary}, environ...),
			Checks: []func(*configs.Loaded) sdk.Problems{compose.Check}})
		told := ""
		switch invalid, ok := errors.AsType[*configs.Invalid](err); {
		case err == nil:
			b, err := json.Marshal(l.Tree())
			if err != nil {
				t.Errorf("its tree cannot be written: %v", err)
			}
			told = string(b)
		case !ok || len(invalid.Problems) == 0:
			t.Fatalf("got %v", err)
		default:
			told = err.Error()
			for _, p := range invalid.Problems {
				if p.What == "" || p.File == "" || p.Line > strings.Count(text, "\n")+2 {
					t.Errorf("a problem without a place: %q at %v", p.What, p.Position)
				}
			}
		}
		for _, word := range []string{canary, "kanarienvogel", "7391", "AbCdEf"} {
			if strings.Contains(told, word) && !strings.Contains(text, word) {
				t.Errorf("a secret is told: %s", told)
			}
		}
	})
}

// A stamp changes with every file that a configuration was made of, and with one that comes or goes.
func TestStamp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "belfry.yaml")
	write(t, dir, map[string]string{"belfry.yaml": strings.Replace(small, "each: {}", "each: {}, template: a.tmpl", 1), "a.tmpl": "{{.Title}}", "conf.d/1.yaml": "listen: 127.0.0.1:1\n"})
	l, err := configs.Load(configs.Options{Path: path, Specs: specs()})
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{configs.Stamp(l): "the beginning"}
	for _, step := range []struct {
		name string
		do   func() error
	}{
		{"another template", func() error { return os.WriteFile(filepath.Join(dir, "a.tmpl"), []byte("**{{.Title}}**"), 0o600) }},
		{"another file", func() error {
			return os.WriteFile(filepath.Join(dir, "conf.d", "2.yaml"), []byte("listen: 127.0.0.1:2\n"), 0o600)
		}},
		{"one less", func() error { return os.Remove(filepath.Join(dir, "conf.d", "1.yaml")) }},
		{"another text", func() error { return os.WriteFile(path, []byte(small+"\n"), 0o600) }},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		s := configs.Stamp(l)
		if before, twice := seen[s]; twice && s != "absent" {
			t.Errorf("%s has the stamp of %s", step.name, before)
		}
		seen[s] = step.name
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if s := configs.Stamp(l); s != "absent" {
		t.Errorf("without the file it is %s; known %v", s, slices.Collect(maps.Values(seen)))
	}
}

// A configuration of two thousand sources takes a fraction of a second.
func BenchmarkLoad(b *testing.B) {
	var text strings.Builder
	text.WriteString("alerts: none\nsources:\n")
	for i := range 2000 {
		fmt.Fprintf(&text, "  s%d:\n    type: rss\n    url: \"https://news%d.example/feed.xml\"\n    headers: {Authorization: \"Bearer ${env:TOKEN}\"}\n", i, i)
	}
	text.WriteString("channels:\n")
	for i := range 300 {
		fmt.Fprintf(&text, "  c%d:\n    title: Channel %d\n    sources: [s%d, s%d]\n    where: hasTag(\"a\") and item.urgency < 5\n    each: {settle: 2m}\n    template: |\n      **{{.Title}}**\n\n      {{.URL}}\n", i, i, i, i+1)
	}
	dir := b.TempDir()
	write(b, dir, map[string]string{"belfry.yaml": text.String()})
	o := configs.Options{Path: filepath.Join(dir, "belfry.yaml"), Environ: []string{"TOKEN=x"}, Specs: specs(), Checks: []func(*configs.Loaded) sdk.Problems{compose.Check, configs.RequireAlerts}}
	for b.Loop() {
		l, err := configs.Load(o)
		if err != nil {
			b.Fatal(err)
		}
		if len(l.Marked([]byte("key"))) == 0 {
			b.Fatal("nothing is there")
		}
	}
}
