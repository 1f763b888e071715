package ics

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-ical"
)

// Options say how a document is read.
type Options struct {
	// Zone is where floating times and whole days count, and wins over what the calendar hints at. Nil takes the hint, or UTC.
	Zone *time.Location
	Now  time.Time
}

// Calendar is a document that was read.
type Calendar struct {
	Name, Description, URL, Lang string
	// Refresh is how often the calendar asks to be read; 0 when it does not say.
	Refresh time.Duration
	// Zone is where floating times and whole days count.
	Zone *time.Location
	// Cut says that the document ended in the middle; events after that are unknown.
	Cut bool
	// Cancel says that the document withdraws what it names (METHOD:CANCEL).
	Cancel  bool
	Notices []string

	series  map[string]*series
	order   []string
	dropped int // notices beyond those that are kept
	// Left is how many events could not be read.
	Left int
}

// series is a UID with what overrides it.
type series struct {
	uid       string
	master    *event
	overrides map[string]*event // by the key of the instance
}

// event is one VEVENT.
type event struct {
	uid                      string
	recurrence               moment // RECURRENCE-ID; zero on a master
	future                   bool   // RANGE=THISANDFUTURE
	sequence                 int
	modified, stamp, created time.Time
	start, end               moment
	length                   length
	hasLength                bool
	rules                    []*rule
	dates                    []extra // RDATE
	except                   []moment
	broken                   error // why its repetitions cannot be planned
	detail                   Detail
}

// extra is an RDATE, which may have an end of its own.
type extra struct {
	start, end moment
	length     length
	hasLength  bool
}

// Detail is what an event says besides its times.
type Detail struct {
	Summary, Description, Location, URL, Status, Class string
	Categories                                         []string
	Image, ImageType                                   string
	Created, Modified                                  time.Time
	Free                                               bool // TRANSP:TRANSPARENT
}

// NotACalendarError says what stands in a calendar's place.
type NotACalendarError struct {
	// HTML says that it is a web page.
	HTML bool
	What string
}

// Error is half a sentence.
func (e *NotACalendarError) Error() string { return e.What }

const maxNotices = 20

func (c *Calendar) notice(format string, args ...any) {
	if len(c.Notices) == maxNotices {
		c.dropped++
		return
	}
	c.Notices = append(c.Notices, fmt.Sprintf(format, args...))
}

// Parse reads a document. A document that is no calendar is a NotACalendarError; one that is too large is another error.
// What is wrong with single events becomes a notice, and the others are read.
func Parse(body []byte, o Options) (*Calendar, error) {
	c := &Calendar{Zone: o.Zone, series: map[string]*series{}}
	z := &zones{own: map[string]*ical.Component{}, found: map[string]*time.Location{}, now: o.Now, notice: c.notice}
	// First what the events rest on, wherever it stands; then the events, one at a time, since all of them together take many
	// times the document's size.
	first := &cleaner{only: func(name string) bool { return name == ical.CompTimezone }, give: func(name, text string) {
		comp := c.component(name, text)
		switch {
		case comp == nil:
		case name == ical.CompTimezone:
			if p := comp.Props.Get(ical.PropTimezoneID); p != nil {
				if id := strings.Trim(p.Value, "\" \t"); z.own[id] == nil {
					z.own[id] = comp
				}
			}
		default:
			c.head(comp)
		}
	}}
	if err := first.clean(body); err != nil {
		return nil, err
	}
	if !first.found {
		return nil, notACalendar(body)
	}
	if first.cut {
		c.Cut = true
		c.notice("the calendar breaks off before its end; the events up to there were read")
	}
	second := &cleaner{only: func(name string) bool { return name == ical.CompEvent }, give: func(name, text string) {
		if name == ical.CompEvent {
			if comp := c.component(name, text); comp != nil {
				c.event(comp, z)
			}
		}
	}}
	if err := second.clean(body); err != nil {
		return nil, err
	}
	if second.bad > 0 {
		c.notice("%d lines are no lines of a calendar and were left out, first %q", second.bad, second.badLine)
	}
	if c.Zone == nil {
		c.Zone = time.UTC
	}
	if c.dropped > 0 {
		c.Notices = append(c.Notices, fmt.Sprintf("and %d more remarks", c.dropped))
	}
	return c, nil
}

