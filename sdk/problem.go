package sdk

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	// Pointer is the JSON Pointer (RFC 6901) of the setting; empty for the whole.
	Pointer string
	// OnKey says that the name of the setting is wrong, not its value.
	OnKey bool
	// What is wrong, and Fix what would be right; Fix may be empty.
	What, Fix string
	// Line and Column, from 1, say where inside the text of the setting, when it is a program or a template; 0 when it is
	// about the whole.
	Line, Column int
	// Needs are the pointers of further settings that the problem rests on. It is not told when one of them could not be
	// decoded; of its own setting that is so anyway.
	Needs []string
}

// restsOn reports whether the problem may be a mere consequence of what is wrong at a pointer.
func (p Problem) restsOn(wrong string) bool {
	// That a setting is there does not depend on what stands in it.
	own := p.Pointer == wrong || strings.HasPrefix(p.Pointer, wrong+"/") || !p.OnKey && within(p.Pointer, wrong)
	return own || slices.ContainsFunc(p.Needs, func(n string) bool { return within(n, wrong) })
}

// within reports whether one of two settings is the other, or a part of it.
func within(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

// String gives "what; fix".
func (p Problem) String() string {
	if p.Fix == "" {
		return p.What
	}
	return p.What + "; " + p.Fix
}

// Problems is everything that is wrong, as an error.
type Problems []Problem

// Error lists the problems, one a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.String()
		if p.Pointer != "" {
			lines[i] = p.Pointer + ": " + lines[i]
		}
	}
	return strings.Join(lines, "\n")
}

// Add appends a problem at a pointer below the struct that is validated ("" for the struct itself). needs are the pointers
// of further settings that it rests on; see Problem.Needs.
func (ps *Problems) Add(pointer, what, fix string, needs ...string) {
	*ps = append(*ps, Problem{Pointer: pointer, What: what, Fix: fix, Needs: needs})
}

// Err gives the problems as an error, or nil when there are none.
func (ps Problems) Err() error {
	if len(ps) == 0 {
		return nil
	}
	return ps
}

// Sentence takes an error apart into what is wrong and what would be right, which its text has as "what; fix". The text of
// an *Error is what it says in public.
func Sentence(err error) (what, fix string) {
	text := err.Error()
	if e, ok := errors.AsType[*Error](err); ok && e.Public != "" {
		text = e.Public
	}
	for i := 0; i+2 <= len(text); i++ {
		// What stands in quotes is somebody's text.
		if text[i:i+2] == "; " && strings.Count(text[:i], `"`)%2 == 0 {
			return text[:i], text[i+2:]
		}
	}
	return text, ""
}

// because is what a setting is for, in the midst of a sentence.
func because(doc string) string {
	if doc == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(doc)
	if second, _ := utf8.DecodeRuneInString(doc[size:]); !unicode.IsUpper(second) { // not "URL of…"
		doc = string(unicode.ToLower(first)) + doc[size:]
	}
	return ": " + strings.TrimSuffix(doc, ".")
}

func unknownKey(at, key string) string {
	if at == "" {
		return fmt.Sprintf("unknown key %q", key)
	}
	return fmt.Sprintf("unknown key %q in %s", key, strings.ReplaceAll(strings.TrimPrefix(at, "/"), "/", "."))
}

// below gives a problem of a part its place in the whole.
func (p Problem) below(at string) Problem {
	i := strings.LastIndexByte(p.Pointer, '/')
	if at != "" && i >= 0 && p.OnKey {
		key := strings.NewReplacer("~1", "/", "~0", "~").Replace(p.Pointer[i+1:])
		if p.What == unknownKey(p.Pointer[:i], key) {
			p.What = unknownKey(at+p.Pointer[:i], key)
		}
	}
	p.Pointer = at + p.Pointer
	return p
}

// UnknownKey is the problem of a key that nothing reads, with the nearest known one.
func UnknownKey(at, key string, known []string) Problem {
	p := Problem{Pointer: at + "/" + escapePointer(key), OnKey: true, What: unknownKey(at, key)}
	if near := Nearest(key, known); near != "" {
		p.Fix = fmt.Sprintf("did you mean %q?", near)
	} else if len(known) > 0 && len(known) <= 32 {
		sorted := slices.Sorted(slices.Values(known))
		p.Fix = "known are " + strings.Join(sorted, ", ")
	}
	return p
}

var pointerEscaper = strings.NewReplacer("~", "~0", "/", "~1")

func escapePointer(key string) string { return pointerEscaper.Replace(key) }

// Pointer builds a JSON Pointer (RFC 6901) from keys and list positions.
func Pointer(keys ...any) string {
	var b strings.Builder
	for _, k := range keys {
		b.WriteByte('/')
		b.WriteString(escapePointer(fmt.Sprint(k)))
	}
	return b.String()
}

// Nearest gives the known name that a misspelt one most probably means, or "" when none is near: at most a third of its
// letters apart, counting a swap of neighbours as one.
func Nearest(name string, known []string) string {
	best, bestAt := "", (len(name)+2)/3
	if len(name) < 3 {
		bestAt = 1
	}
	for _, k := range slices.Sorted(slices.Values(known)) {
		if n := editDistance(strings.ToLower(name), strings.ToLower(k)); n <= bestAt && n < max(len(name), len(k)) && (best == "" || n < bestAt) {
			best, bestAt = k, n
		}
	}
	return best
}

// editDistance is the optimal string alignment distance of a and b, in bytes.
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
