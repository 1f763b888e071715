package crash

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
)

var (
	cycles = flag.Int("cycles", 20, "how often the daemon is killed")
	seed   = flag.Uint64("seed", 0, "of the random moments; 0 takes the time")
)

// TestCrash runs the real binary with five feeds, two digests and three destinations, kills it with SIGKILL at random
// moments, and judges by what the receivers wrote down: nothing is lost, nothing appears twice where the receiver knows
// repeats or has answered, and every call without an answer is visible as unknown until it is resolved.
func TestCrash(t *testing.T) {
	if *seed == 0 {
		*seed = uint64(time.Now().UnixNano())
	}
	t.Logf("seed %d, %d cycles", *seed, *cycles)
	dir := t.TempDir()
	h := &harness{t: t, dir: dir, binary: daemontest.Build(t), random: rand.New(rand.NewPCG(*seed, 1)), world: newWorld(t, dir)}
	if err := os.WriteFile(filepath.Join(dir, "belfry.yaml"), []byte(h.world.config()), 0o600); err != nil {
		t.Fatal(err)
	}
	h.killAtFirstStart(5)
	for i := range *cycles {
		h.cycle(i)
	}
	h.settle()
	h.judge()
}

type harness struct {
	t       *testing.T
	dir     string
	binary  string
	random  *rand.Rand
	world   *world
	kills   map[string]int
	unknown int // calls that were unknown at some moment and resolved by hand
}

func (h *harness) start() *daemontest.Daemon { return daemontest.Start(h.t, h.binary, h.dir) }

// killAtFirstStart kills the daemon about when it makes its database. See TestKilledInMigrations for the migrations.
func (h *harness) killAtFirstStart(n int) {
	h.kills = map[string]int{}
	for range n {
		d := h.start()
		time.Sleep(time.Duration(h.random.IntN(60)) * time.Millisecond)
		d.Kill(daemontest.Group)
		h.kills["first start"]++
	}
}

// cycle lets the daemon work for a moment while news is written, and kills something.
func (h *harness) cycle(i int) {
	h.t.Helper()
	d := h.start()
	for range h.random.IntN(4) {
		h.world.act(h.random)
	}
	what := []string{"daemon", "daemon", "group", "group", "plugin", "start"}[h.random.IntN(6)]
	h.kills[what]++
	if what == "start" {
		time.Sleep(time.Duration(h.random.IntN(150)) * time.Millisecond)
		d.Kill(daemontest.Group)
		return
	}
	d.Ready()
	deadline := time.Now().Add(time.Duration(300+h.random.IntN(1500)) * time.Millisecond)
	for time.Now().Before(deadline) {
		h.world.act(h.random)
		time.Sleep(time.Duration(h.random.IntN(200)) * time.Millisecond)
	}
	if what == "plugin" {
		d.Kill(daemontest.Plugins)
		time.Sleep(time.Duration(h.random.IntN(600)) * time.Millisecond)
		if !d.Running() {
			h.t.Fatalf("cycle %d: the daemon ended with its plugin:\n%s", i, d.Log())
		}
	}
	if what == "daemon" {
		d.Kill(daemontest.Alone)
	} else {
		d.Kill(daemontest.Group)
	}
}

