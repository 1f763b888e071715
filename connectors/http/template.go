package http

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"text/template"
	"text/template/parse"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// maxBody is the most that a template may give, in bytes.
const maxBody = 1 << 20

// language is how a body is written, and thereby what no text may break.
type language string

const (
	langJSON language = "JSON"
	langForm language = "form"
	langText language = "text"
)

func languageOf(contentType string) (language, bool) {
	mediaType, _, err := mime.ParseMediaType(contentType)
	switch {
	case err != nil:
		return "", false
	case mediaType == "application/json" || strings.HasSuffix(mediaType, "+json"):
		return langJSON, true
	case mediaType == "application/x-www-form-urlencoded":
		return langForm, true
	case mediaType == "text/plain" || mediaType == "text/markdown":
		return langText, true
	}
	return "", false
}

// forms are the templates of a body of the admin's own.
type forms struct {
	create         body
	update, remove *callForm
}

// body is one template with what it must give. A nil template gives nothing.
type body struct {
	name        string
	template    *template.Template
	language    language
	contentType string
}

// callForm is an update or a deletion.
type callForm struct {
	url    *template.Template
	method string
	body   body
	header map[string]sdk.Secret
	// missing is the text of a refusal for a post that is not there any more.
	missing string
}

// functions are what templates may call besides text/template's own.
var functions = template.FuncMap{
	"json": func(v any) (string, error) {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		err := e.Encode(v)
		return strings.TrimSuffix(b.String(), "\n"), err
	},
	"quiet": quiet,
	"cut":   func(n int, s string) string { return render.CutText(s, n, sdk.UnitCodePoints) },
	"join":  func(sep string, list []string) string { return strings.Join(list, sep) },
	"markdown": func(s string) string {
		return strings.TrimSpace(render.Render(sdk.Body{sdk.Paragraph(sdk.Text(s))}, render.CommonMark))
	},
	"set": func(m map[string]any, key string, value any) map[string]any {
		out := maps.Clone(m)
		out[key] = value
		return out
	},
}

// compile parses the templates of a configuration and tries them.
func compile(c *Config) (*forms, sdk.Problems) {
	var ps sdk.Problems
	f := &forms{}
	lang, ok := languageOf(c.ContentType)
	if !ok {
		ps.Add("/content_type", fmt.Sprintf("%q is no type whose bodies can be checked", c.ContentType),
			"application/json, application/x-www-form-urlencoded or text/plain")
		return nil, ps
	}
	f.create = body{name: "body", language: lang, contentType: c.ContentType}
	f.create.template = parseTemplate(&ps, "/body", "body", c.Body)
	if f.create.template != nil {
		checkFields(&ps, "/body", f.create.template)
	}
	f.update = compileCall(&ps, c, "update", c.Update)
	f.remove = compileCall(&ps, c, "delete", c.Delete)
	if len(ps) == 0 {
		f.try(&ps)
	}
	return f, ps
}

func compileCall(ps *sdk.Problems, c *Config, name string, call *Call) *callForm {
	if call == nil {
		return nil
	}
	at := sdk.Pointer(name)
	out := &callForm{method: c.Method, body: body{name: name, contentType: c.ContentType}, header: map[string]sdk.Secret{},
		missing: call.Missing}
	if name == "delete" {
		out.method = http.MethodDelete
	}
	if call.Method != "" {
		out.method = call.Method
	}
	if call.ContentType != "" {
		out.body.contentType = call.ContentType
	}
	lang, ok := languageOf(out.body.contentType)
	if !ok {
		ps.Add(at+"/content_type", fmt.Sprintf("%q is no type whose bodies can be checked", out.body.contentType),
			"application/json, application/x-www-form-urlencoded or text/plain")
	}
	out.body.language = lang
	address := c.URL.raw
	if call.URL.raw != "" {
		address = call.URL.raw
	}
	out.url = parseTemplate(ps, at+"/url", name+" url", address)
	if call.Body != "" {
		out.body.template = parseTemplate(ps, at+"/body", name, call.Body)
	}
	for _, headers := range []map[string]sdk.Secret{c.Headers, call.Headers} {
		for name, value := range headers {
			out.header[http.CanonicalHeaderKey(name)] = value
		}
	}
	return out
}

// parseTemplate parses one template. Loops over a number are refused: they could run for ever without giving anything.
func parseTemplate(ps *sdk.Problems, at, name, text string) *template.Template {
	t, err := template.New(name).Option("missingkey=error").Funcs(functions).Parse(text)
	if err != nil {
		m := mistakeIn(err)
		*ps = append(*ps, m.problem(at, m.text, ""))
		return nil
	}
	for _, sub := range t.Templates() {
		walk(sub.Root, func(n parse.Node) {
			if r, ok := n.(*parse.RangeNode); ok && len(r.Pipe.Cmds) == 1 && len(r.Pipe.Cmds[0].Args) == 1 {
				if _, number := r.Pipe.Cmds[0].Args[0].(*parse.NumberNode); number {
					*ps = append(*ps, placeOf(sub, r.Position()).problem(at, "a template may not count",
						"range over .Items, .Media, .Tags or .Authors"))
				}
			}
		})
	}
	return t
}

// walk visits the nodes of a template.
func walk(n parse.Node, visit func(parse.Node)) {
	if n == nil || reflect.ValueOf(n).IsNil() {
		return
	}
	visit(n)
	branch := func(b *parse.BranchNode) {
		walk(b.Pipe, visit)
		walk(b.List, visit)
		walk(b.ElseList, visit)
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, sub := range n.Nodes {
			walk(sub, visit)
		}
	case *parse.ActionNode:
		walk(n.Pipe, visit)
	case *parse.PipeNode:
		for _, sub := range n.Cmds {
			walk(sub, visit)
		}
	case *parse.CommandNode:
		for _, sub := range n.Args {
			walk(sub, visit)
		}
	case *parse.ChainNode:
		walk(n.Node, visit)
	case *parse.TemplateNode:
		walk(n.Pipe, visit)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	}
}

