package render

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
)

func TestMeasure(t *testing.T) {
	t.Parallel()
	body := sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text("a<b")), sdk.Text(" "), sdk.Link("https://x.example/", sdk.Text("😀")))}
	tests := []struct {
		bound Bound
		want  int
	}{
		{Bound{Markup: Plain, Unit: sdk.UnitGraphemes}, len("a<b x (https://x.example/)")},
		{Bound{Markup: TelegramHTML, Unit: sdk.UnitUTF16, Visible: true}, 6},
		{Bound{Markup: TelegramMarkdownV2, Unit: sdk.UnitCodePoints, Visible: true}, 5},
		{Bound{Markup: TelegramHTML, Unit: sdk.UnitCodePoints}, len(`<b>a&lt;b</b> <a href="https://x.example/">x</a>`)},
		{Bound{Markup: CommonMark, Unit: sdk.UnitBytes}, len(`**a\<b** [😀](https://x.example/)`)},
		{Bound{Markup: HTML, Unit: sdk.UnitCodePoints, Visible: true}, 5},
	}
	for _, tt := range tests {
		if got := Measure(body, tt.bound); got != tt.want {
			t.Errorf("%+v measures %d, want %d", tt.bound, got, tt.want)
		}
	}
	if got := Measure(nil, Bound{}); got != 0 {
		t.Errorf("nothing measures %d", got)
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	graphemes := func(limit int) Bound { return Bound{Markup: Plain, Unit: sdk.UnitGraphemes, Max: limit} }
	link := sdk.Link("https://x.example/a")
	closing := sdk.Paragraph(link, sdk.Text(" #one #deux_2"))
	const closed = "https://x.example/a #one #deux_2" // 32
	tests := []struct {
		name  string
		body  sdk.Body
		bound Bound
		want  string
	}{
		{"it fits", sdk.Body{p("one two"), closing}, graphemes(41), "one two\n\n" + closed},
		{"no limit", sdk.Body{p("one two")}, graphemes(0), "one two"},
		{"at a word", sdk.Body{p("one two three")}, graphemes(10), "one two…"},
		{"the closing paragraph stays", sdk.Body{p("one two three four five"), p("more"), closing}, graphemes(44), "one two…\n\n" + closed},
		{"the closing paragraph alone", sdk.Body{p("one two"), closing}, graphemes(34), closed},
		{"the closing paragraph does not fit", sdk.Body{p("one two"), closing}, graphemes(20), "one two…"},
		{"hashtags close", sdk.Body{p("one two three"), p("#été #b-c")}, graphemes(20), "one two…\n\n#été #b-c"},
		{"a bare address closes", sdk.Body{p("one two three"), p("https://x.example")}, graphemes(28), "one two…\n\nhttps://x.example"},
		{"other words do not close", sdk.Body{p("one two three"), p("see #b")}, graphemes(16), "one two three…"},
		{"a number sign is no hashtag", sdk.Body{p("one two three"), p("# #")}, graphemes(15), "one two three…"},
		{"between blocks", sdk.Body{p("One."), p("Two."), p("anticonstitutionnellement")}, graphemes(14), "One.\n\nTwo…"},
		{"a heading of nothing goes", sdk.Body{p("one two"), heading(2, sdk.Text("Three")), p("anticonstitutionnellement")}, graphemes(18), "one two…"},
		{"a rule goes", sdk.Body{p("one two"), rule(), p("anticonstitutionnellement")}, graphemes(18), "one two…"},
		{"a link stays whole", sdk.Body{sdk.Paragraph(sdk.Text("see "), sdk.Link("https://x.example/", sdk.Text("this long label")), sdk.Text(" now"))}, graphemes(40), "see…"},
		{"a link that fits", sdk.Body{sdk.Paragraph(sdk.Text("see "), sdk.Link("https://x.example/", sdk.Text("this")), sdk.Text(" now and then"))}, graphemes(31),
			"see this (https://x.example/)…"},
		{"a link that alone is too long becomes text", sdk.Body{sdk.Paragraph(sdk.Link("https://x.example/", sdk.Text("this is a long label")), sdk.Text(" now"))}, graphemes(20),
			"this is a long…"},
		{"an address that alone is too long goes", sdk.Body{sdk.Paragraph(sdk.Text("see "), link, sdk.Text(" or write"))}, graphemes(12), "see or write"},
		{"a quotation", sdk.Body{quote(p("one two three"))}, graphemes(10), "> one two…"},
		{"items", sdk.Body{numbers(9, item(p("one")), item(p("two three four")))}, graphemes(20), "9. one\n10. two…"},
		{"code", sdk.Body{codeBlock("go", "a b\nc d e")}, graphemes(8), "a b\nc d…"},
		{"an ellipsis alone", sdk.Body{p("word")}, graphemes(1), "…"},
		{"nothing", sdk.Body{p("word")}, Bound{Markup: Plain, Unit: sdk.UnitBytes, Max: 2}, ""},
		{"the caption's bound", sdk.Body{p("one two three")}, Bound{Markup: Plain, Unit: sdk.UnitBytes, Max: 1000, First: 12}, "one two…"},
		{"formats that leave no room", sdk.Body{quote(heading(1, sdk.Strong(em(sdk.Text("word")))))}, Bound{Markup: HTML, Unit: sdk.UnitBytes, Max: 12}, "<p>word</p>"},
		{"escapes count", sdk.Body{p("a.b.c.d.e.f")}, Bound{Markup: TelegramMarkdownV2, Unit: sdk.UnitCodePoints, Max: 9}, `a\.b\.c…`},
		{"and do not where the text counts", sdk.Body{p("a.b.c.d.e.f")}, Bound{Markup: TelegramMarkdownV2, Unit: sdk.UnitCodePoints, Max: 9, Visible: true}, `a\.b\.c\.d…`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := Render(Cut(tt.body, tt.bound), tt.bound.Markup); got != tt.want {
				t.Errorf("it is\n%q, want\n%q", got, tt.want)
			}
			checkCut(t, tt.body, tt.bound)
		})
	}
}

