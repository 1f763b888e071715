package plugindev

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// samplesType is the type of the source that gives a connector something to post.
const samplesType = "belfry-dev-samples"

// samples is a newsroom in memory.
type samples struct {
	// pictures is the address below which its pictures are.
	pictures string

	mu      sync.Mutex
	entries []sample
	change  int
	more    int // how many articles were asked for by a person
	next    int // of the steps
}

type sample struct {
	change    int
	item      sdk.Item
	withdrawn bool
}

type samplesConfig struct{}

// spec declares the source.
func (n *samples) spec() *sdk.Spec {
	return sdk.Define(samplesType, "sample posts for a connector", samplesConfig{},
		func(context.Context, sdk.Settings, samplesConfig) (*samplesSource, error) {
			return &samplesSource{n}, nil
		})
}

// steps are what happens there by itself, each when all before has arrived.
func (n *samples) steps() []func() {
	article := n.article("a1", "Fire at the station", "Trains do not run until noon.", "The fire broke out at six. Nobody was hurt.", "Buses stand before the main entrance.")
	long := n.article("a2", "A long read about bells", "Longer than most platforms take.", strings.Split(strings.Repeat("Bells were cast where they were hung, since no road would bear them. The pit was dug beside the tower, and the whole town came to see the metal run.\n", 24), "\n")...)
	pictures := n.article("a3", "Two pictures of the square", "With an alternative text for each.")
	for i, alt := range []string{"The square in the morning", "The square at night"} {
		pictures.Media = append(pictures.Media, sdk.Media{URL: n.pictures + strconv.Itoa(i+1) + ".png", Type: "image/png", Alt: alt, Credit: "Belfry", Width: pictureWidth, Height: pictureHeight})
	}
	withdrawn := n.article("a4", "An article that will be withdrawn", "It stays for a moment.")
	corrected := article
	corrected.Title, corrected.Summary, corrected.Correction = "Fire at the station is out", "Trains run again.", "An earlier version said that trains do not run until noon."
	return []func(){
		func() { n.put(article, false) }, func() { n.put(long, false) }, func() { n.put(pictures, false) }, func() { n.put(withdrawn, false) },
		func() { n.put(corrected, false) }, func() { n.put(withdrawn, true) },
	}
}

// step does the next step; false when there is none.
func (n *samples) step() bool {
	steps := n.steps()
	n.mu.Lock()
	next := n.next
	if next < len(steps) {
		n.next++
	}
	n.mu.Unlock()
	if next < len(steps) {
		steps[next]()
	}
	return next < len(steps)
}

// Another publishes one more article, as a person asked.
func (n *samples) Another() {
	n.mu.Lock()
	n.more++
	number := n.more
	n.mu.Unlock()
	n.put(n.article(fmt.Sprintf("m%d", number), fmt.Sprintf("Article number %d", number), "Somebody pressed the button.", "One paragraph.", "And one more."), false)
}

// Correct corrects the newest article that is not withdrawn, and Withdraw withdraws it. They are false when there is none.
func (n *samples) Correct() bool {
	it, ok := n.newest()
	if ok {
		it.Title += ", corrected"
		it.Correction = "The title was wrong."
		n.put(it, false)
	}
	return ok
}

// Withdraw withdraws the newest article.
func (n *samples) Withdraw() bool {
	it, ok := n.newest()
	if ok {
		n.put(it, true)
	}
	return ok
}

func (n *samples) newest() (sdk.Item, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, e := range slices.Backward(n.entries) {
		if !e.withdrawn {
			return e.item, true
		}
	}
	return sdk.Item{}, false
}

func (n *samples) article(key, title, summary string, paragraphs ...string) sdk.Item {
	it := sdk.Item{Key: key, Title: title, Summary: summary, URL: "https://news.example/" + key, Lang: "en", Tags: []string{"sample"}, Published: time.Now().UTC().Truncate(time.Second)}
	for _, p := range paragraphs {
		if p != "" {
			it.Body = append(it.Body, sdk.Paragraph(sdk.Text(p)))
		}
	}
	return it
}

func (n *samples) put(it sdk.Item, withdrawn bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.change++
	it.Updated = time.Now().UTC().Truncate(time.Second)
	n.entries = slices.DeleteFunc(n.entries, func(e sample) bool {
		same := e.item.Key == it.Key
		if same {
			it.Published = e.item.Published
		}
		return same
	})
	n.entries = append(n.entries, sample{n.change, it, withdrawn})
}

// samplesSource implements sdk.Source; its cursor is the number of the last change.
type samplesSource struct{ n *samples }

// Fetch gives what changed.
func (s *samplesSource) Fetch(_ context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
	s.n.mu.Lock()
	defer s.n.mu.Unlock()
	after, _ := strconv.Atoi(string(r.Cursor)) // without one, from the beginning
	b := sdk.Batch{Next: sdk.Cursor(strconv.Itoa(s.n.change)), Unchanged: true}
	for _, e := range s.n.entries {
		switch {
		case e.change <= after && !r.Force:
			continue
		case e.withdrawn:
			b.Removed = append(b.Removed, sdk.Removal{Key: e.item.Key, Reason: "withdrawn by the sample newsroom", At: r.Now})
		default:
			b.Items = append(b.Items, e.item)
		}
		b.Unchanged = false
	}
	return b, nil
}

// Close implements sdk.Connector.
func (s *samplesSource) Close(context.Context) error { return nil }

const pictureWidth, pictureHeight = 640, 360

// picture draws one of the sample pictures: a tower against the light of the morning, or of the night.
func picture(night bool) ([]byte, error) {
	img := image.NewNRGBA(image.Rect(0, 0, pictureWidth, pictureHeight))
	for y := range pictureHeight {
		for x := range pictureWidth {
			c := color.NRGBA{uint8(250 - y/4), uint8(220 - y/3), uint8(170 + y/6), 255}
			if night {
				c = color.NRGBA{uint8(20 + y/10), uint8(24 + y/8), uint8(60 + y/5), 255}
			}
			if tower := x > 280 && x < 360 && y > 90; tower || y > 300 || x > 280+(90-y)/2 && x < 360-(90-y)/2 && y > 20 && y <= 90 {
				c = color.NRGBA{46, 38, 30, 255}
			}
			img.SetNRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	err := png.Encode(&b, img)
	return b.Bytes(), err
}

// changes counts what happened: each is a post, or a revision of one.
func (n *samples) changes() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.change
}
