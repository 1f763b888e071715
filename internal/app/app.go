package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/api"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/conn"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/internal/disk"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/media"
	"github.com/belfry-news/belfry/internal/memory"
	"github.com/belfry-news/belfry/internal/metrics"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/internal/sandbox"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/internal/web"
	"github.com/belfry-news/belfry/internal/websub"
	"github.com/belfry-news/belfry/sdk"
)

// Options make an App.
type Options struct {
	// Config says where the configuration is. Its Checks are filled in here.
	Config configs.Options
	Log    *slog.Logger
	// Version stands in the user agent and on the status page.
	Version string
	// Plugin starts a process of a built-in kind; empty means this program again.
	Plugin func(kind string) (pluginhost.Command, error)
	// PluginLimits bound crashes and starts of plugins; memory and deadlines come from the configuration.
	PluginLimits pluginhost.Limits
	// Rehearse replaces every destination by one that records what it would send.
	Rehearse bool
	// Observe, if any, is given each instance of a third party's type that was opened, by its name in the configuration, and
	// gives what is used in its place.
	Observe func(name string, c sdk.Connector) sdk.Connector
	// Free tells how much room the disk of a folder has; nil asks the system.
	Free func(dir string) (bytes int64, known bool)
}

// App is a daemon.
type App struct {
	o   Options
	log *slog.Logger

	mu     sync.Mutex // of Start, Reload and Stop
	loaded atomic.Pointer[configs.Loaded]
	// programs is the configuration that says how plugins are started: of a reload, before anything else is of it.
	programs   atomic.Pointer[configs.Loaded]
	generation int
	// ran says by kind as what a plugin's process was started last (configs.Plugin).
	ran sync.Map
	// probe says what the sandbox of plugins has here, and gapsTold which of its gaps were logged.
	probe        func() []sandbox.Ability
	gapsTold     map[string]bool
	sources      instances
	destinations instances
	lanes        lanes
	rules        *AddressRules
	// writers are the destinations that write to people, by name.
	writers atomic.Pointer[map[string]direct.Destination]
	// started is the masked configuration of the start, and marks the key of the marks in it.
	started    map[string]any
	marks      []byte
	lastReload atomic.Pointer[ReloadReport]

	db     *store.DB
	files  *media.Files
	host   *pluginhost.Host
	opener *conn.Opener
	engine *compose.Engine
	outbox *outbox.Engine
	poller *intake.Poller
	// mapper is the mapper once there is one: the pages are served before the sources are open.
	mapper atomic.Pointer[intake.Mapper]
	// events are the times of blackouts that come from calendars.
	events events
	// hubs is nil in a rehearsal, in which nobody is asked for anything.
	hubs    *websub.Subscriber
	fetcher *media.Fetcher
	web     *web.Server
	addr    string
	metrics *metrics.Metrics
	// tokens are nil and adminAddr is empty when nothing is served to operators.
	tokens    *api.Tokens
	adminAddr string
	// people and direct are nil when nobody is written to; withheld says why no message may leave. composed tells of posts.
	people   *consent.Registry
	direct   *direct.Engine
	inbox    *inbox
	botLinks atomic.Pointer[map[botLink]string]
	withheld error
	composed chan struct{}
	// corrected is by channel and destination, of makeStreams.
	corrected map[string]corrections
	// rehearsal is set when nothing is to be sent.
	rehearsal *Rehearsal
	upkeep

	// born is when it was made, by the clock that nobody sets.
	born time.Time

	cleanups []cleanup // undone from the last to the first
	// phase is guarded by mu. An App runs once: what it closed is not opened again.
	phase phase
	// watching are the goroutines that look at the configuration and at alerts, until unwatch; life is the context of what
	// they do, which Stop gives the time it has.
	watching sync.WaitGroup
	watch    context.Context
	unwatch  context.CancelFunc
	life     context.Context
	giveUp   context.CancelFunc
	// retiring are the connectors that a reload replaced and that are closed once their last call has ended.
	retiring sync.WaitGroup
	ready    atomic.Bool
}

type phase int

