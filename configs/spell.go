package configs

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// bare are the texts that YAML reads as the text they are without quotes; durations are among them.
var bare = regexp.MustCompile(`^([A-Za-z/][A-Za-z0-9 _./@+-]*|([0-9]+(w|d|h|ms|m|s))+)$`)

// Spell writes a value on one line as YAML 1.1 and 1.2 read alike; settings by name.
func Spell(v any) string {
	switch t := v.(type) {
	case string:
		if word(t) {
			return t
		}
		return quoted(t)
	case []any:
		parts := make([]string, len(t))
		for i, entry := range t {
			parts[i] = Spell(entry)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		parts := make([]string, 0, len(t))
		for _, k := range slices.Sorted(maps.Keys(t)) {
			parts = append(parts, Spell(k)+": "+Spell(t[k]))
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(b)
}

// word says that a text needs no quotes.
func word(s string) bool {
	switch strings.ToLower(s) {
	case "true", "false", "yes", "no", "on", "off", "null", "y", "n":
		return false
	}
	return bare.MatchString(s) && strings.TrimSpace(s) == s
}

// quoted writes a text in double quotes, which YAML and JSON read alike.
func quoted(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) //nolint:errchkjson // a text always can be
	return strings.TrimSpace(b.String())
}

func runes(s string) int { return len([]rune(s)) }

// clip shortens a text to so many characters.
func clip(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}
