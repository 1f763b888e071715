package sqlite_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/sdk"
)

const day = 24 * time.Hour

// shortest keeps everything as short as a configuration may say.
var shortest = store.Retention{Items: day, Posts: day, Deliveries: day, Media: day, Alerts: day, Acts: day}

// prune makes a whole pass.
func prune(t *testing.T, db *store.DB, keep store.Retention, now time.Time) store.Pruned {
	t.Helper()
	var total store.Pruned
	p := db.Prune(keep, 50, now)
	for {
		out, err := p.Step(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		total.Add(out)
		total.Files = append(total.Files, out.Files...)
		if !out.More {
			return total
		}
	}
}

// desk is a source and three channels over a store: one takes all items by themselves, one some, one collects.
type newsDesk struct {
	t  *testing.T
	db *store.DB
	// source and channels have names of their own, so that several can share a store.
	source   string
	channels []string
	program  *compose.Program
	rules    intake.Rules
	now      time.Time
}

func newDesk(t *testing.T, db *store.DB, suffix string) *newsDesk {
	t.Helper()
	source := "feed" + suffix
	cfg := configs.Default()
	for name, ch := range map[string]configs.Channel{"all": {}, "some": {Where: `hasTag("a")`}, "digest": {}} {
		full := configs.Channel{}
		full.SetDefaults()
		full.Title, full.Sources, full.Where = configs.Localized{"": name}, []string{source}, ch.Where
		if name == "digest" {
			full.Digest = &configs.Digest{Cron: "0 7 * * *"}
			full.Digest.SetDefaults()
			full.Digest.Cron = "0 7 * * *"
		} else {
			full.Each = &configs.Each{}
			full.Each.SetDefaults()
		}
		if cfg.Channels == nil {
			cfg.Channels = map[string]configs.Channel{}
		}
		cfg.Channels[name+suffix] = full
	}
	program, problems := compose.Compile(&cfg)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	d := &newsDesk{t: t, db: db, source: source, channels: []string{"all" + suffix, "some" + suffix, "digest" + suffix}, program: program,
		now: time.Date(2026, 3, 1, 8, 0, 0, 0, time.UTC), rules: intake.Rules{Name: source, Poll: time.Minute, BaselineAll: true, MaxNew: 100000}}
	ok(t, db.UseChannels(t.Context(), d.channels, d.now.Add(-time.Hour)))
	ok(t, db.UseSources(t.Context(), []store.SourceSetting{{Name: source, Poll: time.Minute}}, d.now))
	return d
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fetch takes a document in, lets the channels look at it, and says how many items are new and how many wait anew.
func (d *newsDesk) fetch(items ...sdk.Item) (fresh, waiting int) {
	d.t.Helper()
	ctx := d.t.Context()
	st, err := d.db.SourceState(ctx, d.source)
	ok(d.t, err)
	batch := sdk.Batch{Items: items}
	found, err := d.db.Found(ctx, d.source, batch)
	ok(d.t, err)
	ch := intake.Decide(d.rules, st, batch, found, d.now)
	ok(d.t, d.db.CommitIntake(ctx, ch, d.now))
	created, err := d.db.ChannelsSince(ctx)
	ok(d.t, err)
	for {
		changed, err := d.db.ChangedItems(ctx, 500)
		ok(d.t, err)
		if len(changed) == 0 {
			break
		}
		es := d.program.EvaluateItems(changed, created)
		for _, e := range es {
			for _, m := range e.Set {
				if m.State == compose.StateWaiting {
					waiting++
				}
			}
		}
		ok(d.t, d.db.CommitEvaluations(ctx, es, d.now))
	}
	d.recompose()
	return len(ch.Inserts), waiting
}

// recompose makes posts anew whose items changed.
func (d *newsDesk) recompose() {
	d.t.Helper()
	stale, err := d.db.StalePosts(d.t.Context(), 0, 10000)
	ok(d.t, err)
	for _, s := range stale {
		ok(d.t, d.db.CommitRevision(d.t.Context(), d.program.Recompose(s, d.now), d.now))
	}
}

// post posts what waits in the channels that post each item, up to a number, and a digest of the others.
func (d *newsDesk) post(most int) {
	d.t.Helper()
	for i, channel := range d.channels {
		waiting, err := d.db.WaitingItems(d.t.Context(), channel)
		ok(d.t, err)
		waiting = waiting[:min(most, len(waiting))]
		c := compose.Commit{Channel: channel}
		digest := compose.NewPost{Channel: channel, Key: "occurrence:" + fmt.Sprint(d.now.Unix()), Kind: compose.KindDigest, Status: compose.PostLive, VisibleAt: d.now}
		for _, w := range waiting {
			item := compose.PostItem{Item: w.Item, Revision: w.Revision}
			if i == 2 {
				digest.Items = append(digest.Items, item)
				digest.Content.Entries = append(digest.Content.Entries, compose.Entry{Item: w.Item, Title: w.Content.Title, URL: w.Content.URL, Media: w.Content.Media})
				continue
			}
			c.Posts = append(c.Posts, compose.NewPost{Channel: channel, Key: fmt.Sprint("each:", w.Item), Kind: compose.KindEach, Status: compose.PostLive, VisibleAt: d.now,
				Content: compose.ItemContent(w.Content, "en", false), Items: []compose.PostItem{item}})
		}
		if len(digest.Items) > 0 {
			digest.Content.Title = "Digest"
			c.Posts = append(c.Posts, digest)
		}
		_, err = d.db.CommitPosts(d.t.Context(), c, d.now)
		ok(d.t, err)
	}
}

func (d *newsDesk) posts() (out []store.Post) {
	d.t.Helper()
	for _, channel := range d.channels {
		list, err := d.db.Posts(d.t.Context(), channel, false, 100000)
		ok(d.t, err)
		out = append(out, list...)
	}
	return out
}

func article(n, version int, tags ...string) sdk.Item {
	it := sdk.Item{Key: fmt.Sprintf("key-%d", n), Title: fmt.Sprintf("Article %d.%d", n, version), URL: fmt.Sprintf("https://news.example/%d", n), Summary: strings.Repeat("text ", 200),
		Published: time.Date(2026, 2, 1, 0, n, 0, 0, time.UTC), Tags: tags}
	it.Body = sdk.Body{sdk.Paragraph(sdk.Text(it.Summary))}
	return it
}

// settle ends every delivery.
func settle(t *testing.T, file string, at time.Time) {
	t.Helper()
	alter(t, file, fmt.Sprintf(`UPDATE deliveries SET state = 'sent', settled_at = %d WHERE settled_at = 0; UPDATE publications SET state = 'done', have = want, out_at = %[1]d`, at.UnixMicro()))
}

// Whatever a source did before, and however short everything is kept: once the store was pruned, nothing that it had is
// new or waits again, neither while it is still listed nor when it comes back after years; what is still listed is kept
// whole.
func TestNothingPrunedIsPostedAgain(t *testing.T) {
	t.Parallel()
	tags := [][]string{nil, {"a"}}
	_, db := newDatabase(t)
	defer closed(t, db)
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		runs++
		d := newDesk(t, db, fmt.Sprint("-", runs))
		known := map[int]sdk.Item{}
		window := 0
		var last []sdk.Item
		for range rapid.IntRange(1, 3).Draw(r, "fetches") {
			size := rapid.IntRange(1, 8).Draw(r, "size")
			window += rapid.IntRange(0, 8).Draw(r, "step")
			last = nil
			for n := window; n < window+size; n++ {
				it := article(n, rapid.IntRange(0, 1).Draw(r, "version"), tags[rapid.IntRange(0, 1).Draw(r, "tag")]...)
				known[n] = it
				last = append(last, it)
			}
			d.fetch(last...)
			d.now = d.now.Add(time.Minute)
			d.post(rapid.IntRange(0, 6).Draw(r, "posts"))
			d.now = d.now.Add(time.Duration(rapid.IntRange(1, 72).Draw(r, "hours")) * time.Hour)
		}
		// What waits at the end is posted: what is posted later is not again.
		d.post(100)
		before := len(d.posts())
		d.now = d.now.Add(20 * day) // the next fetch is no first one
		prune(t, d.db, shortest, d.now)
		if fresh, waiting := d.fetch(last...); fresh != 0 || waiting != 0 {
			r.Fatalf("the same document: %d are new, %d wait", fresh, waiting)
		}
		for range 2 {
			d.now = d.now.Add(10 * day)
			prune(t, d.db, shortest, d.now)
		}
		d.now = d.now.Add(time.Hour)
		var all []sdk.Item
		for _, it := range known {
			all = append(all, it)
		}
		slices.SortFunc(all, func(a, b sdk.Item) int { return strings.Compare(a.Key, b.Key) })
		if fresh, waiting := d.fetch(all...); fresh != 0 || waiting != 0 {
			r.Fatalf("everything comes back: %d are new, %d wait", fresh, waiting)
		}
		d.post(100)
		if after := len(d.posts()); after > before {
			r.Fatalf("%d posts became %d", before, after)
		}
	})
}

