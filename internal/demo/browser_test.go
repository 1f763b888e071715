package demo

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/i18n"
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
		tops := browsertest.Evaluate[[]int](b, `[...document.querySelectorAll('.frame:not(.inbox) > :last-child')].map(e => Math.round(e.getBoundingClientRect().top))`)
		if slices.Sort(tops); len(tops) != 4 || tops[0] != tops[3] {
			t.Errorf("%s: the four places begin at %v", lang, tops)
		}
		if lines := browsertest.Evaluate[[]int](b, `[...document.querySelectorAll('.frame h2')].map(e => Math.round(e.getBoundingClientRect().height / parseFloat(getComputedStyle(e).lineHeight)))`); !slices.Equal(lines, []int{1, 1, 1, 1, 1}) {
			t.Errorf("%s: the headings have %v lines", lang, lines)
		}
	}

	// Without anybody's doing a new article stands in every frame; the page in its window is a new one, too.
	b.Show(s.Base()+"/demo?lang=en", 1440, 900)
	browsertest.Evaluate[bool](b, `document.body.dataset.untouched = 'yes', true`)
	r := s.readers["en"]
	s.until("the reader has confirmed", func() bool { return !r.Journey().Confirmed.IsZero() })
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
	wait("every time is there", `document.querySelectorAll('[data-part=wire] .there').length === 4`)

	// The made-up reader's message is in the inbox, opened, and its button leaves.
	news := s.mailTo("the message is in the inbox", r.Address, rings)
	wait("the message is open", fmt.Sprintf(`document.querySelector('.mails [aria-current]')?.textContent.includes(%[1]q) && document.querySelector('.head h3')?.textContent === %[1]q &&
		document.querySelector('.letter iframe')?.getAttribute('src') === '/demo/mail/%[2]d'`, news.Subject, news.ID))
	wait("the message was loaded", fmt.Sprintf(`performance.getEntriesByType('resource').some(e => e.initiatorType === 'iframe' && e.name.endsWith('/demo/mail/%d') && e.responseStatus === 200)`, news.ID))
	b.Resize(1440, 1600) // frames of another origin are drawn while they are seen
	b.Look("demo-inbox")
	first := s.mailTo("the question is there", r.Address, asks(s.Base()))
	browsertest.Evaluate[bool](b, `document.querySelector('.mails ol li:last-child a').click(), true`)
	wait("an earlier mail is open", fmt.Sprintf(`document.querySelector('.head h3')?.textContent === %q && document.querySelector('.head form') === null`, first.Subject))
	b.Save("demo-inbox-question")
	browsertest.Evaluate[bool](b, `document.querySelector('.mails ol li:first-child a').click(), true`)
	wait("the newest is open again", `document.querySelector('.head form') !== null`)
	browsertest.Evaluate[bool](b, `document.querySelector('.head form button').click(), true`)
	wait("the reader has left", `document.querySelector('.head form button').disabled && document.querySelectorAll('.reader .there').length === 5`)
	wait("the record is offered", `document.querySelector('.reader .what a[href*="/why"]') !== null && document.querySelector('.head .do a[href*="/why"]') !== null`)
	for _, width := range []int64{820, 390} {
		b.Resize(width, 844)
		b.Fits("/demo with an inbox", int(width))
	}
	browsertest.Evaluate[bool](b, `document.querySelector('.reading').scrollIntoView(), true`)
	b.Look("demo-inbox-390")
	b.Resize(1440, 900)

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

	// A visitor fills in the form, and presses the button behind the link, in a browser.
	const visitor = "visitor@example.invalid"
	b.Show(s.Base()+"/follow/news?lang=en", 1440, 900)
	browsertest.Evaluate[bool](b, fmt.Sprintf(`document.querySelector('#address').value = %q, true`, visitor))
	time.Sleep(hasty)
	b.Click(`form.form button[type=submit]`)
	asked := s.mailTo("the visitor is asked", visitor, asks(s.Base()))
	b.Show(fmt.Sprint(s.Base(), "/demo?lang=en&mail=", asked.ID), 1440, 900)
	wantIn(t, "the open mail", b.Text(".head"), asked.Subject, visitor)
	b.Show(s.Base()+asked.Path(s.Base(), "/confirm/", ""), 390, 844)
	b.Fits("the confirmation", 390)
	b.Click(`button[name=act][value=confirm]`)
	wantIn(t, "the answer", b.Text("main"), i18n.For("en").Text("people.confirmed"))

	// All of it without scripts.
	b.WithoutScripts()
	b.Show(s.Base()+"/demo?lang=fr", 390, 844)
	b.Click(`form[action="/demo/correct"] button`)
	wantIn(t, "/demo without scripts", b.Text("main"), "Rectificatif")

	// A mail stands in its frame, and its links open beside it; the record is a page of its own.
	b.Show(s.Base()+"/demo/mail/"+fmt.Sprint(news.ID), 390, 844)
	b.Fits("a mail", 390)
	b.Save("demo-mail")
	b.Show(s.Base()+news.Path(s.Base(), "/me/", "/why")+"?lang=en", 390, 844)
	b.Fits("the record", 390)
	b.Save("demo-record")
	wantIn(t, "the record", b.Text("main"), "Sent · In English", "by the unsubscribe button of your mail program")
}
