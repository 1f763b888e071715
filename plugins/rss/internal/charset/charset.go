// Package charset turns the bytes of a feed into UTF-8, whatever the server and the document claim. Labels are believed
// only as far as the bytes allow.
package charset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// ErrTooLarge says that the text would be longer than the limit.
var ErrTooLarge = errors.New("the text is too long once it is UTF-8")

// Text is a decoded document.
type Text struct {
	// UTF8 is valid UTF-8 without a byte order mark. It shares its bytes with the input where nothing had to change.
	UTF8 []byte
	// Encoding is the name of the encoding that was used, as WHATWG spells it ("utf-8", "windows-1252"…).
	Encoding string
	// Repairs are sentences about labels that were not believed and bytes that were replaced.
	Repairs []string
}

// Decode chooses in this order: byte order mark, the server's charset, the XML declaration, valid UTF-8, a guess by
// content, windows-1252; a label that the bytes contradict is passed over. The result is at most limit bytes long, or the
// error is ErrTooLarge.
func Decode(body []byte, label string, limit int) (Text, error) {
	if enc, name, skip := byteOrder(body); enc != nil {
		return convert(body[skip:], enc, name, limit, nil)
	} else if skip > 0 {
		return asUTF8(body[skip:], limit, nil)
	}
	c := chooser{body: body, declared: declaration(body)}
	c.valid = utf8.Valid(body)
	for _, claim := range []struct{ label, who string }{{label, "the server"}, {c.declared, "the document"}} {
		if enc, name, ok := c.believe(claim.label, claim.who); ok {
			if enc == nil {
				return asUTF8(body, limit, c.repairs)
			}
			return convert(body, enc, name, limit, c.repairs)
		}
	}
	if c.valid || !c.seemsOther() {
		return asUTF8(body, limit, c.repairs)
	}
	enc, name := guess(body)
	c.repairs = append(c.repairs, fmt.Sprintf("the document is not the UTF-8 it should be; it was read as %s", name))
	return convert(body, enc, name, limit, c.repairs)
}

// byteOrder finds a byte order mark, or UTF-16 without one in front of an XML declaration. A skip without an encoding is
// the mark of UTF-8.
func byteOrder(b []byte) (enc encoding.Encoding, name string, skip int) {
	has := func(s string) bool { return bytes.HasPrefix(b, []byte(s)) }
	switch {
	case has("\xEF\xBB\xBF"):
		skip = 3
		for bytes.HasPrefix(b[skip:], []byte("\xEF\xBB\xBF")) { // some generators write it once for each included file
			skip += 3
		}
		return nil, "", skip
	case has("\xFF\xFE\x00\x00"):
		return utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM), "utf-32le", 4
	case has("\x00\x00\xFE\xFF"):
		return utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM), "utf-32be", 4
	case has("\xFF\xFE"):
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "utf-16le", 2
	case has("\xFE\xFF"):
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "utf-16be", 2
	case has("<\x00?\x00"), has("<\x00r\x00"), has("<\x00f\x00"), has("{\x00"):
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "utf-16le", 0
	case has("\x00<\x00?"), has("\x00<\x00r"), has("\x00<\x00f"), has("\x00{"):
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "utf-16be", 0
	}
	return nil, "", 0
}

var encodingAttr = regexp.MustCompile(`^[^>]*?\sencoding\s*=\s*["']?([A-Za-z0-9._:-]{1,40})`)

// declaration gives the encoding that an XML declaration near the beginning names.
func declaration(b []byte) string {
	head := b[:min(len(b), 1024)]
	i := bytes.Index(head, []byte("<?xml"))
	if i < 0 {
		return ""
	}
	if m := encodingAttr.FindSubmatch(head[i:]); m != nil {
		return string(m[1])
	}
	return ""
}

type chooser struct {
	body     []byte
	declared string
	valid    bool // the bytes are UTF-8
	repairs  []string
	multi    int // multi-byte sequences of UTF-8, and
	bad      int // bytes that belong to none; counted when needed
	counted  bool
}