// What the newest document of a source lists keeps its content however old it is: its source may be away for months, and its
// next document is compared with it.
func TestWhatIsListedStays(t *testing.T) {
	t.Parallel()
	_, db := newDatabase(t)
	defer closed(t, db)
	d := newDesk(t, db, "")
	d.fetch(article(2, 0), article(1, 0))
	d.post(100)
	for _, p := range d.posts() {
		if p.Kind == compose.KindDigest { // it would keep its items by itself
			_, err := d.db.RetractPost(t.Context(), p.ID, false, "test", "test", d.now)
			ok(t, err)
		}
	}
	d.now = d.now.Add(100 * day)
	if out := prune(t, d.db, store.Retention{Items: 90 * day}, d.now); out.Items != 0 {
		t.Errorf("%d items were emptied that the document lists", out.Items)
	}
	d.fetch(article(3, 0))
	d.now = d.now.Add(100 * day)
	if out := prune(t, d.db, store.Retention{Items: 90 * day}, d.now); out.Items != 2 {
		t.Errorf("%d items were emptied, want the two that left the document", out.Items)
	}
}

// The content of what is listed, waits, or makes up a digest stays; of other old items the key does.
func TestWhatStays(t *testing.T) {
	t.Parallel()
	_, db := newDatabase(t)
	defer closed(t, db)
	d := newDesk(t, db, "")
	d.fetch(article(3, 0), article(2, 0), article(1, 0))
	d.post(2) // article 3 waits in all and in the digest's channel
	d.fetch(article(4, 0))
	d.now = d.now.Add(100 * day)
	out := prune(t, d.db, store.Retention{Items: 90 * day}, d.now)
	if out.Items != 0 {
		t.Errorf("%d items were emptied although digests and channels need them", out.Items)
	}
	ctx := t.Context()
	digest := ""
	for _, p := range d.posts() {
		if p.Kind == compose.KindDigest {
			digest = p.PublicID
			_, err := d.db.RetractPost(ctx, p.ID, false, "test", "test", d.now)
			ok(t, err)
		}
	}
	if digest == "" {
		t.Fatal("there is no digest")
	}
	out = prune(t, d.db, store.Retention{Items: 90 * day}, d.now)
	if out.Items != 2 {
		t.Errorf("%d items were emptied, want those of the two articles that were posted and left the document", out.Items)
	}
	for n, want := range map[int]bool{1: true, 2: true, 3: false, 4: false} {
		waiting, err := d.db.Found(ctx, "feed", sdk.Batch{Items: []sdk.Item{article(n, 0)}})
		ok(t, err)
		if got := waiting.ByKey[fmt.Sprintf("key-%d", n)].Substance == ""; got != want {
			t.Errorf("article %d: emptied %v, want %v", n, got, want)
		}
	}
	// A correction of an emptied item reaches its posts, and what says the same changes nothing.
	revisions := func() map[string]int {
		out := map[string]int{}
		for _, p := range d.posts() {
			if p.Channel == "all" {
				out[p.Content.Title] = p.Revision
			}
		}
		return out
	}
	d.fetch(article(4, 0), article(1, 1), article(2, 0))
	if diff := cmp.Diff(map[string]int{"Article 1.1": 2, "Article 2.0": 1}, revisions()); diff != "" {
		t.Error(diff)
	}
	// A withdrawal does, too.
	d.now = d.now.Add(100 * day)
	d.fetch(article(4, 0))
	d.now = d.now.Add(100 * day)
	if out := prune(t, d.db, store.Retention{Items: 90 * day}, d.now); out.Items != 2 {
		t.Errorf("%d items", out.Items)
	}
	st, err := d.db.SourceState(ctx, "feed")
	ok(t, err)
	found, err := d.db.Found(ctx, "feed", sdk.Batch{Removed: []sdk.Removal{{Key: "key-1"}}})
	ok(t, err)
	ok(t, d.db.CommitIntake(ctx, intake.Decide(d.rules, st, sdk.Batch{Removed: []sdk.Removal{{Key: "key-1", Reason: "410"}}}, found, d.now), d.now))
	d.fetch(article(4, 0))
	if p := d.posts(); !slices.ContainsFunc(p, func(p store.Post) bool { return p.Status == compose.PostWithdrawn && p.Content.Title == "Article 1.1" }) {
		t.Errorf("the withdrawal did not arrive: %+v", revisions())
	}
}

