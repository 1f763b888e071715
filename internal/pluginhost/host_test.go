//go:build linux

package pluginhost

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/logtest"
	"github.com/belfry-news/belfry/internal/sandbox"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	sandbox.Main()
	if len(os.Args) == 3 {
		switch os.Args[1] {
		case "plugin":
			servePlugin(os.Args[2])
			return
		case "daemon":
			runDaemon(os.Args[2])
			return
		case "leaver":
			runLeaver(os.Args[2])
			return
		case "launcher":
			runLauncher(os.Args[2])
			return
		}
	}
	goleak.VerifyTestMain(m)
}

// ownCommand starts the test binary as the plugin of a kind.
func ownCommand(kind string) (Command, error) {
	path, err := os.Executable()
	return Command{Path: path, Args: []string{"plugin", kind}}, err
}

type fixture struct {
	*Host
	t   testing.TB
	log *logtest.Buffer
	dir string
}

// limits of most tests: short, because what is waited for is a fault.
var testLimits = Limits{Memory: testMemory, Start: 5 * time.Minute, Call: 5 * time.Minute, Grace: 500 * time.Millisecond, Budget: 3,
	BackoffMin: time.Millisecond, BackoffMax: 2 * time.Millisecond}

func newFixture(t testing.TB, change func(c *Config)) *fixture {
	t.Helper()
	dir, err := os.MkdirTemp("", "bf")
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, log: &logtest.Buffer{}, dir: dir}
	c := Config{Command: ownCommand, RunDir: dir, Limits: testLimits,
		Log: slog.New(slog.NewTextHandler(f.log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	if change != nil {
		change(&c)
	}
	f.Host = New(c)
	t.Cleanup(func() {
		f.close()
		_ = os.RemoveAll(dir)
	})
	return f
}

func (f *fixture) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	f.Close(ctx)
}

// open opens an instance of one of the kinds that the test binary serves.
func (f *fixture) open(kind, name string, config map[string]any) sdk.Connector {
	f.t.Helper()
	spec := map[string]*sdk.Spec{"good": goodSpec("good"), "other": goodSpec("other"), "bad": badSpec("bad", "")}[kind]
	conn, err := f.Open(f.t.Context(), kind, spec, sdk.Settings{Instance: name}, config)
	if err != nil {
		f.t.Fatalf("Open(%s): %v", kind, err)
	}
	return conn
}

func (f *fixture) bad(name, do string) sdk.Source {
	return source(f.t, f.open("bad", name, map[string]any{"do": do}))
}

func source(t testing.TB, conn sdk.Connector) sdk.Source {
	t.Helper()
	s, ok := sdk.As[sdk.Source](conn)
	if !ok {
		t.Fatal("no source")
	}
	return s
}

// wantCode checks an error and what every error keeps to: a code, a sentence, the plugin's name, no URL and no stack.
func wantCode(t testing.TB, err error, code sdk.Code, words ...string) {
	t.Helper()
	var e *sdk.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want an error with the code %s", err, code)
	}
	for _, w := range words {
		if !strings.Contains(e.Public, w) {
			t.Errorf("the sentence %q does not say %q", e.Public, w)
		}
	}
	if strings.Contains(e.Public, "goroutine ") || strings.Contains(e.Public, "rpc error") {
		t.Errorf("the sentence %q is not for people", e.Public)
	}
}

func (f *fixture) status(kind string) Process {
	for _, p := range f.Status() {
		if p.Kind == kind {
			return p
		}
	}
	return Process{}
}

func (f *fixture) instance(kind, name string) Instance {
	for _, i := range f.status(kind).Instances {
		if i.Name == name {
			return i
		}
	}
	f.t.Fatalf("no instance %s of %s in the status", name, kind)
	return Instance{}
}

func mustFetch(t testing.TB, s sdk.Source) sdk.Batch {
	t.Helper()
	b, err := s.Fetch(t.Context(), sdk.FetchRequest{Now: time.Now()})
	if err != nil {
		t.Fatalf("Fetch: %v", err)
	}
	return b
}