const (
	phaseNew phase = iota
	phaseStarted
	phaseStopped
)

// cleanup undoes one step of starting.
type cleanup struct {
	name string
	do   func(ctx context.Context) error
}

// New reads and checks the configuration. Its error is *configs.Invalid when that has problems.
func New(o Options) (*App, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	o.Config.Checks = []func(*configs.Loaded) sdk.Problems{compose.Check, api.Check, configs.RequireAlerts}
	loaded, err := configs.Load(o.Config)
	if err != nil {
		return nil, err
	}
	a := &App{o: o, log: o.Log, probe: sandbox.Probe, born: time.Now(), composed: make(chan struct{}, 1), corrected: map[string]corrections{}, upkeep: upkeep{free: o.Free, pressed: make(chan struct{}, 1)}}
	if a.free == nil {
		a.free = disk.Free
	}
	a.watch, a.unwatch = context.WithCancel(context.Background())
	a.life, a.giveUp = context.WithCancel(context.Background())
	a.loaded.Store(loaded)
	a.programs.Store(loaded)
	if o.Rehearse {
		a.rehearsal = &Rehearsal{zone: func() *time.Location { return a.Config().Zone() }}
	}
	return a, nil
}

// Config is the configuration in force.
func (a *App) Config() *configs.Loaded { return a.loaded.Load() }

// Addr is where the public pages are served, with the real port.
func (a *App) Addr() string { return a.addr }

// AdminAddr is where operators are served, with the real port; empty when they are not.
func (a *App) AdminAddr() string { return a.adminAddr }

// Store is the open store.
func (a *App) Store() *store.DB { return a.db }

// DataDir is the data folder of a configuration, absolute.
func DataDir(l *configs.Loaded) string {
	if filepath.IsAbs(l.DataDir) {
		return l.DataDir
	}
	return filepath.Join(l.Dir, l.DataDir)
}

// Database is the file of the store of a configuration.
func Database(l *configs.Loaded) string { return filepath.Join(DataDir(l), sqlite.FileName) }

// UserAgent is what Belfry calls itself towards servers.
func UserAgent(version string, l *configs.Loaded) string {
	contact := l.Site.URL
	if contact == "" {
		contact = "https://github.com/belfry-news/belfry"
	}
	return fmt.Sprintf("Belfry/%s (+%s)", version, contact)
}

// Start opens everything, from the right of the way of the data to the left, and serves. The context ends with starting.
// An error leaves nothing open. An App is started once.
func (a *App) Start(ctx context.Context) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.phase != phaseNew {
		return errors.New("this daemon was started before; make a new one")
	}
	if err := a.start(ctx); err != nil {
		a.phase = phaseStopped
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.Config().ShutdownGrace.Std())
		defer cancel()
		a.ready.Store(false)
		return errors.Join(err, a.undo(grace))
	}
	a.phase = phaseStarted
	a.watching.Go(func() { a.tellAlerts(a.watch) })
	if a.rehearsal == nil {
		a.watching.Go(func() { a.beat(a.watch) })
	}
	a.watching.Go(func() { a.watchConfig(a.watch) })
	a.watching.Go(func() { memory.Watch(a.watch) })
	a.watching.Go(func() { a.watchDisk(a.watch) })
	a.watching.Go(func() { a.watchClock(a.watch) })
	a.watching.Go(func() { a.watchEvents(a.watch) })
	if a.rehearsal == nil {
		a.watching.Go(func() { a.tidy(a.watch) })
	}
	a.ready.Store(true)
	return nil
}

