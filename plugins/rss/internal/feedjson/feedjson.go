// Package feedjson makes any JSON Feed safe and plain to parse.
//
// Scan reads a document once, front to back, without recursion, refuses what is built to hurt (depth, number of values and
// items) and repairs what is merely broken: raw control characters in strings, commas before a closing bracket, a missing
// end. What comes out is well-formed JSON, cut into the feed's own members and its items, so that one item that a parser
// does not understand costs no other.
package feedjson

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// Limits on a document. What exceeds them is refused with CodeTooLarge, or left out where Scan says so.
const (
	MaxDepth  = 64
	MaxValues = 1_000_000
	MaxItems  = 50_000 // read; how many are kept is Options.Keep
	maxArray  = 256    // members of any other list or object; more are left out
)

// Options of a scan.
type Options struct {
	// Skip leaves out so many items at the beginning, and Keep is the most that are kept after them.
	Skip, Keep int
}

// Document is what a scan found.
type Document struct {
	// Head is the feed's object without its items.
	Head []byte
	// Items are the objects of the items, in the order of the document.
	Items [][]byte
	// Total counts the items of the document, kept or not.
	Total int
	// Truncated says that the document ended early and that its last item may be missing.
	Truncated bool
	// Repairs are sentences about what was broken and how it was read.
	Repairs []string
}

const op = "read feed"

func tooLarge(format string, args ...any) error {
	return sdk.Errorf(sdk.CodeTooLarge, op, format, args...)
}
func invalid(format string, args ...any) error {
	return sdk.Errorf(sdk.CodeInvalid, op, format, args...)
}

// Scan reads a document in UTF-8. Its errors are an *sdk.Error with CodeTooLarge for what is beyond the limits and
// CodeInvalid for what is no JSON Feed.
func Scan(ctx context.Context, data []byte, o Options) (*Document, error) {
	s := scanner{ctx: ctx, opt: o, data: data, doc: &Document{}}
	if err := s.feed(); err != nil {
		return nil, err
	}
	return s.finish()
}

type span struct{ from, to int }

type scanner struct {
	ctx  context.Context
	opt  Options
	data []byte
	pos  int
	doc  *Document
	out  []byte // the canonical members of the head, then of each kept item
	head []byte
	// items in out.
	items                  []span
	hasItems, cut          bool
	values                 int
	control, commas, extra int
	stack                  []level
}

// level is one open object or array while a value is read.
type level struct {
	closing byte
	members int
	// wrote says that something was written inside, so that the next member needs a comma.
	wrote bool
	// mark is where out ended when the last member that is kept was written.
	mark int
}

// feed reads the outermost object member by member.
func (s *scanner) feed() error {
	s.blanks()
	if s.peek() != '{' {
		return invalid("the document is JSON, but not an object as a JSON Feed is")
	}
	s.pos++
	for s.head = append(s.head, '{'); ; {
		s.blanks()
		switch s.peek() {
		case 0:
			s.cut = true
			return nil
		case '}':
			return nil
		case ',':
			s.pos++
			continue
		case '"':
		default:
			return invalid("the document is not well-formed JSON at byte %d", s.pos)
		}
		from := len(s.out)
		name, err := s.member()
		if err != nil || s.cut {
			return err
		}
		if string(name) == `"items"` && s.peek() == '[' {
			s.out = s.out[:from]
			if err := s.list(); err != nil || s.cut {
				return err
			}
			continue
		}
		if err := s.value(); err != nil || s.cut {
			s.out = s.out[:from]
			return err
		}
		if len(s.head) > 1 {
			s.head = append(s.head, ',')
		}
		s.head = append(s.head, s.out[from:]...)
		s.out = s.out[:from]
	}
}

// member reads a name and its colon into out, and gives the name with its quotes.
func (s *scanner) member() ([]byte, error) {
	from := len(s.out)
	if s.text(); s.cut {
		return nil, nil
	}
	name := s.out[from:]
	s.blanks()
	switch s.peek() {
	case 0:
		s.cut = true
	case ':':
		s.pos++
		s.out = append(s.out, ':')
		s.blanks()
	default:
		return nil, invalid("the document is not well-formed JSON at byte %d: a colon is missing", s.pos)
	}
	return name, nil
}

// list reads the items.
func (s *scanner) list() error {
	s.hasItems = true
	s.pos++
	for {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		s.blanks()
		switch s.peek() {
		case 0:
			s.cut = true
			return nil
		case ']':
			s.pos++
			return nil
		case ',':
			s.pos++
			continue
		}
		object := s.peek() == '{'
		from := len(s.out)
		if err := s.value(); err != nil {
			return err
		}
		if s.cut {
			s.out = s.out[:from]
			return nil
		}
		if !object {
			s.extra++
			s.out = s.out[:from]
			continue
		}
		if s.doc.Total++; s.doc.Total > MaxItems {
			return tooLarge("the feed has more than %d items", MaxItems)
		}
		if s.doc.Total <= s.opt.Skip || len(s.items) >= s.opt.Keep {
			s.out = s.out[:from]
			continue
		}
		s.items = append(s.items, span{from, len(s.out)})
	}
}

