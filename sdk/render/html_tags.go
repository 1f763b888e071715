package render

import (
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// role is what an HTML element does to the text around it.
type role uint8

const (
	// roleInline holds running text; elements that are not known do.
	roleInline role = iota
	// roleVoid has no content.
	roleVoid
	// roleSkip has content that is not for readers.
	roleSkip
	// roleBlock stands on lines of its own.
	roleBlock
	roleHeading
	rolePre
	// roleSection is a part of a table around rows.
	roleSection
	// The others are containers.
	roleQuote
	roleList
	roleItem
	roleTable
	roleRow
	roleCell
	roleFigure
	roleCaption
)

func roleOf(tag string) role {
	switch tag {
	case "area", "base", "basefont", "bgsound", "br", "col", "embed", "frame", "hr", "img", "input", "keygen", "link", "meta",
		"param", "source", "track", "wbr":
		return roleVoid
	case "applet", "audio", "button", "canvas", "datalist", "form", "frameset", "head", "iframe", "map", "math", "meter", "noembed",
		"noframes", "object", "progress", "script", "select", "style", "svg", "template", "textarea", "title", "video":
		return roleSkip
	case "address", "article", "aside", "body", "caption", "center", "dd", "details", "dialog", "div", "dl", "dt", "fieldset",
		"footer", "header", "hgroup", "html", "legend", "main", "nav", "p", "search", "section", "summary":
		return roleBlock
	case "h1", "h2", "h3", "h4", "h5", "h6":
		return roleHeading
	case "listing", "plaintext", "pre", "xmp":
		return rolePre
	case "colgroup", "tbody", "tfoot", "thead":
		return roleSection
	case "blockquote":
		return roleQuote
	case "ul", "ol", "menu", "dir":
		return roleList
	case "li":
		return roleItem
	case "table":
		return roleTable
	case "tr":
		return roleRow
	case "td", "th":
		return roleCell
	case "figure":
		return roleFigure
	case "figcaption":
		return roleCaption
	}
	return roleInline
}

// attributes are those that matter, as they stand.
type attributes struct {
	href, src, lazySrc, srcset, alt, class, style, width, height, start, typ, lang, itemprop string
	hidden, ariaHidden                                                                       bool
}

// read takes the attributes of the tag that z has just read. Of several of one name the first counts.
func (a *attributes) read(z *html.Tokenizer) {
	for range 64 {
		key, val, more := z.TagAttr()
		field := (*string)(nil)
		switch string(key) {
		case "href":
			field = &a.href
		case "src":
			field = &a.src
		case "data-src", "data-lazy-src", "data-original":
			field = &a.lazySrc
		case "srcset", "data-srcset", "data-lazy-srcset":
			field = &a.srcset
		case "alt":
			field = &a.alt
		case "class":
			field = &a.class
		case "style":
			field = &a.style
		case "width":
			field = &a.width
		case "height":
			field = &a.height
		case "start":
			field = &a.start
		case "type":
			field = &a.typ
		case "data-lang":
			field = &a.lang
		case "itemprop":
			field = &a.itemprop
		case "hidden":
			a.hidden = true
		case "aria-hidden":
			a.ariaHidden = strings.EqualFold(string(val), "true")
		}
		if field != nil && *field == "" {
			*field = string(val)
		}
		if !more {
			break
		}
	}
	if a.style != "" {
		a.style = strings.ToLower(strings.Join(strings.Fields(a.style), ""))
	}
}

// hides reports whether the element is not to be seen.
func (a *attributes) hides() bool {
	return a.hidden || a.ariaHidden || strings.Contains(a.style, "display:none") || strings.Contains(a.style, "visibility:hidden")
}

// marks are the formats of an element by its name and its style.
func (a *attributes) marks(tag string) mark {
	m := mark(0)
	switch tag {
	case "b", "strong", "summary", "dt":
		m = strong
	case "i", "em", "cite", "dfn", "var":
		m = emphasis
	case "s", "strike", "del":
		m = strike
	case "code", "kbd", "samp", "tt":
		m = code
	case "sup":
		m = superscript
	case "sub":
		m = subscript
	}
	if a.style == "" {
		return m
	}
	if _, weight, ok := strings.Cut(a.style, "font-weight:"); ok && weight != "" {
		switch {
		case strings.HasPrefix(weight, "bold"), weight[0] >= '6' && weight[0] <= '9':
			m |= strong
		case strings.HasPrefix(weight, "normal"), weight[0] >= '1' && weight[0] <= '5':
			m &^= strong
		}
	}
	if strings.Contains(a.style, "font-style:italic") {
		m |= emphasis
	} else if strings.Contains(a.style, "font-style:normal") {
		m &^= emphasis
	}
	if strings.Contains(a.style, "line-through") {
		m |= strike
	}
	return m
}

// credits reports whether an element of a caption names who made the picture.
func (a *attributes) credits(tag string) bool {
	if tag == "cite" || tag == "small" {
		return true
	}
	names := strings.ToLower(a.class + " " + a.itemprop)
	for _, n := range []string{"credit", "copyright", "attribution", "photographer", "byline"} {
		if strings.Contains(names, n) {
			return true
		}
	}
	return false
}

// language is the programming language that an element of code names.
func (a *attributes) language() string {
	if a.lang != "" {
		return a.lang
	}
	for class := range strings.FieldsSeq(a.class) {
		for _, prefix := range []string{"language-", "lang-", "highlight-source-"} {
			if lang, ok := strings.CutPrefix(class, prefix); ok {
				return lang
			}
		}
	}
	return ""
}

// pixels reads a width or height; known says that one is given.
func pixels(s string) (n int, known bool) {
	s = strings.TrimSpace(s)
	end := 0
	for end < len(s) && end < 6 && s[end] >= '0' && s[end] <= '9' {
		end++
	}
	if end == 0 || strings.HasPrefix(s[end:], "%") {
		return 0, false
	}
	n, err := strconv.Atoi(s[:end])
	return n, err == nil
}

// styled gives the value of a property in an inline style.
func (a *attributes) styled(property string) string {
	for declaration := range strings.SplitSeq(a.style, ";") {
		if name, value, ok := strings.Cut(declaration, ":"); ok && name == property {
			return value
		}
	}
	return ""
}

// scriptDigits writes raised or lowered digits, so that 10² does not read 102.
func scriptDigits(s string, raised bool) string {
	const up, down = "⁰¹²³⁴⁵⁶⁷⁸⁹", "₀₁₂₃₄₅₆₇₈₉"
	digits := []rune(down)
	if raised {
		digits = []rune(up)
	}
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return digits[r-'0']
		}
		return r
	}, s)
}
