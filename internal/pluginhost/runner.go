package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/sandbox"
	"github.com/belfry-news/belfry/internal/wire/v1"
)

// runner is one process of the operating system, as go-plugin drives it (runner.Runner). It is its own group, its
// outputs are read here and not by go-plugin, and it is killed with its group.
type runner struct {
	cmd    *exec.Cmd
	thread *thread
	memory int64
	dir    string // where its sockets may lie
	out    *handshake
	lines  *lines
	first  *beginning    // of its standard error, for what its launcher has to say
	done   chan struct{} // closed when the process is gone and its outputs are read

	yields bool // it takes only the time of the processors that others leave

	mu     sync.Mutex
	pid    int
	exit   string
	cpu    time.Duration // once it has ended, with that of the children it waited for
	ended  bool
	killed bool
	left   int // how many processes that it had started were there when it was killed
}

// outputWait is how long the outputs of an ended process are read, should something it started still hold them.
const outputWait = 500 * time.Millisecond

func newRunner(c Command, env []string, dir string, t *thread, memory int64, l *lines) (*runner, error) {
	r := &runner{thread: t, dir: dir, lines: l, first: &beginning{}, done: make(chan struct{})}
	if c.Foreign || c.Confined {
		policy := sandbox.Policy{Folder: c.Folder, Read: c.Read, Writable: []string{dir}, Checksum: c.SHA256, Memory: memory}
		if !c.Foreign {
			// It starts nothing, so that it needs no bound on processes; and how many connections are open is its own affair.
			policy.Folder, policy.Whole, policy.Processes, policy.Files = c.Path, true, -1, -1
		}
		cmd, err := policy.Command(context.Background(), c.Path, c.Args...)
		if err != nil {
			return nil, err
		}
		r.cmd = cmd
	} else {
		r.cmd, r.memory = exec.Command(c.Path, c.Args...), memory
		sandbox.OwnGroup(r.cmd) // on other systems than Linux its own watch of its parent ends it when the daemon is killed
		r.cmd.Env = []string{"TMPDIR=" + dir}
	}
	r.cmd.Env = append(append(r.cmd.Env, c.Env...), env...)
	r.out = newHandshake(l.stream(stdout))
	r.cmd.Stdout, r.cmd.Stderr = r.out, io.MultiWriter(r.first, l.stream(stderr))
	r.cmd.WaitDelay = outputWait
	return r, nil
}

// beginning keeps the first bytes of an output.
type beginning struct{ b []byte }

// Write implements io.Writer.
func (b *beginning) Write(p []byte) (int, error) {
	const most = 512
	b.b = append(b.b, p[:min(len(p), most-len(b.b))]...)
	return len(p), nil
}

// refusal is why the launcher of an ended process did not start its program; empty when it did.
func (r *runner) refusal() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.ended || r.cmd.ProcessState == nil || r.cmd.ProcessState.ExitCode() != sandbox.ExitRefused {
		return ""
	}
	for why := range strings.Lines(string(r.first.b)) {
		if !strings.HasPrefix(why, "{") { // of what it went on without
			return cutText(strings.TrimSuffix(why, "\n"))
		}
	}
	return ""
}

// Start starts the process. Its end is waited for by a goroutine that closes done.
func (r *runner) Start(context.Context) error {
	if err := r.thread.do(r.cmd.Start); err != nil {
		close(r.done)
		r.out.end()
		return err
	}
	r.mu.Lock()
	r.pid = r.cmd.Process.Pid
	killed := r.killed
	r.mu.Unlock()
	if killed { // while it was being started
		sandbox.EndGroup(r.pid)
	}
	if r.memory > 0 {
		limitProcess(r.pid, r.memory)
	}
	if r.yields {
		yieldTo(r.pid)
	}
	go r.wait()
	return nil
}

func (r *runner) wait() {
	err := r.cmd.Wait()
	// What the process started may still be there, in its group or in one of its own.
	left := len(sandbox.Marked(r.dir))
	sandbox.EndGroup(r.pid)
	sandbox.EndStrays(r.dir)
	r.mu.Lock()
	left = max(r.left, left)
	r.mu.Unlock()
	if left > 0 {
		r.lines.log.Warn("plugin left processes behind, which were ended", "processes", left)
	}
	r.mu.Lock()
	r.ended = true
	r.exit = describeExit(r.cmd, err)
	if s := r.cmd.ProcessState; s != nil {
		r.cpu = s.UserTime() + s.SystemTime()
	}
	r.mu.Unlock()
	r.out.end()
	r.lines.end()
	close(r.done)
}

