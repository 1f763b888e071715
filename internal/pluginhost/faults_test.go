//go:build linux

package pluginhost

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// TestStartsThatFail starts plugins that break the rules of starting. Each costs an error with a sentence.
func TestStartsThatFail(t *testing.T) {
	t.Parallel()
	for kind, words := range map[string][]string{
		"garbage":            {"ended before it was ready (exit status 0); its last words"},
		"exits":              {`ended before it was ready (exit status 7): "panic: no such luck"; its last words are in the log`},
		"lacks-a-module":     {`ended before it was ready (exit status 1): "ModuleNotFoundError: No module named [31m'belfry'"`},
		"garbage-stays":      {"not ready within 2s"},
		"silent":             {"not ready within 2s"},
		"floods-before":      {"to its standard output and no handshake"},
		"wrong-version":      {"speaks version 7 of the plugin protocol", "install a release"},
		"netrpc":             {"does not speak gRPC"},
		"other-socket":       {"no socket in its own folder"},
		"dead-socket":        {},
		"old-version":        {"speaks version 0 of the plugin protocol", "no longer served", "install a newer release"},
		"no-certificate":     {"neither a certificate nor the word"},
		"by-anothers-socket": {"another process listens on its socket (pid "},
		"by-a-link":          {"is no socket"},
		"by-a-file":          {"is no socket"},
		"no-answer":          {"not ready within 2s"},
		"another-type":       {`offers something, something-else, and no type "another-type"`},
		"no-such-plugin":     {"exit status 9"},
	} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, func(c *Config) {
				if slices.Contains(words, "not ready within 2s") || kind == "dead-socket" {
					c.Limits.Start = 2 * time.Second // these never get ready
				}
			})
			s := source(t, mustOpenKind(t, f, kind))
			_, err := s.Fetch(t.Context(), sdk.FetchRequest{})
			wantCode(t, err, sdk.CodeUnavailable, append(words, "plugin "+kind+": it cannot be started")...)
			if e := sdk.AsError(err); e.RetryAfter <= 0 || len(e.Public) > 500 {
				t.Errorf("RetryAfter %v, %d bytes of text: %s", e.RetryAfter, len(e.Public), e.Public)
			}
			if p := f.status(kind); p.Starts != 0 || p.PID != "" || p.State != StateStopped {
				t.Errorf("%+v", p)
			}
			if f.limits.Start > 2*time.Second {
				// The host is none the worse for it.
				mustFetch(t, source(t, f.open("good", "g", map[string]any{})))
			}
		})
	}
}

func TestAStartThatFailsIsRepeatedWithBackoffAndThenHeld(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	advance := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	f := newFixture(t, func(c *Config) {
		c.Now, c.Limits.BackoffMin, c.Limits.BackoffMax = clock, 10*time.Second, time.Minute
	})
	s := source(t, mustOpenKind(t, f, "exits"))
	fetch := func() error { _, err := s.Fetch(t.Context(), sdk.FetchRequest{}); return err }
	for n, wait := range []time.Duration{10 * time.Second, 20 * time.Second} {
		if e := sdk.AsError(fetch()); e.RetryAfter != wait {
			t.Fatalf("attempt %d: wait %v, want %v: %v", n+1, e.RetryAfter, wait, e)
		}
		advance(wait - time.Second)
		err := fetch()
		wantCode(t, err, sdk.CodeUnavailable, "started again in 1s")
		if !strings.Contains(f.log.String(), fmt.Sprintf("again_in=%s", wait)) {
			t.Errorf("attempt %d was not logged:\n%s", n+1, f.log)
		}
		advance(time.Second)
	}
	for range 2 {
		var held *HeldError
		err := fetch()
		wantCode(t, err, sdk.CodeUnavailable, "plugin exits is held since", "after 3 failures", "exit status 7", "a reload calls it again")
		if !errors.As(err, &held) || held.Kind != "exits" || held.Instance != "" || held.Times != 3 {
			t.Errorf("%+v", held)
		}
		advance(24 * time.Hour)
	}
	if p := f.status("exits"); p.State != StateHeld || p.Held == nil {
		t.Errorf("%+v", p)
	}
	if err := f.Release("exits", ""); err != nil {
		t.Error(err)
	}
	wantCode(t, fetch(), sdk.CodeUnavailable, "it cannot be started")
	if err := f.Release("good", ""); err == nil || !strings.Contains(err.Error(), "nothing of plugin good is held") {
		t.Errorf("releasing nothing: %v", err)
	}
}

