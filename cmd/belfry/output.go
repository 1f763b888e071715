package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"

	"github.com/rivo/uniseg"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// table is aligned columns for people.
type table struct {
	header []string
	rows   [][]string
}

func newTable(header ...string) *table { return &table{header: header} }

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write aligns by what a terminal shows. Columns of numbers stand to the right.
func (t *table) write(w io.Writer) {
	rows := t.rows
	if len(t.header) > 0 {
		rows = append([][]string{t.header}, rows...)
	}
	widths, numbers := []int{}, []bool{}
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths, numbers = append(widths, 0), append(numbers, true)
			}
			widths[i] = max(widths[i], uniseg.StringWidth(cell))
		}
	}
	for i := range numbers {
		digits := false
		for _, row := range t.rows {
			if i < len(row) {
				numbers[i] = numbers[i] && strings.Trim(row[i], "0123456789-,") == ""
				digits = digits || strings.ContainsAny(row[i], "0123456789")
			}
		}
		numbers[i] = numbers[i] && digits
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-uniseg.StringWidth(cell))
			if numbers[i] {
				cell = pad + cell
			} else {
				cell += pad
			}
			if i > 0 {
				line.WriteString("  ")
			}
			line.WriteString(cell)
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// plain makes a stranger's text safe for a terminal and a table: one line, no control characters.
func plain(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}

// clip is plain with at most n grapheme clusters.
func clip(s string, n int) string { return render.CutText(plain(s), n, sdk.UnitGraphemes) }

// orDash shows that there is nothing.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// count writes a number with its noun, which has an s for more than one.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%s %ss", thousands(n), noun)
}

// thousands writes a number with commas.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// at writes a time in the zone of the configuration.
func (d *desk) at(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.In(d.zone).Format("2006-01-02 15:04 MST")
}

// ago writes a time as how long ago it was within the last hour, or when it was.
func (d *desk) ago(t time.Time) string {
	switch age := d.now.Sub(t); {
	case t.IsZero():
		return "never"
	case age >= 0 && age < time.Minute:
		return fmt.Sprintf("%d s ago", int(age.Seconds()))
	case age >= 0 && age < time.Hour:
		return fmt.Sprintf("%d min ago", int(age.Minutes()))
	}
	return d.at(t)
}

// until writes a time ahead as how far it is within the next hour, or when it is.
func (d *desk) until(t time.Time) string {
	switch ahead := t.Sub(d.now); {
	case t.IsZero():
		return "-"
	case ahead <= 0:
		return "now"
	case ahead < time.Minute:
		return fmt.Sprintf("in %d s", int(ahead.Seconds()+0.999))
	case ahead < time.Hour:
		return fmt.Sprintf("in %d min", int(ahead.Minutes()+0.5))
	}
	return d.at(t)
}

// span writes a length of time.
func span(t time.Duration) string {
	switch {
	case t < time.Minute:
		return fmt.Sprintf("%d s", int(t.Seconds()))
	case t < time.Hour:
		return fmt.Sprintf("%d min", int(t.Minutes()))
	case t < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(t.Hours()), int(t.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(t.Hours())/24)
}

// stamp writes a time for programs: RFC 3339 in UTC, or null.
type stamp struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (s stamp) MarshalJSON() ([]byte, error) {
	if s.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(s.UTC().Format(time.RFC3339))
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *stamp) UnmarshalJSON(text []byte) error {
	if string(text) == "null" || string(text) == `""` {
		s.Time = time.Time{}
		return nil
	}
	return json.Unmarshal(text, &s.Time)
}

// writeJSON writes one document.
func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// writeLine writes one JSON value on a line of its own.
func writeLine(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// indented writes a JSON value for people; a text is written as it is.
func indented(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		return string(raw)
	}
	return b.String()
}
