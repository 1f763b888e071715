package feedxml

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// startText begins to collect the text of an element.
func (s *scanner) startText(f *frame) {
	f.role = roleText
	s.text = s.text[:0]
	e := f.element
	switch e.kind {
	case kindText:
		s.form = formText
	case kindHTML:
		s.form = formHTML
	case kindConstruct:
		s.form = s.constructForm(e)
	}
	if s.inItem && e.note == noteContent {
		if f.base != s.item.Base {
			s.item.ContentBase = f.base
		}
		if s.item.Lang == "" {
			s.item.Lang = f.lang
		}
	}
	s.open = s.appendStart(s.open[:0], e, f)
}

// constructForm reads the type of an Atom text construct, and the mode that Atom 0.3 had beside it.
func (s *scanner) constructForm(e *element) form {
	typ, mode := "", ""
	for _, a := range s.attrs {
		switch string(a.name) {
		case "type":
			typ = strings.ToLower(strings.TrimSpace(s.attributeValue(a)))
		case "mode":
			mode = strings.ToLower(strings.TrimSpace(s.attributeValue(a)))
		}
	}
	typ, _, _ = strings.Cut(typ, ";")
	switch {
	case mode == "xml", strings.HasSuffix(typ, "xhtml"), typ == "application/xhtml+xml":
		return formXHTML
	case strings.HasSuffix(typ, "html"):
		return formHTML
	case mode == "base64" || typ == "application/octet-stream":
		return formNone
	case typ == "" || typ == "text" || strings.HasPrefix(typ, "text/") || e.note != noteContent:
		return formEscaped
	}
	return formNone // content of another kind
}

// limit of the text that is being collected.
func (s *scanner) limit() int {
	if s.form == formText {
		return MaxPlain
	}
	return MaxText
}

// characters takes a run of character data; literal is set for CDATA.
func (s *scanner) characters(run []byte, literal bool) {
	if s.collecting == 0 {
		if len(s.stack) == 0 && len(bytes.TrimSpace(run)) > 0 {
			s.fixed.junk = true
		}
		return
	}
	if room := s.limit() - len(s.text); len(run) > room {
		// The run is cut before it is decoded, which can only make it shorter: fewer bytes, never a torn character.
		if room <= 0 {
			s.fixed.cut++
			return
		}
		for room > 0 && !utf8.RuneStart(run[room]) {
			room--
		}
		run = run[:room]
		s.fixed.cut++
	}
	if s.form != formXHTML && s.form != formEscaped {
		s.text = s.appendDecoded(s.text, run, literal)
		return
	}
	from := len(s.text)
	s.text = s.appendDecoded(s.text, run, literal)
	if bytes.ContainsAny(s.text[from:], "<>&") {
		plain := string(s.text[from:])
		s.text = appendEscaped(s.text[:from], plain)
	}
}

func appendEscaped(dst []byte, s string) []byte {
	for i := range len(s) {
		switch s[i] {
		case '<':
			dst = append(dst, "&lt;"...)
		case '>':
			dst = append(dst, "&gt;"...)
		case '&':
			dst = append(dst, "&amp;"...)
		case '"':
			dst = append(dst, "&#34;"...)
		default:
			dst = append(dst, s[i])
		}
	}
	return dst
}

// ends are elements that cannot stand inside a text, so that one of them means that the text's end tag is missing.
var ends = map[string]bool{"guid": true, "pubdate": true, "link": true, "enclosure": true, "category": true, "title": true,
	"description": true, "comments": true}

// interrupts tells whether a start tag inside a text is really the next element.
func (s *scanner) interrupts(ns string, local []byte) bool {
	if ns != nsNative || s.form != formText && (s.form != formHTML || s.doc.Format == Atom) {
		return false
	}
	f := &s.stack[s.collecting-1]
	return f.level == levelItem && ends[string(bytes.ToLower(local))] && !bytes.EqualFold(f.name, local)
}

