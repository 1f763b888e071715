package plugintest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/internal/grease"
	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"
)

const (
	// promptly is how soon an answer comes that waits for nothing.
	promptly = 10 * time.Second
	// patience is how long a process may take to say that it cannot work with a host.
	patience = 15 * time.Second
)

// processChecks are what every plugin keeps to, whatever it can do.
func (t *tester) processChecks() []conformance.Check {
	checks := []conformance.Check{
		{Name: "it describes itself", Run: func(tb conformance.T) {
			if t.found.Summary == "" {
				tb.Error("the type has no summary for people")
			}
			if len(t.found.Schema) == 0 {
				tb.Error("the type has no JSON Schema; editors cannot complete its configuration")
			}
			if len(t.roles) == 0 {
				tb.Errorf("the type has no role that Belfry knows, only %v", t.found.Roles)
			}
			for _, f := range t.found.Fields {
				if f.Doc == "" {
					tb.Errorf("the setting %s has no description", f.Path)
				}
			}
		}},
		{Name: "a setting that does not exist is refused", Run: func(tb conformance.T) {
			config := map[string]any{"belfry-plugin-test-no-such-setting": true}
			maps.Copy(config, t.o.Scenario.Config)
			var ps sdk.Problems
			if err := t.host.Check(tb.Context(), t.o.Kind, config); !errors.As(err, &ps) {
				tb.Errorf("Check took a configuration with a setting that does not exist (%v); a slip in a name would go unseen", err)
			} else if !strings.Contains(ps[0].Pointer, "no-such-setting") {
				tb.Errorf("Check refused the setting and pointed at %q; the pointer names the setting", ps[0].Pointer)
			}
		}},
		{Name: "a configuration of the wrong kind is refused", Run: func(tb conformance.T) {
			for name, v := range t.o.Scenario.Config {
				config := maps.Clone(t.o.Scenario.Config)
				kind := "a map"
				config[name] = map[string]any{"odd": []any{v}}
				if _, is := v.(map[string]any); is { // any map may be right
					kind, config[name] = "a list", []any{v}
				}
				var ps sdk.Problems
				if err := t.host.Check(tb.Context(), t.o.Kind, config); !errors.As(err, &ps) {
					tb.Errorf("Check took %s for the setting %s (%v)", kind, name, err)
				}
			}
		}},
		{Name: "a message of 8 MiB is taken", Run: func(tb conformance.T) {
			config := map[string]any{"belfry-plugin-test-no-such-setting": strings.Repeat("x", 8<<20)}
			var transport *wire.TransportError
			if err := wire.CheckConfig(tb.Context(), t.conn(tb), t.o.Kind, config); errors.As(err, &transport) {
				tb.Errorf("Check with a configuration of 8 MiB ended with the status %s; messages have up to %d MiB, and the library takes less by itself",
					transport.Code, wire.MaxMessage>>20)
			} else if ps := (sdk.Problems{}); !errors.As(err, &ps) {
				tb.Errorf("Check with a configuration of 8 MiB: %v", err)
			}
		}},
		{Name: "a type that it does not have", Run: func(tb conformance.T) {
			wantCrossing(tb, "Check of another type", wire.CheckConfig(tb.Context(), t.conn(tb), "no-such-type", nil), sdk.CodeUnsupported, sdk.CodeInvalid)
		}},
		{Name: "an instance that is not open", Run: func(tb conformance.T) {
			conn := t.conn(tb)
			at := wire.At{Conn: conn, Handle: "no-such-instance", Call: 1}
			soon(tb, "Settle for an instance that is not open", func(ctx context.Context) error { return wire.SettleInstance(ctx, at) })
			soon(tb, "Close of an instance that is not open", func(ctx context.Context) error { return wire.CloseInstance(ctx, at) })
		}},
		{Name: "the life of an instance", Run: func(tb conformance.T) {
			conn := t.conn(tb)
			at := wire.At{Conn: conn, Handle: "belfry-plugin-test", Call: 1}
			open := func() error {
				_, err := wire.OpenInstance(tb.Context(), at, t.o.Kind, t.settings("life"), t.o.Scenario.Config)
				return err
			}
			if err := open(); err != nil {
				tb.Fatalf("Open: %v", err)
			}
			if err := open(); err == nil {
				tb.Error("Open took a handle that is already open")
			}
			soon(tb, "Settle for a call that was never made", func(ctx context.Context) error {
				return wire.SettleInstance(ctx, wire.At{Conn: conn, Handle: at.Handle, Call: 99})
			})
			soon(tb, "Close", func(ctx context.Context) error { return wire.CloseInstance(ctx, at) })
			soon(tb, "Close for the second time", func(ctx context.Context) error { return wire.CloseInstance(ctx, at) })
			if err := open(); err != nil {
				tb.Errorf("Open of a handle that was closed: %v", err)
			}
			soon(tb, "Close", func(ctx context.Context) error { return wire.CloseInstance(ctx, at) })
		}},
		{Name: "it ends when it is asked to", Run: func(tb conformance.T) {
			var mu sync.Mutex
			var how string
			host := t.newHost(func(c *pluginhost.Config) {
				c.Ended = func(_, exit string) { mu.Lock(); defer mu.Unlock(); how = exit }
			})
			conn, err := host.Open(tb.Context(), t.o.Kind, nil, t.settings("end"), t.o.Scenario.Config)
			if err != nil {
				closeHost(tb.Context(), host)
				tb.Fatalf("a second process: %v", err)
			}
			t.first(tb, conn)
			closeHost(tb.Context(), host)
			mu.Lock()
			defer mu.Unlock()
			if how != "exit status 0" {
				tb.Errorf("the process was asked to end (Shutdown) with an instance open, and ended with %q; wanted is exit status 0 within 2 s", how)
			}
		}},
	}
	if t.o.Fake != nil && t.reaching() != nil {
		checks = append(checks, conformance.Check{Name: "Settle waits for the call that it is asked about", Run: t.settles})
	}
	return checks
}

