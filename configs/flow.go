package configs

import (
	"strings"
	"unicode/utf8"
)

// flowMistakes are the plain mistakes between the brackets of a line.
func (r *reader) flowMistakes(l yamlLine) []mistake {
	var out []mistake
	for _, v := range flowValues(l) {
		if v.text[0] == '"' || v.text[0] == '\'' {
			if end := closingQuote(v.text); end > 0 && end < len(v.text) {
				m := r.afterQuotes(v.name, v.text, v.at, end)
				out = append(out, m)
			}
			continue
		}
		why := unquoted(v.text)
		switch {
		case v.text[0] == '{' && !strings.HasPrefix(v.text, "{{"), v.text[0] == '[':
			continue
		case why == "" && strings.Contains(v.text, "${"):
			why = "YAML reads the { in it as settings"
		case why == "" && strings.Contains(v.text, "{{"):
			why = "YAML reads the {{ in it as settings"
		case why == "":
			continue
		}
		of := owner{name: v.name}
		if v.name == "" && strings.HasPrefix(l.value, "[") {
			of = owner{l.name, true}
		}
		m := r.needsQuotes(of, v.text, v.at, why)
		m.sure = v.text[0] == '#'
		out = append(out, m)
	}
	return out
}

// flowValue is a single value between brackets, with the name before it if there is one.
type flowValue struct {
	name, text string
	at         int
}

// flowValues lists the single values between the brackets of a line. What stands in double braces belongs together.
func flowValues(l yamlLine) []flowValue {
	text := l.text
	var out []flowValue
	for i := l.valueAt - l.from; i < len(text); {
		switch text[i] {
		case '{', '[':
			if strings.HasPrefix(text[i:], "{{") {
				break
			}
			i++
			continue
		case '}', ']', ',', ' ', '\t':
			i++
			continue
		}
		v := flowValue{}
		if m := named.FindStringSubmatchIndex(text[i:]); m != nil {
			v.name = strings.Trim(text[i:][m[2]:m[3]], `"'`)
			i += m[1]
			if i < len(text) && strings.IndexByte("{[", text[i]) >= 0 && !strings.HasPrefix(text[i:], "{{") {
				continue
			}
		}
		end := i + flowEnd(text[i:])
		v.text, v.at = strings.TrimRight(text[i:end], " \t"), l.from+i
		if v.text != "" {
			out = append(out, v)
		}
		i = max(end, i+1)
	}
	return out
}

// flowEnd says where a single value between brackets ends.
func flowEnd(text string) int {
	if text != "" && (text[0] == '"' || text[0] == '\'') {
		// The text ends at the quotation mark behind which something like its end follows.
		for i := 1; i < len(text); i++ {
			if text[i] != text[0] || i > 0 && text[0] == '"' && text[i-1] == '\\' {
				continue
			}
			if rest := strings.TrimLeft(text[i+1:], " \t"); rest == "" || strings.IndexByte(",}]#", rest[0]) >= 0 {
				return i + 1
			}
		}
	}
	for i := len(flowCron.FindString(text)); i < len(text); {
		for _, unit := range [][2]string{{"{{", "}}"}, {"${", "}"}} {
			if end := strings.Index(text[i:], unit[1]); strings.HasPrefix(text[i:], unit[0]) && end > 0 {
				i += end + len(unit[1])
			}
		}
		if i == len(text) {
			break
		}
		if strings.IndexByte(",}]", text[i]) >= 0 {
			return i
		}
		_, size := utf8.DecodeRuneInString(text[i:])
		i += size
	}
	return len(text)
}
