package render

import (
	"net/url"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/sdk"
)

// article is what a newsroom's feed holds: about 5 KB.
func article() string {
	paragraph := `<p>La <strong>préfecture</strong> annonce l’ouverture d’une enquête après l’incendie de la <a href="/gare?a=1&amp;b=2">gare
		centrale</a>, survenu dans la nuit de mardi à <em>mercredi</em>. Les trains sont détournés jusqu’à 18&nbsp;h&nbsp;30 « au moins », selon la SNCF.</p>`
	return `<h2>Incendie à la gare</h2><figure><img src="/i.jpg" alt="La gare" width="800" height="600"><figcaption>La gare. Photo : AFP</figcaption></figure>` +
		strings.Repeat(paragraph, 12) + `<ul><li>Ligne 1 : <code>A → B</code></li><li>Ligne 2</li></ul><blockquote><p>On a tout vu.</p></blockquote>` +
		`<p><a href="https://news.example/2026/11/incendie">https://news.example/2026/11/incendie</a> #gare #incendie</p>`
}

func articleBody() sdk.Body {
	return FromHTML(article(), &url.URL{Scheme: "https", Host: "news.example", Path: "/"}).Body
}

func BenchmarkFromHTML(b *testing.B) {
	s := article()
	base := &url.URL{Scheme: "https", Host: "news.example", Path: "/"}
	b.SetBytes(int64(len(s)))
	b.ReportAllocs()
	for b.Loop() {
		FromHTML(s, base)
	}
}

func BenchmarkRender(b *testing.B) {
	body := articleBody()
	for _, m := range markups {
		b.Run(string(m), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Render(body, m)
			}
		})
	}
}

func BenchmarkCut(b *testing.B) {
	body := articleBody()
	for _, bound := range []Bound{
		{Markup: TelegramHTML, Unit: sdk.UnitUTF16, Max: 1024, Visible: true},
		{Markup: Plain, Unit: sdk.UnitGraphemes, Max: 300},
		{Markup: CommonMark, Unit: sdk.UnitBytes, Max: 4096},
	} {
		b.Run(string(bound.Markup), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Cut(body, bound)
			}
		})
	}
}

func BenchmarkSplit(b *testing.B) {
	body := articleBody()
	for _, bound := range []Bound{
		{Markup: TelegramHTML, Unit: sdk.UnitUTF16, Max: 1024, Visible: true},
		{Markup: Plain, Unit: sdk.UnitGraphemes, Max: 300},
	} {
		b.Run(string(bound.Markup), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Split(body, bound)
			}
		})
	}
}

func BenchmarkParse(b *testing.B) {
	body := articleBody()
	for _, m := range markups {
		text := Render(body, m)
		b.Run(string(m), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(text, m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
