package outbox_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	httpconn "github.com/belfry-news/belfry/connectors/http"
	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/connectors/telegram"
	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/sdk"
	wirefault "github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// pipes is a listener inside a bubble, so that real HTTP is spoken in a time of its own.
type pipes struct {
	calls chan net.Conn
	done  chan struct{}
	// deserted says that nobody listens at the moment.
	deserted atomic.Bool
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.calls:
		return c, nil
	case <-p.done:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	select {
	case <-p.done:
	default:
		close(p.done)
	}
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	if p.deserted.Load() {
		return nil, errors.New("connection refused")
	}
	ours, theirs := net.Pipe()
	select {
	case p.calls <- theirs:
		return ours, nil
	case <-p.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// wire is a connector whose exchanges go through a pipe in place of the network.
type wire struct {
	sdk.Connector
	exchange sdk.Exchange
}

func (w *wire) As(target any) bool {
	switch t := target.(type) {
	case *sdk.Resolver:
		*t = w
	case *sdk.Publisher:
		*t = w
	case *sdk.Editor:
		*t = w
	case *sdk.Deleter:
		*t = w
	default:
		return false
	}
	return true
}

func (w *wire) ResolveChannel(ctx context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
	return w.Connector.(sdk.Resolver).ResolveChannel(sdk.WithExchange(ctx, w.exchange), name)
}

func (w *wire) Plan(to sdk.ChannelRef, p sdk.Post) ([]sdk.Part, error) {
	return w.Connector.(sdk.Publisher).Plan(to, p)
}

func (w *wire) Publish(ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
	return w.Connector.(sdk.Publisher).Publish(sdk.WithExchange(ctx, w.exchange), to, part)
}

func (w *wire) Edit(ctx context.Context, ref sdk.PartRef, part sdk.Part) (sdk.PartRef, error) {
	return w.Connector.(sdk.Editor).Edit(sdk.WithExchange(ctx, w.exchange), ref, part)
}

func (w *wire) Delete(ctx context.Context, ref sdk.PartRef) error {
	return w.Connector.(sdk.Deleter).Delete(sdk.WithExchange(ctx, w.exchange), ref)
}

// receiver is a strict stand-in for a platform behind the real connector to it. What it shows follows what it took, and
// never what the connector says.
type receiver struct {
	name, chat string
	handler    http.Handler
	faults     *wirefault.Script
	// posts are the calls that post; nil means all of them.
	posts func(*http.Request) bool
	// desert says whether nobody listens from now on. Only inside a bubble.
	desert func(bool)
	// shown are the titles in the order in which they came.
	shown func() []string

	spec          *sdk.Spec
	config        map[string]any
	address, path string // the setting with the address, and what stands behind its host
}

// target is where posts for the receiver go.
func (r *receiver) target() string { return strings.TrimSpace(r.name + " " + r.chat) }

const (
	wireToken  = "123456:wire-token"
	wireSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	wireChat   = -1001000000001
)

// kinds are the forms of receivers: one that knows calls again, one that does not, and Telegram.
var kinds = []string{"standard", "custom", "telegram"}

// newReceiver makes a strict fake of a kind.
func newReceiver(t *testing.T, kind, name string) *receiver {
	t.Helper()
	r := &receiver{name: name, spec: httpconn.Spec(), config: map[string]any{}}
	switch kind {
	case "standard":
		// A receiver outside of a bubble has another time.
		s, err := receivertest.NewStandard(receivertest.StandardOptions{Secrets: []string{wireSecret}, Tolerance: 200 * 365 * 24 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		r.address, r.path, r.config["secret"] = "url", "/hook", wireSecret
		r.handler, r.faults = s, &s.Faults
		r.shown = func() (out []string) {
			for _, p := range s.State().Posts {
				out = append(out, slices.Repeat([]string{p.Title}, p.Times)...)
			}
			return out
		}
	case "custom":
		p := receivertest.Gotify(receivertest.Options{}, "app-token", "client-token")
		r.address, r.path, r.config["headers"] = "url", "/message", map[string]any{"X-Gotify-Key": "app-token"}
		r.config["body"] = `{"title": {{json .Title}}, "message": {{json .Text}} }`
		r.handler, r.faults = p, &p.Faults
		r.shown = func() (out []string) {
			for _, m := range p.Messages() {
				out = append(out, m.Title)
			}
			return out
		}
	case "telegram":
		s := telegramtest.New(telegramtest.Options{Token: wireToken, Bot: "gazette_bot", Chats: []telegramtest.Chat{{ID: wireChat, Type: "channel", Title: "Gazette",
			Username: "gazette", Bot: telegramtest.Member{Status: "administrator", PostMessages: true, EditMessages: true, DeleteAny: true}}}})
		r.spec, r.chat, r.address, r.posts = telegram.Spec(), "@gazette", "api", telegramtest.On("sendMessage")
		r.config["token"] = wireToken
		r.handler, r.faults = s, &s.Faults
		r.shown = func() (out []string) {
			for _, m := range s.Messages(wireChat) {
				out = append(out, m.Text)
			}
			return out
		}
	default:
		t.Fatalf("there is no receiver %q", kind)
	}
	return r
}

// open opens the real connector to a receiver at an address, for the stage to serve.
func (s *stage) open(r *receiver, address string, exchange sdk.Exchange) {
	s.t.Helper()
	r.config[r.address], r.config["allow_private"] = address+r.path, []any{"127.0.0.0/8", "10.0.0.0/8"}
	conn, err := r.spec.Open(s.t.Context(), sdk.Settings{Instance: r.name, UserAgent: "Belfry/test"}, r.config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = conn.Close(context.Background()) })
	if exchange != nil {
		conn = &wire{conn, exchange}
	}
	if s.conns == nil {
		s.conns = map[string]sdk.Connector{}
	}
	s.conns[r.name] = conn
}

// with lets the stage serve a receiver inside its bubble, beside its platforms.
func (s *stage) with(kind, name string) *receiver {
	s.t.Helper()
	r := newReceiver(s.t, kind, name)
	line := &pipes{calls: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: r.handler}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(line) }()
	transport := &http.Transport{DialContext: line.dial, DisableCompression: true}
	s.t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		<-served
	})
	host := "http://ops.example"
	if kind == "telegram" {
		host = "http://api.example"
	}
	r.desert = func(now bool) {
		line.deserted.Store(now)
		transport.CloseIdleConnections()
	}
	s.open(r, host, transport.RoundTrip)
	return r
}

// wired runs a test on a stage without platforms, in a time of its own.
func wired(t *testing.T, f func(s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(newStage(t, map[string]*platform{})) })
}

// The wire carries posts to each receiver, so that what fails later fails for another reason.
func TestWire(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			wired(t, func(s *stage) {
				r := s.with(kind, "hook")
				for _, title := range []string{"one", "two"} {
					s.post(title, r.target())
				}
				s.start()
				s.pass(3 * time.Second)
				s.same("shown", []string{"one", "two"}, r.shown())
				s.same("states", []string{"sent", "sent"}, s.states())
			})
		})
	}
}