func TestAProcessStartsWithTheFirstCall(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	a, b := source(t, f.open("good", "a", map[string]any{})), source(t, f.open("good", "b", map[string]any{"items": jsonNumber(3)}))
	if p := f.status("good"); p.State != StateStopped || p.Starts != 0 {
		t.Errorf("before any call: %+v", p)
	}
	if got := len(mustFetch(t, a).Items); got != 1 {
		t.Errorf("a gave %d items", got)
	}
	first := f.status("good")
	if got := len(mustFetch(t, b).Items); got != 3 {
		t.Errorf("b gave %d items", got)
	}
	p := f.status("good")
	if p.State != StateRunning || p.Starts != 1 || p.PID != first.PID || len(p.Instances) != 2 {
		t.Errorf("two instances of one kind: %+v", p)
	}
	mustFetch(t, source(t, f.open("other", "c", map[string]any{})))
	if other := f.status("other"); other.PID == p.PID || other.PID == "" {
		t.Errorf("two kinds share the process %s", p.PID)
	}
}

func TestTheProcessEndsWithItsLastInstance(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	a, b := source(t, f.open("good", "a", map[string]any{})), source(t, f.open("good", "b", map[string]any{}))
	mustFetch(t, a)
	mustFetch(t, b)
	pid := f.status("good").PID
	if err := a.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustFetch(t, b)
	if f.status("good").PID != pid {
		t.Error("the process ended although an instance is open")
	}
	if err := b.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if running(pid) {
		t.Errorf("process %s goes on without an instance", pid)
	}
	if p := f.status("good"); p.State != StateStopped || p.Crashes != 0 || p.Last != "" {
		t.Errorf("an end in good order counts as a fault: %+v", p)
	}
	mustFetch(t, source(t, f.open("good", "c", map[string]any{})))
}

func TestAWrongConfigurationIsToldAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	config := map[string]any{"itms": jsonNumber(1), "size": "big"}
	want := goodSpec("good").Check(config).Error()
	for name, spec := range map[string]*sdk.Spec{"with a spec": goodSpec("good"), "asking the process": nil} {
		_, err := f.Open(t.Context(), "good", spec, sdk.Settings{Instance: "a"}, config)
		if ps := (sdk.Problems{}); !errors.As(err, &ps) || err.Error() != want {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
}

func TestAnInstanceThatRefusesToOpen(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	_, err := f.bad("a", "refuse at open").Fetch(t.Context(), sdk.FetchRequest{})
	wantCode(t, err, sdk.CodeUnauthenticated, "the credential is wrong")
	mustFetch(t, f.bad("b", "nothing"))
	if p := f.status("bad"); p.Starts != 1 || p.Crashes != 0 {
		t.Errorf("%+v", p)
	}
}

// TestTheSuitesPassThroughTheHost runs connectors that are known to be good in a real process.
func TestTheSuitesPassThroughTheHost(t *testing.T) {
	t.Parallel()
	// The connectors of sdktest live in the plugin's memory here, so the suites get what can be done without reaching in.
	f := newFixture(t, nil)
	opener := func(kind string, spec *sdk.Spec) sdktest.Opener {
		return func(ctx context.Context, s sdk.Settings, config map[string]any) (sdk.Connector, error) {
			return f.Open(ctx, kind, spec, s, config)
		}
	}
	config := map[string]any{"token": "hunter2-hunter2"}
	newsroom := sdktest.Options{Open: opener("newsroom", (&sdktest.Newsroom{}).Spec()), Config: config, Secrets: []string{"hunter2-hunter2"}}
	platform := sdktest.Options{Open: opener("platform", nil), Config: config, Secrets: []string{"hunter2-hunter2"}}
	// The processes are there before the suites look for goroutines.
	if err := f.Warm(t.Context(), "newsroom", "platform"); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"newsroom", "platform"} {
		conn, err := f.Open(t.Context(), kind, nil, sdk.Settings{Instance: "keeps the process"}, config)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close(context.Background()) }()
	}
	sdktest.Source(t, sdktest.SourceOptions{Options: newsroom, Now: time.Unix(1_800_000_000, 0).UTC()})
	sdktest.Checker(t, sdktest.CheckerOptions{Options: newsroom, There: []sdk.ItemRef{{Key: "item-1"}}, Gone: []sdk.ItemRef{{Key: "item-7"}}})
	sdktest.Resolver(t, sdktest.ResolverOptions{Options: platform, Channels: []string{"@gazette"}, NotChannels: []string{"@someone"}})
	o := sdktest.PublisherOptions{Options: platform, Channel: "@gazette", Forged: []sdk.ChannelRef{{ID: "@someone"}}}
	sdktest.Publisher(t, o)
	sdktest.Editor(t, o)
	sdktest.Deleter(t, o)
	sdktest.Finder(t, o)
}

