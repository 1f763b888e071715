package feedxml

import (
	"bytes"
	"context"
	"net/url"
	"slices"
)

// role is what an open element is to the scanner.
type role uint8

const (
	roleSkip    role = iota // unknown: read over
	rolePlain               // markup inside a text that takes none: its text counts
	roleInline              // markup inside a text that is HTML
	roleText                // the text that is being collected
	roleParent              // known children
	roleItem                // an item or entry
	roleElement             // rss, rdf:RDF, channel
)

// frame is one open element.
type frame struct {
	name     []byte // as written
	role     role
	level    level
	element  *element
	bindings int // how many namespaces were bound outside
	base     *url.URL
	lang     string
	local    string // the name of an inline element
}

type binding struct {
	prefix []byte
	ns     string
}

// form is how the text that is being collected is to be read.
type form uint8

const (
	formText    form = iota // plain
	formHTML                // HTML once unescaped
	formEscaped             // plain, to be written as HTML
	formXHTML               // markup inside
	formNone                // not text at all
)

type scanner struct {
	ctx  context.Context
	opt  Options
	data []byte
	pos  int
	doc  *Document

	stack    []frame
	bindings []binding
	attrs    []attribute
	declared map[string]bool // entities of the DOCTYPE
	table    *table
	key      []byte // scratch for looking names up

	// text is what the frame at collecting-1 has held so far; 0 means that no text is being collected.
	collecting int
	form       form
	text       []byte
	open       []byte // the canonical start tag of that element

	items    []span // of the kept items in arena
	inItem   bool   // the current item is kept
	mark     int    // where the current item begins in arena
	item     Item
	counts   []uint16 // of each known element in the item, or in the head
	feeds    []uint16
	head     []byte
	arena    []byte
	elements int
	tokens   int
	closed   bool // the root is closed
	err      error
	fixed    repairs
}

type span struct{ from, to int }

// out is where the canonical form of the current element goes.
func (s *scanner) out() *[]byte {
	if s.inItem {
		return &s.arena
	}
	return &s.head
}

func (s *scanner) top() *frame {
	if len(s.stack) == 0 {
		return &frame{role: roleElement}
	}
	return &s.stack[len(s.stack)-1]
}

// start opens an element.
func (s *scanner) start(name []byte, empty bool) error {
	if s.elements++; s.elements > MaxElements {
		return tooLarge("the feed has more than %d elements", MaxElements)
	}
	prefix, local := split(name)
	ns := s.resolve(prefix)
	item := len(s.stack) > 0 && s.isItem(ns, local)
	s.closeForgotten(item, ns, local)
	if len(s.stack) >= MaxDepth {
		return tooLarge("the feed is nested more than %d levels deep", MaxDepth)
	}
	parent := s.top()
	f := frame{name: name, role: roleSkip, bindings: len(s.bindings), base: parent.base, lang: parent.lang, level: parent.level}
	if err := s.readXMLAttributes(&f); err != nil {
		return err
	}
	switch {
	case len(s.stack) == 0:
		if err := s.root(&f, ns, local); err != nil || f.role == roleSkip {
			return err
		}
	case item && parent.role == roleElement:
		if err := s.startItem(&f); err != nil {
			return err
		}
	case parent.role == roleSkip:
	case s.collecting > 0:
		if s.inline(&f, ns, local); f.role == roleInline && !empty && void(f.local) {
			s.bindings = s.bindings[:f.bindings]
			return nil
		}
	default:
		s.known(&f, ns, local)
	}
	s.stack = append(s.stack, f)
	if f.role == roleText {
		s.collecting = len(s.stack)
	}
	if empty {
		s.pop()
	}
	return nil
}

