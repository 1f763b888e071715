package render

import (
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/rivo/uniseg"

	"github.com/belfry-news/belfry/sdk"
)

// makeBound makes a bound from a number.
func makeBound(n uint32) Bound {
	next := func(of uint32) int { d := n % of; n /= of; return int(d) }
	b := Bound{
		Markup:  []Markup{Plain, HTML, CommonMark, TelegramHTML, TelegramMarkdownV2}[next(5)],
		Unit:    []sdk.Unit{sdk.UnitBytes, sdk.UnitUTF16, sdk.UnitCodePoints, sdk.UnitGraphemes}[next(4)],
		Visible: next(2) == 0,
	}
	switch next(4) {
	case 0:
		b.Max = next(12)
	case 1:
		b.Max = 40 + next(60)
	default:
		b.Max = 60 + next(600)
	}
	if next(4) == 0 {
		b.First = next(300)
	}
	return b
}

func FuzzCut(f *testing.F) {
	for i, shape := range seedShapes() {
		f.Add(shape, naughty[i%len(naughty)], uint32(i*7919))
	}
	f.Fuzz(func(t *testing.T, shape []byte, text string, bound uint32) {
		checkCut(t, makeBody(shape, text), makeBound(bound))
	})
}

func FuzzSplit(f *testing.F) {
	for i, shape := range seedShapes() {
		f.Add(shape, naughty[i%len(naughty)], uint32(i*7919))
	}
	f.Fuzz(func(t *testing.T, shape []byte, text string, bound uint32) {
		checkSplit(t, makeBody(shape, text), makeBound(bound))
	})
}

func checkCut(t *testing.T, b sdk.Body, bound Bound) {
	t.Helper()
	n, cut, limit := Normalize(b), Cut(b, bound), bound.limit(0)
	if err := cut.Validate(); err != nil {
		t.Fatalf("%+v: the result is not valid: %v", bound, err)
	}
	if limit == 0 || Measure(b, bound) <= limit {
		if diff := diffBodies(n, cut); diff != "" {
			t.Fatalf("%+v: what fits was changed:\n%s", bound, diff)
		}
		return
	}
	if got := Measure(cut, bound); got > limit {
		t.Fatalf("%+v: the result measures %d:\n%s", bound, got, Render(cut, bound.Markup))
	}
	if diff := diffBodies(cut, Normalize(cut)); diff != "" {
		t.Fatalf("%+v: the result is not normal:\n%s", bound, diff)
	}
	known := linksOf(n)
	for l := range linksOf(cut) {
		if !known[l] {
			t.Fatalf("%+v: the link %q is none of the original's", bound, l)
		}
	}
	rest := normalize(cut)
	if blocks := normalize(n); len(blocks) > 1 && closes(&blocks[len(blocks)-1]) {
		closing := blocks[len(blocks)-1:]
		if bound.fits(closing, limit) {
			if len(rest) == 0 {
				t.Fatalf("%+v: the closing paragraph is gone", bound)
			}
			if diff := diffBodies(toNodes(closing), toNodes(rest[len(rest)-1:])); diff != "" {
				t.Fatalf("%+v: the closing paragraph was changed:\n%s", bound, diff)
			}
			rest = rest[:len(rest)-1]
		}
	}
	if !exceedsAlone(n, bound) {
		checkWholeClusters(t, bound, n, toNodes(rest))
	}
}

// checkWholeClusters holds that every stretch of text that was cut off its continuation ends at the border of a cluster.
func checkWholeClusters(t *testing.T, bound Bound, whole sdk.Body, parts ...sdk.Body) {
	t.Helper()
	borders := map[string]bool{}
	each(normalize(whole), func(bl *block) {
		var cluster string
		state := -1
		for rest := bl.text.text; rest != ""; {
			cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
			borders[cluster], borders[strings.TrimSpace(cluster)] = true, true
		}
	})
	for _, part := range parts {
		each(normalize(part), func(bl *block) {
			var cluster string
			state := -1
			for rest := strings.TrimSuffix(bl.text.text, ellipsis); rest != ""; {
				cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
				if !borders[cluster] && !borders[strings.TrimFunc(cluster, unicode.IsSpace)] && strings.TrimSpace(cluster) != "" {
					t.Fatalf("%+v: the cluster %q is none of the original's, in\n%q", bound, cluster, bl.text.text)
				}
			}
		})
	}
}

