package web

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"rsc.io/qr"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/i18n"
)

// TestCode holds that the drawing has exactly the dark modules of the code, and room around it.
func TestCode(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"https://t.me/gazette_bot?start=alertes", "https://canaux.gazette.example/follow/alertes", "x", strings.Repeat("a", 300)} {
		want, err := qr.Encode(text, qr.M)
		if err != nil {
			t.Fatal(err)
		}
		got := qrCode(text)
		dark := map[[2]int]bool{}
		for run := range strings.SplitSeq(strings.TrimSuffix(got.Path, "z"), "z") {
			var x, y, w, back int
			if n, err := fmt.Sscanf(run, "M%d %dh%dv1h-%d", &x, &y, &w, &back); n != 4 || err != nil || w != back || w < 1 {
				t.Fatalf("%q is no run: %v", run, err)
			}
			for i := range w {
				if dark[[2]int{x + i, y}] {
					t.Fatalf("module %d, %d is drawn twice", x+i, y)
				}
				dark[[2]int{x + i, y}] = true
			}
		}
		if got.Size != want.Size+8 {
			t.Errorf("%d modules wide, want %d and four on each side", got.Size, want.Size)
		}
		for y := range got.Size {
			for x := range got.Size {
				if dark[[2]int{x, y}] != want.Black(x-4, y-4) {
					t.Fatalf("%.20s: module %d, %d is wrong", text, x, y)
				}
			}
		}
	}
	if qrCode(strings.Repeat("a", 5000)) != nil {
		t.Error("a text that no code can hold has one")
	}
}

// TestPaceForgets holds that origins cost bounded memory, whoever they are.
func TestPaceForgets(t *testing.T) {
	t.Parallel()
	p := newPace()
	now := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	for i := range 3 * mostOrigins {
		p.of(fmt.Sprint(i), now)
		if len(p.by) > mostOrigins {
			t.Fatalf("%d origins are kept", len(p.by))
		}
	}
	if p.of(fmt.Sprint(3*mostOrigins-1), now); len(p.by) == 0 {
		t.Error("the newest origin was forgotten")
	}
	p.forget(now.Add(time.Hour))
	if len(p.by) != 0 {
		t.Errorf("%d origins that have their whole share are kept", len(p.by))
	}
}

// plainView speaks English about a site without a configuration.
func plainView() *view {
	c := configs.Default()
	return &view{site: newSite(&c, ""), words: i18n.For("en")}
}

// TestZonesExist holds that every zone that is offered is one, once, and that a person's own is always among them.
func TestZonesExist(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	v := plainView()
	for _, g := range v.zoneGroups("Europe/Paris") {
		if g.Name == "" || strings.HasPrefix(g.Name, "[") {
			t.Errorf("a part of the world is called %q", g.Name)
		}
		for _, z := range g.Zones {
			if loadZone(z.Value) == nil || seen[z.Value] {
				t.Errorf("%s is no zone, or stands there twice", z.Value)
			}
			seen[z.Value] = true
		}
	}
	own := v.zoneGroups("Antarctica/Troll")
	if len(own[0].Zones) != 1 || own[0].Zones[0].Value != "Antarctica/Troll" || !own[0].Zones[0].Checked {
		t.Errorf("a zone that is not in the list is lost: %v", own[0])
	}
}

// TestVersion holds that the same words have the same version for ever: evidence names it.
func TestVersion(t *testing.T) {
	t.Parallel()
	if got := version("I agree."); got != "826ff0dab649a97f" {
		t.Errorf("version %s", got)
	}
	v := plainView()
	if a, b := v.followWording("One", consent.Email), v.followWording("Two", consent.Email); a == b || version(a) == version(b) {
		t.Error("two wordings have one version")
	}
}
