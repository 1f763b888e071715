package operations

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/daemontest"
)

const tutorial = "../../docs/plugin-tutorial.md"

// written is the kind of a block that the reader writes into a file. It is not "yaml", because its types are known only where
// the plugin is trusted; "belfry check" of the tutorial looks at it.
const written = "yml"

// patience is how long something may take until it is so, on a slow machine.
const patience = 4 * time.Minute

// The tutorial's commands, in order, in an empty folder of a machine without a network for Go. What stands in a block of a
// name runs in a terminal of its own, until Ctrl-C.
func TestTutorial(t *testing.T) {
	t.Parallel()
	d := newDeveloper(t)
	ran, terminals := 0, map[string]*window{}
	for _, b := range blocks(t, tutorial) {
		switch {
		case b.kind == written && b.file != "":
			if err := os.WriteFile(filepath.Join(d.dir, b.file), []byte(d.ports.Replace(b.text)), 0o600); err != nil {
				t.Fatal(err)
			}
		case b.kind == "console" && b.file != "":
			for _, s := range b.steps(t) {
				terminals[b.file] = d.open(s)
				ran++
			}
		case b.kind == "console":
			for _, s := range b.steps(t) {
				d.follow(s)
				ran++
				if w := terminals["dev"]; w != nil && strings.Contains(s.command, "api.go") {
					// The page says that it shows what is said, and that it is built again.
					d.shows("http://127.0.0.1:8090", "Article number 1")
					w.until("built again", func(out string) bool { return strings.Contains(out, "api.go changed; built and running after") })
				}
			}
			if w := terminals["dev"]; w != nil && strings.HasPrefix(b.section, "3.") && strings.Contains(b.text, "api.go") {
				w.interrupt()
				delete(terminals, "dev")
				if left, err := filepath.Glob(filepath.Join(d.home, "tmp", "belfry-dev-*")); err != nil || len(left) > 0 {
					t.Errorf("belfry plugin dev left %v, %v", left, err)
				}
			}
		}
	}
	for _, name := range []string{"daemon", "newsroom"} {
		if terminals[name] == nil {
			t.Fatalf("no terminal of the name %s was opened", name)
		}
		terminals[name].interrupt()
	}
	if ran < 16 {
		t.Errorf("only %d commands were run", ran)
	}
}

// developer is somebody with a shell in an empty folder.
type developer struct {
	t         *testing.T
	home, dir string
	environ   []string
	ports     *strings.Replacer
	// state keeps the folder and the variables of the shell from one command to the next.
	state string
}

