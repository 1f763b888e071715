package feedxml

import (
	"bytes"
)

// root decides by the first element what the document is.
func (s *scanner) root(f *frame, ns string, local []byte) error {
	f.level = levelRoot
	switch name := string(bytes.ToLower(local)); name {
	case "rss", "rdf":
		s.doc.Format, s.table = RSS, rssTable
		f.role = roleElement
	case "channel":
		// A channel without <rss> around it.
		s.doc.Format, s.table = RSS, rssTable
		f.role, f.level = roleElement, levelFeed
	case "feed":
		s.doc.Format, s.table = Atom, atomTable
		f.role, f.level = roleElement, levelFeed
	default:
		if page[name] && name == "html" {
			return &NotFeedError{Page: true}
		}
		// A program's warning may stand in front of the feed, as HTML.
		if at := feedAhead(s.data[s.pos:]); at >= 0 {
			s.fixed.junk = true
			s.pos += at
			s.bindings = s.bindings[:f.bindings]
			f.role = roleSkip
			return nil
		}
		return &NotFeedError{Page: page[name], Root: name}
	}
	if ns != nsNative && ns != "rdf" && len(f.name) == len(local) {
		// Whatever the root without a prefix is bound to, its like are the feed's own elements.
		for i := range s.bindings {
			if s.bindings[i].prefix == nil {
				s.bindings[i].ns = nsNative
			}
		}
	}
	s.doc.Base, s.doc.Lang = f.base, f.lang
	s.counts, s.feeds = make([]uint16, elementCount), make([]uint16, elementCount)
	s.head = append(s.head, s.opening()...)
	return nil
}

func (s *scanner) opening() string {
	if s.doc.Format == Atom {
		return "<feed>"
	}
	return "<rss><channel>"
}

func (s *scanner) closing() string {
	if s.doc.Format == Atom {
		return "</feed>"
	}
	return "</channel></rss>"
}

var page = map[string]bool{"html": true, "head": true, "body": true, "div": true, "meta": true, "title": true, "script": true,
	"p": true, "br": true, "b": true, "center": true, "table": true, "h1": true, "link": true, "style": true}

// feedAhead finds where a feed begins within the next 64 KiB.
func feedAhead(b []byte) int {
	b = b[:min(len(b), 64<<10)]
	for i := 0; ; i++ {
		n := bytes.IndexByte(b[i:], '<')
		if n < 0 {
			return -1
		}
		i += n
		for _, begin := range []string{"<?xml", "<rss", "<feed", "<rdf:RDF"} {
			if len(b)-i > len(begin) && bytes.EqualFold(b[i:i+len(begin)], []byte(begin)) {
				return i
			}
		}
	}
}

// Wrap makes a document of items, for a parser.
func (d *Document) Wrap(items []Item) []byte {
	size := 64
	for i := range items {
		size += len(items[i].Canonical)
	}
	s := scanner{doc: d}
	out := make([]byte, 0, size)
	out = append(out, s.opening()...)
	for i := range items {
		out = append(out, items[i].Canonical...)
	}
	return append(out, s.closing()...)
}
