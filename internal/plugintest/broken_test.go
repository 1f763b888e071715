//go:build linux

package plugintest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk/sdktest"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

const canary = "canary-77b1e0"

// flaw is what one broken plugin does, and what the test must say of it.
type flaw struct {
	suite, want string
	// unary and stream stand around the calls of a plugin that is right in everything else.
	unary  grpc.UnaryServerInterceptor
	stream grpc.StreamServerInterceptor
	// starts is asked before the process serves, shuts when it is to end.
	starts func()
	shuts  func(s *grpc.Server)
	// line makes the handshake line.
	line func(socket string) string
}

// after changes the answers of a method.
func after[M proto.Message](change func(m M)) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
		m, err := h(ctx, req)
		if answer, ok := m.(M); ok && err == nil {
			change(answer)
		}
		return m, err
	}
}

func forever() {
	for {
		time.Sleep(time.Hour) // an empty select would end a program that has no other goroutine
	}
}

func flaws() map[string]flaw {
	fetch := func(f func(s any, ss grpc.ServerStream, h grpc.StreamHandler) error) grpc.StreamServerInterceptor {
		return func(s any, ss grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) error {
			if strings.HasSuffix(info.FullMethod, "/FetchMany") {
				return status.Error(codes.Unimplemented, "not here")
			}
			return f(s, ss, h)
		}
	}
	return map[string]flaw{
		"no schema":  {suite: "process", want: "no JSON Schema", unary: after(func(m *wire.DescribeResponse) { m.Types[0].SchemaJson = nil })},
		"no summary": {suite: "process", want: "no summary", unary: after(func(m *wire.DescribeResponse) { m.Types[0].Summary = "" })},
		"takes any setting": {suite: "process", want: "Check took a configuration with a setting that does not exist",
			unary: after(func(m *wire.CheckResponse) { m.Problems = nil })},
		"takes any value": {suite: "process", want: "Check took a map for the setting token", unary: after(func(m *wire.CheckResponse) {
			if len(m.GetProblems()) > 0 && !m.GetProblems()[0].GetOnKey() {
				m.Problems = nil
			}
		})},
		"points nowhere": {suite: "process", want: "pointed at \"\"", unary: after(func(m *wire.CheckResponse) {
			for _, p := range m.GetProblems() {
				p.Pointer = ""
			}
		})},
		"small messages": {suite: "process", want: "Check with a configuration of 8 MiB ended with the status ResourceExhausted"},
		"plain errors": {suite: "process", want: "no Error among its details", unary: func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			m, err := h(ctx, req)
			if err != nil {
				err = errors.New("oops")
			}
			return m, err
		}},
		"opens twice": {suite: "process", want: "already open", unary: func(ctx context.Context, req any, info *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			m, err := h(ctx, req)
			if strings.HasSuffix(info.FullMethod, "/Open") {
				return &wire.OpenResponse{Roles: []string{"source"}}, nil
			}
			return m, err
		}},
		"closes once": {suite: "process", want: "Close of an instance that is not open", unary: func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			if c, ok := req.(*wire.CloseRequest); ok && c.GetHandle() == "no-such-instance" {
				return nil, status.Error(codes.NotFound, "no such instance")
			}
			return h(ctx, req)
		}},
		"settles nothing": {suite: "process", want: "Settle for an instance that is not open", unary: func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			if _, ok := req.(*wire.SettleRequest); ok {
				return nil, status.Error(codes.NotFound, "no such call")
			}
			return h(ctx, req)
		}},
		"does not end": {suite: "process", want: "was asked to end", shuts: func(*grpc.Server) {}},
		"ends badly":   {suite: "process", want: `ended with "exit status 4"`, shuts: func(*grpc.Server) { os.Exit(4) }},
		"trips over unknown fields": {suite: "versions", want: "fields and messages that it does not know", unary: func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, h grpc.UnaryHandler) (any, error) {
			if m, ok := req.(proto.Message); ok && len(m.ProtoReflect().GetUnknown()) > 0 {
				return nil, status.Error(codes.InvalidArgument, "what is this")
			}
			return h(ctx, req)
		}},
		"needs what was added": {suite: "versions", want: "an older host", stream: func(s any, ss grpc.ServerStream, info *grpc.StreamServerInfo, h grpc.StreamHandler) error {
			if strings.HasSuffix(info.FullMethod, "/Fetch") {
				return status.Error(codes.Unimplemented, "old")
			}
			return h(s, ss)
		}},
		"takes the newest version": {suite: "versions", want: "a newer host", line: func(socket string) string {
			offered := strings.Split(os.Getenv("PLUGIN_PROTOCOL_VERSIONS"), ",")
			newest := ""
			for _, v := range offered {
				if len(v) > len(newest) || len(v) == len(newest) && v > newest {
					newest = v
				}
			}
			return fmt.Sprintf("1|%s|unix|%s|grpc|socket", newest, socket)
		}},
		"hangs without its version": {suite: "versions", want: "neither said which version it speaks nor ended", starts: func() {
			if os.Getenv("PLUGIN_PROTOCOL_VERSIONS") == "1000" {
				forever()
			}
		}},
		"logs the secret": {suite: "source", want: "a secret of the configuration stands in the log", stream: fetch(func(s any, ss grpc.ServerStream, h grpc.StreamHandler) error {
			fmt.Fprintln(os.Stderr, "asking with the token", canary)
			return h(s, ss)
		})},
		"answers with the secret": {suite: "source", want: "a secret of the configuration stands in the answer of Source/Fetch", stream: fetch(func(_ any, ss grpc.ServerStream, _ grpc.StreamHandler) error {
			return ss.SendMsg(&wire.BatchChunk{Items: []*wire.Item{{Key: "1", Title: "by " + canary}}, End: &wire.BatchEnd{Next: []byte("1")}})
		})},
		"fails with the secret": {suite: "source", want: "a secret of the configuration stands in the answer of Source/Fetch", stream: fetch(func(any, grpc.ServerStream, grpc.StreamHandler) error {
			return status.Error(codes.Internal, "refused for "+canary)
		})},
		"crashes once": {suite: "source", want: "the plugin's process ended during this check", stream: fetch(func(s any, ss grpc.ServerStream, h grpc.StreamHandler) error {
			if f, err := os.OpenFile(filepath.Join(filepath.Dir(os.Getenv("PLUGIN_UNIX_SOCKET_DIR")), "crashed"), os.O_CREATE|os.O_EXCL, 0o600); err == nil {
				_ = f.Close()
				os.Exit(5)
			}
			return h(s, ss)
		})},
	}
}

