package pluginhost

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/sandbox"
	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/hashicorp/go-hclog"
	goplugin "github.com/hashicorp/go-plugin"
	pluginrunner "github.com/hashicorp/go-plugin/runner"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// process is one running process of a kind, ready to be called.
type process struct {
	k       *kind
	command Command
	log     *slog.Logger
	alone   bool
	started time.Time
	// stamp tells which files of the system a confined process may read; empty for others. looked is when it was compared
	// last. Guarded by the kind's lock.
	stamp  string
	looked time.Time
	types  []wire.Description

	wiring *goplugin.ClientConfig // read by client when it connects
	client *goplugin.Client
	socket string // of a process without a certificate; set before it is dialled
	token  token
	run    *runner // set once, before anything else sees the process
	conn   grpc.ClientConnInterface
	many   *wire.FetchStream
	free   func() // frees what go-plugin holds, once
	// judged is closed when the process is gone and its kind has drawn the conclusions.
	judged chan struct{}

	mu      sync.Mutex
	opened  map[*instance]*opening
	calls   map[*instance]int
	waiting []waiter
	ending  string // why its end is wanted; empty while it is not
	handles int    // counts: an opening that was given up leaves its handle behind
	numbers uint64 // counts the calls
}

// opening is an instance inside a process. settling is closed when the last call of those that may be under way only one
// at a time has really ended, should it have been given up.
type opening struct {
	handle   string
	done     chan struct{}
	err      error
	settling chan struct{}
}

// startProcess starts a process and waits until it can be called. Its error is a sentence without a subject, for people.
func startProcess(ctx context.Context, k *kind, alone bool) (*process, error) {
	h := k.h
	if !h.enter() {
		return nil, errStopping
	}
	defer h.background.Done()
	ctx, cancel := context.WithTimeout(ctx, h.limits.Start)
	defer cancel()
	defer context.AfterFunc(h.ctx, cancel)()
	command, err := h.config.Command(k.name)
	if err != nil {
		return nil, err
	}
	turns := h.starts
	if command.Foreign {
		turns = h.foreignStarts
	}
	select {
	case turns <- struct{}{}:
		defer func() { <-turns }()
	case <-ctx.Done():
		return nil, errors.New("other plugins are still starting")
	}
	if command, err = locate(command); err == nil && !sandbox.Compares {
		err = compare(command) // where there is a launcher, it reads the tree, and nobody else as long as it is the same
	}
	if err != nil {
		return nil, err
	}
	dir, thread, err := h.ready()
	if err != nil {
		return nil, err
	}
	if !command.Confined { // it can start programs
		h.watch()
	}
	p := &process{k: k, command: command, alone: alone, started: h.now(), opened: map[*instance]*opening{}, calls: map[*instance]int{},
		judged: make(chan struct{}), token: newToken()}
	if command.Foreign || command.Confined {
		p.stamp, p.looked = sandbox.Stamp(), p.started
	}
	out := newLines(k.log, h.limits, func() {
		p.kill(fmt.Sprintf("it wrote more than %d MiB to its log at once", h.limits.Output>>20))
	})
	offered := map[int]goplugin.PluginSet{}
	versions := h.config.Offer
	if versions == nil {
		versions = wire.Versions()
	}
	for _, version := range versions {
		offered[version] = goplugin.PluginSet{}
	}
	p.wiring = &goplugin.ClientConfig{
		HandshakeConfig:  goplugin.HandshakeConfig{MagicCookieKey: wire.CookieKey, MagicCookieValue: wire.CookieValue},
		VersionedPlugins: offered,
		RunnerFunc: func(_ hclog.Logger, c *exec.Cmd, socketDir string) (pluginrunner.Runner, error) {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			env := append(environment(h.limits.Memory, logLevel(k.log)), c.Env...)
			env = append(env, wire.EnvToken+"="+string(p.token))
			run, err := newRunner(command, env, socketDir, thread, h.limits.Memory, out)
			if err != nil {
				return nil, err
			}
			run.yields = alone // it holds somebody who is suspected of worse: the others come first
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.ending != "" {
				return nil, errors.New(p.ending)
			}
			p.run = run
			return p.run, nil
		},
		AllowedProtocols: []goplugin.Protocol{goplugin.ProtocolGRPC},
		AutoMTLS:         true,
		SkipHostEnv:      true,
		StartTimeout:     2 * h.limits.Start, // connect is stricter
		SyncStdout:       out.stream(stdout),
		SyncStderr:       out.stream(stderr),
		UnixSocketConfig: &goplugin.UnixSocketConfig{TempDir: dir},
		GRPCDialOptions: []grpc.DialOption{grpc.WithIdleTimeout(0), grpc.WithMaxHeaderListSize(64 << 10),
			grpc.WithStaticStreamWindowSize(wire.StreamWindow), grpc.WithStaticConnWindowSize(wire.ConnWindow),
			grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(wire.MaxMessage)), grpc.WithChainStreamInterceptor(plainStreams)},
		// What happens to processes is told here, in sentences.
		Logger: hclog.NewNullLogger(),
	}
	p.wiring.GRPCDialOptions = append(p.wiring.GRPCDialOptions, h.config.Dial...)
	p.client = goplugin.NewClient(p.wiring)
	p.free = sync.OnceFunc(p.client.Kill)
	if err := p.connect(ctx); err != nil {
		p.kill(err.Error())
		if p.run != nil {
			<-p.run.done
		}
		p.free()
		return nil, err
	}
	p.log = k.log.With("pid", p.run.ID())
	p.log.Debug("plugin started", "alone", alone, "took", h.now().Sub(p.started))
	return p, nil
}