// settle lets the daemon work everything off, with an operator beside it who looks at the receivers and says what became
// of unknown calls.
func (h *harness) settle() {
	h.t.Helper()
	ctx := context.Background()
	d := h.start()
	d.Ready()
	defer func() { d.Stop(); h.noRace(d) }()
	db, err := sqlite.OpenExisting(ctx, filepath.Join(h.dir, "data", "belfry.db"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer db.Close()
	quiet, began := 0, time.Now()
	defer func() { h.t.Logf("worked off and looked at within %s", time.Since(began).Round(100*time.Millisecond)) }()
	for deadline := time.Now().Add(90*time.Second + time.Duration(*cycles)*time.Second); quiet < 12; time.Sleep(250 * time.Millisecond) {
		if time.Now().After(deadline) {
			h.t.Fatalf("not everything was worked off:\n%s%s\n%s", h.open(db), h.notTaken(db), d.Tail())
		}
		if !d.Running() {
			h.t.Fatalf("the daemon ended by itself:\n%s", d.Log())
		}
		h.operate(db)
		quiet++
		// Looking at everything that was ever posted takes its time, and comes first and last.
		if h.open(db) != "" || (quiet == 1 || quiet == 12) && h.notTaken(db) != "" {
			quiet = 0
		}
	}
}

// open lists what is still under way.
func (h *harness) open(db *store.DB) string {
	var out strings.Builder
	for _, state := range []string{"pending", "started", "unknown", "held"} {
		list, err := db.Deliveries(context.Background(), store.DeliveryFilter{State: state, Limit: 1000})
		if err != nil {
			h.t.Fatal(err)
		}
		for _, x := range list {
			fmt.Fprintf(&out, "delivery %d of post %s on %s is %s: %s %s\n", x.ID, x.Post, x.Destination, x.State, x.Code, x.Error)
		}
	}
	return out.String()
}

// notTaken lists the articles whose newest state has not reached a post of the channel "all", or which are live and have
// not reached a digest.
func (h *harness) notTaken(db *store.DB) string {
	single, digested := map[string]store.Post{}, map[string]string{} // by article, and titles by mark
	for _, p := range h.posts(db, "all") {
		single[articleOf(p)] = p
	}
	for _, p := range append(h.posts(db, "first"), h.posts(db, "second")...) {
		for _, e := range p.Content.Entries {
			digested[e.Summary] = e.Title
		}
	}
	var out strings.Builder
	for id, a := range h.world.truth {
		p, posted := single[id]
		switch {
		case a.withdrawn && posted && !p.Content.Withdrawn: // one that was withdrawn before anybody read the feed has no post
			fmt.Fprintf(&out, "%s is withdrawn, and its post %s is not\n", id, p.PublicID)
		case a.withdrawn:
		case !posted:
			fmt.Fprintf(&out, "%s has no post\n", id)
		case p.Content.Withdrawn:
			fmt.Fprintf(&out, "%s is not withdrawn, and its post %s is\n", id, p.PublicID)
		case p.Content.Title != a.title:
			fmt.Fprintf(&out, "%s is %q, and its post %s %q\n", id, a.title, p.PublicID, p.Content.Title)
		case digested[mark(id)] != a.title:
			fmt.Fprintf(&out, "%s is %q, and in a digest %q\n", id, a.title, digested[mark(id)])
		}
	}
	return out.String()
}

// articleOf is the article of a post of the channel "all".
func articleOf(p store.Post) string {
	return p.Content.URL[strings.LastIndexByte(p.Content.URL, '/')+1:]
}

func (h *harness) posts(db *store.DB, channel string) []store.Post {
	list, err := db.Posts(context.Background(), channel, false, math.MaxInt32)
	if err != nil {
		h.t.Fatal(err)
	}
	return list
}

// operate plays the person who looks at a receiver when a call's outcome is unknown.
func (h *harness) operate(db *store.DB) {
	ctx := context.Background()
	list, err := db.Deliveries(ctx, store.DeliveryFilter{State: "unknown", Limit: 1000})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, d := range list {
		if d.Destination == "dedup" {
			continue // the platform knows repeats, so that nobody has to look
		}
		if d.Reason != "asked" {
			continue // nobody was told yet
		}
		say := store.SayMissing
		if h.arrived(d) {
			say = store.SayArrived
		}
		if err := db.ResolveByHand(ctx, d.ID, say, "", "crash harness", time.Now()); err != nil {
			h.t.Fatal(err)
		}
		h.unknown++
	}
}

// arrived looks for a post's own address at a receiver.
func (h *harness) arrived(d store.Delivery) bool {
	link := "https://crash.example/c/" + d.Channel + "/" + d.Post
	if d.Destination == "forgetful" {
		return slices.ContainsFunc(h.world.forgetful.all(), func(s string) bool { return strings.Contains(s, link) })
	}
	return slices.ContainsFunc(h.world.telegram.Messages(gazette), func(m telegramtest.Message) bool { return strings.Contains(m.Text, link) })
}

// judge compares what the receivers hold with the truth.
func (h *harness) judge() {
	h.t.Helper()
	ctx := context.Background()
	db, err := sqlite.OpenExisting(ctx, filepath.Join(h.dir, "data", "belfry.db"))
	if err != nil {
		h.t.Fatal(err)
	}
	defer db.Close()
	byArticle := map[string]store.Post{}
	for _, p := range h.posts(db, "all") {
		id := articleOf(p)
		if _, twice := byArticle[id]; twice {
			h.t.Errorf("%s has two posts", id)
		}
		byArticle[id] = p
	}
	held := h.world.look()
	lost, doubled, stale := 0, 0, 0
	for id, a := range h.world.truth {
		p, ok := byArticle[id]
		if !ok {
			if !a.withdrawn {
				lost++
				h.t.Errorf("%s was lost: it has no post", id)
			}
			continue
		}
		copies, err := db.Copies(ctx, p.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		for _, c := range copies {
			n, current := held[p.PublicID].copies(c.Destination, a)
			what := fmt.Sprintf("%s (post %s, revision %d, %s) on %s (%s %s)", id, p.PublicID, p.Revision, p.Status, c.Destination, c.State, c.Reason)
			switch {
			case n == 0 && !a.withdrawn && c.State != "expired":
				lost++
				h.t.Errorf("%s was lost", what)
			case n > 1:
				doubled++
				h.t.Errorf("%s appeared %d times", what, n)
			case !current && c.State == "done":
				stale++
				h.t.Errorf("%s does not show the newest state, and nobody was told", what)
			}
		}
	}
	h.judgeDigests(db, held)
	h.t.Logf("%d articles, %d posts; killed %v; %d unknown calls resolved by looking; %d answers were dropped; lost %d, doubled %d, stale %d",
		len(h.world.truth), len(byArticle), h.kills, h.unknown, h.world.forgetful.faults.Met(), lost, doubled, stale)
	if len(h.world.truth) < *cycles/2 {
		h.t.Errorf("only %d articles were written: the test did not test", len(h.world.truth))
	}
}

// seen is what the receivers hold of one post.
type seen struct {
	telegram  []telegramtest.Message
	dedup     []receivertest.Post
	forgetful int
}

// own finds the address of a post that a text carries.
var own = regexp.MustCompile(`https://crash\.example/c/[a-z]+/([A-Za-z0-9_-]+)`)

// look finds what the receivers hold of each post, by its public id.
func (w *world) look() map[string]*seen {
	out := map[string]*seen{}
	of := func(id string) *seen {
		if out[id] == nil {
			out[id] = &seen{}
		}
		return out[id]
	}
	posts := func(text string) []string {
		var ids []string
		for _, m := range own.FindAllStringSubmatch(text, -1) {
			if !slices.Contains(ids, m[1]) {
				ids = append(ids, m[1])
			}
		}
		return ids
	}
	for _, c := range w.telegram.State().Chats {
		for _, m := range c.Messages {
			for _, id := range posts(m.Text) {
				of(id).telegram = append(of(id).telegram, m)
			}
		}
	}
	for _, p := range w.dedup.State().Posts {
		of(p.ID).dedup = append(of(p.ID).dedup, p)
	}
	for _, text := range w.forgetful.all() {
		for _, id := range posts(text) {
			of(id).forgetful++
		}
	}
	return out
}

// copies counts how often an article's post appeared on a destination, and whether the copy that stays is the newest.
func (s *seen) copies(destination string, a *article) (n int, current bool) {
	if s == nil {
		s = &seen{}
	}
	switch destination {
	case "telegram":
		live := 0
		for _, m := range s.telegram {
			n++
			if m.Deleted.IsZero() {
				live++
				current = strings.Contains(m.Text, a.title)
			}
		}
		if a.withdrawn {
			current = live == 0
		}
		return n, current
	case "dedup":
		for _, post := range s.dedup {
			n += post.Times
			current = post.Title == a.title
			if a.withdrawn {
				current = !post.Withdrawn.IsZero()
			}
		}
		return n, current || n == 0 && a.withdrawn
	}
	return s.forgetful, true // it takes neither edits nor deletions: those are listed
}

// judgeDigests checks that every article is in one digest, and every digest happened once.
func (h *harness) judgeDigests(db *store.DB, held map[string]*seen) {
	h.t.Helper()
	in := map[string]int{}
	for _, channel := range []string{"first", "second"} {
		for _, p := range h.posts(db, channel) {
			if p.Kind != compose.KindDigest {
				h.t.Errorf("channel %s has a post of kind %s", channel, p.Kind)
			}
			for _, e := range p.Content.Entries {
				in[e.Summary]++
			}
			n := 0
			if s := held[p.PublicID]; s != nil && channel == "first" {
				for _, post := range s.dedup {
					n += post.Times
				}
			} else if s != nil {
				n = len(s.telegram)
			}
			if n > 1 || n == 0 && p.Status == compose.PostLive {
				h.t.Errorf("digest %s of %s appeared %d times", p.PublicID, channel, n)
			}
		}
	}
	for id, a := range h.world.truth {
		if n := in[mark(id)]; n > 1 || n == 0 && !a.withdrawn {
			h.t.Errorf("%s is in %d digests", id, n)
		}
	}
}
