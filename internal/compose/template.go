package compose

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
	"unicode"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// Template makes the text of a post. It is Markdown with the fields and functions of text/template. What comes from an
// item is carried through the Markdown parser as an opaque token and put in afterwards, so that it can become neither
// markup nor template code.
type Template struct {
	t *template.Template
	// fields are those that it names anywhere.
	fields map[string]bool
}

// names reports whether the template names a field.
func (t *Template) names(field string) bool { return t.fields[field] }

// The default templates.
const (
	DefaultEach = "**{{.Title}}**\n\n{{.Summary}}\n\n{{.URL}}{{range .Hashtags}} {{.}}{{end}}\n"
	// DefaultDigest lists the items by their titles.
	DefaultDigest = "**{{.Title}}**\n\n{{range .Items}}- {{if .URL}}[{{.Title}}]({{.URL}}){{else}}{{.Title}}{{end}}\n{{end}}\n{{.Permalink}}\n"
)

// maxOutput bounds what a template may write, in bytes.
const maxOutput = 256 << 10

// The marks around a value: private-use characters, which are taken out of everything else. An address is carried as an
// address, so that it can stand where Markdown wants one; the name is reserved (RFC 2606) and never looked up.
const (
	openText    = '\ue000' // followed by the value in hex and closeText
	closeText   = '\ue001'
	openAddress = "https://address.belfry.invalid/" // followed by the value in hex and a slash
)

// value is a text that came from outside. Wherever a template writes it, a token is written instead.
type value string

// String is what text/template and fmt write.
func (v value) String() string {
	if v == "" {
		return ""
	}
	return string(openText) + hex.EncodeToString([]byte(v)) + string(closeText)
}

// address is an http(s) address that came from outside.
type address string

// String is what text/template and fmt write.
func (a address) String() string {
	if a == "" {
		return ""
	}
	return openAddress + hex.EncodeToString([]byte(a)) + "/"
}

// stamp is a time in the zone of the channel.
type stamp struct{ time.Time }

// String writes the time in a neutral form; date formats it.
func (s stamp) String() string {
	if s.IsZero() {
		return ""
	}
	return s.Format("2006-01-02 15:04")
}

// functions are what a template can call besides those of text/template.
var functions = template.FuncMap{
	"cut":   func(n int, v any) value { return value(render.CutText(plain(v), n, sdk.UnitGraphemes)) },
	"upper": func(v any) value { return value(strings.ToUpper(plain(v))) },
	"lower": func(v any) value { return value(strings.ToLower(plain(v))) },
	"date": func(layout string, s stamp) value {
		if s.IsZero() {
			return ""
		}
		return value(s.Format(layout))
	},
	"join": func(sep string, list any) value {
		var parts []string
		switch l := list.(type) {
		case []value:
			for _, v := range l {
				parts = append(parts, string(v))
			}
		case []map[string]any:
			for _, m := range l {
				parts = append(parts, plain(m["Name"]))
			}
		}
		return value(strings.Join(parts, sep))
	},
	"default": func(fallback, v any) any {
		if plain(v) == "" {
			return fallback
		}
		return v
	},
}

// plain gives the text of a value without its token.
func plain(v any) string {
	switch t := v.(type) {
	case nil:
		return ""
	case value:
		return string(t)
	case address:
		return string(t)
	case string:
		return t
	}
	return fmt.Sprint(v)
}

// CompileTemplate checks and compiles a template: its syntax, the fields and functions it names anywhere, that it ranges
// over lists only, and that it runs on a full and on an empty sample. Its error is *TemplateError.
func CompileTemplate(text string) (*Template, error) {
	t, err := compileTemplate(text)
	if err != nil {
		return nil, inCharacters(text, err)
	}
	return t, nil
}

