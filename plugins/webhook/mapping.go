package webhook

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/vm"

	"github.com/belfry-news/belfry/sdk"
)

// Mapping says by expressions what of a call becomes what of an item. An empty one gives nothing.
type Mapping struct {
	Each          string        `yaml:"each" doc:"The entries of a call that become items; without it the body is the one entry, or each entry of a list." example:"body.articles"`
	When          string        `yaml:"when" doc:"Whether an entry counts at all." example:"event == \"article.published\""`
	Remove        string        `yaml:"remove" doc:"Whether an entry withdraws its item." example:"event == \"article.deleted\""`
	Key           string        `yaml:"key" doc:"What identifies the item, the same for each of its revisions." example:"entry.id"`
	Group         string        `yaml:"group" doc:"The part of the source that the item belongs to."`
	Title         string        `yaml:"title" doc:"The title, plain text." example:"entry.title"`
	Summary       string        `yaml:"summary" doc:"The summary, plain text."`
	HTML          string        `yaml:"html" doc:"The text, as HTML."`
	Markdown      string        `yaml:"markdown" doc:"The text, as CommonMark, where html gives nothing."`
	Text          string        `yaml:"text" doc:"The text, plain, where html and markdown give nothing."`
	URL           string        `yaml:"url" doc:"The article's own address." example:"entry.link"`
	Authors       string        `yaml:"authors" doc:"The names of the authors: a text or a list."`
	Tags          string        `yaml:"tags" doc:"The tags: a text or a list." example:"entry.tags"`
	Lang          string        `yaml:"lang" doc:"The language (BCP 47)."`
	Image         string        `yaml:"image" doc:"The address of a picture."`
	ImageAlt      string        `yaml:"image_alt" doc:"What the picture shows, for those who do not see it."`
	ImageCredit   string        `yaml:"image_credit" doc:"Who made the picture."`
	Published     string        `yaml:"published" doc:"When it was published: a text such as 2026-11-20T06:00:00Z, or seconds or milliseconds since 1970."`
	Updated       string        `yaml:"updated" doc:"When it last changed."`
	NotBefore     string        `yaml:"not_before" doc:"The embargo: before it the item appears nowhere." example:"entry.embargo"`
	Expires       string        `yaml:"expires" doc:"When it loses its meaning."`
	Urgency       string        `yaml:"urgency" doc:"From 1, the most urgent, to 9." example:"entry.priority == \"flash\" ? 1 : 5"`
	Correction    string        `yaml:"correction" doc:"The newsroom's note on what this revision corrects."`
	TranslationOf string        `yaml:"translation_of" doc:"The key of the item that this one translates."`
	Notice        NoticeMapping `yaml:"notice" doc:"What of an entry becomes a notice to one person, and no item."`
}

// NoticeMapping says what of an entry becomes a notice to one person, who has to have agreed to such notices.
type NoticeMapping struct {
	Name      string `yaml:"name" doc:"The notice under notices: of the configuration. Where it gives nothing the entry becomes an item." example:"event == \"parcel.shipped\" ? \"parcels\" : nil"`
	Reference string `yaml:"reference" doc:"What your own system calls the person." example:"entry.customer"`
	Key       string `yaml:"key" doc:"What it is about, such as an order: a newer notice of the same key takes the place of one that has not left yet." example:"entry.order"`
	Title     string `yaml:"title" doc:"The title, which may hold {{name}} where a slot stands."`
	Text      string `yaml:"text" doc:"The text, which may hold {{name}} where a slot stands." example:"\"Your parcel {{number}} is on its way.\""`
	URL       string `yaml:"url" doc:"An address that leads further."`
	Slots     string `yaml:"slots" doc:"What is each one's own: an object of texts." example:"{\"number\": entry.parcel}"`
	Expires   string `yaml:"expires" doc:"When it makes no sense any more; without it, what the notice says."`
}

func (n *NoticeMapping) given() bool { return n.Name != "" }

// kind is what an expression has to give.
type kind string

const (
	kindText    kind = "a text"
	kindList    kind = "a text or a list of texts"
	kindTime    kind = "a time"
	kindNumber  kind = "a number"
	kindYesNo   kind = "true or false"
	kindEntries kind = "a list"
	kindObject  kind = "an object of texts"
)

