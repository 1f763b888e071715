package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
	"pgregory.net/rapid"
)

// errDead is what a dead process would see, if it saw anything.
var errDead = errors.New("the process is dead")

// life is one run of the daemon. Once it is over, nothing of it reaches the store or a platform any more.
type life struct {
	mu    sync.Mutex
	over  bool
	steps int // until it ends; negative: it does not
	late  bool
}

// step counts an access to the store. after says that the access happens before the end takes effect.
func (l *life) step() (dead, after bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return true, false
	}
	if l.steps < 0 {
		return false, false
	}
	if l.steps--; l.steps >= 0 {
		return false, false
	}
	l.over = true
	return true, l.late
}

func (l *life) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.over = true
}

func (l *life) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// mortal is the store as one life sees it.
type mortal struct {
	*store.DB
	life     *life
	platform *platform
}

func step[T any](m mortal, do func() (T, error)) (T, error) {
	var none T
	dead, after := m.life.step()
	if dead && !after {
		return none, errDead
	}
	v, err := do()
	if dead {
		return none, errDead
	}
	return v, err
}

func (m mortal) run(do func() error) error {
	_, err := step(m, func() (struct{}, error) { return struct{}{}, do() })
	return err
}

func (m mortal) Claim(ctx context.Context, d string, now time.Time, lease time.Duration, lanes, size int) ([]outbox.Batch, error) {
	return step(m, func() ([]outbox.Batch, error) { return m.DB.Claim(ctx, d, now, lease, lanes, size) })
}

func (m mortal) Release(ctx context.Context, b outbox.Batch) error {
	return m.run(func() error { return m.DB.Release(ctx, b) })
}

func (m mortal) Renew(ctx context.Context, b outbox.Batch, until time.Time) error {
	return m.run(func() error { return m.DB.Renew(ctx, b, until) })
}

func (m mortal) Work(ctx context.Context, id int64) (outbox.Work, error) {
	return step(m, func() (outbox.Work, error) { return m.DB.Work(ctx, id) })
}

func (m mortal) Works(ctx context.Context, ids []int64) ([]outbox.Work, error) {
	return step(m, func() ([]outbox.Work, error) { return m.DB.Works(ctx, ids) })
}

func (m mortal) Start(ctx context.Context, s outbox.Start, now time.Time) (time.Time, error) {
	return step(m, func() (time.Time, error) { return m.DB.Start(ctx, s, now) })
}

func (m mortal) Settle(ctx context.Context, s outbox.Settlement, now time.Time) (int64, error) {
	done := false
	next, err := step(m, func() (int64, error) { done = true; return m.DB.Settle(ctx, s, now) })
	if !done {
		// The platform's wish died with the process that heard it.
		m.platform.mu.Lock()
		clear(m.platform.waits)
		m.platform.mu.Unlock()
	}
	return next, err
}

func (m mortal) Recover(ctx context.Context, all bool, now time.Time) (int, error) {
	return step(m, func() (int, error) { return m.DB.Recover(ctx, all, now) })
}

func (m mortal) SaveLane(ctx context.Context, l outbox.Lane) error {
	return m.run(func() error { return m.DB.SaveLane(ctx, l) })
}

func (m mortal) LaneTrouble(ctx context.Context, d, chat string, s outbox.Settlement, now time.Time) error {
	return m.run(func() error { return m.DB.LaneTrouble(ctx, d, chat, s, now) })
}

func (m mortal) Resolve(ctx context.Context, u outbox.UnknownCall, r outbox.Resolution, now time.Time) error {
	return m.run(func() error { return m.DB.Resolve(ctx, u, r, now) })
}

// mortalPeer is a connector as one life has it: a dead process makes no calls, and hears no answer.
type mortalPeer struct {
	peer
	life *life
}

func (p *mortalPeer) As(target any) bool {
	switch t := target.(type) {
	case *sdk.Resolver:
		*t = p
	case *sdk.Publisher:
		*t = p
	case *sdk.Editor:
		*t = p
		return p.edits
	case *sdk.Deleter:
		*t = p
		return p.deletes
	default:
		return p.peer.As(target)
	}
	return true
}

