package feedxml

import (
	"bytes"
	"maps"
	"strings"
)

// The short names of namespaces, which are the prefixes of the canonical form. Native elements have none.
const (
	nsNative  = ""
	nsUnknown = "?"
	nsXML     = "xml"
)

// namespaces by their URI in lower case without a final slash, since feeds vary both.
var namespaces = map[string]string{
	"http://purl.org/rss/1.0":                             nsNative,
	"http://channel.netscape.com/rdf/simple/0.9":          nsNative,
	"http://my.netscape.com/rdf/simple/0.9":               nsNative,
	"http://my.netscape.com/publish/formats/rss-0.91.dtd": nsNative,
	"http://backend.userland.com/rss2":                    nsNative,
	"http://backend.userland.com/rss":                     nsNative,
	"http://blogs.law.harvard.edu/tech/rss":               nsNative,
	"http://www.w3.org/2005/atom":                         "atom",
	"http://purl.org/atom/ns#":                            "atom",
	"http://www.w3.org/1999/02/22-rdf-syntax-ns#":         "rdf",
	"http://purl.org/rss/1.0/modules/content":             "content",
	"http://purl.org/dc/elements/1.1":                     "dc",
	"http://purl.org/dc/elements/1.0":                     "dc",
	"http://purl.org/dc/terms":                            "dcterms",
	"http://search.yahoo.com/mrss":                        "media",
	"http://video.search.yahoo.com/mrss":                  "media",
	"http://www.itunes.com/dtds/podcast-1.0.dtd":          "itunes",
	"http://purl.org/rss/1.0/modules/syndication":         "sy",
	"http://purl.org/syndication/history/1.0":             "fh",
	"http://purl.org/atompub/tombstones/1.0":              "at",
	"http://www.w3.org/2007/app":                          "app",
	"http://purl.org/atom/app#":                           "app",
	"http://rssnamespace.org/feedburner/ext/1.0":          "feedburner",
	"http://www.w3.org/1999/xhtml":                        "xhtml",
	"http://www.w3.org/xml/1998/namespace":                nsXML,
	"urn:belfry:feed:1":                                   "belfry",
}

// prefixes that mean their usual namespace where a document forgot to declare them.
var prefixes = map[string]string{
	"rss": nsNative, "atom": "atom", "rdf": "rdf", "content": "content", "dc": "dc", "dcterms": "dcterms", "media": "media",
	"itunes": "itunes", "sy": "sy", "fh": "fh", "at": "at", "app": "app", "feedburner": "feedburner", "xhtml": "xhtml",
	"belfry": "belfry", "xml": nsXML,
}

func namespace(uri []byte) string {
	key := strings.TrimSuffix(strings.ToLower(string(bytes.TrimSpace(uri))), "/")
	if key == "" {
		return nsNative
	}
	if ns, ok := namespaces[key]; ok {
		return ns
	}
	return nsUnknown
}

// kind is how an element's content is read.
type kind uint8

const (
	kindText      kind = iota // text without markup
	kindHTML                  // text that is HTML once unescaped, or has markup inside
	kindConstruct             // an Atom text construct, whose type attribute decides
	kindEmpty                 // attributes only
	kindParent                // known children
)

// note is what the scanner keeps of an element beside the canonical form.
type note uint8

const (
	noteNothing note = iota
	noteID
	noteDate
	noteContent
)

// level is where an element stands: which children it may have.
type level uint8

const (
	levelNone level = iota
	levelRoot
	levelFeed
	levelItem
	levelPerson
	levelMedia
	levelHours
	levelDays
	levelTombstone
	levelSource
	levelControl
	levels
)

type element struct {
	// tag is the canonical name; empty for an element that is only noted.
	tag  string
	kind kind
	// attrs are kept, written as they stand here and compared without case.
	attrs []string
	// max is how many of them one item, or the head, may have; more are left out.
	max   uint16
	note  note
	level level // of the children of a kindParent
	index uint8
}

