package consent

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	xunicode "golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"

	"github.com/belfry-news/belfry/scheduler"
	"github.com/belfry-news/belfry/sdk"
)

// Columns of a file. Each has the names by which it is known, the first of which is told.
var columns = [][]string{
	{"address", "email", "e-mail", "e_mail", "mail", "email_address"},
	{"channel", "purpose"},
	{"medium"},
	{"lang", "language"},
	{"zone", "timezone", "time_zone"},
	{"consented_at", "consent_time", "consented"},
	{"source", "how"},
	{"wording"},
	{"wording_version", "version"},
	{"evidence"},
	{"external", "external_reference", "reference"},
	{"topics", "topic"},
	{"mode"},
	{"slot", "slots"},
	{"languages"},
	{"breaking"},
	{"quiet", "quiet_hours"},
	{"paused_until"},
	{"per_day"},
	{"left_at", "left", "unsubscribed_at", "withdrawn_at"},
}

// ImportColumns lists the columns that a file may have.
func ImportColumns() (out []string) {
	for _, names := range columns {
		out = append(out, names[0])
	}
	return out
}

// ImportDefaults hold for rows that say nothing themselves.
type ImportDefaults struct {
	// Channel may be empty when the file has a column for it.
	Channel, Medium          string
	Source, Wording, Version string
	// Zone is of times without one.
	Zone *time.Location
	// Now is what no time of a consent is after.
	Now time.Time
}

// RowError says what is wrong with one row. It costs that row only.
type RowError struct {
	File string
	Line int
	// Column is empty when the row cannot be taken apart.
	Column string
	What   string
}

// Error names the row and the column.
func (e *RowError) Error() string {
	at := fmt.Sprintf("%s:%d: ", e.File, e.Line)
	if e.Column != "" {
		at += "column " + e.Column + ": "
	}
	return at + e.What
}

// Bounds of a row: a quotation mark that is never closed must not swallow the file.
const (
	mostRowLines = 20
	mostRowBytes = 64 << 10
)

// ImportReader reads a CSV file row by row, in memory that does not grow with it.
type ImportReader struct {
	file  string
	lines *rowLines
	csv   *csv.Reader
	// at gives the place of each column in the file, by its own name; -1 when the file lacks it.
	at     map[string]int
	header []string
	// Unknown are columns of the file that mean nothing.
	Unknown []string
	d       ImportDefaults
	offers  func(Purpose, string) (Offer, bool)
	// normalize brings an address into its form.
	normalize func(medium, address string) (use, compare string, err error)
	zones     map[string]error
	// Delimiter and Encoding are what the file uses.
	Delimiter rune
	Encoding  string
}

// NewImportReader reads the header of a file. name is what errors call it; offers finds what can be followed.
func (r *Registry) NewImportReader(name string, from io.Reader, d ImportDefaults) (*ImportReader, error) {
	in := &ImportReader{file: name, d: d, offers: r.offer, normalize: r.normalize, at: map[string]int{}, zones: map[string]error{}}
	buffered := bufio.NewReaderSize(from, mostRowBytes)
	start, err := buffered.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	in.Encoding = "UTF-8"
	switch {
	case bytes.HasPrefix(start, []byte{0xff, 0xfe, 0, 0}), bytes.HasPrefix(start, []byte{0, 0, 0xfe, 0xff}):
		in.Encoding = "UTF-32"
		buffered = bufio.NewReaderSize(utf32.UTF32(utf32.BigEndian, utf32.ExpectBOM).NewDecoder().Reader(buffered), mostRowBytes)
	case bytes.HasPrefix(start, []byte{0xff, 0xfe}), bytes.HasPrefix(start, []byte{0xfe, 0xff}):
		in.Encoding = "UTF-16"
		buffered = bufio.NewReaderSize(xunicode.UTF16(xunicode.BigEndian, xunicode.ExpectBOM).NewDecoder().Reader(buffered), mostRowBytes)
	case bytes.HasPrefix(start, []byte{0xef, 0xbb, 0xbf}):
		_, _ = buffered.Discard(3) // they were peeked at
	}
	in.lines = &rowLines{from: buffered}
	in.csv = csv.NewReader(in.lines)
	in.csv.FieldsPerRecord, in.csv.ReuseRecord = -1, true
	if err := in.readHeader(); err != nil {
		return nil, err
	}
	return in, nil
}

