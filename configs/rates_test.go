package configs_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
)

func TestRates(t *testing.T) {
	t.Parallel()
	for text, c := range map[string]struct {
		off  bool
		own  []sdk.Rate
		tree string
		want string
	}{
		"":                               {tree: `"platform"`},
		"rates: platform":                {tree: `"platform"`},
		"rates: off":                     {off: true, tree: `"off"`},
		"rates: [{events: 10, per: 1s}]": {own: []sdk.Rate{{Scope: sdk.RateDestination, Events: 10, Per: time.Second}}, tree: `[{"events":10,"per":"1s","scope":"destination"}]`},
		"rates: [{events: 60, per: 5m}, {events: 1, per: 1s, scope: channel}]": {own: []sdk.Rate{{Scope: sdk.RateDestination, Events: 60, Per: 5 * time.Minute}, {Scope: sdk.RateChannel, Events: 1, Per: time.Second}},
			tree: `[{"events":60,"per":"5m","scope":"destination"},{"events":1,"per":"1s","scope":"channel"}]`},
		"rates: fast":                               {want: `F:4:13: "fast" is not possible here; write platform, off, or calls in a time: [{events: 10, per: 1s}]`},
		"rates: {events: 10, per: 1s}":              {want: "F:4:13: a word or a list of rates expected; write platform, off, or calls in a time: [{events: 10, per: 1s}]"},
		"rates: []":                                 {want: "F:4:13: the list has no rate; write platform, off, or calls in a time: [{events: 10, per: 1s}]"},
		"rates: [{events: 0, per: 0s}]":             {want: "F:4:23: 0 is too small; at least 1\nF:4:31: a rate needs a time; write it like per: 1m"},
		"rates: [{event: 1, pre: 1s}]":              {want: "F:4:15: unknown key \"event\" in destinations.t.rates.0"},
		"rates: [{events: 1, per: 1s, scope: all}]": {want: `F:4:42: "all" is not possible here; one of destination, channel`},
	} {
		path := filepath.Join(t.TempDir(), "belfry.yaml")
		if err := os.WriteFile(path, []byte("destinations:\n  t:\n    {type: telegram, token: \"${env:TELEGRAM_TOKEN}\",\n     "+text+"}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		l, err := configs.Load(configs.Options{Path: path, Specs: specs(), Environ: environ})
		if err != nil {
			if got := strings.ReplaceAll(err.Error(), path, "F"); c.want == "" || !strings.HasPrefix(got, c.want) {
				t.Errorf("%s\n got %s\nwant %s", text, got, c.want)
			}
			continue
		}
		d := l.Destinations["t"]
		destinations, _ := l.Tree()["destinations"].(map[string]any)
		settings, _ := destinations["t"].(map[string]any)
		tree, err := json.Marshal(settings["rates"])
		if err != nil || d.Rates.Off != c.off || string(tree) != c.tree || c.want != "" {
			t.Errorf("%s: %+v, %s, %v", text, d.Rates, tree, err)
		}
		if diff := cmp.Diff(c.own, d.Rates.Own()); diff != "" {
			t.Errorf("%s: %s", text, diff)
		}
		// What was stored is read again as what it was.
		var again configs.Rates
		if err := again.DecodeTree(settings["rates"]); err == nil {
			if diff := cmp.Diff(d.Rates, again); diff != "" {
				t.Errorf("%s, stored: %s", text, diff)
			}
		}
	}
}

type deaf struct{ sdk.Publisher }

func (deaf) Close(context.Context) error { return nil }

type greedy struct {
	Calls int `yaml:"parallel"`
}

// A type whose setting has the name of one that every destination has could never be given it, and is refused at once.
func TestTypesDoNotClash(t *testing.T) {
	t.Parallel()
	clashing := sdk.Define("greedy", "Takes a name that is taken.", greedy{}, func(context.Context, sdk.Settings, greedy) (deaf, error) { return deaf{}, nil })
	path := filepath.Join(t.TempDir(), "belfry.yaml")
	if err := os.WriteFile(path, []byte(small), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := configs.Load(configs.Options{Path: path, Specs: append(specs(), clashing)})
	want := "type greedy: it has a setting called \"parallel\", and so has every destination, which takes what is written there; give the setting another name in the type's own configuration\n1 problem"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	for _, s := range specs() {
		if what, clashes := configs.Clash(s.Roles, s.Fields()); clashes {
			t.Errorf("%s: %s", s.Type, what)
		}
	}
}