func (a *App) start(ctx context.Context) error {
	dir := DataDir(a.Config())
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("the data folder %s cannot be made: %w", dir, err)
	}
	release, err := lock(dir)
	if err != nil {
		return err
	}
	a.onStop("lock", func(context.Context) error { release(); return nil })
	if free, known := a.free(dir); known && free < noRoom {
		a.keepReserve() // without any room the store cannot be opened
	}
	if a.db, err = sqlite.Open(ctx, Database(a.Config()), a.log); err != nil {
		return err
	}
	a.onStop("store", func(context.Context) error { return a.db.Close() })
	if err := a.startClock(ctx); err != nil {
		return err
	}
	if err := a.startUpkeep(ctx); err != nil {
		return err
	}
	if err := a.checkStore(ctx, a.Config()); err != nil {
		return err
	}
	if err := a.rename(ctx, a.Config()); err != nil {
		return err
	}
	if err := a.startPeople(ctx); err != nil {
		return err
	}
	a.metrics = metrics.New(metrics.Settings{Store: a.db, Config: a.Config, Program: func() *compose.Program { return a.engine.Program() }, Plugins: a.pluginsMeasured, Log: a.log, Version: a.o.Version})
	if a.files, err = media.NewFiles(filepath.Join(dir, "media")); err != nil {
		return err
	}
	if err := a.startPlugins(dir); err != nil {
		return err
	}
	program, problems := compose.Compile(&a.Config().Config)
	if len(problems) > 0 {
		return problems
	}
	if program, err = a.withEvents(ctx, program); err != nil {
		return err
	}
	if err := a.startLanes(ctx, program); err != nil {
		return err
	}
	if err := a.startSources(ctx); err != nil {
		return err
	}
	if err := a.startAdmin(ctx); err != nil {
		return err
	}
	if a.marks, err = a.db.ConfigurationKey(ctx); err != nil {
		return err
	}
	a.started = a.Config().Marked(a.marks)
	if a.generation, err = a.db.Apply(ctx, a.started, time.Now(), a.Config().Outside()...); err != nil {
		return err
	}
	a.lastReload.Store(&ReloadReport{Generation: a.generation, At: time.Now()})
	return a.endAlerts(ctx, a.Config(), time.Now())
}

func (a *App) onStop(name string, do func(ctx context.Context) error) {
	a.cleanups = append(a.cleanups, cleanup{name, do})
}

// startPlugins makes the host of plugin processes; none is started yet.
func (a *App) startPlugins(dir string) error {
	command := a.o.Plugin
	if command == nil {
		command = a.pluginCommand
	}
	limits := a.o.PluginLimits
	limits.Memory, limits.Call = int64(a.Config().Plugins.Memory)<<20, a.Config().Plugins.Deadline.Std()
	a.host = pluginhost.New(pluginhost.Config{Command: command, RunDir: runDir(dir), Log: a.log, Crashed: a.metrics.PluginCrashed, Limits: limits,
		Refused: a.metrics.EventRefused, Hears: func(kind string) []sdk.EventKind { return a.programs.Load().Medium(kind).Hears }})
	a.tellGaps(a.Config())
	a.onStop("plugins", func(ctx context.Context) error { a.host.Close(ctx); return nil })
	a.onStop("replaced connectors", func(ctx context.Context) error { return wait(ctx, &a.retiring) })
	specs := map[string]*sdk.Spec{}
	for _, s := range a.o.Config.Specs {
		specs[s.Type] = s
	}
	a.opener = &conn.Opener{Specs: specs, Isolator: a.host, Log: a.log, UserAgent: UserAgent(a.o.Version, a.Config()), Observe: a.o.Observe}
	return nil
}

func (a *App) pluginCommand(kind string) (pluginhost.Command, error) {
	l := a.programs.Load()
	started, _ := l.Plugin(kind)
	a.ran.Store(kind, started)
	return PluginCommand(l, kind)
}

// PluginCommand says how the process of a kind is started: built-in kinds as this program again, and third parties' as
// configured. Without a configuration there are only built-in kinds.
func PluginCommand(l *configs.Loaded, kind string) (pluginhost.Command, error) {
	if l != nil {
		if p, foreign := l.Plugin(kind); foreign {
			return foreignCommand(p)
		}
	}
	path, err := os.Executable()
	if err != nil {
		return pluginhost.Command{}, fmt.Errorf("this program's own file cannot be found: %w", err)
	}
	own := pluginhost.Command{Path: path, Args: []string{"plugin", "serve", kind}}
	if _, err := os.Stat("/proc/self/exe"); err == nil {
		own.Path = "/proc/self/exe"
		own.Confined = confined(kind)
	}
	return own, nil
}

