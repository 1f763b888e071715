//go:build linux

package pluginhost

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/belfry-news/belfry/internal/wire/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// serveBySocket runs as a plugin without a certificate, or as one whose socket is somebody else's.
func serveBySocket(kind string) {
	path := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "s")
	announce := func(path string) { fmt.Printf("1|1|unix|%s|grpc|socket\n", path) }
	switch kind {
	case "by-anothers-socket":
		listenElsewhere(path)
		announce(path)
		forever()
	case "by-a-link":
		if err := os.Symlink(filepath.Join(filepath.Dir(path), "elsewhere"), path); err != nil {
			panic(err)
		}
		announce(path)
		forever()
	case "by-a-file":
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			panic(err)
		}
		announce(path)
		forever()
	case "listens-for-another":
		path = os.Getenv("LISTEN")
		announce = func(string) { fmt.Println("listening") }
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(0)
		}()
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		panic(err)
	}
	server, err := wire.NewServer(slog.New(slog.DiscardHandler), goodSpec("by-socket"))
	if err != nil {
		panic(err)
	}
	known := func(ctx context.Context) error {
		if !slices.Equal(metadata.ValueFromIncomingContext(ctx, wire.TokenHeader), []string{os.Getenv(wire.EnvToken)}) {
			return status.Error(codes.Unauthenticated, "who are you")
		}
		return nil
	}
	s := grpc.NewServer(grpc.UnaryInterceptor(func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
		if err := known(ctx); err != nil {
			return nil, err
		}
		return h(ctx, req)
	}), grpc.StreamInterceptor(func(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, h grpc.StreamHandler) error {
		if err := known(ss.Context()); err != nil {
			return err
		}
		return h(srv, ss)
	}))
	server.Register(s)
	announce(path)
	_ = s.Serve(l)
}

// listenElsewhere has a process of another group listen. It ends with this one.
func listenElsewhere(path string) {
	cmd := exec.Command("/proc/self/exe", "plugin", "listens-for-another")
	cmd.Env = append(os.Environ(), "LISTEN="+path)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if _, err := cmd.StdinPipe(); err != nil {
		panic(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		panic(err)
	}
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		if lines.Text() == "listening" {
			return
		}
	}
}

func TestAPluginWithoutACertificate(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	s := source(t, f.open("by-socket", "s", map[string]any{"items": 2}))
	if b := mustFetch(t, s); len(b.Items) != 2 {
		t.Errorf("%+v", b)
	}
}

// TestWhoListens checks the check itself: a socket of this process is not one of a process that it started.
func TestWhoListens(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	dir := t.TempDir()
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	group, err := syscall.Getpgid(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		pid  int
		want string
	}{
		"itself":       {os.Getpid(), ""},
		"of its group": {group, ""},
		"of another":   {cmd.Process.Pid, fmt.Sprintf("another process listens on its socket (pid %d)", os.Getpid())},
	} {
		t.Run(name, func(t *testing.T) {
			p := &process{socket: filepath.Join(dir, "s"), run: &runner{pid: tc.pid, out: newHandshake(io.Discard)}}
			conn, err := p.dialSocket(t.Context(), "")
			if conn != nil {
				_ = conn.Close()
			}
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
			if err != nil && p.run.out.failure() == nil {
				t.Error("the reason was not kept")
			}
		})
	}
}