// closeForgotten closes what the next start tag shows to have been left open: an item in which the next one begins, a
// text in which the next element begins.
func (s *scanner) closeForgotten(item bool, ns string, local []byte) {
	if item && (s.collecting == 0 || s.form != formXHTML) {
		for i := len(s.stack) - 1; i >= 0 && s.stack[i].role != roleSkip; i-- {
			if s.stack[i].role == roleItem || s.stack[i].role == roleText && s.stack[i].level == levelFeed {
				s.fixed.tag++
				s.closeTo(i)
				return
			}
		}
	}
	top := s.top()
	if e := top.element; top.role == roleSkip && e != nil && e.kind == kindEmpty && s.lookup(top.level, ns, local) != nil {
		s.fixed.tag++
		s.pop()
		return
	}
	switch {
	case s.collecting == 0 || top.role == roleSkip:
	case s.interrupts(ns, local):
		s.fixed.tag++
		s.closeTo(s.collecting - 1)
	case s.form == formHTML && top.role == roleInline && (top.local == "p" || top.local == "li") && top.local == string(bytes.ToLower(local)):
		s.pop() // HTML's end tags of paragraphs and list items are optional
	}
}

func split(name []byte) (prefix, local []byte) {
	if before, after, ok := bytes.Cut(name, []byte{':'}); ok {
		return before, after
	}
	return nil, name
}

// readXMLAttributes takes namespace declarations, xml:base and xml:lang.
func (s *scanner) readXMLAttributes(f *frame) error {
	for _, a := range s.attrs {
		switch {
		case len(a.name) < 5 || a.name[0] != 'x':
		case string(a.name) == "xmlns":
			s.bindings = append(s.bindings, binding{nil, namespace(a.value)})
		case bytes.HasPrefix(a.name, []byte("xmlns:")):
			s.bindings = append(s.bindings, binding{a.name[6:], namespace(a.value)})
		case string(a.name) == "xml:base":
			f.base = s.rebase(f.base, s.attributeValue(a))
		case string(a.name) == "xml:lang":
			f.lang = s.attributeValue(a)
		}
	}
	if len(s.bindings) > maxBindings {
		return tooLarge("the feed has more than %d namespaces", maxBindings)
	}
	return nil
}

func (s *scanner) rebase(outer *url.URL, value string) *url.URL {
	u, err := url.Parse(value)
	if err != nil || len(value) > MaxPlain || value == "" {
		return outer
	}
	if outer == nil {
		outer = s.opt.URL
	}
	if outer != nil {
		return outer.ResolveReference(u)
	}
	return u
}

// resolve gives the short name of the namespace that the prefix of the present start tag stands for.
func (s *scanner) resolve(prefix []byte) string {
	for _, a := range s.attrs {
		if p, local := split(a.name); len(a.name) >= 5 && (p == nil && prefix == nil && string(local) == "xmlns" ||
			string(p) == "xmlns" && prefix != nil && bytes.Equal(local, prefix)) {
			return s.short(namespace(a.value))
		}
	}
	for _, v := range slices.Backward(s.bindings) {
		if bytes.Equal(v.prefix, prefix) {
			return s.short(v.ns)
		}
	}
	if prefix == nil {
		return nsNative
	}
	if ns, ok := prefixes[string(bytes.ToLower(prefix))]; ok {
		return s.short(ns)
	}
	return nsUnknown
}

// short makes Atom's elements native in an Atom feed.
func (s *scanner) short(ns string) string {
	if ns == "atom" && s.doc.Format == Atom {
		return nsNative
	}
	return ns
}

func (s *scanner) isItem(ns string, local []byte) bool {
	if ns != nsNative {
		return false
	}
	if s.doc.Format == Atom {
		return bytes.EqualFold(local, []byte("entry"))
	}
	return bytes.EqualFold(local, []byte("item"))
}

func (s *scanner) startItem(f *frame) error {
	if s.doc.Total++; s.doc.Total > MaxItems {
		return tooLarge("the feed has more than %d items", MaxItems)
	}
	if len(s.arena) > maxArena {
		return tooLarge("the feed's items are larger than %d MiB", maxArena>>20)
	}
	f.level = levelItem
	if s.doc.Total <= s.opt.Skip || len(s.items) >= s.opt.Keep {
		f.role = roleSkip
		return nil
	}
	f.role = roleItem
	if s.arena == nil {
		s.arena = make([]byte, 0, len(s.data)-s.pos+1024)
	}
	s.inItem, s.mark = true, len(s.arena)
	s.item = Item{Base: f.base, Lang: f.lang}
	for _, a := range s.attrs {
		if _, local := split(a.name); bytes.EqualFold(local, []byte("about")) {
			s.item.ID, s.item.About = s.attributeValue(a), true
		}
	}
	clear(s.counts)
	if s.doc.Format == Atom {
		s.arena = append(s.arena, "<entry>"...)
	} else {
		s.arena = append(s.arena, "<item>"...)
	}
	return nil
}

