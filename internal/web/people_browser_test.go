package web_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/web/browsertest"
)

// TestBrowserOnPeople looks at every page of the people as readers do, and goes the whole way with scripts switched off.
func TestBrowserOnPeople(t *testing.T) {
	n, p := openFilled(t, gazette())
	base := n.serve()
	b := browsertest.Open(t)
	b.Shots = *shots
	me := "/me/" + personLink
	look := func(name, path string) {
		t.Helper()
		for _, width := range []int64{1280, 360} {
			b.Show(base+path, width, 800)
			if shift := b.Settle(); shift > 0 {
				t.Errorf("%s at %d px: things move while it loads (%.4f)", name, width, shift)
			}
			b.Look(fmt.Sprintf("people-%s-%d", name, width))
		}
		b.Resize(320, 640)
		b.Fits(name, 320)
	}
	for name, path := range map[string]string{
		"front": "/?lang=fr", "channel": "/c/alertes?lang=fr", "follow": "/follow/alertes?lang=fr", "follow-app": "/follow/culture?lang=en", "silent": "/follow/concours?lang=fr", "unknown": "/follow/nope?lang=fr",
		"confirm": "/confirm/" + confirmToken, "confirm-used": "/confirm/" + usedToken + "?lang=en", "leave": "/leave/" + leaveToken + "?lang=fr", "leave-unknown": "/leave/unknown?lang=fr",
		"me": me, "me-en": me + "?lang=en&done=saved", "why": me + "/why", "data": me + "/data?lang=en", "forget": me + "/forget",
	} {
		look(name, path)
	}
	b.Show(base+"/follow/alertes?lang=fr", 360, 800)
	targets(t, b)
	b.Show(base+me, 360, 800)
	targets(t, b)

	// What is wrong stands in a summary that has the focus, and beside its field.
	b.Show(base+"/follow/alertes?lang=en", 360, 800)
	b.Click(`.form button[type=submit]`)
	b.Look("people-follow-faults-360")
	if focus := browsertest.Evaluate[string](b, `document.activeElement.className`); focus != "faults" {
		t.Errorf("after a fault the focus is on %q", focus)
	}
	b.Show(base+me+"?lang=en", 360, 800)
	b.Do(chromedp.SetValue(chromedp.CSS("#quiet-until"), ""))
	b.Click(`form.form > p > .strong`)
	b.Look("people-me-faults-360")

	b.Scheme("light")
	b.WithoutScripts()
	b.Show(base+"/c/alertes?lang=en", 360, 800)
	b.Click(`.follow a[href^="/follow/"]`)
	send := `.form button[type=submit]`
	b.Do(chromedp.SendKeys(chromedp.CSS("#address"), "reader@example"))
	b.Click(send)
	if text := b.Text(".faults"); !strings.Contains(text, "is no domain") {
		t.Errorf("the fault is not shown: %s", text)
	}
	b.Click(`.faults a[href="#address"]`)
	b.Do(chromedp.SetValue(chromedp.CSS("#address"), "reader@example.org"))
	b.Do(chromedp.Click(chromedp.CSS(`input[value=digest]`)), chromedp.Click(chromedp.CSS(`input[value="18:00"]`)), chromedp.Click(chromedp.CSS(`input[value="transports"]`)))
	n.clock.advance(10 * time.Second)
	b.Click(send)
	if text := b.Text("h1"); text != "One step is left" {
		t.Errorf("after signing up the page says %s:\n%s", text, b.Text("main"))
	}
	want := consent.Preferences{Mode: consent.Digest, Slots: []string{"07:00", "18:00"}, Topics: []string{"transports"}}
	if len(p.signUps) != 1 || p.signUps[0].Address != "reader@example.org" || !p.signUps[0].Preferences.Equal(want) {
		t.Fatalf("sign-ups %+v", p.signUps)
	}

	b.Show(base+"/confirm/"+confirmToken+"?lang=en", 360, 800)
	b.Click(`button[value=confirm]`)
	if text := b.Text("h1"); text != "You follow" {
		t.Errorf("after confirming the page says %s", text)
	}
	b.Click(`.ways .strong`)
	b.Do(chromedp.Click(chromedp.CSS(`#topic-11-0`)))
	b.Click(`form.form > p > .strong`)
	if text := b.Text("[role=status]"); text != "Your choices are saved." {
		t.Errorf("after saving the page says %s", text)
	}
	b.Click(`button[value=week]`)
	if text := b.Text("[role=status]"); text != "Everything is paused." {
		t.Errorf("after pausing the page says %s", text)
	}
	b.Click(`button[name=grant][value="12"]`)
	if text := b.Text("h1"); text != "You have left" {
		t.Errorf("after leaving the page says %s", text)
	}
	b.Show(base+"/leave/"+leaveToken+"?lang=en", 360, 800)
	b.Click(`.form .strong`)
	if text := b.Text("h1"); text != "You have left" {
		t.Errorf("after leaving by the link the page says %s", text)
	}
	b.Show(base+me+"/forget?lang=en", 360, 800)
	b.Click(`.form .strong`)
	if text := b.Text("h1"); text != "Everything about you is deleted" {
		t.Errorf("after deleting the page says %s", text)
	}
	done := p.changes()
	for i, want := range []string{"sign up reader@example.org", "confirm", `choose 11 {"mode":"digest","slots":["07:00","18:00"],"topics":["politique","transports"]}`, `habits {"lang":"fr","zone":"Europe/Paris","quiet_from":"22:00","quiet_until":"07:00","paused_until"`,
		"withdraw livraison", "leave alertes", "erase"} {
		if i >= len(done) || !strings.HasPrefix(done[i], want) {
			t.Errorf("step %d did %q, want %q", i, done, want)
			break
		}
	}
}

// targets fails the test for what is too small for a thumb, or hard to see when the keyboard is on it.
func targets(t *testing.T, b *browsertest.Browser) {
	t.Helper()
	small := browsertest.Evaluate[[]string](b, `[...document.querySelectorAll('main a.button, main button, main input:not([type=hidden], [tabindex="-1"]), main select, main summary')].filter(e => {
		const r = (e.closest('label') || e).getBoundingClientRect();
		return r.width > 0 && r.height < 43.5;
	}).map(e => e.outerHTML.slice(0, 120))`)
	for _, s := range small {
		t.Errorf("lower than 44 px: %s", s)
	}
	if hidden := browsertest.Evaluate[bool](b, `(() => { const t = document.querySelector('.trap'); if (!t) return true; const r = t.getBoundingClientRect(); return r.right <= 0 })()`); !hidden {
		t.Error("the trap for programs is in sight")
	}
}