func (in *ImportReader) readHeader() error {
	first, err := in.lines.first()
	if errors.Is(err, io.EOF) {
		return &RowError{in.file, 1, "", "the file is empty; it needs a first line with the names of its columns, such as: address,consented_at,source,wording_version"}
	}
	if err != nil {
		return err
	}
	in.Delimiter = delimiterOf(first)
	in.csv.Comma = in.Delimiter
	record, line, err := in.record()
	if err != nil {
		return fmt.Errorf("the first line names the columns and cannot be read: %w", err)
	}
	in.header = slices.Clone(record)
	for i, name := range in.header {
		plain := strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), " ", "_")
		known := slices.IndexFunc(columns, func(names []string) bool { return slices.Contains(names, plain) })
		if known < 0 {
			in.Unknown = append(in.Unknown, strings.TrimSpace(name))
			continue
		}
		if before, twice := in.at[columns[known][0]]; twice {
			return &RowError{in.file, line, name, fmt.Sprintf("it says the same as column %q; take one of them out", in.header[before])}
		}
		in.at[columns[known][0]] = i
	}
	if _, found := in.at["address"]; !found {
		return &RowError{in.file, line, "", fmt.Sprintf("there is no column address among %s; the first line names the columns, and known are %s",
			quoted(in.header), strings.Join(ImportColumns(), ", "))}
	}
	if _, found := in.at["channel"]; !found && in.d.Channel == "" {
		return sdk.Errorf(sdk.CodeInvalid, "import", "which channel do the rows follow? give it with --channel, or in a column channel")
	}
	_, media := in.at["medium"]
	if _, found := in.offers(ParsePurpose(in.d.Channel), in.d.Medium); in.d.Channel != "" && !found && !media {
		return sdk.Errorf(sdk.CodeInvalid, "import", "%s cannot be followed by %s; see messages: in the configuration", ParsePurpose(in.d.Channel), in.d.Medium)
	}
	return nil
}

// quoted lists names for people.
func quoted(names []string) string {
	var out []string
	for _, n := range names[:min(len(names), 12)] {
		out = append(out, fmt.Sprintf("%q", clipped(n)))
	}
	return strings.Join(out, ", ")
}

// clipped bounds what an error repeats of a file.
func clipped(s string) string {
	if runes := []rune(s); len(runes) > 40 {
		return string(runes[:40]) + "…"
	}
	return s
}

// delimiterOf finds what stands between the columns of a first line.
func delimiterOf(line []byte) rune {
	best, most, inside := ',', 0, false
	counts := map[rune]int{}
	for _, r := range string(line) {
		if r == '"' {
			inside = !inside
		}
		if !inside {
			counts[r]++
		}
	}
	for _, r := range []rune{',', ';', '\t'} {
		if counts[r] > most {
			best, most = r, counts[r]
		}
	}
	return best
}

// Windows1252 is how many rows were no UTF-8 and were read as Windows-1252.
func (in *ImportReader) Windows1252() int { return in.lines.legacy }

// Bytes is how much of the file was read, as it is decoded.
func (in *ImportReader) Bytes() int64 { return in.lines.read }

// record reads one record. Its error is io.EOF, a *RowError, or the file's. After a record that cannot be taken apart the
// next one begins on the next line.
func (in *ImportReader) record() ([]string, int, error) {
	for {
		in.lines.begin()
		record, err := in.csv.Read()
		line := in.lines.line()
		var pe *csv.ParseError
		switch {
		case in.lines.err != nil && !errors.Is(in.lines.err, io.EOF):
			return nil, line, fmt.Errorf("%s cannot be read: %w", in.file, in.lines.err)
		case in.lines.fault != "":
			fault := in.lines.fault
			in.lines.again()
			return nil, line, &RowError{in.file, line, "", fault}
		case errors.As(err, &pe):
			in.lines.again()
			what := "the quotation marks are broken"
			if in.lines.cut {
				what = fmt.Sprintf("a quotation mark opens a field that does not end within %d lines", mostRowLines)
			}
			return nil, line, &RowError{in.file, line, "", what + "; inside a field between quotation marks, write each of them twice"}
		case errors.Is(err, io.EOF) && !in.lines.over():
			continue // empty lines
		case err != nil:
			return nil, line, err
		}
		return record, line, nil
	}
}

// Next reads a row and checks it. A row that cannot be used comes with a *RowError; io.EOF is the end.
func (in *ImportReader) Next() (ImportRow, error) {
	record, line, err := in.record()
	if err != nil {
		return Rejected(line), err
	}
	row := ImportRow{Line: line}
	if len(record) != len(in.header) {
		return Rejected(line), &RowError{in.file, line, "", fmt.Sprintf("it has %d columns, and the first line has %d", len(record), len(in.header))}
	}
	column, what := in.fill(&row, record)
	if what != "" {
		return Rejected(line), &RowError{in.file, line, column, what}
	}
	return row, nil
}

// get gives a column of a record; empty when the file lacks it.
func (in *ImportReader) get(record []string, column string) string {
	at, found := in.at[column]
	if !found {
		return ""
	}
	return strings.TrimSpace(record[at])
}

