package operations

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/api"
	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// block is a fenced block of the guide.
type block struct {
	line int
	// kind is what stands behind the fence, and file the word after it: a path, or container for commands about one.
	kind, file string
	// section is the heading above.
	section string
	text    string
}

// step is a command with what it has to print. A line of … alone stands for any lines, … inside a line for any text.
type step struct {
	line    int
	command string
	want    []string
}

const guide = "../../docs/operations.md"

func blocks(t *testing.T, page string) (out []block) {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	var open *block
	section := ""
	for i, line := range strings.Split(string(text), "\n") {
		info, fence := strings.CutPrefix(line, "```")
		if heading := strings.TrimLeft(line, "#"); open == nil && heading != line {
			section = strings.TrimSpace(heading)
		}
		switch {
		case fence && open == nil:
			kind, file, _ := strings.Cut(info, " ")
			open = &block{line: i + 1, kind: kind, file: file, section: section}
		case fence:
			out = append(out, *open)
			open = nil
		case open != nil:
			open.text += line + "\n"
		}
	}
	if open != nil {
		t.Fatalf("the block of line %d does not end", open.line)
	}
	return out
}

func (b block) steps(t *testing.T) (out []step) {
	t.Helper()
	for i, line := range strings.Split(strings.TrimSuffix(b.text, "\n"), "\n") {
		if command, ok := strings.CutPrefix(line, "$ "); ok {
			out = append(out, step{line: b.line + 1 + i, command: command})
			continue
		}
		if len(out) == 0 {
			t.Fatalf("line %d: output without a command", b.line+1+i)
		}
		out[len(out)-1].want = append(out[len(out)-1].want, line)
	}
	return out
}

// matches says whether an output is what a step wants.
func (s step) matches(got string) bool {
	if len(s.want) == 0 {
		return true
	}
	var pattern strings.Builder
	for _, line := range s.want {
		if line == "…" {
			pattern.WriteString(`(?:.*\n)*?`)
			continue
		}
		parts := strings.Split(line, "…")
		for i := range parts {
			parts[i] = regexp.QuoteMeta(parts[i])
		}
		pattern.WriteString(strings.Join(parts, ".*") + `\n`)
	}
	return regexp.MustCompile(`^` + pattern.String() + `$`).MatchString(got)
}

func TestSteps(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		want []string
		got  string
		ok   bool
	}{
		"nothing is wanted":       {nil, "anything\n", true},
		"the same":                {[]string{"ok"}, "ok\n", true},
		"more":                    {[]string{"ok"}, "ok\nand more\n", false},
		"other":                   {[]string{"ok"}, "okay\n", false},
		"some text inside":        {[]string{"a … c"}, "a and b c\n", true},
		"no line end inside":      {[]string{"a … c"}, "a\nc\n", false},
		"any lines":               {[]string{"…", "last"}, "one\ntwo\nlast\n", true},
		"any lines, also none":    {[]string{"…", "last"}, "last\n", true},
		"any lines, but the last": {[]string{"…", "last"}, "one\n", false},
		"any lines at the end":    {[]string{"first", "…"}, "first\nx\ny\n", true},
	} {
		if (step{want: c.want}).matches(c.got) != c.ok {
			t.Errorf("%s: %v and %q", name, c.want, c.got)
		}
	}
}

// Every alert has a section, and every section of that place is about an alert.
func TestGuideExplainsEveryAlert(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "\n## Alerts\n")
	section, _, _ := strings.Cut(rest, "\n## ")
	var explained, codes []string
	for _, m := range regexp.MustCompile(`(?m)^### (.+)$`).FindAllStringSubmatch(section, -1) {
		explained = append(explained, m[1])
	}
	for _, c := range alert.Codes() {
		codes = append(codes, string(c))
	}
	if !slices.Equal(explained, codes) {
		t.Errorf("the guide explains %v, and the codes are %v", explained, codes)
	}
}

// Every command of the guide is run by a test.
func TestGuideRunsItsCommands(t *testing.T) {
	t.Parallel()
	for _, b := range blocks(t, guide) {
		if b.kind != "yaml" && b.kind != "console" || b.kind == "console" && b.file != "" && b.file != inContainer {
			t.Errorf("line %d: a block of kind %q %q, which is not run", b.line, b.kind, b.file)
		}
	}
}

// The guide's commands, in order, on a machine like the one it is about: the system's own programs, an /etc, /usr/local and
// /var of its own, and stand-ins for what manages users and services.
func TestGuide(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	ran := 0
	for _, b := range blocks(t, guide) {
		switch {
		case b.kind == "yaml" && b.file != "":
			m.write(b.file, b.text, 0o644)
		case b.kind == "console" && b.file == "":
			ran += m.follow(b)
		}
	}
	if ran < 30 {
		t.Errorf("only %d commands were run", ran)
	}
	if n := m.beats.Load(); n == 0 {
		t.Error("no heartbeat arrived")
	}
}

