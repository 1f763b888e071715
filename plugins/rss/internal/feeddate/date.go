// Package feeddate reads the dates that feeds really carry: RFC 822 and 2822 with all their misspellings, RFC 3339 and
// W3CDTF, Unix seconds, and dates with month names of a dozen languages. It never guesses a zone: a name that it does
// not know gives no date at all, and a date without a zone says so.
package feeddate

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// MaxLength is the longest text, in bytes, that is looked at.
const MaxLength = 100

// Parse reads one date. Text that says no zone is taken in zone, or in UTC when zone is nil, and zoned is then false. ok is
// false for what cannot be read or can be read in two ways, such as "03/04/2026" or the zone IST.
func Parse(text string, zone *time.Location) (t time.Time, zoned, ok bool) {
	text = strings.TrimSpace(text)
	if text == "" || len(text) > MaxLength || !utf8.ValidString(text) {
		return time.Time{}, false, false
	}
	if zone == nil {
		zone = time.UTC
	}
	// The two forms that nearly every feed uses need no analysis.
	if c := text[0]; c >= '0' && c <= '9' && len(text) > 10 && (text[10] == 'T' || text[10] == 't') {
		if t, err := time.Parse(time.RFC3339, text); err == nil && plausible(t) {
			return t.UTC(), true, true
		}
	} else if len(text) == len(time.RFC1123Z) {
		if t, err := time.Parse(time.RFC1123Z, text); err == nil && plausible(t) {
			return t.UTC(), true, true
		}
	}
	if t, ok := unix(text); ok {
		return t, true, true
	}
	d := date{year: -1, month: -1, day: -1, hour: -1}
	if !d.read(tokens(text)) || !d.valid() {
		return time.Time{}, false, false
	}
	return d.time(zone)
}

// plausible refuses offsets that no place on earth has.
func plausible(t time.Time) bool {
	_, offset := t.Zone()
	return offset >= -maxOffset*hour && offset <= maxOffset*hour
}

// maxOffset of a zone, in hours.
const maxOffset = 14

// unix reads seconds (ten digits: 2001 to 2286) or milliseconds (thirteen).
func unix(text string) (time.Time, bool) {
	if (len(text) != 10 && len(text) != 13) || strings.Trim(text, "0123456789") != "" || text[0] == '0' {
		return time.Time{}, false
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, false
	}
	if len(text) == 13 {
		return time.UnixMilli(n).UTC(), true
	}
	return time.Unix(n, 0).UTC(), true
}

// date is what the words of a text have told so far; -1 stands for not yet.
type date struct {
	year, month, day  int
	hour, min, sec    int
	nano              int
	pm, am            bool
	zoned             bool
	offset            int // seconds east of UTC
	offsetFromNumbers bool
}

func (d *date) valid() bool {
	if d.year < 1 || d.month < 0 || d.day < 0 {
		return false
	}
	if d.month < 1 || d.month > 12 || d.day < 1 || d.day > daysIn(d.year, d.month) {
		return false
	}
	if d.hour < 0 {
		return !d.pm && !d.am
	}
	if d.pm || d.am {
		if d.hour < 1 || d.hour > 12 {
			return false
		}
		d.hour %= 12
		if d.pm {
			d.hour += 12
		}
	}
	// 24:00 is the end of the day (ISO 8601), second 60 a leap second.
	return d.hour < 24 && d.min < 60 && d.sec <= 60 || d.hour == 24 && d.min == 0 && d.sec == 0
}

func (d *date) time(zone *time.Location) (time.Time, bool, bool) {
	wall := time.Date(d.year, time.Month(d.month), d.day, max(d.hour, 0), d.min, d.sec, d.nano, time.UTC)
	if d.zoned {
		return wall.Add(-time.Duration(d.offset) * time.Second), true, true
	}
	return local(wall, zone), false, true
}

