package http

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"text/template/parse"

	"github.com/belfry-news/belfry/sdk"
)

// howToEncode says how a text is put into a body of each language.
var howToEncode = map[language]string{
	langJSON: "write every text as {{json .Title}}, without quotes around it",
	langForm: "write every text as {{urlquery .Title}}",
}

// howToWrite says what else makes a valid body.
var howToWrite = map[language]string{
	langJSON: howToEncode[langJSON] + ", and commas between values only",
	langForm: howToEncode[langForm] + ", and nothing but names, = and & around them",
}

// try renders every template with harmless and with hostile texts, for posts that differ in what templates may ask, and
// for a post that has nothing. What comes out must be valid, and must have the same shape for all texts: a text that
// changes the shape has broken out of its place.
func (f *forms) try(ps *sdk.Problems) {
	if !f.tryOne(ps, func(*View) {}, hostile) {
		return
	}
	if _, bad := f.rehearse(View{}, benign); bad != nil {
		bad.add(ps, "for a post without pictures, tags, authors and items the template %s",
			"guard what may be missing, like {{if .Media}}…{{end}}")
		return
	}
	for _, vary := range f.variants() {
		if !f.tryOne(ps, vary, hostileFew) {
			return
		}
	}
}

func (f *forms) tryOne(ps *sdk.Problems, vary func(*View), texts []string) bool {
	view := func(text string) View {
		v := sample(text)
		vary(&v)
		return v
	}
	want, bad := f.rehearse(view(benign), benign)
	if bad != nil {
		bad.add(ps, "the template %s", howToWrite[bad.language])
		return false
	}
	for _, text := range texts {
		got, bad := f.rehearse(view(text), text)
		if bad != nil {
			bad.add(ps, "a text with "+describe(text)+" breaks out of its place: the template then %s",
				howToEncode[bad.language])
			return false
		}
		for _, at := range slices.Sorted(maps.Keys(want)) {
			if got[at] != want[at] {
				ps.Add(at, fmt.Sprintf("a text with %s breaks out of its place", describe(text)),
					howToEncode[want[at].language])
				return false
			}
		}
	}
	return true
}

// maxLiterals is how many texts that a template compares with are tried.
const maxLiterals = 40

// variants are further posts to try: one that is withdrawn, and a first revision; those that lack one thing; and, for
// each text that the template mentions, posts of which one field is that text, so that {{if eq .Lang "fr"}} is taken too.
func (f *forms) variants() []func(*View) {
	out := []func(*View){
		func(v *View) { v.Withdrawn = true },
		func(v *View) { v.Revision = 1 },
	}
	texts := append([]string{""}, f.create.literals()...)
	for i := range reflect.TypeFor[View]().NumField() {
		switch reflect.TypeFor[View]().Field(i).Type.Kind() {
		case reflect.Slice:
			out = append(out, func(v *View) { reflect.ValueOf(v).Elem().Field(i).SetZero() })
		case reflect.String:
			for _, text := range texts {
				out = append(out, func(v *View) { reflect.ValueOf(v).Elem().Field(i).SetString(text) })
			}
		}
	}
	return out
}

// literals are the texts that the template mentions, as it may compare with them.
func (b body) literals() []string {
	var out []string
	for _, sub := range b.template.Templates() {
		walk(sub.Root, func(n parse.Node) {
			if s, ok := n.(*parse.StringNode); ok && len(out) < maxLiterals && !slices.Contains(out, s.Text) {
				out = append(out, s.Text)
			}
		})
	}
	return out
}

// failure is what is wrong with one rendering.
type failure struct {
	at       string
	err      error
	language language
}

// add adds the failure where it is. The sentence holds a %s for what the template does.
func (f *failure) add(ps *sdk.Problems, sentence, fix string) {
	m := &mistake{text: f.err.Error()}
	if errors.As(f.err, &m) {
		// The template itself fails; then the way to encode texts is no help.
		*ps = append(*ps, m.problem(f.at, fmt.Sprintf(sentence, "fails: "+m.text), ""))
		return
	}
	ps.Add(f.at, fmt.Sprintf(sentence, m.text), fix)
}

// outcome is the shape of one rendered body.
type outcome struct {
	language language
	shape    string
}

// rehearse makes every call of the forms for one post, and gives the shapes of the bodies by their pointers.
func (f *forms) rehearse(v View, ref string) (map[string]outcome, *failure) {
	out := map[string]outcome{}
	body := func(at string, b body, data any) (any, *failure) {
		text, err := b.give(data)
		if err != nil {
			return nil, &failure{at, err, b.language}
		}
		fields, err := b.read(text)
		if err != nil {
			return nil, &failure{at, err, b.language}
		}
		if b.language != langText {
			out[at] = outcome{b.language, shape(fields)}
		}
		return fields, nil
	}
	sent, bad := body("/body", f.create, v)
	if bad != nil {
		return nil, bad
	}
	for at, call := range map[string]*callForm{"/update": f.update, "/delete": f.remove} {
		if call == nil {
			continue
		}
		if _, err := call.address(ref); err != nil {
			return nil, &failure{at + "/url", err, langText}
		}
		if call.body.template == nil {
			continue
		}
		if _, bad := body(at+"/body", call.body, CallView{Ref: ref, Sent: sent}); bad != nil {
			return nil, bad
		}
	}
	return out, nil
}

// address gives the address of a call. The receiver's name for the post is escaped, so that it stays one piece of a path
// or of a query.
func (f *callForm) address(ref string) (*url.URL, error) {
	text, err := execute(f.url, CallView{Ref: strings.ReplaceAll(url.QueryEscape(ref), "+", "%20")})
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return nil, errors.New("gives no address")
	}
	return u, nil
}

// shape describes the structure of a body without its texts.
func shape(v any) string {
	var b strings.Builder
	switch v := v.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			fmt.Fprintf(&b, "%q:%s,", name, shape(v[name]))
		}
		return "{" + b.String() + "}"
	case []any:
		for _, sub := range v {
			b.WriteString(shape(sub) + ",")
		}
		return "[" + b.String() + "]"
	case string:
		return "text"
	case json.Number:
		return "number"
	}
	return fmt.Sprint(v)
}

// describe names a hostile text for an admin.
func describe(s string) string {
	switch {
	case strings.ContainsAny(s, "\r\n"):
		return "a line end"
	case strings.Contains(s, `"`):
		return `a quotation mark (")`
	case strings.Contains(s, `\`):
		return `a backslash (\)`
	case len(s) <= 2:
		return fmt.Sprintf("%q", s)
	}
	return "hostile content"
}