func compileTemplate(text string) (*Template, error) {
	if strings.ContainsAny(text, "\ue000\ue001") {
		return nil, &TemplateError{What: "the template holds the characters U+E000 or U+E001, which are kept for inner use", Fix: "take them out"}
	}
	t, err := template.New("template").Funcs(functions).Option("missingkey=error").Parse(text)
	if err != nil {
		return nil, templateError(err)
	}
	out := &Template{t, map[string]bool{}}
	for _, sub := range t.Templates() {
		if sub.Tree == nil {
			continue
		}
		if err := checkNodes(sub.Tree, sub.Root, out.fields); err != nil {
			return nil, err
		}
	}
	for _, data := range []map[string]any{sampleData(true), sampleData(false)} {
		if _, err := out.Execute(data); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Fields that a template may name, at the top and inside Items and Authors.
var (
	topFields  = []string{"Title", "Summary", "Text", "URL", "Permalink", "Lang", "Channel", "Tags", "Hashtags", "Authors", "Published", "Updated", "Now", "Correction", "Credit", "Items", "Count"}
	itemFields = []string{"Title", "Summary", "URL", "Tags", "Authors", "Published"}
)

// checkNodes looks at every branch of a template, also at those that a sample does not reach, and notes the fields it names.
func checkNodes(tree *parse.Tree, n parse.Node, named map[string]bool) error {
	var fault error
	known := append(slices.Clone(topFields), "Name")
	var walk func(n parse.Node)
	walk = func(n parse.Node) {
		if fault != nil || n == nil {
			return
		}
		switch v := n.(type) {
		case *parse.ListNode:
			if v != nil {
				for _, c := range v.Nodes {
					walk(c)
				}
			}
		case *parse.ActionNode:
			walk(v.Pipe)
		case *parse.PipeNode:
			if v != nil {
				for _, c := range v.Cmds {
					walk(c)
				}
			}
		case *parse.CommandNode:
			for _, a := range v.Args {
				walk(a)
			}
		case *parse.ChainNode:
			walk(v.Node)
		case *parse.FieldNode:
			named[v.Ident[0]] = true
			if !slices.Contains(known, v.Ident[0]) {
				fault = unknownField(tree, n, v.Ident[0])
			}
		case *parse.VariableNode:
			if len(v.Ident) > 1 {
				named[v.Ident[1]] = true
			}
			if len(v.Ident) > 1 && !slices.Contains(known, v.Ident[1]) {
				fault = unknownField(tree, n, v.Ident[1])
			}
		case *parse.IfNode:
			walk(v.Pipe)
			walk(v.List)
			walk(v.ElseList)
		case *parse.WithNode:
			walk(v.Pipe)
			walk(v.List)
			walk(v.ElseList)
		case *parse.RangeNode:
			if !overList(v.Pipe) {
				fault = at(tree, n, "range goes over something that is no list", "range over .Items, .Tags, .Hashtags or .Authors")
			}
			walk(v.Pipe)
			walk(v.List)
			walk(v.ElseList)
		case *parse.TemplateNode:
			walk(v.Pipe)
		}
	}
	walk(n)
	return fault
}

// overList accepts a range over one field or variable: a range over a number could run for ever.
func overList(p *parse.PipeNode) bool {
	if len(p.Cmds) != 1 || len(p.Cmds[0].Args) != 1 {
		return false
	}
	switch a := p.Cmds[0].Args[0].(type) {
	case *parse.FieldNode:
		return slices.Contains([]string{"Items", "Tags", "Hashtags", "Authors"}, a.Ident[len(a.Ident)-1])
	case *parse.VariableNode:
		return true
	}
	return false
}

// limited refuses what a template writes beyond a bound.
type limited struct{ bytes.Buffer }

func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > 2*maxOutput { // tokens are twice as long as their values
		return 0, errors.New("the template writes too much")
	}
	return l.Buffer.Write(p)
}

// written is a text that an editor wrote: as plain text, which a template handles like any other value, and with its markup.
type written struct {
	text string
	body sdk.Body
}

// Execute makes the text. Its error is *TemplateError.
func (t *Template) Execute(data map[string]any) (sdk.Body, error) { return t.execute(data, nil) }

// execute makes the text. Where own stands on lines of its own, it stands with its markup.
func (t *Template) execute(data map[string]any, own *written) (sdk.Body, error) {
	var out limited
	if err := t.t.Execute(&out, data); err != nil {
		return nil, templateError(err)
	}
	parsed, err := render.Parse(hardBreaks(out.String()), render.CommonMark)
	if err != nil {
		return nil, &TemplateError{What: err.Error()}
	}
	body := putValues(own.put(parsed))
	if err := body.Validate(); err != nil {
		return nil, &TemplateError{What: err.Error()}
	}
	return body, nil
}

// put puts the blocks of a text where its value stands on lines of its own in a paragraph of the whole. The blocks hold no
// marks of values, so that nothing in them is taken for one.
func (w *written) put(nodes []sdk.Node) []sdk.Node {
	if w == nil || w.text == "" {
		return nodes
	}
	token := value(w.text).String()
	var out []sdk.Node
	for _, n := range nodes {
		if n.Kind != sdk.NodeParagraph {
			out = append(out, n)
			continue
		}
		var lines [][]sdk.Node
		line := []sdk.Node{}
		for _, c := range n.Children {
			if c.Kind == sdk.NodeBreak {
				lines, line = append(lines, line), nil
				continue
			}
			line = append(line, c)
		}
		lines = append(lines, line)
		var rest []sdk.Node
		flush := func() {
			if len(rest) > 0 {
				out = append(out, sdk.Paragraph(rest...))
			}
			rest = nil
		}
		for _, line := range lines {
			if len(line) == 1 && line[0].Kind == sdk.NodeText && strings.TrimSpace(line[0].Text) == token {
				flush()
				out = append(out, unmarked(w.body)...)
				continue
			}
			if len(rest) > 0 {
				rest = append(rest, sdk.Node{Kind: sdk.NodeBreak})
			}
			rest = append(rest, line...)
		}
		flush()
	}
	return out
}

// unmarked gives nodes without the marks around values.
func unmarked(nodes []sdk.Node) []sdk.Node {
	marks := strings.NewReplacer(string(openText), "", string(closeText), "", openAddress, "")
	out := make([]sdk.Node, len(nodes))
	for i, n := range nodes {
		n.Text, n.URL, n.Children = marks.Replace(n.Text), marks.Replace(n.URL), unmarked(n.Children)
		if len(n.Children) == 0 {
			n.Children = nil
		}
		out[i] = n
	}
	return out
}

// ExecuteLine makes one line of plain text, for titles.
func (t *Template) ExecuteLine(data map[string]any) (string, error) {
	var out limited
	if err := t.t.Execute(&out, data); err != nil {
		return "", templateError(err)
	}
	var line strings.Builder
	for _, n := range splitTokens(out.String()) {
		line.WriteString(n.Text)
		line.WriteString(sdk.PlainText(n.Children))
	}
	return strings.Join(strings.Fields(line.String()), " "), nil
}

// hardBreaks makes every end of a line one that readers see: who writes a template for a post means it so.
func hardBreaks(s string) string {
	lines := strings.Split(s, "\n")
	fence := false
	for i, line := range lines {
		trimmed := strings.TrimSpace(line)
		if strings.HasPrefix(trimmed, "```") || strings.HasPrefix(trimmed, "~~~") {
			fence = !fence
			continue
		}
		if fence || trimmed == "" || i == len(lines)-1 || strings.TrimSpace(lines[i+1]) == "" {
			continue
		}
		lines[i] = strings.TrimRight(line, " ") + "  "
	}
	return strings.Join(lines, "\n")
}

// putValues puts the values in where their tokens stand, and drops blocks that stay empty.
func putValues(nodes []sdk.Node) sdk.Body {
	var out sdk.Body
	for _, n := range nodes {
		switch n.Kind {
		case sdk.NodeText:
			out = append(out, splitTokens(n.Text)...)
			continue
		case sdk.NodeCode, sdk.NodeCodeBlock:
			n.Text = tokens.ReplaceAllStringFunc(n.Text, decodeToken)
		case sdk.NodeLink:
			n.URL = tokens.ReplaceAllStringFunc(n.URL, decodeToken)
			children := unlink(putValues(n.Children))
			normal, err := sdk.CheckLink(n.URL)
			if err != nil {
				out = append(out, children...) // a link to nowhere is its text
				continue
			}
			n.URL, n.Children = normal, children
			if len(children) == 0 {
				continue
			}
			out = append(out, n)
			continue
		}
		if len(n.Children) > 0 {
			n.Children = putValues(n.Children)
			if len(n.Children) == 0 || blank(n.Children) {
				continue
			}
		}
		out = append(out, n)
	}
	return out
}

// unlink takes links out of a link's own text.
func unlink(nodes []sdk.Node) []sdk.Node {
	var out []sdk.Node
	for _, n := range nodes {
		if n.Kind == sdk.NodeLink {
			out = append(out, n.Children...)
			continue
		}
		out = append(out, n)
	}
	return out
}

// blank reports whether nodes show nothing.
func blank(nodes []sdk.Node) bool {
	for _, n := range nodes {
		switch n.Kind {
		case sdk.NodeText:
			if strings.TrimFunc(n.Text, unicode.IsSpace) != "" {
				return false
			}
		case sdk.NodeBreak:
		default:
			if len(n.Children) == 0 || !blank(n.Children) {
				return false
			}
		}
	}
	return true
}

var tokens = regexp.MustCompile("\ue000[0-9a-f]*\ue001|" + regexp.QuoteMeta(openAddress) + "[0-9a-f]*/")

func decodeToken(t string) string {
	t = strings.TrimPrefix(strings.TrimPrefix(t, string(openText)), openAddress)
	b, err := hex.DecodeString(strings.TrimRight(t, "/"+string(closeText)))
	if err != nil {
		return ""
	}
	return strings.Map(func(r rune) rune {
		if r == openText || r == closeText {
			return -1
		}
		return r
	}, string(b))
}

// splitTokens turns text with tokens into nodes: texts with their line ends as breaks, and links.
func splitTokens(s string) []sdk.Node {
	var out []sdk.Node
	text := func(s string) {
		for i, line := range strings.Split(s, "\n") {
			if i > 0 {
				out = append(out, sdk.Node{Kind: sdk.NodeBreak})
			}
			if line != "" {
				out = append(out, sdk.Text(line))
			}
		}
	}
	rest := s
	for {
		loc := tokens.FindStringIndex(rest)
		if loc == nil {
			text(rest)
			return out
		}
		text(rest[:loc[0]])
		t := rest[loc[0]:loc[1]]
		v := decodeToken(t)
		if link, err := sdk.CheckLink(v); strings.HasPrefix(t, openAddress) && err == nil {
			out = append(out, sdk.Link(link, sdk.Text(link)))
		} else {
			text(v)
		}
		rest = rest[loc[1]:]
	}
}
