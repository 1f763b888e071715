package configs

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// What follows is YAML and hardly what anybody means, or is read differently by different programs.

// typographic are the quotation marks that word processors make of straight ones.
var typographic = regexp.MustCompile(`^[“”„‟‘’‚‛].*[“”„‟‘’‚‛]$`)

// text reads a text, and refuses what is hardly meant.
func (r *reader) text(at string, place Position, n *ast.StringNode) any {
	plain := n.Token.Type != token.SingleQuoteType && n.Token.Type != token.DoubleQuoteType
	if !plain || r.via != nil {
		return n.Value
	}
	name := lastName(at)
	switch {
	case r.names.nested(name) && r.unspaced(at, n):
	case plainNumber.MatchString(n.Value):
		return r.number(at, place, n.Value) // too large for the parser
	case strings.ContainsAny(n.Value[:min(len(n.Value), 1)], "@%`"), strings.Contains(n.Value, ": "):
		r.wantsQuotes(at, place, n.Value)
	case typographic.MatchString(n.Value):
		fix := "write straight ones; put those in straight ones if they belong to the text"
		if r.tellable(name, n.Value) {
			inner := []rune(n.Value)
			fix = fmt.Sprintf("write %s, or %s if they belong to the text", ownerOf(at).write(inQuotes(string(inner[1:len(inner)-1]))), inQuotes(n.Value))
		}
		r.unread(at, place, "typographic quotation marks are a part of the text for YAML", fix)
	default:
		r.continued(at, n)
	}
	return n.Value
}

// continued refuses an entry of a list that YAML reads as more of the text above it.
func (r *reader) continued(at string, n *ast.StringNode) {
	where, known := r.src.tokens[n.Token]
	if !known {
		return
	}
	begin := where.from
	for i, line := range strings.SplitAfter(r.src.text[where.from:where.to], "\n") {
		if trimmed := strings.TrimLeft(line, " \t"); i > 0 && strings.HasPrefix(trimmed, "- ") {
			r.unread(at, r.src.place(begin+len(line)-len(trimmed)), "this goes on with the text of the line above, and is no entry of a list",
				"give the - the same indentation as those of the other entries")
		}
		begin += len(line)
	}
}

// wantsQuotes refuses a value that cannot stand without quotation marks.
func (r *reader) wantsQuotes(at string, place Position, value string) {
	why := unquoted(value)
	if why == "" {
		why = `YAML reads the ": " in it as another setting`
	}
	m := r.needsQuotes(ownerOf(at), value, 0, why)
	r.unread(at, place, m.what, m.fix)
}

// ownerOf is what the value at a pointer belongs to.
func ownerOf(at string) owner { return owner{lastName(at), isEntry(at)} }

// isEntry reports whether a pointer is of an entry of a list.
func isEntry(at string) bool {
	return strings.Trim(at[strings.LastIndexByte(at, '/')+1:], "0123456789") == "" && strings.Count(at, "/") > 1
}

// lastName is the name of a setting, or of the list in which it is an entry.
func lastName(at string) string {
	names := strings.Split(at, "/")
	name := names[len(names)-1]
	if isEntry(at) {
		name = names[len(names)-2]
	}
	return name
}

// adjoining refuses a name between brackets whose colon has no space after it: most programs read both as one text.
func (r *reader) adjoining(at string, mv *ast.MappingValueNode) {
	colon, known := r.src.tokens[mv.Start]
	if !known || r.via != nil || mv.Key.GetToken().Type == token.DoubleQuoteType || mv.Key.GetToken().Type == token.SingleQuoteType {
		return
	}
	next := r.src.text[colon.to:]
	if mv.Start.Value != ":" || next == "" || strings.ContainsAny(next[:1], " \t\r\n,}]") {
		return
	}
	name, value := mv.Key.GetToken().Value, ""
	if s, ok := mv.Value.(*ast.StringNode); ok {
		value = s.Value
	}
	m := r.spaceMissing(name, value, colon.to)
	if value == "" {
		m.fix = fmt.Sprintf("write %s: …", name)
	}
	r.unread(at, r.src.place(m.at), m.what, m.fix)
}

// unspaced refuses a single setting whose colon has no space after it, where settings belong.
func (r *reader) unspaced(at string, n *ast.StringNode) bool {
	parts := noSpace.FindStringSubmatch(n.Value)
	where, known := r.src.tokens[n.Token]
	if parts == nil || !known || !r.names.known(parts[1]) {
		return false
	}
	m := r.spaceMissing(parts[1], parts[2], where.from+len(parts[1])+1)
	r.unread(at, r.src.place(m.at), m.what, m.fix)
	return true
}

// absent says where the value of a setting without one would stand, and notes what stands behind a # there, where a value
// was probably meant.
func (r *reader) absent(at string, mv *ast.MappingValueNode) {
	colon, known := r.src.tokens[mv.Start]
	if _, none := mv.Value.(*ast.NullNode); !none || !known || r.via != nil {
		return
	}
	line, _, _ := strings.Cut(r.src.text[colon.to:], "\n")
	value := strings.TrimSpace(line)
	n := r.doc.nodes[at]
	n.value = r.src.place(colon.to)
	if value != "" && value[0] == '#' {
		n.value = r.src.place(colon.to + strings.IndexByte(line, '#'))
	}
	r.doc.nodes[at] = n
	if len(value) < 2 || value[0] != '#' || value[1] == ' ' {
		return
	}
	fix := "put it in quotes if the # belongs to it"
	if of := ownerOf(at); r.tellable(of.name, value) {
		fix = fmt.Sprintf("a # begins a comment; write %s if it belongs to the value", of.write(inQuotes(value)))
	}
	r.doc.commented[at] = fix
}

// unanchored refuses an anchor on nothing, which is a text that begins with &.
func (r *reader) unanchored(at string, place Position, n *ast.AnchorNode) {
	where, known := r.src.tokens[n.Start]
	if !known {
		r.unread(at, place, "YAML reads a leading & as an anchor, and this one is on nothing", "put the value in quotes if it is text")
		return
	}
	line, _, _ := strings.Cut(r.src.text[where.from:], "\n")
	r.wantsQuotes(at, place, withoutComment(strings.TrimRight(line, " \t\r,}]")))
}

// indented refuses a tab before a name: programs differ in what it means. One is told of.
func (r *reader) indented(key span, known bool) {
	if !known || r.tab {
		return
	}
	line := strings.LastIndexByte(r.src.text[:key.from], '\n') + 1
	before := r.src.text[line:key.from]
	if i := strings.IndexByte(before, '\t'); i >= 0 && strings.Trim(before, " \t-") == "" {
		r.tab = true
		r.problem(r.src.place(line+i), "a tab in the indentation", "YAML indents with spaces only")
	}
}

// unknownAlias refuses what YAML reads as an alias, and that names nothing.
func (r *reader) unknownAlias(at string, place Position, name string) {
	written := "*" + name
	if !r.repeats(at) {
		r.unread(at, place, "YAML reads a leading * as an alias, and this one names no anchor above it", "put the value in quotes if it is text")
		return
	}
	if unquoted(written) != "" { // no anchor is written like that
		r.wantsQuotes(at, place, written)
		return
	}
	r.unread(at, place, fmt.Sprintf("*%s names no anchor above it", name), fmt.Sprintf("write %s if it is text", ownerOf(at).write(inQuotes(written))))
}