// component has go-ical decode one component, or the properties of a calendar. It is nil for one that cannot be decoded, of
// which a notice tells; a panic of the decoder counts as that.
func (c *Calendar) component(name, text string) (out *ical.Component) {
	defer func() {
		if r := recover(); r != nil {
			out = nil
		}
		if out == nil {
			c.Left++
			c.notice("a component %s cannot be read and was left out", name)
		}
	}()
	cal, err := ical.NewDecoder(strings.NewReader("BEGIN:VCALENDAR\r\n" + text + "END:VCALENDAR\r\n")).Decode()
	switch {
	case err != nil:
		return nil
	case name == ical.CompCalendar:
		return cal.Component
	case len(cal.Children) == 1:
		return cal.Children[0]
	}
	return nil
}

func notACalendar(body []byte) error {
	head := strings.ToLower(strings.TrimSpace(string(decodeText(body[:min(len(body), 4096)]))))
	switch {
	case head == "":
		return &NotACalendarError{What: "the document is empty"}
	case strings.HasPrefix(head, "<!doctype html"), strings.HasPrefix(head, "<html"), strings.Contains(head, "<head"), strings.Contains(head, "<body"):
		return &NotACalendarError{HTML: true, What: "the document is a web page, not a calendar"}
	case strings.HasPrefix(head, "<"):
		return &NotACalendarError{What: "the document is XML, not a calendar"}
	case strings.HasPrefix(head, "{"), strings.HasPrefix(head, "["):
		return &NotACalendarError{What: "the document is JSON, not a calendar"}
	}
	return &NotACalendarError{What: "the document is no calendar: it has no line BEGIN:VCALENDAR"}
}

// head takes the properties of a VCALENDAR.
func (c *Calendar) head(cal *ical.Component) {
	text := func(names ...string) string {
		for _, n := range names {
			if p := cal.Props.Get(n); p != nil && strings.TrimSpace(p.Value) != "" {
				return strings.TrimSpace(unescape(p.Value))
			}
		}
		return ""
	}
	first := func(have *string, value string) {
		if *have == "" {
			*have = value
		}
	}
	first(&c.Name, text("NAME", "X-WR-CALNAME"))
	first(&c.Description, text("DESCRIPTION", "X-WR-CALDESC"))
	first(&c.URL, text("URL"))
	first(&c.Lang, text("X-WR-LANG"))
	if c.Refresh == 0 {
		if l, err := parseLength(text("REFRESH-INTERVAL", "X-PUBLISHED-TTL")); err == nil {
			c.Refresh = time.Duration(l.days)*24*time.Hour + l.exact
		}
	}
	if c.Zone == nil {
		if c.Zone = named(text("X-WR-TIMEZONE")); c.Zone == nil && text("X-WR-TIMEZONE") != "" {
			c.notice("the calendar's own zone %q is unknown; floating times count as UTC unless the option zone says otherwise", shorten(text("X-WR-TIMEZONE"), 60))
		}
	}
	c.Cancel = c.Cancel || strings.EqualFold(text("METHOD"), "CANCEL")
}

// event takes an event.
func (c *Calendar) event(comp *ical.Component, z *zones) {
	e, err := readEvent(comp, z)
	if err != nil {
		c.Left++
		c.notice("the event %s was left out: %s", nameOf(comp), err)
		return
	}
	if len(e.rules)+len(e.dates) == 0 && e.recurrence.isZero() && e.start.wall.Add(e.longestOf()).Before(z.now.AddDate(0, 0, -longest-3)) {
		return // long over: archives hold many of these, and nobody looks at them
	}
	if e.broken != nil {
		c.notice("the event %s is taken without its repetitions: %s", nameOf(comp), e.broken)
	}
	c.add(e)
}