// connect does the handshake and asks the process what it offers. A process that does not answer is killed, which ends
// every wait inside.
func (p *process) connect(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { p.kill("it was not ready in time") })
	defer stop()
	address, err := p.client.Start()
	if err != nil {
		return p.startFailure(ctx, err)
	}
	if p.run.out.bySocket() {
		p.socket = address.String()
		p.wiring.TLSConfig = nil
		p.wiring.GRPCDialOptions = append(p.wiring.GRPCDialOptions, grpc.WithContextDialer(p.dialSocket), grpc.WithPerRPCCredentials(p.token))
	}
	protocol, err := p.client.Client()
	if err != nil {
		return p.startFailure(ctx, err)
	}
	client, ok := protocol.(*goplugin.GRPCClient)
	if !ok {
		return fmt.Errorf("it does not speak gRPC")
	}
	p.conn = client.Conn
	p.many = wire.NewFetchStream(p.conn, func() {
		p.k.log.Warn("plugin answers calls that nobody made, or that were given up; its author has to mend that", "pid", p.run.ID())
	})
	p.types, err = wire.Describe(ctx, p.conn)
	if err != nil {
		return p.startFailure(ctx, err)
	}
	if _, ok := p.description(); !ok && !p.k.h.config.AnyType {
		names := make([]string, len(p.types))
		for i, t := range p.types {
			names[i] = t.Type
		}
		return fmt.Errorf("it offers %s, and no type %q", strings.Join(names, ", "), p.k.name)
	}
	if ctx.Err() != nil {
		return p.startFailure(ctx, ctx.Err())
	}
	return nil
}

// startFailure finds the best sentence for a start that failed.
func (p *process) startFailure(ctx context.Context, err error) error {
	if p.run == nil {
		return err
	}
	if failure := p.run.out.failure(); failure != nil {
		return failure
	}
	var broken *wire.TransportError
	late := errors.As(err, &broken) && broken.Code == codes.DeadlineExceeded
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return errors.New("its start was given up")
	case ctx.Err() != nil || late:
		return fmt.Errorf("it was not ready within %s", p.k.h.limits.Start)
	}
	select {
	case <-p.run.done:
		if why := p.run.refusal(); why != "" {
			if err := compare(p.command); err != nil {
				return err // which says what changed
			}
			return errors.New(why)
		}
		if exit := p.run.ownExit(); exit != "" {
			return fmt.Errorf("it ended before it was ready (%s)%s; its last words are in the log", exit, p.run.lines.lastWords())
		}
	case <-time.After(outputWait):
	}
	return err
}

func (p *process) description() (wire.Description, bool) {
	for _, t := range p.types {
		if t.Type == p.k.name {
			return t, true
		}
	}
	return wire.Description{}, false
}

