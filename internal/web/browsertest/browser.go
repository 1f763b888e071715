// Package browsertest looks at pages as readers do: in Debian's Chromium, with axe-core, at every width and in light and
// dark. It never skips: pages that nobody looked at are not done.
package browsertest

import (
	"context"
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

//go:embed axe/axe.min.js
var axe string

// Browser is a tab in which pages are looked at. A fault of the browser ends the test.
type Browser struct {
	t   testing.TB
	ctx context.Context
	// Shots is a folder that Save saves to; without one nothing is saved.
	Shots string
}

// Open starts Chromium with a profile of its own, which ends with the test.
func Open(t testing.TB) *Browser {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		t.Fatal("no Chromium in the PATH; on Debian install it with: apt-get install chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("hide-scrollbars", true))
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	alloc, stop := chromedp.NewExecAllocator(ctx, opts...)
	tab, closeTab := chromedp.NewContext(alloc)
	t.Cleanup(func() {
		_ = chromedp.Cancel(tab) // waits until the browser has ended and its profile is free
		closeTab()
		stop()
		cancel()
	})
	return &Browser{t: t, ctx: tab}
}

// Do does steps, one after the other.
func (b *Browser) Do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// Show opens a page in a window of a width and height.
func (b *Browser) Show(address string, width, height int64) {
	b.t.Helper()
	b.Do(chromedp.EmulateViewport(width, height), chromedp.Navigate(address))
}

// Resize changes the window.
func (b *Browser) Resize(width, height int64) {
	b.t.Helper()
	b.Do(chromedp.EmulateViewport(width, height))
}

// Click presses what a CSS selector finds, and waits for the page that this leads to.
func (b *Browser) Click(selector string) {
	b.t.Helper()
	if _, err := chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS(selector))); err != nil {
		b.t.Fatalf("press %s: %v", selector, err)
	}
}

// Text is what stands in the first element that a CSS selector finds.
func (b *Browser) Text(selector string) string {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.TextContent(chromedp.CSS(selector)))
	if err != nil {
		b.t.Fatalf("read %s: %v", selector, err)
	}
	return text
}

// Evaluate gives the value of a script, awaited when it is a promise.
func Evaluate[T any](b *Browser, script string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%v in %.80s", err, script)
	}
	return v
}

// Scheme prefers light or dark.
func (b *Browser) Scheme(name string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// WithoutScripts runs no script of any page from now on.
func (b *Browser) WithoutScripts() {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		b.t.Fatal(err)
	}
}

// Print saves the page as it is printed; nothing of it may be wider than the sheet.
func (b *Browser) Print(name string) {
	b.t.Helper()
	b.Resize(700, 1000)
	for _, media := range []string{"print", ""} {
		if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: media}); err != nil {
			b.t.Fatal(err)
		}
		if media == "" {
			return
		}
		b.Fits(name, 700)
		b.Save(name + "-print")
	}
}

// Fits fails the test when a page is wider than its window.
func (b *Browser) Fits(name string, width int) {
	b.t.Helper()
	if w := Evaluate[int](b, `document.documentElement.scrollWidth`); w > width {
		b.t.Errorf("%s: %d px wide on %d", name, w, width)
	}
}

const settle = `(async () => {
	let shift = 0;
	new PerformanceObserver(list => { for (const e of list.getEntries()) shift += e.value }).observe({type: 'layout-shift', buffered: true});
	const frame = () => new Promise(requestAnimationFrame);
	for (let y = 0; y < document.documentElement.scrollHeight; y += innerHeight) { scrollTo(0, y); await frame(); }
	await Promise.all([...document.images].map(i => i.decode().catch(() => { throw new Error('no image: ' + i.currentSrc) })));
	scrollTo(0, 0);
	await frame(); await frame();
	const refused = [];
	const reports = new ReportingObserver(list => refused.push(...list), {types: ['csp-violation'], buffered: true});
	reports.observe();
	await frame();
	refused.push(...reports.takeRecords());
	if (refused.length) throw new Error('the policy refused ' + JSON.stringify(refused.map(r => r.body)));
	return shift;
})()`

// Settle scrolls through the page until every image is there, and gives how far things moved meanwhile. It fails the test
// when an image is missing, or when the page asked for something that its policy forbids.
func (b *Browser) Settle() float64 {
	b.t.Helper()
	return Evaluate[float64](b, settle)
}

// violation is what axe-core finds wrong.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML    string
		Summary string `json:"failureSummary"`
	}
}

// What moves comes to rest first.
const runAxe = `Promise.allSettled(document.getAnimations().map(a => a.finished)).then(() => axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})).then(r => r.violations)`

// Axe fails the test for everything that axe-core finds wrong with the page as it is.
func (b *Browser) Axe(name string) {
	b.t.Helper()
	if !Evaluate[bool](b, `typeof axe !== 'undefined'`) {
		b.Do(chromedp.Evaluate[chromedp.Void](axe))
	}
	for _, v := range Evaluate[[]violation](b, runAxe) {
		for _, node := range v.Nodes {
			b.t.Errorf("%s: %s (%s): %s\n%s\n%s", name, v.ID, v.Impact, v.Help, node.HTML, node.Summary)
		}
	}
}

// Look has axe-core look at the page in light and in dark, and saves both.
func (b *Browser) Look(name string) {
	b.t.Helper()
	for _, scheme := range []string{"light", "dark"} {
		b.Scheme(scheme)
		b.Axe(name + ", " + scheme)
		b.Save(fmt.Sprintf("%s-%s", name, scheme))
	}
}

// Save keeps a screen for people to look at.
func (b *Browser) Save(name string) {
	b.t.Helper()
	if b.Shots == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(b.Shots, name+".png"), png, 0o600)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}
