package configs

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// Position is a place in a configuration. Line and Column count from 1, in characters; a Line of 0 means the whole of
// File, which may also be the name of an environment variable or a flag.
type Position struct {
	File         string
	Line, Column int
}

// String gives file:line:col.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// node says where a setting stands.
type node struct {
	key, value Position
	// inner is of a text, when places inside it can be told; nil otherwise.
	inner *scalar
}

// document is one parsed file.
type document struct {
	tree     map[string]any
	nodes    map[string]node // by JSON Pointer
	problems []Located
	// commented are fixes for settings that have no value because of a #, by JSON Pointer.
	commented map[string]string
	// wrong are the pointers of settings that could not be read.
	wrong []string
	// broken says that the file could not be read as YAML, so that its tree lacks what stands there.
	broken bool
}

// Located is a problem with its place.
type Located struct {
	Position
	What, Fix string
}

// String gives "file:line:col: what; fix".
func (l Located) String() string {
	s := l.What
	if l.Fix != "" {
		s += "; " + l.Fix
	}
	if l.Position == (Position{}) {
		return s
	}
	return l.Position.String() + ": " + s
}

const emptyFix = "write settings into it or take it away; an example to start from: belfry config example"

// maxUnfolded bounds how many values the aliases of a file may unfold to, and maxDepth how deep settings may stand.
const (
	maxUnfolded = 100_000
	maxDepth    = 100
)

// naming says what is known of the names of settings.
type naming struct {
	// open are those whose values are never a secret and may be repeated in a message; known are all of them.
	open, known func(name string) bool
	// nested are those that hold settings.
	nested func(name string) bool
}

// parseYAML reads one document into a tree of nil, bool, json.Number, string, []any and map[string]any, as YAML 1.2's
// core schema reads it, and refuses what different readers read differently.
func parseYAML(file string, text []byte, names naming) *document {
	d := &document{tree: map[string]any{}, nodes: map[string]node{}, commented: map[string]string{}}
	src := newSource(file, strings.TrimPrefix(string(text), "\ufeff"))
	r := &reader{doc: d, src: src, names: names, anchors: map[string]ast.Node{}}
	whole := Position{File: file}
	switch {
	case !utf8.ValidString(src.text):
		r.problem(whole, "the file is not UTF-8", "save it as UTF-8")
		return d
	case strings.Contains(src.text, "\x00"):
		r.problem(whole, "the file holds bytes that are no text", "look whether this is the right file")
		return d
	case strings.TrimSpace(src.text) == "":
		r.problem(whole, "the file is empty", emptyFix)
		return d
	}
	f, ok := r.parse()
	if !ok {
		d.broken = true
		return d
	}
	docs := r.directives(f.Docs)
	if len(docs) == 0 {
		r.problem(whole, "the file holds nothing but comments", emptyFix)
		return d
	}
	if len(docs) > 1 {
		at := Position{File: file, Line: 1, Column: 1}
		if start := docs[1].Start; start != nil {
			at = r.at(start)
		}
		r.problem(at, "a second document begins here and would be ignored", "remove the line ---, or put it in a file of its own in conf.d")
	}
	body, ok := mapping(docs[0].Body)
	if !ok {
		r.problem(r.at(firstToken(docs[0].Body)), "settings (key: value) expected at the top, found "+nodeName(docs[0].Body), "begin with a setting, such as site: {title: La Gazette}")
		return d
	}
	d.tree = r.mapping("", body)
	d.broken = r.tooMuch
	return d
}

// directives gives the documents without the directives before them, and refuses a directive that asks for another YAML.
func (r *reader) directives(docs []*ast.DocumentNode) (out []*ast.DocumentNode) {
	for _, doc := range docs {
		directive, ok := doc.Body.(*ast.DirectiveNode)
		switch {
		case doc.Body == nil:
		case !ok:
			out = append(out, doc)
		case directive.Name == nil || directive.Name.String() != "YAML":
			r.problem(r.at(directive.Start), "a directive stands here, and none is used", "take the line out")
		case len(directive.Values) != 1 || directive.Values[0].GetToken().Value != "1.2":
			r.problem(r.at(directive.Start), "the file asks to be read as another YAML, and it is read as YAML 1.2", "take the line out")
		}
	}
	return out
}

