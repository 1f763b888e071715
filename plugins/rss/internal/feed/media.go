package feed

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	ext "github.com/mmcdole/gofeed/extensions"

	"github.com/belfry-news/belfry/sdk"
)

// maxWidth of a picture that is preferred for its size, in pixels; wider ones are originals nobody means to show.
const maxWidth = 4096

// pictures gathers the media of an item in the order in which they should be considered: declared pictures with the
// largest first, those of the body, then films and sounds. Sizes of one picture count once.
type pictures struct {
	r                    *reader
	base                 *url.URL
	declared, body, rest []sdk.Media
	// thumbnails says that the declared pictures are only that.
	thumbnails bool
}

// smallThumbnail, in pixels, is the width below which a thumbnail gives way to a larger picture of the text.
const smallThumbnail = 400

// sized matches the suffix by which WordPress names the sizes of a picture.
var sized = regexp.MustCompile(`-(\d{2,5}x\d{2,5}|scaled)(\.[A-Za-z]{3,4})$`)

// picture is what the sizes of one picture have in common.
func picture(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return strings.ToLower(u.Host) + sized.ReplaceAllString(u.Path, "$2")
}

func isPicture(m sdk.Media) bool { return strings.HasPrefix(m.Type, "image/") }

// add takes a declared medium; shown says that it is a picture although its type may not tell.
func (p *pictures) add(m sdk.Media, shown bool) {
	if m.URL = p.r.resolve(m.URL, p.base); m.URL == "" {
		return
	}
	if m.Type == "" {
		m.Type = typeByName(m.URL)
	}
	if shown && !isPicture(m) {
		m.Type = ""
	}
	if !shown && !isPicture(m) {
		for i := range p.rest {
			if p.rest[i].URL == m.URL {
				merge(&p.rest[i], m)
				return
			}
		}
		p.rest = append(p.rest, m)
		return
	}
	for i := range p.declared {
		if picture(p.declared[i].URL) == picture(m.URL) {
			if m.Width > p.declared[i].Width && m.Width <= maxWidth {
				m, p.declared[i] = p.declared[i], m
			}
			merge(&p.declared[i], m)
			return
		}
	}
	p.declared = append(p.declared, m)
}

// merge fills what one description of a medium lacks from another.
func merge(into *sdk.Media, from sdk.Media) {
	if into.Alt == "" {
		into.Alt = from.Alt
	}
	if into.Credit == "" {
		into.Credit = from.Credit
	}
	if into.Type == "" {
		into.Type = from.Type
	}
	if into.Duration == 0 {
		into.Duration = from.Duration
	}
}

// inBody takes what render found in the text. Pictures of a pixel or two count visitors.
func (p *pictures) inBody(found []sdk.Media) {
	for _, m := range found {
		if m.Width > 0 && m.Width <= 2 || m.Height > 0 && m.Height <= 2 {
			continue
		}
		if m.Type == "" {
			m.Type = typeByName(m.URL)
		}
		p.body = append(p.body, m)
	}
}

