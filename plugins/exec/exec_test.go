//go:build unix

package exec

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfry-news/belfry/internal/logtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

// plainSandbox starts commands without confining them: the launcher itself is tested where it lives.
func plainSandbox() Sandbox {
	return Sandbox{
		Command: func(ctx context.Context, p Program) (*exec.Cmd, error) {
			cmd := exec.CommandContext(ctx, p.Path, p.Args...)
			cmd.Env = []string{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "HOME=" + p.Folder, "TMPDIR=" + p.Folder}
			cmd.Dir = p.Folder
			cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
			cmd.WaitDelay = 2 * time.Second
			return cmd, nil
		},
		End: func(pid int, _ string) bool { return syscall.Kill(-pid, syscall.SIGKILL) == nil },
	}
}

// openWith opens a source.
func openWith(t *testing.T, s Sandbox, config map[string]any) (sdk.Source, *logtest.Buffer) {
	t.Helper()
	log := &logtest.Buffer{}
	conn, err := Spec(s).Open(t.Context(), sdk.Settings{Instance: "cms", UserAgent: "Belfry/test", Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))}, config)
	if err != nil {
		t.Fatal(err)
	}
	source, ok := sdk.As[sdk.Source](conn)
	if !ok {
		t.Fatal("no source")
	}
	return source, log
}

// shell is a configuration whose command is a script.
func shell(script string) map[string]any {
	return map[string]any{"command": []any{"/bin/sh", "-c", script}}
}

func wantError(t *testing.T, err error, code sdk.Code, words ...string) {
	t.Helper()
	e := sdk.AsError(err)
	if e == nil || e.Code != code {
		t.Fatalf("got %v, want an error with the code %s", err, code)
	}
	for _, w := range words {
		if !strings.Contains(e.Public, w) {
			t.Errorf("the sentence %q does not say %q", e.Public, w)
		}
	}
}

const oneItem = `echo '{"item":{"key":"1","title":"Fire","html":"<p>Trains <b>stop</b>.<script>x()</script></p>"}}'; `

func TestARun(t *testing.T) {
	t.Parallel()
	s, log := openWith(t, plainSandbox(), shell(oneItem+`echo '{"removed":{"key":"2"}}'; echo 'warning: slow today' >&2; printf '{"cursor":{"at": 7},"whole":["a"],"wait":"10m"}'`))
	b, err := s.Fetch(t.Context(), sdk.FetchRequest{Now: start})
	if err != nil {
		t.Fatal(err)
	}
	if len(b.Items) != 1 || b.Items[0].Key != "1" || len(b.Items[0].Body) != 1 || strings.Contains(fmt.Sprintf("%+v", b.Items[0].Body[0]), "x()") {
		t.Errorf("%+v", b.Items)
	}
	if string(b.Next) != `{"exec":1,"cursor":{"at":7}}` || len(b.Removed) != 1 || len(b.Whole) != 1 || b.Wait != 10*time.Minute || len(b.Notices) > 0 {
		t.Errorf("%+v", b)
	}
	if !strings.Contains(log.String(), `level=WARN msg="the command says" line="slow today"`) {
		t.Errorf("the log:\n%s", log)
	}
}

