package desk_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"image"
	"image/png"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/desk/desktest"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newDesk(t *testing.T) (*desk.Desk, *desktest.Newsroom) {
	t.Helper()
	n := desktest.New(t, time.Now().UTC().Truncate(time.Second))
	return &desk.Desk{Config: n.Config, Store: n.Store, Dir: n.Dir, Now: n.Now, Actor: "test", UserAgent: "Belfry/test",
		Daemon: func() (int, bool) { return 0, false }}, n
}

// wants checks the kind of an error and what it says; an empty kind wants none.
func wants(t *testing.T, err error, kind desk.Kind, says string) {
	t.Helper()
	var e *desk.Error
	switch {
	case kind == "" && err != nil:
		t.Errorf("got %v", err)
	case kind != "" && (!errors.As(err, &e) || e.Kind != kind || !strings.Contains(err.Error(), says)):
		t.Errorf("got %v, want %s with %q", err, kind, says)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	d, n := newDesk(t)
	s, err := d.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		name, state string
		a, b        int
	}
	var got []row
	for _, x := range s.Sources {
		got = append(got, row{x.Name, x.State, x.Usable, x.Held})
	}
	for _, x := range s.Destinations {
		got = append(got, row{x.Name, x.State, x.Waiting, x.Unknown})
	}
	for _, x := range s.Channels {
		got = append(got, row{x.Name, x.Kind, x.Posts, x.Waiting})
	}
	want := []row{{"agenda", "new", 0, 0}, {"articles", "holds", 1, 2}, {"ops", "ok", 1, 0}, {"wire", "ok", 1, 0},
		{"alertes", "each", 1, 1}, {"brief", "digest", 0, 1}, {"desk", "editor", 0, 0}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(row{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(s.Alerts) != 2 || len(s.Paused) != 0 || s.Daemon.Running {
		t.Errorf("%d alerts, %d pauses, %+v", len(s.Alerts), len(s.Paused), s.Daemon)
	}
	n.Stop(t, "wire")
	if x, err := d.Destination(t.Context(), "wire"); err != nil || x.State != "stopped" || x.Error != "the bot may not post" {
		t.Errorf("%+v, %v", x, err)
	}
	if stopped, err := d.Stopped(t.Context(), "wire"); err != nil || !stopped {
		t.Errorf("%t, %v", stopped, err)
	}
}

// Errors are told apart by whose fault they are.
func TestKinds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		do   func(ctx context.Context, d *desk.Desk, n *desktest.Newsroom) error
		kind desk.Kind
		says string
	}{
		"no source": {func(ctx context.Context, d *desk.Desk, _ *desktest.Newsroom) error {
			_, err := d.Source(ctx, "article")
			return err
		}, desk.Unknown, `did you mean "articles"?`},
		"no destination": {func(ctx context.Context, d *desk.Desk, _ *desktest.Newsroom) error {
			_, err := d.Destination(ctx, "x")
			return err
		}, desk.Unknown, "known are ops, wire"},
		"no channel": {func(ctx context.Context, d *desk.Desk, _ *desktest.Newsroom) error {
			_, err := d.Channel(ctx, "x")
			return err
		}, desk.Unknown, "known are alertes, brief, desk"},
		"no post": {func(ctx context.Context, d *desk.Desk, _ *desktest.Newsroom) error {
			_, err := d.Post(ctx, "zzzz")
			return err
		}, desk.Missing, "belfry post list"},
		"an empty id": {func(ctx context.Context, d *desk.Desk, _ *desktest.Newsroom) error {
			_, err := d.Post(ctx, "")
			return err
		}, desk.Missing, "belfry post list"},
		"no item": {func(ctx context.Context, d *desk.Desk, _ *desktest.Newsroom) error {
			_, err := d.WhyItem(ctx, "x", "articles", "")
			return err
		}, desk.Missing, "of source articles"},
		"no delivery": {func(ctx context.Context, d *desk.Desk, _ *desktest.Newsroom) error {
			_, err := d.Resend(ctx, 999)
			return err
		}, desk.Missing, "there is no delivery 999"},
		"a delivery under way": {func(ctx context.Context, d *desk.Desk, n *desktest.Newsroom) error {
			_, err := d.Resend(ctx, n.Begin(t, "ops").Delivery)
			return err
		}, desk.Conflict, "is started"},
		"nothing is held": {func(ctx context.Context, d *desk.Desk, _ *desktest.Newsroom) error {
			_, err := d.ReleaseSource(ctx, "agenda", false)
			return err
		}, desk.Conflict, "holds nothing"},
		"resent twice": {func(ctx context.Context, d *desk.Desk, n *desktest.Newsroom) error {
			id := n.Refuse(t, "ops")
			if _, err := d.Resend(ctx, id); err != nil {
				return err
			}
			_, err := d.Resend(ctx, id)
			return err
		}, desk.Conflict, "worked on already"},
		"retracted twice": {func(ctx context.Context, d *desk.Desk, n *desktest.Newsroom) error {
			if _, err := d.Retract(ctx, n.Post, false, "a", 0); err != nil {
				return err
			}
			_, err := d.Retract(ctx, n.Post, false, "a", 0)
			return err
		}, desk.Conflict, "is retracted already: retracted: a"},
		"a store that is closed": {func(ctx context.Context, d *desk.Desk, n *desktest.Newsroom) error {
			id := n.Refuse(t, "ops")
			_ = n.Store.Close()
			_, err := d.Resend(ctx, id)
			if errors.As(err, new(*desk.Error)) {
				return errors.New("told as somebody's fault")
			}
			return nil
		}, "", ""},
		"a source that is not taken up": {func(ctx context.Context, d *desk.Desk, n *desktest.Newsroom) error {
			if err := n.Store.UseSources(ctx, nil, n.Now); err != nil {
				return err
			}
			_, err := d.Fetch(ctx, "agenda", false, 0)
			return err
		}, desk.Conflict, "has not taken up source agenda yet"},
	} {
		t.Run(name, func(t *testing.T) {
			d, n := newDesk(t)
			wants(t, c.do(t.Context(), d, n), c.kind, c.says)
		})
	}
}

// A post without its image says why it is without it.
func TestALostImage(t *testing.T) {
	t.Parallel()
	d, n := newDesk(t)
	const had, lost = "https://news.example/a.jpg", "https://news.example/b.jpg"
	id, err := n.Store.CreatePost(t.Context(), compose.NewPost{Channel: "desk", Kind: compose.KindEditor, Status: compose.PostLive, VisibleAt: n.Now,
		Content: compose.Content{Title: "Deux images", Media: []sdk.Media{{URL: had}, {URL: lost}}}}, []string{had, lost}, "test", n.Now)
	if err != nil {
		t.Fatal(err)
	}
	wanted, err := n.Store.WantedMedia(t.Context(), n.Now, 9)
	if err != nil || len(wanted) != 2 {
		t.Fatalf("%+v, %v", wanted, err)
	}
	for _, w := range wanted {
		if w.URL == lost {
			if users, err := n.Store.MediaUsers(t.Context(), w.ID); err != nil || !slices.Equal(users.Posts, []string{id}) || !slices.Equal(users.Channels, []string{"desk"}) {
				t.Errorf("%+v, %v", users, err)
			}
			err = n.Store.MediaFailed(t.Context(), w.ID, "image of news.example: its server answers 404", time.Time{})
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	p, err := d.Post(t.Context(), id)
	if err != nil || !slices.Equal(p.Lost, []string{"image of news.example: its server answers 404"}) {
		t.Errorf("%q, %v", p.Lost, err)
	}
}

func TestWhyItem(t *testing.T) {
	t.Parallel()
	d, n := newDesk(t)
	waiting, err := d.WhyItem(t.Context(), "https://news.example/"+n.Waiting, "", "")
	if err != nil || len(waiting) != 1 || len(waiting[0].Channels) != 2 {
		t.Fatalf("%+v, %v", waiting, err)
	}
	for _, x := range waiting[0].Channels {
		if x.State != "waiting" || !strings.HasPrefix(x.Sentence, "waits for ") || !strings.HasSuffix(x.Sentence, "the daemon is not running") {
			t.Errorf("%+v", x)
		}
	}
	if waiting[0].Channels[1].Expected.IsZero() {
		t.Error("when the digest comes is not told")
	}
	held, err := d.WhyItem(t.Context(), n.Held, "articles", "alertes")
	if err != nil || len(held) != 1 || !strings.HasSuffix(held[0].Sentence, "post it: belfry source release articles") || held[0].Channels[0].State != "not_taken" {
		t.Errorf("%+v, %v", held, err)
	}
}

func TestReleaseSource(t *testing.T) {
	t.Parallel()
	for name, drop := range map[string]bool{"released": false, "dropped": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, _ := newDesk(t)
			out, err := d.ReleaseSource(t.Context(), "articles", drop)
			if err != nil {
				t.Fatal(err)
			}
			b, err := json.Marshal(out)
			want := map[bool]string{false: `{"dropped":0,"released":2,"source":"articles"}`, true: `{"dropped":2,"released":0,"source":"articles"}`}[drop]
			if string(b) != want {
				t.Errorf("%s, %v", b, err)
			}
		})
	}
}

// A request that comes again finds its post; another one with its key is refused, and another actor's key is another.
func TestRepeated(t *testing.T) {
	t.Parallel()
	d, _ := newDesk(t)
	r := desk.Request{Key: "aa", Sum: "01"}
	if _, found, err := d.Repeated(t.Context(), r); found || err != nil {
		t.Fatalf("%t, %v", found, err)
	}
	made, err := d.Create(t.Context(), desk.NewPost{Channel: "desk", Draft: compose.Draft{Text: "Bonjour."}, Request: r})
	if err != nil {
		t.Fatal(err)
	}
	again, found, err := d.Repeated(t.Context(), r)
	if !found || err != nil || again.ID != made.ID {
		t.Errorf("%+v, %t, %v", again, found, err)
	}
	_, found, err = d.Repeated(t.Context(), desk.Request{Key: "aa", Sum: "02"})
	wants(t, err, desk.Unusable, "made post "+made.ID)
	if found {
		t.Error("it is found all the same")
	}
	if _, found, err := d.Repeated(t.Context(), desk.Request{Key: "a", Sum: "01"}); found || err != nil {
		t.Errorf("the beginning of a key: %t, %v", found, err)
	}
	other := *d
	other.Actor = "another"
	if _, found, err := other.Repeated(t.Context(), r); found || err != nil {
		t.Errorf("somebody else: %t, %v", found, err)
	}
	later := *d
	later.Now = d.Now.Add(8 * 24 * time.Hour)
	if _, found, err := later.Repeated(t.Context(), r); found || err != nil {
		t.Errorf("after a week: %t, %v", found, err)
	}
}

// A file that cannot be removed does not keep the post on show, and is told of.
func TestRetractTellsOfFiles(t *testing.T) {
	t.Parallel()
	d, n := newDesk(t)
	files := filepath.Join(n.Dir, "media")
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewNRGBA(image.Rect(0, 0, 64, 48))); err != nil {
		t.Fatal(err)
	}
	m, err := d.KeepPicture(t.Context(), "a.png", picture.Bytes(), "un point", "")
	if err != nil {
		t.Fatal(err)
	}
	made, err := d.Create(t.Context(), desk.NewPost{Channel: "desk", Draft: compose.Draft{Title: "Une image", Image: m}})
	if err != nil {
		t.Fatal(err)
	}
	// A folder in the place of the file cannot be removed as a file.
	var names []string
	err = filepath.WalkDir(files, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			names = append(names, path)
		}
		return err
	})
	if err != nil || len(names) != 1 {
		t.Fatalf("%q, %v", names, err)
	}
	if err := errors.Join(os.Remove(names[0]), os.MkdirAll(filepath.Join(names[0], "in the way"), 0o700)); err != nil {
		t.Fatal(err)
	}
	out, err := d.Retract(t.Context(), made.ID, true, "jugement", 0)
	if err != nil || out.Trouble == nil || out.Done || !strings.Contains(out.Trouble.Error(), "remove it by hand") {
		t.Errorf("%+v, %v", out, err)
	}
	if p, err := d.Post(t.Context(), made.ID); err != nil || p.Status != "retracted" {
		t.Errorf("%+v, %v", p, err)
	}
}