// TestCutEveryBound holds that a post with all kinds of things fits every bound, and only grows with it.
func TestCutEveryBound(t *testing.T) {
	t.Parallel()
	body := articleBody()
	for _, m := range markups {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			for limit := 0; limit < 400; limit += 7 {
				checkCut(t, body, Bound{Markup: m, Unit: sdk.UnitUTF16, Max: limit, Visible: limit%2 == 0})
			}
		})
	}
}

func TestSplit(t *testing.T) {
	t.Parallel()
	graphemes := func(limit int) Bound { return Bound{Markup: Plain, Unit: sdk.UnitGraphemes, Max: limit} }
	link := func(label string) sdk.Node { return sdk.Link("https://x.example/", sdk.Text(label)) }
	tests := []struct {
		name  string
		body  sdk.Body
		bound Bound
		want  []string
	}{
		{"nothing", nil, graphemes(5), nil},
		{"it fits", sdk.Body{p("one"), p("two")}, graphemes(8), []string{"one\n\ntwo"}},
		{"no limit", sdk.Body{p("one"), p("two")}, graphemes(0), []string{"one\n\ntwo"}},
		{"between blocks first", sdk.Body{p("a"), p("one two. Three")}, graphemes(15), []string{"a", "one two. Three"}},
		{"then between lines", sdk.Body{p("one two\nthree four\nfive")}, graphemes(20), []string{"one two\nthree four", "five"}},
		{"then between sentences", sdk.Body{p("One two. Three four. Five six seven.")}, graphemes(26), []string{"One two. Three four.", "Five six seven."}},
		{"then between words", sdk.Body{p("one two three four")}, graphemes(9), []string{"one two", "three", "four"}},
		{"then between clusters", sdk.Body{p(strings.Repeat("e\u0301", 5))}, graphemes(2), []string{"e\u0301e\u0301", "e\u0301e\u0301", "e\u0301"}},
		{"a long block begins where there is room", sdk.Body{p("a"), p("One two. Three four five six.")}, graphemes(14), []string{"a\n\nOne two.", "Three four", "five six."}},
		{"a heading stays with its text", sdk.Body{p("one"), heading(1, sdk.Text("two")), p("three four")}, graphemes(15), []string{"one", "two\n\nthree four"}},
		{"unless they do not fit together", sdk.Body{heading(1, sdk.Text("two")), p("three four")}, graphemes(11), []string{"two\n\nthree", "four"}},
		{"rules at seams go", sdk.Body{p("one two"), rule(), p("three")}, graphemes(12), []string{"one two", "three"}},
		{"formats go on", sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text("one two three")))}, Bound{Markup: TelegramHTML, Unit: sdk.UnitUTF16, Max: 8, Visible: true},
			[]string{"<b>one two</b>", "<b>three</b>"}},
		{"quotations go on", sdk.Body{quote(p("one two"), p("three"))}, graphemes(10), []string{"> one two", "> three"}},
		{"numbers go on, and items have one marker", sdk.Body{numbers(3, item(p("one")), item(p("two and three"), bullets(item(p("x")), item(p("y")))), item(p("four")))}, graphemes(10),
			[]string{"3. one", "4. two and", "three\n\n• x", "• y", "5. four"}},
		{"code goes on", sdk.Body{codeBlock("go", "a b\nc d\n  e")}, Bound{Markup: CommonMark, Unit: sdk.UnitBytes, Max: 17}, []string{"```go\na b\nc d\n```", "```go\n  e\n```"}},
		{"a link stays whole", sdk.Body{sdk.Paragraph(sdk.Text("see "), link("this one"), sdk.Text(" now"))}, graphemes(32), []string{"see", "this one (https://x.example/)", "now"}},
		{"a link that alone is too long", sdk.Body{sdk.Paragraph(link("this long label"))}, graphemes(30), []string{"this long (https://x.example/)", "label (https://x.example/)"}},
		{"a link whose address leaves no room", sdk.Body{sdk.Paragraph(link("this long label"))}, graphemes(10), []string{"this long", "label"}},
		{"an address that alone is too long", sdk.Body{sdk.Paragraph(sdk.Link("https://x.example/"))}, graphemes(10), []string{"https://", "x.example/"}},
		{"a hashtag stays whole", sdk.Body{p("Fire #gare_centrale now")}, graphemes(18), []string{"Fire", "#gare_centrale now"}},
		{"a hashtag that alone is too long", sdk.Body{p("#gare_centrale")}, graphemes(5), []string{"#gare", "_cent", "rale"}},
		{"a caption first", sdk.Body{p("one two"), p("three four"), p("five")}, Bound{Markup: Plain, Unit: sdk.UnitGraphemes, Max: 40, First: 10}, []string{"one two", "three four\n\nfive"}},
		{"a caption without room", sdk.Body{p("anticonstitutionnellement 👨‍👩‍👧‍👦")}, Bound{Markup: HTML, Unit: sdk.UnitBytes, Max: 400, First: 5}, []string{"", "<p>anticonstitutionnellement 👨‍👩‍👧‍👦</p>"}},
		{"formats that leave no room", sdk.Body{quote(sdk.Paragraph(sdk.Strong(sdk.Text("one two"))))}, Bound{Markup: HTML, Unit: sdk.UnitBytes, Max: 11}, []string{"<p>one</p>", "<p>two</p>"}},
		{"a cluster that alone is too long", sdk.Body{p("a👨‍👩‍👧b")}, Bound{Markup: Plain, Unit: sdk.UnitBytes, Max: 8}, []string{"a", "👨\u200d", "👩\u200d", "👧b"}},
		{"a code point that alone is too long", sdk.Body{p("a😀b")}, Bound{Markup: Plain, Unit: sdk.UnitBytes, Max: 2}, []string{"a", "b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, part := range Split(tt.body, tt.bound) {
				got = append(got, Render(part, tt.bound.Markup))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkSplit(t, tt.body, tt.bound)
		})
	}
}

