//go:build !race

package plugindev

import (
	"flag"
	"fmt"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/web/browsertest"
)

var shots = flag.String("shots", "", "a folder that the browser test saves its screens to")

// The page is looked at in a browser, and shows by itself what happens.
func TestInABrowser(t *testing.T) {
	t.Parallel()
	dir := project(t, asConnector)
	s := start(t, dir)
	s.until("a post was deleted", func() bool { return s.called("Delete") > 0 })
	b := browsertest.Open(t)
	b.Shots = *shots
	for _, width := range []int64{1280, 390} {
		b.Show(s.Base(), width, 900)
		b.Settle()
		b.Fits("/", int(width))
		b.Look(fmt.Sprintf("dev-%d", width))
	}
	browsertest.Evaluate[bool](b, `document.querySelector('.calls summary').click(), document.body.dataset.untouched = 'yes', true`)
	write(t, dir, "broken", "./api.go:12:3: undefined: x\n")
	for deadline := time.Now().Add(patience); !browsertest.Evaluate[bool](b, `document.querySelector('.trouble pre')?.textContent.includes('./api.go:12:3') === true`); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			b.Save("in-vain")
			t.Fatal("the page does not show the compiler's words by itself")
		}
	}
	if !browsertest.Evaluate[bool](b, `document.body.dataset.untouched === 'yes' && document.querySelectorAll('details[open]').length === 1`) {
		t.Error("the page was loaded anew, or what was unfolded is not any more")
	}
	b.Look("dev-trouble")
}