func (p *mortalPeer) Publish(ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
	if p.life.ended() {
		return sdk.PartRef{}, errDead
	}
	return p.peer.Publish(ctx, to, part)
}

func (p *mortalPeer) Edit(ctx context.Context, ref sdk.PartRef, part sdk.Part) (sdk.PartRef, error) {
	if p.life.ended() {
		return sdk.PartRef{}, errDead
	}
	return p.peer.Edit(ctx, ref, part)
}

func (p *mortalPeer) Delete(ctx context.Context, ref sdk.PartRef) error {
	if p.life.ended() {
		return errDead
	}
	return p.peer.Delete(ctx, ref)
}

// act is one thing that happens.
type act struct {
	what  string
	post  int
	n     int
	fault fault
}

func (a act) String() string { return fmt.Sprintf("%s post=%d n=%d %s", a.what, a.post, a.n, a.fault) }

// fault is what a platform does with a call to come.
type fault struct {
	kind   string
	effect bool
	after  time.Duration
}

func (f fault) String() string {
	return fmt.Sprintf("%s effect=%v after=%s", f.kind, f.effect, f.after)
}

func (f fault) answer(kill func()) answer {
	a := answer{effect: f.effect}
	switch f.kind {
	case "panic":
		a.panics = true
	case "hang":
		a.hang = true
	case "kill":
		a.before, a.err = kill, errDead
	case "unknown":
		a.err = errPlain
	case "account":
		a = refusal(sdk.CodeRateLimited, sdk.ScopeAccount, f.after)
	case "unavailable", "rate_limited":
		a = refusal(sdk.Code(f.kind), sdk.ScopeDestination, f.after)
	default:
		a = refusal(sdk.Code(f.kind), sdk.ScopeDestination, 0)
	}
	return a
}

// world is a run of the model: posts as they are wanted, and a platform that knows what it holds.
type world struct {
	*stage
	platform *platform
	life     *life
	resend   bool
	posts    []int64
	wanted   []compose.Content
}

func acts() *rapid.Generator[[]act] {
	faults := rapid.Custom(func(t *rapid.T) fault {
		return fault{kind: rapid.SampledFrom([]string{"unknown", "unknown", "hang", "panic", "kill", "kill", "unavailable", "unavailable", "rate_limited", "account",
			"invalid", "window_closed", "unauthenticated", "gone"}).Draw(t, "kind"),
			effect: rapid.Bool().Draw(t, "effect"), after: time.Duration(rapid.IntRange(0, 15).Draw(t, "after")) * time.Second}
	})
	one := rapid.Custom(func(t *rapid.T) act {
		return act{what: rapid.SampledFrom([]string{"post", "revise", "revise", "revise", "note", "withdraw", "restore", "retract", "fault", "fault", "fault", "fault", "fault", "pass", "pass", "kill", "kill", "stop", "pause", "resume"}).Draw(t, "what"),
			post: rapid.SampledFrom([]int{0, 0, 0, 1, 1, 2, 3}).Draw(t, "post"), n: rapid.IntRange(0, 12).Draw(t, "n"), fault: faults.Draw(t, "fault")}
	})
	return rapid.Custom(func(t *rapid.T) []act {
		first := act{what: "post", n: rapid.IntRange(0, 12).Draw(t, "first")}
		return append([]act{first}, rapid.SliceOfN(one, 1, 20).Draw(t, "then")...)
	})
}

// Whatever happens in whatever order, and wherever the daemon ends in between: at rest the platform holds what is wanted,
// or a row says why not; nothing is there twice where the platform answered, knows repeats or can be asked; nothing that
// was withdrawn is left; and nothing came before the platform allowed it.
func TestModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		script := acts().Draw(rt, "acts")
		kind := rapid.SampledFrom([]string{"dedup", "finder", "hold", "resend"}).Draw(rt, "platform")
		rungs := rapid.SampledFrom([]string{"edit reply list", "edit repost list", "edit"}).Draw(rt, "ladder")
		var problems []string
		synctest.Test(t, func(t *testing.T) { problems = run(t, kind, strings.Fields(rungs), script) })
		if len(problems) > 0 {
			rt.Fatalf("%s", strings.Join(problems, "\n"))
		}
	})
}

