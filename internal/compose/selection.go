package compose

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/belfry-news/belfry/sdk"
	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/vm"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Condition is a compiled expression over an item. The zero value is true for every item.
type Condition struct {
	source  string
	program *vm.Program
	// place is where it stands in the configuration, such as channels.alertes.where.
	place string
}

// ItemView is what an expression sees of an item, under the name item.
type ItemView struct {
	Source    string    `expr:"source"`
	Key       string    `expr:"key"`
	Group     string    `expr:"group"`
	Title     string    `expr:"title"`
	Summary   string    `expr:"summary"`
	Text      string    `expr:"text"`
	URL       string    `expr:"url"`
	Lang      string    `expr:"lang"`
	Tags      []string  `expr:"tags"`
	Authors   []string  `expr:"authors"`
	Urgency   int       `expr:"urgency"`
	HasImage  bool      `expr:"has_image"`
	Published time.Time `expr:"published"`
}

// environment are the names an expression may use. The functions ignore case and accents.
func environment(v ItemView) map[string]any {
	return map[string]any{
		"item":       v,
		"hasTag":     func(tags ...string) bool { return anyEqual(v.Tags, tags) },
		"hasAuthor":  func(names ...string) bool { return anyEqual(v.Authors, names) },
		"titleHas":   func(words ...string) bool { return anyWord(v.Title, words) },
		"hasWord":    func(words ...string) bool { return anyWord(v.Title+"\n"+v.Summary+"\n"+v.Text, words) },
		"fromSource": func(names ...string) bool { return slices.Contains(names, v.Source) },
		"inLang": func(langs ...string) bool {
			main, _, _ := strings.Cut(strings.ToLower(v.Lang), "-")
			return slices.ContainsFunc(langs, func(l string) bool { return strings.EqualFold(l, v.Lang) || strings.EqualFold(l, main) })
		},
	}
}

// CompileCondition checks and compiles an expression; empty text is always true. Its error is *ExpressionError.
func CompileCondition(text string) (Condition, error) {
	if strings.TrimSpace(text) == "" {
		return Condition{}, nil
	}
	program, err := expr.Compile(text, expr.Env(environment(ItemView{})), expr.AsBool(), expr.MaxNodes(300), expr.DisableBuiltin("now"))
	if err != nil {
		return Condition{}, expressionError(text, err)
	}
	if fault := neverHolds(program.Node(), text); fault != nil {
		return Condition{}, fault
	}
	return Condition{source: text, program: program}, nil
}

// Match reports whether the item fulfils the condition. An expression that fails while it runs says nothing about the
// item, neither yes nor no: its error is a *Failure.
func (c Condition) Match(v ItemView) (bool, error) {
	if c.program == nil {
		return true, nil
	}
	out, err := expr.Run(c.program, environment(v))
	if err != nil {
		return false, failureOf(c.place, c.source, err)
	}
	ok, _ := out.(bool)
	return ok, nil
}

// View makes what expressions see of an item.
func View(source string, it sdk.Item) ItemView {
	v := ItemView{Source: source, Key: it.Key, Group: it.Group, Title: it.Title, Summary: it.Summary, URL: it.URL, Lang: it.Lang,
		Tags: it.Tags, Urgency: it.Urgency, Published: it.Published}
	if v.Urgency == 0 {
		v.Urgency = sdk.NormalUrgency
	}
	for _, a := range it.Authors {
		v.Authors = append(v.Authors, a.Name)
	}
	for _, m := range it.Media {
		v.HasImage = v.HasImage || isImage(m)
	}
	var text strings.Builder
	for _, b := range it.Body {
		text.WriteString(sdk.PlainText([]sdk.Node{b}))
		text.WriteByte('\n')
	}
	v.Text = text.String()
	return v
}

func isImage(m sdk.Media) bool { return m.Type == "" || strings.HasPrefix(m.Type, "image/") }

func anyEqual(have, wanted []string) bool {
	return slices.ContainsFunc(have, func(h string) bool {
		return slices.ContainsFunc(wanted, func(w string) bool { return fold(h) == fold(w) })
	})
}

// anyWord looks for whole words or phrases.
func anyWord(text string, words []string) bool {
	folded := " " + strings.Join(wordsOf(text), " ") + " "
	return slices.ContainsFunc(words, func(w string) bool {
		phrase := strings.Join(wordsOf(w), " ")
		return phrase != "" && strings.Contains(folded, " "+phrase+" ")
	})
}

func wordsOf(s string) []string {
	return strings.FieldsFunc(fold(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// fold takes case and accents away, and spells ligatures out.
func fold(s string) string {
	s = norm.NFKD.String(cases.Fold().String(strings.TrimSpace(s)))
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, strings.NewReplacer("œ", "oe", "æ", "ae", "ø", "o", "đ", "d", "ł", "l").Replace(s))
}