// checkFields finds the fields that no post has, also in branches that no sample takes.
func checkFields(ps *sdk.Problems, at string, t *template.Template) {
	known := knownFields()
	for _, sub := range t.Templates() {
		walk(sub.Root, func(n parse.Node) {
			var name string
			var pos parse.Pos
			switch n := n.(type) {
			case *parse.FieldNode:
				name, pos = n.Ident[0], n.Position()
			case *parse.VariableNode:
				if n.Ident[0] != "$" || len(n.Ident) < 2 {
					return
				}
				name, pos = n.Ident[1], n.Position()
			default:
				return
			}
			if slices.Contains(known, name) {
				return
			}
			fix := "a post has " + strings.Join(fieldNames(reflect.TypeFor[View]()), ", ")
			if near := sdk.Nearest(name, known); near != "" {
				fix = fmt.Sprintf("did you mean .%s?", near)
			}
			*ps = append(*ps, placeOf(sub, pos).problem(at, fmt.Sprintf("there is no field .%s", name), fix))
		})
	}
}

// placeOf finds the line and column of a position in a template's text.
func placeOf(t *template.Template, pos parse.Pos) *mistake {
	context, _ := t.ErrorContext(&parse.TextNode{NodeType: parse.NodeText, Pos: pos})
	return mistakeIn(fmt.Errorf("template: %s: ", context))
}

func knownFields() []string {
	var out []string
	for _, t := range []reflect.Type{reflect.TypeFor[View](), reflect.TypeFor[ViewAuthor](), reflect.TypeFor[ViewMedia](), reflect.TypeFor[ViewItem]()} {
		out = append(out, fieldNames(t)...)
	}
	return out
}

func fieldNames(t reflect.Type) []string {
	var out []string
	for field := range t.Fields() {
		out = append(out, field.Name)
	}
	return out
}

// mistake is what is wrong with a template, and where: line and column count from 1, and are 0 when they are not known.
// The text holds the template's own words, never a post's.
type mistake struct {
	line, column int
	text         string
}

// Error gives the place and the text.
func (m *mistake) Error() string {
	if m.line == 0 {
		return m.text
	}
	return fmt.Sprintf("line %d: %s", m.line, m.text)
}

// problem puts the mistake where the setting's own text has it.
func (m *mistake) problem(at, what, fix string) sdk.Problem {
	return sdk.Problem{Pointer: at, What: what, Fix: fix, Line: m.line, Column: m.column}
}

var templatePlace = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^template: [^:]*:(\d+)(?::(\d+))?: (?:executing "[^"]*" at )?(.*)$`)
})

// mistakeIn reads an error of text/template.
func mistakeIn(err error) *mistake {
	if errors.Is(err, errTooMuch) {
		return &mistake{text: errTooMuch.Error()}
	}
	var exec template.ExecError
	if errors.As(err, &exec) && exec.Err != nil {
		err = exec.Err
	}
	text, _, _ := strings.Cut(err.Error(), "\n")
	found := templatePlace().FindStringSubmatch(text)
	if found == nil {
		return &mistake{text: text}
	}
	m := &mistake{text: found[3]}
	m.line, _ = strconv.Atoi(found[1])
	if n, err := strconv.Atoi(found[2]); err == nil {
		m.column = n + 1
	}
	return m
}

// limited stops a template that gives too much.
type limited struct{ bytes.Buffer }

var errTooMuch = errors.New("the template gives more than 1 MiB")

func (l *limited) Write(b []byte) (int, error) {
	if l.Len()+len(b) > maxBody {
		return 0, errTooMuch
	}
	return l.Buffer.Write(b)
}

// execute runs a template.
func execute(t *template.Template, data any) (string, error) {
	var out limited
	if err := t.Execute(&out, data); err != nil {
		return "", mistakeIn(err)
	}
	return strings.TrimSpace(out.String()), nil
}

// give runs the template and checks what comes out.
func (b body) give(data any) (string, error) {
	out, err := execute(b.template, data)
	if err != nil {
		return "", err
	}
	_, err = b.read(out)
	return out, err
}

// read parses a body by its language: the fields of JSON or of a form, or the text.
func (b body) read(out string) (any, error) {
	switch b.language {
	case langJSON:
		d := json.NewDecoder(strings.NewReader(out))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return nil, fmt.Errorf("gives no valid JSON (%w)", shortJSONError(err))
		}
		if d.More() {
			return nil, errors.New("gives more than one JSON value")
		}
		return v, nil
	case langForm:
		if strings.ContainsFunc(out, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"<>\^{}|`+"`", r) }) {
			return nil, errors.New("gives a form with characters that are not encoded")
		}
		values, err := url.ParseQuery(out)
		if err != nil {
			return nil, errors.New("gives a form that is not encoded properly")
		}
		fields := make(map[string]any, len(values))
		for name, v := range values {
			if len(v) > 1 {
				return nil, fmt.Errorf("gives a form with two fields %q", name)
			}
			fields[name] = v[0]
		}
		return fields, nil
	}
	return out, nil
}

// shortJSONError leaves out what could be a post's text.
func shortJSONError(err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("a mistake at byte %d", syntax.Offset)
	}
	return errors.New("it ends too early")
}
