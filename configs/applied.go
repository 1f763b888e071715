package configs

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"

	"github.com/belfry-news/belfry/sdk"
)

// Applied gives the configuration of a stored tree (Loaded.Tree), for commands that go on while the file has problems. Its
// secrets are masked, so it names destinations and cannot open them; what this version does not know of it is left out.
func Applied(o Options, tree map[string]any) *Loaded {
	l := newLoaded(o)
	_ = sdk.Decode(numbers(tree), &l.Config) // a setting that is not understood keeps its default
	l.readTemplates(&collector{loaded: l, environ: lookIn(o.Environ)})
	l.DataDir = DataDir(o)
	return l
}

// DataDir is the data folder that a configuration with problems means: as its files, the environment or a flag say where
// they can be read, or the default. It may be relative to the folder of the configuration.
func DataDir(o Options) string {
	l := newLoaded(o)
	c := &collector{loaded: l, environ: lookIn(o.Environ)}
	files, _ := configFiles(o.Path) // without any, the environment and the flags are left
	tree := l.merge(o, files, c)
	given, _ := l.substitute("", map[string]any{"data_dir": tree["data_dir"]}, c).(map[string]any)
	if dir, ok := scalarText(given["data_dir"]); ok && dir != "" && !reference.MatchString(dir) {
		return dir
	}
	return Default().DataDir
}

func newLoaded(o Options) *Loaded {
	l := &Loaded{Config: Default(), Path: o.Path, Dir: filepath.Dir(o.Path), nodes: map[string]node{}, secret: map[string]bool{}, templates: map[string]string{}, values: map[string]string{},
		specs: map[string]*sdk.Spec{}}
	if info, err := os.Stat(o.Path); err == nil && info.IsDir() {
		l.Dir = o.Path
	}
	if abs, err := filepath.Abs(l.Dir); err == nil {
		l.Dir = abs
	}
	for _, s := range o.Specs {
		l.specs[s.Type] = s
	}
	return l
}

// numbers gives a tree that was stored the form of one that was written: numbers as they are spelt, and nothing for null.
func numbers(tree any) any {
	switch t := tree.(type) {
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, v := range t {
			if v != nil {
				out[k] = numbers(v)
			}
		}
		return out
	case []any:
		out := make([]any, len(t))
		for i, v := range t {
			out[i] = numbers(v)
		}
		return out
	case float64:
		return json.Number(strconv.FormatFloat(t, 'f', -1, 64))
	}
	return tree
}
