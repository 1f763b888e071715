package telegramtest

import (
	"html"
	"regexp"
	"strings"
	"sync"
	"unicode/utf16"

	"github.com/belfry-news/belfry/sdk/render"
)

// Telegram's limits, in UTF-16 code units after the entities are parsed out.
const (
	maxText    = 4096
	maxCaption = 1024
)

// content is a text as it was sent and as it is shown.
type content struct{ raw, mode, text, html string }

// same reports whether Telegram would call one the same as the other.
func (c content) same(m *stored) bool { return c.text == m.Text && c.html == m.HTML }

// readText parses a text or caption. Its errors are Telegram's.
func readText(raw, mode string, limit int, tooLong string) (content, *refusal) {
	c := content{raw: raw, mode: mode}
	markup := render.Plain
	switch mode {
	case "":
	case "HTML":
		markup = render.TelegramHTML
	case "MarkdownV2":
		markup = render.TelegramMarkdownV2
	default:
		return c, refuse(400, "Bad Request: unsupported parse_mode")
	}
	body, err := render.Parse(raw, markup)
	if err != nil {
		return c, refuse(400, "Bad Request: can't parse entities: %s", err)
	}
	switch mode {
	case "HTML":
		c.text = visibleHTML(raw)
	case "MarkdownV2":
		c.text = visibleMarkdown(raw)
	default:
		c.text = raw
	}
	c.text = strings.TrimSpace(c.text)
	if len(utf16.Encode([]rune(c.text))) > limit {
		return c, refuse(400, "Bad Request: %s", tooLong)
	}
	c.html = render.Render(body, render.HTML)
	return c, nil
}

var htmlTag = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`<[^>]*>`) })

// visibleHTML takes the tags and escapes out of a text that was parsed before.
func visibleHTML(raw string) string { return html.UnescapeString(htmlTag().ReplaceAllString(raw, "")) }

// visibleMarkdown takes markers, escapes and addresses out of a MarkdownV2 text that was parsed before.
func visibleMarkdown(raw string) string {
	var b strings.Builder
	code, lineStart := "", true
	for i := 0; i < len(raw); {
		rest := raw[i:]
		start := lineStart
		lineStart = false
		switch {
		case rest[0] == '\\' && len(rest) > 1:
			b.WriteByte(rest[1])
			i += 2
		case code != "" && strings.HasPrefix(rest, code):
			i += len(code)
			code = ""
		case code != "":
			b.WriteByte(rest[0])
			i++
		case strings.HasPrefix(rest, "```"):
			code = "```"
			i += 3
			if lang, _, ok := strings.Cut(raw[i:], "\n"); ok && !strings.ContainsAny(lang, " `") {
				i += len(lang) + 1
			}
		case rest[0] == '`':
			code = "`"
			i++
		case strings.HasPrefix(rest, "]("):
			i += 2
			for i < len(raw) && raw[i] != ')' {
				if raw[i] == '\\' {
					i++
				}
				i++
			}
			i++
		case start && rest[0] == '>', strings.ContainsRune("*_~|[]", rune(rest[0])):
			i++
		default:
			b.WriteByte(rest[0])
			lineStart = rest[0] == '\n'
			i++
		}
	}
	return b.String()
}