// longestRunDir leaves room for a socket's name below the 104 bytes that its whole path may have.
const longestRunDir = 59

// runDir is the private folder of sockets: in the data folder, unless its path is too long for them.
func runDir(dataDir string) string {
	if dir := filepath.Join(dataDir, "run"); len(dir) <= longestRunDir {
		return dir
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("belfry-%d-%s", os.Getuid(), fingerprint(nil, dataDir)[:8]))
}

// startLanes starts what lies right of the store, and then composing.
func (a *App) startLanes(ctx context.Context, program *compose.Program) error {
	var composed func()
	a.engine = compose.NewEngine(compose.Settings{Store: a.db, Log: a.log, Composed: func() { composed() }, Wanted: func() { a.fetcher.Wake() }}, program)
	a.outbox = outbox.NewEngine(outbox.Settings{Store: a.db, Log: a.log, Renderer: newRenderer(a.engine.Program, a.db, a.files),
		Settled: func() { a.web.Changed() }, Called: a.metrics.Called, Accepted: a.metrics.Accepted})
	composed = func() {
		a.outbox.Wake()
		a.web.Changed()
		select {
		case a.composed <- struct{}{}:
		default:
		}
	}
	a.fetcher = media.NewFetcher(media.Settings{Store: roomyMedia{a.db, &a.low}, Files: a.files, Log: a.log, UserAgent: a.opener.UserAgent,
		Bounds:       media.Bounds{MaxBytes: a.Config().Media.MaxBytes, MaxPixels: a.Config().Media.MaxPixels, Width: a.Config().Media.Width},
		AllowPrivate: a.Config().Media.AllowPrivate, Fetched: func() { a.engine.Wake(); a.web.Changed() }})
	if err := a.startWeb(); err != nil {
		return err
	}
	a.onStop("destinations", func(ctx context.Context) error { return a.destinations.closeAll(ctx, a.log) })
	if err := a.outbox.Start(ctx, true); err != nil {
		return err
	}
	a.onStop("lanes", a.outbox.Stop)
	if err := a.startDirect(ctx); err != nil {
		return err
	}
	a.startOpeners()
	if err := a.useDestinations(ctx, a.Config()); err != nil {
		return err
	}
	if err := a.fetcher.Start(ctx); err != nil {
		return err
	}
	a.onStop("images", a.fetcher.Stop)
	if err := a.useChannels(ctx, a.Config()); err != nil {
		return err
	}
	if err := a.engine.Start(ctx); err != nil {
		return err
	}
	a.onStop("composing", a.engine.Stop)
	return nil
}

func (a *App) startWeb() error {
	var routes map[string]http.Handler
	a.hubs = a.newHubs()
	if a.rehearsal != nil {
		routes = a.rehearsal.routes()
	} else {
		door := a.newDoor()
		routes = map[string]http.Handler{"/hooks/{name}": door, websub.Path + "{token}": http.HandlerFunc(door.Hub)}
	}
	var people web.People
	if a.people != nil {
		people = a.people
	}
	a.web = web.New(web.Settings{Store: a.db, People: people, Origin: a.origin, Network: a.network, Files: a.files, Log: a.log, Ready: a.ready.Load, Config: &a.Config().Config, Routes: routes, Served: a.metrics.Served})
	ln, err := net.Listen("tcp", a.Config().Listen)
	if err != nil {
		return fmt.Errorf("the pages cannot be served at %s: %w; choose another address with listen:, or end what uses this one", a.Config().Listen, cause(err))
	}
	a.addr = ln.Addr().String()
	a.web.Serve(ln)
	a.onStop("pages", a.web.Stop)
	return nil
}