func TestSplitEveryBound(t *testing.T) {
	t.Parallel()
	body := articleBody()
	for _, m := range markups {
		t.Run(string(m), func(t *testing.T) {
			t.Parallel()
			for limit := 1; limit < 200; limit += 7 {
				checkSplit(t, body, Bound{Markup: m, Unit: sdk.UnitCodePoints, Max: limit, First: limit * (limit % 3), Visible: limit%2 == 0})
			}
		})
	}
}

// TestFitLongTexts holds that texts of the largest size are cut and divided in reasonable time.
func TestFitLongTexts(t *testing.T) {
	t.Parallel()
	for name, unit := range map[string]string{"words": "word ", "one word": "x", "dots": ". ", "numbers": "1,", "accents": "\u0301", "families": "👩\u200d", "flags": "🇫",
		"lines": "a\n", "addresses": "http://x.example/a ", "quotation marks": ".\"", "thai": "ก"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := sdk.Body{p(strings.Repeat(unit, sdk.MaxBodyText/4/len(unit)))}
			bound := Bound{Markup: TelegramHTML, Unit: sdk.UnitUTF16, Max: 4096, Visible: true}
			checkCut(t, body, bound)
			text := ink(body)
			if got := ink(Split(body, bound)...); got != text {
				t.Errorf("%d bytes of %d are left", len(got), len(text))
			}
		})
	}
}
