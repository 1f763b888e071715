package configs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
)

// References stand alone or inside other text; what they stand for arrives, and nothing shows it.
func TestReferences(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"key": "from-a-file\n", "belfry.yaml": `site: {title: "La ${env:PLACE} du ${env:DAY}", description: "$${env:PLACE} et $PLACE", url: "https://${env:HOST}"}
sources: {a: {type: rss, url: "https://n.example/", headers: {Authorization: "Bearer ${env:TOKEN}", X: "${file:key}!"}}}
destinations:
  h: {type: http, url: "https://h.example/${env:TOKEN}/x", secret: "${env:OPS_SECRET}"}
`})
	path := filepath.Join(dir, "belfry.yaml")
	l, err := configs.Load(configs.Options{Path: path, Specs: specs(), Environ: append([]string{"PLACE=Gazette", "DAY=jour", "HOST=news.example", "TOKEN=hunter2"}, environ...)})
	if err != nil {
		t.Fatal(err)
	}
	if l.Site.Title != "La Gazette du jour" || l.Site.Description != "${env:PLACE} et $PLACE" || l.Site.URL != "https://news.example" {
		t.Errorf("%+v", l.Site)
	}
	headers, _ := l.Sources["a"].Options["headers"].(map[string]any)
	if headers["Authorization"] != sdk.Untyped("Bearer hunter2") || headers["X"] != sdk.Untyped("from-a-file!") || l.Destinations["h"].Options["url"] != sdk.Untyped("https://h.example/hunter2/x") {
		t.Errorf("%v %v", headers, l.Destinations["h"].Options)
	}
	shown, err := json.Marshal(l.Tree())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{"hunter2", "from-a-file", "Gazette", "jour", "news.example"} {
		if strings.Contains(string(shown), s) {
			t.Errorf("%s is told in %s", s, shown)
		}
	}
}

// What is wrong with a value that holds references is told without what they stand for.
func TestReferencesRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`site: {title: "a ${env:NOT_SET} b ${env:NEITHER}"}`: "F:1:15: the environment variable NOT_SET is not set; set it where Belfry is started\n" +
			"F:1:15: the environment variable NEITHER is not set; set it where Belfry is started\n2 problems",
		`site: {title: "${file:nowhere}!"}`:                                "F:1:15: the file nowhere cannot be read: no such file or directory; write the value into it, for the user that runs Belfry alone\n1 problem",
		`site: {url: "https://${env:SECRET}/path"}`:                        "F:1:13: what the reference stands for does not fit here; look at the value of the variable or at the file\n1 problem",
		`timezone: Europe/${env:SECRET}`:                                   "F:1:11: what the reference stands for does not fit here; look at the value of the variable or at the file\n1 problem",
		`channels: {c: {title: C, template: "{{.Title}} ${env:SECRET}"}}`:  "F:1:36: a reference inside a template is not replaced; put the whole text into the variable or the file, and write ${env:NAME} or ${file:path} alone\n1 problem",
		`channels: {c: {title: C, template: "{{.Title}} $${env:SECRET}"}}`: "",
	} {
		path := filepath.Join(t.TempDir(), "belfry.yaml")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		got := ""
		if _, err := configs.Load(configs.Options{Path: path, Specs: specs(), Environ: []string{"SECRET=hunter2"}}); err != nil {
			got = strings.ReplaceAll(err.Error(), path, "F")
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		}
	}
}

// What is wrong with the whole configuration is told although secrets stand in it, and the fixed beginning of a key is none.
func TestAKeyMasksNothingElse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const body = "Abc123Def456Ghi789Jkl012Mno345Pqr678Stu901V"
	write(t, dir, map[string]string{"people.key": "belfry-key-" + body + "\n", "belfry.yaml": "site: {title: C}\nprivacy: {key: \"${file:people.key}\"}\n"})
	path := filepath.Join(dir, "belfry.yaml")
	for name, c := range map[string]struct {
		problem sdk.Problem
		want    string
	}{
		"the whole":           {sdk.Problem{What: "nothing says who is told", Fix: "look at belfry status"}, "nothing says who is told; look at belfry status"},
		"the fixed beginning": {sdk.Problem{Pointer: "/privacy/key", What: "a key is needed", Fix: "make it with: belfry keys new"}, "a key is needed; make it with: belfry keys new"},
		"the key itself":      {sdk.Problem{Pointer: "/privacy/key", What: body + " is no key"}, "what the reference stands for does not fit here"},
	} {
		check := func(*configs.Loaded) sdk.Problems { return sdk.Problems{c.problem} }
		_, err := configs.Load(configs.Options{Path: path, Specs: specs(), Environ: environ, Checks: []func(*configs.Loaded) sdk.Problems{check}})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), body) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
