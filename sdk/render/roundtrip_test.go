package render

import (
	"html"
	"math/rand/v2"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	nethtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/belfry-news/belfry/sdk"
)

// seedShapes are shapes for fuzzing that reach every kind of node.
func seedShapes() [][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	var out [][]byte
	for n := range 400 {
		shape := make([]byte, 4+n)
		for i := range shape {
			shape[i] = byte(rng.Uint32())
		}
		out = append(out, shape)
	}
	return out
}

// FuzzRoundTrip holds that every markup reads back as what was rendered.
func FuzzRoundTrip(f *testing.F) {
	for i, shape := range seedShapes() {
		f.Add(shape, naughty[i%len(naughty)])
	}
	f.Fuzz(func(t *testing.T, shape []byte, text string) {
		checkRoundTrip(t, makeBody(shape, text))
	})
}

// checkRoundTrip holds what is promised of Normalize, Render and Parse.
func checkRoundTrip(t *testing.T, b sdk.Body) {
	t.Helper()
	n := Normalize(b)
	if err := n.Validate(); err != nil {
		t.Fatalf("Normalize gives an invalid body: %v", err)
	}
	if diff := diffBodies(n, Normalize(n)); diff != "" {
		t.Fatalf("Normalize is not stable:\n%s", diff)
	}
	for _, m := range []Markup{HTML, CommonMark, TelegramHTML, TelegramMarkdownV2} {
		text := Render(b, m)
		want := n
		if m == TelegramHTML || m == TelegramMarkdownV2 {
			want = Normalize(toNodes(forTelegram(normalize(b))))
		}
		got, err := Parse(text, m)
		if err != nil {
			t.Fatalf("%s: %v in\n%s", m, err, text)
		}
		if diff := diffBodies(want, got); diff != "" {
			t.Fatalf("%s reads back differently (-rendered +parsed):\n%s\nit was rendered as\n%s", m, diff, text)
		}
		if err := got.Validate(); err != nil {
			t.Fatalf("%s: Parse gives an invalid body: %v", m, err)
		}
		if again := Render(got, m); again != text {
			t.Fatalf("%s: rendered again it is\n%q\nand was\n%q", m, again, text)
		}
	}
	checkHTML(t, Render(b, HTML))
	visible := html.UnescapeString(anyTag.ReplaceAllString(Render(b, TelegramHTML), ""))
	if got := string(appendMarkup(nil, normalize(b), TelegramHTML, true)); got != visible {
		t.Fatalf("visible text is %q, want %q", got, visible)
	}
	if got := string(appendMarkup(nil, normalize(b), TelegramMarkdownV2, true)); got != visible {
		t.Fatalf("visible text of MarkdownV2 is %q, want %q", got, visible)
	}
	if plain := Render(b, Plain); strings.ContainsFunc(plain, func(r rune) bool { return r != '\n' && r != '\t' && unwanted(r) }) {
		t.Fatalf("control characters in %q", plain)
	}
}

// checkHTML holds that a parser which follows the HTML Standard sees the elements that were written.
func checkHTML(t *testing.T, fragment string) {
	t.Helper()
	body := &nethtml.Node{Type: nethtml.ElementNode, Data: "body", DataAtom: atom.Body}
	nodes, err := nethtml.ParseFragment(strings.NewReader(fragment), body)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	for _, n := range nodes {
		if err := nethtml.Render(&out, n); err != nil {
			t.Fatal(err)
		}
	}
	same := strings.NewReplacer("<br/>", "<br>", "<hr/>", "<hr>", "&#34;", "&quot;", "&#39;", "'")
	if diff := cmp.Diff(fragment, same.Replace(out.String())); diff != "" {
		t.Fatalf("a browser reads it differently:\n%s", diff)
	}
}

var anyTag = regexp.MustCompile(`<[^>]*>`)

// diffBodies is cmp.Diff, but quick where there is no difference.
func diffBodies(want, got sdk.Body) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	if w, g := Render(want, HTML), Render(got, HTML); w != g {
		return cmp.Diff(w, g)
	}
	return cmp.Diff(want, got)
}
