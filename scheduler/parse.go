package scheduler

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/robfig/cron/v3"
)

// Parse reads a schedule: five fields (minute, hour, day of month, month, day of week), a descriptor (@hourly, @daily,
// @midnight, @weekly, @monthly, @yearly, @annually), or "@every 15m". A prefix CRON_TZ=Europe/Paris or TZ=Europe/Paris
// overrides zone.
//
// A field is *, a value, a range, a list of them with commas, and a step after a slash. Months and weekdays may be
// written by their three letters in any case; 7 is Sunday; ranges of months and weekdays may go over the year's and the
// week's end (nov-feb, fri-mon, 6-1). In day of month and day of week, ? is the same as *.
//
// The error is a *SyntaxError. An expression that could never fire is an error too.
func Parse(expr string, zone *time.Location) (Spec, error) {
	p := parser{text: expr}
	spec, bad := p.parse(zone)
	if bad != nil {
		return Spec{}, bad
	}
	return spec, nil
}

type parser struct{ text string }

func (p *parser) wrong(field string, column int, problem, fix string) *SyntaxError {
	return &SyntaxError{What: "cron", Text: p.text, Field: field, Column: column, Problem: problem, Fix: fix}
}

const example = "0 7 * * mon-fri"

func (p *parser) parse(zone *time.Location) (Spec, *SyntaxError) {
	if len(p.text) > longest {
		return Spec{}, p.wrong("", 0, fmt.Sprintf("the expression is %d bytes long", len(p.text)),
			fmt.Sprintf("%d are allowed", longest))
	}
	ws := words(p.text)
	if len(ws) == 0 {
		return Spec{}, p.wrong("", 0, "the expression is empty", "write five fields, such as "+example)
	}
	zone, ws, bad := p.zone(zone, ws)
	if bad != nil {
		return Spec{}, bad
	}
	spec := Spec{zone: zone}
	if strings.HasPrefix(ws[0].text, "@") {
		bad = p.descriptor(&spec, ws)
	} else {
		bad = p.fields(&spec, ws)
	}
	return spec, bad
}

// zone takes a zone prefix off the words, or else uses the given zone.
func (p *parser) zone(zone *time.Location, ws []word) (*time.Location, []word, *SyntaxError) {
	prefix, name, found := strings.Cut(ws[0].text, "=")
	if !found {
		if zone == nil || zone == time.Local {
			return nil, nil, p.wrong("zone", 0, "the expression stands in no zone", "give the schedule one, such as Europe/Paris")
		}
		return zone, ws, nil
	}
	at := ws[0].column
	if prefix != "CRON_TZ" && prefix != "TZ" {
		return nil, nil, p.wrong("zone", at, shown(prefix+"=")+" is not known here",
			"a zone is written before the fields: CRON_TZ=Europe/Paris "+example)
	}
	if name == "" {
		return nil, nil, p.wrong("zone", at, fmt.Sprintf("the zone after %s= is missing", prefix),
			fmt.Sprintf("write %s=Europe/Paris %s", prefix, example))
	}
	loaded, err := findZone(name)
	if err != nil {
		return nil, nil, p.wrong("zone", at+len(prefix)+1, err.Problem, err.Fix)
	}
	if len(ws) == 1 {
		return nil, nil, p.wrong("", 0, "the fields after the zone are missing", fmt.Sprintf("write %s %s", ws[0].text, example))
	}
	return loaded, ws[1:], nil
}

var descriptors = []string{"@annually", "@daily", "@every", "@hourly", "@midnight", "@monthly", "@weekly", "@yearly"}

func (p *parser) descriptor(spec *Spec, ws []word) *SyntaxError {
	name := strings.ToLower(ws[0].text)
	if name == "@every" {
		return p.interval(spec, ws)
	}
	if name == "@reboot" {
		return p.wrong("name", ws[0].column, "a restart is no time, so @reboot is not supported",
			"write a time, such as @daily or "+example)
	}
	if !slices.Contains(descriptors, name) {
		fix := "known are " + strings.Join(descriptors, ", ")
		if near := nearest(name, descriptors); near != "" {
			fix = "did you mean " + near + "?"
		}
		return p.wrong("name", ws[0].column, shown(ws[0].text)+" is not known", fix)
	}
	if len(ws) > 1 {
		return p.wrong("", ws[1].column, "nothing may follow "+name,
			fmt.Sprintf("write %s alone, or five fields, such as %s", name, example))
	}
	return p.plan(spec, name, nil)
}