// part is one expression of a mapping.
type part struct {
	name string
	kind kind
	text *string
}

// parts lists the expressions in the order of the settings.
func (m *Mapping) parts() []part {
	return []part{{"each", kindEntries, &m.Each}, {"when", kindYesNo, &m.When}, {"remove", kindYesNo, &m.Remove}, {"key", kindText, &m.Key}, {"group", kindText, &m.Group},
		{"title", kindText, &m.Title}, {"summary", kindText, &m.Summary}, {"html", kindText, &m.HTML}, {"markdown", kindText, &m.Markdown}, {"text", kindText, &m.Text},
		{"url", kindText, &m.URL}, {"authors", kindList, &m.Authors}, {"tags", kindList, &m.Tags}, {"lang", kindText, &m.Lang}, {"image", kindText, &m.Image},
		{"image_alt", kindText, &m.ImageAlt}, {"image_credit", kindText, &m.ImageCredit}, {"published", kindTime, &m.Published}, {"updated", kindTime, &m.Updated},
		{"not_before", kindTime, &m.NotBefore}, {"expires", kindTime, &m.Expires}, {"urgency", kindNumber, &m.Urgency}, {"correction", kindText, &m.Correction},
		{"translation_of", kindText, &m.TranslationOf},
		{"notice/name", kindText, &m.Notice.Name}, {"notice/reference", kindText, &m.Notice.Reference}, {"notice/key", kindText, &m.Notice.Key},
		{"notice/title", kindText, &m.Notice.Title}, {"notice/text", kindText, &m.Notice.Text}, {"notice/url", kindText, &m.Notice.URL},
		{"notice/slots", kindObject, &m.Notice.Slots}, {"notice/expires", kindTime, &m.Notice.Expires}}
}

// with is the mapping with the given expressions of another one in place of its own.
func (m Mapping) with(o Mapping) Mapping {
	own, others := m.parts(), o.parts()
	for i := range own {
		if *others[i].text != "" {
			*own[i].text = *others[i].text
		}
	}
	return m
}

// view is what an expression sees.
type view struct {
	Body   any               `expr:"body"`
	Entry  any               `expr:"entry"`
	Event  string            `expr:"event"`
	Header map[string]string `expr:"header"`
	Query  map[string]string `expr:"query"`
	Events []any             `expr:"events"`
}

// program is a compiled mapping, by the names of its parts.
type program map[string]*vm.Program

// maxExpression bounds the parts of one expression.
const maxExpression = 500

// compile checks and compiles. The problems point to the parts.
func (m Mapping) compile() (program, sdk.Problems) {
	p := program{}
	var ps sdk.Problems
	for _, part := range m.parts() {
		if strings.TrimSpace(*part.text) == "" {
			continue
		}
		compiled, problem := compile(*part.text, part.kind)
		if problem != nil {
			problem.Pointer = "/" + part.name
			ps = append(ps, *problem)
			continue
		}
		p[part.name] = compiled
	}
	return p, ps
}

func compile(text string, want kind) (*vm.Program, *sdk.Problem) {
	// The clock is no part of what is mapped: the same call must give the same items.
	compiled, err := expr.Compile(text, expr.Env(view{}), expr.MaxNodes(maxExpression), expr.DisableBuiltin("now"), expr.Optimize(false),
		expr.Function("pick", pick, new(func(any, ...string) any)))
	if err != nil {
		return nil, fault(text, err)
	}
	if got := compiled.Node().Type(); !gives(got, want) {
		return nil, &sdk.Problem{What: fmt.Sprintf("the expression gives %s", word(got)), Fix: "it must give " + string(want), Line: 1, Column: 1}
	}
	return compiled, nil
}

// gives reports whether what is known of a type before anything runs can be of a kind.
func gives(t reflect.Type, want kind) bool {
	if t == nil {
		return true // it is known when it runs
	}
	isTime := t == reflect.TypeFor[time.Time]()
	switch k := t.Kind(); k {
	case reflect.Interface:
		return true
	case reflect.String:
		return want == kindText || want == kindList || want == kindTime || want == kindNumber
	case reflect.Int, reflect.Int64, reflect.Float64:
		return want == kindText || want == kindTime || want == kindNumber
	case reflect.Bool:
		return want == kindYesNo
	case reflect.Slice, reflect.Array:
		return want == kindList || want == kindEntries
	case reflect.Map:
		return want == kindObject
	case reflect.Struct:
		return isTime && want == kindTime
	}
	return false
}

