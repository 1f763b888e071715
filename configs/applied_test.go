package configs_test

import (
	"encoding/json"
	"os"
	"path/filepath"
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
	l := configs.Applied(configs.Options{Path: loaded.Path, Specs: specs(), Flags: map[string]string{"data_dir": "/var/elsewhere"}}, stored)
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
