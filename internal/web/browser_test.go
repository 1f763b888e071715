package web_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

var shots = flag.String("shots", "", "a folder that the browser test saves its screens to")

// openBrowser starts Chromium with a profile of its own. It never skips: pages that nobody looked at are not done.
func openBrowser(t *testing.T) context.Context {
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
	return tab
}

// serve serves a newsroom's pages on this machine.
func (n *newsroom) serve() string {
	n.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		n.t.Fatal(err)
	}
	n.server.Serve(ln)
	n.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := n.server.Stop(ctx); err != nil {
			n.t.Errorf("stop the pages: %v", err)
		}
	})
	return "http://" + ln.Addr().String()
}

// browser is a tab in which pages are looked at.
type browser struct {
	t   *testing.T
	ctx context.Context
	axe string
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

func evaluate[T any](b *browser, script string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatalf("%v in %.80s", err, script)
	}
	return v
}

func (b *browser) scheme(name string) {
	b.t.Helper()
	_, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
	if err != nil {
		b.t.Fatal(err)
	}
}

// print saves the page as it is printed; nothing of it may be wider than the sheet.
func (b *browser) print(name string) {
	b.t.Helper()
	b.do(chromedp.EmulateViewport(700, 1000))
	for _, media := range []string{"print", ""} {
		if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: media}); err != nil {
			b.t.Fatal(err)
		}
		if media == "" {
			return
		}
		if w := evaluate[int](b, `document.documentElement.scrollWidth`); w > 700 {
			b.t.Errorf("%s: %d px wide on a sheet of 700", name, w)
		}
		b.save(name + "-print")
	}
}

// settle scrolls through the page until every image is there, and gives how far things moved meanwhile. It fails when an
// image is missing, or when the page asked for something that its policy forbids.
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

// violation is what axe-core finds wrong.
type violation struct {
	ID, Impact, Help string
	Nodes            []struct {
		HTML    string
		Summary string `json:"failureSummary"`
	}
}

const runAxe = `axe.run(document, {resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(r => r.violations)`

// screens are the pages that are looked at, by name.
func screens(id ids) map[string]string {
	return map[string]string{
		"front":     "/?lang=fr",
		"channel":   "/c/alertes?lang=fr",
		"corrected": "/c/alertes/" + id.fire + "?lang=fr",
		"full":      "/c/culture/" + id.exhibition + "?lang=fr",
		"digest":    "/c/brief/" + id.brief + "?lang=fr",
		"empty":     "/c/concours?lang=fr",
		"404":       "/c/nowhere?lang=en",
		"410":       "/c/alertes/" + id.withdrawn + "?lang=fr",
	}
}

func TestBrowser(t *testing.T) {
	n := open(t, gazette())
	id := n.fill()
	base := n.serve()
	source, err := os.ReadFile("testdata/axe/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, ctx: openBrowser(t), axe: string(source)}
	for name, path := range screens(id) {
		for _, width := range []int64{1280, 360} {
			b.do(chromedp.EmulateViewport(width, 800), chromedp.Navigate(base+path))
			if shift := evaluate[float64](b, settle); shift > 0 {
				t.Errorf("%s at %d px: things move while it loads (%.4f)", name, width, shift)
			}
			b.do(chromedp.Evaluate[chromedp.Void](b.axe))
			for _, scheme := range []string{"light", "dark"} {
				b.scheme(scheme)
				for _, v := range evaluate[[]violation](b, runAxe) {
					for _, node := range v.Nodes {
						t.Errorf("%s at %d px, %s: %s (%s): %s\n%s\n%s", name, width, scheme, v.ID, v.Impact, v.Help, node.HTML, node.Summary)
					}
				}
				b.save(fmt.Sprintf("%s-%d-%s", name, width, scheme))
			}
		}
		b.print(name)
		b.do(chromedp.EmulateViewport(320, 640))
		if w := evaluate[int](b, `document.documentElement.scrollWidth`); w > 320 {
			t.Errorf("%s: %d px wide on a screen of 320", name, w)
		}
	}
	t.Run("hostile", func(t *testing.T) { hostilePages(t, b) })
	t.Run("without scripts", func(t *testing.T) { withoutScripts(t, b, base, id) })
}

// save keeps a screen for people to look at.
func (b *browser) save(name string) {
	b.t.Helper()
	if *shots == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(*shots, name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// hostilePages looks at what hostile items do to pages in a real browser.
func hostilePages(t *testing.T, b *browser) {
	n := open(t, gazette())
	n.picture(1, "", "")
	var each, digest string
	for _, name := range slices.Sorted(maps.Keys(hostile)) {
		c := hostileContent(hostile[name])
		digest = n.post("brief", "2026-11-20 07:00:00", compose.KindDigest, c)
		c.Entries = nil
		each = n.post("culture", "2026-11-20 07:00:00", compose.KindEach, c)
		n.revise(each, "2026-11-20 07:10:00", func(c *compose.Content) { c.Note += " bis" })
	}
	base := n.serve()
	for _, path := range []string{"/", "/c/culture", "/c/brief", "/c/culture/" + each, "/c/brief/" + digest} {
		b.do(chromedp.EmulateViewport(320, 640), chromedp.Navigate(base+path))
		if shift := evaluate[float64](b, settle); shift > 0 {
			t.Errorf("%s: things move while it loads (%.4f)", path, shift)
		}
		if evaluate[bool](b, `typeof window.pwned !== 'undefined'`) {
			t.Errorf("%s runs what came from a source", path)
		}
		if w := evaluate[int](b, `document.documentElement.scrollWidth`); w > 320 {
			t.Errorf("%s: %d px wide on a screen of 320", path, w)
		}
		b.save("hostile" + strings.ReplaceAll(path, "/", "-"))
	}
}

// withoutScripts reads a channel and follows its links in a browser that runs no script.
func withoutScripts(t *testing.T, b *browser, base string, id ids) {
	if _, err := chromedp.Call(b.ctx, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.EmulateViewport(1280, 800), chromedp.Navigate(base+"/c/alertes?lang=en"))
	permalink := fmt.Sprintf(`#p-%s .when`, id.fire)
	if _, err := chromedp.RunResponse(b.ctx, chromedp.Click(chromedp.CSS(permalink))); err != nil {
		t.Fatal(err)
	}
	text, err := chromedp.Run(b.ctx, chromedp.TextContent(chromedp.CSS("main")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Incendie à la gare du Nord", "Corrected 07:31:", "Read the article on gazette.example"} {
		if !strings.Contains(text, want) {
			t.Errorf("the post's page does not say %q without scripts:\n%s", want, text)
		}
	}
}
