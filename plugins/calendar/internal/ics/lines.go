package ics

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Bounds on a document.
const (
	maxLine  = 64 << 10 // bytes of an unfolded line; what follows is cut off
	maxHead  = 2 << 10  // bytes of a line's name and parameters
	maxDepth = 4        // components in components
	// MaxEvents is how many events a document may hold.
	MaxEvents = 10_000
)

// decodeText makes UTF-8 of what a document is written in.
func decodeText(b []byte) []byte {
	switch {
	case bytes.HasPrefix(b, []byte{0xef, 0xbb, 0xbf}):
		return b[3:]
	case bytes.HasPrefix(b, []byte{0xff, 0xfe}) || bytes.HasPrefix(b, []byte{0xfe, 0xff}):
		big := b[0] == 0xfe
		units := make([]uint16, 0, len(b)/2)
		for i := 2; i+1 < len(b); i += 2 {
			lo, hi := b[i], b[i+1]
			if big {
				lo, hi = hi, lo
			}
			units = append(units, uint16(lo)|uint16(hi)<<8)
		}
		return []byte(string(utf16.Decode(units)))
	}
	return b
}

// unfold gives the document's logical lines. Folding can split a character, so it is undone on bytes. A line that is no
// UTF-8 is read as Windows-1252, which old exporters write.
func unfold(b []byte, each func(line string) bool) {
	line := make([]byte, 0, 256)
	emit := func() bool {
		if len(line) == 0 {
			return true
		}
		s := string(line)
		line = line[:0]
		if !utf8.ValidString(s) {
			if t, err := charmap.Windows1252.NewDecoder().String(s); err == nil {
				s = t
			}
			s = strings.ToValidUTF8(s, "\uFFFD")
		}
		return each(strings.ReplaceAll(s, "\x00", ""))
	}
	for len(b) > 0 {
		// Lines end in CR LF, LF or CR.
		end := bytes.IndexAny(b, "\r\n")
		raw, rest := b, []byte(nil)
		if end >= 0 {
			raw, rest = b[:end], b[end+1:]
			if b[end] == '\r' && len(rest) > 0 && rest[0] == '\n' {
				rest = rest[1:]
			}
		}
		b = rest
		folded := len(raw) > 0 && (raw[0] == ' ' || raw[0] == '\t')
		if folded {
			raw = raw[1:]
		} else if !emit() {
			return
		}
		if room := maxLine - len(line); room > 0 {
			line = append(line, raw[:min(room, len(raw))]...)
		}
	}
	emit()
}

// splitLine finds the name of a line, and where its value begins. ok is false for a line that the decoder cannot read.
func splitLine(s string) (name string, value int, ok bool) {
	i := 0
	for i < len(s) && (s[i] == '-' || s[i] >= '0' && s[i] <= '9' || s[i]|0x20 >= 'a' && s[i]|0x20 <= 'z') {
		i++
	}
	if i == 0 || i == len(s) {
		return "", 0, false
	}
	name = strings.ToUpper(s[:i])
	for i < len(s) && s[i] == ';' {
		eq := strings.IndexByte(s[i:], '=')
		if eq <= 1 || strings.ContainsAny(s[i+1:i+eq], ";:\",") {
			return "", 0, false
		}
		i += eq // at the sign, as after a comma: a value follows
		for {
			i++
			if i < len(s) && s[i] == '"' {
				end := strings.IndexByte(s[i+1:], '"')
				if end < 0 {
					return "", 0, false
				}
				i += end + 2
			} else {
				for i < len(s) && s[i] != '"' && s[i] != ';' && s[i] != ':' && s[i] != ',' {
					i++
				}
			}
			if i >= len(s) || s[i] != ',' {
				break
			}
		}
		if i >= len(s) || i > maxHead || s[i] != ';' && s[i] != ':' {
			return "", 0, false
		}
	}
	return name, i + 1, i < len(s) && s[i] == ':'
}

