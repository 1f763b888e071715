package charset

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

const (
	french   = "Élections à Orléans : le maire réélu, « une surprise » pour l’opposition. Où en est la forêt ?"
	russian  = "Мэр города объявил о строительстве новой школы. Жители довольны решением совета и ждут весны."
	japan    = "市長は新しい学校の建設を発表しました。住民はこの決定を喜んでいます。春までに始まる予定です。"
	chinese  = "市长宣布将建设一所新学校。居民对市议会的决定感到满意，工程预计在春天开始。消防队昨天扑灭了火灾。"
	koreanTx = "시장은 새 학교를 짓겠다고 발표했다. 주민들은 시의회의 결정에 만족하고 있으며 공사는 봄에 시작될 예정이다."
)

func xmlDoc(label, text string) string {
	decl := `<?xml version="1.0"?>`
	if label != "" {
		decl = `<?xml version="1.0" encoding="` + label + `"?>`
	}
	return decl + "<rss><channel><title>" + text + "</title></channel></rss>"
}

func encode(t testing.TB, enc encoding.Encoding, s string) []byte {
	t.Helper()
	b, err := enc.NewEncoder().Bytes([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestDecode(t *testing.T) {
	t.Parallel()
	utf16le := unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)
	utf16be := unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	for _, c := range []struct {
		name     string
		body     []byte
		label    string
		want     string // a text that the result holds
		encoding string
		repaired string // a part of a repair sentence; empty for none
	}{
		{name: "plain UTF-8", body: []byte(xmlDoc("utf-8", french)), want: french, encoding: "utf-8"},
		{name: "no label at all", body: []byte(xmlDoc("", russian)), want: russian, encoding: "utf-8"},
		{name: "UTF-8 with a mark", body: []byte("\uFEFF" + xmlDoc("utf-8", french)), want: french, encoding: "utf-8"},
		{name: "two marks", body: []byte("\uFEFF\uFEFF" + xmlDoc("utf-8", french)), want: french, encoding: "utf-8"},
		{name: "the mark beats both labels", body: []byte("\uFEFF" + xmlDoc("koi8-r", french)), label: "iso-8859-1", want: french, encoding: "utf-8"},
		{name: "UTF-16 with a mark", body: encode(t, utf16be, xmlDoc("utf-16", french)), want: french, encoding: "utf-16be"},
		{name: "UTF-16 without a mark", body: encode(t, utf16le, xmlDoc("utf-16", russian)), want: russian, encoding: "utf-16le"},
		{name: "UTF-32", body: encode(t, utf32.UTF32(utf32.LittleEndian, utf32.UseBOM), xmlDoc("", russian)), want: russian, encoding: "utf-32le"},
		{name: "UTF-16 label over UTF-8", body: []byte(xmlDoc("utf-16", french)), want: french, encoding: "utf-8", repaired: "says the encoding is utf-16"},
		{name: "windows-1252 by declaration", body: encode(t, charmap.Windows1252, xmlDoc("windows-1252", french)), want: french, encoding: "windows-1252"},
		{name: "ISO-8859-1 means windows-1252", body: encode(t, charmap.Windows1252, xmlDoc("ISO-8859-1", french)), want: french, encoding: "windows-1252"},
		{name: "ISO-8859-15", body: encode(t, charmap.ISO8859_15, xmlDoc("iso-8859-15", "Déjà 5 €")), want: "Déjà 5 €", encoding: "iso-8859-15"},
		{name: "ISO-8859-2", body: encode(t, charmap.ISO8859_2, xmlDoc("iso-8859-2", "Wójt ogłosił budowę szkoły")), want: "ogłosił", encoding: "iso-8859-2"},
		{name: "Latin label over UTF-8", body: []byte(xmlDoc("iso-8859-1", french)), want: french, encoding: "utf-8", repaired: "but the bytes are UTF-8"},
		{name: "server's Latin label over UTF-8", body: []byte(xmlDoc("utf-8", french)), label: "ISO-8859-1", want: french, encoding: "utf-8", repaired: "the server says"},
		{name: "UTF-8 label over Latin", body: encode(t, charmap.Windows1252, xmlDoc("utf-8", french)), want: french, encoding: "windows-1252", repaired: "read as windows-1252"},
		{name: "server's UTF-8 label over declared Latin", body: encode(t, charmap.Windows1252, xmlDoc("iso-8859-1", french)), label: "utf-8", want: french, encoding: "windows-1252", repaired: "the server says the encoding is utf-8"},
		{name: "no label over Latin", body: encode(t, charmap.Windows1252, xmlDoc("", french)), want: french, encoding: "windows-1252", repaired: "windows-1252"},
		{name: "the server beats the declaration", body: encode(t, charmap.KOI8R, xmlDoc("iso-8859-1", russian)), label: "koi8-r", want: russian, encoding: "koi8-r"},
		{name: "KOI8-R by declaration", body: encode(t, charmap.KOI8R, xmlDoc("koi8-r", russian)), want: russian, encoding: "koi8-r"},
		{name: "KOI8-R by its looks", body: encode(t, charmap.KOI8R, xmlDoc("", russian)), want: russian, encoding: "koi8-r", repaired: "koi8-r"},
		{name: "windows-1251 by its looks", body: encode(t, charmap.Windows1251, xmlDoc("", russian)), want: russian, encoding: "windows-1251", repaired: "windows-1251"},
		{name: "Shift_JIS by declaration", body: encode(t, japanese.ShiftJIS, xmlDoc("Shift_JIS", japan)), want: japan, encoding: "shift_jis"},
		{name: "Shift_JIS by its looks", body: encode(t, japanese.ShiftJIS, xmlDoc("", japan)), want: japan, encoding: "shift_jis", repaired: "shift_jis"},
		{name: "EUC-JP by its looks", body: encode(t, japanese.EUCJP, xmlDoc("", japan)), want: japan, encoding: "euc-jp", repaired: "euc-jp"},
		{name: "ISO-2022-JP by declaration", body: encode(t, japanese.ISO2022JP, xmlDoc("iso-2022-jp", japan)), want: japan, encoding: "iso-2022-jp"},
		{name: "GB18030 by declaration", body: encode(t, simplifiedchinese.GB18030, xmlDoc("GB18030", chinese)), want: chinese, encoding: "gb18030"},
		{name: "GB2312 label", body: encode(t, simplifiedchinese.GBK, xmlDoc("gb2312", chinese)), want: chinese, encoding: "gbk"},
		{name: "GB18030 by its looks", body: encode(t, simplifiedchinese.GB18030, xmlDoc("", chinese)), want: chinese, encoding: "gb18030", repaired: "gb18030"},
		{name: "EUC-KR by its looks", body: encode(t, korean.EUCKR, xmlDoc("", koreanTx)), want: koreanTx, encoding: "euc-kr", repaired: "euc-kr"},
		{name: "an unknown label", body: []byte(xmlDoc("x-martian", french)), want: french, encoding: "utf-8", repaired: "no such encoding is known"},
		{name: "one bad byte in UTF-8", body: bytes.Replace([]byte(xmlDoc("utf-8", french)), []byte("maire"), []byte("ma\xFFre"), 1), want: "ma\uFFFDre réélu", encoding: "utf-8", repaired: "replaced"},
		{name: "one bad byte in ASCII", body: []byte(xmlDoc("utf-8", "caf\xE9")), want: "café", encoding: "windows-1252", repaired: "windows-1252"},
		{name: "bad byte in Shift_JIS", body: append(encode(t, japanese.ShiftJIS, xmlDoc("Shift_JIS", japan)), 0xFF), want: japan, encoding: "shift_jis", repaired: "replaced"},
		{name: "JSON with a mark", body: []byte("\uFEFF{\"title\":\"é\"}"), want: `{"title":"é"}`, encoding: "utf-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := Decode(c.body, c.label, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(got.UTF8), c.want) {
				t.Errorf("got %q, want it to hold %q", got.UTF8, c.want)
			}
			if got.Encoding != c.encoding {
				t.Errorf("read as %s, want %s", got.Encoding, c.encoding)
			}
			notes := strings.Join(got.Repairs, "; ")
			if (notes == "") != (c.repaired == "") || !strings.Contains(notes, c.repaired) {
				t.Errorf("repairs are %q, want %q", notes, c.repaired)
			}
		})
	}
}

func TestDecodeRefusesWhatGrowsTooLarge(t *testing.T) {
	t.Parallel()
	for _, body := range [][]byte{bytes.Repeat([]byte{0x80}, 600), bytes.Repeat([]byte("a"), 1001), append([]byte("\xFF\xFE"), bytes.Repeat([]byte("中"), 400)...)} {
		if _, err := Decode(body, "windows-1252", 1000); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%d bytes: the error is %v", len(body), err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(xmlDoc("utf-16", french)), "utf-8")
	f.Add(encode(f, japanese.ShiftJIS, xmlDoc("", japan)), "iso-2022-jp")
	f.Add([]byte("\xFF\xFE<\x00?"), "hz-gb-2312")
	f.Fuzz(func(t *testing.T, body []byte, label string) {
		const limit = 1 << 16
		got, err := Decode(body, label, limit)
		if err != nil {
			return
		}
		if !utf8.Valid(got.UTF8) || got.Encoding == "" || len(got.UTF8) > 3*limit {
			t.Fatalf("Decode gave %d bytes as %q, valid: %v", len(got.UTF8), got.Encoding, utf8.Valid(got.UTF8))
		}
	})
}