// The command is told what it needs in one line, and only that.
func TestWhatACommandIsTold(t *testing.T) {
	t.Parallel()
	config := shell(`read -r line; printf '{"about":{"title":"x"}}\n'; echo "$line" >&2; env >&2; pwd >&2; printf '{"cursor":1}\n'`)
	config["config"], config["env"] = map[string]any{"section": "politics", "n": sdk.Untyped("5")}, map[string]any{"TOKEN": "canary-token"}
	said := ""
	for _, r := range []struct {
		request sdk.FetchRequest
		want    string
	}{
		{sdk.FetchRequest{Now: start}, `{"version":1,"source":"cms","fetch":"all","cursor":null,"config":{"n":"5","section":"politics"},"now":"2026-11-20T08:00:00Z","deadline":"`},
		{sdk.FetchRequest{Now: start, Cursor: sdk.Cursor(`{"exec":1,"cursor":"abc"}`)}, `"fetch":"new","cursor":"abc",`},
		{sdk.FetchRequest{Now: start, Cursor: sdk.Cursor(`{"exec":1,"cursor":"def"}`), Force: true}, `"fetch":"all","cursor":null,`},
	} {
		s, log := openWith(t, plainSandbox(), config) // what one was told is not what another one was
		if _, err := s.Fetch(t.Context(), r.request); err != nil {
			t.Fatal(err)
		}
		if said = strings.ReplaceAll(log.String(), `\"`, `"`); !strings.Contains(said, r.want) {
			t.Errorf("the command was not told %s:\n%s", r.want, said)
		}
	}
	if !strings.Contains(said, "TOKEN=[secret]") || strings.Contains(said, "canary") {
		t.Errorf("the secret is not masked:\n%s", said)
	}
	for _, variable := range []string{"GOPATH", "USER="} {
		if strings.Contains(said, variable) {
			t.Errorf("the command sees %s:\n%s", variable, said)
		}
	}
}

// A run that ends badly gives one sentence, and neither items nor a cursor.
func TestRunsThatEndBadly(t *testing.T) {
	t.Parallel()
	const done = `echo '{"cursor":1}'`
	for name, tc := range map[string]struct {
		script string
		code   sdk.Code
		words  []string
	}{
		"temporary trouble":         {oneItem + done + `; echo "the database is away" >&2; exit 75`, sdk.CodeUnavailable, []string{"ended with exit code 75: the database is away"}},
		"wrong settings":            {`echo "no section" >&2; exit 78`, sdk.CodeInvalid, []string{"exit code 78: no section"}},
		"no right":                  {`exit 77`, sdk.CodeForbidden, []string{"exit code 77: it said nothing on standard error"}},
		"no account":                {`exit 67`, sdk.CodeUnauthenticated, []string{"exit code 67"}},
		"any other code":            {oneItem + done + `; exit 3`, sdk.CodeUnavailable, []string{"exit code 3"}},
		"no such program":           {`no-such-program`, sdk.CodeInvalid, []string{"exit code 127", "no-such-program"}},
		"a file it may not read":    {`echo "cms.py: /srv/cms: Permission denied" >&2; exit 1`, sdk.CodeUnavailable, []string{"exit code 1: cms.py: /srv/cms: Permission denied; a file or folder that it may read stands under read"}},
		"a signal":                  {`kill -SEGV $$`, sdk.CodeUnavailable, []string{"was ended by a signal: segmentation fault"}},
		"no output":                 {`true`, sdk.CodeUnavailable, []string{"without having printed anything", `print a last line {"cursor": …}`}},
		"no cursor":                 {oneItem, sdk.CodeUnavailable, []string{"ended well after 1 item in 1 lines and did not say that this was all"}},
		"a half-written last line":  {oneItem + `printf '{"cursor":"2026-'`, sdk.CodeUnavailable, []string{"line 2 of the output: the output ends in the middle of the line"}},
		"half a line and a failure": {oneItem + `printf '{"cur'; echo "Killed" >&2; exit 1`, sdk.CodeUnavailable, []string{"exit code 1: Killed"}},
		"output after the cursor":   {done + "; " + oneItem, sdk.CodeInvalid, []string{"line 2 of the output", "must be the last"}},
		"items without end":         {`i=0; while :; do i=$((i+1)); echo "{\"item\":{\"key\":\"$i\",\"title\":\"x\"}}"; done`, sdk.CodeTooLarge, []string{"more than 5000 items"}},
		"lines without end":         {`yes '{"notice":"x"}'`, sdk.CodeTooLarge, []string{"more than 10000 lines"}},
		"a line without end":        {`tr '\0' x </dev/zero`, sdk.CodeTooLarge, []string{"line 1 of the output: the line has more than 4 MiB"}},
		"a log without end":         {`yes nonsense >&2`, sdk.CodeTooLarge, []string{"more than 4 MiB to standard error"}},
		"invalid UTF-8":             {`printf '{"item":{"key":"a\377","title":"x"}}\n'`, sdk.CodeInvalid, []string{"line 1 of the output: byte 18 is not UTF-8"}},
		"duplicate ids":             {oneItem + oneItem + done, sdk.CodeInvalid, []string{`line 2 of the output: the key "1" stands in line 1 already`}},
		"no JSON":                   {`echo Hello`, sdk.CodeInvalid, []string{"line 1 of the output: this is no JSON at byte 1"}},
		"hangs":                     {oneItem + `sleep 300`, sdk.CodeUnavailable, []string{"did not end within 1s and was ended", "print less at a time"}},
		"ignores SIGTERM":           {`trap "" TERM INT HUP; while :; do sleep 1; done`, sdk.CodeUnavailable, []string{"did not end within 1s"}},
		"what it started goes on":   {oneItem + `(sleep 300; ` + done + `) &`, sdk.CodeUnavailable, []string{"while something that it started went on", "wait for what the command starts"}},
		"it says so itself":         {`echo '{"error":{"code":"rate_limited","message":"the CMS asks for a pause","retry_after":"10m"}}'; exit 1`, sdk.CodeRateLimited, []string{"the command says: the CMS asks for a pause"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := shell(tc.script)
			if tc.words[0][:3] == "did" {
				config["timeout"] = "1s"
			}
			s, _ := openWith(t, plainSandbox(), config)
			b, err := s.Fetch(t.Context(), sdk.FetchRequest{Now: start, Cursor: sdk.Cursor(`{"exec":1,"cursor":5}`)})
			wantError(t, err, tc.code, tc.words...)
			if len(b.Items)+len(b.Removed)+len(b.Next) > 0 {
				t.Errorf("an error and a batch: %+v", b)
			}
			if name == "it says so itself" && sdk.AsError(err).RetryAfter != 10*time.Minute {
				t.Errorf("RetryAfter %s", sdk.AsError(err).RetryAfter)
			}
		})
	}
}

