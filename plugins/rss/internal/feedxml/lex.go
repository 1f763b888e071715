package feedxml

import (
	"bytes"
)

// attribute as it stands in the document: value still escaped.
type attribute struct{ name, value []byte }

var (
	commentStart = []byte("<!--")
	commentEnd   = []byte("-->")
	cdataStart   = []byte("<![CDATA[")
	cdataEnd     = []byte("]]>")
	piEnd        = []byte("?>")
)

// run reads the document token by token until its root is closed.
func (s *scanner) run() error {
	for s.pos < len(s.data) && !s.closed {
		next := bytes.IndexByte(s.data[s.pos:], '<')
		if next < 0 {
			next = len(s.data) - s.pos
		}
		if next > 0 {
			s.characters(s.data[s.pos:s.pos+next], false)
			s.pos += next
		}
		if s.pos < len(s.data) {
			if err := s.markup(); err != nil {
				return err
			}
		}
		if s.err != nil {
			return s.err
		}
		if s.tokens++; s.tokens%1024 == 0 && s.ctx.Err() != nil {
			return s.ctx.Err()
		}
	}
	return nil
}

// markup reads what begins with the < at pos. What has no end ends the document there.
func (s *scanner) markup() error {
	rest := s.data[s.pos:]
	through := func(end []byte, from int) []byte {
		n := bytes.Index(rest[from:], end)
		if n < 0 {
			s.pos = len(s.data)
			return nil
		}
		s.pos += from + n + len(end)
		return rest[from : from+n]
	}
	switch {
	case bytes.HasPrefix(rest, commentStart):
		through(commentEnd, len(commentStart))
	case bytes.HasPrefix(rest, cdataStart):
		if text := through(cdataEnd, len(cdataStart)); text != nil {
			s.characters(text, true)
		}
	case len(rest) >= 9 && bytes.EqualFold(rest[:9], []byte("<!DOCTYPE")):
		if len(s.stack) == 0 {
			return s.doctype()
		}
		through([]byte(">"), 2)
	case len(rest) > 1 && rest[1] == '!':
		through([]byte(">"), 2)
	case len(rest) > 1 && rest[1] == '?':
		through(piEnd, 2)
	case len(rest) > 2 && rest[1] == '/' && nameStart(rest[2]):
		if name := through([]byte(">"), 2); name != nil {
			s.end(bytes.TrimSpace(name))
		}
	case len(rest) > 1 && nameStart(rest[1]):
		return s.startTag(rest)
	default:
		s.fixed.less++
		s.characters([]byte("<"), true)
		s.pos++
	}
	return nil
}

func nameStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c >= 0x80
}

func blank(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// startTag reads a start tag with its attributes. Values without quotes and tags that the next one interrupts are taken
// as HTML takes them.
func (s *scanner) startTag(rest []byte) error {
	i := 1
	for i < len(rest) && !blank(rest[i]) && rest[i] != '>' && rest[i] != '/' && rest[i] != '<' {
		i++
	}
	name := rest[1:i]
	if len(name) > maxName {
		return tooLarge("the feed has an element with a name of more than %d bytes", maxName)
	}
	s.attrs = s.attrs[:0]
	for {
		for i < len(rest) && (blank(rest[i]) || rest[i] == '/' && (i+1 >= len(rest) || rest[i+1] != '>')) {
			i++
		}
		if i >= len(rest) {
			s.pos = len(s.data)
			return nil
		}
		empty := rest[i] == '/'
		if empty || rest[i] == '>' || rest[i] == '<' {
			switch {
			case empty:
				i += 2
			case rest[i] == '>':
				i++
			default:
				s.fixed.tag++
			}
			s.pos += i
			return s.start(name, empty)
		}
		a, n := readAttribute(rest[i:])
		if n < 0 {
			s.pos = len(s.data)
			return nil
		}
		i += n
		if len(s.attrs) == MaxAttributes {
			return tooLarge("the feed has an element with more than %d attributes", MaxAttributes)
		}
		s.attrs = append(s.attrs, a)
	}
}

// readAttribute reads one attribute and gives the length it took, or -1 when the document ends in it.
func readAttribute(b []byte) (attribute, int) {
	i := 0
	for i < len(b) && !blank(b[i]) && b[i] != '=' && b[i] != '>' && b[i] != '/' && b[i] != '<' {
		i++
	}
	a := attribute{name: b[:i]}
	if i == 0 { // a stray = or the like
		return a, 1
	}
	j := i
	for j < len(b) && blank(b[j]) {
		j++
	}
	if j >= len(b) {
		return a, -1
	}
	if b[j] != '=' {
		return a, i
	}
	for j++; j < len(b) && blank(b[j]); j++ {
	}
	if j >= len(b) {
		return a, -1
	}
	if q := b[j]; q == '"' || q == '\'' {
		end := bytes.IndexByte(b[j+1:], q)
		if end < 0 {
			return a, -1
		}
		a.value = b[j+1 : j+1+end]
		return a, j + end + 2
	}
	start := j
	for j < len(b) && !blank(b[j]) && b[j] != '>' && b[j] != '<' {
		j++
	}
	a.value = b[start:j]
	return a, j
}