func cause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// startSources starts what lies left of the store.
func (a *App) startSources(ctx context.Context) error {
	if err := a.useSources(ctx, a.Config()); err != nil {
		return err
	}
	a.onStop("sources", func(ctx context.Context) error { return a.sources.closeAll(ctx, a.log) })
	a.poller = intake.NewPoller(intake.Settings{Store: roomySources{a.db, &a.low}, Log: a.log, Workers: 16, Deadline: a.Config().Plugins.Deadline.Std(),
		Committed: a.taken, Fetched: a.fetched, Forced: a.releasePlugin, Described: a.hubs.Wake, Missed: a.hubMissed,
		Instance: func(name string) (intake.Instance, func(), bool) {
			i, done, ok := a.sources.acquire(name)
			if !ok {
				return intake.Instance{}, nil, false
			}
			rules := a.cameBack(name, i.rules)
			_, rules.Checkable = sdk.As[sdk.Checker](i.conn)
			rules.Slow = a.hubs.Slow(name)
			return intake.Instance{Rules: rules, Conn: i.conn}, done, true
		}})
	mapper := a.newMapper()
	a.mapper.Store(mapper)
	if err := a.poller.Start(ctx); err != nil {
		return err
	}
	a.onStop("fetching", a.poller.Stop)
	if err := mapper.Start(ctx); err != nil {
		return err
	}
	a.onStop("mapping", mapper.Stop)
	if a.rehearsal != nil {
		return a.fetchAll(ctx, a.Config())
	}
	if err := a.hubs.Start(ctx); err != nil {
		return err
	}
	a.onStop("subscriptions", a.hubs.Stop)
	return nil
}

// Stop stops from the left of the way of the data to the right, and waits for what is under way until ctx ends. It may be
// called at any time, and again: a daemon that never started has nothing to stop.
func (a *App) Stop(ctx context.Context) error {
	a.ready.Store(false)
	a.unwatch()
	// What a watcher does, perhaps a reload, may use the time that there is, and no more.
	stop := context.AfterFunc(ctx, a.giveUp)
	defer stop()
	a.mu.Lock()
	defer a.mu.Unlock()
	defer a.giveUp()
	ran, begun := a.phase == phaseStarted, time.Now()
	if ran {
		a.log.Info("the daemon stops and waits for what is under way", "in", a.parts(), "at_most", untilEnd(ctx))
	}
	a.phase = phaseStopped
	err := errors.Join(wait(ctx, &a.watching), a.undo(ctx))
	switch took := time.Since(begun).Round(time.Millisecond); {
	case ran && err != nil:
		a.log.Error("the daemon has stopped, and not everything had ended", "took", took, "err", err)
	case ran:
		a.log.Info("the daemon has stopped", "took", took)
	}
	return err
}

// parts are what is stopped, in that order.
func (a *App) parts() []string {
	var out []string
	for _, c := range slices.Backward(a.cleanups) {
		out = append(out, c.name)
	}
	return out
}

// untilEnd is how long a context has; empty when it has no end.
func untilEnd(ctx context.Context) string {
	end, bounded := ctx.Deadline()
	if !bounded {
		return ""
	}
	return time.Until(end).Round(time.Second).String()
}

// longStop is how long a part may take to stop without being told of.
const longStop = time.Second

// wait waits for a group until ctx ends.
func wait(ctx context.Context, group *sync.WaitGroup) error {
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (a *App) undo(ctx context.Context) error {
	var errs []error
	for len(a.cleanups) > 0 {
		c := a.cleanups[len(a.cleanups)-1]
		a.cleanups = a.cleanups[:len(a.cleanups)-1]
		begun := time.Now()
		if err := c.do(ctx); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.name, err))
		}
		if took := time.Since(begun); took >= longStop {
			a.log.Info("a part took long to stop", "part", c.name, "took", took.Round(time.Millisecond))
		}
	}
	return errors.Join(errs...)
}

// Failed is closed when the store must not be used any more and the process has to end; Cause says why.
func (a *App) Failed() <-chan struct{} { return a.db.Failed() }

// Cause is why the store failed.
func (a *App) Cause() error { return a.db.Cause() }

// fetched counts a fetch of a source by its type.
func (a *App) fetched(source string, code sdk.Code, took time.Duration) {
	if s, ok := a.Config().Sources[source]; ok {
		a.metrics.Fetched(s.Type, code, took)
	}
}