// A command that is odd and tells all the same everything is believed, and what it leaves behind is ended.
func TestOddRuns(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ script, notice string }{
		"never reads its request":          {`echo '{"cursor":null}'`, ""},
		"closes its input":                 {`exec <&-; echo '{"cursor":null}'`, ""},
		"leaves one behind":                {`sleep 300 >/dev/null 2>&1 & echo "pid $!" >&2; echo '{"cursor":null}'`, "left processes behind"},
		"leaves one that holds the output": {`sleep 300 & echo "pid $!" >&2; echo '{"cursor":null}'`, "left processes behind"},
		"blank lines":                      {`echo; echo '  '; echo '{"cursor":null}'; echo`, ""},
		"no last line feed":                {`printf '{"cursor":null}'`, ""},
		"carriage returns":                 {`printf '{"cursor":null}\r\n'`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := shell(tc.script)
			config["config"] = map[string]any{"long": strings.Repeat("x", 300_000)} // more than a pipe holds
			s, log := openWith(t, plainSandbox(), config)
			b, err := s.Fetch(t.Context(), sdk.FetchRequest{Now: start})
			if err != nil {
				t.Fatal(err)
			}
			if string(b.Next) != `{"exec":1,"cursor":null}` || (len(b.Notices) > 0) != (tc.notice != "") || tc.notice != "" && !strings.Contains(b.Notices[0], tc.notice) {
				t.Errorf("%+v", b)
			}
			if _, after, found := strings.Cut(log.String(), "pid "); found {
				pid, err := strconv.Atoi(strings.TrimRight(strings.Fields(after)[0], `"`))
				if err != nil {
					t.Fatal(err)
				}
				for until := time.Now().Add(time.Minute); syscall.Kill(pid, 0) == nil && !zombie(pid); time.Sleep(5 * time.Millisecond) {
					if time.Now().After(until) {
						t.Fatalf("process %d goes on", pid)
					}
				}
			}
		})
	}
}