func nameOf(c *ical.Component) string {
	for _, n := range []string{ical.PropSummary, ical.PropUID} {
		if p := c.Props.Get(n); p != nil && strings.TrimSpace(p.Value) != "" {
			return strconv.Quote(shorten(unescape(p.Value), 60))
		}
	}
	return "without a name"
}

// add puts an event among its series. Of two of one identity the newer one counts: by SEQUENCE, LAST-MODIFIED, DTSTAMP, and
// then by its place in the document.
func (c *Calendar) add(e *event) {
	s := c.series[e.uid]
	if s == nil {
		s = &series{uid: e.uid}
		c.series[e.uid] = s
		c.order = append(c.order, e.uid)
	}
	older := func(old *event) bool {
		if old == nil {
			return true
		}
		if old.sequence != e.sequence {
			return old.sequence < e.sequence
		}
		if d := e.modified.Compare(old.modified); d != 0 {
			return d > 0
		}
		return !e.stamp.Before(old.stamp)
	}
	if e.recurrence.isZero() {
		if older(s.master) {
			s.master = e
		}
		return
	}
	key := c.instanceKey(e.recurrence)
	if s.overrides == nil {
		s.overrides = map[string]*event{}
	}
	if older(s.overrides[key]) {
		s.overrides[key] = e
	}
}

// instanceKey identifies an instance of a series by its original start, however that is written.
func (c *Calendar) instanceKey(m moment) string {
	if m.kind == date {
		return m.wall.Format("20060102")
	}
	return m.at(c.floatingZone()).UTC().Format("20060102T150405Z")
}

func (c *Calendar) floatingZone() *time.Location {
	if c.Zone != nil {
		return c.Zone
	}
	return time.UTC
}

// readEvent reads one VEVENT.
func readEvent(comp *ical.Component, z *zones) (*event, error) {
	e := &event{}
	get := func(name string) *ical.Prop { return comp.Props.Get(name) }
	text := func(name string) string {
		if p := get(name); p != nil {
			return strings.TrimSpace(unescape(p.Value))
		}
		return ""
	}
	var err error
	start := get(ical.PropDateTimeStart)
	if start == nil {
		return nil, errors.New("it has no start")
	}
	if e.start, err = readMoment(start, start.Value, z); err != nil {
		return nil, err
	}
	if p := get(ical.PropDateTimeEnd); p != nil {
		if e.end, err = readMoment(p, p.Value, z); err != nil {
			return nil, err
		}
		if (e.end.kind == date) != (e.start.kind == date) {
			e.end = moment{} // a day's end for a timed event, or the other way round: it has none
		}
	} else if p := get(ical.PropDuration); p != nil {
		if e.length, err = parseLength(p.Value); err != nil {
			return nil, err
		}
		e.hasLength = true
	}
	e.uid = text(ical.PropUID)
	e.detail = Detail{Summary: text(ical.PropSummary), Description: text(ical.PropDescription), Location: text(ical.PropLocation),
		Status: strings.ToUpper(text(ical.PropStatus)), Class: strings.ToUpper(text(ical.PropClass)), Free: strings.EqualFold(text("TRANSP"), "TRANSPARENT")}
	if p := get(ical.PropURL); p != nil {
		e.detail.URL = strings.TrimSpace(p.Value)
	}
	for _, name := range []string{"IMAGE", ical.PropAttach} {
		for _, p := range comp.Props.Values(name) {
			kind := strings.ToLower(p.Params.Get("FMTTYPE"))
			if e.detail.Image == "" && strings.HasPrefix(strings.ToLower(p.Value), "http") && (name == "IMAGE" || strings.HasPrefix(kind, "image/")) {
				e.detail.Image, e.detail.ImageType = strings.TrimSpace(p.Value), kind
			}
		}
	}
	for _, p := range comp.Props.Values(ical.PropCategories) {
		for _, t := range splitText(p.Value) {
			if t = strings.TrimSpace(t); t != "" && len(e.detail.Categories) < 64 {
				e.detail.Categories = append(e.detail.Categories, t)
			}
		}
	}
	if n, err := strconv.Atoi(strings.TrimSpace(text(ical.PropSequence))); err == nil {
		e.sequence = n
	}
	instant := func(name string) time.Time {
		p := get(name)
		if p == nil {
			return time.Time{}
		}
		m, err := readMoment(p, p.Value, z)
		if err != nil {
			return time.Time{}
		}
		return m.at(time.UTC).UTC()
	}
	e.modified, e.stamp, e.created = instant(ical.PropLastModified), instant(ical.PropDateTimeStamp), instant(ical.PropCreated)
	e.detail.Created, e.detail.Modified = e.created, e.modified
	if p := get(ical.PropRecurrenceID); p != nil {
		if e.recurrence, err = readMoment(p, p.Value, z); err != nil {
			return nil, err
		}
		e.future = strings.EqualFold(p.Params.Get("RANGE"), "THISANDFUTURE")
	}
	if e.uid == "" { // what identifies it as well as it can be
		e.uid = "belfry-" + hash(e.detail.Summary, start.Value, e.detail.Location)
	}
	e.repetitions(comp, z)
	return e, nil
}