// exceedsAlone reports whether a link or a cluster may exceed the bound by itself.
func exceedsAlone(b sdk.Body, bound Bound) (found bool) {
	limit := bound.limit(0)
	if bound.Max > 0 {
		limit = min(limit, bound.Max)
	}
	each(normalize(b), func(bl *block) {
		for i, s := range bl.text.spans {
			if s.link != nil {
				from := bl.text.spans[bl.text.linkStart(i)].start
				link := paragraph(bl.text.clip(from, from+len(bl.text.label(bl.text.linkStart(i)))))
				found = found || bound.measure([]block{link}) > limit-40
			}
		}
		var cluster string
		state := -1
		for rest := bl.text.text; rest != ""; {
			cluster, rest, _, state = uniseg.FirstGraphemeClusterInString(rest, state)
			found = found || len(cluster) > limit/8
		}
	})
	return found
}

type labelled struct{ label, url string }

func linksOf(b sdk.Body) map[labelled]bool {
	out := map[labelled]bool{}
	each(normalize(b), func(bl *block) {
		for i, s := range bl.text.spans {
			if s.link != nil {
				out[labelled{strings.TrimSpace(bl.text.label(bl.text.linkStart(i))), s.link.url}] = true
			}
		}
	})
	return out
}

// ink gives the characters that are seen, in order.
func ink(bodies ...sdk.Body) string {
	var out strings.Builder
	for _, b := range bodies {
		each(normalize(b), func(bl *block) {
			for _, r := range bl.text.text {
				if !unicode.IsSpace(r) && !unicode.Is(unicode.Cf, r) {
					out.WriteRune(r)
				}
			}
		})
	}
	return out.String()
}

func checkSplit(t *testing.T, b sdk.Body, bound Bound) {
	t.Helper()
	n, parts := Normalize(b), Split(b, bound)
	for i, part := range parts {
		if err := part.Validate(); err != nil {
			t.Fatalf("%+v: piece %d is not valid: %v", bound, i, err)
		}
		if got, limit := Measure(part, bound), bound.limit(i); limit > 0 && got > limit {
			t.Fatalf("%+v: piece %d measures %d:\n%s", bound, i, got, Render(part, bound.Markup))
		}
		if diff := diffBodies(part, Normalize(part)); diff != "" {
			t.Fatalf("%+v: piece %d is not normal:\n%s", bound, i, diff)
		}
		if len(part) == 0 && (i > 0 || bound.First == 0) {
			t.Fatalf("%+v: piece %d is empty", bound, i)
		}
	}
	if len(n) > 0 && (bound.limit(0) == 0 || Measure(b, bound) <= bound.limit(0)) {
		if diff := cmp.Diff([]sdk.Body{n}, parts); diff != "" {
			t.Fatalf("%+v: what fits was divided:\n%s", bound, diff)
		}
		return
	}
	if bound.Max > 0 && bound.Max < 40 {
		return // less than a character with its markup may take
	}
	if want, got := ink(n), ink(parts...); want != got {
		t.Fatalf("%+v: the text was\n%q\nand is\n%q", bound, want, got)
	}
	if exceedsAlone(n, bound) {
		return
	}
	known := linksOf(n)
	for l := range linksOf(joined(parts)) {
		if !known[l] {
			t.Fatalf("%+v: the link %q is none of the original's\n%s", bound, l, Render(n, HTML))
		}
	}
	checkWholeClusters(t, bound, n, parts...)
}

func joined(parts []sdk.Body) sdk.Body {
	var out sdk.Body
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}