func TestNothingOfTheDaemonsEnvironmentLeaks(t *testing.T) {
	t.Setenv("BELFRY_TEST_SECRET", "hunter2")
	f := newFixture(t, func(c *Config) {
		c.Command = func(kind string) (Command, error) {
			command, err := ownCommand(kind)
			command.Env = []string{"SSL_CERT_DIR=/etc/ssl/certs"}
			return command, err
		}
	})
	known := []string{"BELFRY_PLUGIN", "BELFRY_PLUGIN_LOG", "BELFRY_PLUGIN_MEMORY", "BELFRY_PLUGIN_TOKEN", "GOMAXPROCS", "GOMEMLIMIT", "TMPDIR", "SSL_CERT_DIR",
		"PLUGIN_CLIENT_CERT", "PLUGIN_MAX_PORT", "PLUGIN_MIN_PORT", "PLUGIN_PROTOCOL_VERSIONS", "PLUGIN_UNIX_SOCKET_DIR"}
	env := mustFetch(t, f.bad("a", "environment")).Notices
	if len(env) == 0 {
		t.Fatal("the plugin sees no environment at all")
	}
	for _, entry := range env {
		if name, _, _ := strings.Cut(entry, "="); !slices.Contains(known, name) {
			t.Errorf("the plugin sees %s", entry)
		}
	}
}

func TestSecretsCrossOnlyOverTheSocket(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	mustFetch(t, source(t, f.open("good", "a", map[string]any{"secret": "hunter2-hunter2"})))
	pid := f.status("good").PID
	for _, name := range []string{"environ", "cmdline"} {
		b, err := os.ReadFile(filepath.Join("/proc", pid, name))
		if err != nil {
			t.Fatal(err)
		}
		if len(b) == 0 || bytes.Contains(b, []byte("hunter2")) {
			t.Errorf("/proc/%s/%s: %q", pid, name, b)
		}
	}
	if strings.Contains(f.log.String(), "hunter2") {
		t.Error("the log holds the secret")
	}
}

func TestTheSocketsArePrivate(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	mustFetch(t, source(t, f.open("good", "a", map[string]any{})))
	folders, _ := filepath.Glob(filepath.Join(f.dir, "p????"))
	if len(folders) != 1 {
		t.Fatalf("folders: %v", folders)
	}
	sockets := 0
	err := filepath.WalkDir(folders[0], func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		if d.IsDir() && info.Mode().Perm() != 0o700 {
			t.Errorf("%s has the mode %o", path, info.Mode().Perm())
		}
		if info.Mode()&os.ModeSocket != 0 {
			sockets++
		}
		return nil
	})
	if err != nil || sockets != 1 {
		t.Errorf("%d sockets in the private folder, %v", sockets, err)
	}
	f.close()
	if left, _ := filepath.Glob(filepath.Join(f.dir, "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWhatAKilledHostLeftIsWiped(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	stale := filepath.Join(f.dir, "pQ123", "plugin-dir456")
	if err := os.MkdirAll(stale, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{filepath.Join(f.dir, "pQ123", lockName), filepath.Join(stale, "socket"), filepath.Join(f.dir, "mine")} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other := newFixture(t, func(c *Config) { c.RunDir = f.dir })
	mustFetch(t, source(t, other.open("good", "a", map[string]any{})))
	mustFetch(t, source(t, f.open("good", "a", map[string]any{})))
	if _, err := os.Stat(filepath.Join(f.dir, "pQ123")); err == nil {
		t.Error("the folder of a host that is gone is still there")
	}
	if _, err := os.Stat(filepath.Join(f.dir, "mine")); err != nil {
		t.Error("a file that is no host's was wiped")
	}
	// The second host must not have wiped the first one's.
	mustFetch(t, source(t, other.open("good", "b", map[string]any{})))
}

func TestAFolderThatIsTooDeep(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.RunDir = filepath.Join(c.RunDir, strings.Repeat("deep/", 20)) })
	_, err := source(t, f.open("good", "a", map[string]any{})).Fetch(t.Context(), sdk.FetchRequest{})
	wantCode(t, err, sdk.CodeUnavailable, "too deep for sockets", "choose a run folder with a shorter path")

	promised := newFixture(t, func(c *Config) { c.RunDir = filepath.Join(c.RunDir, strings.Repeat("x", 59-len(c.RunDir)-1)) })
	mustFetch(t, source(t, promised.open("good", "a", map[string]any{})))
}