// zombie reports whether a process has ended and waits for whoever adopted it.
func zombie(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

func TestACommandThatIsNotStarted(t *testing.T) {
	t.Parallel()
	lacking := plainSandbox()
	lacking.Lacking = func() string { return "there is no sandbox here" }
	loose := plainSandbox()
	loose.Check = func(path string) error { return fmt.Errorf("%s can be changed by others (mode 0777)", path) }
	for name, tc := range map[string]struct {
		sandbox Sandbox
		config  map[string]any
		code    sdk.Code
		words   []string
	}{
		"no sandbox":      {lacking, shell("true"), sdk.CodeUnsupported, []string{"this system cannot confine it (there is no sandbox here)", "add unconfined: true"}},
		"a loose program": {loose, shell("true"), sdk.CodeInvalid, []string{"the command is not started: /bin/sh can be changed by others"}},
		"a loose script":  {loose, map[string]any{"command": []any{"sh", "-e", "/etc/passwd", "x"}}, sdk.CodeInvalid, []string{"the command is not started: /etc/passwd can be changed by others"}},
		"a missing one":   {plainSandbox(), map[string]any{"command": []any{"/nowhere/cms.py"}}, sdk.CodeUnavailable, []string{"/nowhere/cms.py cannot be started: no such file or directory"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, _ := openWith(t, tc.sandbox, tc.config)
			_, err := s.Fetch(t.Context(), sdk.FetchRequest{Now: start})
			wantError(t, err, tc.code, tc.words...)
		})
	}
	config := shell(`echo '{"cursor":1}'`)
	config["unconfined"] = true
	s, _ := openWith(t, lacking, config)
	b, err := s.Fetch(t.Context(), sdk.FetchRequest{Now: start})
	if err != nil || len(b.Notices) != 1 || b.Notices[0] != "the command runs unconfined: there is no sandbox here" {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestConfiguration(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		config map[string]any
		want   string
	}{
		"nothing":            {map[string]any{}, `/command: "command" is missing`},
		"no command":         {map[string]any{"command": []any{}}, `/command: no command is named; write command: [/srv/belfry/cms.py]`},
		"a text":             {map[string]any{"command": "/srv/cms.py"}, `/command: a list expected, found text`},
		"a relative path":    {map[string]any{"command": []any{"./cms.py"}}, `/command/0: "./cms.py" is no whole path; write it from the root on`},
		"a line of a shell":  {map[string]any{"command": []any{"/srv/cms.py --all"}}, `/command/0: "/srv/cms.py --all" holds a blank; write each argument by itself`},
		"a relative read":    {map[string]any{"command": []any{"x"}, "read": []any{"export"}}, `/read/0: "export" is no whole path`},
		"an odd variable":    {map[string]any{"command": []any{"x"}, "env": map[string]any{"A-B": "x"}}, `/env/A-B: "A-B" is no name of a variable`},
		"a variable of ours": {map[string]any{"command": []any{"x"}, "env": map[string]any{"PATH": "x"}}, `/env/PATH: PATH is not yours to set`},
		"a short time":       {map[string]any{"command": []any{"x"}, "timeout": "0s"}, `/timeout: 0s is not possible; between 1s and 1h`},
		"an unknown zone":    {map[string]any{"command": []any{"x"}, "zone": "Europe/Pairs"}, `/zone: the time zone "Europe/Pairs" is unknown`},
		"an odd address":     {map[string]any{"command": []any{"x"}, "base_url": "news"}, `/base_url: this is no address of a site`},
		"a misspelt key":     {map[string]any{"command": []any{"x"}, "confg": map[string]any{}}, `did you mean "config"?`},
		"a list as config":   {map[string]any{"command": []any{"x"}, "config": []any{}}, `/config: settings expected (name: …), found a list`},
		"good":               {map[string]any{"command": []any{"python3", "/srv/cms.py"}, "config": map[string]any{"a": map[string]any{"b": nil}}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Spec(plainSandbox()).Check(tc.config)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}

// TestConformance runs the suite on a command that reads files, directly and over gRPC.
func TestConformance(t *testing.T) {
	spec := Spec(plainSandbox())
	const script = `while [ -e "$1/stall" ]; do sleep 0.05; done
if [ -e "$1/broken" ]; then echo "the database is away, and the token is $TOKEN" >&2; exit 75; fi
cat "$1/items"; echo '{"cursor":7,"complete":true}'`
	for name, open := range map[string]sdktest.Opener{"direct": spec.Open, "loopback": sdktest.Loopback(t, spec)} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			file := func(name string) string { return filepath.Join(dir, name) }
			n := 0
			add := func(tb testing.TB) {
				n++
				f, err := os.OpenFile(file("items"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
				if err != nil {
					tb.Fatal(err)
				}
				defer f.Close()
				fmt.Fprintf(f, `{"item":{"key":"%d","title":"Title %d","html":"<p>Text <a href=\"/x\">x</a></p>","url":"https://news.example/%d","published":"2026-11-20T06:00:00Z","authors":["Ada"],"tags":["a"]}}`+"\n", n, n, n)
			}
			add(t)
			add(t)
			while := func(name string) func(testing.TB) func() {
				return func(tb testing.TB) func() {
					if err := os.WriteFile(file(name), nil, 0o600); err != nil {
						tb.Fatal(err)
					}
					return func() { _ = os.Remove(file(name)) }
				}
			}
			sdktest.Source(t, sdktest.SourceOptions{Now: start, Change: add, Options: sdktest.Options{Open: open, Secrets: []string{"canary-token"},
				Config: map[string]any{"command": []any{"/bin/sh", "-c", script, "cms", dir}, "env": map[string]any{"TOKEN": "canary-token"}},
				Break:  while("broken"), Stall: while("stall")}})
		})
	}
}

// TestExamples runs the shipped examples, and the suite on them.
func TestExamples(t *testing.T) {
	here, err := filepath.Abs("example")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		config map[string]any
		titles []string
	}{
		"cms.py": {map[string]any{"command": []any{here + "/cms.py"}, "config": map[string]any{"export": here + "/export.json", "sections": []any{"politics", "sport"}}},
			[]string{"Le conseil vote le budget", "Victoire à domicile"}},
		"table.sh": {map[string]any{"command": []any{here + "/table.sh", here + "/table.tsv"}}, []string{`Un "titre"`, "Deux"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, _ := openWith(t, plainSandbox(), tc.config)
			b, err := s.Fetch(t.Context(), sdk.FetchRequest{Now: start})
			if err != nil {
				t.Fatal(err)
			}
			var titles []string
			for _, it := range b.Items {
				titles = append(titles, it.Title)
			}
			if strings.Join(titles, "|") != strings.Join(tc.titles, "|") {
				t.Errorf("got %q", titles)
			}
			sdktest.Source(t, sdktest.SourceOptions{Now: start, Options: sdktest.Options{Open: Spec(plainSandbox()).Open, Config: tc.config}})
		})
	}
}

// The page shows the examples as they are.
func TestThePageShowsTheExamples(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/exec.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"cms.py", "table.sh"} {
		text, err := os.ReadFile(filepath.Join("example", name))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(page), "\n"+strings.TrimRight(string(text), "\n")+"\n```\n") {
			t.Errorf("docs/exec.md does not show %s as it is; copy it there", name)
		}
	}
}

// The guide's script is one that can be copied: it takes numbers as ids, as most systems have them.
func TestTheGuidesScriptRuns(t *testing.T) {
	page, err := os.ReadFile("../../docs/plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(page), "```python\n")
	text, _, found := strings.Cut(rest, "```")
	dir := t.TempDir()
	script, export := filepath.Join(dir, "cms.py"), filepath.Join(dir, "export.json")
	if !found || os.WriteFile(script, []byte(text), 0o755) != nil ||
		os.WriteFile(export, []byte(`[{"id": 7, "title": "Fire", "body": "<p>At the station.</p>", "link": "https://news.example/7"}]`), 0o600) != nil {
		t.Fatal("docs/plugins.md shows no script, or it cannot be written")
	}
	s, _ := openWith(t, plainSandbox(), map[string]any{"command": []any{script}, "config": map[string]any{"export": export}})
	b, err := s.Fetch(t.Context(), sdk.FetchRequest{Now: start})
	if err != nil || len(b.Items) != 1 || b.Items[0].Key != "7" {
		t.Errorf("the script gives %+v, %v", b.Items, err)
	}
}
