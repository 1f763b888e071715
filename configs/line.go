package configs

import (
	"fmt"
	"regexp"
	"strings"
)

// yamlLine is a line of a block: indentation, hyphens of lists, a name with its colon, and a value.
type yamlLine struct {
	from int // of the line in the text
	text string
	// tab is where a tab stands in the indentation; -1 without one.
	tab    int
	indent int
	// name is empty without one; bare is a line of text without a colon behind a name.
	name    string
	nameAt  int
	value   string
	valueAt int
}

var named = regexp.MustCompile(`^([A-Za-z0-9_./-]+|"[^"]*"|'[^']*')[ ]*:(?:[ \t]+|$)`)

func readLine(from int, text string) yamlLine {
	l := yamlLine{from: from, text: text, tab: -1}
	blank := len(text) - len(strings.TrimLeft(text, " \t"))
	l.tab = strings.IndexByte(text[:blank], '\t')
	l.indent = blank
	at := blank
	for strings.HasPrefix(text[at:], "- ") {
		at += 2
		at += len(text[at:]) - len(strings.TrimLeft(text[at:], " "))
	}
	l.nameAt = from + at
	if m := named.FindStringSubmatchIndex(text[at:]); m != nil {
		l.name = strings.Trim(text[at:][m[2]:m[3]], `"'`)
		at += m[1]
	}
	l.value, l.valueAt = withoutComment(text[at:]), from+at
	return l
}

// withoutComment takes a comment away from the end of a value. A # within quotation marks is none.
func withoutComment(value string) string {
	var quote byte
	for i := range len(value) {
		switch c := value[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case (c == '"' || c == '\'') && i == 0:
			quote = c
		case c == '#' && i > 0 && (value[i-1] == ' ' || value[i-1] == '\t'):
			return strings.TrimRight(value[:i], " \t")
		}
	}
	return value
}

// lineMistakes are the plain mistakes of one line, the most telling first.
func (r *reader) lineMistakes(l yamlLine) []mistake {
	var out []mistake
	add := func(m mistake, is bool) {
		if is {
			out = append(out, m)
		}
	}
	add(r.tooMany(l))
	if why := unquoted(l.value); why != "" {
		value := l.value
		if key := odd.FindStringSubmatch(value); l.name == "" && key != nil {
			value = key[1]
		}
		add(r.needsQuotes(r.nameOf(l), value, l.valueAt, why), true)
	}
	add(r.settingsOnTheLine(l))
	add(r.textAfterQuotes(l))
	flow := strings.IndexAny(l.value, "{[")
	if flow == 0 || l.name == "" && flow > 0 {
		out = append(out, r.flowMistakes(l)...)
	}
	add(r.missingSpace(l))
	add(r.missingColon(l))
	if secondColon.MatchString(l.value) && flow != 0 {
		add(r.needsQuotes(r.nameOf(l), l.value, l.valueAt, `YAML reads the ": " in it as another setting`), true)
	}
	add(r.deeper(l))
	return out
}

var (
	// flowCron is a schedule between brackets: five fields, in which commas are no ends.
	flowCron    = regexp.MustCompile(`^\*(?:/\d+)?(?: +[^}\s"']+){3} +[^}\],\s"']+`)
	cronLike    = regexp.MustCompile(`^\*(/\d+)?( |$)`)
	blockHeader = regexp.MustCompile(`^[|>][-+]?[1-9]?[-+]?$`)
	secondColon = regexp.MustCompile(`:(\s|$)`)
	// odd is a name that cannot stand without quotation marks.
	odd = regexp.MustCompile(`^(\S+):(?:\s|$)`)
)

// unquoted says why a value cannot stand without quotation marks; empty when it can, as far as its beginning tells.
func unquoted(value string) string {
	if value == "" {
		return ""
	}
	switch value[0] {
	case '*':
		if !cronLike.MatchString(value) && !strings.ContainsAny(value, " /{") && !strings.HasSuffix(value, "*") {
			return "" // an alias, possibly a wrong one
		}
		return "YAML reads a leading * as an alias"
	case '@', '`', '%':
		return "YAML keeps a leading " + value[:1] + " for itself"
	case '&':
		return "YAML reads a leading & as an anchor"
	case '!':
		return "YAML reads a leading ! as a tag"
	case '#':
		return "YAML reads what follows a # as a comment"
	case '|', '>':
		if !blockHeader.MatchString(value) {
			return "YAML reads a leading " + value[:1] + " as a text on the lines below"
		}
	case '-':
		if strings.HasPrefix(value[1:], " ") {
			return "YAML reads a leading - as an entry of a list"
		}
	case '?':
		if strings.HasPrefix(value[1:], " ") {
			return "YAML reads a leading ? as a name"
		}
	case '{', '[':
		if strings.HasPrefix(value, "{{") || closes(value) < len(value) {
			return map[byte]string{'{': "YAML reads a leading { as settings", '[': "YAML reads a leading [ as a list"}[value[0]]
		}
	}
	return ""
}

