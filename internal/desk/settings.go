package desk

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
)

// Setting is one setting in force, with where it comes from: a place in a file, the environment, a flag, or default. What is
// secret is masked.
type Setting struct {
	Path   string `json:"path"`
	Value  any    `json:"value"`
	Origin string `json:"origin"`
}

// Settings lists every single setting of the configuration.
func (d *Desk) Settings() []Setting {
	list := []Setting{}
	tree := d.Config.Tree()
	eachSetting("", tree, func(pointer string, value any) {
		list = append(list, Setting{Dotted(pointer), value, d.Origin(tree, pointer)})
	})
	return list
}

// SettingOrder lists the keys of settings: at the top as they are declared, below by name with the type first.
func SettingOrder(pointer string, m map[string]any) []string {
	keys := slices.Sorted(maps.Keys(m))
	declared := map[string]int{"type": -1}
	if pointer == "" {
		for i, f := range sdk.Fields(configs.Default()) {
			declared[f.Path] = i
		}
	}
	rank := func(k string) int {
		if n, ok := declared[k]; ok {
			return n
		}
		return 1 << 20
	}
	slices.SortStableFunc(keys, func(a, b string) int { return rank(a) - rank(b) })
	return keys
}

// eachSetting visits every single setting.
func eachSetting(pointer string, v any, visit func(pointer string, value any)) {
	switch t := Sequence(v).(type) {
	case map[string]any:
		for _, k := range SettingOrder(pointer, t) {
			eachSetting(pointer+sdk.Pointer(k), t[k], visit)
		}
	case []any:
		for i, entry := range t {
			eachSetting(pointer+sdk.Pointer(i), entry, visit)
		}
	default:
		visit(pointer, v)
	}
}

// Origin says where a setting of the configuration, whose tree is given, comes from. The entries of a list and the parts of
// a short form have the place of the whole.
func (d *Desk) Origin(tree map[string]any, pointer string) string {
	for p := pointer; strings.Count(p, "/") > 0; p = p[:strings.LastIndexByte(p, '/')] {
		at, ok := d.Config.Origin(p)
		if !ok {
			continue
		}
		// What stands inside given settings and was not given itself is a default.
		if p != pointer && isSettings(tree, p) {
			return "default"
		}
		return at.String()
	}
	return "default"
}

func isSettings(tree any, pointer string) bool {
	for _, token := range strings.Split(pointer, "/")[1:] {
		switch t := Sequence(tree).(type) {
		case map[string]any:
			tree = t[strings.NewReplacer("~1", "/", "~0", "~").Replace(token)]
		case []any:
			var i int
			if _, err := fmt.Sscan(token, &i); err != nil || i >= len(t) {
				return false
			}
			tree = t[i]
		}
	}
	_, ok := Sequence(tree).(map[string]any)
	return ok
}

// Sequence gives lists and settings of any type one form.
func Sequence(v any) any {
	switch t := v.(type) {
	case []string:
		out := make([]any, len(t))
		for i, s := range t {
			out[i] = s
		}
		return out
	case map[string]string:
		out := make(map[string]any, len(t))
		for k, s := range t {
			out[k] = s
		}
		return out
	}
	return v
}

// Dotted writes a JSON pointer as the path of a setting.
func Dotted(pointer string) string {
	tokens := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, t := range tokens {
		tokens[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(t)
	}
	return strings.Join(tokens, ".")
}