// follow runs the commands of a block, and says how many those were.
func (m *machine) follow(b block) int {
	m.t.Helper()
	steps := b.steps(m.t)
	for _, s := range steps {
		output, code := m.run(s.command)
		m.t.Logf("$ %s\n%s", s.command, output)
		if code != "0" || !s.matches(output) {
			m.t.Fatalf("docs/operations.md:%d: %s\nexit code %s, and it printed:\n%s\nwanted:\n%s\nthe daemon:\n%s", s.line, s.command, code, output, strings.Join(s.want, "\n"), m.read("var/log/belfry"))
		}
	}
	return len(steps)
}

// machine is a root folder with a shell in it.
type machine struct {
	t     *testing.T
	root  string
	in    io.Writer
	out   *bufio.Reader
	ports *strings.Replacer
	beats atomic.Int32
}

// The programs that stand in for the parts of a machine that a test has not: its users and its services. The daemon is
// started by the unit's own line, in its own folder.
var standIns = map[string]string{
	"sudo": `#!/bin/sh
[ "$1" = -u ] && shift 2
exec "$@"
`,
	"useradd": "#!/bin/sh\nexit 0\n",
	"chown":   "#!/bin/sh\necho \"$@\" >>/run/owners\n", // an engine for containers looks there
	"systemctl": `#!/bin/sh
unit=/etc/systemd/system/belfry.service
value() { sed -n "s/^$1=//p" $unit | head -n 1; }
start() {
	mkdir -p -m "$(value StateDirectoryMode)" "/var/lib/$(value StateDirectory)"
	: >/var/log/belfry
	cd "$(value WorkingDirectory)" || exit 1
	env -u BELFRY_CONFIG $(value ExecStart) >>/var/log/belfry 2>&1 </dev/null &
	echo $! >/run/belfry.pid
	for i in $(seq 300); do
		grep -q '^belfry: serving' /var/log/belfry && return 0
		kill -0 "$(cat /run/belfry.pid)" 2>/dev/null || { cat /var/log/belfry; exit 1; }
		sleep 0.1
	done
	exit 1
}
stop() {
	kill -TERM "$(cat /run/belfry.pid)"
	while kill -0 "$(cat /run/belfry.pid)" 2>/dev/null; do sleep 0.1; done
}
case "$1" in
daemon-reload) test -f $unit ;;
enable|start) start ;;
stop) stop ;;
restart) stop; start ;;
reload) kill -HUP "$(cat /run/belfry.pid)" ;;
*) echo "systemctl $1 is not known here" >&2; exit 1 ;;
esac
`,
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{t: t, root: t.TempDir()}
	for _, dir := range []string{"usr", "proc", "dev", "run", "tmp", "etc/systemd/system", "var/lib", "var/log", "home/admin", "local/bin"} {
		if err := os.MkdirAll(filepath.Join(m.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if to, err := os.Readlink("/" + name); err == nil {
			if err := os.Symlink(to, filepath.Join(m.root, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, text := range standIns {
		m.write("local/bin/"+name, text, 0o755)
	}
	m.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0o644)
	m.write("home/admin/docs/operations/belfry.service", sample(t, "belfry.service"), 0o644)
	copyFile(t, daemontest.Build(t), filepath.Join(m.root, "home/admin/belfry"))
	environ := m.surroundings()
	// A shell for as long as the test lasts.
	cmd := exec.Command("unshare", "-Urm", "sh", "-ec",
		`cd "$0"; mount --rbind /usr usr; mount --bind local usr/local; mount --rbind /proc proc; mount --rbind /dev dev; exec chroot . /bin/sh`, m.root)
	cmd.Env = append([]string{"PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME=/home/admin", "LANG=C.UTF-8"}, environ...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	m.in, m.out = in, bufio.NewReader(out)
	if said, code := m.run("cd && umask 022"); code != "0" || said != "" {
		t.Fatalf("the machine does not start: %s", said)
	}
	return m
}

// surroundings starts the newsroom and the platforms of the guide's configuration, and gives what an admin would know of
// them. What lies in this machine's own network stands in conf.d beside the guide's configuration.
func (m *machine) surroundings() (environ []string) {
	m.t.Helper()
	serve := func(h http.Handler) string {
		s := httptest.NewServer(h)
		m.t.Cleanup(s.Close)
		return s.URL
	}
	site := feedtest.New()
	base := serve(site)
	newsroom := &feedtest.Newsroom{Channel: feedtest.Channel{Title: "La Gazette", Link: base, Lang: "fr"}}
	newsroom.Publish(feedtest.Article{ID: "a1", Title: "Un", Link: base + "/a1", Published: time.Now().Add(-time.Hour)})
	site.Feed("/feed.xml", newsroom.RSS())
	const token, key, scrape = "123456:AbCdEfGhIjKlMnOp", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "belfry_SCRAPE"
	telegram := telegramtest.New(telegramtest.Options{Token: token, BotID: 123456, Bot: "gazette_bot", Chats: []telegramtest.Chat{{ID: -1001234567890, Type: "channel",
		Title: "La Gazette", Username: "gazette", Bot: telegramtest.Member{Status: "administrator", PostMessages: true, EditMessages: true, DeleteAny: true}}}})
	receiver, err := receivertest.NewStandard(receivertest.StandardOptions{Secrets: []string{key}})
	if err != nil {
		m.t.Fatal(err)
	}
	heartbeat := serve(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { m.beats.Add(1) }))
	pages, admin := freePort(m.t), freePort(m.t)
	m.ports = strings.NewReplacer("127.0.0.1:8080", "127.0.0.1:"+pages, "127.0.0.1:9080", "127.0.0.1:"+admin)
	local := "allow_private: [127.0.0.0/8]"
	m.write("etc/belfry/conf.d/machine.yaml", fmt.Sprintf(`listen: 127.0.0.1:%s
admin_listen: 127.0.0.1:%s
admin: {tokens: {prometheus: {hash: %q, scopes: [read]}}}
alerts: {heartbeat: {%s}}
sources: {articles: {url: %q, %s}}
destinations: {telegram: {api: %q, %s}, ops: {%s}}
media: {%s}
`, pages, admin, api.Hash(scrape), local, base+"/feed.xml", local, serve(telegram), local, local, local), 0o644)
	return []string{"PROMETHEUS_TOKEN=" + scrape, "TELEGRAM_TOKEN=" + token, "OPS_URL=" + serve(receiver) + "/hook", "OPS_KEY=" + key, "HEARTBEAT_URL=" + heartbeat + "/ping/key"}
}

func (m *machine) write(path, text string, mode os.FileMode) {
	m.t.Helper()
	path = filepath.Join(m.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		m.t.Fatal(err)
	}
}

func (m *machine) read(path string) string {
	text, _ := os.ReadFile(filepath.Join(m.root, path))
	return string(text)
}

const mark = "=== the command has ended: "

// run gives a command to the shell, and gives what it printed on both streams and its exit code.
func (m *machine) run(command string) (output, code string) {
	m.t.Helper()
	if m.ports != nil {
		command = m.ports.Replace(command)
	}
	if _, err := fmt.Fprintf(m.in, "{ %s\n} </dev/null; ended=$?; echo; echo '%s'$ended\n", command, mark); err != nil {
		m.t.Fatal(err)
	}
	var b strings.Builder
	for {
		line, err := m.out.ReadString('\n')
		if code, ended := strings.CutPrefix(line, mark); ended {
			return strings.TrimSuffix(b.String(), "\n"), strings.TrimSpace(code)
		}
		b.WriteString(line)
		if err != nil {
			return b.String(), err.Error()
		}
	}
}

// The commands that the guide names in its sentences exist, too.
func TestGuideNamesRealCommands(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(guide)
	if err != nil {
		t.Fatal(err)
	}
	binary := daemontest.Build(t)
	known := func(words ...string) bool { return exec.Command(binary, append(words, "--help")...).Run() == nil }
	seen := map[string]bool{}
	for _, m := range regexp.MustCompile("`belfry ([a-z]+)(?: ([a-z]+))?([^`]*)`").FindAllStringSubmatch(string(text), -1) {
		words := []string{m[1]}
		if m[2] != "" && known(m[1], m[2]) {
			words = append(words, m[2])
		}
		if !known(words...) {
			t.Errorf("there is no command belfry %s", strings.Join(words, " "))
			continue
		}
		help, err := exec.Command(binary, append(words, "--help")...).Output()
		if err != nil {
			t.Error(err)
		}
		for _, flag := range regexp.MustCompile(`--[a-z-]+`).FindAllString(m[3], -1) {
			if !strings.Contains(string(help), flag) {
				t.Errorf("belfry %s has no %s", strings.Join(words, " "), flag)
			}
		}
		seen[strings.Join(words, " ")] = true
	}
	if len(seen) < 20 {
		t.Errorf("only %d commands are named: %v", len(seen), seen)
	}
}