// value copies one value to out. It keeps its own stack, so that depth costs nothing but its limit.
func (s *scanner) value() error {
	s.stack = s.stack[:0]
	for {
		s.blanks()
		c := s.peek()
		if c == 0 {
			s.cut = true
			return nil
		}
		if n := len(s.stack); n > 0 {
			done, err := s.between(c)
			if err != nil || s.cut {
				return err
			}
			if done {
				if len(s.stack) == 0 {
					return nil
				}
				continue
			}
			c = s.peek()
		}
		if s.values++; s.values > MaxValues {
			return tooLarge("the feed has more than %d values", MaxValues)
		}
		switch c {
		case '{', '[':
			if len(s.stack) >= MaxDepth {
				return tooLarge("the feed is nested more than %d levels deep", MaxDepth)
			}
			s.pos++
			s.out = append(s.out, c)
			s.stack = append(s.stack, level{closing: c + 2})
			continue
		case '"':
			s.text()
		default:
			if err := s.scalar(); err != nil {
				return err
			}
		}
		if s.cut || len(s.stack) == 0 {
			return nil
		}
	}
}

// between handles what stands between the members of the innermost object or array: separators, names, the end. done says
// that no value follows yet.
func (s *scanner) between(c byte) (done bool, err error) {
	l := &s.stack[len(s.stack)-1]
	if l.members > maxArray {
		s.out = s.out[:l.mark]
	}
	switch {
	case c == ',':
		s.pos++
		s.blanks()
		if next := s.peek(); next == '}' || next == ']' || next == ',' {
			s.commas++
		}
		return true, nil
	case c == l.closing:
		s.pos++
		s.out = append(s.out, c)
		s.stack = s.stack[:len(s.stack)-1]
		return true, nil
	case c == '}' || c == ']':
		return false, invalid("the document is not well-formed JSON at byte %d: %q does not fit", s.pos, c)
	}
	l.members++
	if l.members == maxArray+1 {
		l.mark = len(s.out)
	}
	if l.members > maxArray {
		s.extra++
	}
	if l.wrote {
		s.out = append(s.out, ',')
	}
	l.wrote = true
	if l.closing == '}' {
		if c != '"' {
			return false, invalid("the document is not well-formed JSON at byte %d: a name is missing", s.pos)
		}
		_, err = s.member()
		if err == nil && !s.cut && s.peek() == 0 {
			s.cut = true
		}
	}
	return false, err
}

func (s *scanner) peek() byte {
	if s.pos >= len(s.data) {
		return 0
	}
	return s.data[s.pos]
}

func (s *scanner) blanks() {
	for s.pos < len(s.data) {
		switch s.data[s.pos] {
		case ' ', '\n', '\r', '\t':
			s.pos++
		default:
			return
		}
	}
}

// text copies a string; control characters in it, which JSON forbids, are escaped or, if they mean nothing, left out.
func (s *scanner) text() {
	s.pos++
	start := s.pos
	s.out = append(s.out, '"')
	for i := s.pos; i < len(s.data); i++ {
		c := s.data[i]
		switch {
		case c == '"':
			s.out = append(append(s.out, s.data[start:i]...), '"')
			s.pos = i + 1
			return
		case c == '\\' && i+1 < len(s.data) && s.data[i+1] >= 0x20:
			i++
		case c < 0x20 || c == '\\':
			s.control++
			s.out = append(s.out, s.data[start:i]...)
			switch c {
			case '\n', '\r', '\t':
				s.out = append(s.out, ' ')
			}
			start = i + 1
		}
	}
	s.pos, s.cut = len(s.data), true
}

// scalar copies a number, true, false or null.
func (s *scanner) scalar() error {
	from := s.pos
	for s.pos < len(s.data) && strings.IndexByte(" \n\r\t,]}:{[\"", s.data[s.pos]) < 0 {
		s.pos++
	}
	if s.pos == from || s.pos-from > 400 {
		return invalid("the document is not well-formed JSON at byte %d", from)
	}
	if s.pos == len(s.data) {
		s.cut = true
		return nil
	}
	s.out = append(s.out, s.data[from:s.pos]...)
	return nil
}

func (s *scanner) finish() (*Document, error) {
	if !s.hasItems {
		return nil, invalid("the document is JSON, but no JSON Feed: it has no list of items")
	}
	d := s.doc
	d.Head = slices.Concat(s.head, []byte{'}'})
	for _, i := range s.items {
		d.Items = append(d.Items, s.out[i.from:i.to])
	}
	d.Truncated = s.cut
	add := func(n int, what string) {
		if n > 0 {
			d.Repairs = append(d.Repairs, fmt.Sprintf(what, n))
		}
	}
	add(s.control, "control characters, which JSON forbids, were left out of texts (%d)")
	add(s.commas, "commas without a value behind them were left out (%d)")
	add(s.extra, "members of lists that are too long, and items that are no objects, were left out (%d)")
	if d.Truncated {
		d.Repairs = append(d.Repairs, fmt.Sprintf("the document ends early: what it broke off in was left out; complete items: %d", d.Total))
	}
	return d, nil
}

// Wrap makes a document of items, for a parser.
func Wrap(items [][]byte) []byte {
	out := []byte(`{"items":[`)
	for i, item := range items {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, item...)
	}
	return append(out, "]}"...)
}
