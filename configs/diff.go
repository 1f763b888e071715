package configs

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"github.com/belfry-news/belfry/sdk"
)

// Change is one setting that differs between two configurations.
type Change struct {
	// Path is dotted, such as channels.brief.digest.cron.
	Path string `json:"path"`
	// Old is absent for what was added, New for what was removed. Secrets are masked in both.
	Old any `json:"old,omitempty"`
	New any `json:"new,omitempty"`
}

// String writes the change on one line.
func (c Change) String() string {
	switch {
	case c.Old == nil:
		return fmt.Sprintf("+ %s: %v", c.Path, c.New)
	case c.New == nil:
		return fmt.Sprintf("- %s: %v", c.Path, c.Old)
	}
	return fmt.Sprintf("~ %s: %v → %v", c.Path, c.Old, c.New)
}

// Diff lists what differs between two masked trees (Loaded.Tree), ordered by path.
func Diff(before, after map[string]any) []Change {
	var out []Change
	diff("", plainTree(before), plainTree(after), &out)
	return out
}

func diff(path string, before, after any, out *[]Change) {
	b, bIs := before.(map[string]any)
	a, aIs := after.(map[string]any)
	if !bIs || !aIs {
		if !reflect.DeepEqual(before, after) {
			*out = append(*out, Change{Path: path, Old: before, New: after})
		}
		return
	}
	keys := map[string]bool{}
	for k := range b {
		keys[k] = true
	}
	for k := range a {
		keys[k] = true
	}
	sorted := make([]string, 0, len(keys))
	for k := range keys {
		sorted = append(sorted, k)
	}
	slices.Sort(sorted)
	for _, k := range sorted {
		sub := k
		if path != "" {
			sub = path + "." + k
		}
		diff(sub, b[k], a[k], out)
	}
}

// plainTree gives numbers and texts one form, so that a tree that was stored equals one that was not.
func plainTree(tree any) any {
	switch t := tree.(type) {
	case map[string]any:
		if len(t) == 0 {
			return nil
		}
		out := make(map[string]any, len(t))
		for k, v := range t {
			out[k] = plainTree(v)
		}
		return out
	case map[string]string:
		out := make(map[string]any, len(t))
		for k, v := range t {
			out[k] = v
		}
		return out
	case []any:
		if len(t) == 0 {
			return nil
		}
		out := make([]any, len(t))
		for i, v := range t {
			out[i] = plainTree(v)
		}
		return out
	case []string:
		if len(t) == 0 {
			return nil
		}
		out := make([]any, len(t))
		for i, v := range t {
			out[i] = v
		}
		return out
	case nil, bool:
		return t
	case string:
		return t
	case sdk.Untyped:
		return string(t)
	case float64:
		return strconv.FormatFloat(t, 'f', -1, 64) // a number that was stored as JSON
	}
	return fmt.Sprint(tree)
}