func describeExit(cmd *exec.Cmd, err error) string {
	if cmd.ProcessState != nil {
		return cmd.ProcessState.String()
	}
	return err.Error()
}

// exitText tells how the process ended; empty while it runs.
func (r *runner) exitText() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.exit
}

// used is the processor time of a process that has ended.
func (r *runner) used() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.cpu
}

// ownExit tells how the process ended by itself; empty while it runs, and when it was killed from here.
func (r *runner) ownExit() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.killed {
		return ""
	}
	return r.exit
}

// Kill implements runner.Runner: the process and everything in its group end at once.
func (r *runner) Kill(context.Context) error {
	r.mu.Lock()
	pid, ended := r.pid, r.ended
	r.killed = r.killed || !ended
	r.mu.Unlock()
	if pid != 0 && !ended {
		left := len(sandbox.Marked(r.dir)) - 1 // they end with it
		r.mu.Lock()
		r.left = max(r.left, left)
		r.mu.Unlock()
		sandbox.EndGroup(pid)
	}
	return nil
}

// Wait implements runner.Runner.
func (r *runner) Wait(context.Context) error { <-r.done; return nil }

// Stdout implements runner.Runner: the handshake line and nothing else.
func (r *runner) Stdout() io.ReadCloser { return r.out }

// Stderr implements runner.Runner: nothing. go-plugin reads a line of another JSON than it expects with a type assertion
// that ends the host.
func (r *runner) Stderr() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }

// Name implements runner.Runner.
func (r *runner) Name() string { return r.cmd.Path }

// ID implements runner.Runner.
func (r *runner) ID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.pid == 0 {
		return ""
	}
	return fmt.Sprint(r.pid)
}

// Diagnose implements runner.Runner.
func (r *runner) Diagnose(context.Context) string { return "" }

// PluginToHost implements runner.Runner: a plugin's socket lies in its own folder, so that it cannot make the host
// connect to anything else.
func (r *runner) PluginToHost(network, addr string) (string, string, error) {
	if runtime.GOOS == "windows" && network == "tcp" && strings.HasPrefix(addr, "127.0.0.1:") {
		return network, addr, nil
	}
	if network != "unix" || filepath.Dir(filepath.Clean(addr)) != filepath.Clean(r.dir) {
		return "", "", fmt.Errorf("its address is %s %q, which is no socket in its own folder", network, addr)
	}
	return network, addr, nil
}

// HostToPlugin implements runner.Runner. The host opens nothing for its plugins.
func (r *runner) HostToPlugin(string, string) (string, string, error) {
	return "", "", errors.New("the host listens on no address for plugins")
}

// environment is what a process is told. go-plugin adds its own part.
func environment(memory int64, level string) []string {
	env := []string{wire.EnvLogLevel + "=" + level}
	if n := runtime.GOMAXPROCS(0); n < runtime.NumCPU() {
		// A confined process cannot read what its control group allows.
		env = append(env, "GOMAXPROCS="+strconv.Itoa(n))
	}
	if memory > 0 {
		env = append(env, fmt.Sprintf("%s=%d", wire.EnvMemory, memory), fmt.Sprintf("GOMEMLIMIT=%d", memory/4*3))
	}
	return env
}

// thread is one thread of the operating system that starts processes. The kernel's signal at the death of a parent is
// bound to the thread that started the child, not to the process, so that thread must live as long as the host.
type thread struct {
	work chan func()
	done chan struct{}
}

func newThread() *thread {
	t := &thread{work: make(chan func()), done: make(chan struct{})}
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(t.done)
		for f := range t.work {
			f()
		}
	}()
	return t
}

// do runs f on the thread.
func (t *thread) do(f func() error) error {
	result := make(chan error, 1)
	t.work <- func() { result <- f() }
	return <-result
}

// stop ends the thread. Nothing may call do afterwards.
func (t *thread) stop() {
	close(t.work)
	<-t.done
}
