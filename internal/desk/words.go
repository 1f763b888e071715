package desk

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/belfry-news/belfry/scheduler"
)

// Plain makes a stranger's text safe for a terminal and a table: one line, no control characters, and none that turn the
// order in which it is read.
func Plain(s string) string {
	line := strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
	return strings.Map(func(r rune) rune {
		if r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0xfeff {
			return -1
		}
		return r
	}, line)
}

// OrDash shows that there is nothing.
func OrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Thousands writes a number with commas.
func Thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// At writes a time in the zone of the configuration.
func (d *Desk) At(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(d.Zone()).Format("2006-01-02 15:04 MST")
}

// Ago writes a time as how long ago it was within the last hour, or when it was.
func (d *Desk) Ago(t time.Time) string {
	switch age := d.Now.Sub(t); {
	case t.IsZero():
		return "never"
	case age >= 0 && age < time.Minute:
		return fmt.Sprintf("%d s ago", int(age.Seconds()))
	case age >= 0 && age < time.Hour:
		return fmt.Sprintf("%d min ago", int(age.Minutes()))
	}
	return d.At(t)
}

// Lasting writes since when something lasts: for how long within the last hour, or since when.
func (d *Desk) Lasting(t time.Time) string {
	if ago, near := strings.CutSuffix(d.Ago(t), " ago"); near {
		return "for " + ago
	}
	return "since " + d.At(t)
}

// Until writes a time ahead as how far it is within the next hour, or when it is.
func (d *Desk) Until(t time.Time) string {
	switch ahead := t.Sub(d.Now); {
	case t.IsZero():
		return "-"
	case ahead <= 0:
		return "now"
	case ahead < time.Minute:
		return fmt.Sprintf("in %d s", int(ahead.Seconds()+0.999))
	case ahead < time.Hour:
		return fmt.Sprintf("in %d min", int(ahead.Minutes()+0.5))
	}
	return d.At(t)
}

// Stamp writes a time for programs: RFC 3339 in UTC, or null.
type Stamp struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (s Stamp) MarshalJSON() ([]byte, error) {
	if s.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(s.UTC().Format(time.RFC3339))
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Stamp) UnmarshalJSON(text []byte) error {
	if string(text) == "null" || string(text) == `""` {
		s.Time = time.Time{}
		return nil
	}
	return json.Unmarshal(text, &s.Time)
}

// ParseTime reads a time as commands take it: RFC 3339, or a date with or without a time of day in a zone.
func ParseTime(text string, zone *time.Location, otherwise time.Time) (time.Time, error) {
	if text == "" {
		return otherwise, nil
	}
	if t, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return t, nil
	}
	if _, err := time.Parse(time.DateOnly, text); err == nil {
		text += " 00:00"
	}
	t, err := scheduler.ParseLocal(text, zone)
	if err != nil {
		return time.Time{}, unusable("%q is no time; write it like 2026-03-29T00:00:00Z, 2026-03-29 or \"2026-03-29 02:30\"", text)
	}
	return t, nil
}