// kept are the components that are read; whatever else a calendar holds, tasks, journals, alarms, is passed over.
func kept(name string) bool {
	switch name {
	case "VCALENDAR", "VEVENT", "VTIMEZONE", "STANDARD", "DAYLIGHT":
		return true
	}
	return false
}

// cleaner goes through a document's lines and gives its components, each by itself, as the decoder reads it: well-formed
// lines in balanced components. What the document's end cuts off is left out.
type cleaner struct {
	// give gets a component of a calendar, or the calendar's own properties as one named VCALENDAR.
	give func(name, text string)
	// only says which of the components in a calendar are of interest.
	only func(name string) bool

	found   bool // a calendar began
	cut     bool // the document ended inside one
	bad     int  // lines that were left out
	badLine string
	events  int
}

// nesting are the components that are open.
type nesting struct {
	c          *cleaner
	open       []string
	text, head strings.Builder // of the component in a calendar, and of the calendar itself
}

func (n *nesting) write(line string) {
	to := &n.text
	if len(n.open) == 1 {
		to = &n.head
	}
	to.WriteString(line)
	to.WriteString("\r\n")
}

// end closes what is open down to a depth. Only what was closed by its own line is whole.
func (n *nesting) end(depth int, whole bool) {
	for len(n.open) > depth {
		name := n.open[len(n.open)-1]
		whole := whole && len(n.open) == depth+1
		switch len(n.open) {
		case 1:
			n.c.give(name, n.head.String())
			n.head.Reset()
		case 2:
			if whole {
				n.c.give(name, n.text.String()+"END:"+name+"\r\n")
			}
			n.text.Reset()
		default:
			n.text.WriteString("END:" + name + "\r\n")
		}
		n.open = n.open[:len(n.open)-1]
	}
}

// close closes the innermost component of a name, if one is open, and all inside it.
func (n *nesting) close(name string) {
	for depth, open := range slices.Backward(n.open) {
		if open == name {
			n.end(depth, true)
			return
		}
	}
}

func (c *cleaner) clean(b []byte) error {
	in := nesting{c: c}
	skip := 0 // depth within what is passed over
	var failed error
	unfold(decodeText(b), func(line string) bool {
		name, at, ok := splitLine(line)
		if !ok {
			if len(in.open) > 0 && strings.TrimSpace(line) != "" && skip == 0 {
				if c.bad++; c.bad == 1 {
					c.badLine = shorten(line, 60)
				}
			}
			return true
		}
		value := ""
		if name == "BEGIN" || name == "END" {
			value = strings.ToUpper(strings.TrimSpace(line[min(at, len(line)):]))
		}
		switch {
		case name == "BEGIN" && value == "VCALENDAR" && skip == 0:
			in.end(0, false) // one before it may have no end
			c.found = true
			in.open = append(in.open, value)
		case name == "BEGIN" && skip > 0:
			skip++
		case name == "END" && skip > 0:
			skip--
		case name == "BEGIN":
			if len(in.open) == 0 || !kept(value) || len(in.open) >= maxDepth || len(in.open) == 1 && !c.only(value) {
				skip++
				break
			}
			if value == "VEVENT" {
				if c.events++; c.events > MaxEvents {
					failed = fmt.Errorf("the calendar holds more than %d events", MaxEvents)
					return false
				}
			}
			in.open = append(in.open, value)
			in.write("BEGIN:" + value)
		case name == "END":
			in.close(value)
		case skip == 0 && len(in.open) > 0:
			in.write(line)
		}
		return true
	})
	c.cut = len(in.open) > 0 || skip > 0 && c.found
	in.end(0, false)
	return failed
}

func shorten(s string, n int) string {
	if s = strings.Join(strings.Fields(s), " "); len(s) > n {
		s = strings.ToValidUTF8(s[:n], "") + "…"
	}
	return s
}
