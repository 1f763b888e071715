package web

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/palette"
)

// properties reads the custom properties of a block of the stylesheet.
func properties(t *testing.T, css string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+):\s*(#[0-9a-f]{3,6});`).FindAllStringSubmatch(css, -1) {
		out[m[1]] = m[2]
	}
	if len(out) == 0 {
		t.Fatal("no custom properties in this block of the stylesheet")
	}
	return out
}

// luminance is the relative luminance of a colour (WCAG 2.2).
func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	hex = strings.TrimPrefix(hex, "#")
	if len(hex) == 3 {
		hex = hex[:1] + hex[:1] + hex[1:2] + hex[1:2] + hex[2:] + hex[2:]
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatalf("colour %q: %v", hex, err)
	}
	linear := func(v uint64) float64 {
		c := float64(v&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

func TestContrast(t *testing.T) {
	t.Parallel()
	own, err := os.ReadFile("static/belfry.css")
	if err != nil {
		t.Fatal(err)
	}
	light, rest, ok := strings.Cut(palette.CSS()+string(own), "@media (prefers-color-scheme: dark)")
	if !ok {
		t.Fatal("the stylesheet has no dark scheme")
	}
	dark, _, _ := strings.Cut(rest, "\n}\n")
	_, printed, ok := strings.Cut(rest, "@media print")
	if !ok {
		t.Fatal("the stylesheet has no print sheet")
	}
	for scheme, block := range map[string]string{"light": light, "dark": dark, "print": printed} {
		colours := properties(t, block)
		for _, pair := range [][2]string{{"ink", "paper"}, {"quiet", "paper"}, {"brass", "paper"}, {"ink", "tint"}, {"quiet", "tint"}, {"brass", "tint"}, {"on-brass", "brass"}, {"bad", "paper"}, {"bad", "tint"}} {
			if scheme == "print" && (pair[0] == "on-brass" || pair[0] == "bad") {
				continue // buttons have no ground on paper, and trouble is not printed
			}
			text, ground := colours[pair[0]], colours[pair[1]]
			if text == "" || ground == "" {
				t.Errorf("%s: --%s or --%s is not set", scheme, pair[0], pair[1])
				continue
			}
			a, b := luminance(t, text), luminance(t, ground)
			if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); ratio < 4.5 {
				t.Errorf("%s: --%s %s on --%s %s has a contrast of %.2f, less than 4.5", scheme, pair[0], text, pair[1], ground, ratio)
			}
		}
	}
}

// TestOneDoor holds that text becomes markup in one place only, and that pages load nothing and run nothing.
func TestOneDoor(t *testing.T) {
	t.Parallel()
	sources, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	doors := 0
	for _, f := range sources {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		text, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		doors += len(regexp.MustCompile(`template\.(HTML|HTMLAttr|JS|JSStr|CSS|URL|Srcset)\(`).FindAll(text, -1))
		if strings.Contains(string(text), `"text/template"`) {
			t.Errorf("%s uses text/template, which escapes nothing", f.Name())
		}
	}
	if doors != 1 {
		t.Errorf("%d conversions switch the escaping off; only bodyHTML may", doors)
	}
	pages, err := os.ReadDir("templates")
	if err != nil {
		t.Fatal(err)
	}
	forbidden := regexp.MustCompile(`(?i)<script(?: type="application/ld\+json")?>|\sstyle=|\son[a-z]+=|<style|https?://|<iframe`)
	for _, f := range pages {
		text, err := os.ReadFile("templates/" + f.Name())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range forbidden.FindAllString(string(text), -1) {
			if m != `<script type="application/ld+json">` {
				t.Errorf("%s holds %q", f.Name(), m)
			}
		}
	}
}