// plainStreams refuses go-plugin's broker, through which a process could make the host start goroutines without end, and
// keeps a failure to attach to the process's output from being one to start it.
func plainStreams(ctx context.Context, desc *grpc.StreamDesc, cc *grpc.ClientConn, method string, streamer grpc.Streamer, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if strings.HasPrefix(method, "/plugin.GRPCBroker/") {
		return nil, status.Error(codes.Unimplemented, "the host uses no broker")
	}
	s, err := streamer(ctx, desc, cc, method, opts...)
	if err != nil && strings.HasPrefix(method, "/plugin.GRPCStdio/") {
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	return s, err
}

// logLevel is the lowest level that the log takes, as the process is told it.
func logLevel(log *slog.Logger) string {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn} {
		if log.Enabled(context.Background(), level) {
			return level.String()
		}
	}
	return slog.LevelError.String()
}

// kill ends the process at once. The first reason counts.
func (p *process) kill(why string) {
	p.mu.Lock()
	if p.ending == "" {
		p.ending = why
	}
	run := p.run
	p.mu.Unlock()
	if run != nil {
		_ = run.Kill(context.Background())
	}
}

// stop ends the process in good order: instances are closed within ctx, then it may exit by itself.
func (p *process) stop(ctx context.Context, why string) {
	p.mu.Lock()
	if p.ending == "" {
		p.ending = why
	}
	open := make(map[*instance]string, len(p.opened))
	for i, o := range p.opened {
		open[i] = o.handle
	}
	p.mu.Unlock()
	var wg sync.WaitGroup
	for i, handle := range open {
		wg.Go(func() {
			if err := wire.CloseInstance(ctx, wire.At{Conn: p.conn, Handle: handle}); err != nil && !p.gone() {
				p.log.Warn("plugin instance did not close", "instance", i.settings.Instance, "error", err)
			}
		})
	}
	wg.Wait()
	// go-plugin asks the process to exit and waits for its answer without an end; a process that does not give it is killed.
	giveUp := time.AfterFunc(p.k.h.limits.Grace, func() { _ = p.run.Kill(context.Background()) })
	defer giveUp.Stop()
	p.free()
	<-p.judged
}

func (p *process) gone() bool {
	select {
	case <-p.run.done:
		return true
	default:
		return false
	}
}

// goneSoon waits a moment for the end of a process whose connection is broken.
func (p *process) goneSoon() bool {
	select {
	case <-p.run.done:
		return true
	case <-time.After(2 * outputWait):
		return false
	}
}

// endText tells why the process ended: what was decided here, or else how it ended by itself.
func (p *process) endText() string {
	if why := p.wanted(); why != "" {
		return "its process was ended: " + why
	}
	return "its process ended: " + p.run.exitText()
}

// wanted reports whether somebody here ended the process, and why.
func (p *process) wanted() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ending
}

// inFlight lists the instances that have a call under way.
func (p *process) inFlight() []*instance {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := make([]*instance, 0, len(p.calls))
	for i := range p.calls {
		out = append(out, i)
	}
	return out
}

// outcome is how a call went, seen from the process.
type outcome int

const (
	answered   outcome = iota // with a result, an error, or too late
	crashed                   // the process ended while the call was under way
	neverBegan                // the process had ended before
)

// call makes one call of an instance.
func (p *process) call(ctx context.Context, i *instance, op wire.Op, f func(ctx context.Context, at wire.At) error) (outcome, error) {
	if !p.enter(i) {
		return neverBegan, nil
	}
	at, err := p.open(ctx, i, op)
	if err == nil {
		err = f(ctx, at)
	}
	var broken *wire.TransportError
	if !errors.As(err, &broken) {
		p.leave(i)
		return answered, err
	}
	if ctx.Err() == nil && broken.Code == codes.Unavailable && !p.goneSoon() {
		// The process lives and broke its connection; it is of no use. The call counts as under way until the process is
		// gone, so that it is a suspect then.
		p.kill("it broke its connection")
		<-p.run.done
	}
	if p.gone() {
		<-p.judged
		return crashed, err
	}
	if ctx.Err() != nil && at.Handle != "" {
		p.settle(i, at, op)
	} else {
		p.leave(i)
	}
	return answered, err
}

func (p *process) enter(i *instance) bool {
	if p.gone() {
		return false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ending != "" {
		return false
	}
	p.calls[i]++
	return true
}

func (p *process) leave(i *instance) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.calls[i]--; p.calls[i] > 0 {
		return
	}
	delete(p.calls, i)
	p.waiting = slices.DeleteFunc(p.waiting, func(w waiter) bool {
		if w.i == i {
			close(w.done)
		}
		return w.i == i
	})
}