// Posts, deliveries, images, alerts and acts go when they are old and nothing needs them, and not before. What was retracted
// for good stays blocked.
func TestPrune(t *testing.T) {
	t.Parallel()
	file, db := newDatabase(t)
	ctx, old := t.Context(), time.Now().Add(-400*day)
	public := func(title string, at time.Time, images ...string) string {
		p := compose.NewPost{Channel: "alertes", Kind: compose.KindEditor, Status: compose.PostLive, VisibleAt: at, Content: compose.Content{Title: title},
			Targets: []compose.NewTarget{{Destination: "hook"}}}
		for _, u := range images {
			p.Content.Media = append(p.Content.Media, sdk.Media{URL: u})
		}
		id, err := db.CreatePost(ctx, p, images, "test", at)
		ok(t, err)
		return id
	}
	for _, u := range []string{"shown", "unshown", "new"} {
		at := old
		if u == "new" {
			at = time.Now()
		}
		ok(t, db.PutImage(ctx, "belfry:"+u, sdk.File{SHA256: u, Name: u + ".jpg", Type: "image/jpeg"}, at))
	}
	public("old", old)
	public("old with a copy that waits", old)
	retracted := public("retracted", old)
	public("young", time.Now(), "belfry:shown")
	p, err := db.PostByID(ctx, retracted)
	ok(t, err)
	closed(t, db)
	settle(t, file, old)
	alter(t, file, `UPDATE deliveries SET state = 'pending', settled_at = 0 WHERE id = 2; INSERT INTO alerts (code, subject, sentence, mend, first_at, last_at, resolved_at)
		VALUES ('x', 'old', '', '', 1, 1, 1), ('x', 'lasts', '', '', 1, 1, 0), ('x', 'young', '', '', 1, 1, 9000000000000000); INSERT INTO blocked (kind, source, value, at, reason) VALUES ('key', 'feed', 'k', 1, 'legal')`)
	db, err = sqlite.Open(ctx, file)
	ok(t, err)
	defer closed(t, db)
	_, err = db.RetractPost(ctx, p.ID, true, "legal", "test", old)
	ok(t, err)
	out := prune(t, db, shortest, time.Now())
	if diff := cmp.Diff(store.Pruned{Posts: 1, Deliveries: 3, Media: 1, Alerts: 1, Acts: 3, Files: []string{"unshown.jpg"}}, out); diff != "" {
		t.Error(diff)
	}
	list, err := db.Posts(ctx, "", false, 99)
	ok(t, err)
	var titles []string
	for _, p := range list {
		titles = append(titles, string(p.Status)+" "+p.Content.Title)
	}
	if diff := cmp.Diff([]string{"live young", "retracted ", "live old with a copy that waits"}, titles); diff != "" {
		t.Error(diff)
	}
	found, err := db.Found(ctx, "feed", sdk.Batch{Items: []sdk.Item{{Key: "k"}}})
	ok(t, err)
	if !found.BlockedKeys["k"] {
		t.Error("what was retracted for good can come back")
	}
	if out := prune(t, db, store.Retention{}, time.Now().Add(100*day)); out.Sum() != 0 {
		t.Errorf("0s does not keep for ever: %+v", out)
	}
}

