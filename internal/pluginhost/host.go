package pluginhost

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/sandbox"
	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
)

// Host runs the plugins of one daemon.
type Host struct {
	config Config
	limits Limits
	now    func() time.Time
	// starts bounds the processes of Belfry's own kinds that are starting, foreignStarts those of third parties: one that hangs
	// while it starts keeps no feed from being read.
	starts, foreignStarts chan struct{}

	// ctx ends with the host; background counts what it runs.
	ctx        context.Context
	cancel     context.CancelFunc
	background sync.WaitGroup

	mu     sync.Mutex
	closed bool
	kinds  map[string]*kind
	dir    *runDir
	thread *thread
	// watcher ends what plugins started when this process is killed; nil before one runs that can start anything.
	watcher io.Closer
	watched bool
}

// New makes a host. It starts nothing; Close ends it.
func New(c Config) *Host {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	h := &Host{config: c, limits: c.Limits.withDefaults(), now: c.Now, kinds: map[string]*kind{}}
	h.starts, h.foreignStarts = make(chan struct{}, h.limits.Starts), make(chan struct{}, h.limits.Starts)
	h.ctx, h.cancel = context.WithCancel(context.Background())
	return h
}

// Open makes a connector of a kind. With a spec, which Belfry's own kinds have, it starts no process: the configuration
// is checked here, and the roles are those of the spec. Without one the process is started and asked.
//
// A configuration that is wrong gives sdk.Problems, anything else an *sdk.Error. The connector's calls may be concurrent.
func (h *Host) Open(ctx context.Context, kindName string, spec *sdk.Spec, s sdk.Settings, config map[string]any) (sdk.Connector, error) {
	if h.isClosed() {
		return nil, sdk.Errorf(sdk.CodeUnavailable, "open", "%w", errStopping)
	}
	var roles []sdk.Role
	var hears []sdk.EventKind
	if spec != nil {
		if err := spec.Check(config); err != nil {
			return nil, err
		}
		roles = spec.Roles
	} else {
		d, err := h.Describe(ctx, kindName)
		if err != nil {
			return nil, err
		}
		if err := h.Check(ctx, kindName, config); err != nil {
			return nil, err
		}
		roles = h.usable(d)
		hears = h.believed(d)
	}
	k := h.kind(kindName)
	i := &instance{k: k, settings: s, config: config}
	k.mu.Lock()
	k.instances[i] = struct{}{}
	k.mu.Unlock()
	far := wire.NewInstance(i, kindName, roles)
	far.Hear(hears, newRefusals(h, k, s.Instance).told)
	return asked(ctx, far)
}

// Describe asks a kind's process what the kind is.
func (h *Host) Describe(ctx context.Context, kindName string) (wire.Description, error) {
	p, failed := h.kind(kindName).process(ctx, "describe")
	if failed != nil {
		return wire.Description{}, failed
	}
	d, _ := p.description()
	return d, nil
}

// Offers asks a kind's process for every type that it has.
func (h *Host) Offers(ctx context.Context, kindName string) ([]wire.Description, error) {
	p, failed := h.kind(kindName).process(ctx, "describe")
	if failed != nil {
		return nil, failed
	}
	return slices.Clone(p.types), nil
}

// Check has a kind's process check a configuration. The error is sdk.Problems when the configuration is wrong.
func (h *Host) Check(ctx context.Context, kindName string, config map[string]any) error {
	ctx, cancel := context.WithTimeout(ctx, h.limits.Call)
	defer cancel()
	k := h.kind(kindName)
	p, failed := k.process(ctx, "check")
	if failed != nil {
		return failed
	}
	err := wire.CheckConfig(ctx, p.conn, kindName, config)
	if _, ok := errors.AsType[*wire.TransportError](err); !ok {
		return err
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		p.kill("the check of a configuration did not end")
	}
	return k.unavailable("check", "%s", sdk.AsError(err).Public)
}

