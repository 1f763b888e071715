package configs

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// File is a file of settings besides the configuration, such as the dev.yaml of a plugin's project. It is read by the rules of
// the configuration, and what is wrong with it is told with the same places. The zero value is no file, and knows no place.
type File struct {
	path  string
	nodes map[string]node
}

// ReadFile reads a file into the struct that into points to (see sdk.Decode), after change was asked for each of its texts;
// nil changes nothing. An error is for people: Places, or that the file cannot be read.
func ReadFile(path string, into any, change func(text string) string) (File, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return File{}, fmt.Errorf("%s cannot be read: %w", path, pathCause(err))
	}
	// Any value may be a secret, since it may be one of a plugin's.
	names := namingOf([][]sdk.Field{sdk.Fields(into)})
	names.open = func(string) bool { return false }
	doc := parseYAML(path, text, names)
	if len(doc.problems) > 0 {
		return File{}, Places(doc.problems)
	}
	f := File{path, doc.nodes}
	var tree any = doc.tree
	if change != nil {
		tree = EachText(tree, change)
	}
	err = sdk.Decode(tree, into)
	if ps := (sdk.Problems{}); errors.As(err, &ps) {
		return f, f.Places("", ps)
	}
	return f, err
}

// Places finds the places of problems whose pointers begin at a setting of the file ("" for the whole of it).
func (f File) Places(below string, ps sdk.Problems) Places {
	l := &Loaded{Path: f.path, nodes: f.nodes}
	out := make(Places, len(ps))
	for i, p := range ps {
		p.Pointer = below + p.Pointer
		out[i] = l.Locate(p)
	}
	return out
}

// Places are what is wrong with a File.
type Places []Located

// Error lists them, one a line.
func (p Places) Error() string {
	lines := make([]string, len(p))
	for i := range p {
		lines[i] = p[i].String()
	}
	return strings.Join(lines, "\n")
}

// EachText gives a copy of a tree of settings in which each text was changed.
func EachText(v any, change func(string) string) any {
	switch v := v.(type) {
	case string:
		return change(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = EachText(v[i], change)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k := range v {
			out[k] = EachText(v[k], change)
		}
		return out
	}
	return v
}