func run(t *testing.T, kind string, rungs []string, script []act) []string {
	p := newPlatform()
	p.dedup, p.finds = kind == "dedup", kind == "finder"
	p.rules.Rates = []sdk.Rate{{Scope: sdk.RateChannel, Events: 4, Per: 3 * time.Second}}
	s := newStage(t, map[string]*platform{"a": p})
	s.words.ladders = outbox.Ladders{Revised: rungs, Withdrawn: []string{"delete", "mark", "list"}, MinGap: 5 * time.Second}
	w := &world{stage: s, platform: p, resend: kind == "resend"}
	w.begin()
	for _, a := range script {
		w.do(a)
		if w.life.ended() {
			w.bury()
			w.begin()
		}
	}
	w.rest()
	return w.judge()
}

// begin starts a life.
func (w *world) begin() {
	w.life = &life{steps: -1}
	w.engine = outbox.NewEngine(outbox.Settings{Store: mortal{w.db, w.life, w.platform}, Renderer: w.words, Log: slog.New(slog.DiscardHandler)})
	w.ok(w.engine.Start(context.Background(), true))
	w.engine.Use(context.Background(), map[string]outbox.Destination{"a": {Name: "a", Conn: &mortalPeer{peer{w.platform}, w.life}, Resend: w.resend,
		Timeout: 5 * time.Second, RetryFor: 10 * time.Minute, Parallel: 2}})
}

// bury removes what is left of a life.
func (w *world) bury() {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_ = w.engine.Stop(ctx)
	w.engine = nil
}

func (w *world) do(a act) {
	i := a.post
	live := i < len(w.posts) && w.wanted[i].Reason != "ruling"
	title := func() string {
		lines := []string{fmt.Sprintf("p%d-%d", i, a.n%4)}
		for range a.n % 3 {
			lines = append(lines, fmt.Sprintf("p%d-%d+%d", i, a.n%4, len(lines)))
		}
		return strings.Join(lines, "|")
	}
	change := func(c compose.Content) {
		w.revise(w.posts[i], c)
		w.wanted[i] = c
	}
	switch a.what {
	case "post":
		if i = len(w.posts); i < 4 {
			chat := "x"
			if i == 3 {
				chat = "y"
			}
			w.wanted = append(w.wanted, compose.Content{Title: title()})
			w.posts = append(w.posts, w.post(title(), "a "+chat))
			w.engine.Wake()
		}
	case "revise", "restore":
		if live && w.wanted[i].Withdrawn == (a.what == "restore") {
			change(compose.Content{Title: title()})
		}
	case "note":
		if live && !w.wanted[i].Withdrawn {
			change(compose.Content{Title: title(), Note: "wrong"})
		}
	case "withdraw":
		if live && !w.wanted[i].Withdrawn {
			change(compose.Content{Withdrawn: true})
		}
	case "retract":
		if live {
			w.retract(w.posts[i])
			w.wanted[i] = compose.Content{Withdrawn: true, Reason: "ruling"}
		}
	case "fault":
		life := w.life
		w.platform.then(a.fault.answer(life.end))
	case "pass":
		w.pass(time.Duration(a.n*a.n) * 100 * time.Millisecond)
	case "kill":
		w.life.mu.Lock()
		w.life.steps, w.life.late = a.n, a.post%2 == 0
		w.life.mu.Unlock()
		w.engine.Wake()
		w.pass(3 * time.Second)
		w.life.end()
	case "stop":
		_, _ = w.stop(time.Duration(a.n) * time.Second)
		w.begin()
	case "pause":
		_, err := w.db.Pause(w.t.Context(), store.PauseDestination, "a", "test", time.Now())
		w.ok(err)
	case "resume":
		// What stopped by itself is resumed at rest: that forgets what the platform asked to wait, as a person may.
		synctest.Wait() // a wish that is being heard is heard
		if len(w.alerts()) == 0 && !w.waits() {
			_, err := w.db.Resume(w.t.Context(), store.PauseDestination, "a", "test", time.Now())
			w.ok(err)
		}
	}
}