// Warm starts the shared processes of kinds at once and waits for them.
func (h *Host) Warm(ctx context.Context, kinds ...string) error {
	errs := make([]error, len(kinds))
	var wg sync.WaitGroup
	for n, name := range kinds {
		wg.Go(func() {
			if _, failed := h.kind(name).process(ctx, "start"); failed != nil {
				errs[n] = failed
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Release ends the hold of an instance and forgets its strikes; with an empty instance it does so for the kind and every
// instance of it. The error says when there was nothing to release.
func (h *Host) Release(kindName, instance string) error {
	h.mu.Lock()
	k := h.kinds[kindName]
	h.mu.Unlock()
	if k == nil || !k.release(instance) {
		return fmt.Errorf("nothing of plugin %s is held%s", kindName, inInstance(instance))
	}
	return nil
}

func inInstance(name string) string {
	if name == "" {
		return ""
	}
	return " under the name " + name
}

// State is what a kind or an instance is in.
type State string

// The states. Kinds are stopped, starting, running or held; instances are well, suspect or held.
const (
	StateStopped  State = "stopped"
	StateStarting State = "starting"
	StateRunning  State = "running"
	StateHeld     State = "held"
	StateWell     State = "well"
	StateSuspect  State = "suspect"
)

// Process is the state of one kind.
type Process struct {
	Kind  string
	State State
	// PID of the shared process; 0 when there is none.
	PID string
	// Since is when the shared process was started.
	Since time.Time
	// Starts counts every process of the kind since the host began, Crashes the unwanted ends within the window.
	Starts, Crashes int
	// Last is what happened last that was wrong.
	Last      string
	Held      *HeldError
	Instances []Instance
	// Running counts the processes that run: the shared one, and those in which suspects are called alone.
	Running int
	// CPU is the processor time of every process of the kind since the host began, with that of the programs it started
	// and waited for. Resident is the memory in RAM of those that run, in bytes; 0 where the system does not tell.
	CPU      time.Duration
	Resident int64
	// Calls are under way, Waiting wait for their turn (Limits.Calls).
	Calls, Waiting int
}

// Instance is the state of one connector.
type Instance struct {
	Name    string
	State   State
	Strikes int
	// RetryAt is when a struck instance is called again.
	RetryAt time.Time
	Last    string
	Held    *HeldError
}

// Status tells the state of every kind that was used, by name.
func (h *Host) Status() []Process {
	h.mu.Lock()
	kinds := make([]*kind, 0, len(h.kinds))
	for _, k := range h.kinds {
		kinds = append(kinds, k)
	}
	h.mu.Unlock()
	slices.SortFunc(kinds, func(a, b *kind) int { return cmp.Compare(a.name, b.name) })
	out := make([]Process, len(kinds))
	for n, k := range kinds {
		out[n] = k.status()
	}
	return out
}

func (k *kind) status() Process {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.h.now()
	k.crashes.expire(now, k.h.limits)
	p := Process{Kind: k.name, State: StateStopped, Starts: k.starts, Crashes: len(k.crashes.at), Last: k.last, Held: k.held,
		Running: len(k.running), CPU: k.cpu, Calls: len(k.turns), Waiting: int(k.waiting.Load())}
	for running := range k.running {
		cpu, resident := usage(running.run.ID())
		p.CPU, p.Resident = p.CPU+cpu, p.Resident+resident
	}
	switch {
	case k.held != nil:
		p.State = StateHeld
	case k.shared != nil:
		p.State, p.PID, p.Since = StateRunning, k.shared.run.ID(), k.shared.started
	case k.starting != nil:
		p.State = StateStarting
	}
	for i := range k.instances {
		i.strikes.expire(now, k.h.limits)
		s := Instance{Name: i.settings.Instance, State: StateWell, Strikes: len(i.strikes.at), Last: i.last, Held: i.held}
		switch {
		case i.held != nil:
			s.State = StateHeld
		case i.suspect:
			s.State = StateSuspect
		}
		if i.strikes.wait(now) > 0 {
			s.RetryAt = i.strikes.notBefore
		}
		p.Instances = append(p.Instances, s)
	}
	slices.SortFunc(p.Instances, func(a, b Instance) int { return cmp.Compare(a.Name, b.Name) })
	return p
}

// Close ends every process, in good order as long as ctx lasts and by force afterwards. Calls under way end with it, new
// ones are refused. It returns when nothing of the host is left.
func (h *Host) Close(ctx context.Context) error {
	h.mu.Lock()
	h.closed = true
	kinds := make([]*kind, 0, len(h.kinds))
	for _, k := range h.kinds {
		kinds = append(kinds, k)
	}
	h.mu.Unlock()
	h.cancel()
	var wg sync.WaitGroup
	for _, k := range kinds {
		wg.Go(func() { k.stop(ctx) })
	}
	wg.Wait()
	h.background.Wait()

	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watcher != nil {
		_ = h.watcher.Close() // nothing is left that it could end
		h.watcher = nil
	}
	if h.thread != nil {
		h.thread.stop()
		h.thread = nil
	}
	if h.dir != nil {
		h.dir.remove()
		h.dir = nil
	}
	return nil
}

func (h *Host) isClosed() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.closed
}

// goRun runs f in the background, where Close waits for it; false when the host is closed.
func (h *Host) goRun(f func(ctx context.Context)) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.background.Go(func() { f(h.ctx) })
	return true
}

// enter counts work that Close waits for; false when the host is closed. The caller calls background.Done.
func (h *Host) enter() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.background.Add(1)
	return true
}

// errStopping is what there is to say when the host ends.
var errStopping = errors.New("the daemon is stopping")

func (h *Host) kind(name string) *kind {
	h.mu.Lock()
	defer h.mu.Unlock()
	k := h.kinds[name]
	if k == nil {
		k = newKind(h, name)
		h.kinds[name] = k
	}
	return k
}

// ready makes the folder and the thread that processes need.
func (h *Host) ready() (string, *thread, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return "", nil, errStopping
	}
	if h.dir == nil {
		dir, err := newRunDir(h.config.RunDir)
		if err != nil {
			return "", nil, err
		}
		h.dir = dir
	}
	if h.thread == nil {
		h.thread = newThread()
	}
	return h.dir.path, h.thread, nil
}

// watch sees to it that nothing which a plugin starts outlives this process, should it be killed.
func (h *Host) watch() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.watched || h.closed || h.dir == nil {
		return
	}
	h.watched = true
	w, err := sandbox.Watch(h.dir.path)
	if err != nil {
		h.config.Log.Debug("what plugins start is not watched", "err", err)
		return
	}
	h.watcher = w
}