type table [levels]map[string]*element

// tables of the two families, by "prefix:name" in lower case.
var rssTable, atomTable, elementCount = buildTables()

func buildTables() (rss, atom *table, count int) {
	text := func(tag string, most uint16, attrs ...string) *element {
		return &element{tag: tag, kind: kindText, max: most, attrs: attrs}
	}
	html := func(tag string, n note) *element { return &element{tag: tag, kind: kindHTML, max: 2, note: n} }
	construct := func(tag string, n note) *element { return &element{tag: tag, kind: kindConstruct, max: 2, note: n} }
	empty := func(tag string, most uint16, attrs ...string) *element {
		return &element{tag: tag, kind: kindEmpty, max: most, attrs: attrs}
	}
	parent := func(tag string, most uint16, l level, attrs ...string) *element {
		return &element{tag: tag, kind: kindParent, max: most, level: l, attrs: attrs}
	}
	date := func(tag string) *element { return &element{tag: tag, kind: kindText, max: 1, note: noteDate} }
	link := func(tag string) *element {
		return empty(tag, 32, "href", "rel", "type", "hreflang", "title", "length")
	}

	// What both families have at the feed and at an item.
	feed := map[string]*element{
		"dc:language": text("dc:language", 1), "dc:date": text("dc:date", 1), "dc:title": text("dc:title", 1),
		"dc:creator": text("dc:creator", 8), "dcterms:modified": text("dcterms:modified", 1),
		"sy:updateperiod": text("sy:updateperiod", 1), "sy:updatefrequency": text("sy:updatefrequency", 1),
		"itunes:new-feed-url": text("itunes:new-feed-url", 1), "itunes:complete": text("itunes:complete", 1),
		"itunes:author": text("itunes:author", 1), "itunes:summary": html("itunes:summary", noteNothing),
		"fh:complete": empty("fh:complete", 1), "fh:archive": empty("fh:archive", 1),
		"at:deleted-entry": parent("at:deleted-entry", 2000, levelTombstone, "ref", "when"),
	}
	item := map[string]*element{
		"content:encoded": html("content:encoded", noteContent),
		"dc:title":        text("dc:title", 1), "dc:creator": text("dc:creator", 32), "dc:subject": text("dc:subject", 64),
		"dc:date": date("dc:date"), "dc:language": text("dc:language", 1), "dc:description": html("dc:description", noteNothing),
		"dcterms:created": date("dcterms:created"), "dcterms:issued": date("dcterms:issued"), "dcterms:modified": text("dcterms:modified", 1),
		"dcterms:available": text("dcterms:available", 2), "dcterms:valid": text("dcterms:valid", 2),
		"media:group":     parent("media:group", 32, levelMedia),
		"media:content":   parent("media:content", 64, levelMedia, "url", "type", "medium", "width", "height", "duration"),
		"media:thumbnail": empty("media:thumbnail", 32, "url", "width", "height"),
		"media:title":     text("media:title", 32, "type"), "media:description": text("media:description", 32, "type"),
		"media:credit": text("media:credit", 64, "role"), "media:copyright": text("media:copyright", 32),
		"media:keywords": text("media:keywords", 1),
		"itunes:author":  text("itunes:author", 1), "itunes:title": text("itunes:title", 1), "itunes:image": empty("itunes:image", 1, "href", "url"),
		"itunes:summary": html("itunes:summary", noteNothing), "itunes:subtitle": text("itunes:subtitle", 1),
		"itunes:duration": text("itunes:duration", 1), "itunes:keywords": text("itunes:keywords", 1),
		"feedburner:origlink": text("feedburner:origlink", 1), "app:control": parent("app:control", 1, levelControl),
		"belfry:correction": text("belfry:correction", 1), "belfry:urgency": text("belfry:urgency", 1),
		"belfry:not-before": text("belfry:not-before", 1), "belfry:expires": text("belfry:expires", 1),
		"belfry:translation-of": text("belfry:translation-of", 1),
	}
	person := map[string]*element{
		"name": text("name", 64), "atom:name": text("name", 64),
		"uri": text("uri", 64), "atom:uri": text("uri", 64), "url": text("uri", 64), "atom:url": text("uri", 64),
	}
	media := map[string]*element{}
	for _, name := range []string{"content", "thumbnail", "title", "description", "credit", "copyright"} {
		media["media:"+name] = item["media:"+name]
	}
	shared := table{
		levelPerson: person, levelMedia: media,
		levelHours: {"hour": text("hour", 24)}, levelDays: {"day": text("day", 7)},
		levelTombstone: {"at:comment": text("at:comment", 2000)},
		levelControl:   {"app:draft": text("app:draft", 1)},
	}

	rss, atom = new(table), new(table)
	*rss, *atom = shared, shared
	rss[levelFeed] = merge(feed, map[string]*element{
		"title": text("title", 1), "link": text("link", 4, "href"), "description": html("description", noteNothing),
		"language": text("language", 1), "pubdate": text("pubDate", 1), "lastbuilddate": text("lastBuildDate", 1), "ttl": text("ttl", 1),
		"skiphours": parent("skipHours", 1, levelHours), "skipdays": parent("skipDays", 1, levelDays), "atom:link": link("atom:link"),
	})
	rss[levelItem] = merge(item, map[string]*element{
		"title": text("title", 1), "link": text("link", 4, "href"), "description": html("description", noteContent),
		"encoded": html("content:encoded", noteContent), "author": text("author", 32), "category": text("category", 64),
		"enclosure": empty("enclosure", 32, "url", "length", "type"), "expirationdate": text("expirationDate", 1),
		"guid":    {tag: "guid", kind: kindText, max: 1, attrs: []string{"isPermaLink"}, note: noteID},
		"pubdate": date("pubDate"), "atom:link": link("atom:link"), "atom:author": parent("atom:author", 32, levelPerson),
		"atom:category": empty("atom:category", 64, "term", "label"), "atom:published": date("atom:published"), "atom:updated": text("atom:updated", 1),
		"atom:summary": construct("atom:summary", noteNothing), "atom:content": construct("atom:content", noteContent),
	})
	atom[levelFeed] = merge(feed, map[string]*element{
		"title": construct("title", noteNothing), "subtitle": construct("subtitle", noteNothing), "tagline": construct("subtitle", noteNothing),
		"updated": text("updated", 1), "modified": text("updated", 1), "link": link("link"), "author": parent("author", 8, levelPerson),
	})
	atom[levelItem] = merge(item, map[string]*element{
		"title": construct("title", noteNothing), "summary": construct("summary", noteNothing),
		"content": {tag: "content", kind: kindConstruct, max: 1, attrs: []string{"src"}, note: noteContent},
		"id":      {kind: kindText, max: 1, note: noteID},
		"updated": date("updated"), "modified": date("updated"), "published": date("published"), "issued": date("published"), "created": date("published"),
		"link": link("link"), "author": parent("author", 32, levelPerson), "category": empty("category", 64, "term", "label", "scheme"),
		"source": parent("source", 1, levelSource),
	})
	atom[levelSource] = map[string]*element{"author": parent("author", 8, levelPerson)}

	seen := map[*element]bool{}
	for _, t := range []*table{rss, atom} {
		for _, elements := range t {
			for _, e := range elements {
				if !seen[e] {
					seen[e] = true
					e.index = uint8(count)
					count++
				}
			}
		}
	}
	return rss, atom, count
}

func merge(a, b map[string]*element) map[string]*element {
	out := make(map[string]*element, len(a)+len(b))
	for _, m := range []map[string]*element{a, b} {
		maps.Copy(out, m)
	}
	return out
}
