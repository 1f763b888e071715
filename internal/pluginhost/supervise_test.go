//go:build linux

package pluginhost

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// A process that hangs as a whole is ended although nobody calls it.
func TestAProcessThatDoesNotAnswerIsEnded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.Limits.Health, c.Limits.HealthWait = 20*time.Millisecond, time.Second })
	s := source(t, f.open("good", "a", map[string]any{}))
	mustFetch(t, s)
	pid := f.status("good").PID
	number, err := strconv.Atoi(pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(number, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	await(t, "the end of the process", func() bool { return !running(pid) })
	await(t, "the word of it", func() bool {
		return strings.Contains(f.log.String(), "it did not answer three health checks in a row")
	})
	mustFetch(t, s)
}

// A kind has so many calls under way, so many wait, and what comes then is refused at once.
func TestCallsWaitForTheirTurn(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.Limits.Calls, c.Limits.Queue = 2, 1 })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var calls sync.WaitGroup
	for n := range 3 {
		once := filepath.Join(t.TempDir(), "once")
		s := source(t, f.open("bad", fmt.Sprint(n), map[string]any{"do": "wait", "once": once}))
		calls.Go(func() {
			_, err := s.Fetch(ctx, sdk.FetchRequest{})
			wantCode(t, err, sdk.CodeUnavailable)
		})
	}
	await(t, "two calls and one that waits", func() bool { p := f.status("bad"); return p.Calls == 2 && p.Waiting == 1 })
	_, err := f.bad("late", "nothing").Fetch(t.Context(), sdk.FetchRequest{})
	wantCode(t, err, sdk.CodeUnavailable, "plugin bad: 2 calls are under way and 1 wait for them")
	if sdk.AsError(err).RetryAfter != time.Second {
		t.Errorf("RetryAfter %s", sdk.AsError(err).RetryAfter)
	}
	// Another kind has a queue of its own.
	mustFetch(t, source(t, f.open("good", "a", map[string]any{})))
	cancel()
	calls.Wait()
	if p := f.status("bad"); p.Calls != 0 || p.Waiting != 0 {
		t.Errorf("%+v", p)
	}
	mustFetch(t, f.bad("later", "nothing"))
}

// Third parties' plugins that hang while they start leave the start of Belfry's own to go on.
func TestStrangersThatHangAtTheirStart(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) {
		c.Limits.Starts = 1
		c.Command = func(kind string) (Command, error) {
			command, err := ownCommand(kind)
			command.Foreign = kind == "silent"
			return command, err
		}
	})
	var hanging sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	hanging.Go(func() { _ = f.Warm(ctx, "silent") })
	defer hanging.Wait()
	defer cancel()
	await(t, "the start that hangs", func() bool { return f.alive("silent") })
	mustFetch(t, source(t, f.open("good", "a", map[string]any{})))
	if p := f.status("silent"); p.State != StateStarting {
		t.Errorf("%+v", p)
	}
}

func TestWhatAPluginTakesIsKnown(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	s := source(t, f.open("good", "a", map[string]any{"items": jsonNumber(2000), "size": jsonNumber(1000)}))
	var p Process
	await(t, "processor time", func() bool { mustFetch(t, s); p = f.status("good"); return p.CPU > 0 })
	if p.Running != 1 || p.Resident < 5<<20 || p.Resident > 1<<30 {
		t.Errorf("%+v", p)
	}
	number, err := strconv.Atoi(p.PID)
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(number, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	var after Process
	await(t, "the end", func() bool { after = f.status("good"); return after.Running == 0 })
	// What has ended still counts: a counter never goes back.
	if after.CPU < p.CPU || after.Resident != 0 {
		t.Errorf("before %+v, after %+v", p, after)
	}
	if cpu, resident := usage(fmt.Sprint(os.Getpid())); resident == 0 || cpu < 0 {
		t.Errorf("of this process: %s, %d", cpu, resident)
	}
}

// Who is called alone has only the time of the processors that the others leave.
func TestASuspectYields(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	own, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if err != nil {
		t.Fatal(err)
	}
	// The first call ends the shared process, its repetition is made alone, and the one after that in the shared process again.
	s := source(t, f.open("bad", "a", map[string]any{"do": "crash", "once": filepath.Join(t.TempDir(), "once")}))
	for _, want := range []int{max(10, 20-own), 20 - own} {
		if got := mustFetch(t, s).Notices[0]; got != fmt.Sprint("nice ", want) {
			t.Errorf("got %q, want nice %d", got, want)
		}
	}
}
