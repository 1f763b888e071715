// Package render turns a sdk.Body into what platforms understand and back, and makes it fit their limits. Its one promise:
// text stays text. Whatever a Body's text holds, no rendering lets it become markup, and no cut divides a grapheme cluster,
// a link or a tag.
//
// Everything here works on the normal form that Normalize describes, so a rendering does not depend on how a tree was put
// together. All functions are pure, deterministic and safe for concurrent use. Their time grows with the length of the
// input and no faster, but for a logarithm in Cut and Split; what CommonMark cannot be read from in such time is refused.
package render

import "github.com/belfry-news/belfry/sdk"

// Markup is a way to write formatted text.
type Markup string

// The markups. An empty or unknown Markup is written as Plain and refused by Parse.
const (
	// Plain is text for people: "• " and "1. " before items, "> " before quoted lines, addresses in parentheses.
	Plain Markup = "plain"
	// HTML is a fragment without class and style attributes (see RenderHTML).
	HTML Markup = "html"
	// CommonMark is CommonMark 0.31 with the strikethrough of GitHub Flavored Markdown.
	CommonMark Markup = "commonmark"
	// TelegramHTML is the Bot API's parse_mode "HTML".
	TelegramHTML Markup = "telegram-html"
	// TelegramMarkdownV2 is the Bot API's parse_mode "MarkdownV2".
	TelegramMarkdownV2 Markup = "telegram-markdownv2"
)

// Render writes a body. It is deterministic: the same body gives the same bytes. The result has no line feed at its end.
//
// What a markup cannot express is written as the nearest thing that reads well. In Telegram's markups headings are bold
// lines, items begin with "• " or their number, a rule is a line of dashes, a quotation in a quotation joins the outer
// one, a code block ends a quotation, inline code loses other formats, and a mailto link is followed by its address.
//
// Bare addresses, @mentions and #hashtags in text are escaped as text; what a platform makes of them by itself is not
// markup, and the connector must deal with it.
func Render(b sdk.Body, m Markup) string { return RenderEach(b, m)[0] }

// RenderEach writes a body in several markups, each as Render does, and brings it into its normal form only once.
func RenderEach(b sdk.Body, markups ...Markup) []string {
	blocks := normalize(b)
	out := make([]string, len(markups))
	for i, m := range markups {
		out[i] = string(appendMarkup(make([]byte, 0, room(blocks)), blocks, m, false))
	}
	return out
}

// room is about how many bytes the markup of blocks takes.
func room(blocks []block) int {
	n := 0
	for i := range blocks {
		n += 16 + len(blocks[i].text.text)*9/8 + room(blocks[i].blocks)
	}
	return n
}

// appendMarkup writes normal blocks. With visible it writes only what remains once the markup is parsed.
func appendMarkup(buf []byte, blocks []block, m Markup, visible bool) []byte {
	w := writer{buf: buf, visible: visible}
	switch m {
	case HTML:
		writeHTML(&w, blocks, HTMLOptions{})
	case CommonMark:
		writeCommonMark(&w, blocks)
	case TelegramHTML:
		writeTelegramHTML(&w, forTelegram(blocks))
	case TelegramMarkdownV2:
		writeMarkdownV2(&w, forTelegram(blocks))
	default:
		writePlain(&w, blocks)
	}
	return w.buf
}

// Parse reads markup into a normal, valid Body.
//
//   - Plain: paragraphs end at blank lines, line feeds are breaks, bare http and https addresses become links.
//   - HTML: as FromHTML without a base, media left out.
//   - CommonMark: raw HTML becomes text, an image becomes a link to it, a link that sdk.CheckLink refuses becomes text.
//   - TelegramHTML and TelegramMarkdownV2: strictly as the Bot API reads them; formats without an equivalent in a Body
//     (underline, spoiler, custom emoji) become text.
//
// Errors: CodeInvalid for what Telegram would refuse ("can't parse entities"), naming the byte offset; CodeTooLarge for
// more than sdk.MaxBodyText bytes or sdk.MaxBodyNodes nodes, and for CommonMark with thousands of brackets or delimiters
// in a paragraph; CodeUnsupported for an unknown Markup.
func Parse(text string, m Markup) (sdk.Body, error) {
	if len(text) > sdk.MaxBodyText {
		return nil, sdk.Errorf(sdk.CodeTooLarge, "parse", "the text has %d bytes; at most %d are taken", len(text),
			sdk.MaxBodyText)
	}
	var blocks []block
	var err error
	switch m {
	case Plain:
		blocks = parsePlain(text)
	case HTML:
		doc := FromHTML(text, nil)
		if doc.Truncated {
			return nil, tooManyNodes()
		}
		return doc.Body, nil
	case CommonMark:
		blocks, err = parseCommonMark(text)
	case TelegramHTML:
		blocks, err = parseTelegramHTML(text)
	case TelegramMarkdownV2:
		blocks, err = parseMarkdownV2(text)
	default:
		return nil, sdk.Errorf(sdk.CodeUnsupported, "parse", "the markup %q is unknown; known are %s, %s, %s, %s and %s",
			string(m), Plain, HTML, CommonMark, TelegramHTML, TelegramMarkdownV2)
	}
	if err != nil {
		return nil, err
	}
	if !valid(blocks) {
		return nil, tooManyNodes()
	}
	return toNodes(blocks), nil
}

func tooManyNodes() error {
	return sdk.Errorf(sdk.CodeTooLarge, "parse",
		"the text has more than %d parts or %d bytes; shorten it or take formatting out", sdk.MaxBodyNodes, sdk.MaxBodyText)
}

// Normalize gives the normal form of a body, which is valid and means the same:
//
//   - Text is cleaned: control characters other than the line feed, bidirectional embeddings, overrides and isolates,
//     U+FEFF and noncharacters are gone, bytes that are no UTF-8 and runs of U+FFFD are one U+FFFD. Joiners stay, since
//     emoji and several scripts need them.
//   - White space (space, tab) is one space, and none stands at the ends of a line or at the edge of a format. A line feed
//     in text is a break; two breaks end the paragraph; in headings, links and code a break is a space.
//   - Adjacent equal formats are one, formats do not span breaks, the wider format stands outside, no format is in itself.
//   - A link without text shows its address; a link that sdk.CheckLink refuses is its text; addresses are ASCII.
//   - Empty nodes are gone, unknown and misplaced nodes are their children in paragraphs, items stand in lists.
//   - Quotations (one level each) and lists (two) deeper than nine levels are flattened, so that every format still fits
//     sdk.MaxBodyDepth.
//   - What would still exceed sdk.MaxBodyNodes or sdk.MaxBodyText loses formats first, then breaks, then its end.
func Normalize(b sdk.Body) sdk.Body {
	body, _ := toBody(normalize(b))
	return body
}

// Line makes a title or a name of what a stranger wrote: one line of plain text, cleaned as Normalize cleans text.
func Line(s string) string {
	var b proseBuilder
	b.oneLine = true
	b.write(s, 0, nil)
	if done := b.finish(); len(done) > 0 {
		return done[0].text
	}
	return ""
}

// writer collects output in which text and markup are told apart.
type writer struct {
	buf     []byte
	visible bool
}

// tag writes markup.
func (w *writer) tag(s string) {
	if !w.visible {
		w.buf = append(w.buf, s...)
	}
}

// text writes what a reader sees and needs no escaping.
func (w *writer) text(s string) { w.buf = append(w.buf, s...) }