// open makes sure that the instance is open in this process, and that no call is under way which this one must not meet.
func (p *process) open(ctx context.Context, i *instance, op wire.Op) (wire.At, error) {
	for {
		p.mu.Lock()
		p.numbers++
		at := wire.At{Conn: p.conn, Call: p.numbers, Many: p.many, Soon: p.alone}
		o, ok := p.opened[i]
		if !ok {
			p.handles++
			o = &opening{handle: fmt.Sprint(p.handles), done: make(chan struct{})}
			p.opened[i] = o
		}
		settling := o.settling
		p.mu.Unlock()
		at.Handle = o.handle
		if !ok {
			_, o.err = wire.OpenInstance(ctx, at, p.k.name, i.settings, i.config)
			if o.err != nil {
				p.mu.Lock()
				delete(p.opened, i)
				p.mu.Unlock()
			}
			close(o.done)
			return at, o.err
		}
		if !op.OneAtATime {
			settling = nil
		}
		for _, wait := range []chan struct{}{o.done, settling} {
			if wait == nil {
				continue
			}
			select {
			case <-wait:
			case <-p.run.done:
				e := i.k.unavailable(op.Name, "its process ended before the call was made")
				e.Err = &wire.TransportError{Code: codes.Unavailable, Err: errors.New("process ended")}
				return wire.At{}, e
			case <-ctx.Done():
				return wire.At{}, i.k.unavailable(op.Name, "%s waits for an earlier call that was given up and does not end", i.settings.Instance)
			}
		}
		if o.err == nil {
			return at, nil
		}
		if broken := (*wire.TransportError)(nil); !errors.As(o.err, &broken) || ctx.Err() != nil {
			return wire.At{}, o.err
		}
		// The call that opened it was given up; that was its own affair.
	}
}

// settle sees to it that a call which was given up ends: in time, or with its process. It is under way until then.
func (p *process) settle(i *instance, at wire.At, op wire.Op) {
	settling := make(chan struct{})
	p.mu.Lock()
	o := p.opened[i]
	if o != nil && op.OneAtATime {
		o.settling = settling
	}
	p.mu.Unlock()
	end := func(context.Context) {
		defer close(settling)
		ctx, cancel := context.WithTimeout(context.Background(), p.k.h.limits.Grace)
		defer cancel()
		err := wire.SettleInstance(ctx, at)
		if err == nil && (o == nil || o.handle != at.Handle) {
			// The call that was given up was the opening itself; what it made is of no use to anybody.
			err = wire.CloseInstance(ctx, at)
		}
		var broken *wire.TransportError
		if errors.As(err, &broken) && broken.Code == codes.Unavailable && p.goneSoon() {
			err = nil // the process ended meanwhile; who is to blame is judged elsewhere
		}
		if err != nil && !p.gone() && p.wanted() == "" {
			p.k.strike(i, "a call did not end after it was given up")
			p.kill(fmt.Sprintf("a call of %s did not end", i.settings.Instance))
			<-p.judged
		}
		p.leave(i)
	}
	if !p.k.h.goRun(end) {
		// The host ends, and the process with it.
		close(settling)
		p.leave(i)
	}
}

// closeInstance closes an instance that is open here.
func (p *process) closeInstance(ctx context.Context, i *instance) error {
	p.mu.Lock()
	o := p.opened[i]
	delete(p.opened, i)
	p.mu.Unlock()
	if o == nil || p.gone() {
		return nil
	}
	return wire.CloseInstance(ctx, wire.At{Conn: p.conn, Handle: o.handle})
}

// idle waits until no call of the instance is under way, whether it was given up or not, or the process has ended.
func (p *process) idle(i *instance) {
	p.mu.Lock()
	done := make(chan struct{})
	if p.calls[i] > 0 {
		p.waiting = append(p.waiting, waiter{i, done})
	} else {
		close(done)
	}
	p.mu.Unlock()
	select {
	case <-done:
	case <-p.run.done:
	}
}

// waiter wants to know when an instance has no call under way.
type waiter struct {
	i    *instance
	done chan struct{}
}
