package configs

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// Change is one setting that differs between two configurations.
type Change struct {
	// Path is dotted, such as channels.brief.digest.cron. An entry of a list of settings stands in brackets: by its place
	// (channels.brief.publish_to[telegram/@gazette].template), its name, or its number from 0.
	Path string `json:"path"`
	// Was is the old name of a source, destination or channel that was renamed to Path by was:; empty for every other change.
	Was string `json:"was,omitempty"`
	// Old is absent for what was added, New for what was removed. They are what the configuration says, in JSON types, with
	// every secret masked.
	Old any `json:"old,omitempty"`
	New any `json:"new,omitempty"`
	// Hidden says that what changed is not shown: a secret, or the text of a template's file. Old and New are the same then.
	Hidden bool `json:"hidden,omitempty"`
}

// String writes the change on one line, its values as YAML does.
func (c Change) String() string {
	switch {
	case c.Was != "":
		return fmt.Sprintf("~ %s: renamed %s → %s", c.Path, c.Was, c.Path[strings.LastIndexByte(c.Path, '.')+1:])
	case c.Hidden:
		return fmt.Sprintf("~ %s: %s", c.Path, c.hiddenSentence())
	case c.Old == nil:
		return "+ " + c.Path + gist(c.New)
	case c.New == nil:
		return "- " + c.Path + gist(c.Old)
	}
	before, after, sentence := c.values()
	if sentence != "" {
		return fmt.Sprintf("~ %s: %s", c.Path, sentence)
	}
	return fmt.Sprintf("~ %s: %s → %s", c.Path, before, after)
}

const (
	// wide is how many characters of a value are shown at most.
	wide = 60
	// around is how many characters before and after a difference of two texts are shown.
	around = 16
)

// gist writes what was added or removed: the value, or how much it is.
func gist(v any) string {
	if t, ok := v.(map[string]any); ok {
		if text := Spell(given(t)); runes(text) <= wide {
			return ": " + text
		}
		return fmt.Sprintf(": %d settings", count(t))
	}
	return ": " + clip(Spell(v), wide)
}

// values writes what a setting was and is; a list that is too long for that is told in a sentence.
func (c Change) values() (before, after, sentence string) {
	a, isText := c.Old.(string)
	b, areTexts := c.New.(string)
	if isText && areTexts {
		before, after = excerpts(a, b)
		return before, after, ""
	}
	before, after = Spell(c.Old), Spell(c.New)
	old, isList := c.Old.([]any)
	fresh, areLists := c.New.([]any)
	if isList && areLists && runes(before)+runes(after) > 2*wide {
		return "", "", listSentence(old, fresh)
	}
	return clip(before, wide), clip(after, wide), ""
}

// listSentence says how two lists of single values differ.
func listSentence(before, after []any) string {
	missing := func(from, in []any) (out []any) {
		for _, v := range from {
			if !slices.ContainsFunc(in, func(x any) bool { return reflect.DeepEqual(x, v) }) {
				out = append(out, v)
			}
		}
		return out
	}
	var parts []string
	if more := missing(after, before); len(more) > 0 {
		parts = append(parts, "adds "+clip(strings.Trim(Spell(more), "[]"), wide))
	}
	if fewer := missing(before, after); len(fewer) > 0 {
		parts = append(parts, "takes out "+clip(strings.Trim(Spell(fewer), "[]"), wide))
	}
	if len(parts) == 0 {
		return "the same in another order"
	}
	return strings.Join(parts, ", ")
}

// excerpts writes two texts whole, or what stands around their differences when they are long.
func excerpts(a, b string) (before, after string) {
	if runes(a) <= wide && runes(b) <= wide && !strings.ContainsAny(a+b, "\n") {
		return Spell(a), Spell(b)
	}
	x, y := []rune(a), []rune(b)
	head := 0
	for head < len(x) && head < len(y) && x[head] == y[head] {
		head++
	}
	tail := 0
	for tail < len(x)-head && tail < len(y)-head && x[len(x)-1-tail] == y[len(y)-1-tail] {
		tail++
	}
	cut := func(t []rune) string {
		from, until := max(0, head-around), min(len(t), len(t)-tail+around)
		until = min(until, from+wide)
		text := string(t[from:until])
		if from > 0 {
			text = "…" + text
		}
		if until < len(t) {
			text += "…"
		}
		return quoted(text)
	}
	return cut(x), cut(y)
}

// given leaves out what says nothing.
func given(t map[string]any) map[string]any {
	return maps.Collect(func(yield func(string, any) bool) {
		for k, v := range t {
			if v != nil && v != "" && !yield(k, v) {
				return
			}
		}
	})
}

// count counts the single settings within settings.
func count(v any) int {
	n := 0
	switch t := v.(type) {
	case map[string]any:
		for _, sub := range t {
			n += count(sub)
		}
	case []any:
		for _, sub := range t {
			n += count(sub)
		}
	case nil:
	default:
		n = 1
	}
	return n
}

// Diff lists what differs between two trees (Loaded.Marked), ordered by path. Where one has no marks, what is not shown is
// not compared.
func Diff(before, after map[string]any) []Change {
	var out []Change
	was, is := alike(before, after)
	b, _ := was.(map[string]any)
	a, _ := is.(map[string]any)
	out = rename(b, a, out)
	diff("", b, a, &out)
	slices.SortStableFunc(out, func(a, b Change) int { return cmp.Compare(a.Path, b.Path) })
	return out
}

