package configs

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"

	"github.com/belfry-news/belfry/sdk"
)

// Applied gives the configuration of a stored tree (Loaded.Marked with this key), for commands that go on while the file has
// problems. A stored tree has no secrets: those of a destination are taken from the files where they still describe it as it was
// applied, and withheld otherwise (see Withheld). What this version does not know of it is left out.
func Applied(o Options, tree map[string]any, key []byte) *Loaded {
	l := newLoaded(o)
	_ = sdk.Decode(numbers(unmarked(tree)), &l.Config) // a setting that is not understood keeps its default
	l.readTrusted(o, newCollector(l, o))
	l.readTemplates(newCollector(l, o))
	l.DataDir = DataDir(o)
	l.lendSecrets(o, tree, key)
	return l
}

// lendSecrets gives destinations the options that the files still have for them.
func (l *Loaded) lendSecrets(o Options, tree map[string]any, key []byte) {
	now := newLoaded(o)
	c := newCollector(now, o)
	files, _ := configFiles(o.Path)
	given, _ := now.substitute("", now.merge(o, files, c), c).(map[string]any)
	_ = sdk.Decode(given, &now.Config) // what has problems keeps its default, and then is not as it was applied
	was, is := alike(tree["destinations"], now.Marked(key)["destinations"])
	applied, _ := was.(map[string]any)
	present, _ := is.(map[string]any)
	l.withheld = map[string]bool{}
	for name, d := range l.Destinations {
		_, foreign := l.Plugin(d.Type)
		if foreign || present[name] == nil || !reflect.DeepEqual(applied[name], present[name]) {
			l.withheld[name] = true
			continue
		}
		d.Options = now.Destinations[name].Options
		l.Destinations[name] = d
	}
}

// Withheld says that the credentials of a destination are not known: this is the configuration of a stored tree, and the
// files do not describe the destination as it was applied.
func (l *Loaded) Withheld(destination string) bool { return l.withheld[destination] }

// DataDir is the data folder that a configuration with problems means: as its files, the environment or a flag say where
// they can be read, or the default. It may be relative to the folder of the configuration.
func DataDir(o Options) string {
	l := newLoaded(o)
	c := newCollector(l, o)
	files, _ := configFiles(o.Path) // without any, the environment and the flags are left
	tree := l.merge(o, files, c)
	given, _ := l.substitute("", map[string]any{"data_dir": tree["data_dir"]}, c).(map[string]any)
	if dir, ok := scalarText(given["data_dir"]); ok && dir != "" && !reference.MatchString(dir) {
		return dir
	}
	return Default().DataDir
}

// PluginsIn gives what a configuration says of plugins, and nothing else of it: it may have problems, or be missing.
func PluginsIn(o Options) *Loaded {
	l := newLoaded(o)
	c := newCollector(l, o)
	files, _ := configFiles(o.Path) // without any, the environment and the flags are left
	tree := l.merge(o, files, c)
	given, _ := l.substitute("", map[string]any{"plugins": tree["plugins"]}, c).(map[string]any)
	_ = sdk.Decode(given, &l.Config) // what is not understood keeps its default
	l.readTrusted(o, c)
	return l
}

// TrustedTypes lists the types of trusted plugins, by name.
func (l *Loaded) TrustedTypes() []Trusted {
	list := make([]Trusted, 0, len(l.trusted))
	for _, typ := range slices.Sorted(maps.Keys(l.trusted)) {
		list = append(list, l.trusted[typ])
	}
	return list
}

func newLoaded(o Options) *Loaded {
	l := &Loaded{Config: Default(), Path: o.Path, Dir: filepath.Dir(o.Path), nodes: map[string]node{}, templates: map[string]string{},
		referred: map[string]referred{}, specs: map[string]*sdk.Spec{}, trusted: map[string]Trusted{}}
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
