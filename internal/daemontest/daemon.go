// Package daemontest runs the real binary for tests: built once, started in a process group of its own, killed as
// machines kill.
package daemontest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/logtest"
)

// Build compiles belfry without cgo into a folder of the test, and gives the file.
func Build(tb testing.TB) string {
	tb.Helper()
	return build(tb)
}

// BuildWithSDK is Build with the sources of the SDK in the program, as a release has them.
func BuildWithSDK(tb testing.TB) string {
	tb.Helper()
	root := goCommand(tb, "list", "-m", "-f", "{{.Dir}}", "github.com/belfry-news/belfry")
	packed := tb.TempDir()
	goCommand(tb, "run", "github.com/belfry-news/belfry/internal/scaffold/bundle/pack", "-root", root, "-into", packed)
	return build(tb, "-overlay", filepath.Join(packed, "overlay.json"))
}

func build(tb testing.TB, flags ...string) string {
	tb.Helper()
	binary := filepath.Join(tb.TempDir(), "belfry")
	goCommand(tb, append(append([]string{"build", "-o", binary}, flags...), "github.com/belfry-news/belfry/cmd/belfry")...)
	return binary
}

// goCommand runs a command of Go, and gives what it printed.
func goCommand(tb testing.TB, args ...string) string {
	tb.Helper()
	cmd := exec.Command("go", args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		tb.Fatalf("go %s: %v\n%s", args[0], err, out)
	}
	return strings.TrimSpace(string(out))
}

// Daemon is one run of the binary, in a process group of its own.
type Daemon struct {
	// Done is closed when the process has ended.
	Done chan struct{}
	tb   testing.TB
	cmd  *exec.Cmd
	log  *logtest.Buffer
}

// Start runs the binary with the configuration belfry.yaml of a folder, which is also its working directory. Env is added
// to the test's own environment. The group is killed when the test ends.
func Start(tb testing.TB, binary, dir string, env ...string) *Daemon {
	tb.Helper()
	return StartBy(tb, dir, env, binary, "run", "--config", filepath.Join(dir, "belfry.yaml"))
}

// StartBy is Start by a command line of one's own, such as one that makes a mount first.
func StartBy(tb testing.TB, dir string, env []string, command ...string) *Daemon {
	tb.Helper()
	d := &Daemon{Done: make(chan struct{}), tb: tb, log: &logtest.Buffer{}, cmd: exec.Command(command[0], command[1:]...)}
	d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr, d.cmd.Env = dir, d.log, d.log, append(os.Environ(), env...)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	d.cmd.WaitDelay = 5 * time.Second
	if err := d.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	go func() { _ = d.cmd.Wait(); close(d.Done) }()
	tb.Cleanup(func() { d.Kill(Group) })
	return d
}

// Ended waits until the process has ended by itself, and gives its exit code; -1 when it was killed.
func (d *Daemon) Ended(within time.Duration) int {
	d.tb.Helper()
	select {
	case <-d.Done:
	case <-time.After(within):
		d.tb.Fatalf("the daemon did not end within %s:\n%s", within, d.Tail())
	}
	return d.cmd.ProcessState.ExitCode()
}

var serving = regexp.MustCompile(`serving (http://[^\s,]+)`)

// Ready waits until the daemon serves, and gives its address.
func (d *Daemon) Ready() string {
	d.tb.Helper()
	for range 6000 {
		if m := serving.FindStringSubmatch(d.Log()); m != nil {
			return m[1]
		}
		select {
		case <-d.Done:
			d.tb.Fatalf("the daemon ended by itself:\n%s", d.Log())
		case <-time.After(20 * time.Millisecond):
		}
	}
	d.tb.Fatalf("the daemon is not ready:\n%s", d.Log())
	return ""
}

// Pid is the process.
func (d *Daemon) Pid() int { return d.cmd.Process.Pid }

// Log is what the daemon has written so far.
func (d *Daemon) Log() string { return d.log.String() }

// Tail is the end of the log.
func (d *Daemon) Tail() string {
	log := d.Log()
	return log[max(0, len(log)-6000):]
}

// Running reports whether the process has not ended.
func (d *Daemon) Running() bool {
	select {
	case <-d.Done:
		return false
	default:
		return true
	}
}

// Stop asks the daemon to end, and waits.
func (d *Daemon) Stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	<-d.Done
}

// Victim is what a kill hits.
type Victim int

// The daemon without its plugins, the daemon with them, its plugins alone.
const (
	Alone Victim = iota
	Group
	Plugins
)

// Kill sends SIGKILL, and waits until the daemon is gone where it was meant.
func (d *Daemon) Kill(what Victim) {
	switch what {
	case Plugins:
		for _, pid := range d.Children() {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		return
	case Group:
		_ = syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL)
	case Alone:
	}
	_ = d.cmd.Process.Kill()
	<-d.Done
}

// Children are the processes that the daemon started (Linux).
func (d *Daemon) Children() []int {
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", d.cmd.Process.Pid))
	var out []int
	for _, task := range tasks {
		text, _ := os.ReadFile(task)
		for f := range strings.FieldsSeq(string(text)) {
			if pid, err := strconv.Atoi(f); err == nil && !slices.Contains(out, pid) {
				out = append(out, pid)
			}
		}
	}
	return out
}

// PeakMemory is the largest resident memory a process has had, in bytes (Linux); 0 when the process is gone.
func PeakMemory(pid int) int64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		var kilobytes int64
		if n, _ := fmt.Sscanf(s.Text(), "VmHWM: %d kB", &kilobytes); n == 1 {
			return kilobytes << 10
		}
	}
	return 0
}
