package plugindev

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfry-news/belfry/internal/sandbox"
	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/plugin"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

// TestMain lets the test binary be the plugin, too: a host starts it with the cookie of the handshake.
func TestMain(m *testing.M) {
	sandbox.Main()
	if os.Getenv(wire.CookieKey) == wire.CookieValue {
		room, platform := &sdktest.Newsroom{}, &sdktest.Platform{}
		room.Put(sdktest.SampleItem("gare"), sdktest.SampleItem("fleuve"))
		platform.AddChannel("@news")
		plugin.Serve(room.Spec(), platform.Spec(), beeperSpec())
		return
	}
	goleak.VerifyTestMain(m)
}

// project writes a project whose program is this test binary. Its build fails with the words of the file broken, if there is
// one, and otherwise copies the binary.
func project(t *testing.T, devYAML string) string {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "build.sh", fmt.Sprintf("if [ -s broken ]; then echo '# example.org/x'; cat broken; exit 1; fi\nexec ln -s '%s' \"$1\"\n", self))
	write(t, dir, SettingsFile, devYAML)
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	// As editors do: whole, under its name at once.
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path+"~", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+"~", path); err != nil {
		t.Fatal(err)
	}
}

const (
	asConnector = "type: platform\nbuild: [sh, build.sh, \"${out}\"]\nchannel: \"@news\"\nconfig: {token: secret-of-the-test}\n"
	asSource    = "type: newsroom\nbuild: [sh, build.sh, \"${out}\"]\nconfig: {token: secret-of-the-test}\n"
)

// terminal is what a developer sees in the terminal.
type terminal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *terminal) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *terminal) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// bench is a session of a test.
type bench struct {
	*Session
	t   *testing.T
	out *terminal
}