// reaching gives a call that asks the fake, made without a host; nil when none is known.
func (t *tester) reaching() func(ctx context.Context, at wire.At) error {
	switch {
	case slices.Contains(t.roles, sdk.RoleSource):
		return func(ctx context.Context, at wire.At) error {
			stream, err := wire.NewSourceClient(at.Conn).Fetch(ctx, &wire.FetchRequest{Handle: at.Handle, Call: at.Call, Now: timestamppb.Now(), Force: true})
			for err == nil {
				_, err = stream.Recv()
			}
			return err
		}
	case slices.Contains(t.roles, sdk.RoleResolver) && t.o.Scenario.Channel != "":
		return func(ctx context.Context, at wire.At) error {
			_, err := wire.NewResolverClient(at.Conn).ResolveChannel(ctx, &wire.ResolveChannelRequest{Handle: at.Handle, Call: at.Call, Name: t.o.Scenario.Channel})
			return err
		}
	case slices.Contains(t.roles, sdk.RoleMessenger) && t.found.Medium != nil && t.needsPeople() == "":
		return t.page
	}
	return nil
}

// settles has the fake hold a call, and asks whether it has ended: before it was given up, and afterwards.
func (t *tester) settles(tb conformance.T) {
	at := wire.At{Conn: t.conn(tb), Handle: "belfry-plugin-test-settle", Call: 7}
	if _, err := wire.OpenInstance(tb.Context(), at, t.o.Kind, t.settings("settle"), t.o.Scenario.Config); err != nil {
		tb.Fatalf("Open: %v", err)
	}
	restore := t.o.Fake.stall(tb)
	defer restore()
	ctx, giveUp := context.WithCancel(tb.Context())
	defer giveUp()
	met := t.o.Fake.script.Met()
	var calling sync.WaitGroup
	calling.Go(func() { _ = t.reaching()(ctx, at) })
	for until := time.Now().Add(patience); t.o.Fake.script.Met() == met; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			giveUp()
			calling.Wait()
			tb.Fatalf("no request of a call reached the fake; does the configuration name it?")
		}
	}
	soonOver, cancel := context.WithTimeout(tb.Context(), 500*time.Millisecond)
	if err := wire.SettleInstance(soonOver, at); err == nil {
		tb.Error("Settle answered for a call that is still under way; the host would believe that nothing of it can happen any more")
	}
	cancel()
	giveUp()
	calling.Wait()
	restore()
	soon(tb, "Settle for a call that was given up", func(ctx context.Context) error { return wire.SettleInstance(ctx, at) })
	soon(tb, "Close", func(ctx context.Context) error { return wire.CloseInstance(ctx, at) })
}

// wantCrossing checks that a call failed with an Error of the plugin's own, and one of the codes.
func wantCrossing(tb conformance.T, what string, err error, want ...sdk.Code) {
	tb.Helper()
	var transport *wire.TransportError
	e := sdk.AsError(err)
	switch {
	case err == nil:
		tb.Errorf("%s was no error", what)
	case errors.As(err, &transport):
		tb.Errorf("%s ended with the status %s and no Error among its details; it crosses as ABORTED with one", what, transport.Code)
	default:
		if !slices.Contains(want, e.Code) {
			tb.Errorf("%s has the code %s, wanted is %v", what, e.Code, want)
		}
	}
}

// soon checks that a call succeeds and does not wait.
func soon(tb conformance.T, what string, call func(ctx context.Context) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), promptly)
	defer cancel()
	if err := call(ctx); ctx.Err() != nil {
		tb.Errorf("%s: no answer within %s", what, promptly)
	} else if err != nil {
		tb.Errorf("%s: %v", what, err)
	}
}