// reader turns goccy's syntax tree into ours.
type reader struct {
	doc     *document
	src     *source
	names   naming
	anchors map[string]ast.Node
	depth   int
	// unfolded counts the values that aliases stand for; tooMuch says that something was left out.
	unfolded int
	tooMuch  bool
	// tab says that a tab in the indentation was told of.
	tab bool
	// via is where an alias stands, while what it names is read: problems and positions inside belong there.
	via *Position
}

func (r *reader) problem(at Position, what, fix string) {
	r.doc.problems = append(r.doc.problems, Located{at, what, fix})
}

// unread reports a value that cannot be read, so that nothing more is said about its setting.
func (r *reader) unread(pointer string, at Position, what, fix string) {
	r.problem(at, what, fix)
	r.doc.wrong = append(r.doc.wrong, pointer)
}

// at says where in the file a token stands.
func (r *reader) at(t *token.Token) Position {
	if r.via != nil {
		return *r.via
	}
	return r.src.place(r.src.at(t))
}

func mapping(n ast.Node) (*ast.MappingNode, bool) {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m, true
	case *ast.MappingValueNode:
		return &ast.MappingNode{BaseNode: m.BaseNode, Start: m.Start, Values: []*ast.MappingValueNode{m}}, true
	}
	return nil, false
}

func (r *reader) mapping(at string, m *ast.MappingNode) map[string]any {
	out := map[string]any{}
	var merged []map[string]any
	for _, mv := range m.Values {
		keyAt := r.at(mv.Key.GetToken())
		if _, merge := mv.Key.(*ast.MergeKeyNode); merge {
			merged = append(merged, r.merge(at, keyAt, mv.Value)...)
			continue
		}
		key, ok := r.key(mv.Key)
		if !ok {
			r.problem(keyAt, "a name expected before the colon", "write name: value")
			continue
		}
		pointer := at + sdk.Pointer(key)
		if before, twice := r.doc.nodes[pointer]; twice && r.via == nil {
			if _, own := out[key]; own {
				r.problem(keyAt, fmt.Sprintf("%q stands twice here, first in line %d", key, before.key.Line), "keep one of them")
				continue
			}
		}
		where, known := r.src.tokens[mv.Key.GetToken()]
		r.indented(where, known)
		r.adjoining(pointer, mv)
		out[key] = r.value(pointer, keyAt, mv.Value)
		r.absent(pointer, mv)
	}
	for _, more := range merged {
		for key, value := range more {
			if _, own := out[key]; !own {
				out[key] = value
			}
		}
	}
	return out
}

// merge reads the value of a "<<" key: one mapping or a list of them, by alias.
func (r *reader) merge(at string, keyAt Position, n ast.Node) []map[string]any {
	if seq, ok := n.(*ast.SequenceNode); ok {
		var out []map[string]any
		for _, v := range seq.Values {
			out = append(out, r.merge(at, keyAt, v)...)
		}
		return out
	}
	before := len(r.doc.problems)
	tree, ok := r.value(at, keyAt, n).(map[string]any)
	if !ok && len(r.doc.problems) > before {
		return nil
	}
	if !ok {
		r.problem(keyAt, "<< merges settings, and this is something else", "")
		return nil
	}
	return []map[string]any{tree}
}

func (r *reader) key(k ast.MapKeyNode) (string, bool) {
	switch n := k.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode:
		return k.GetToken().Value, true
	}
	return "", false
}

// bounded reports whether there is still room for a value; without it the file cannot be read on.
func (r *reader) bounded(at Position) bool {
	if r.via != nil {
		r.unfolded++
	}
	switch {
	case r.tooMuch:
	case r.unfolded > maxUnfolded:
		r.problem(at, fmt.Sprintf("the aliases of this file unfold to more than %d values", maxUnfolded), "use fewer of them")
		r.tooMuch = true
	case r.depth > maxDepth:
		r.problem(at, fmt.Sprintf("settings stand more than %d levels deep here", maxDepth), "nothing in a configuration is as deep; look at brackets and indentation")
		r.tooMuch = true
	default:
		return true
	}
	return false
}

