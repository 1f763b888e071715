package configs

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
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
	// inner is where the first character of a text stands, when places inside it can be told; lines says that it may go
	// on over further lines of the same indentation.
	inner Position
	lines bool
}

// document is one parsed file.
type document struct {
	tree     map[string]any
	nodes    map[string]node // by JSON Pointer
	problems []Located
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

// maxQuotes bounds how many missing quotes of one file are told of at once.
const maxQuotes = 20

// maxNodes bounds what aliases may unfold to.
const maxNodes = 100_000

// parseYAML reads one document into a tree of nil, bool, json.Number, string, []any and map[string]any, as YAML 1.2's
// core schema reads it, and refuses what different readers read differently.
//
// open says of a setting's name that its value is never a secret and may be repeated in a message.
func parseYAML(file string, text []byte, open func(name string) bool) *document {
	d := &document{tree: map[string]any{}, nodes: map[string]node{}}
	r := &reader{doc: d, file: file, open: open, anchors: map[string]ast.Node{}}
	src := strings.TrimPrefix(string(text), "\ufeff")
	switch {
	case !utf8.ValidString(src):
		r.problem(Position{File: file}, "the file is not UTF-8", "save it as UTF-8")
		return d
	case strings.Contains(src, "\x00"):
		r.problem(Position{File: file}, "the file holds bytes that are no text", "look whether this is the right file")
		return d
	case strings.TrimSpace(src) == "":
		r.problem(Position{File: file}, "the file is empty", emptyFix)
		return d
	}
	f, err := safeParse(src)
	for i := 0; err != nil && i < maxQuotes; i++ {
		p, fix := syntaxProblem(file, src, err, open)
		d.problems = append(d.problems, p)
		if fix == nil {
			break
		}
		// What is meant is plain: the rest of the file is read as if the quotes stood there.
		src = fix.text
		r.quoted = append(r.quoted, *fix)
		f, err = safeParse(src)
	}
	if err != nil {
		d.broken = true
		return d
	}
	docs := f.Docs
	for len(docs) > 0 && docs[0].Body == nil {
		docs = docs[1:]
	}
	if len(docs) == 0 {
		r.problem(Position{File: file}, "the file holds nothing but comments", emptyFix)
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
		r.problem(r.at(firstToken(docs[0].Body)), "settings (key: value) expected at the top, found "+nodeName(docs[0].Body), "")
		return d
	}
	d.tree = r.mapping("", body)
	return d
}

// safeParse keeps a fault of the parser from being ours.
func safeParse(src string) (f *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("the file cannot be read as YAML")
		}
	}()
	return parser.ParseBytes([]byte(src), 0, parser.AllowDuplicateMapKey())
}

var (
	// unquoted finds values that begin with a character YAML keeps for itself.
	unquoted = regexp.MustCompile(`^(\s*(?:- +)?(?:[\w.-]+ *: +)|\s*- +)([*@%` + "`" + `&!|>?].*?)\s*(?:#.*)?$`)
	// flowCron finds a schedule without quotes inside braces.
	flowCron = regexp.MustCompile(`([{,]\s*)([\w.-]+)( *: +)(\*(?:/\d+)?(?: +[^}\s"']+){4})\s*[,}]`)
	cronLike = regexp.MustCompile(`^\*(/\d+)?( |$)`)
)

