package email

import (
	"html"
	"strings"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// plainPart is the text for readers without HTML, written as one writes a mail.
func plainPart(m *marks, common *sdk.Common) string {
	var b strings.Builder
	b.WriteString(render.Render(m.nodes(common.Body, slotText), render.Plain))
	b.WriteString("\n")
	if u, ok := webLink(common.Permalink); ok && !strings.Contains(b.String(), u) {
		b.WriteString("\n" + u + "\n")
	}
	for _, p := range pictures(common) {
		b.WriteString("\n" + strings.TrimLeft(p.label+" <"+p.url+">", " ") + "\n")
	}
	b.WriteString(m.put(slot{form: slotButtons}))
	links := func() {
		for _, l := range common.Links {
			label := render.Line(l.Text)
			b.WriteString(m.put(slot{name: l.Slot, form: slotURL, before: label + " <", after: ">\n"}))
		}
	}
	if common.Kind == sdk.CommonConfirm {
		b.WriteString("\n")
		links()
	}
	reason, sender := render.Line(m.text(common.Reason, slotText)), render.Line(common.Sender)
	if reason != "" || sender != "" || common.Kind != sdk.CommonConfirm && len(common.Links) > 0 {
		b.WriteString("\n-- \n")
	}
	if reason != "" {
		b.WriteString(reason + "\n")
	}
	if common.Kind != sdk.CommonConfirm {
		links()
	}
	if sender != "" {
		b.WriteString(sender + "\n")
	}
	return b.String()
}

// picture is linked, never embedded: a picture that loads by itself tells when the mail is opened.
type picture struct{ label, url string }

func pictures(common *sdk.Common) []picture {
	var out []picture
	for _, m := range common.Media {
		u, ok := webLink(m.URL)
		if !ok {
			continue
		}
		label := render.Line(m.Alt)
		if label == "" {
			label = render.Line(m.File.Name)
		}
		if credit := render.Line(m.Credit); credit != "" {
			label = strings.TrimPrefix(label+" · "+credit, " · ")
		}
		out = append(out, picture{label, u})
	}
	return out
}

// webLink accepts a web address that a reader may be sent to.
func webLink(s string) (string, bool) {
	u, err := sdk.CheckLink(s)
	return u, err == nil && u != "" && !strings.HasPrefix(u, "mailto:")
}

// style is the newspaper's: ink on warm paper, one accent, system fonts. Clients that drop it show plain, readable HTML.
const style = `:root{color-scheme:light dark;supported-color-schemes:light dark}
body{margin:0;padding:24px 16px;background:#faf7f2;color:#1c1a17;font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.page{max-width:600px;margin:0 auto}
.from{margin:0 0 20px;padding-bottom:8px;border-bottom:1px solid #d8d0c2;font-size:14px;color:#5c554b}
h1{font-size:26px}
h1,h2,h3,h4,h5,h6{margin:24px 0 8px;line-height:1.25;font-family:Charter,"Iowan Old Style",Georgia,serif}
a{color:#7a5200}
blockquote{margin:16px 0;padding-left:16px;border-left:3px solid #d8d0c2}
pre{white-space:pre-wrap;overflow-wrap:anywhere}
.act a{display:inline-block;padding:12px 20px;border-radius:6px;background:#7a5200;color:#fff;text-decoration:none;line-height:20px}
.end{margin-top:32px;padding-top:12px;border-top:1px solid #d8d0c2;font-size:14px;color:#5c554b}
.end p{margin:4px 0}
@media (prefers-color-scheme:dark){body{background:#191714;color:#ece6dc}a{color:#e0b15c}.from,.end{color:#b5ab9b;border-color:#443e35}blockquote{border-color:#443e35}.act a{background:#e0b15c;color:#191714}}
`

// rightToLeft are the languages written from the right.
var rightToLeft = map[string]bool{"ar": true, "fa": true, "he": true, "iw": true, "ur": true, "ps": true, "yi": true, "dv": true, "ug": true}

// htmlPart is the same as plainPart, as a page.
func (c *Connector) htmlPart(m *marks, common *sdk.Common) string {
	var b strings.Builder
	esc := html.EscapeString
	lang := languageTag(common.Lang)
	attributes := ` lang="` + lang + `"`
	if lang == "" {
		attributes = ""
	}
	if primary, _, _ := strings.Cut(strings.ToLower(lang), "-"); rightToLeft[primary] {
		attributes += ` dir="rtl"`
	} else {
		attributes += ` dir="ltr"`
	}
	title := esc(render.Line(m.text(common.Subject, slotHTML)))
	b.WriteString("<!DOCTYPE html>\n<html" + attributes + ">\n<head>\n<meta charset=\"utf-8\">\n" +
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n" +
		"<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"supported-color-schemes\" content=\"light dark\">\n" +
		"<title>" + title + "</title>\n<style>\n" + style + "</style>\n</head>\n<body" + attributes + ">\n<div class=\"page\" role=\"article\">\n")
	from := c.from.Name
	if from == "" {
		from = common.List.Title
	}
	if from = render.Line(from); from != "" {
		b.WriteString("<p class=\"from\">" + esc(from) + "</p>\n")
	}
	b.WriteString(render.RenderHTML(m.nodes(titled(common.Body, common.Subject), slotHTML), render.HTMLOptions{}))
	b.WriteString("\n")
	if u, ok := webLink(common.Permalink); ok && !strings.Contains(b.String(), `href="`+esc(u)) {
		b.WriteString("<p><a href=\"" + esc(u) + "\">" + esc(strings.TrimPrefix(strings.TrimPrefix(u, "https://"), "http://")) + "</a></p>\n")
	}
	for _, p := range pictures(common) {
		label := p.label
		if label == "" {
			label = p.url
		}
		b.WriteString("<p><a href=\"" + esc(p.url) + "\">" + esc(label) + "</a></p>\n")
	}
	b.WriteString(m.put(slot{form: slotHTMLButtons}))
	links := func(class string) {
		for _, l := range common.Links {
			b.WriteString(m.put(slot{name: l.Slot, form: slotHref, before: "<p" + class + "><a href=\"",
				after: "\">" + esc(render.Line(l.Text)) + "</a></p>\n"}))
		}
	}
	if common.Kind == sdk.CommonConfirm {
		links(` class="act"`)
	}
	b.WriteString("<div class=\"end\">\n")
	if reason := esc(render.Line(m.text(common.Reason, slotHTML))); reason != "" {
		b.WriteString("<p>" + reason + "</p>\n")
	}
	if common.Kind != sdk.CommonConfirm {
		links("")
	}
	if sender := render.Line(common.Sender); sender != "" {
		b.WriteString("<p>" + esc(sender) + "</p>\n")
	}
	b.WriteString("</div>\n</div>\n</body>\n</html>\n")
	return b.String()
}

// titled makes a heading of the line that repeats the subject at the beginning, which templates write in bold: a screen reader jumps
// to headings, and other eyes look for them.
func titled(body sdk.Body, subject string) sdk.Body {
	if len(body) == 0 || body[0].Kind != sdk.NodeParagraph || len(body[0].Children) != 1 {
		return body
	}
	bold := body[0].Children[0]
	if bold.Kind != sdk.NodeStrong || render.Line(render.Render(sdk.Body{sdk.Paragraph(bold.Children...)}, render.Plain)) != render.Line(subject) {
		return body
	}
	return append(sdk.Body{{Kind: sdk.NodeHeading, Level: 1, Children: bold.Children}}, body[1:]...)
}

// languageTag gives a tag that can stand in an attribute.
func languageTag(s string) string {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' {
			return ""
		}
	}
	return s
}