// believe weighs one label. Without an encoding and with ok it stands for UTF-8.
func (c *chooser) believe(label, who string) (enc encoding.Encoding, name string, ok bool) {
	label = strings.ToLower(strings.Trim(label, " \t\"'"))
	if label == "" {
		return nil, "", false
	}
	enc, err := htmlindex.Get(label)
	if err == nil {
		name, err = htmlindex.Name(enc)
	}
	distrust := func(why string) {
		c.repairs = append(c.repairs, fmt.Sprintf("%s says the encoding is %s, but %s", who, label, why))
	}
	switch {
	case err != nil || name == "replacement" || name == "x-user-defined":
		distrust("no such encoding is known")
		return nil, "", false
	case strings.HasPrefix(name, "utf-16"):
		// Two bytes a character without a mark and without a zero in the ASCII of the markup is impossible.
		distrust("the bytes are not")
		return nil, "", false
	case name == "utf-8":
		if c.valid {
			return nil, "", true
		}
		if c.seemsOther() {
			if c.declared == "" || strings.EqualFold(c.declared, label) {
				return nil, "", false // the guess says what it was read as
			}
			distrust("the bytes are not")
			return nil, "", false
		}
		return nil, "", true
	case c.valid && c.contradictsUTF8(name):
		distrust("the bytes are UTF-8")
		return nil, "", true
	}
	return enc, name, true
}

// contradictsUTF8 tells whether valid UTF-8 outweighs the label of another encoding: at once for the single-byte Western
// encodings, in which such bytes would be gibberish, otherwise only with enough of them to exclude chance.
func (c *chooser) contradictsUTF8(name string) bool {
	c.count()
	switch name {
	case "windows-1252", "iso-8859-15", "iso-8859-2", "iso-8859-3", "iso-8859-4", "windows-1250", "windows-1254", "windows-1257", "macintosh":
		return c.multi > 0
	case "iso-2022-jp":
		return false
	}
	return c.multi >= 8
}

// seemsOther tells whether invalid UTF-8 is another encoding rather than UTF-8 with a few broken bytes.
func (c *chooser) seemsOther() bool {
	if c.valid {
		return false
	}
	c.count()
	return c.bad > c.multi
}

func (c *chooser) count() {
	if c.counted {
		return
	}
	c.counted = true
	for b := c.body; len(b) > 0; {
		if b[0] < utf8.RuneSelf {
			b = b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 {
			c.bad++
		} else {
			c.multi++
		}
		b = b[n:]
	}
}

func asUTF8(body []byte, limit int, repairs []string) (Text, error) {
	t := Text{UTF8: body, Encoding: "utf-8", Repairs: repairs}
	if !utf8.Valid(body) {
		t.UTF8 = bytes.ToValidUTF8(body, []byte("\uFFFD"))
		t.Repairs = append(t.Repairs, "bytes that are not UTF-8 were replaced by \uFFFD")
	}
	if len(t.UTF8) > limit {
		return Text{}, ErrTooLarge
	}
	return t, nil
}

func convert(body []byte, enc encoding.Encoding, name string, limit int, repairs []string) (Text, error) {
	var out bytes.Buffer
	out.Grow(min(limit+1, len(body)+len(body)/4+64))
	n, err := io.Copy(&out, io.LimitReader(enc.NewDecoder().Reader(bytes.NewReader(body)), int64(limit)+1))
	if err != nil {
		return Text{}, fmt.Errorf("read as %s: %w", name, err)
	}
	if n > int64(limit) {
		return Text{}, ErrTooLarge
	}
	t := Text{UTF8: bytes.TrimPrefix(out.Bytes(), []byte("\uFEFF")), Encoding: name, Repairs: repairs}
	if !utf8.Valid(t.UTF8) {
		t.UTF8 = bytes.ToValidUTF8(t.UTF8, []byte("\uFFFD"))
	}
	if bytes.Contains(t.UTF8, []byte("\uFFFD")) && !bytes.Contains(body, []byte("\uFFFD")) {
		t.Repairs = append(t.Repairs, fmt.Sprintf("bytes that are not %s were replaced by \uFFFD", name))
	}
	return t, nil
}

// windows1252 is the last resort: it gives every byte a character.
var windows1252 = charmap.Windows1252