// Without a store a plan lists the digests to come.
func TestPlanWithoutAStore(t *testing.T) {
	t.Parallel()
	d, _ := newDesk(t)
	d.Store = nil
	p, err := d.Plan(t.Context(), d.Now, d.Now.Add(48*time.Hour))
	if err != nil || p.Store || len(p.Posts) != 2 || p.Posts[0].Channel != "brief" || p.Deliveries == nil || p.Waiting == nil || p.LeftOut == nil {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestCheck(t *testing.T) {
	t.Parallel()
	d, n := newDesk(t)
	open := func(context.Context, string) (sdk.Connector, bool, error) { return n.Platform, false, nil }
	c, err := d.Check(t.Context(), "wire", open)
	if err != nil || !c.OK || !c.Healthy() || len(c.Chats) != 1 || c.Chats[0].Limits.EditFor.String() != "always" || c.Chats[0].Limits.Rates[0].String() != "20 in 1m in all" {
		t.Errorf("%+v, %v", c, err)
	}
	n.Platform.Broken.Store(true)
	if c, err = d.Check(t.Context(), "wire", open); err != nil || c.OK || c.Healthy() || c.Chats[0].Limits != nil || c.Chats[0].Code != "forbidden" {
		t.Errorf("%+v, %v", c, err)
	}
	_, err = d.Check(t.Context(), "wire", func(context.Context, string) (sdk.Connector, bool, error) { return nil, false, errors.New("no token") })
	wants(t, err, desk.Upstream, "destination wire cannot be opened: no token")
	_, err = d.Check(t.Context(), "wires", open)
	wants(t, err, desk.Unknown, "did you mean")
}

// Programs get numbers, and no words.
func TestLimitsForPrograms(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		l    desk.Limits
		want string
	}{
		"no end":   {desk.Limits{EditFor: desk.Span(sdk.Forever), DeleteFor: desk.Span(48 * time.Hour)}, `"edit_for":null,"delete_for":172800,"rates":null`},
		"never":    {desk.Limits{EditFor: 0, DeleteFor: desk.Span(90 * time.Second)}, `"edit_for":0,"delete_for":90,`},
		"the rate": {desk.Limits{Rates: []desk.Rate{{Scope: "channel", Calls: 3, Seconds: 3}}}, `"rates":[{"scope":"channel","calls":3,"seconds":3}]`},
	} {
		b, err := json.Marshal(c.l)
		if err != nil || !strings.Contains(string(b), c.want) {
			t.Errorf("%s: %s, %v", name, b, err)
		}
		var back desk.Limits
		if err := json.Unmarshal(b, &back); err != nil || back.EditFor != c.l.EditFor || back.DeleteFor != c.l.DeleteFor {
			t.Errorf("%s: %+v, %v", name, back, err)
		}
	}
	if got := (desk.Span(48 * time.Hour)).String(); got != "for 2d" {
		t.Error(got)
	}
}

func TestPauses(t *testing.T) {
	t.Parallel()
	d, _ := newDesk(t)
	for _, c := range []struct {
		scope, name string
		kind        desk.Kind
		says        string
	}{
		{store.PauseAll, "", "", ""}, {store.PauseChannel, "brief", "", ""}, {store.PauseAll, "brief", desk.Unusable, "belfry pause source brief"},
		{"feed", "a", desk.Unusable, "there are all, source, channel and destination"}, {store.PauseSource, "", desk.Unusable, "known are agenda, articles"},
		{store.PauseSource, "articel", desk.Unknown, "did you mean"},
	} {
		_, err := d.Pause(t.Context(), c.scope, c.name)
		wants(t, err, c.kind, c.says)
	}
	list, err := d.Pauses(t.Context())
	if err != nil || len(list) != 2 || list[0].About() != "everything" || list[1].About() != "channel brief" {
		t.Errorf("%+v, %v", list, err)
	}
	if p, err := d.Resume(t.Context(), store.PauseChannel, "brief"); err != nil || !p.Changed || !p.Paused {
		t.Errorf("everything is still paused: %+v, %v", p, err)
	}
	if p, err := d.Resume(t.Context(), store.PauseAll, ""); err != nil || !p.Changed || p.Paused {
		t.Errorf("%+v, %v", p, err)
	}
}