// list gives the media in their final order.
func (p *pictures) list() []sdk.Media {
	best := 0
	for i, m := range p.declared {
		if m.Width > p.declared[best].Width && m.Width <= maxWidth {
			best = i
		}
	}
	out := make([]sdk.Media, 0, len(p.declared)+len(p.body)+len(p.rest))
	for i, m := range p.body {
		if !p.thumbnails || m.Type != "" && !isPicture(m) {
			continue
		}
		if small := p.declared[best].Width; small > 0 && small < smallThumbnail && m.Width >= max(2*small, smallThumbnail) {
			out = append(out, m)
			p.body = slices.Delete(p.body, i, i+1)
			break
		}
	}
	if len(p.declared) > 0 {
		out = append(out, p.declared[best])
		out = append(out, p.declared[:best]...)
		out = append(out, p.declared[best+1:]...)
	}
	for _, m := range append(p.body, p.rest...) {
		known := false
		for i := range out {
			if out[i].URL == m.URL || picture(out[i].URL) == picture(m.URL) {
				merge(&out[i], m)
				known = true
				break
			}
		}
		if !known && len(out) < sdk.MaxMedia {
			out = append(out, m)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out[:min(len(out), sdk.MaxMedia)]
}

// typeByName guesses a media type by the extension of an address.
func typeByName(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	switch strings.ToLower(path.Ext(u.Path)) {
	case ".jpg", ".jpeg":
		return "image/jpeg"
	case ".png":
		return "image/png"
	case ".gif":
		return "image/gif"
	case ".webp":
		return "image/webp"
	case ".avif":
		return "image/avif"
	case ".svg":
		return "image/svg+xml"
	case ".mp3":
		return "audio/mpeg"
	case ".m4a":
		return "audio/mp4"
	case ".ogg", ".oga":
		return "audio/ogg"
	case ".mp4", ".m4v":
		return "video/mp4"
	case ".webm":
		return "video/webm"
	}
	return ""
}

// extension looks into what gofeed found under a prefix.
type extensions map[string]map[string][]ext.Extension

func (e extensions) all(prefix, name string) []ext.Extension { return e[prefix][name] }

func (e extensions) text(prefix, name string) string { return first(e[prefix][name]) }

func (e extensions) texts(prefix, name string) []string {
	var out []string
	for _, x := range e[prefix][name] {
		out = append(out, x.Value)
	}
	return out
}

func first(list []ext.Extension) string {
	for i := range list {
		if v := strings.TrimSpace(list[i].Value); v != "" {
			return v
		}
	}
	return ""
}

// words are the parts of Media RSS that describe a medium and hold for everything inside their element.
type words struct{ alt, credit string }

// describe reads the words at one level; what is missing comes from outside.
func describe(outside words, children map[string][]ext.Extension) words {
	w := outside
	for _, name := range []string{"title", "description"} {
		if list := children[name]; len(list) > 0 {
			text := list[0].Value
			if strings.EqualFold(list[0].Attrs["type"], "html") {
				text = textOf(text, sdk.MaxAlt)
			}
			if text = line(text, sdk.MaxAlt); text != "" {
				w.alt = text
			}
		}
	}
	var credits []string
	for _, name := range []string{"credit", "copyright"} {
		for _, x := range children[name] {
			credits = append(credits, line(x.Value, 500))
		}
	}
	if credits = distinct(credits, 8); len(credits) > 0 {
		w.credit = strings.Join(credits, ", ")
	}
	return w
}

// mediaRSS takes the media of Media RSS. At the item itself a title and a description are those of the item as often as of
// the picture, so only the credit is taken from there.
func (p *pictures) mediaRSS(e extensions) {
	outside := words{credit: describe(words{}, e["media"]).credit}
	for _, c := range e.all("media", "content") {
		p.content(outside, c)
	}
	for _, g := range e.all("media", "group") {
		p.group(outside, g.Children)
	}
	if len(p.declared) == 0 {
		for _, t := range e.all("media", "thumbnail") {
			p.thumbnail(outside, t)
		}
		p.thumbnails = len(p.declared) > 0
	}
}

// group takes the best rendition of a group, since all of them show the same.
func (p *pictures) group(outside words, children map[string][]ext.Extension) {
	w := describe(outside, children)
	var best *ext.Extension
	for i := range children["content"] {
		c := &children["content"][i]
		if n := number(c.Attrs["width"]); best == nil || n > number(best.Attrs["width"]) && n <= maxWidth {
			best = c
		}
	}
	before := len(p.declared)
	if best != nil {
		p.content(w, *best)
	}
	if len(p.declared) == before {
		for _, t := range children["thumbnail"] {
			p.thumbnail(w, t)
		}
	}
}

func (p *pictures) content(outside words, c ext.Extension) {
	w := describe(outside, c.Children)
	m := sdk.Media{URL: c.Attrs["url"], Type: mediaType(c.Attrs["type"], c.Attrs["medium"]), Alt: w.alt, Credit: w.credit,
		Width: number(c.Attrs["width"]), Height: number(c.Attrs["height"]), Duration: duration(c.Attrs["duration"])}
	before := len(p.declared)
	shown := c.Attrs["medium"] == "image"
	if m.URL != "" {
		p.add(m, shown)
	}
	if len(p.declared) == before && !shown && !isPicture(m) {
		for _, t := range c.Children["thumbnail"] {
			p.thumbnail(w, t)
		}
	}
}

func (p *pictures) thumbnail(w words, t ext.Extension) {
	p.add(sdk.Media{URL: t.Attrs["url"], Alt: w.alt, Credit: w.credit, Width: number(t.Attrs["width"]), Height: number(t.Attrs["height"])}, true)
}

// enclosure takes an attachment of RSS, Atom or JSON Feed; attachments of other kinds (documents) are left out.
func (p *pictures) enclosure(address, typ, title string, length time.Duration) {
	m := sdk.Media{URL: address, Type: mediaType(typ, ""), Alt: line(title, sdk.MaxAlt), Duration: length}
	if m.Type == "" {
		m.Type = typeByName(address)
	}
	for _, kind := range []string{"image/", "audio/", "video/"} {
		if strings.HasPrefix(m.Type, kind) {
			p.add(m, false)
			return
		}
	}
}

// mediaType normalises a declared type; one that contradicts the medium is none.
func mediaType(typ, medium string) string {
	typ, _, _ = strings.Cut(strings.ToLower(strings.TrimSpace(typ)), ";")
	typ = strings.TrimSpace(typ)
	if typ == "image/jpg" || typ == "image/pjpeg" {
		typ = "image/jpeg"
	}
	kind, sub, ok := strings.Cut(typ, "/")
	if !ok || sub == "" || len(typ) > 100 || strings.ContainsAny(typ, " \"<>") || medium == "image" && kind != "image" {
		return ""
	}
	return typ
}

func number(s string) int {
	s = strings.TrimSuffix(strings.TrimSpace(s), "px")
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 || n > 100_000 {
		return 0
	}
	return n
}

// duration reads seconds, MM:SS or HH:MM:SS.
func duration(s string) time.Duration {
	var total float64
	for part := range strings.SplitSeq(strings.TrimSpace(s), ":") {
		n, err := strconv.ParseFloat(part, 64)
		if err != nil || n < 0 || n > 1e7 {
			return 0
		}
		total = total*60 + n
	}
	if total > 1e8 || total != total {
		return 0
	}
	return time.Duration(total * float64(time.Second))
}