func TestClose(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	s, hangs := source(t, f.open("good", "a", map[string]any{})), f.bad("b", "wait")
	mustFetch(t, s)
	waiting := make(chan error, 1)
	go func() {
		_, err := hangs.Fetch(context.Background(), sdk.FetchRequest{})
		waiting <- err
	}()
	await(t, "the call", func() bool { return f.status("bad").State == StateRunning })
	pids := []string{f.status("good").PID, f.status("bad").PID}
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	f.Close(ctx)
	wantCode(t, <-waiting, sdk.CodeUnavailable)
	for _, pid := range pids {
		if running(pid) {
			t.Errorf("process %s goes on", pid)
		}
	}
	_, err := s.Fetch(t.Context(), sdk.FetchRequest{})
	wantCode(t, err, sdk.CodeUnavailable, "the daemon is stopping")
	_, err = f.Open(t.Context(), "good", goodSpec("good"), sdk.Settings{}, map[string]any{})
	wantCode(t, err, sdk.CodeUnavailable, "the daemon is stopping")
	if err := s.Close(t.Context()); err != nil {
		t.Errorf("Close of an instance after its host: %v", err)
	}
	f.Close(t.Context()) // a second time
}

func TestCloseWhileStarting(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	s := source(t, mustOpenKind(t, f, "silent"))
	failed := make(chan error, 1)
	go func() {
		_, err := s.Fetch(context.Background(), sdk.FetchRequest{})
		failed <- err
	}()
	await(t, "the start", func() bool { return f.status("silent").State == StateStarting })
	f.close()
	wantCode(t, <-failed, sdk.CodeUnavailable)
}

func TestManyCallersOneStart(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	var wg sync.WaitGroup
	for n := range 20 {
		s := source(t, f.open("good", fmt.Sprint(n), map[string]any{}))
		wg.Go(func() {
			if _, err := s.Fetch(t.Context(), sdk.FetchRequest{}); err != nil {
				t.Errorf("Fetch: %v", err)
			}
		})
	}
	wg.Wait()
	if p := f.status("good"); p.Starts != 1 || len(p.Instances) != 20 {
		t.Errorf("%+v", p)
	}
}

// mustOpenKind opens an instance of a kind whose process does not keep to the protocol.
func mustOpenKind(t testing.TB, f *fixture, kind string) sdk.Connector {
	t.Helper()
	conn, err := f.Open(t.Context(), kind, goodSpec(kind), sdk.Settings{Instance: "a"}, map[string]any{})
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

// running reports whether a process is there and no zombie.
func running(pid string) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return false
	}
	// The state follows the name in brackets, which may hold anything.
	rest := string(stat[bytes.LastIndexByte(stat, ')')+1:])
	return !strings.HasPrefix(rest, " Z") && !strings.HasPrefix(rest, " X")
}

// await polls for what another process does; nothing can signal it.
func await(t testing.TB, what string, done func() bool) {
	t.Helper()
	for until := time.Now().Add(2 * time.Minute); !done(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%s: it did not come to it", what)
		}
	}
}

func jsonNumber(n int) any { return sdk.Untyped(strconv.Itoa(n)) }

func TestLogLines(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	mustFetch(t, f.bad("a", "log"))
	// What is printed comes by another way than the answer, and may be later.
	await(t, "what was printed is in the log", func() bool {
		log := f.log.String()
		return strings.Contains(log, "printed by mistake") && strings.Contains(log, "complained")
	})
	f.close()
	log := f.log.String()
	for _, want := range []string{
		`level=DEBUG msg="a word" plugin=bad instance=a n=1`, `level=INFO msg="a word" plugin=bad instance=a n=2`,
		`level=WARN msg="a word" plugin=bad instance=a n=3`, `level=ERROR msg="a word" plugin=bad instance=a n=4`,
		`level=INFO msg="printed by mistake" plugin=bad stream=stdout`, `level=INFO msg=complained plugin=bad stream=stderr`,
	} {
		if !regexp.MustCompile(`(?m)` + regexp.QuoteMeta(want) + `$`).MatchString(log) {
			t.Errorf("the log does not hold %s; it is\n%s", want, log)
		}
	}
}
