package configs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
)

// A change of what is not shown is noticed and told of, and neither the stored configuration nor the message tells it.
func TestHiddenChanges(t *testing.T) {
	t.Parallel()
	const before = `
sources:
  a: {type: rss, url: "https://n.example/", headers: {X-Key: hunter2}, password: hunter2, username: me}
destinations:
  v: {type: http, url: "https://v.example/hush1", secrets: ["${env:OPS_SECRET}"], headers: {X-A: hush2}}
  w: {type: http, url: "https://w.example/hook", basic: {user: me, password: hush3}, secret: "${env:OPS_SECRET}"}
  t: {type: telegram, token: "${env:TOKEN}"}
  x: {type: strange, key: hush4, list: [hush5]}
plugins: {external: {strange: {path: /opt/strange}}}
site: {description: "${env:PLACE} ici"}
alerts: {to: [w], heartbeat: {url: "https://hc.example/hush6"}}
channels:
  c: {title: C, sources: [a], each: {}, template: c.tmpl}
`
	key := []byte("a key of the store")
	load := func(text, tmpl string, environ ...string) map[string]any {
		t.Helper()
		dir := t.TempDir()
		write(t, dir, map[string]string{"belfry.yaml": text, "c.tmpl": tmpl})
		l, err := configs.Load(configs.Options{Path: filepath.Join(dir, "belfry.yaml"), Specs: specs(),
			Environ: append([]string{"OPS_SECRET=whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "TOKEN=1:hush7", "PLACE=hush8"}, environ...)})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(l.Tree(), unmarked(l.Marked(key))); diff != "" {
			t.Errorf("the marks change what is shown: %s", diff)
		}
		return l.Marked(key)
	}
	text, err := json.Marshal(load(before, "{{.Title}}"))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"hush", "hunter2", "MDEyMzQ1"} {
		if strings.Contains(string(text), s) {
			t.Errorf("%s is told in %s", s, text)
		}
	}
	var stored map[string]any
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	hidden := func(path string) []string { return []string{"~ " + path + ": changed (its value is not shown)"} }
	for name, c := range map[string]struct {
		edit    []string
		tmpl    string
		environ []string
		want    []string
	}{
		"nothing":                 {},
		"the path of an address":  {edit: []string{"hush1", "hush10"}, want: hidden("destinations.v.url")},
		"the host of an address":  {edit: []string{"v.example", "vv.example"}, want: []string{`~ destinations.v.url: "https://v.example/[…]" → "https://vv.example/[…]"`}},
		"a header":                {edit: []string{"hush2", "hush20"}, want: hidden("destinations.v.headers.X-A")},
		"a password":              {edit: []string{"password: hush3", "password: hush30"}, want: hidden("destinations.w.basic.password")},
		"a variable":              {environ: []string{"TOKEN=1:hush70"}, want: hidden("destinations.t.token")},
		"a part of a text":        {environ: []string{"PLACE=hush80"}, want: hidden("site.description")},
		"a variable in two":       {environ: []string{"OPS_SECRET=whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWE="}, want: append(hidden("destinations.v.secrets"), hidden("destinations.w.secret")...)},
		"an option of a stranger": {edit: []string{"hush4", "hush40"}, want: hidden("destinations.x.key")},
		"a list of a stranger":    {edit: []string{"[hush5]", "[hush50]"}, want: hidden("destinations.x.list")},
		"a heartbeat":             {edit: []string{"hush6", "hush60"}, want: hidden("alerts.heartbeat.url")},
		"a template's file":       {tmpl: "{{.Title}}!", want: []string{"~ channels.c.template: the text of c.tmpl changed"}},
		"a source's password":     {edit: []string{"password: hunter2", "password: hunter20"}, want: hidden("sources.a.password")},
		"the variable's name":     {edit: []string{"${env:TOKEN}", "${env:OTHER}"}, environ: []string{"OTHER=1:hush7"}},
		"renamed, with a change":  {edit: []string{"  v: {", "  vv: {was: v, ", "hush1", "hush10"}, want: append([]string{"~ destinations.vv: renamed v → vv"}, hidden("destinations.vv.url")...)},
		"beside another change":   {edit: []string{"hush1\"", "hush10\", timeout: 20s"}, want: append([]string{"~ destinations.v.timeout: 15s → 20s"}, hidden("destinations.v.url")...)},
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
			if c.tmpl == "" {
				c.tmpl = "{{.Title}}"
			}
			var got []string
			changes := configs.Diff(stored, load(after, c.tmpl, c.environ...))
			for _, ch := range changes {
				got = append(got, ch.String())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			told, err := json.Marshal(changes)
			if err != nil || strings.Contains(string(told), "hush") || strings.Contains(string(told), `\u001f`) {
				t.Errorf("%s, %v", told, err)
			}
		})
	}
}

// unmarked takes the marks off.
func unmarked(tree any) map[string]any {
	text, err := json.Marshal(tree)
	if err != nil {
		panic(err) // texts can be written
	}
	parts := strings.Split(string(text), `\u001f`)
	for i := 1; i < len(parts); i++ {
		parts[i] = parts[i][16:]
	}
	var out map[string]any
	d := json.NewDecoder(strings.NewReader(strings.Join(parts, "")))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		panic(err) // it was written here
	}
	return out
}