func TestStrayOutputBeforeTheHandshakeIsForgiven(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	mustFetch(t, source(t, mustOpenKind(t, f, "stray")))
	if !strings.Contains(f.log.String(), `msg="loading the model…" plugin=stray stream=stdout`) {
		t.Errorf("the log:\n%s", f.log)
	}
}

// TestOddStderr writes lines of JSON that go-plugin itself would read with a type assertion, in the host.
func TestOddStderr(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	mustFetch(t, source(t, mustOpenKind(t, f, "odd-stderr")))
	f.close()
	log := f.log.String()
	for _, want := range []string{`{\"@message\":5,\"@level\":{}}`, `msg=odd plugin=odd-stderr esc=[2Jx nested="{\"a\":[1]}"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not hold %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, "\x1b") {
		t.Error("a plugin wrote a control sequence into the log")
	}
}

// TestFaultsOfOneCall are faults that cost one call, and neither the process nor the instances beside.
func TestFaultsOfOneCall(t *testing.T) {
	t.Parallel()
	for do, tc := range map[string]struct {
		code  sdk.Code
		words []string
	}{
		"panic":             {sdk.CodeUnavailable, []string{"a panic", "its log has the details"}},
		"answer 100 MB":     {sdk.CodeTooLarge, []string{"larger than"}},
		"one item of 20 MB": {sdk.CodeTooLarge, []string{"does not fit into a message"}},
		"a large cursor":    {sdk.CodeTooLarge, []string{"broke the rules", "the cursor has 65537 bytes"}},
		"no key":            {sdk.CodeInvalid, []string{"broke the rules", "an item has no key"}},
		"a raw link":        {sdk.CodeInvalid, []string{"broke the rules", "neither http, https nor mailto"}},
	} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			good, bad := f.bad("good", "nothing"), f.bad("culprit", do)
			mustFetch(t, good)
			pid := f.status("bad").PID
			_, err := bad.Fetch(t.Context(), sdk.FetchRequest{})
			wantCode(t, err, tc.code, tc.words...)
			mustFetch(t, good)
			if p := f.status("bad"); p.PID != pid || p.Crashes != 0 || p.Instances[0].State != StateWell {
				t.Errorf("%+v", p)
			}
			// The plugin's log comes by another way than its answer.
			for deadline := time.Now().Add(10 * time.Second); do == "panic" && !strings.Contains(f.log.String(), "panicked during a fetch"); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatalf("the panic is not in the log:\n%s", f.log)
				}
			}
		})
	}
}

func TestFloods(t *testing.T) {
	t.Parallel()
	for _, do := range []string{"flood the log", "flood stdout", "write one long line"} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			mustFetch(t, f.bad("culprit", do))
			f.close()
			log := f.log.String()
			if len(log) > 1<<20 {
				t.Errorf("the log has %d bytes", len(log))
			}
			if do == "write one long line" {
				if strings.Count(log, "cut_bytes=") < 2 {
					t.Errorf("nothing says that lines were cut:\n%.2000s", log)
				}
			} else if !strings.Contains(log, "lines were dropped") || !strings.Contains(log, "flood") {
				t.Errorf("nothing says that lines were dropped:\n%.2000s", log)
			}
		})
	}
}

// TestCrashesCostTheCulpritOnly lets a process end while three instances have a call under way.
func TestCrashesCostTheCulpritOnly(t *testing.T) {
	t.Parallel()
	for _, do := range []string{"crash", "overflow", "exit", "crash at open"} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			once := filepath.Join(t.TempDir(), "once")
			bystander := source(t, f.open("bad", "bystander", map[string]any{"do": "wait", "once": once}))
			idle := f.bad("idle", "nothing")
			mustFetch(t, idle)

			result := make(chan error, 1)
			go func() {
				_, err := bystander.Fetch(context.Background(), sdk.FetchRequest{})
				result <- err
			}()
			await(t, "the bystander's call", func() bool { return exists(once) })
			_, err := f.bad("culprit", do).Fetch(t.Context(), sdk.FetchRequest{})
			wantCode(t, err, sdk.CodeUnavailable, "plugin bad: ")
			if err := <-result; err != nil {
				t.Errorf("the bystander's call was not made again: %v", err)
			}
			mustFetch(t, idle)
			mustFetch(t, bystander)
			for name, want := range map[string]State{"culprit": StateSuspect, "bystander": StateWell, "idle": StateWell} {
				if i := f.instance("bad", name); i.State != want || (i.Strikes > 0) != (want == StateSuspect) {
					t.Errorf("%s: %+v", name, i)
				}
			}
			if !strings.Contains(f.log.String(), "plugin process ended") {
				t.Errorf("the log:\n%s", f.log)
			}
		})
	}
}

func TestACulpritIsHeldAndReleased(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_800_000_000, 0)
	var mu sync.Mutex
	clock := func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	advance := func(d time.Duration) { mu.Lock(); defer mu.Unlock(); now = now.Add(d) }
	f := newFixture(t, func(c *Config) {
		c.Now, c.Limits.BackoffMin, c.Limits.BackoffMax = clock, 10*time.Second, time.Minute
	})
	good := f.bad("good", "nothing")
	once := filepath.Join(t.TempDir(), "mended")
	culprit := source(t, f.open("bad", "culprit", map[string]any{"do": "crash"}))
	fetch := func() error { _, err := culprit.Fetch(t.Context(), sdk.FetchRequest{}); return err }

	wantCode(t, fetch(), sdk.CodeUnavailable, "broke off the call")
	shared := f.status("bad").Starts
	wantCode(t, fetch(), sdk.CodeUnavailable, "culprit failed (its process ended: exit status 2)", "tried again in 10s")
	advance(10 * time.Second)
	mustFetch(t, good)
	pid := f.status("bad").PID
	wantCode(t, fetch(), sdk.CodeUnavailable, "broke off the call")
	if sdk.AsError(fetch()).RetryAfter != 20*time.Second {
		t.Errorf("the wait does not grow: %v", sdk.AsError(fetch()).RetryAfter)
	}
	advance(20 * time.Second)
	wantCode(t, fetch(), sdk.CodeUnavailable)
	var held *HeldError
	err := fetch()
	wantCode(t, err, sdk.CodeUnavailable, "culprit of plugin bad is held since", "after 3 failures", "exit status 2", "a reload calls it again")
	if !errors.As(err, &held) || held.Instance != "culprit" {
		t.Errorf("%+v", held)
	}
	if i := f.instance("bad", "culprit"); i.State != StateHeld || i.Strikes != 3 {
		t.Errorf("%+v", i)
	}
	// Everybody else goes on in the process they were in.
	mustFetch(t, good)
	if p := f.status("bad"); p.PID != pid || p.Starts != shared+3 || p.Crashes != 1 {
		t.Errorf("%+v, the first crash took %d starts", p, shared)
	}
	if err := f.Release("bad", "culprit"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, fetch(), sdk.CodeUnavailable, "broke off the call")
	_ = once
}

func TestAnInstanceThatWasMendedIsClearedByACallAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	once := filepath.Join(t.TempDir(), "once")
	s := source(t, f.open("bad", "a", map[string]any{"do": "crash", "once": once}))
	// The first call crashes the shared process, its repetition alone goes well.
	if b := mustFetch(t, s); string(b.Next) != "afterwards" {
		t.Errorf("%+v", b)
	}
	if i := f.instance("bad", "a"); i.State != StateWell || i.Strikes != 0 {
		t.Errorf("%+v", i)
	}
	mustFetch(t, s)
	if p := f.status("bad"); p.Starts != 3 || p.Crashes != 1 {
		t.Errorf("shared, alone, shared again: %+v", p)
	}
}

func TestASendIsNeverMadeAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	conn := f.open("bad", "a", map[string]any{"do": "crash", "once": filepath.Join(t.TempDir(), "once")})
	p, ok := sdk.As[sdk.Publisher](conn)
	if !ok {
		t.Fatal("no publisher")
	}
	_, err := p.Publish(t.Context(), sdk.ChannelRef{ID: "1"}, sdk.Part{Kind: "x"})
	wantCode(t, err, sdk.CodeUnknownOutcome, "whether it took effect is not known")
	if s := f.status("bad"); s.Starts != 1 || s.Instances[0].State != StateSuspect {
		t.Errorf("%+v", s)
	}
	if _, err := p.Publish(t.Context(), sdk.ChannelRef{ID: "1"}, sdk.Part{Kind: "x"}); err != nil {
		t.Errorf("the next call, alone: %v", err)
	}
}

func TestAFaultThatNeedsCompanyIsolatesEverybody(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	var all []sdk.Source
	for n := range 3 {
		// Each crashes once in the shared process and never alone.
		all = append(all, source(t, f.open("bad", fmt.Sprint(n), map[string]any{"do": "crash", "once": filepath.Join(t.TempDir(), "once")})))
	}
	for _, s := range all {
		mustFetch(t, s)
	}
	p := f.status("bad")
	if p.Crashes != 3 {
		t.Fatalf("%+v", p)
	}
	starts := p.Starts
	mustFetch(t, all[0])
	mustFetch(t, all[0])
	if p := f.status("bad"); p.Starts != starts+2 || p.PID != "" {
		t.Errorf("calls were not made alone after three crashes: %+v", p)
	}
	if err := f.Release("bad", ""); err != nil {
		t.Error(err)
	}
	mustFetch(t, all[0])
	if p := f.status("bad"); p.PID == "" {
		t.Errorf("released, and still alone: %+v", p)
	}
}

func TestACallThatHangs(t *testing.T) {
	t.Parallel()
	for _, do := range []string{"hang", "spin", "hang at open"} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			once := filepath.Join(t.TempDir(), "once")
			bystander := source(t, f.open("bad", "bystander", map[string]any{"do": "wait", "once": once}))
			began := filepath.Join(t.TempDir(), "began")
			culprit := source(t, f.open("bad", "culprit", map[string]any{"do": do, "once": began}))
			result := make(chan error, 1)
			go func() {
				_, err := bystander.Fetch(context.Background(), sdk.FetchRequest{})
				result <- err
			}()
			await(t, "the bystander's call", func() bool { return exists(once) })
			pid := f.status("bad").PID

			ctx, cancel := context.WithCancel(t.Context())
			go func() {
				await(t, "the culprit's call", func() bool { return exists(began) })
				cancel()
			}()
			_, err := culprit.Fetch(ctx, sdk.FetchRequest{})
			wantCode(t, err, sdk.CodeUnavailable, "plugin bad: the call was given up")
			await(t, "the end of the process", func() bool { return !running(pid) })
			if err := <-result; err != nil {
				t.Errorf("the bystander's call was not made again: %v", err)
			}
			if i := f.instance("bad", "culprit"); i.State != StateSuspect || i.Strikes != 1 || !strings.Contains(i.Last, "did not end") {
				t.Errorf("%+v", i)
			}
			if i := f.instance("bad", "bystander"); i.State != StateWell || i.Strikes != 0 {
				t.Errorf("%+v", i)
			}
		})
	}
}

func TestACallThatAlwaysHangsIsHeld(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.Limits.Call = 5 * time.Second })
	// The process is up before the call whose time is short.
	if err := f.Warm(t.Context(), "bad"); err != nil {
		t.Fatal(err)
	}
	s := f.bad("culprit", "hang")
	_, err := s.Fetch(t.Context(), sdk.FetchRequest{})
	wantCode(t, err, sdk.CodeUnavailable, "plugin bad: the plugin did not answer in time")
	// A call may find the culprit in back-off, or its process still ending.
	await(t, "the hold", func() bool {
		_, err := s.Fetch(t.Context(), sdk.FetchRequest{})
		wantCode(t, err, sdk.CodeUnavailable)
		return f.instance("bad", "culprit").State == StateHeld
	})
	if i := f.instance("bad", "culprit"); i.Strikes != 3 || !strings.Contains(i.Last, "did not end") {
		t.Errorf("%+v", i)
	}
}

func TestACallThatIsGivenUpAndEndsCostsNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.Limits.Grace = 20 * time.Second })
	s := f.bad("a", "wait")
	mustFetch(t, f.bad("b", "nothing"))
	pid := f.status("bad").PID
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err := s.Fetch(ctx, sdk.FetchRequest{})
	wantCode(t, err, sdk.CodeUnavailable)
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	_, err = s.Fetch(ctx, sdk.FetchRequest{})
	wantCode(t, err, sdk.CodeUnavailable)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the cause is lost: %v", err)
	}
	mustFetch(t, f.bad("c", "nothing"))
	if p := f.status("bad"); p.PID != pid || p.Starts != 1 {
		t.Errorf("%+v", p)
	}
}

func TestAnInstanceThatDoesNotClose(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	s := f.bad("a", "hang at close")
	mustFetch(t, s)
	pid := f.status("bad").PID
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := s.Close(ctx); err == nil {
		t.Error("an instance that does not close says that it closed")
	}
	if running(pid) {
		t.Error("its process goes on")
	}
}

func TestWhatAPluginStartedEndsWithIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	child := mustFetch(t, f.bad("a", "leave a child")).Notices[0]
	if !running(child) {
		t.Fatal("no child")
	}
	// The child holds the outputs of the plugin, which must not keep the host waiting.
	start := time.Now()
	f.close()
	if took := time.Since(start); took > time.Minute { // it sleeps for five
		t.Errorf("Close took %s", took)
	}
	await(t, "the end of the child", func() bool { return !running(child) })
}

// TestLies has a plugin answer against the protocol.
func TestLies(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	conn, err := f.Open(t.Context(), "liar", nil, sdk.Settings{Instance: "a"}, map[string]any{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := sdk.As[sdk.Publisher](conn); ok {
		t.Error("it is a publisher without having said so")
	}
	s := source(t, conn)
	for lie, tc := range map[string]struct {
		code  sdk.Code
		words string
	}{
		"one message of 100 MB": {sdk.CodeTooLarge, "larger than the 16 MiB"},
		"a bomb of empty nodes": {sdk.CodeTooLarge, "larger than"},
		"items without end":     {sdk.CodeTooLarge, "more than 20000 items"},
		"no end":                {sdk.CodeUnavailable, "broke off in the middle"},
		"after the end":         {sdk.CodeInvalid, "goes on after its end"},
		"a plain error":         {sdk.CodeUnavailable, "cannot be read"},
	} {
		_, err := s.Fetch(t.Context(), sdk.FetchRequest{Cursor: sdk.Cursor(lie)})
		wantCode(t, err, tc.code, tc.words)
		if strings.Contains(sdk.AsError(err).Public, "hunter2") {
			t.Errorf("%s: the sentence repeats what the plugin said aside", lie)
		}
	}
	checker, _ := sdk.As[sdk.Checker](conn)
	_, err = checker.CheckItems(t.Context(), []sdk.ItemRef{{Key: "1"}})
	wantCode(t, err, sdk.CodeInvalid, "answered for 2 items")
	resolver, _ := sdk.As[sdk.Resolver](conn)
	for _, name := range []string{"no id", "a large state", "a negative limit", "a rate of nothing", "nothing at all"} {
		if ref, _, err := resolver.ResolveChannel(t.Context(), name); err == nil || ref.ID != "" {
			t.Errorf("%s: %v, %v", name, ref, err)
		}
	}
	if _, limits, err := resolver.ResolveChannel(t.Context(), "well"); err != nil || limits.Unit != "runes of old" {
		t.Errorf("an unknown unit is kept: %v, %v", limits, err)
	}
	mustFetch(t, s)
	if p := f.status("liar"); p.Starts != 1 || p.Crashes != 0 {
		t.Errorf("%+v", p)
	}
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// forever never ends; a process whose only thread waits for nothing at all would be ended.
func forever() {
	for {
		time.Sleep(time.Hour)
	}
}

// runDaemon is a daemon that uses one plugin and tells its pid, until it is killed.
func runDaemon(dir string) {
	h := New(Config{Command: ownCommand, RunDir: dir, Log: slog.New(slog.DiscardHandler)})
	// This plugin does not watch its parent, as one that somebody wrote without package plugin.
	conn, err := h.Open(context.Background(), "liar", nil, sdk.Settings{Instance: "a"}, map[string]any{})
	if err != nil {
		panic(err)
	}
	s, _ := sdk.As[sdk.Source](conn)
	if _, err := s.Fetch(context.Background(), sdk.FetchRequest{}); err != nil {
		panic(err)
	}
	fmt.Println(h.Status()[0].PID)
	forever()
}

// runLeaver is a daemon whose plugin has started something that leaves its group, of which it tells the pid, until it is
// killed.
func runLeaver(dir string) {
	h := New(Config{Command: ownCommand, RunDir: dir, Log: slog.New(slog.DiscardHandler)})
	conn, err := h.Open(context.Background(), "bad", badSpec("bad", ""), sdk.Settings{Instance: "a"}, map[string]any{"do": "leave a child in a session of its own"})
	if err != nil {
		panic(err)
	}
	s, _ := sdk.As[sdk.Source](conn)
	b, err := s.Fetch(context.Background(), sdk.FetchRequest{})
	if err != nil {
		panic(err)
	}
	fmt.Println(b.Notices[0])
	forever()
}

// myself starts this program in another part, and gives the first line that it prints.
func myself(t *testing.T, env []string, args ...string) (cmd *exec.Cmd, line string) {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd = exec.Command(path, args...)
	cmd.Env, cmd.Stderr = append(os.Environ(), env...), os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err = bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

// TestWhatAKilledHostLeft: the kernel ends the plugins of a host that is killed, and not what they started. Its watcher does, and
// where that was killed, too, the next host.
func TestWhatAKilledHostLeft(t *testing.T) {
	t.Parallel()
	for name, watched := range map[string]bool{"its watcher": true, "the next host": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, nil)
			cmd, left := myself(t, nil, "leaver", f.dir)
			watcher := watcherOf(t, cmd.Process.Pid)
			if !watched {
				if err := syscall.Kill(watcher, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if !watched {
				if !running(left) {
					t.Fatalf("nothing is left: %q", left)
				}
				mustFetch(t, source(t, f.open("good", "a", map[string]any{})))
			}
			await(t, "the end of what was left", func() bool { return !running(left) })
			await(t, "the end of the watcher", func() bool { return !running(strconv.Itoa(watcher)) })
		})
	}
}

// watcherOf finds the watcher of a host.
func watcherOf(t *testing.T, host int) int {
	t.Helper()
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", host, host))
	if err != nil {
		t.Fatal(err)
	}
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", host))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range tasks {
		if more, err := os.ReadFile(path); err == nil {
			children = append(children, more...)
		}
	}
	for word := range strings.FieldsSeq(string(children)) {
		pid, err := strconv.Atoi(word)
		if err == nil && slices.Contains(arguments(pid), "watch") {
			return pid
		}
	}
	t.Fatalf("the host has no watcher among %q", children)
	return 0
}

// TestTheWatcherEndsWithItsHost: a host that is closed leaves no watcher, and one whose plugins can start nothing has none.
func TestTheWatcherEndsWithItsHost(t *testing.T) {
	t.Parallel()
	for name, confined := range map[string]bool{"a plugin that can start programs": false, "one that cannot": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, func(c *Config) {
				c.Command = func(kind string) (Command, error) {
					command, err := ownCommand(kind)
					command.Confined = confined
					return command, err
				}
			})
			mustFetch(t, source(t, f.open("good", "a", map[string]any{})))
			f.mu.Lock()
			watches := f.watcher != nil
			f.mu.Unlock()
			if watches == confined {
				t.Errorf("watched: %t", watches)
			}
			f.close() // goleak and the await of other tests find what stays
		})
	}
}

// runLauncher starts a plugin without asking the kernel to end it with its parent.
func runLauncher(kind string) {
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(path, "plugin", kind)
	cmd.Env = []string{wire.CookieKey + "=" + wire.CookieValue, "PLUGIN_PROTOCOL_VERSIONS=1", "PLUGIN_UNIX_SOCKET_DIR=" + os.Getenv("PLUGIN_UNIX_SOCKET_DIR")}
	out, err := cmd.StdoutPipe()
	if err != nil {
		panic(err)
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		panic(err)
	}
	fmt.Println(cmd.Process.Pid)
	forever()
}

// TestNoOrphans kills a daemon as kill -9 does: with the kernel's help, and with the plugin's own watch alone.
func TestNoOrphans(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"daemon", "launcher"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			dir, err := os.MkdirTemp("", "bf")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = os.RemoveAll(dir) })
			arg := map[string]string{"daemon": dir, "launcher": "good"}[how]
			cmd, pid := myself(t, []string{"PLUGIN_UNIX_SOCKET_DIR=" + dir}, how, arg)
			number, err := strconv.Atoi(pid)
			if err != nil || !running(pid) {
				t.Fatalf("no plugin: %q", pid)
			}
			t.Cleanup(func() {
				if t.Failed() {
					_ = syscall.Kill(number, syscall.SIGKILL)
				}
			})
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			await(t, "the end of the plugin", func() bool { return !running(pid) })
		})
	}
}

// TestTheBrokerIsRefused: go-plugin would let a process open streams by which it makes the host start goroutines.
func TestTheBrokerIsRefused(t *testing.T) {
	t.Parallel()
	away := func(context.Context, *grpc.StreamDesc, *grpc.ClientConn, string, ...grpc.CallOption) (grpc.ClientStream, error) {
		return nil, status.Error(codes.Canceled, "away")
	}
	for method, want := range map[string]codes.Code{
		"/plugin.GRPCBroker/StartStream": codes.Unimplemented,
		"/plugin.GRPCStdio/StreamStdio":  codes.Unavailable,
		"/belfry.plugin.v1.Source/Fetch": codes.Canceled,
	} {
		if _, err := plainStreams(t.Context(), nil, nil, method, away); status.Code(err) != want {
			t.Errorf("%s: %v, want %s", method, err, want)
		}
	}
}

func TestAClosedInstanceIsNotCalled(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	s := f.bad("a", "nothing")
	mustFetch(t, s)
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err := s.Fetch(t.Context(), sdk.FetchRequest{})
	wantCode(t, err, sdk.CodeUnavailable, "a was closed")
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("a second Close: %v", err)
	}
}
