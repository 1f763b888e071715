package configs_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/sdk"
)

var update = flag.Bool("update", false, "write what is found as what is wanted")

// secrets are what no message may repeat, whatever is wrong.
var secrets = []string{"hunter2", "123456:AbCdEf", "0099887766"}

// sentence is one line of what an admin reads: a place, what is wrong, and in most cases what would be right.
var sentence = regexp.MustCompile(`^[^:]+(:\d+:\d+)?: .*[^.!]$`)

// Every file of testdata/bad is refused with the sentences of the file of the same name that ends in .want.
func TestBad(t *testing.T) {
	t.Parallel()
	const dir = "testdata/bad"
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	paths := map[string]string{"unreadable": "testdata/bad/unreadable", "absent": "testdata/bad/absent.yaml", "absent-folder": "testdata/bad/absent/belfry.yaml"}
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), ".yaml")
		switch {
		case e.IsDir() && fileExists(filepath.Join(dir, e.Name(), "belfry.yaml")):
			paths[e.Name()] = filepath.Join(dir, e.Name(), "belfry.yaml")
		case e.IsDir():
			paths[e.Name()] = filepath.Join(dir, e.Name())
		case ok:
			paths[name] = filepath.Join(dir, e.Name())
		}
	}
	if len(paths) < 50 {
		t.Errorf("there are only %d", len(paths))
	}
	for name, path := range paths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := configs.Load(configs.Options{Path: path, Environ: append([]string{"EMPTY="}, environ...), Specs: specs(), Checks: []func(*configs.Loaded) sdk.Problems{compose.Check}})
			invalid, ok := errors.AsType[*configs.Invalid](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			here, err := filepath.Abs(dir)
			if err != nil {
				t.Fatal(err)
			}
			got := strings.NewReplacer(here+"/", "", here, "DIR", dir+"/", "").Replace(invalid.Error()) + "\n"
			for i, line := range strings.Split(strings.TrimSpace(got), "\n") {
				if i < len(invalid.Problems) && !sentence.MatchString(line) {
					t.Errorf("this is no sentence with a place: %s", line)
				}
			}
			for _, p := range invalid.Problems {
				if p.Fix == "" {
					t.Errorf("it is not said what would be right: %s", p)
				}
			}
			for _, s := range secrets {
				if strings.Contains(got, s) {
					t.Errorf("a secret is told: %s", got)
				}
			}
			golden := filepath.Join(dir, name+".want")
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func fileExists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A file that may not be read says so. The owner of everything is not stopped by permissions, so a folder stands for it.
func TestUnreadable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "belfry.yaml")
	conf := filepath.Join(dir, "conf.d", "10.yaml")
	if err := errors.Join(os.WriteFile(path, []byte(configs.Minimal), 0o600), os.MkdirAll(conf, 0o700)); err != nil {
		t.Fatal(err)
	}
	_, err := configs.Load(configs.Options{Path: path, Specs: specs()})
	want := fmt.Sprintf("%s: the file cannot be read: is a directory; let the user that runs Belfry read it, or take it away\n1 problem", conf)
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
