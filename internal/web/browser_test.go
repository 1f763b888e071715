package web_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/web/browsertest"
)

var shots = flag.String("shots", "", "a folder that the browser test saves its screens to")

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
	b := browsertest.Open(t)
	b.Shots = *shots
	for name, path := range screens(id) {
		for _, width := range []int64{1280, 360} {
			b.Show(base+path, width, 800)
			if shift := b.Settle(); shift > 0 {
				t.Errorf("%s at %d px: things move while it loads (%.4f)", name, width, shift)
			}
			b.Look(fmt.Sprintf("%s-%d", name, width))
		}
		b.Print(name)
		b.Resize(320, 640)
		b.Fits(name, 320)
	}
	t.Run("hostile", func(t *testing.T) { hostilePages(t, b) })
	t.Run("without scripts", func(t *testing.T) { withoutScripts(t, b, base, id) })
}

// hostilePages looks at what hostile items do to pages in a real browser.
func hostilePages(t *testing.T, b *browsertest.Browser) {
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
		b.Show(base+path, 320, 640)
		if shift := b.Settle(); shift > 0 {
			t.Errorf("%s: things move while it loads (%.4f)", path, shift)
		}
		if browsertest.Evaluate[bool](b, `typeof window.pwned !== 'undefined'`) {
			t.Errorf("%s runs what came from a source", path)
		}
		b.Fits(path, 320)
		b.Save("hostile" + strings.ReplaceAll(path, "/", "-"))
	}
}

// withoutScripts reads a channel and follows its links in a browser that runs no script.
func withoutScripts(t *testing.T, b *browsertest.Browser, base string, id ids) {
	b.WithoutScripts()
	b.Show(base+"/c/alertes?lang=en", 1280, 800)
	b.Click(fmt.Sprintf(`#p-%s .when`, id.fire))
	text := b.Text("main")
	for _, want := range []string{"Incendie à la gare du Nord", "Corrected 07:31:", "Read the article on gazette.example"} {
		if !strings.Contains(text, want) {
			t.Errorf("the post's page does not say %q without scripts:\n%s", want, text)
		}
	}
}