// maxDates is how many RDATE and EXDATE values an event may have.
const maxDates = 10_000

// repetitions reads the rules and dates of a series. What cannot be read leaves the event without them.
func (e *event) repetitions(comp *ical.Component, z *zones) {
	if !e.recurrence.isZero() {
		return
	}
	for _, p := range comp.Props.Values(ical.PropRecurrenceRule) {
		r, err := parseRule(p.Value)
		if err != nil {
			e.rules, e.broken = nil, err
			return
		}
		if len(e.rules) < 16 {
			e.rules = append(e.rules, r)
		}
	}
	for _, p := range comp.Props.Values(ical.PropRecurrenceDates) {
		for text := range strings.SplitSeq(p.Value, ",") {
			begin, end, period := strings.Cut(text, "/")
			m, err := readMoment(&p, begin, z)
			if err != nil || len(e.dates) >= maxDates {
				continue
			}
			x := extra{start: m}
			if period {
				if x.length, err = parseLength(end); err == nil {
					x.hasLength = true
				} else if x.end, err = readMoment(&p, end, z); err != nil {
					x.end = moment{}
				}
			}
			e.dates = append(e.dates, x)
		}
	}
	for _, p := range comp.Props.Values(ical.PropExceptionDates) {
		for text := range strings.SplitSeq(p.Value, ",") {
			if m, err := readMoment(&p, text, z); err == nil && len(e.except) < maxDates {
				e.except = append(e.except, m)
			}
		}
	}
}

// readMoment reads a time in its zone.
func readMoment(p *ical.Prop, value string, z *zones) (moment, error) {
	m, err := parseWall(value)
	if err != nil || m.kind != floating {
		return m, err
	}
	tzid := p.Params.Get(ical.ParamTimezoneID)
	if strings.TrimSpace(tzid) == "" {
		return m, nil
	}
	if m.zone = z.load(tzid); m.zone == nil {
		return m, fmt.Errorf("its time zone %q is unknown, and the calendar does not describe it", shorten(tzid, 60))
	}
	m.kind = zoned
	return m, nil
}

// unescape undoes the escapes of a text value.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n', 'N':
			b.WriteByte('\n')
		default: // \\ \; \, and what needs no escape
			b.WriteByte(s[i])
		}
	}
	return b.String()
}

// splitText splits a list of texts at its commas.
func splitText(s string) []string {
	var out []string
	from := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case ',':
			out, from = append(out, unescape(s[from:i])), i+1
		}
	}
	return slices.Clip(append(out, unescape(s[from:])))
}
