//go:build linux

package plugin

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
)

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		if os.Getenv("CHATTY") != "" {
			go chatter()
		}
		Serve(spec("lines"), spec("more"))
		return
	}
	os.Exit(m.Run())
}

// chatter prints without asking Go, as libraries in C do.
func chatter() {
	for range time.Tick(time.Millisecond) {
		_, _ = syscall.Write(1, []byte("straight to the descriptor\n"))
	}
}

type nothing struct{}

func (nothing) Close(context.Context) error { return nil }

func spec(typ string) *sdk.Spec {
	return sdk.Define(typ, "nothing", struct{}{}, func(context.Context, sdk.Settings, struct{}) (nothing, error) { return nothing{}, nil })
}

// command starts this binary as a plugin, with a folder for its socket.
func command(t *testing.T, env ...string) (cmd *exec.Cmd, dir string) {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir, err = os.MkdirTemp("", "bf")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	cmd = exec.Command(path, "serve")
	cmd.Env = append([]string{"TMPDIR=" + dir, "PLUGIN_UNIX_SOCKET_DIR=" + dir}, env...)
	return cmd, dir
}

// byHost is what the host sets for every plugin.
func byHost() []string {
	return []string{wire.CookieKey + "=" + wire.CookieValue, "PLUGIN_PROTOCOL_VERSIONS=1,2"}
}

func TestStartedByHand(t *testing.T) {
	t.Parallel()
	cmd, _ := command(t)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err := cmd.Run()
	if cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("%v", err)
	}
	for _, want := range []string{"is a plugin of Belfry (lines, more)", "Belfry starts it by itself", "name its path in Belfry's configuration"} {
		if !strings.Contains(stderr.String(), want) {
			t.Errorf("%q does not say %q", stderr.String(), want)
		}
	}
}

// TestStandardOutput: after the handshake nothing comes out of standard output, whoever prints, and signals that are the
// host's affair have no effect.
func TestStandardOutput(t *testing.T) {
	t.Parallel()
	cmd, _ := command(t, append(byHost(), "CHATTY=1", wire.EnvMemory+"=536870912")...)
	stderrRead, stderrWrite, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = stderrWrite
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = stderrWrite.Close()
	read := bufio.NewReader(out)
	for line := ""; !strings.HasPrefix(line, "1|1|unix|") || !strings.Contains(line, "|grpc|"); {
		if line, err = read.ReadString('\n'); err != nil {
			t.Fatalf("no handshake: %v", err)
		}
	}
	rest := make(chan string, 1)
	go func() {
		b := new(bytes.Buffer)
		_, _ = b.ReadFrom(read)
		rest <- b.String()
	}()
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", cmd.Process.Pid))
	if err != nil || !strings.Contains(string(limits), "Max data size             536870912") {
		t.Errorf("%v\n%s", err, limits)
	}
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if err := cmd.Process.Signal(sig); err != nil {
			t.Error(err)
		}
	}
	// The chatter goes on after the signals, on standard error.
	lines := bufio.NewReader(stderrRead)
	for range 50 {
		if line, err := lines.ReadString('\n'); err != nil {
			t.Fatalf("the plugin ended: %q, %v", line, err)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if got := <-rest; got != "" {
		t.Errorf("after the handshake came %q", got)
	}
	_ = cmd.Wait()
	_ = stderrRead.Close()
}

func TestTheProcessEndsWithItsParent(t *testing.T) {
	t.Parallel()
	// A shell is the parent, and is killed.
	plugin, dir := command(t, byHost()...)
	shell := exec.Command("/bin/sh", "-c", `"$0" serve >/dev/null 2>&1 & echo $!; wait`, plugin.Path)
	shell.Env = plugin.Env
	out, err := shell.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shell.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	// The watch begins before there is a socket.
	await(t, "the socket", func() bool { entries, _ := os.ReadDir(dir); return len(entries) > 0 })
	if err := shell.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = shell.Wait()
	await(t, "the end of the plugin", func() bool {
		b, err := os.ReadFile("/proc/" + strings.TrimSpace(line) + "/stat")
		return err != nil || bytes.Contains(b, []byte(") Z "))
	})
}

// await polls for what another process does; nothing can signal it.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for until := time.Now().Add(2 * time.Minute); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%s: it did not come to it", what)
		}
	}
}

func TestLogLines(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(newLogHandler(&out, slog.LevelDebug-4)).With("instance", "a")
	log.Log(t.Context(), slog.LevelDebug-4, "m")
	log.Debug("m")
	log.Info("m", "n", 1, slog.Group("g", "level", "kept", "msg", "kept"))
	log.Warn("m")
	log.Error("m", "error", fmt.Errorf("boo"), "secret", sdk.NewSecret("hunter2"))
	log.Log(t.Context(), slog.LevelError+2, "m")
	var levels []string
	for line := range strings.Lines(out.String()) {
		var entry map[string]any
		if err := json.Unmarshal([]byte(line), &entry); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		levels = append(levels, fmt.Sprint(entry["@level"]))
		if entry["@message"] != "m" || entry["instance"] != "a" {
			t.Errorf("%s", line)
		}
		if _, err := time.Parse("2006-01-02T15:04:05.000000Z07:00", fmt.Sprint(entry["@timestamp"])); err != nil {
			t.Error(err)
		}
		if g, ok := entry["g"].(map[string]any); ok && (g["level"] != "kept" || g["msg"] != "kept") {
			t.Errorf("%s", line)
		}
	}
	if got := strings.Join(levels, " "); got != "trace debug info warn error error" {
		t.Errorf("levels: %s", got)
	}
	if strings.Contains(out.String(), "hunter2") {
		t.Error("a secret in the log")
	}
}