// conn gives the connection to the process that the suites share.
func (t *tester) conn(tb conformance.T) grpc.ClientConnInterface {
	tb.Helper()
	if _, err := t.host.Describe(tb.Context(), t.o.Kind); err != nil {
		tb.Fatalf("Describe: %v", err)
	}
	// Starting again after a crash, the host has asked the new process for its description.
	if err := t.host.Check(tb.Context(), t.o.Kind, t.o.Scenario.Config); err != nil {
		tb.Fatalf("Check: %v", err)
	}
	return t.rec.connection()
}

// first makes one call of the first ability that can be asked without a platform's knowledge.
func (t *tester) first(tb conformance.T, conn sdk.Connector) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 30*time.Second)
	defer cancel()
	if s, ok := sdk.As[sdk.Source](conn); ok {
		b, err := s.Fetch(ctx, sdk.FetchRequest{Now: time.Now().UTC()})
		if err != nil {
			tb.Errorf("Fetch: %v", err)
		} else if len(b.Items) == 0 {
			tb.Error("Fetch gave no item")
		}
	}
	if r, ok := sdk.As[sdk.Resolver](conn); ok && t.o.Scenario.Channel != "" {
		if ref, _, err := r.ResolveChannel(ctx, t.o.Scenario.Channel); err != nil || ref.ID == "" {
			tb.Errorf("ResolveChannel gave the id %q, %v", ref.ID, err)
		}
	}
	if p, ok := sdk.As[sdk.Publisher](conn); ok {
		parts, err := p.Plan(sdk.ChannelRef{ID: "x"}, sdk.Post{ID: "1", Title: "x", Body: sdk.Body{sdk.Paragraph(sdk.Text("a text"))}})
		if err != nil || len(parts) == 0 {
			tb.Errorf("Plan gave %d parts, %v", len(parts), err)
		}
	}
	if m, ok := sdk.As[sdk.Messenger](conn); ok && t.needsPeople() == "" {
		t.writeOnce(ctx, tb, m)
	}
}

// versionChecks have the plugin meet hosts of other versions.
func (t *tester) versionChecks() []conformance.Check {
	meet := func(tb conformance.T, change func(c *pluginhost.Config)) {
		tb.Helper()
		host := t.newHost(change)
		defer closeHost(tb.Context(), host)
		conn, err := host.Open(tb.Context(), t.o.Kind, nil, t.settings("versions"), t.o.Scenario.Config)
		if err != nil {
			tb.Fatalf("it does not work with such a host: %v", err)
		}
		t.first(tb, conn)
	}
	return []conformance.Check{
		{Name: "fields and messages that it does not know", Run: func(tb conformance.T) {
			g := grease.New()
			meet(tb, func(c *pluginhost.Config) {
				c.Dial = append(c.Dial, grpc.WithChainUnaryInterceptor(g.Unary), grpc.WithChainStreamInterceptor(ours(g.Stream)))
			})
		}},
		{Name: "an older host, without what was added since", Run: func(tb conformance.T) {
			meet(tb, func(c *pluginhost.Config) {
				c.Dial = append(c.Dial, grpc.WithChainUnaryInterceptor(without), grpc.WithChainStreamInterceptor(withoutStream))
			})
		}},
		{Name: "a newer host, which offers more versions", Run: func(tb conformance.T) {
			meet(tb, func(c *pluginhost.Config) { c.Offer = append(wire.Versions(), wire.Version+1, 1000) })
		}},
		{Name: "a host that no longer speaks its version", Run: func(tb conformance.T) {
			host := t.newHost(func(c *pluginhost.Config) {
				c.Offer = []int{1000}
				c.Limits.Start = patience + time.Second
			})
			defer closeHost(tb.Context(), host)
			start := time.Now()
			if _, err := host.Describe(tb.Context(), t.o.Kind); err == nil && time.Since(start) < patience {
				return // it said its own version, which this host happens to speak
			}
			if time.Since(start) > patience {
				tb.Error("it neither said which version it speaks nor ended; people would wait for a time-out and not learn why")
			}
		}},
	}
}

// ours keeps go-plugin's own streams as they are.
func ours(next grpc.StreamClientInterceptor) grpc.StreamClientInterceptor {
	return func(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
		if !strings.HasPrefix(method, "/belfry.") {
			return streamer(ctx, desc, cc, method, opts...)
		}
		return next(ctx, desc, cc, method, streamer, opts...)
	}
}

// What a host of the first release does not call.
const added = "/belfry.plugin.v1.Source/FetchMany"

func without(ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption) error {
	if strings.HasSuffix(method, "/Settle") {
		return nil // such a host does not ask
	}
	return invoke(ctx, method, req, reply, cc, opts...)
}

func withoutStream(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if method == added {
		return nil, status.Error(codes.Unimplemented, fmt.Sprintf("this host does not call %s", method))
	}
	return streamer(ctx, desc, cc, method, opts...)
}