func (p *parser) interval(spec *Spec, ws []word) *SyntaxError {
	if len(ws) == 1 {
		return p.wrong("interval", 0, "the interval after @every is missing", "write it like @every 15m")
	}
	length := strings.Join(texts(ws[1:]), "")
	quoted := shown(length)
	wrong := func(problem, fix string) *SyntaxError { return p.wrong("interval", ws[1].column, problem, fix) }
	d, err := time.ParseDuration(length)
	switch {
	case err != nil:
		return wrong(quoted+" is no length of time", "write it with h, m and s, such as @every 15m, @every 1h30m or @every 24h")
	case len(ws) > 2:
		return wrong("the interval has a space in it", "write "+shown("@every "+length))
	case d < 0:
		return wrong("an interval of "+quoted+" goes backwards", "write a positive one, such as @every 15m")
	case d < time.Second:
		return wrong("an interval of "+quoted+" is too short", "the shortest is @every 1s")
	case d%time.Second != 0:
		return wrong("an interval of "+quoted+" is not a whole number of seconds",
			"write @every "+d.Truncate(time.Second).String())
	}
	return p.plan(spec, "@every "+length, nil)
}

func (p *parser) fields(spec *Spec, ws []word) *SyntaxError {
	if bad := p.five(ws); bad != nil {
		return bad
	}
	written, plain := make([]string, len(fields)), make([]string, len(fields))
	for i, f := range fields {
		var bad *SyntaxError
		if plain[i], bad = p.field(f, ws[i]); bad != nil {
			return bad
		}
		written[i] = strings.ToLower(ws[i].text)
	}
	if bad := p.plan(spec, strings.Join(plain, " "), ws); bad != nil {
		return bad
	}
	spec.text = strings.Join(written, " ")
	return nil
}

// five tells what is wrong when there are not five fields.
func (p *parser) five(ws []word) *SyntaxError {
	const five = "five are needed: minute, hour, day of month, month, day of week"
	for _, w := range ws[1:] {
		if strings.HasPrefix(w.text, "TZ=") || strings.HasPrefix(w.text, "CRON_TZ=") {
			return p.wrong("zone", w.column, "the zone stands after the fields", "write it first: CRON_TZ=Europe/Paris "+example)
		}
	}
	switch n := len(ws); {
	case n == len(fields):
		return nil
	case n == 6 && len(ws[5].text) == 4 && isNumber(ws[5].text):
		return p.wrong("", ws[5].column, "there are six fields, and years are not supported",
			"leave the last one out: "+shown(strings.Join(texts(ws[:5]), " ")))
	case n == 6:
		return p.wrong("", ws[0].column, "there are six fields, and seconds are not supported",
			"leave the first one out: "+shown(strings.Join(texts(ws[1:]), " ")))
	case n > 6:
		return p.wrong("", ws[5].column, fmt.Sprintf("there are %d fields", n), five)
	}
	if first := strings.ToLower(ws[0].text); slices.Contains(descriptors, "@"+first) {
		return p.wrong("name", ws[0].column, fmt.Sprintf("%s needs an @ before it", first),
			"write "+shown("@"+strings.Join(texts(ws), " ")))
	}
	if len(ws) == 1 {
		return p.wrong("", 0, "there is one field", five)
	}
	return p.wrong("", 0, fmt.Sprintf("there are %d fields", len(ws)), five)
}

// plan hands the expression, by now in the subset that robfig/cron reads rightly, to its parser and takes its masks. The
// words are those of the five fields, for errors; a descriptor has none.
func (p *parser) plan(spec *Spec, plain string, ws []word) *SyntaxError {
	const accepted = cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor
	schedule, err := cron.NewParser(accepted).Parse(plain)
	if err != nil {
		return p.wrong("", 0, err.Error(), "write five fields, such as "+example)
	}
	spec.text = plain
	switch s := schedule.(type) {
	case cron.ConstantDelaySchedule:
		spec.kind, spec.every = Interval, int64(s.Delay/time.Second)
	case *cron.SpecSchedule:
		spec.kind, spec.cal = FixedHour, newCalendar(s)
		if spec.cal.hour == allHours {
			spec.kind = RealTime
		}
		return p.fires(&spec.cal, ws)
	}
	return nil
}

// fires refuses dates that no year has.
func (p *parser) fires(c *calendar, ws []word) *SyntaxError {
	const leapYear = 2000
	var months []string
	longestMonth := 0
	for m := time.January; m <= time.December; m++ {
		if c.month&(1<<uint(m)) == 0 {
			continue
		}
		if c.days(leapYear, m) != 0 {
			return nil
		}
		months = append(months, m.String())
		longestMonth = max(longestMonth, int(dayNumber(leapYear, m+1, 1)-dayNumber(leapYear, m, 1)))
	}
	day := bits.TrailingZeros64(c.dom)
	problem := fmt.Sprintf("%s has no day %d", months[0], day)
	if len(months) > 1 {
		last := len(months) - 1
		problem = fmt.Sprintf("%s and %s have no day %d", strings.Join(months[:last], ", "), months[last], day)
	}
	return p.wrong("day of month", ws[2].column, problem+", so this would never fire",
		fmt.Sprintf("write a day up to %d, or another month", longestMonth))
}