// A configuration that an earlier Belfry stored has no marks: it differs in what is shown alone. Marks of another key say
// that something differs, and never what.
func TestMarksAndKeys(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "belfry.yaml")
	if err := os.WriteFile(path, []byte(operators+"alerts: {to: [ops]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := configs.Load(configs.Options{Path: path, Specs: specs(), Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	one, two := []byte("one"), []byte("two")
	if l.Unlike(l.Tree(), one, nil) || l.Unlike(l.Marked(one), one, nil) || l.Unlike(l.Marked(one), nil, nil) || !l.Unlike(l.Marked(one), two, nil) {
		t.Error("it is not told apart rightly")
	}
	// Without the key a mark is a number: the same secret has another one under another key.
	if cmp.Equal(l.Marked(one), l.Marked(two)) || cmp.Equal(l.Marked(one), l.Tree()) {
		t.Error("the marks do not depend on the key")
	}
}

// What is lent of the files to a configuration that was applied is what was applied.
func TestAppliedWithMarks(t *testing.T) {
	t.Parallel()
	dir, key := t.TempDir(), []byte("key")
	path := filepath.Join(dir, "belfry.yaml")
	load := func(environ string) configs.Options {
		return configs.Options{Path: path, Specs: specs(), Environ: []string{"OPS_SECRET=" + environ, "TELEGRAM_TOKEN=123456:AbCdEf"}}
	}
	write(t, dir, map[string]string{"belfry.yaml": operators + "alerts: {to: [ops]}\n"})
	const secret, other = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWE="
	l, err := configs.Load(load(secret))
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(l.Marked(key))
	if err != nil {
		t.Fatal(err)
	}
	var stored map[string]any
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{"belfry.yaml": operators + "alerts: {to: [ops]}\nnonsense: 1\n"})
	if a := configs.Applied(load(secret), stored, key); a.Withheld("ops") || a.Destinations["ops"].Options["secret"] != sdk.Untyped(secret) || a.Withheld("telegram") {
		t.Errorf("what is as it was is withheld: %v", a.Destinations["ops"].Options)
	}
	if a := configs.Applied(load(other), stored, key); !a.Withheld("ops") || a.Withheld("telegram") {
		t.Error("another secret is taken for the one that was applied")
	}
	for _, d := range configs.Applied(load(other), stored, key).Destinations {
		for name, v := range d.Options {
			if s, ok := v.(string); ok && strings.Contains(s, "\x1f") {
				t.Errorf("%s holds a mark: %q", name, s)
			}
		}
	}
}