// closes says where the bracket that opens a value is closed; behind its end when it is not.
func closes(value string) int {
	depth := 0
	for i := range len(value) {
		switch value[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(value) + 1
}

// owner is what a value belongs to: a setting, or a list of a name, which may be unknown.
type owner struct {
	name  string
	entry bool
}

// write is how the value would be written.
func (o owner) write(value string) string {
	if o.entry || o.name == "" {
		return value
	}
	return o.name + ": " + value
}

// nameOf finds what the value of a line belongs to.
func (r *reader) nameOf(l yamlLine) owner {
	if l.name != "" || !strings.HasPrefix(l.text[l.indent:], "- ") {
		return owner{name: l.name}
	}
	for n := strings.Count(r.src.text[:l.from], "\n") - 1; n >= 0; n-- {
		from, to := r.src.lineSpan(n)
		above := readLine(from, strings.TrimRight(r.src.text[from:to], " \t\r"))
		if above.indent <= l.indent && above.name != "" {
			return owner{name: above.name, entry: true}
		}
		if above.indent < l.indent && strings.TrimSpace(above.text) != "" {
			break
		}
	}
	return owner{entry: true}
}

// needsQuotes is the mistake of a value without quotation marks.
func (r *reader) needsQuotes(of owner, value string, at int, why string) mistake {
	m := mistake{at: at, mend: quoting(value, at)}
	switch tell := r.tellable(of.name, value); {
	case of.name == "":
		m.what, m.fix = "this must be quoted: "+why, "put it in quotes"
	case !tell && of.entry:
		m.what, m.fix = fmt.Sprintf("this entry of %s must be quoted: %s", of.name, why), "put it in quotes"
	case !tell:
		m.what, m.fix = fmt.Sprintf("the value of %s must be quoted: %s", of.name, why), "put it in quotes: "+of.write(`"…"`)
	default:
		m.what, m.fix = fmt.Sprintf("%s %s must be quoted: %s", of.name, inQuotes(value), why), "write "+of.write(inQuotes(value))
	}
	return m
}

var onlyReference = regexp.MustCompile(`^\$\{(env|file):[^}]*\}$`)

// tellable reports whether a message may repeat a value.
func (r *reader) tellable(name, value string) bool {
	return r.names.open(name) || onlyReference.MatchString(value)
}

// inQuotes writes a text in quotation marks, in those that it does not hold itself where that is possible.
func inQuotes(value string) string {
	if strings.ContainsAny(value, `"\`) && !strings.Contains(value, "'") {
		return "'" + value + "'"
	}
	return quoted(value)
}

// quoting puts a value in quotation marks.
func quoting(value string, at int) *mend {
	return &mend{from: at, to: at + len(value), with: inQuotes(value), shift: 1}
}

// tooMany is the mistake of a bracket that is closed twice.
func (r *reader) tooMany(l yamlLine) (mistake, bool) {
	if l.value == "" || l.value[0] != '{' && l.value[0] != '[' || strings.HasPrefix(l.value, "{{") {
		return mistake{}, false
	}
	end := closes(l.value)
	if end >= len(l.value) || strings.Trim(l.value[end:], "}] ") != "" {
		return mistake{}, false
	}
	at := l.valueAt + end
	return mistake{at: at, what: fmt.Sprintf("there is a %c too many", r.src.text[at]), fix: "take it out", mend: &mend{from: at, to: l.valueAt + len(l.value)}}, true
}

// tag is the mistake of a tag: either a text that begins with !, or a tag before a value.
func (r *reader) tag(at, line int) mistake {
	from, to := r.src.lineSpan(line)
	l := readLine(from, strings.TrimRight(r.src.text[from:to], " \t\r"))
	value, of := "", owner{}
	if l.valueAt == at {
		value, of = l.value, r.nameOf(l)
	}
	for _, v := range flowValues(l) {
		if value == "" && v.at == at {
			value, of = v.text, owner{name: v.name}
		}
	}
	tag, rest, _ := strings.Cut(value, " ")
	if value != "" && strings.TrimSpace(rest) == "" {
		return r.needsQuotes(of, value, at, unquoted(value))
	}
	m := mistake{at: at, what: "a tag stands before this value, and none is used", fix: "write the value alone, or in quotes if the ! belongs to it"}
	if value != "" {
		m.what = fmt.Sprintf("the tag %s is not used here", tag)
		m.mend = &mend{from: at, to: at + len(value) - len(strings.TrimLeft(rest, " "))}
	}
	return m
}

// settingsOnTheLine is the mistake of settings that begin on the line of their name.
func (r *reader) settingsOnTheLine(l yamlLine) (mistake, bool) {
	inner := named.FindStringSubmatch(l.value)
	if l.name == "" || inner == nil {
		return mistake{}, false
	}
	if !r.names.known(strings.Trim(inner[1], `"'`)) {
		return mistake{at: l.valueAt, what: "settings cannot begin on the line of their name", fix: "put them on the lines below, further to the right", sure: true}, r.names.nested(l.name)
	}
	m := mistake{at: l.valueAt, what: "settings cannot begin on the line of their name",
		fix:  fmt.Sprintf("write %s: {…}, or put them on the lines below", l.name),
		mend: &mend{from: l.valueAt, to: l.valueAt + len(l.value), with: "{" + l.value + "}", shift: 1}}
	return m, true
}

// textAfterQuotes is the mistake of a text that goes on after its closing quotation mark.
func (r *reader) textAfterQuotes(l yamlLine) (mistake, bool) {
	v := strings.TrimRight(l.text[l.valueAt-l.from:], " \t")
	if len(v) < 2 || v[0] != '"' && v[0] != '\'' {
		return mistake{}, false
	}
	end := closingQuote(v)
	if end < 0 || end == len(v) || strings.HasPrefix(strings.TrimLeft(v[end:], " \t"), "#") {
		return mistake{}, false
	}
	return r.afterQuotes(l.name, v, l.valueAt, end), true
}

func (r *reader) afterQuotes(name, v string, at, end int) mistake {
	meant := v
	if v[len(v)-1] == v[0] {
		meant = v[1 : len(v)-1]
	}
	of := ""
	if name != "" {
		of = " of " + name
	}
	m := mistake{at: at + end, what: fmt.Sprintf("the text%s ends at the second %s, and something follows", of, v[:1]),
		fix: "put the whole in quotation marks that it does not hold itself", mend: &mend{from: at, to: at + len(v), with: inQuotes(meant), shift: 0}}
	if name != "" && r.tellable(name, v) {
		m.fix = fmt.Sprintf("write %s: %s", name, inQuotes(meant))
	}
	return m
}

// closingQuote says where a quoted text at the beginning ends, behind its second quotation mark; -1 when it does not.
func closingQuote(v string) int {
	for i := 1; i < len(v); i++ {
		switch {
		case v[0] == '"' && v[i] == '\\':
			i++
		case v[i] != v[0]:
		case v[0] == '\'' && strings.HasPrefix(v[i:], "''"):
			i++
		default:
			return i + 1
		}
	}
	return -1
}

var (
	noSpace = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_-]*):([^\s:/].*)$`)
	noColon = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_-]*)(?:[ ]+([^\s:].*))?$`)
)