func (s *scanner) endItem() {
	s.inItem = false
	if s.doc.Format == Atom {
		s.arena = append(s.arena, "</entry>"...)
	} else {
		s.arena = append(s.arena, "</item>"...)
	}
	s.items = append(s.items, span{s.mark, len(s.arena)})
	s.doc.Items = append(s.doc.Items, s.item)
}

// lookup finds a known child of a level.
func (s *scanner) lookup(l level, ns string, local []byte) *element {
	if ns == nsUnknown || len(local) > 40 {
		return nil
	}
	s.key = s.key[:0]
	if ns != nsNative {
		s.key = append(append(s.key, ns...), ':')
	}
	for _, c := range local {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		s.key = append(s.key, c)
	}
	return s.table[l][string(s.key)]
}

// known opens an element outside of texts.
func (s *scanner) known(f *frame, ns string, local []byte) {
	if f.level == levelRoot {
		if ns == nsNative && bytes.EqualFold(local, []byte("channel")) {
			f.role, f.level = roleElement, levelFeed
			if f.base != nil {
				s.doc.Base = f.base
			}
			if f.lang != "" {
				s.doc.Lang = f.lang
			}
		}
		return
	}
	e := s.lookup(f.level, ns, local)
	if e == nil {
		return
	}
	counts := s.counts
	if !s.inItem {
		counts = s.feeds
	}
	if counts[e.index] >= e.max {
		return
	}
	counts[e.index]++
	f.element = e
	switch e.kind {
	case kindEmpty:
		s.emitStart(e, f, true)
	case kindParent:
		s.emitStart(e, f, false)
		f.role, f.level = roleParent, e.level
	default:
		s.startText(f)
	}
}

// end closes an element by its name, with everything inside it that is still open.
func (s *scanner) end(name []byte) {
	for i, v := range slices.Backward(s.stack) {
		if !bytes.EqualFold(v.name, name) {
			continue
		}
		if i < len(s.stack)-1 {
			s.fixed.tag++
		}
		s.closeTo(i)
		return
	}
	if _, local := split(name); !void(string(bytes.ToLower(local))) {
		s.fixed.tag++
	}
}

// closeTo closes every open element from the innermost to the one at index i.
func (s *scanner) closeTo(i int) {
	for len(s.stack) > i {
		s.pop()
	}
}

func (s *scanner) pop() {
	f := s.stack[len(s.stack)-1]
	s.stack = s.stack[:len(s.stack)-1]
	s.bindings = s.bindings[:f.bindings]
	switch f.role {
	case roleText:
		s.endText(&f)
	case roleInline:
		s.endInline(&f)
	case roleParent:
		s.emitEnd(f.element)
	case roleItem:
		s.endItem()
	}
	s.closed = len(s.stack) == 0
}

// finish closes what the document left open and drops what it left half done.
func (s *scanner) finish() (*Document, error) {
	if s.doc.Format == "" {
		return nil, &NotFeedError{}
	}
	if s.doc.Truncated = !s.closed; s.doc.Truncated {
		s.abandon()
	}
	s.head = append(s.head, s.closing()...)
	s.doc.Head = s.head
	for i, span := range s.items {
		s.doc.Items[i].Canonical = s.arena[span.from:span.to]
	}
	s.doc.Repairs = s.fixed.sentences(s.doc)
	return s.doc, nil
}

// abandon gives up the item or text in which the document ended.
func (s *scanner) abandon() {
	half := s.inItem || s.collecting > 0
	for _, f := range s.stack {
		half = half || f.role == roleSkip && f.level == levelItem
	}
	s.fixed.half = half
	for i := len(s.stack) - 1; i >= 0; i-- {
		switch f := &s.stack[i]; f.role {
		case roleItem:
			s.arena, s.inItem = s.arena[:s.mark], false
			s.doc.Total--
		case roleParent:
			s.emitEnd(f.element)
		}
	}
}