// serveBroken runs as a plugin with one flaw.
func serveBroken(name string) {
	f := flaws()[name]
	if f.starts != nil {
		f.starts()
	}
	n := &sdktest.Newsroom{}
	n.Put(sdktest.SampleItem("1"), sdktest.SampleItem("2"))
	server, err := wire.NewServer(slog.New(slog.DiscardHandler), n.Spec())
	if err != nil {
		panic(err)
	}
	options := []grpc.ServerOption{grpc.MaxRecvMsgSize(wire.MaxMessage)}
	if name == "small messages" {
		options = nil
	}
	if f.unary != nil {
		options = append(options, grpc.UnaryInterceptor(f.unary))
	}
	if f.stream != nil {
		options = append(options, grpc.StreamInterceptor(f.stream))
	}
	s := grpc.NewServer(options...)
	server.Register(s)
	shuts := f.shuts
	if shuts == nil {
		shuts = func(s *grpc.Server) { time.AfterFunc(10*time.Millisecond, s.Stop) }
	}
	s.RegisterService(&grpc.ServiceDesc{ServiceName: "plugin.GRPCController", HandlerType: (*any)(nil), Methods: []grpc.MethodDesc{{MethodName: "Shutdown",
		Handler: func(_ any, _ context.Context, read func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			in := &emptypb.Empty{}
			if err := read(in); err != nil {
				return nil, err
			}
			shuts(s)
			return in, nil
		}}}}, struct{}{})
	socket := filepath.Join(os.Getenv("PLUGIN_UNIX_SOCKET_DIR"), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		panic(err)
	}
	line := fmt.Sprintf("1|1|unix|%s|grpc|socket", socket)
	if f.line != nil {
		line = f.line(socket)
	}
	fmt.Println(line)
	_ = s.Serve(l)
}

// TestBrokenPluginsAreFound: for each promise a program that breaks it. The one without a flaw keeps them all.
func TestBrokenPluginsAreFound(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	all := flaws()
	all["none"] = flaw{}
	for name, f := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := options(t, pluginhost.Command{Path: self, Args: []string{"plugin", name}}, "newsroom")
			o.Scenario = Scenario{Config: map[string]any{"token": canary}}
			if f.suite != "" {
				o.Only = []string{f.suite}
			}
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range r.Suites {
				for _, c := range s.Results {
					if c.State == Broken {
						checkSaved(t, c)
					}
				}
			}
			all := broken(r)
			if name == "none" && (all != "" || r.Held < 15) || f.want != "" && !strings.Contains(all, f.want) {
				t.Errorf("%d promises held; said was:\n%s\nwanted is %q", r.Held, all, f.want)
			}
			if strings.Contains(all, canary) {
				t.Error("the report itself holds the secret")
			}
		})
	}
}

// checkSaved looks at what was saved of a broken promise: the calls are there, and no secret.
func checkSaved(t *testing.T, c Result) {
	t.Helper()
	b, err := os.ReadFile(c.Calls)
	if err != nil {
		t.Errorf("the calls were not saved: %v", err)
	}
	if strings.Contains(string(b), canary) {
		t.Errorf("a secret was saved in %s", c.Calls)
	}
	if !strings.Contains(string(b), `"promise": "`+c.Promise) || !strings.Contains(string(b), `"calls": `) {
		t.Errorf("saved was:\n%.500s", b)
	}
}