// syntaxProblem says what is wrong in the words of the place, without an extract: neighbouring lines hold secrets. Where
// only quotes are missing it puts them in; nil otherwise.
func syntaxProblem(file, src string, err error, open func(string) bool) (Located, *quoting) {
	at := Position{File: file, Line: 1, Column: 1}
	what, _, _ := strings.Cut(err.Error(), "\n")
	if se, ok := errors.AsType[*yaml.SyntaxError](err); ok {
		what = se.GetMessage()
		if p := se.GetToken().Position; p != nil {
			at.Line, at.Column = p.Line, max(p.Column, 1)
		}
	}
	lines := strings.Split(src, "\n")
	for i, line := range lines {
		if m := flowCron.FindStringSubmatchIndex(line); m != nil && (i+1 == at.Line || i+2 == at.Line) {
			name, value := line[m[4]:m[5]], line[m[8]:m[9]]
			if p, ok := quoteProblem(Position{file, i + 1, utf8.RuneCountInString(line[:m[8]]) + 1}, name, value, open); ok {
				return p, quoteValue(lines, i, m[8], m[9])
			}
		}
		if m := unquoted.FindStringSubmatch(line); m != nil && (i+1 == at.Line || i+2 == at.Line) {
			value, name := m[2], strings.TrimSpace(m[1])
			if p, ok := quoteProblem(Position{file, i + 1, utf8.RuneCountInString(m[1]) + 1}, name, value, open); ok {
				return p, quoteValue(lines, i, len(m[1]), len(m[1])+len(value))
			}
		}
	}
	if at.Line <= len(lines) {
		line := lines[at.Line-1]
		if indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]; strings.Contains(indent, "\t") {
			return Located{Position{file, at.Line, strings.Index(line, "\t") + 1}, "a tab in the indentation", "YAML indents with spaces only"}, nil
		}
	}
	switch {
	case strings.Contains(what, "mapping value is not allowed"):
		return Located{at, "a second \": \" on the line", "put the value in quotes if the colon belongs to it"}, nil
	case strings.Contains(what, "end token"):
		return Located{at, what, "close the bracket"}, nil
	case strings.Contains(what, "could not find end character of"):
		return Located{at, "a quotation mark is opened here and never closed", "close it"}, nil
	}
	for i, line := range lines[:min(at.Line, len(lines))] {
		if n := strings.Count(line, `"`) - strings.Count(line, `\"`); n%2 == 1 {
			before, _, _ := strings.Cut(line, `"`)
			col := utf8.RuneCountInString(before) + 1
			return Located{Position{file, i + 1, col}, fmt.Sprintf("a quotation mark is missing on this line, and line %d cannot be read", at.Line), "write quotation marks in pairs"}, nil
		}
	}
	if strings.Contains(what, "value is not allowed in this context") {
		return Located{at, "this line does not fit those above it", "give settings that belong together the same indentation"}, nil
	}
	return Located{at, "this is no YAML: " + what, "look at this line and the one above it"}, nil
}

// quoting is a value that was put in quotes, which shifts what stands behind it.
type quoting struct {
	text     string // with the quotes
	line     int
	from, to int // columns of the value, from 1, in characters
}

// quoteValue puts quotes around the bytes of a line.
func quoteValue(lines []string, i, from, to int) *quoting {
	line := lines[i]
	lines[i] = line[:from] + strconv.Quote(line[from:to]) + line[to:]
	q := &quoting{text: strings.Join(lines, "\n"), line: i + 1, from: utf8.RuneCountInString(line[:from]) + 1}
	q.to = q.from + utf8.RuneCountInString(line[from:to])
	return q
}

// written gives the column at which something stands in the file itself.
func (q quoting) written(line, column int) int {
	switch {
	case line != q.line || column <= q.from:
		return column
	case column <= q.to:
		return column - 1
	}
	return column - 2
}

func quoteProblem(at Position, name, value string, open func(string) bool) (Located, bool) {
	key := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(name, "- "), ":"))
	var why string
	switch value[0] {
	case '*':
		if !cronLike.MatchString(value) && !strings.ContainsAny(value, " /") {
			return Located{}, false // an alias, possibly a wrong one
		}
		why = "YAML reads a leading * as an alias"
	case '@', '`', '%':
		why = "YAML keeps a leading " + string(value[0]) + " for itself"
	default:
		return Located{}, false
	}
	switch {
	case key == "" || key == "-":
		return Located{at, "the value must be quoted: " + why, `put it in quotes: - "…"`}, true
	case !open(key):
		return Located{at, fmt.Sprintf("the value of %s must be quoted: %s", key, why), fmt.Sprintf(`put it in quotes: %s: "…"`, key)}, true
	}
	return Located{at, fmt.Sprintf("%s %q must be quoted: %s", key, value, why), fmt.Sprintf("write %s: %q", key, value)}, true
}

