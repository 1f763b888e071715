package demo

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/web/browsertest"
)

var shots = flag.String("shots", "", "a folder that the browser test saves its screens to")

func lookAtIt(t *testing.T, binary string) {
	s := start(t, binary, func(o *Options) { o.Speed = 0.1 }) // two minutes without an article of its own
	b := browsertest.Open(t)
	b.Shots = *shots
	s.PublishNext()
	a := s.newest("en")
	s.arrived(KindNew, "en", a.ID)
	for _, width := range []int64{1440, 390} {
		b.Show(s.Base()+"/demo?lang=en", width, 900)
		b.Settle()
		b.Fits("/demo", int(width))
		b.Look(fmt.Sprintf("demo-%d", width))
		b.Show(s.Base()+"/newsroom/"+a.ID, width, 900)
		b.Look(fmt.Sprintf("article-%d", width))
	}

	// At the width of a small laptop every heading stands on one line, and the four places begin on one.
	for _, lang := range []string{"en", "fr"} {
		b.Show(s.Base()+"/demo?lang="+lang, 1280, 900)
		b.Settle()
		b.Save("demo-1280-" + lang)
		tops := browsertest.Evaluate[[]int](b, `[...document.querySelectorAll('.frame > :last-child')].map(e => Math.round(e.getBoundingClientRect().top))`)
		if slices.Sort(tops); len(tops) != 4 || tops[0] != tops[3] {
			t.Errorf("%s: the four places begin at %v", lang, tops)
		}
		if lines := browsertest.Evaluate[[]int](b, `[...document.querySelectorAll('.frame h2')].map(e => Math.round(e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).lineHeight)))`); !slices.Equal(lines, []int{1, 1, 1, 1}) {
			t.Errorf("%s: the headings have %v lines", lang, lines)
		}
	}

	// Without anybody's doing a new article stands in every frame; the page in its window is a new one, too.
	b.Show(s.Base()+"/demo?lang=en", 1440, 900)
	browsertest.Evaluate[bool](b, `document.body.dataset.untouched = 'yes', true`)
	s.PublishNext()
	a = s.newest("en")
	wait := func(what, script string) {
		t.Helper()
		for deadline := time.Now().Add(patience); !browsertest.Evaluate[bool](b, script); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(deadline) {
				b.Save("in-vain")
				t.Fatalf("waited in vain until %s", what)
			}
		}
	}
	everywhere := fmt.Sprintf(`['.newsroom', '.telegram', '.webhook'].every(f => document.querySelector(f).textContent.includes(%q)) &&
		document.querySelector('iframe').contentDocument.body.textContent.includes(%q)`, a.Title, a.Title)
	wait("the article is in every frame", everywhere)
	wait("every time is there", `document.querySelectorAll('.wire .there').length === 4`)

	// The buttons, without leaving the page.
	button := func(action string) {
		browsertest.Evaluate[bool](b, fmt.Sprintf(`document.querySelector('form[action="/demo/%s"] button').click(), true`, action))
	}
	button("correct")
	wait("the correction is in the frames", `document.querySelector('.telegram').textContent.includes('edited') && document.querySelector('.sheet .note') !== null`)
	button("cut")
	wait("the power is out", `document.querySelector('.outage.dark, .outage.counting, .outage.counted') !== null`)
	wait("it is counted", `document.querySelector('.outage .score') !== null`)
	wait("the hosted page is back", `document.querySelector('iframe').contentDocument.querySelector('.stream') !== null`)
	if !browsertest.Evaluate[bool](b, `document.body.dataset.untouched === 'yes'`) {
		t.Error("the page was loaded anew")
	}
	b.Look("demo-cut")
	b.Resize(390, 844)
	b.Fits("/demo after a cut", 390)

	// All of it without scripts.
	b.WithoutScripts()
	b.Show(s.Base()+"/demo?lang=fr", 390, 844)
	b.Click(`form[action="/demo/correct"] button`)
	wantIn(t, "/demo without scripts", b.Text("main"), "Rectificatif")
}