// A big store becomes small, step by step, while others write and nobody waits long.
func TestPruneABigStore(t *testing.T) {
	t.Parallel()
	file, db := newDatabase(t)
	ctx, old := t.Context(), time.Now().Add(-400*day).UnixMicro()
	closed(t, db)
	alter(t, file, fmt.Sprintf(`PRAGMA foreign_keys = 0; PRAGMA synchronous = 0;
		INSERT INTO sources (name) VALUES ('feed'); INSERT INTO channels (name, since) VALUES ('all', 1);
		WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
		INSERT INTO items (id, source, key, state, substance, facts, content, link, seen_at, changed_at, listed, listed_at, changed)
		SELECT i, 'feed', 'key-' || i, 'live', 's', 'f', '{"key":"key-' || i || '","title":"T","summary":"' || hex(randomblob(1500)) || '"}', 'https://news.example/' || i, %[1]d, %[1]d, i > 1900, %[1]d, 0 FROM n;
		INSERT INTO posts (id, public_id, channel, key, kind, status, created_at, visible_at, changed_at) SELECT id, 'p' || id, 'all', 'each:' || id, 'each', 'live', %[1]d, %[1]d, %[1]d FROM items;
		INSERT INTO post_revisions (post, revision, at, content) SELECT id, 1, %[1]d, '{"title":"T"}' FROM posts;
		INSERT INTO post_items (post, item, position, item_revision) SELECT id, substr(key, 6), 0, 1 FROM posts;
		INSERT INTO channel_items (channel, item, state, since, post) SELECT 'all', id, 'used', %[1]d, id FROM posts;
		INSERT INTO publications (id, post, channel, destination, want, have, state, out_at) SELECT id, +id, 'all', 'hook', 1, 1, 'done', %[1]d FROM posts;
		INSERT INTO deliveries (id, publication, destination, state, next_at, created_at, settled_at, error) SELECT id, +id, 'hook', 'sent', 1, 1, %[1]d, hex(randomblob(300)) FROM posts`, old))
	db, err := sqlite.Open(ctx, file)
	ok(t, err)
	defer closed(t, db)
	before := fileBytes(t, file)
	stop, slowest := make(chan struct{}), make(chan time.Duration)
	go func() {
		worst := time.Duration(0)
		for {
			select {
			case <-stop:
				slowest <- worst
				return
			default:
			}
			began := time.Now()
			if _, err := db.Pause(context.Background(), store.PauseSource, "feed", "test", began); err != nil {
				t.Error(err)
			}
			if _, err := db.Resume(context.Background(), store.PauseSource, "feed", "test", began); err != nil {
				t.Error(err)
			}
			worst = max(worst, time.Since(began))
		}
	}()
	out := prune(t, db, store.Retention{Items: 90 * day, Deliveries: 30 * day}, time.Now())
	given := 0
	for left := 1; left > 0; given++ {
		left, err = db.GiveBack(ctx, 0, 250)
		ok(t, err)
	}
	close(stop)
	worst := <-slowest
	if out.Items != 1900 || out.Deliveries != 1999 || out.Posts != 0 {
		t.Errorf("%+v", out)
	}
	if worst > 10*time.Second {
		t.Errorf("somebody waited %s for the writer", worst)
	}
	ok(t, db.Close())
	if after := fileBytes(t, file); after > before/3 {
		t.Errorf("%d bytes became %d after %d steps", before, after, given)
	}
	rooms := map[string]int{}
	db, err = sqlite.Open(ctx, file)
	ok(t, err)
	list, _, err := db.Rooms(ctx)
	ok(t, err)
	total := int64(0)
	for _, r := range list {
		rooms[r.Name] = r.Rows
		total += r.Bytes
	}
	if rooms["items"] != 2000 || rooms["posts"] != 2000 || rooms["deliveries"] != 1 || total < fileBytes(t, file)/2 || total > fileBytes(t, file) {
		t.Errorf("%v, %d bytes of %d", list, total, fileBytes(t, file))
	}
	ok(t, db.Close())
}

func fileBytes(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(filepath.Clean(file))
	ok(t, err)
	return info.Size()
}

// How much people got on a day goes once no cap asks for it, step by step, also where everything else is kept.
func TestDaysOfPeopleGo(t *testing.T) {
	t.Parallel()
	file, db := newDatabase(t)
	defer closed(t, db)
	raw, err := sql.Open("sqlite", file)
	ok(t, err)
	defer raw.Close()
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	today := now.Unix() / 86400
	for person := range 120 { // more than a step takes
		for _, ago := range []int64{0, 10, 11, 40} {
			_, err := raw.Exec(`INSERT INTO sent_days (person, purpose, day, count, last_at) VALUES (?, 'channel alertes', ?, 1, 0)`, person+1, today-ago)
			ok(t, err)
		}
	}
	prune(t, db, store.Retention{}, now)
	var left, oldest int64
	ok(t, raw.QueryRow(`SELECT count(*), min(day) FROM sent_days`).Scan(&left, &oldest))
	if left != 240 || oldest != today-10 {
		t.Errorf("%d are left, the oldest of %d days ago", left, today-oldest)
	}
}