// ParsePurpose reads a purpose as people write it: the name of a channel, or "notice" and the name of a notice.
func ParsePurpose(text string) Purpose {
	if name, found := strings.CutPrefix(text, string(Notice)+" "); found {
		return Purpose{Kind: Notice, Name: strings.TrimSpace(name)}
	}
	return Purpose{Kind: Channel, Name: strings.TrimSpace(strings.TrimPrefix(text, string(Channel)+" "))}
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// fill reads the columns of a record; what is empty when all is well.
func (in *ImportReader) fill(row *ImportRow, record []string) (column, what string) {
	for i, field := range record {
		if !utf8.ValidString(field) {
			return in.header[i], "it is neither UTF-8 nor Windows-1252; save the file as UTF-8"
		}
		if strings.ContainsFunc(field, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
			return in.header[i], "it holds control characters"
		}
	}
	row.Medium = or(strings.ToLower(in.get(record, "medium")), in.d.Medium)
	row.Purpose = ParsePurpose(or(in.get(record, "channel"), in.d.Channel))
	if column, what = in.left(row, record); what != "" {
		return column, what
	}
	if row.Purpose.Name == Everything && !row.Left.IsZero() {
		return in.leftAll(row, record)
	}
	offer, found := in.offers(row.Purpose, row.Medium)
	if !found {
		if column = "channel"; row.Purpose.Name == "" {
			return column, "it is empty, and no --channel is given"
		}
		if in.get(record, "channel") == "" {
			column = "medium"
		}
		return column, fmt.Sprintf("%s cannot be followed by %q; see messages: in the configuration", row.Purpose, clipped(row.Medium))
	}
	row.Address = in.get(record, "address")
	if err := row.Check(in.normalize); err != nil {
		return "address", sdk.AsError(err).Public
	}
	if row.External = in.get(record, "external"); len(row.External) > 256 || strings.ContainsAny(row.External, "\n\t") {
		return "external", "it is no reference: one line of at most 256 bytes"
	}
	if row.Left.IsZero() { // nothing is chosen of what was left
		if column, what = in.habits(&row.Habits, record); what != "" {
			return column, what
		}
		if column, what = in.choices(row, record, offer); what != "" {
			return column, what
		}
	}
	return in.evidence(row, record)
}

// langTag reports whether a text is the main part of a language tag with what may follow it, or empty.
func langTag(s string) bool {
	main, _, _ := strings.Cut(s, "-")
	return s == "" || len(s) <= 35 && len(main) >= 2 && len(main) <= 3 &&
		!strings.ContainsFunc(s, func(r rune) bool { return r != '-' && (r < 'a' || r > 'z') && (r < '0' || r > '9') })
}

// zone checks a zone once: to find one out costs more than the rest of a row.
func (in *ImportReader) zone(name string) error {
	err, known := in.zones[name]
	if !known {
		err = (&Habits{Zone: name}).Check()
		if len(in.zones) < 1000 {
			in.zones[name] = err
		}
	}
	return err
}

// habits reads what the person chose for all that they get.
func (in *ImportReader) habits(h *Habits, record []string) (column, what string) {
	h.Lang = strings.ToLower(in.get(record, "lang"))
	if !langTag(h.Lang) {
		return "lang", fmt.Sprintf("%q is no language; write it like fr or en (BCP 47)", clipped(h.Lang))
	}
	h.Zone = in.get(record, "zone")
	if err := in.zone(h.Zone); err != nil {
		return "zone", sdk.AsError(err).Public
	}
	if text := in.get(record, "quiet"); text != "" {
		from, until, _ := strings.Cut(text, "-")
		h.QuietFrom, h.QuietUntil = strings.TrimSpace(from), strings.TrimSpace(until)
		if !clockTime(h.QuietFrom) || !clockTime(h.QuietUntil) || h.QuietFrom == h.QuietUntil {
			return "quiet", fmt.Sprintf("%q are no quiet hours; write them like 22:00-07:00", clipped(text))
		}
	}
	if text := in.get(record, "paused_until"); text != "" {
		at, err := parseTime(text, in.d.Zone)
		if err != nil {
			return "paused_until", fmt.Sprintf("%q is no time; write it like 2027-03-29T08:00:00Z, 2027-03-29 or \"2027-03-29 08:00\"", clipped(text))
		}
		if at.After(in.d.Now) { // one that is over is none
			h.PausedUntil = at.UTC()
		}
	}
	if text := in.get(record, "per_day"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > mostPerDay {
			return "per_day", fmt.Sprintf("%q is no number of messages; write one from 1 to %d, or nothing for no bound", clipped(text), mostPerDay)
		}
		h.PerDay = n
	}
	return "", ""
}

func clockTime(s string) bool {
	_, err := time.Parse("15:04", s)
	return err == nil && len(s) == len("15:04")
}

// choices reads what the person chose, among what is offered.
func (in *ImportReader) choices(row *ImportRow, record []string, o Offer) (column, what string) {
	c := &row.Preferences
	c.Mode = Mode(strings.ToLower(in.get(record, "mode")))
	if c.Mode != "" && !slices.Contains(o.Modes, c.Mode) {
		return "mode", fmt.Sprintf("%q is not offered by %s; it offers %v", clipped(string(c.Mode)), row.Purpose, o.Modes)
	}
	for _, list := range []struct {
		column string
		into   *[]string
		offers []string
	}{{"slot", &c.Slots, o.Slots}, {"topics", &c.Topics, o.Topics}, {"languages", &c.Languages, o.Languages}} {
		for _, v := range strings.FieldsFunc(in.get(record, list.column), func(r rune) bool { return r == '|' || r == ',' }) {
			v = strings.TrimSpace(v)
			if !slices.Contains(list.offers, v) {
				return list.column, fmt.Sprintf("%q is not offered by %s; it offers %v", clipped(v), row.Purpose, list.offers)
			}
			*list.into = append(*list.into, v)
		}
	}
	switch text := strings.ToLower(in.get(record, "breaking")); text {
	case "", "no", "false", "0":
	case "yes", "true", "1":
		if c.Breaking = o.Breaking; !c.Breaking {
			return "breaking", fmt.Sprintf("%s does not offer it; leave it empty", row.Purpose)
		}
	default:
		return "breaking", fmt.Sprintf("%q is neither yes nor no", clipped(text))
	}
	if len(c.Slots) > 0 && c.Mode == "" && slices.Contains(o.Modes, Digest) {
		c.Mode = Digest // a time is of digests
	}
	if err := o.Check(c); err != nil {
		return "mode", sdk.AsError(err).Public
	}
	return "", ""
}

// evidence reads how the person agreed.
func (in *ImportReader) evidence(row *ImportRow, record []string) (column, what string) {
	e := &row.Evidence
	e.Note, e.Wording, e.Version = or(in.get(record, "source"), in.d.Source), or(in.get(record, "wording"), in.d.Wording), or(in.get(record, "wording_version"), in.d.Version)
	e.Where, e.Lang = in.get(record, "evidence"), row.Habits.Lang
	text := in.get(record, "consented_at")
	if text == "" {
		return "", ""
	}
	at, err := parseTime(text, in.d.Zone)
	if err != nil {
		return "consented_at", fmt.Sprintf("%q is no time; write it like 2024-03-29T08:00:00Z, 2024-03-29 or \"2024-03-29 08:00\"", clipped(text))
	}
	if at.After(in.d.Now) {
		return "consented_at", fmt.Sprintf("%s is in the future", clipped(text))
	}
	if e.At = at.UTC(); !row.Left.IsZero() && row.Left.Before(e.At) {
		return "left_at", "it is before consented_at: say in the row only which of the two holds"
	}
	return "", ""
}

// left reads when the person left, where a row says so.
func (in *ImportReader) left(row *ImportRow, record []string) (column, what string) {
	text := in.get(record, "left_at")
	if text == "" {
		return "", ""
	}
	at, err := parseTime(text, in.d.Zone)
	if err != nil {
		return "left_at", fmt.Sprintf("%q is no time; write it like 2024-03-29T08:00:00Z, 2024-03-29 or \"2024-03-29 08:00\"", clipped(text))
	}
	if at.After(in.d.Now) {
		return "left_at", fmt.Sprintf("%s is in the future", clipped(text))
	}
	row.Left = at.UTC()
	return "", ""
}

// leftAll reads a row of somebody who left everything on a medium, which needs nothing but their address.
func (in *ImportReader) leftAll(row *ImportRow, record []string) (column, what string) {
	row.Address = in.get(record, "address")
	if err := row.Check(in.normalize); err != nil {
		return "address", sdk.AsError(err).Public
	}
	row.Evidence.Note = or(in.get(record, "source"), in.d.Source)
	return "", ""
}

// parseTime reads a time of a file: RFC 3339, or a local one of a zone.
func parseTime(text string, zone *time.Location) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at, nil
	}
	switch len(text) {
	case len("2006-01-02"):
		text += " 00:00"
	case len("2006-01-02 15:04:05"):
		at, err := scheduler.ParseLocal(strings.Replace(text[:16], "T", " ", 1), zone)
		if err != nil {
			return at, err
		}
		seconds, err := time.Parse(":05", text[16:])
		return at.Add(time.Duration(seconds.Second()) * time.Second), err
	}
	return scheduler.ParseLocal(strings.Replace(text, "T", " ", 1), zone)
}
