package scheduler

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// field describes one of the five fields.
type field struct {
	name, plural string
	min, max     int
	meaning      string   // how far the values run, for errors
	names        []string // the three letters of each value, from min on
	wraps        bool     // a range may go over the end
	question     bool     // ? may stand for *
	interval     string   // what to write for longer steps
}

var (
	monthNames = []string{"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}
	dayNames   = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

var fields = []field{
	{name: "minute", plural: "minutes", min: 0, max: 59, meaning: "minutes run from 0 to 59", interval: "@every 90m"},
	{name: "hour", plural: "hours", min: 0, max: 23, meaning: "hours run from 0, midnight, to 23", interval: "@every 36h"},
	{name: "day of month", plural: "days of the month", min: 1, max: 31, question: true,
		meaning: "days of the month run from 1 to 31"},
	{name: "month", plural: "months", min: 1, max: 12, names: monthNames, wraps: true,
		meaning: "months run from 1 to 12 or from jan to dec"},
	{name: "day of week", plural: "days of the week", min: 0, max: 6, names: dayNames, wraps: true, question: true,
		meaning: "days of the week run from 0, Sunday, to 6, Saturday, or from sun to sat, and 7 is Sunday too"},
}

// sunday is the second number of Sunday; robfig/cron does not know it.
const sunday = 7

// field checks one field and rewrites it with what robfig/cron reads: *, numbers, rising ranges, steps.
func (p *parser) field(f field, w word) (string, *SyntaxError) {
	items := w.split(",")
	plain := make([]string, len(items))
	for i, item := range items {
		wrong := func(problem, fix string) *SyntaxError { return p.wrong(f.name, item.column, problem, fix) }
		if item.text == "" {
			return "", wrong("the list has an empty item", "write the values with one comma between them")
		}
		if len(items) > 1 && (item.text == "*" || item.text == "?") {
			return "", wrong(fmt.Sprintf("%s already means all %s, so nothing can stand beside it", item.text, f.plural),
				"write * alone, or the list without it")
		}
		var bad *SyntaxError
		if plain[i], bad = p.item(f, item); bad != nil {
			return "", bad
		}
	}
	return strings.Join(plain, ","), nil
}

func (p *parser) item(f field, w word) (string, *SyntaxError) {
	wrong := func(at word, problem, fix string) *SyntaxError { return p.wrong(f.name, at.column, problem, fix) }
	if w.text == "?" {
		if !f.question {
			return "", wrong(w, "? has no meaning in the field "+f.name, "write *")
		}
		return "*", nil
	}
	parts := w.split("/")
	if len(parts) > 2 {
		return "", wrong(parts[2], shown(w.text)+" has more than one slash", "write one step, such as */15")
	}
	step := 1
	if len(parts) == 2 {
		var bad *SyntaxError
		if step, bad = p.step(f, parts[1]); bad != nil {
			return "", bad
		}
	}
	if parts[0].text == "*" {
		return w.text, nil
	}
	ends := parts[0].split("-")
	fix := "a range has a beginning, one hyphen and an end, such as " + f.sample()
	for i, e := range ends {
		if e.text == "" && len(ends) > 1 {
			return "", wrong(w, shown(w.text)+" is no range", fix)
		}
		if i > 1 {
			return "", wrong(e, shown(w.text)+" has more than one hyphen", fix)
		}
	}
	from, bad := p.value(f, ends[0])
	if bad != nil {
		return "", bad
	}
	to := from
	switch {
	case len(ends) == 2:
		if to, bad = p.value(f, ends[1]); bad != nil {
			return "", bad
		}
	case len(parts) == 2 && f.isWeek() && from == sunday:
		return "", wrong(w, "the step after 7 leads nowhere", "write 0/"+parts[1].text+" to count from Sunday")
	case len(parts) == 2:
		to = f.max
	}
	if from > to && !f.wraps {
		return "", wrong(w, fmt.Sprintf("the range %s runs backwards", parts[0].text),
			fmt.Sprintf("write %d-%d,%d-%d to go over the end", from, f.max, f.min, to))
	}
	return f.list(from, to, step), nil
}

// isWeek reports whether the field is the day of week, in which 7 is a second Sunday.
func (f field) isWeek() bool { return f.max == sunday-1 }

// list writes out the values of a range, also of one that goes over the end, which robfig/cron does not read.
func (f field) list(from, to, step int) string {
	size := f.max - f.min + 1
	if from > to {
		to += size
	}
	var values []string
	for v := from; v <= to; v += step {
		values = append(values, strconv.Itoa((v-f.min)%size+f.min))
	}
	return strings.Join(values, ",")
}

func (p *parser) step(f field, w word) (int, *SyntaxError) {
	if !isNumber(w.text) {
		return 0, p.wrong(f.name, w.column, fmt.Sprintf("the step %s is no number", shown(w.text)), "write it like */15")
	}
	n := number(w.text)
	switch {
	case n == 0:
		return 0, p.wrong(f.name, w.column, "a step of 0 leads nowhere", "write 1 or more")
	case n > f.max:
		fix := fmt.Sprintf("write at most %d", f.max)
		if f.interval != "" {
			fix += ", or an interval, such as " + f.interval
		}
		return 0, p.wrong(f.name, w.column, fmt.Sprintf("a step of %s reaches beyond the field %s", cut(w.text), f.name), fix)
	}
	return n, nil
}

func (p *parser) value(f field, w word) (int, *SyntaxError) {
	wrong := func(problem, fix string) *SyntaxError { return p.wrong(f.name, w.column, problem, fix) }
	if isNumber(w.text) {
		n := number(w.text)
		if f.isWeek() && n == sunday {
			return n, nil
		}
		if n < f.min || n > f.max {
			return 0, wrong(fmt.Sprintf("%s %s is out of range", f.name, cut(w.text)), f.meaning)
		}
		return n, nil
	}
	name := strings.ToLower(w.text)
	if i := slices.Index(f.names, name); i >= 0 {
		return f.min + i, nil
	}
	problem, fix := f.misread(name)
	if problem == "" {
		problem = fmt.Sprintf("%s is no %s", shown(w.text), f.name)
	}
	return 0, wrong(problem, fix)
}

// misread explains a value that is no number and no name of this field. An empty problem means that it is simply unknown.
func (f field) misread(name string) (problem, fix string) {
	unnamed := name
	if len(name) >= 3 && slices.Contains(dayNames, name[:3]) {
		unnamed = name[3:]
	}
	if unnamed != "" && strings.Trim(unnamed, "0123456789lw#") == "" {
		switch {
		case strings.Contains(unnamed, "#"):
			return "# (the n-th weekday of a month) is not supported", "list the days of the week or the dates"
		case strings.Contains(unnamed, "w"):
			return "W (the nearest working day) is not supported", "list the dates or the days of the week"
		case strings.Contains(unnamed, "l"):
			return "L (the last day) is not supported", "write a date, such as 28, or 1 for the first day of the next month"
		}
	}
	if len(name) > 3 && slices.Contains(f.names, name[:3]) {
		return "", "write " + name[:3]
	}
	for _, other := range [][]string{monthNames, dayNames} {
		if len(name) >= 3 && slices.Contains(other, name[:3]) {
			return fmt.Sprintf("%s stands in the field %s", shown(name), f.name),
				"the fields are minute, hour, day of month, month, day of week"
		}
	}
	if strings.Contains(name, "*") {
		return "", "write * alone, or with a step, such as */2"
	}
	return "", f.meaning
}

// sample is a range of the field for error texts.
func (f field) sample() string {
	switch f.name {
	case "month":
		return "jan-mar"
	case "day of week":
		return "mon-fri"
	}
	return "1-5"
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// number reads digits; what is too long to be a value of any field becomes a value out of every range.
func number(digits string) int {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return 1 << 30
	}
	return n
}

// cut shortens digits for an error text.
func cut(digits string) string {
	if len(digits) > 12 {
		return digits[:12] + "…"
	}
	return digits
}