// waits reports whether the platform still wants to be left alone.
func (w *world) waits() bool {
	w.platform.mu.Lock()
	defer w.platform.mu.Unlock()
	for _, at := range w.platform.waits {
		if time.Now().Before(at) {
			return true
		}
	}
	return false
}

// rest lets everything end: no more faults, and a person who looks after what waits for one.
func (w *world) rest() {
	w.platform.mu.Lock()
	w.platform.script = nil
	w.platform.mu.Unlock()
	for range 60 {
		w.pass(10 * time.Second)
		if w.life.ended() {
			w.bury()
			w.begin()
			continue
		}
		if w.waits() {
			continue
		}
		_, err := w.db.Resume(w.t.Context(), store.PauseDestination, "a", "test", time.Now())
		w.ok(err)
		calls, err := w.db.UnknownCalls(w.t.Context(), "a")
		w.ok(err)
		for _, u := range calls {
			if !u.Alerted {
				continue
			}
			say := store.SayMissing
			if _, arrived := w.platform.keys[u.Call.Key]; arrived {
				say = store.SayArrived
			}
			w.ok(w.db.ResolveByHand(w.t.Context(), u.Delivery, say, "", "test", time.Now()))
		}
		open := 0
		for _, d := range w.deliveries(store.DeliveryFilter{Limit: 1000}) {
			if d.State == outbox.Pending || d.State == outbox.Started || d.State == outbox.Unknown {
				open++
			}
		}
		if open == 0 {
			break
		}
	}
}

// judge compares what the platform holds with what is wanted.
func (w *world) judge() (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	problems = append(problems, w.platform.faults...)
	for i, id := range w.posts {
		c := w.copies(id)[0]
		tag := fmt.Sprintf("p%d-", i)
		var shown, notes []string
		for _, m := range w.platform.held {
			switch {
			case strings.HasPrefix(m.text, tag):
				shown = append(shown, m.text)
			case strings.Contains(m.text, tag):
				notes = append(notes, m.text)
			}
		}
		var want []string
		if !w.wanted[i].Withdrawn {
			want = strings.Split(w.wanted[i].Title, "|")
		}
		switch {
		case c.State == "open" || c.State == "held":
			say("post %d did not come to rest: %+v, %q", i, c, w.states())
		case c.State != "done":
			// A row says that a person has to look, and why.
			if c.State == "failed" && c.Reason == "" || c.State == "listed" && c.Waiting != string(outbox.AwaitingPerson) {
				say("post %d: %+v", i, c)
			}
		case w.resend:
			for _, x := range want {
				if !slices.Contains(shown, x) {
					say("post %d shows %q, and %q is missing", i, shown, x)
				}
			}
		case w.answered(i) && len(shown) > 0 && slices.Equal(notes, []string{"note on " + strings.Join(want, " ")}):
			// What could not be edited has an answer that says what is right.
		case !slices.Equal(want, shown) || w.wanted[i].Withdrawn && len(notes) > 0:
			say("post %d shows %q and %q, want %q: %+v", i, shown, notes, want, c)
		}
		if n := duplicate(shown); n != "" && !w.resend {
			say("post %d shows %q twice: %q", i, n, shown)
		}
	}
	return problems
}

// answered reports whether the ladder may have come to an answer instead of an edit.
func (w *world) answered(i int) bool {
	return w.wanted[i].Note != "" && !w.wanted[i].Withdrawn && w.platform.refused > 0 && slices.Contains(w.words.ladders.Revised, "reply")
}

func duplicate(list []string) string {
	seen := map[string]bool{}
	for _, x := range list {
		line := x[strings.LastIndexAny(x, "-+")+1:]
		if !strings.Contains(x, "+") {
			line = "0"
		}
		if seen[line] {
			return x
		}
		seen[line] = true
	}
	return ""
}
