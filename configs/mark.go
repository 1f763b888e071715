package configs

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// Tree is the whole configuration as it is in force, every default filled in and every secret masked: what may be shown.
func (l *Loaded) Tree() map[string]any { return l.Marked(nil) }

// Marked is Tree with a mark behind every value that it does not show: a keyed hash (HMAC-SHA-256), by which a change of it
// is noticed. It is what may be stored and compared, beside its key: without the key a mark tells nothing of even a short
// secret. Without a key there are no marks.
func (l *Loaded) Marked(key []byte) map[string]any {
	mark := marker(key)
	tree, _ := sdk.Marked(l.Config, mark).(map[string]any)
	for _, section := range []string{"sources", "destinations"} {
		entries, _ := tree[section].(map[string]any)
		for name, entry := range entries {
			settings, _ := entry.(map[string]any)
			typ, _ := settings["type"].(string)
			options := l.options(section, name)
			if spec := l.specs[typ]; spec != nil {
				if shown, err := spec.Marked(options, mark); err == nil {
					m, _ := shown.(map[string]any)
					maps.Copy(settings, m)
					continue
				}
			}
			// What a stranger's plugin takes as a secret is not known here: show names only.
			for name, value := range options {
				settings[name] = "[not shown]" + mark.of(value)
			}
		}
	}
	l.maskReferences("", tree, mark)
	return tree
}

func (l *Loaded) options(section, name string) map[string]any {
	if section == "sources" {
		return l.Sources[name].Options
	}
	return l.Destinations[name].Options
}

func (l *Loaded) maskReferences(at string, tree any, mark marking) {
	masked := func(p string, v any) any {
		if value, ok := l.referred[p]; ok {
			return "[secret]" + mark.of(value.text)
		}
		l.maskReferences(p, v, mark)
		return v
	}
	switch t := tree.(type) {
	case map[string]any:
		for k, v := range t {
			t[k] = masked(at+sdk.Pointer(k), v)
		}
	case []any:
		for i, v := range t {
			t[i] = masked(at+sdk.Pointer(i), v)
		}
	}
}

// markSign stands before a mark. No setting holds it.
const markSign = "\x1f"

var marked = regexp.MustCompile(markSign + `[0-9a-f]{16}$`)

// marking makes the mark of a value; nil makes none.
type marking func(value string) string

func marker(key []byte) marking {
	if key == nil {
		return nil
	}
	return func(value string) string {
		h := hmac.New(sha256.New, key)
		h.Write([]byte("a value of the configuration\x00" + value))
		return markSign + hex.EncodeToString(h.Sum(nil)[:8])
	}
}

// of is the mark of a value of any kind.
func (m marking) of(value any) string {
	if m == nil {
		return ""
	}
	text, ok := scalarText(value)
	if !ok {
		b, err := json.Marshal(value)
		if err != nil {
			return ""
		}
		text = string(b)
	}
	return m(text)
}

// unmarked gives a tree without its marks.
func unmarked(tree any) any {
	switch t := tree.(type) {
	case string:
		return shownText(t)
	case map[string]any:
		out := make(map[string]any, len(t))
		for k, v := range t {
			out[k] = unmarked(v)
		}
		return out
	case []any:
		out := make([]any, len(t))
		for i, v := range t {
			out[i] = unmarked(v)
		}
		return out
	}
	return tree
}

// shownText is a text without its mark.
func shownText(s string) string { return marked.ReplaceAllString(s, "") }

// hasMarks reports whether anything in a tree is marked.
func hasMarks(tree any) bool {
	switch t := tree.(type) {
	case string:
		return marked.MatchString(t)
	case map[string]any:
		for _, v := range t {
			if hasMarks(v) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(t, hasMarks)
	}
	return false
}

// alike gives two trees one form, in which they can be compared: with marks only where both have them.
func alike(before, after any) (any, any) {
	before, after = plainTree(before), plainTree(after)
	if hasMarks(before) && hasMarks(after) {
		return before, after
	}
	return unmarked(before), unmarked(after)
}

// change is a change of one value. Of one whose marks alone differ, what is shown is the same.
func change(path string, before, after any) Change {
	c := Change{Path: path, Old: unmarked(before), New: unmarked(after)}
	c.Hidden = reflect.DeepEqual(c.Old, c.New)
	return c
}

// hiddenSentence says that a setting changed whose value is not shown.
func (c Change) hiddenSentence() string {
	if file, ok := c.New.(string); ok && strings.HasSuffix(file, ".tmpl") {
		return "the text of " + file + " changed"
	}
	return "changed (its value is not shown)"
}