// inline reads markup inside a text.
func (s *scanner) inline(f *frame, ns string, local []byte) {
	f.role = rolePlain
	if s.form != formHTML && s.form != formXHTML || len(s.text) >= s.limit() {
		return
	}
	if ns != nsNative && ns != "xhtml" && ns != nsUnknown || !htmlName(local) {
		return
	}
	f.local = string(bytes.ToLower(local))
	if s.form == formXHTML && f.local == "div" && len(s.stack) == s.collecting && len(bytes.TrimSpace(s.text)) == 0 {
		return // the wrapper that RFC 4287 asks for
	}
	f.role = roleInline
	s.text = append(append(s.text, '<'), f.local...)
	for _, a := range s.attrs {
		_, name := split(a.name)
		if bytes.HasPrefix(a.name, []byte("xmlns")) || !htmlName(name) || len(s.text) >= s.limit() {
			continue
		}
		s.text = append(append(append(s.text, ' '), bytes.ToLower(name)...), '=', '"')
		s.text = appendEscaped(s.text, s.attributeValue(a))
		s.text = append(s.text, '"')
	}
	s.text = append(s.text, '>')
}

// htmlName tells whether a name can stand in HTML: letters, digits and hyphens.
func htmlName(name []byte) bool {
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return len(name) > 0
}

func (s *scanner) endInline(f *frame) {
	if void(f.local) {
		return
	}
	s.text = append(append(append(s.text, '<', '/'), f.local...), '>')
}

// void tells whether an element of HTML has no end tag.
func void(local string) bool {
	switch local {
	case "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr":
		return true
	}
	return false
}

// endText writes the element whose text is complete.
func (s *scanner) endText(f *frame) {
	s.collecting = 0
	text := bytes.TrimSpace(s.text)
	e := f.element
	if s.inItem {
		switch e.note {
		case noteID:
			if len(text) > 0 {
				s.item.ID, s.item.About = string(text), false
			}
		case noteDate:
			if s.item.Date == "" {
				s.item.Date = string(text)
			}
		}
	}
	if e.tag == "" {
		return
	}
	if s.form == formNone {
		text = nil
	}
	out := s.out()
	*out = append(*out, s.open...)
	*out = appendText(*out, text)
	s.emitEnd(e)
}

// appendText writes character data so that it needs no decoding.
func appendText(dst, text []byte) []byte {
	if !bytes.ContainsAny(text, "<>&") {
		return append(dst, text...)
	}
	dst = append(dst, cdataStart...)
	for {
		i := bytes.Index(text, cdataEnd)
		if i < 0 {
			break
		}
		dst = append(append(append(dst, text[:i+2]...), cdataEnd...), cdataStart...)
		text = text[i+2:]
	}
	return append(append(dst, text...), cdataEnd...)
}

func (s *scanner) emitStart(e *element, f *frame, empty bool) {
	if e.tag == "" {
		return
	}
	out := s.out()
	*out = s.appendStart(*out, e, f)
	if empty {
		s.emitEnd(e)
	}
}

func (s *scanner) emitEnd(e *element) {
	out := s.out()
	*out = append(append(append(*out, '<', '/'), e.tag...), '>')
}

// appendStart writes a canonical start tag with the attributes that are kept. An address that has an xml:base of its own
// is resolved here, since only the item's base is noted.
func (s *scanner) appendStart(dst []byte, e *element, f *frame) []byte {
	dst = append(append(dst, '<'), e.tag...)
	for _, name := range e.attrs {
		for _, a := range s.attrs {
			if len(a.name) != len(name) || !strings.EqualFold(string(a.name), name) {
				continue
			}
			value := s.attributeValue(a)
			if (name == "href" || name == "src" || name == "url") && f.base != nil && (!s.inItem || f.base != s.item.Base) {
				if u, err := f.base.Parse(strings.TrimSpace(value)); err == nil {
					value = u.String()
				}
			}
			dst = append(append(append(dst, ' '), name...), '=', '"')
			dst = appendEscaped(dst, value)
			dst = append(dst, '"')
			break
		}
	}
	if e.kind == kindConstruct {
		dst = append(dst, ` type="html"`...)
	}
	return append(dst, '>')
}

// attributeValue decodes the value of an attribute, at most MaxPlain bytes of it.
func (s *scanner) attributeValue(a attribute) string {
	v := a.value
	if len(v) > MaxPlain {
		n := MaxPlain
		for n > 0 && !utf8.RuneStart(v[n]) {
			n--
		}
		v = v[:n]
		s.fixed.cut++
	}
	if bytes.IndexByte(v, '&') < 0 && printable(v) {
		return string(v)
	}
	return string(s.appendDecoded(nil, v, false))
}

func printable(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c >= 0x80 {
			return false
		}
	}
	return true
}
