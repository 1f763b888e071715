package render

import (
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// image takes a picture, or the character that it stands for.
func (r *htmlReader) image(a *attributes) {
	class := strings.ToLower(a.class)
	character := strings.Contains(class, "emoji") || strings.Contains(class, "wp-smiley")
	if alt := Line(a.alt); character && alt != "" && len(alt) <= 64 {
		if r.pre {
			r.preText.WriteString(alt)
		} else {
			r.inline(alt)
		}
		return
	}
	width, w := pixels(firstOf(a.width, a.styled("width")))
	height, h := pixels(firstOf(a.height, a.styled("height")))
	if w && width <= 1 || h && height <= 1 {
		return
	}
	// A picture that is loaded late has its address elsewhere, and a placeholder in src.
	u := firstOf(r.resolve(a.lazySrc, false), r.resolve(a.src, false), r.resolve(largest(a.srcset), false), r.source)
	r.source = ""
	if u != "" {
		r.addMedium(sdk.Media{URL: u, Alt: altText(a.alt), Width: width, Height: height})
	}
}

func altText(alt string) string { return CutText(Line(alt), sdk.MaxAlt, sdk.UnitBytes) }

// largest gives the address of the largest picture in a srcset.
func largest(srcset string) string {
	best, bestSize, candidate := "", -1.0, ""
	take := func(size float64) {
		if candidate != "" && size > bestSize {
			best, bestSize = candidate, size
		}
		candidate = ""
	}
	for word := range strings.FieldsSeq(srcset) {
		end := strings.HasSuffix(word, ",")
		word = strings.Trim(word, ",")
		if candidate == "" {
			candidate = word
		} else if size, err := strconv.ParseFloat(strings.TrimRight(word, "wx"), 64); err == nil {
			take(size)
		}
		if end {
			take(0)
		}
	}
	take(0)
	return best
}

// addMedium adds a medium, or completes what is known of it.
func (r *htmlReader) addMedium(m sdk.Media) {
	for i := range r.media {
		if old := &r.media[i]; old.URL == m.URL {
			old.Alt = firstOf(old.Alt, m.Alt)
			return
		}
	}
	if len(r.media) >= sdk.MaxMedia {
		r.truncated = true
		return
	}
	r.media = append(r.media, m)
}

func (r *htmlReader) startFilm(tag string, a *attributes) {
	r.film = sdk.Media{URL: r.resolve(a.src, false), Type: mediaType(a.typ)}
	if tag == "video" {
		r.film.Width, _ = pixels(a.width)
		r.film.Height, _ = pixels(a.height)
	}
}

func (r *htmlReader) endFilm() {
	if r.film.URL != "" {
		r.addMedium(r.film)
	}
	r.film = sdk.Media{}
}

var mediaTypePattern = regexp.MustCompile(`^(image|video|audio|application)/[a-z0-9][a-z0-9.+-]{0,60}$`)

// mediaType gives a media type without its parameters, or nothing if it is none.
func mediaType(s string) string {
	s, _, _ = strings.Cut(s, ";")
	s = strings.ToLower(strings.TrimSpace(s))
	if mediaTypePattern.MatchString(s) {
		return s
	}
	return ""
}

// closeFigure gives the figure's media their caption. Without media a caption is text.
func (r *htmlReader) closeFigure(figure block, mediaBefore int) {
	media := r.media[min(mediaBefore, len(r.media)):]
	var caption, by []string
	for _, bl := range figure.blocks {
		switch {
		case bl.kind != blockCaption:
			r.b.add(bl)
		case len(media) == 0:
			r.addAll(withoutCredits(bl.blocks))
		default:
			each(bl.blocks, func(b *block) {
				var words, names joiner
				for _, s := range b.text.spans {
					if s.marks&credit != 0 {
						names.add(b.text.text[s.start:s.end], 0, nil)
					} else {
						words.add(b.text.text[s.start:s.end], 0, nil)
					}
				}
				caption = append(caption, Line(words.take().text))
				by = append(by, Line(names.take().text))
			})
		}
	}
	text, name := splitCredit(Line(strings.Join(caption, " ")), Line(strings.Join(by, " ")))
	for i := range media {
		m := &media[i]
		if m.Alt == "" || looksLikeFile(m.Alt) {
			m.Alt = firstOf(altText(text), m.Alt)
		}
		m.Credit = firstOf(m.Credit, CutText(name, sdk.MaxAlt, sdk.UnitBytes))
	}
}

func withoutCredits(blocks []block) []block {
	return mapProse(blocks, func(p prose) prose {
		return p.restyle(func(s span) (mark, *anchor) { return s.marks &^ credit, s.link })
	})
}

// creditPattern finds the words that introduce a credit, at the beginning of a caption or after the end of a sentence.
var creditPattern = regexp.MustCompile(
	`(?i)(?:^|[.!?|/–—-])\s*([(\[]?(?:©|` +
		`(?:photos?|foto|bild|image|illustration|crédits?(?: photo)?|credits?|copyright)[\s\x{a0}\x{202f}]?:))`)

// splitCredit tells what a caption describes from whom it credits.
func splitCredit(caption, by string) (text, name string) {
	if by == "" {
		if at := creditPattern.FindStringSubmatchIndex(caption); at != nil {
			by, caption = caption[at[2]:], caption[:at[2]]
		}
	}
	if at := creditPattern.FindStringSubmatchIndex(by); at != nil && at[2] == 0 {
		by = by[at[3]:]
	}
	return strings.TrimRight(caption, " –—-|/"), strings.Trim(by, " \u00a0()[]|/–—-")
}

// looksLikeFile reports whether an alternative text is only a file's name.
func looksLikeFile(s string) bool {
	dot := strings.LastIndexByte(s, '.')
	if dot < 1 || strings.Contains(s, " ") {
		return false
	}
	switch strings.ToLower(s[dot+1:]) {
	case "jpg", "jpeg", "png", "gif", "webp", "avif", "heic", "tif", "tiff", "svg":
		return true
	}
	return false
}

// resolve gives an address that a Body or a medium may have, or nothing.
func (r *htmlReader) resolve(raw string, link bool) string {
	if len(raw) > 2*sdk.MaxURL {
		return ""
	}
	s := strings.Map(func(c rune) rune {
		if c < 0x20 || c == 0x7f {
			return -1 // the HTML Standard drops them inside an address
		}
		return c
	}, strings.TrimSpace(raw))
	if s == "" || s[0] == '#' {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil {
		if u, err = url.Parse(escapeStrayPercents(s)); err != nil {
			return ""
		}
	}
	if !u.IsAbs() {
		if r.base == nil {
			return ""
		}
		u = r.base.ResolveReference(u)
	}
	out, ok := address(u.String())
	if !ok || !link && strings.HasPrefix(out, "mailto:") {
		return ""
	}
	return out
}

// escapeStrayPercents repairs addresses with a percent sign that begins no escape.
func escapeStrayPercents(s string) string {
	isHex := func(c byte) bool { return c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'f' }
	var out strings.Builder
	for i := range len(s) {
		out.WriteByte(s[i])
		if s[i] == '%' && !(i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2])) {
			out.WriteString("25")
		}
	}
	return out.String()
}

// firstOf gives the first text that is not empty.
func firstOf(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}