func start(t *testing.T, dir string) *bench {
	t.Helper()
	out := &terminal{}
	// The race detector's own memory counts as the plugin's data.
	s, err := Start(t.Context(), Options{Dir: dir, Addr: "127.0.0.1:0", Version: "test", Memory: 1_000_000, Level: slog.LevelInfo, Out: out, pace: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	stopped := false
	b := &bench{s, t, out}
	t.Cleanup(func() {
		if !stopped {
			stopped = true
			if err := s.Stop(); err != nil {
				t.Errorf("stop: %v", err)
			}
		}
		if _, err := os.Stat(s.temp); !os.IsNotExist(err) {
			t.Errorf("%s stays: %v", s.temp, err)
		}
	})
	return b
}

// patience is how long something may take until it is so, on a slow machine.
const patience = 2 * time.Minute

// until waits until it is so.
func (b *bench) until(what string, so func() bool) {
	b.t.Helper()
	changed, leave := b.journal.join()
	defer leave()
	for deadline := time.After(patience); !so(); {
		select {
		case <-changed:
		case <-deadline:
			r := b.journal.read()
			b.t.Fatalf("waited in vain until %s\nterminal:\n%s\ncalls: %.2000s\nitems: %.1000s\nlog: %.2000s", what, b.out, fmt.Sprintf("%+v", r.calls), fmt.Sprintf("%+v", r.items), fmt.Sprintf("%+v", r.log))
		}
	}
}

func (b *bench) called(op string) (n int) {
	for _, c := range b.journal.read().calls {
		if c.Op == op && c.Code == "" {
			n++
		}
	}
	return n
}

func (b *bench) state() state { return b.journal.read().state }

// page is what a reader without JavaScript sees.
func (b *bench) page() string {
	b.t.Helper()
	resp, err := http.Get(b.Base())
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.t.Fatalf("%d, %v: %s", resp.StatusCode, err, body)
	}
	return string(body)
}

var tags = regexp.MustCompile(`<[^>]*>`)

func (b *bench) shows(texts ...string) {
	b.t.Helper()
	page := strings.Join(strings.Fields(tags.ReplaceAllString(b.page(), "")), " ")
	for _, text := range texts {
		if !strings.Contains(page, text) {
			b.t.Errorf("the page does not show %q:\n%.2000s", text, page)
		}
	}
}

// A connector is given posts of every kind, one after the other, and what is asked for by hand.
func TestConnector(t *testing.T) {
	t.Parallel()
	b := start(t, project(t, asConnector))
	b.until("a post was deleted", func() bool { return b.called("Delete") > 0 })
	b.until("the page knows of it", func() bool { return strings.Contains(b.page(), "<b>withdrawn</b>") })
	if b.called("ResolveChannel") == 0 || b.called("Plan") < 4 || b.called("Publish") < 5 || b.called("Edit") == 0 {
		t.Errorf("not everything was tried:\n%.3000s", b.page())
	}
	b.shows("platform", "Running", "Fire at the station is out", "revision 2", "A long read about bells", "(2 files)", "An article that will be withdrawn", "withdrawn", `&#34;@news&#34;`)
	if strings.Contains(b.page()+b.out.String(), "secret-of-the-test") {
		t.Error("a secret of the settings is shown")
	}
	for _, path := range []string{"/another", "/correct", "/withdraw"} {
		posts, edits, deletions := b.called("Publish"), b.called("Edit"), b.called("Delete")
		resp, err := http.Post(b.Base()+path, "", nil)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Fatal(path, resp, err)
		}
		_ = resp.Body.Close()
		b.until(path+" was done", func() bool {
			return b.called("Publish") > posts || b.called("Edit") > edits || b.called("Delete") > deletions
		})
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.Base()+"/withdraw", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Sec-Fetch-Site", "cross-site")
	resp, err := http.DefaultClient.Do(request)
	if err != nil || resp.StatusCode != http.StatusForbidden {
		t.Errorf("another site's button: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
}

// beeper writes to one reader, and to nobody else.
type beeper struct{ config beeperConfig }

type beeperConfig struct {
	Knows string `yaml:"knows" doc:"Whom it writes to."`
}

func beeperSpec() *sdk.Spec {
	return sdk.Define("beeper", "beeps", beeperConfig{}, func(_ context.Context, _ sdk.Settings, c beeperConfig) (*beeper, error) {
		return &beeper{c}, nil
	}).WithMedium(sdk.Medium{})
}

func (b *beeper) MessageLimits() sdk.Limits { return sdk.Limits{Text: 1000, Unit: sdk.UnitCodePoints} }

func (b *beeper) Message(_ context.Context, m sdk.DirectMessage) (sdk.MessageRef, error) {
	to, err := m.Recipient(time.Now())
	if err != nil {
		return sdk.MessageRef{}, err
	}
	if address, _ := to.Reveal(); address != b.config.Knows {
		return sdk.MessageRef{}, &sdk.Error{Code: sdk.CodeGone, Scope: sdk.ScopePerson, Op: "message", Public: "there is no such beeper"}
	}
	return sdk.MessageRef{ID: "beep-" + m.ID()}, nil
}

func (b *beeper) Close(context.Context) error { return nil }

const asMessenger = "type: beeper\nbuild: [sh, build.sh, \"${out}\"]\naddress: anna@example.invalid\nconfig: {knows: %s}\n"

// A connector that writes to people is given a reader: somebody made up who follows by the form and the button. One that cannot
// reach the reader shows why, and is asked again when it was mended.
func TestMessenger(t *testing.T) {
	t.Parallel()
	dir := project(t, fmt.Sprintf(asMessenger, "nobody@example.invalid"))
	b := start(t, dir)
	messages := func() []Message { return b.journal.read().messages }
	b.until("the first message fails", func() bool { return len(messages()) > 0 && messages()[0].Code == "gone" })
	b.shows("It can: messenger", "Messages to people", "gone: there is no such beeper")

	write(t, dir, SettingsFile, fmt.Sprintf(asMessenger, "anna@example.invalid"))
	b.until("the reader is asked, and told of the samples", func() bool {
		return len(messages()) > 2 && messages()[0].Code == "" && b.samples.changes() > 4
	})
	b.shows("confirm", "delivery", "Fire at the station", "accepted as", "What the reader is told", "Post another article")
	if m := messages(); !strings.Contains(m[0].Text, "/leave/") || !strings.Contains(m[len(m)-1].Text, "/confirm/") && !strings.Contains(m[len(m)-2].Text, "/confirm/") {
		t.Errorf("%+v", m)
	}
	// What is built next keeps the reader.
	before := len(messages())
	write(t, dir, "fake.txt", "x")
	b.until("it runs again", func() bool { return b.state().Builds == 3 && b.state().Busy == "" })
	resp, err := http.Post(b.Base()+"/another", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	b.until("the reader is told of what comes", func() bool {
		return len(messages()) > before && strings.HasPrefix(messages()[0].Title, "Article number 1")
	})
	if calls := b.journal.read().calls; strings.Contains(fmt.Sprint(calls), "anna@") {
		t.Errorf("a call shows an address: %v", calls)
	}
}

// What does not build leaves the old one running, and is built again when it was mended.
func TestSourceIsBuiltAgain(t *testing.T) {
	t.Parallel()
	dir := project(t, asSource)
	b := start(t, dir)
	b.until("items came", func() bool { return len(b.journal.read().items) == 2 })
	b.until("posts stand", func() bool { return strings.Contains(b.page(), "/c/"+channelName+"/") })
	b.shows("newsroom", "Incendie à la gare (gare)", "Fetch", "2 items; cursor")

	hook := regexp.MustCompile(`http://127\.0\.0\.1:\d+/hooks/plugin`).FindString(b.page())
	call, err := http.NewRequestWithContext(t.Context(), http.MethodPost, hook, strings.NewReader(`{"key": "called", "title": "By a call"}`))
	if err != nil {
		t.Fatal(err)
	}
	call.Header.Set("Token", "secret-of-the-test")
	resp, err := http.DefaultClient.Do(call)
	if err != nil || resp.StatusCode != http.StatusAccepted {
		t.Fatalf("the call: %v, %v", resp, err)
	}
	_ = resp.Body.Close()
	b.until("what was called is there", func() bool { return b.called("Verify") == 1 && b.called("Map") == 1 })
	b.shows("By a call")

	write(t, dir, "broken", "./api.go:12:3: undefined: x\n")
	b.until("the complaint is there", func() bool { return b.state().Trouble != "" })
	b.shows("The version before runs on", "It does not build", "./api.go:12:3: undefined: x")
	if out := b.out.String(); !strings.Contains(out, "belfry: broken changed; it does not build; what ran before runs on\n./api.go:12:3: undefined: x\n") || strings.Contains(out, "# example.org") {
		t.Errorf("the terminal says:\n%s", out)
	}
	fetches := func() int {
		last := b.journal.read().calls[0]
		return last.Number + last.Again
	}
	before := fetches()
	b.until("the old one is still fetched", func() bool { return fetches() > before })

	write(t, dir, "broken", "")
	b.until("it runs again", func() bool { s := b.state(); return s.Builds == 2 && s.Trouble == "" })
	b.shows("Running", "build 2")
	if programs, err := filepath.Glob(filepath.Join(b.temp, "newsroom-*")); err != nil || len(programs) != 1 {
		t.Errorf("programs that nobody runs stay: %v, %v", programs, err)
	}
}

func TestStartRefuses(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ yaml, want string }{
		"no dev.yaml":            {"", "there is no dev.yaml in"},
		"an unknown key":         {"type: x\nsettings: {}\n", `dev.yaml:2:1: unknown key "settings"; known are`},
		"a misspelt key":         {"type: x\nfak: [sh, x]\n", `dev.yaml:2:1: unknown key "fak"; did you mean "fake"?`},
		"a text for a list":      {"type: x\nfake: go run .\n", `dev.yaml:2:7: a list expected`},
		"no YAML":                {"type: [\n", `dev.yaml:1:`},
		"no type":                {"config: {}\n", `"type" is missing`},
		"two ways":               {"type: x\nprogram: a\nbuild: [b]\n", "build and program do not go together"},
		"a program elsewhere":    {"type: x\nprogram: ../a\n", "is no file of this project"},
		"a program that is gone": {"type: x\nprogram: a.py\n", "the program a.py is not there"},
		"somebody's address":     {"type: x\naddress: anna@example.org\nprogram: dev.yaml\n", `dev.yaml:2:10: "anna@example.org" is no address of a test; write somebody@example.invalid`},
		"an address of no fake":  {"type: x\nconfig: {url: [\"$FAKE/api\"]}\n", "no fake is named"},
		"nothing to build":       {"type: x\n", "holds no go.mod and no program"},
		"no such builder":        {"type: x\nbuild: [no-such-builder-anywhere]\n", "there is no no-such-builder-anywhere in the PATH of this machine; install it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if tc.yaml != "" {
				write(t, dir, SettingsFile, tc.yaml)
			}
			if s, err := Start(t.Context(), Options{Dir: dir, Addr: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, %v, want %s", s, err, tc.want)
			}
		})
	}
}

// What stands in a dev.yaml comes to the plugin as it stands there: numbers are numbers, and texts that look like some are texts.
func TestSettingsAsTheyStand(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, SettingsFile, "type: x\nprogram: x.sh\nfake: [sh, x]\nconfig: {count: 5, ratio: 1.5, port: \"8080\", on: true, list: [1, a], url: $FAKE/api, folder: $DIR/sample}\n")
	s, err := readSettings(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := written(s.filled("http://127.0.0.1:4000", "/srv/x"))
	if err != nil {
		t.Fatal(err)
	}
	const want = "count: 5\nfolder: /srv/x/sample\nlist:\n- 1\n- a\n\"on\": true\nport: \"8080\"\nratio: 1.5\nurl: http://127.0.0.1:4000/api\n"
	if string(text) != want {
		t.Errorf("got\n%s\nwant\n%s", text, want)
	}
}

func TestWhereItCannotStart(t *testing.T) {
	t.Parallel()
	dir := project(t, asSource)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	for name, tc := range map[string]struct{ dir, addr, want string }{
		"a file":          {filepath.Join(dir, SettingsFile), "127.0.0.1:0", "dev.yaml is a file; name the folder in which it lies"},
		"no folder":       {filepath.Join(dir, "nowhere"), "127.0.0.1:0", "there is no folder "},
		"a taken address": {dir, taken.Addr().String(), ": another program listens there; choose another address with --addr"},
		"a port alone":    {dir, "8090", "the page cannot be served at 8090: missing port in address"},
		"a port too high": {dir, "127.0.0.1:99999", "the page cannot be served at 127.0.0.1:99999: invalid port"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if s, err := Start(t.Context(), Options{Dir: tc.dir, Addr: tc.addr}); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, %v, want %s", s, err, tc.want)
			}
		})
	}
}

func TestLook(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, sub := range []string{".git", ".belfry-sdk", "testdata", "fake"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	before := look(dir)
	for _, name := range []string{".git/index", ".belfry-sdk/x.go", "testdata/a", "source_test.go", "source.go~", ".hidden", "belfry-plugin-x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if names := changed(before, look(dir)); len(names) > 0 {
		t.Errorf("the program is not made of %v", names)
	}
	write(t, dir, "fake/fake.go", "package fake")
	write(t, dir, "source.go", "package main")
	after := look(dir)
	if names := changed(before, after); len(names) != 2 {
		t.Errorf("got %v", names)
	}
	if err := os.Remove(filepath.Join(dir, "source.go")); err != nil {
		t.Fatal(err)
	}
	if names := changed(after, look(dir)); len(names) != 1 || names[0] != "source.go" {
		t.Errorf("got %v", names)
	}
}
