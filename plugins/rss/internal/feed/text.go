package feed

import (
	"html"
	"net/url"
	"regexp"
	"strings"

	xhtml "golang.org/x/net/html"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// Lengths of a summary in bytes: a description is one as it stands up to the first; a longer one, and a content, are cut
// to the second, since a summary must not become the full text by accident.
const (
	maxSummary = 2000
	cutSummary = 600
)

// inlineTag matches the tags that editors put into titles.
var inlineTag = regexp.MustCompile(`(?i)<(/?)(b|strong|i|em|u|s|span|small|sup|sub|font|mark|q|cite|code|a|abbr|` +
	`p|div|h[1-6]|del|ins|strike|tt|big|time|br|wbr)(?:\s[^<>]*)?/?>`)

// unknownTitle reads a title of which nobody said whether it is text or HTML (RSS): one layer of entities is decoded, and
// inline tags go that come in pairs. "How to use the <b> tag" stays as it is.
func unknownTitle(s string) string {
	if strings.IndexByte(s, '<') >= 0 {
		opened, closed := map[string]bool{"br": true, "wbr": true}, map[string]bool{"br": true, "wbr": true}
		for _, m := range inlineTag.FindAllStringSubmatch(s, -1) {
			if name := strings.ToLower(m[2]); m[1] == "" {
				opened[name] = true
			} else {
				closed[name] = true
			}
		}
		s = inlineTag.ReplaceAllStringFunc(s, func(tag string) string {
			name := strings.ToLower(inlineTag.FindStringSubmatch(tag)[2])
			switch {
			case name == "br" || name == "wbr":
				return " "
			case opened[name] && closed[name]:
				return ""
			}
			return tag
		})
	}
	return line(decodeOnce(s), sdk.MaxTitle)
}

// decodeOnce decodes one layer of entities. Unlike HTML it asks for the semicolon, so that "R&D" and "?a=1&copy=2" stay.
func decodeOnce(s string) string {
	i := strings.IndexByte(s, '&')
	if i < 0 {
		return s
	}
	var b strings.Builder
	for ; i >= 0; i = strings.IndexByte(s, '&') {
		b.WriteString(s[:i])
		s = s[i:]
		end := strings.IndexByte(s[:min(len(s), 40)], ';')
		if end > 1 && strings.Trim(s[1:end], "#abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") == "" {
			if text := html.UnescapeString(s[:end+1]); !strings.HasSuffix(text, ";") {
				b.WriteString(text)
				s = s[end+1:]
				continue
			}
		}
		b.WriteByte('&')
		s = s[1:]
	}
	b.WriteString(s)
	return b.String()
}

// textOf gives the text of a fragment that is HTML for certain, on one line.
func textOf(fragment string, most int) string {
	if !strings.ContainsAny(fragment, "<&") {
		return line(fragment, most)
	}
	if !strings.Contains(fragment, "<") { // a title, most often; a tokenizer takes four kilobytes
		return line(xhtml.UnescapeString(fragment), most)
	}
	var b strings.Builder
	z := xhtml.NewTokenizer(strings.NewReader(fragment))
	hidden := 0
	for {
		switch z.Next() {
		case xhtml.ErrorToken:
			return line(b.String(), most)
		case xhtml.TextToken:
			if hidden == 0 {
				b.Write(z.Text())
			}
		case xhtml.StartTagToken, xhtml.EndTagToken, xhtml.SelfClosingTagToken:
			name, _ := z.TagName()
			switch string(name) {
			case "script", "style":
				hidden ^= 1
			case "p", "div", "br", "li", "h1", "h2", "h3", "h4", "h5", "h6", "tr", "td":
				b.WriteByte(' ')
			}
		}
	}
}

// html reads a fragment into a body.
func (r *reader) html(fragment string, base *url.URL) render.Document {
	if strings.TrimSpace(fragment) == "" {
		return render.Document{}
	}
	if r.counts.bodies > 0 && len(fragment) > onlySummary {
		// The batch is full: what is read now is for the summary only.
		fragment = strings.ToValidUTF8(fragment[:onlySummary], "")
	}
	fragment, cut := r.bound(fragment)
	doc := render.FromHTML(fragment, r.base(base))
	if doc.Truncated || cut {
		r.counts.cut++
	}
	return doc
}

// Tags that are read in one text, and in all texts of a document. A body holds fewer nodes than the first, so what is
// beyond them is not text but a burden.
const (
	maxTags      = 20_000
	maxTotalTags = 400_000
)

// onlySummary is how much of a text is read when there is no room for it as a body, in bytes.
const onlySummary = 4 << 10

// bound cuts a fragment where it holds more tags than the document may still have.
func (r *reader) bound(fragment string) (string, bool) {
	n := strings.Count(fragment, "<")
	room := min(maxTags, maxTotalTags-r.tags)
	if n <= room {
		r.tags += n
		return fragment, false
	}
	r.tags += room
	at := 0
	for range room {
		at += strings.IndexByte(fragment[at:], '<') + 1
	}
	return fragment[:max(at-1, 0)], true
}

// prose fills body, summary and the pictures of the body from a description and a content, either of which may be
// missing; both are HTML.
func (r *reader) prose(it *sdk.Item, pictures *pictures, description, content string, base, contentBase *url.URL) {
	if contentBase == nil {
		contentBase = base
	}
	full := content
	if full == "" || r.in.Description && strings.TrimSpace(description) != "" {
		full, contentBase = description, base
	}
	doc := r.html(full, contentBase)
	it.Body = doc.Body
	pictures.inBody(doc.Media)
	switch {
	case strings.TrimSpace(description) == "":
		it.Summary = cutBytes(plain(doc.Body), cutSummary)
	case description == full:
		it.Summary = summary(plain(doc.Body))
	default:
		lead := r.html(description, base)
		it.Summary = summary(plain(lead.Body))
		pictures.inBody(lead.Media)
	}
}

func summary(text string) string {
	if len(text) <= maxSummary {
		return text
	}
	return cutBytes(text, cutSummary)
}

// plain gives the text of a body without the addresses of its links.
func plain(b sdk.Body) string {
	if len(b) == 1 && b[0].Kind == sdk.NodeParagraph {
		return strings.TrimSpace(sdk.PlainText(b[0].Children))
	}
	var out strings.Builder
	writePlain(&out, b, "")
	return strings.TrimSpace(out.String())
}

func writePlain(out *strings.Builder, blocks []sdk.Node, bullet string) {
	for i := range blocks {
		n := &blocks[i]
		switch n.Kind {
		case sdk.NodeQuote:
			writePlain(out, n.Children, "")
		case sdk.NodeList:
			for j := range n.Children {
				writePlain(out, n.Children[j].Children, "• ")
			}
			out.WriteByte('\n')
		case sdk.NodeRule:
		case sdk.NodeCodeBlock:
			out.WriteString(strings.TrimSpace(n.Text))
			out.WriteString("\n\n")
		default:
			text := strings.TrimSpace(sdk.PlainText(n.Children))
			if text == "" {
				continue
			}
			out.WriteString(bullet)
			out.WriteString(text)
			if bullet == "" {
				out.WriteByte('\n')
			}
			out.WriteByte('\n')
			bullet = strings.Repeat(" ", len([]rune(bullet)))
		}
	}
}