func word(t reflect.Type) string {
	if t == nil {
		return "nothing"
	}
	if t == reflect.TypeFor[time.Time]() {
		return "a time"
	}
	switch t.Kind() {
	case reflect.String:
		return "a text"
	case reflect.Int, reflect.Int64, reflect.Float64:
		return "a number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice, reflect.Array:
		return "a list"
	case reflect.Map, reflect.Struct:
		return "an object"
	}
	return "a value of another kind"
}

// names are what an expression may begin with.
func names() []string { return []string{"body", "entry", "event", "header", "query", "events", "pick"} }

// fault puts what the library says of a text into a sentence and a place.
func fault(text string, err error) *sdk.Problem {
	p := &sdk.Problem{Line: 1, Column: 1, Fix: "an expression may use " + strings.Join(names(), ", ") + "; text stands in quotes"}
	fe, ok := errors.AsType[*file.Error](err)
	if !ok {
		p.What, _, _ = strings.Cut(err.Error(), "\n")
		return p
	}
	p.What = strings.TrimSpace(fe.Message)
	at := fe.From
	if strings.HasPrefix(p.What, "unexpected token EOF") {
		p.What, p.Fix, at = "the expression ends too early", "close every bracket and every quotation mark", len([]rune(text))
	} else if m := unknown.FindStringSubmatch(p.What); m != nil {
		p.What = "unknown name " + m[1]
		if near := sdk.Nearest(m[1], names()); near != "" {
			p.Fix = fmt.Sprintf("did you mean %s?", near)
		} else if name := m[1]; regexp.MustCompile(`^\w+$`).MatchString(name) {
			p.Fix = fmt.Sprintf("write body.%s for what the call holds, or entry.%s for what an entry does", name, name)
		}
	} else if strings.HasPrefix(p.What, "unexpected token") || strings.HasPrefix(p.What, "invalid operation") {
		p.Fix = "text stands in quotes, and equality is written =="
	}
	for i, r := range []rune(text) {
		if i == at {
			break
		}
		p.Column++
		if r == '\n' {
			p.Line, p.Column = p.Line+1, 1
		}
	}
	return p
}

var unknown = regexp.MustCompile(`^unknown name (\S+)`)

// run runs one part. What fails says where, and what would help.
func (p program) run(name string, v view) (any, error) {
	compiled, ok := p[name]
	if !ok {
		return nil, nil
	}
	out, err := expr.Run(compiled, v)
	if err == nil {
		return out, nil
	}
	said, _, _ := strings.Cut(err.Error(), "\n")
	fix := "look at what the call holds: belfry try webhook"
	switch {
	case strings.Contains(said, "from <nil>"):
		fix = "write ?. in place of . where something may be missing, or pick(entry, \"a.b\")"
	case strings.Contains(said, "invalid operation: int(string)"): // an index that is a name
		said, fix = "it asks a list for what has a name", "where the body is a list, each of its entries is called entry: write entry.id in place of body.id; of another list take one entry, as in entry.authors[0].name"
	}
	return nil, sdk.Errorf(sdk.CodeInvalid, opMap, "map.%s fails: %s; %s", dotted(name), said, fix)
}

// dotted is a part as it is written in a sentence.
func dotted(name string) string { return strings.ReplaceAll(name, "/", ".") }

// pick gives the first of several places in a value that holds something; nil when none does.
func pick(args ...any) (any, error) {
	for _, a := range args[1:] {
		path, ok := a.(string)
		if !ok {
			return nil, fmt.Errorf("pick takes paths in quotes")
		}
		at := args[0]
		for step := range strings.SplitSeq(path, ".") {
			object, _ := at.(map[string]any)
			at = object[step]
		}
		switch v := at.(type) {
		case nil:
		case string:
			if strings.TrimSpace(v) != "" {
				return v, nil
			}
		case []any:
			if len(v) > 0 {
				return v, nil
			}
		case map[string]any:
			if len(v) > 0 {
				return v, nil
			}
		default:
			return v, nil
		}
	}
	return nil, nil
}