// value reads any node; what it cannot read is a problem and nil.
func (r *reader) value(at string, keyAt Position, n ast.Node) any {
	if !r.bounded(keyAt) {
		return nil
	}
	r.depth++
	defer func() { r.depth-- }()
	place := node{key: keyAt, value: r.at(firstToken(n))}
	if r.via == nil {
		place.inner = r.scalar(n)
	}
	if _, again := r.doc.nodes[at]; !again || r.via == nil {
		r.doc.nodes[at] = place
	}
	switch v := n.(type) {
	case nil:
		return nil
	case *ast.AnchorNode:
		if _, none := v.Value.(*ast.NullNode); none || v.Value == nil {
			r.unanchored(at, place.value, v)
			return nil
		}
		r.anchors[v.Name.GetToken().Value] = v.Value
		return r.value(at, keyAt, v.Value)
	case *ast.AliasNode:
		return r.alias(at, keyAt, v)
	case *ast.TagNode:
		if s, ok := v.Value.(ast.ScalarNode); ok && v.Start.Value == "!!str" {
			return s.GetToken().Value
		}
		r.unread(at, place.value, "a tag stands before this value, and none is used", "write the value alone")
		return nil
	case *ast.MappingNode, *ast.MappingValueNode:
		m, _ := mapping(n)
		return r.mapping(at, m)
	case *ast.SequenceNode:
		out := make([]any, len(v.Values))
		for i, item := range v.Values {
			out[i] = r.value(at+sdk.Pointer(i), r.at(firstToken(item)), item)
		}
		return out
	case *ast.LiteralNode:
		return v.Value.Value
	case *ast.StringNode:
		return r.text(at, place.value, v)
	case *ast.NullNode:
		return nil
	case *ast.BoolNode:
		return v.Value
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return r.number(at, place.value, n.GetToken().Value)
	}
	r.unread(at, place.value, nodeName(n)+" cannot stand here", "")
	return nil
}

func (r *reader) alias(at string, keyAt Position, v *ast.AliasNode) any {
	place := r.at(v.Start)
	name := v.Value.GetToken().Value
	target, ok := r.anchors[name]
	if !ok {
		r.unknownAlias(at, place, name)
		return nil
	}
	outer := r.via
	if outer == nil {
		r.via = &place
	}
	defer func() { r.via = outer }()
	return r.value(at, keyAt, target)
}

var plainNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// repeats says whether a message may repeat the value of a setting.
func (r *reader) repeats(at string) bool {
	return r.names.open(lastName(at))
}

// number keeps the text of a number, and refuses spellings that YAML 1.1 and 1.2 read differently.
func (r *reader) number(at string, place Position, text string) any {
	if plainNumber.MatchString(text) {
		return json.Number(text)
	}
	if !r.repeats(at) {
		r.unread(at, place, "this number is read differently by different programs", "put it in quotes if it is text, and write it plainly if it is a number")
		return nil
	}
	fix := fmt.Sprintf("put it in quotes if it is text: %q", text)
	if trimmed := strings.TrimLeft(text, "0"); trimmed != text && strings.Trim(trimmed, "0123456789") == "" && trimmed != "" {
		fix = fmt.Sprintf("write %s if it is a number, %q if it is text", trimmed, text)
	}
	r.unread(at, place, fmt.Sprintf("%s is read as different numbers by different programs", text), fix)
	return nil
}

// firstToken is where a node begins in the text.
func firstToken(n ast.Node) *token.Token {
	switch v := n.(type) {
	case nil:
		return nil
	case *ast.MappingNode:
		if !v.IsFlowStyle && len(v.Values) > 0 {
			return v.Values[0].Key.GetToken()
		}
		return v.Start
	case *ast.MappingValueNode:
		return v.Key.GetToken()
	case *ast.AnchorNode:
		return v.Start
	case *ast.LiteralNode:
		return v.Start
	}
	return n.GetToken()
}

// scalar says where a text is written; nil for what is none.
func (r *reader) scalar(n ast.Node) *scalar {
	if b, ok := n.(*ast.LiteralNode); ok && b.Value != nil {
		where, known := r.src.tokens[b.Value.Token]
		if !known {
			return nil
		}
		origin := b.Value.Token.Origin
		from := where.from - (len(origin) - len(strings.TrimLeft(origin, " \t\r\n"))) // its indentation belongs to it
		return &scalar{src: r.src, from: from, raw: origin, value: b.Value.Value}
	}
	s, ok := n.(*ast.StringNode)
	if !ok {
		return nil
	}
	where, known := r.src.tokens[s.Token]
	if !known {
		return nil
	}
	v := &scalar{src: r.src, from: where.from, raw: r.src.text[where.from:where.to], value: s.Value}
	if s.Token.Type == token.SingleQuoteType || s.Token.Type == token.DoubleQuoteType {
		v.quote = v.raw[0]
	}
	return v
}

func nodeName(n ast.Node) string {
	switch n.(type) {
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "settings"
	case *ast.NullNode:
		return "nothing"
	}
	return "a single value"
}
