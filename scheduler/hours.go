package scheduler

import (
	"fmt"
	"slices"
	"strings"
)

// ParseHours reads hours that come again: "08:00-22:00", "mon-fri 07:00-23:00", "mon,wed 22:00-06:30", and several of
// them separated by commas. Days are the three letters of weekdays in any case, and ranges of them may go over the
// week's end; without days the hours hold on every day, but then on every day in all of the text. 24:00 may end the
// hours, and an end before the beginning is on the next day. The hours get no zone; Windows.In gives them one.
//
// The error is a *SyntaxError.
func ParseHours(text string) (Windows, error) {
	p := hoursParser{text: text}
	if bad := p.parse(); bad != nil {
		return nil, bad
	}
	return p.windows, nil
}

type hoursParser struct {
	text    string
	windows Windows
	days    Days // days read, whose hours are still to come
	daysAt  int  // their column
	named   bool // some hours before had days
}

const (
	exampleHours = "mon-fri 07:00-23:00"
	eachDays     = "write the days of each, or mon-sun"
)

func (p *hoursParser) wrong(field string, column int, problem, fix string) *SyntaxError {
	return &SyntaxError{What: "hours", Text: p.text, Field: field, Column: column, Problem: problem, Fix: fix}
}

func (p *hoursParser) parse() *SyntaxError {
	if len(p.text) > longest {
		return p.wrong("", 0, fmt.Sprintf("the text is %d bytes long", len(p.text)), fmt.Sprintf("%d are allowed", longest))
	}
	if len(words(p.text)) == 0 {
		return p.wrong("", 0, "the hours are empty", "write them like "+exampleHours)
	}
	for _, item := range (word{p.text, 1}).split(",") {
		if bad := p.item(item); bad != nil {
			return bad
		}
	}
	if p.days != 0 {
		return p.wrong("days", p.daysAt, "the days have no hours", "write hours after them, such as "+exampleHours)
	}
	return nil
}

// item reads what stands between two commas: days, hours, or both.
func (p *hoursParser) item(item word) *SyntaxError {
	ws := words(item.text)
	for i := range ws {
		ws[i].column += item.column - 1
	}
	if len(ws) == 0 {
		return p.wrong("", item.column, "there is nothing between two commas", "write hours with one comma between them")
	}
	begin := slices.IndexFunc(ws, func(w word) bool { return strings.ContainsAny(w.text, "0123456789:") })
	days, times := ws, []word(nil)
	if begin >= 0 {
		days, times = ws[:begin], ws[begin:]
	}
	if len(days) > 1 {
		return p.wrong("days", days[1].column, shown(days[1].text)+" stands where hours are expected",
			"write them like "+exampleHours)
	}
	for _, d := range days {
		if bad := p.weekdays(d); bad != nil {
			return bad
		}
	}
	if len(times) == 0 {
		return nil
	}
	if p.days == 0 && p.named {
		return p.wrong("days", times[0].column, "these hours have no days, and those before them have", eachDays)
	}
	if p.days != 0 && !p.named && len(p.windows) > 0 {
		return p.wrong("days", p.daysAt, "these hours have days, and those before them have none", eachDays)
	}
	return p.times(item.from(times[0].column))
}

func (p *hoursParser) weekdays(w word) *SyntaxError {
	if p.days == 0 {
		p.daysAt = w.column
	}
	ends := w.split("-")
	if len(ends) > 2 {
		return p.wrong("days", ends[2].column, shown(w.text)+" has more than one hyphen", "write a range of days like mon-fri")
	}
	var at [2]int
	for i, e := range ends {
		name := strings.ToLower(e.text)
		at[i] = slices.Index(dayNames, name)
		if at[i] >= 0 {
			continue
		}
		fix := "days are mon, tue, wed, thu, fri, sat and sun"
		if len(name) > 3 && slices.Contains(dayNames, name[:3]) {
			fix = "write " + name[:3]
		}
		return p.wrong("days", e.column, shown(e.text)+" is no day", fix)
	}
	if len(ends) == 1 {
		at[1] = at[0]
	}
	for day := at[0]; ; day = (day + 1) % 7 {
		p.days |= 1 << day
		if day == at[1] {
			return nil
		}
	}
}

// times reads "07:00-23:00", with or without spaces around the hyphen.
func (p *hoursParser) times(w word) *SyntaxError {
	parts := w.split("-")
	if len(parts) != 2 {
		return p.wrong("time", w.column, shown(w.text)+" is no pair of times", "write them like 07:00-23:00")
	}
	from, bad := p.clock(parts[0].trim())
	if bad != nil {
		return bad
	}
	to, bad := p.clock(parts[1].trim())
	if bad != nil {
		return bad
	}
	switch {
	case from == minutesPerDay:
		return p.wrong("time", parts[0].column, "24:00 is an end only", "write 00:00 to begin at midnight")
	case from == to:
		return p.wrong("time", w.column, "the hours end when they begin", "write 00:00-24:00 for the whole day")
	}
	p.windows = append(p.windows, Window{Hours: Hours{Days: p.days, From: from, To: to}})
	p.named = p.days != 0
	p.days = 0
	return nil
}

func (p *hoursParser) clock(w word) (Clock, *SyntaxError) {
	hour, minute, found := strings.Cut(w.text, ":")
	if !found || !isNumber(hour) || len(hour) > 2 || !isNumber(minute) || len(minute) != 2 {
		return 0, p.wrong("time", w.column, shown(w.text)+" is no time", "write hours and minutes, such as 07:00")
	}
	h, m := number(hour), number(minute)
	if m > 59 || h > 24 || (h == 24 && m > 0) {
		return 0, p.wrong("time", w.column, w.text+" is no time of a day", "times run from 00:00 to 23:59, and 24:00 ends a day")
	}
	return Clock(h*minutesPerHour + m), nil
}