// reader turns goccy's syntax tree into ours.
type reader struct {
	doc     *document
	file    string
	open    func(name string) bool
	anchors map[string]ast.Node
	depth   int
	count   int
	// quoted are the values that were put in quotes, in the order of the repairs.
	quoted []quoting
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

func (r *reader) at(t *token.Token) Position {
	if r.via != nil {
		return *r.via
	}
	if t == nil || t.Position == nil {
		return Position{File: r.file, Line: 1, Column: 1}
	}
	return r.place(Position{File: r.file, Line: t.Position.Line, Column: max(t.Position.Column, 1)})
}

// place finds a position of the text that was read in the file itself.
func (r *reader) place(p Position) Position {
	for _, q := range slices.Backward(r.quoted) {
		p.Column = q.written(p.Line, p.Column)
	}
	return p
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
		out[key] = r.value(pointer, keyAt, mv.Value)
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

// value reads any node; what it cannot read is a problem and nil.
func (r *reader) value(at string, keyAt Position, n ast.Node) any {
	if r.count++; r.count > maxNodes || r.depth > 100 {
		if r.count == maxNodes+1 || r.depth == 101 {
			r.problem(keyAt, "the file unfolds to too much", "use fewer aliases")
		}
		return nil
	}
	r.depth++
	defer func() { r.depth-- }()
	place := node{key: keyAt, value: r.at(firstToken(n))}
	if r.via == nil {
		place.inner, place.lines = innerPosition(r.file, n)
		place.inner = r.place(place.inner)
	}
	if _, again := r.doc.nodes[at]; !again || r.via == nil {
		r.doc.nodes[at] = place
	}
	switch v := n.(type) {
	case nil:
		return nil
	case *ast.AnchorNode:
		r.anchors[v.Name.GetToken().Value] = v.Value
		return r.value(at, keyAt, v.Value)
	case *ast.AliasNode:
		return r.alias(at, keyAt, v)
	case *ast.TagNode:
		if s, ok := v.Value.(ast.ScalarNode); ok && v.Start.Value == "!!str" {
			return s.GetToken().Value
		}
		r.unread(at, place.value, fmt.Sprintf("the tag %s is not used here", v.Start.Value), "write the value alone")
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
		return v.Value
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
		if !r.repeats(at) {
			r.unread(at, place, "YAML reads a leading * as an alias, and this one names no anchor above it", "put the value in quotes if it is text")
			return nil
		}
		r.unread(at, place, fmt.Sprintf("*%s names no anchor above it", name), fmt.Sprintf("put %q in quotes if it is text", "*"+name))
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
	names := strings.Split(at, "/")
	name := names[len(names)-1]
	if strings.Trim(name, "0123456789") == "" && len(names) > 1 { // an entry of a list
		name = names[len(names)-2]
	}
	return r.open(name)
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

// innerPosition is where the text of a scalar begins, when it stands on one line without escapes, or in a block whose
// lines stay lines.
func innerPosition(file string, n ast.Node) (at Position, lines bool) {
	if b, ok := n.(*ast.LiteralNode); ok && b.Start.Type == token.LiteralType {
		first, _, _ := strings.Cut(strings.TrimLeft(b.Value.Token.Origin, "\n"), "\n")
		indent := len(first) - len(strings.TrimLeft(first, " "))
		return Position{File: file, Line: b.Start.Position.Line + 1, Column: indent + 1}, true
	}
	s, ok := n.(*ast.StringNode)
	if !ok || s.Token.Position == nil || strings.ContainsAny(strings.TrimSpace(s.Token.Origin), "\n\\") {
		return Position{}, false
	}
	p := Position{File: file, Line: s.Token.Position.Line, Column: s.Token.Position.Column}
	if s.Token.Type == token.SingleQuoteType || s.Token.Type == token.DoubleQuoteType {
		p.Column++
	}
	return p, false
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
