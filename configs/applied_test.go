package configs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
)

// What was applied and stored says the same as what was loaded, but for the secrets.
func TestApplied(t *testing.T) {
	t.Parallel()
	loaded := load(t, configs.Example)
	text, err := json.Marshal(loaded.Tree())
	if err != nil {
		t.Fatal(err)
	}
	var stored map[string]any
	if err := json.Unmarshal(text, &stored); err != nil {
		t.Fatal(err)
	}
	// A setting of another version, and one that it understands in another way.
	stored["of_tomorrow"], stored["disk_floor"] = true, map[string]any{"bytes": 1}
	l := configs.Applied(configs.Options{Path: loaded.Path, Specs: specs(), Flags: map[string]string{"data_dir": "/var/elsewhere"}}, stored, nil)
	if l.DataDir != "/var/elsewhere" || l.Dir != loaded.Dir || l.DiskFloor != configs.Default().DiskFloor {
		t.Errorf("%q, %q, %v", l.DataDir, l.Dir, l.DiskFloor)
	}
	if diff := cmp.Diff(loaded.Channels, l.Channels, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if l.Zone().String() != loaded.Zone().String() || l.Media.Timeout.Std() == 0 || len(l.Sources) != len(loaded.Sources) || len(l.Destinations) != len(loaded.Destinations) {
		t.Errorf("%+v", l.Config)
	}
	if _, problems := compose.Compile(&l.Config); len(problems) > 0 {
		t.Error(problems)
	}
}

// A file with problems lends the credentials of what it still describes as it was applied, and no others.
func TestAppliedLendsSecrets(t *testing.T) {
	t.Parallel()
	const good = `
site: {title: La Gazette}
destinations:
  ops: {type: http, url: "https://ops.example/hook", secret: "${env:OPS_SECRET}"}
  telegram: {type: telegram, token: "${env:TELEGRAM_TOKEN}"}
alerts: {to: [ops]}
`
	loaded := load(t, good)
	text, err := json.Marshal(loaded.Tree())
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file string
		lent []string
	}{
		"an unknown key elsewhere":    {strings.Replace(good, "title:", "titel:", 1), []string{"ops", "telegram"}},
		"another address":             {strings.Replace(good, "ops.example", "evil.example", 1) + "x: 1\n", []string{"telegram"}},
		"another destination is gone": {strings.Replace(good, "  telegram: {", "  telegraph: {", 1), []string{"ops"}},
		"a secret that is not there":  {strings.Replace(good, "OPS_SECRET", "NOBODY", 1), []string{"telegram"}},
		"no YAML":                     {good + "a: [\n", nil},
		"nothing":                     {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stored map[string]any
			if err := json.Unmarshal(text, &stored); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "belfry.yaml")
			if err := os.WriteFile(path, []byte(c.file), 0o600); err != nil {
				t.Fatal(err)
			}
			o := configs.Options{Path: path, Specs: specs(), Environ: environ}
			l := configs.Applied(o, stored, nil)
			for name, secret := range map[string]string{"ops": "secret", "telegram": "token"} {
				lent := slices.Contains(c.lent, name)
				if l.Withheld(name) == lent {
					t.Errorf("%s: withheld is %v", name, !lent)
				}
				if v, want := l.Destinations[name].Options[secret], loaded.Destinations[name].Options[secret]; cmp.Equal(v, want) != lent {
					t.Errorf("%s: the credential is %v", name, v)
				}
			}
		})
	}
}

func TestDataDirOfABrokenFile(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text    string
		environ []string
		flags   map[string]string
		want    string
	}{
		"an unknown key":         {"data_dir: here\nnonsense: 1\n", nil, nil, "here"},
		"a text that is no YAML": {"data_dir: here\na: [\n", nil, nil, "data"},
		"empty":                  {"", nil, nil, "data"},
		"an environment":         {"a: [", []string{"BELFRY__DATA_DIR=there"}, nil, "there"},
		"a flag":                 {"data_dir: here\n", []string{"BELFRY__DATA_DIR=there"}, map[string]string{"data_dir": "flag"}, "flag"},
		"a reference":            {"data_dir: \"${env:DIR}\"\n", []string{"DIR=ref"}, nil, "ref"},
		"a reference to nothing": {"data_dir: \"${env:DIR}\"\n", nil, nil, "data"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "belfry.yaml")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := configs.DataDir(configs.Options{Path: path, Environ: c.environ, Flags: c.flags}); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}