func newDeveloper(t *testing.T) *developer {
	t.Helper()
	home := t.TempDir()
	d := &developer{t: t, home: home, dir: filepath.Join(home, "plugins"), state: filepath.Join(home, "state")}
	for _, dir := range []string{"bin", "tmp", "plugins", "modules"} {
		if err := os.Mkdir(filepath.Join(home, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	copyFile(t, daemontest.BuildWithSDK(t), filepath.Join(home, "bin", "belfry"))
	cache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	// What is compiled does not depend on where the sources lie, so that it was compiled before.
	d.environ = append(os.Environ(), "HOME="+home, "TMPDIR="+filepath.Join(home, "tmp"), "PATH="+filepath.Join(home, "bin")+":"+os.Getenv("PATH"), "GOCACHE="+strings.TrimSpace(string(cache)),
		"GOMODCACHE="+filepath.Join(home, "modules"), "GOPROXY=off", "GOSUMDB=off", "GOTOOLCHAIN=local", "GOWORK=off", "GOFLAGS=-trimpath -buildvcs=false", "CGO_ENABLED=0", "LANG=C.UTF-8", "BELFRY__ADMIN_LISTEN=none")
	d.ports = strings.NewReplacer("127.0.0.1:8080", "127.0.0.1:"+freePort(t), "127.0.0.1:8090", "127.0.0.1:"+freePort(t), "127.0.0.1:4000", "127.0.0.1:"+freePort(t))
	if err := os.WriteFile(d.state, []byte("cd '"+d.dir+"'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return d
}

// command is what is run in place of a command of the page: the addresses are free ones of this machine.
func (d *developer) command(s step) *exec.Cmd {
	line := s.command
	switch line {
	case "belfry plugin dev .":
		line = "exec " + line + " --addr 127.0.0.1:8090" // in the shell's place, so that its exit code is seen
	case "belfry run":
		line = "exec " + line + " --listen 127.0.0.1:8080"
	}
	cmd := exec.Command("sh", "-c", ". "+d.state+"\n"+d.ports.Replace(line))
	cmd.Env = d.environ
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = 5 * time.Second
	return cmd
}

// follow runs a command and looks at what it prints. What asks a server asks again until it has its answer.
func (d *developer) follow(s step) {
	d.t.Helper()
	for i := range s.want {
		s.want[i] = d.ports.Replace(s.want[i])
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(200 * time.Millisecond) {
		cmd := d.command(s)
		cmd.Args[2] += "\nended=$?; { printf \"cd '%s'\\n\" \"$PWD\"; export -p; } > " + d.state + "; exit $ended"
		out, err := cmd.CombinedOutput()
		d.t.Logf("$ %s\n%s", s.command, out)
		if err == nil && s.matches(string(out)) {
			return
		}
		if asks := strings.HasPrefix(s.command, "curl "); !asks || time.Now().After(deadline) {
			d.t.Fatalf("docs/plugin-tutorial.md:%d: %s\n%v, and it printed:\n%s\nwanted:\n%s", s.line, s.command, err, out, strings.Join(s.want, "\n"))
		}
	}
}

// shows says that a page holds a text within a while.
func (d *developer) shows(address, text string) {
	d.t.Helper()
	var page string
	for deadline := time.Now().Add(patience); !strings.Contains(page, text); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			d.t.Fatalf("%s does not show %q:\n%.3000s", address, text, page)
		}
		if resp, err := http.Get(d.ports.Replace(address)); err == nil {
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			page = string(body)
		}
	}
}

// window is a terminal in which a program runs.
type window struct {
	t     *testing.T
	s     step
	cmd   *exec.Cmd
	stdin io.Closer
	ended chan error

	mu   sync.Mutex
	said bytes.Buffer
	more chan struct{}
}

// open starts a program in a terminal of its own, and waits until it has printed what it has to.
func (d *developer) open(s step) *window {
	d.t.Helper()
	w := &window{t: d.t, s: s, cmd: d.command(s), ended: make(chan error, 1), more: make(chan struct{}, 1)}
	r, out := io.Pipe()
	w.cmd.Stdout, w.cmd.Stderr = out, out
	stdin, err := w.cmd.StdinPipe()
	if err == nil {
		err = w.cmd.Start()
	}
	if err != nil {
		d.t.Fatal(err)
	}
	w.stdin = stdin
	go func() {
		for lines := bufio.NewScanner(r); lines.Scan(); {
			w.mu.Lock()
			fmt.Fprintln(&w.said, lines.Text())
			w.mu.Unlock()
			select {
			case w.more <- struct{}{}:
			default:
			}
		}
	}()
	go func() {
		err := w.cmd.Wait()
		_ = out.Close()
		w.ended <- err
	}()
	d.t.Cleanup(func() { _ = syscall.Kill(-w.cmd.Process.Pid, syscall.SIGKILL) })
	want := s
	want.want = nil
	for _, line := range s.want {
		want.want = append(want.want, d.ports.Replace(line))
	}
	w.until("it has printed what the page shows", want.matches)
	return w
}

// until waits for what a program prints.
func (w *window) until(what string, so func(out string) bool) {
	w.t.Helper()
	for deadline := time.After(patience); ; {
		w.mu.Lock()
		out := w.said.String()
		w.mu.Unlock()
		if so(out) {
			return
		}
		select {
		case <-w.more:
		case err := <-w.ended:
			w.t.Fatalf("docs/plugin-tutorial.md:%d: %s\nit ended before %s: %v\n%s", w.s.line, w.s.command, what, err, out)
		case <-deadline:
			w.t.Fatalf("docs/plugin-tutorial.md:%d: %s\nwaited in vain until %s; it printed:\n%s\nwanted:\n%s", w.s.line, w.s.command, what, out, strings.Join(w.s.want, "\n"))
		}
	}
}

// interrupt is Ctrl-C. What belfry runs ends well by it, with all that it started.
func (w *window) interrupt() {
	w.t.Helper()
	group := w.cmd.Process.Pid
	_ = syscall.Kill(-group, syscall.SIGINT)
	_ = w.stdin.Close()
	select {
	case err := <-w.ended:
		if err != nil && strings.HasPrefix(w.s.command, "belfry ") {
			w.t.Errorf("%s ended with %v:\n%s", w.s.command, err, w.said.String())
		}
	case <-time.After(patience):
		w.t.Fatalf("%s does not end by Ctrl-C", w.s.command)
	}
	if err := syscall.Kill(-group, 0); err == nil {
		w.t.Errorf("%s left processes behind", w.s.command)
	}
}

// The page names no command but those that run, and every one of its blocks is run.
func TestTutorialRunsItsCommands(t *testing.T) {
	t.Parallel()
	for _, b := range blocks(t, tutorial) {
		if b.kind != "console" && (b.kind != written || b.file == "") {
			t.Errorf("line %d: a block of kind %q %q, which is not run", b.line, b.kind, b.file)
		}
	}
	text, err := os.ReadFile(tutorial)
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(filepath.Join(filepath.Dir(tutorial), link[1])); err != nil {
			t.Errorf("the page links to %s: %v", link[1], err)
		}
	}
}