// missingSpace is the mistake of a colon without a space after it.
func (r *reader) missingSpace(l yamlLine) (mistake, bool) {
	at := l.nameAt - l.from
	parts := noSpace.FindStringSubmatch(l.text[at:])
	if l.name != "" || parts == nil || !r.names.known(parts[1]) {
		return mistake{}, false
	}
	return r.spaceMissing(parts[1], parts[2], l.nameAt+len(parts[1])+1), true
}

func (r *reader) spaceMissing(name, value string, at int) mistake {
	m := mistake{at: at, what: fmt.Sprintf("a space is missing after %s:", name), fix: fmt.Sprintf("write %s: …", name), mend: &mend{from: at, to: at, with: " "}}
	if r.tellable(name, value) {
		m.fix = fmt.Sprintf("write %s: %s", name, value)
	}
	return m
}

// missingColon is the mistake of a name without a colon.
func (r *reader) missingColon(l yamlLine) (mistake, bool) {
	at := l.nameAt - l.from
	parts := noColon.FindStringSubmatch(l.text[at:])
	if l.name != "" || parts == nil || !r.names.known(parts[1]) {
		return mistake{}, false
	}
	end := l.nameAt + len(parts[1])
	m := mistake{at: end, what: "a colon is missing after " + parts[1], fix: fmt.Sprintf("write %s:", parts[1]), mend: &mend{from: end, to: end, with: ":"}}
	if parts[2] != "" && r.tellable(parts[1], parts[2]) {
		m.fix += " " + parts[2]
	} else if parts[2] != "" {
		m.fix += " …"
	}
	return m, true
}

// deeper is the mistake of a setting that stands deeper than the one above it, which has a value already.
func (r *reader) deeper(l yamlLine) (mistake, bool) {
	if l.name == "" || l.value == "" || secondColon.MatchString(l.value) {
		return mistake{}, false
	}
	for at := l.from + len(l.text); ; {
		next := strings.IndexByte(r.src.text[at:], '\n')
		if next < 0 {
			return mistake{}, false
		}
		at += next + 1
		line, _, _ := strings.Cut(r.src.text[at:], "\n")
		if strings.TrimSpace(line) == "" {
			continue
		}
		below := readLine(at, strings.TrimRight(line, " \t\r"))
		column := l.nameAt - l.from
		if below.name == "" || below.tab >= 0 || below.indent <= column {
			return mistake{}, false
		}
		return mistake{at: below.nameAt, what: fmt.Sprintf("%s stands deeper than %s above it, which has a value already", below.name, l.name),
			fix: fmt.Sprintf("begin it at column %d", column+1), mend: &mend{from: at, to: at + below.indent, with: strings.Repeat(" ", column)}}, true
	}
}