// local resolves a wall-clock time, given as if it were UTC: the first of two instants where the clock repeats, the first instant after a gap
// where it skips. time.Date promises neither.
func local(wall time.Time, zone *time.Location) time.Time {
	_, before := wall.Add(-36 * time.Hour).In(zone).Zone()
	_, after := wall.Add(36 * time.Hour).In(zone).Zone()
	early := wall.Add(-time.Duration(max(before, after)) * time.Second)
	late := wall.Add(-time.Duration(min(before, after)) * time.Second)
	for _, t := range [2]time.Time{early, late} {
		if _, off := t.In(zone).Zone(); t.Add(time.Duration(off) * time.Second).Equal(wall) {
			return t.UTC()
		}
	}
	// In a gap: late lies behind the change by as much as the wall time lies in the gap, or early does; the change itself
	// is found between them.
	lo, hi := early, late
	_, loOff := lo.In(zone).Zone()
	for hi.Sub(lo) > time.Second {
		mid := lo.Add(hi.Sub(lo) / 2)
		if _, off := mid.In(zone).Zone(); off == loOff {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi.Truncate(time.Second).UTC()
}

func daysIn(year, month int) int {
	return time.Date(year, time.Month(month)+1, 0, 0, 0, 0, 0, time.UTC).Day()
}

// read takes the words in order. A word that it does not know makes the whole text unreadable, except before the first
// number, where weekdays of any language and words such as "le" stand.
func (d *date) read(words []token) bool {
	numbers := false
	for i, w := range words {
		var ok bool
		switch w.kind {
		case 'a':
			ok = d.word(w.text, words, i, numbers)
		case 'n':
			ok = d.number(w.text, words, i)
			numbers = true
		case '+', '-':
			ok = d.numericZone(w)
		case '(':
			// A comment after the offset repeats the zone by name; without an offset it is the zone.
			ok = d.offsetFromNumbers || d.namedZone(w.text) || d.zoned
		}
		if !ok {
			return false
		}
	}
	return true
}

func (d *date) word(w string, words []token, i int, numbers bool) bool {
	if m := month(w); m > 0 {
		if d.month < 0 && !weekdayHere(words, i) {
			d.month = m
			return true
		}
		return !numbers
	}
	if !numbers {
		return true
	}
	switch w {
	case "am", "pm":
		d.am, d.pm = w == "am", w == "pm"
		return d.hour >= 0
	case "a", "p":
		if i+1 < len(words) && words[i+1].text == "m" { // "a.m."
			d.am, d.pm = w == "a", w == "p"
			return d.hour >= 0
		}
		return w == "a" // à
	case "m":
		return d.am || d.pm
	case "t":
		return true
	case "h", "hr", "uhr":
		return d.hour >= 0
	case "st", "nd", "rd", "th", "er", "ere", "e", "o":
		return d.day >= 0 && d.hour < 0
	case "at", "um", "de", "del", "of", "om", "kl", "alle", "ore", "v", "le", "den":
		return true
	}
	if weekdays[w] {
		return true
	}
	// A name that numbers go with or before is explained by them.
	followed := i+1 < len(words) && (words[i+1].kind == '+' || words[i+1].kind == '-')
	return d.offsetFromNumbers || followed && d.hour >= 0 || d.namedZone(w)
}

// weekdayHere tells whether a word that is both a month and a weekday ("mar." is Tuesday in French and Italian, March in
// others) is the weekday: a month follows it.
func weekdayHere(words []token, i int) bool {
	if words[i].text != "mar" {
		return false
	}
	for _, w := range words[i+1:] {
		if w.kind == 'a' && month(w.text) > 0 {
			return true
		}
	}
	return false
}

// number takes a token of digits and separators for what its form says it is.
func (d *date) number(s string, words []token, i int) bool {
	switch {
	case strings.Contains(s, ":"):
		return d.clock(s)
	case strings.Count(s, "-") > 0:
		return d.hyphened(s)
	case strings.Count(s, "/") == 2:
		return d.slashed(s, words)
	case strings.Count(s, ".") == 2:
		return d.dotted(s)
	case strings.Count(s, ".") == 1 && d.day >= 0 && d.hour < 0:
		return d.clock(strings.Replace(s, ".", ":", 1)) // 10.30 Uhr
	case strings.ContainsAny(s, "./"):
		return false
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return false
	}
	next := ""
	if i+1 < len(words) {
		next = words[i+1].text
	}
	switch {
	case len(s) == 8 && d.year < 0 && d.day < 0:
		return d.compactDate(s)
	case (len(s) == 6 || len(s) == 4) && d.year >= 0 && d.day >= 0 && d.hour < 0:
		return d.compactClock(s)
	case d.hour < 0 && d.day >= 0 && len(s) <= 2 && (next == "h" || next == "hr" || next == "uhr" || next == "am" || next == "pm"):
		d.hour = n
		return true
	case d.hour >= 0 && d.min == 0 && len(s) == 2 && i > 0 && words[i-1].text == "h":
		d.min = n // 10h30
		return true
	case len(s) == 4 && d.year < 0:
		d.year = n
		return true
	case len(s) <= 2 && d.day < 0:
		d.day = n
		return true
	case len(s) == 2 && d.year < 0:
		d.year = century(n)
		return true
	}
	return false
}

// century reads a two-digit year by RFC 2822, section 4.3.
func century(n int) int {
	if n < 50 {
		return 2000 + n
	}
	return 1900 + n
}

func (d *date) clock(s string) bool {
	if d.hour >= 0 {
		return false
	}
	s, frac, _ := strings.Cut(s, ".")
	parts := strings.Split(s, ":")
	if len(parts) > 3 {
		return false
	}
	var n [3]int
	for i, p := range parts {
		v, err := strconv.Atoi(p)
		if err != nil || len(p) > 2 {
			return false
		}
		n[i] = v
	}
	d.hour, d.min, d.sec = n[0], n[1], n[2]
	return d.fraction(frac)
}

func (d *date) fraction(frac string) bool {
	if frac == "" {
		return true
	}
	if len(frac) > 9 {
		frac = frac[:9]
	}
	v, err := strconv.Atoi(frac)
	if err != nil {
		return false
	}
	for range 9 - len(frac) {
		v *= 10
	}
	d.nano = v
	return true
}

// hyphened reads 2026-01-05 and 2026-01, and 05-01-2026 where the day cannot be a month.
func (d *date) hyphened(s string) bool {
	n, ok := three(s, "-")
	if !ok || d.year >= 0 {
		return false
	}
	if len(s) >= 4 && strings.IndexByte(s, '-') == 4 {
		d.year, d.month, d.day = n[0], n[1], n[2]
		if strings.Count(s, "-") == 1 {
			d.day = 1
		}
		return true
	}
	if strings.Count(s, "-") != 2 || n[0] <= 12 || n[2] < 100 {
		return false
	}
	d.day, d.month, d.year = n[0], n[1], n[2]
	return true
}

// slashed reads 2026/01/05, and 1/25/2026 or 25/1/2026 where only one order is possible or where am and pm tell that the
// month comes first.
func (d *date) slashed(s string, words []token) bool {
	n, ok := three(s, "/")
	if !ok || d.year >= 0 {
		return false
	}
	if n[0] > 31 {
		d.year, d.month, d.day = n[0], n[1], n[2]
		return true
	}
	american := false
	for _, w := range words {
		american = american || w.kind == 'a' && (w.text == "am" || w.text == "pm")
	}
	if n[2] < 100 {
		n[2] = century(n[2])
	}
	switch {
	case n[0] > 12:
		d.day, d.month, d.year = n[0], n[1], n[2]
	case n[1] > 12 || american || n[0] == n[1]:
		d.month, d.day, d.year = n[0], n[1], n[2]
	default:
		return false
	}
	return true
}

// dotted reads 5.1.2026, which is day first everywhere it is written.
func (d *date) dotted(s string) bool {
	n, ok := three(s, ".")
	if !ok || d.year >= 0 {
		return false
	}
	if n[0] > 31 {
		d.year, d.month, d.day = n[0], n[1], n[2]
		return true
	}
	d.day, d.month, d.year = n[0], n[1], n[2]
	if d.year < 100 {
		d.year = century(d.year)
	}
	return true
}

func three(s, sep string) (n [3]int, ok bool) {
	parts := strings.Split(s, sep)
	if len(parts) < 2 || len(parts) > 3 {
		return n, false
	}
	for i, p := range parts {
		v, err := strconv.Atoi(p)
		if err != nil || len(p) > 4 {
			return n, false
		}
		n[i] = v
	}
	return n, true
}

func (d *date) compactDate(s string) bool {
	n, err := strconv.Atoi(s)
	d.year, d.month, d.day = n/10000, n/100%100, n%100
	return err == nil
}

func (d *date) compactClock(s string) bool {
	n, err := strconv.Atoi(s)
	if len(s) == 4 {
		n *= 100
	}
	d.hour, d.min, d.sec = n/10000, n/100%100, n%100
	return err == nil
}

// numericZone reads +0100, +01:00, +01 and +1. Behind a zone's name (GMT+2) it counts instead of the name.
func (d *date) numericZone(w token) bool {
	s := strings.Replace(w.text, ":", "", 1)
	n, err := strconv.Atoi(s)
	if err != nil || len(s) > 4 || d.offsetFromNumbers || d.hour < 0 {
		return false
	}
	if len(s) <= 2 {
		n *= 100
	}
	if n/100 > maxOffset || n%100 > 59 {
		return false
	}
	d.offset = n/100*3600 + n%100*60
	if w.kind == '-' {
		d.offset = -d.offset
	}
	d.zoned, d.offsetFromNumbers = true, true
	return true
}

func (d *date) namedZone(w string) bool {
	offset, known := zones[w]
	if !known || d.hour < 0 {
		return false
	}
	if d.zoned {
		return d.offset == offset
	}
	d.zoned, d.offset = true, offset
	return true
}