// rename gives the old settings of what was renamed (was:) its new name, so that only what else differs is told.
func rename(before, after map[string]any, out []Change) []Change {
	for _, section := range []string{"channels", "destinations", "sources"} {
		old, _ := before[section].(map[string]any)
		fresh, _ := after[section].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(fresh)) {
			settings, _ := fresh[name].(map[string]any)
			was, _ := settings["was"].(string)
			_, stays := fresh[was]
			earlier, existed := old[was].(map[string]any)
			if _, there := old[name]; was == "" || stays || !existed || there {
				continue
			}
			earlier["was"] = was // told by the renaming
			old[name] = earlier
			delete(old, was)
			out = append(out, Change{Path: section + "." + name, Was: was})
		}
	}
	return out
}

// Outside lists the settings that came from flags or the environment, as dotted paths in order.
func (l *Loaded) Outside() []string { return slices.Compact(slices.Sorted(slices.Values(l.outside))) }

// Unlike reports whether a tree that was applied (Loaded.Marked with this key) says something else than this configuration,
// apart from what flags or the environment set there (outside) or here: another process has others.
func (l *Loaded) Unlike(applied map[string]any, key []byte, outside []string) bool {
	set := append(l.Outside(), outside...)
	return slices.ContainsFunc(Diff(applied, l.Marked(key)), func(c Change) bool {
		return !slices.ContainsFunc(set, func(path string) bool {
			return c.Path == path || strings.HasPrefix(c.Path, path+".") || strings.HasPrefix(path, c.Path+".")
		})
	})
}

func diff(path string, before, after any, out *[]Change) {
	b, bIs := before.(map[string]any)
	a, aIs := after.(map[string]any)
	if bIs && aIs {
		for _, k := range slices.Sorted(maps.Keys(union(b, a))) {
			sub := k
			if path != "" {
				sub = path + "." + k
			}
			diff(sub, b[k], a[k], out)
		}
		return
	}
	if reflect.DeepEqual(before, after) {
		return
	}
	if diffLists(path, before, after, out) {
		return
	}
	*out = append(*out, change(path, before, after))
}

func union(a, b map[string]any) map[string]any {
	out := maps.Clone(a)
	maps.Copy(out, b)
	return out
}

// diffLists compares two lists of settings entry by entry; false for what is none, such as lists of words.
func diffLists(path string, before, after any, out *[]Change) bool {
	b, bIs := before.([]any)
	a, aIs := after.([]any)
	if !bIs && before != nil || !aIs && after != nil || !hasSettings(b) && !hasSettings(a) {
		return false
	}
	keysB, old := entries(b)
	keysA, fresh := entries(a)
	if len(old) < len(b) || len(fresh) < len(a) {
		keysB, old = numbered(b)
		keysA, fresh = numbered(a)
	}
	n := len(*out)
	for _, k := range keysB {
		diff(path+"["+k+"]", old[k], fresh[k], out)
	}
	for _, k := range keysA {
		if _, known := old[k]; !known {
			diff(path+"["+k+"]", nil, fresh[k], out)
		}
	}
	if len(*out) == n && !slices.Equal(keysB, keysA) { // the same entries in another order
		*out = append(*out, Change{Path: path, Old: anyOf(keysB), New: anyOf(keysA)})
	}
	return true
}

func hasSettings(list []any) bool {
	return slices.ContainsFunc(list, func(v any) bool { _, is := v.(map[string]any); return is })
}

// entries are the entries of a list by what identifies each of them: its place, its name, or itself.
func entries(list []any) ([]string, map[string]any) {
	keys, by := make([]string, len(list)), make(map[string]any, len(list))
	for i, v := range list {
		keys[i] = strconv.Itoa(i)
		switch t := v.(type) {
		case string:
			keys[i] = shownText(t)
		case map[string]any:
			destination, _ := t["destination"].(string)
			chat, _ := t["chat"].(string)
			name, _ := t["name"].(string)
			switch {
			case destination != "":
				keys[i] = shownText(Target{Destination: destination, Chat: chat}.Key())
			case name != "":
				keys[i] = name
			}
		}
		by[keys[i]] = v
	}
	return keys, by
}

func numbered(list []any) ([]string, map[string]any) {
	keys, by := make([]string, len(list)), make(map[string]any, len(list))
	for i, v := range list {
		keys[i] = strconv.Itoa(i)
		by[keys[i]] = v
	}
	return keys, by
}

func anyOf(list []string) []any {
	out := make([]any, len(list))
	for i, s := range list {
		out[i] = s
	}
	return out
}

// plainTree gives every value the form that JSON gives it, so that a tree that was stored equals one that was not. Nothing
// and an empty list or settings are the same.
func plainTree(tree any) any {
	switch t := tree.(type) {
	case nil, bool, string, float64:
		return t
	case map[string]any:
		if len(t) == 0 {
			return nil
		}
		out := make(map[string]any, len(t))
		for k, v := range t {
			out[k] = plainTree(v)
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
	case json.Number:
		if f, err := t.Float64(); err == nil {
			return f
		}
		return t.String()
	case sdk.Untyped:
		return string(t)
	}
	text, err := json.Marshal(tree)
	if err != nil {
		return fmt.Sprint(tree)
	}
	var plain any
	if err := json.Unmarshal(text, &plain); err != nil {
		return fmt.Sprint(tree)
	}
	return plainTree(plain)
}
