package pluginhost

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
)

// kind supervises the processes of one kind.
type kind struct {
	h    *Host
	name string
	log  *slog.Logger
	// alone lets one suspect at a time be called in a process of its own.
	alone chan struct{}
	// turns has an element for each call under way; waiting counts those that wait for theirs.
	turns   chan struct{}
	waiting atomic.Int64

	mu        sync.Mutex
	instances map[*instance]struct{}
	shared    *process
	starting  *start
	running   map[*process]struct{} // every process there is, for Status and Close
	starts    int
	cpu       time.Duration // of the processes that have ended
	crashes   budget        // ends of the shared process that nobody wanted
	failures  budget        // starts that failed
	held      *HeldError
	last      string
}

// start is a start of the shared process that several callers may wait for.
type start struct {
	done chan struct{}
	p    *process
	err  *sdk.Error
	// renew says that the process is to be replaced as soon as it runs. Guarded by the kind's lock.
	renew bool
}

func newKind(h *Host, name string) *kind {
	return &kind{h: h, name: name, log: h.config.Log.With("plugin", name), alone: make(chan struct{}, 1), turns: make(chan struct{}, h.limits.Calls),
		instances: map[*instance]struct{}{}, running: map[*process]struct{}{}}
}

// unavailable is the error of a call that was not made.
func (k *kind) unavailable(op, format string, args ...any) *sdk.Error {
	e := sdk.Errorf(sdk.CodeUnavailable, op, "plugin %s: "+format, append([]any{k.name}, args...)...)
	e.Scope = sdk.ScopeAccount
	return e
}

// process gives the shared process, and starts it if there is none.
func (k *kind) process(ctx context.Context, op string) (*process, *sdk.Error) {
	k.mu.Lock()
	if p := k.shared; p != nil && !p.gone() && p.wanted() == "" {
		if !p.outdated(k.h.now()) {
			k.mu.Unlock()
			return p, nil
		}
		k.retire(p, "files of the system that it reads were replaced")
	}
	if err := k.mayStart(op, &k.crashes); err != nil {
		k.mu.Unlock()
		return nil, err
	}
	s := k.starting
	if s == nil {
		s = &start{done: make(chan struct{})}
		k.starting = s
		// The start belongs to the host: a caller that goes away must not take it from those who wait beside it.
		if !k.h.goRun(func(ctx context.Context) {
			p, err := k.startNow(ctx, op, false)
			k.mu.Lock()
			s.p, s.err, k.starting = p, err, nil
			if p != nil && !p.gone() {
				k.shared = p
				if s.renew {
					k.retire(p, "it was started as what it is no more")
				}
			}
			k.mu.Unlock()
			close(s.done)
		}) {
			k.starting = nil
			k.mu.Unlock()
			return nil, k.stopping(op)
		}
	}
	k.mu.Unlock()
	select {
	case <-s.done:
		return s.p, s.err
	case <-ctx.Done():
		e := k.unavailable(op, "its process is still starting")
		e.Err = context.Cause(ctx)
		return nil, e
	}
}

func (k *kind) stopping(op string) *sdk.Error { return k.unavailable(op, "%w", errStopping) }

// mayStart refuses a start that comes too soon. The lock is held.
func (k *kind) mayStart(op string, more ...*budget) *sdk.Error {
	if k.held != nil {
		return k.held.refusal(op)
	}
	now := k.h.now()
	for _, b := range append(more, &k.failures) {
		if wait := b.wait(now); wait > 0 {
			e := k.unavailable(op, "%s; it is started again in %s", k.last, round(wait))
			e.RetryAfter, e.Err = wait, &DownError{Kind: k.name}
			return e
		}
	}
	return nil
}

// startNow starts a process and watches it.
func (k *kind) startNow(ctx context.Context, op string, alone bool) (*process, *sdk.Error) {
	p, err := startProcess(ctx, k, alone)
	if err != nil {
		return nil, k.startFailed(ctx, op, err)
	}
	k.mu.Lock()
	k.starts++
	k.failures.reset()
	k.running[p] = struct{}{}
	k.mu.Unlock()
	if !k.h.goRun(func(context.Context) { k.watch(p) }) {
		p.kill(stoppingEnd)
		k.watch(p)
		return nil, k.stopping(op)
	}
	if !alone && k.h.limits.Health > 0 {
		k.h.goRun(p.keepAsking)
	}
	return p, nil
}

// startFailed counts a start that failed. One that the caller gave up says nothing about the plugin.
func (k *kind) startFailed(ctx context.Context, op string, err error) *sdk.Error {
	if ctx.Err() != nil || k.h.isClosed() {
		return k.unavailable(op, "it was not started: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.h.now()
	k.last = fmt.Sprintf("it cannot be started: %s", cutText(err.Error()))
	n, wait := k.failures.add(now, k.h.limits, 0)
	if k.failures.spent(now, k.h.limits) {
		k.held = &HeldError{Kind: k.name, Since: now, Times: n, Last: k.last}
		k.log.Error("plugin held", "failures", n, "last", k.last)
		return k.held.refusal(op)
	}
	k.log.Warn("plugin cannot be started", "error", err, "again_in", wait)
	e := k.unavailable(op, "%s; it is started again in %s", k.last, round(wait))
	e.RetryAfter, e.Err = wait, &DownError{Kind: k.name, Err: err}
	return e
}

// watch waits for the end of a process and draws the conclusions.
func (k *kind) watch(p *process) {
	<-p.run.done
	exit, wanted := p.run.exitText(), p.wanted()
	if k.h.config.Ended != nil {
		k.h.config.Ended(k.name, exit)
	}
	k.mu.Lock()
	delete(k.running, p)
	k.cpu += p.run.used()
	if k.shared == p {
		k.shared = nil
	}
	stopped := k.h.isClosed() || wanted == idleEnd || wanted == stoppingEnd || wanted == renewalEnd
	if !stopped {
		k.last = fmt.Sprintf("its process ended (%s)", exit)
		if wanted != "" {
			k.last = "its process was ended: " + wanted
		}
		k.accuse(p)
		if !p.alone {
			// The first crash costs no wait: the innocent want to go on.
			k.crashes.add(k.h.now(), k.h.limits, 1)
		}
	}
	k.mu.Unlock()
	if !stopped {
		if k.h.config.Crashed != nil {
			k.h.config.Crashed(k.name)
		}
		var names []string
		for i := range p.underWay() {
			names = append(names, i.settings.Instance)
		}
		slices.Sort(names)
		p.log.Error("plugin process ended", "exit", exit, "reason", wanted, "alone", p.alone, "during_calls_of", strings.Join(names, " "))
	}
	close(p.judged)
	p.many.Close()
	p.free()
}

// accuse suspects whoever had a call under way in a process that ended. Who hears people has one nearly always, in which nearly always
// nothing happens: a call that waits is suspected when there was no other, or when it was there at an earlier end within the window,
// after which those others have been tried. The lock is held.
func (k *kind) accuse(p *process) {
	k.crashes.expire(k.h.now(), k.h.limits)
	calls := p.underWay()
	waits := len(k.crashes.at) > 0 || !slices.ContainsFunc(slices.Collect(maps.Values(calls)), func(n underWay) bool { return n.calls > 0 })
	for i, n := range calls {
		i.suspect.calls = i.suspect.calls || n.calls > 0
		i.suspect.waits = i.suspect.waits || n.waits > 0 && waits
	}
}

// Reasons for a wanted end that is nobody's fault.
const (
	idleEnd     = "nothing uses it"
	stoppingEnd = "the daemon is stopping"
	renewalEnd  = "it is renewed"
)

// turn waits until a call may be under way. leave ends it.
func (k *kind) turn(ctx context.Context, op string) (leave func(), refused *sdk.Error) {
	leave = func() { <-k.turns }
	select {
	case k.turns <- struct{}{}:
		return leave, nil
	default:
	}
	if n := k.waiting.Add(1); n > int64(k.h.limits.Queue) {
		k.waiting.Add(-1)
		e := k.unavailable(op, "%d calls are under way and %d wait for them", k.h.limits.Calls, k.h.limits.Queue)
		e.RetryAfter = time.Second
		return nil, e
	}
	defer k.waiting.Add(-1)
	select {
	case k.turns <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		e := k.unavailable(op, "the call waited for %d others, and was given up before it was made", k.h.limits.Calls)
		e.Err = context.Cause(ctx)
		return nil, e
	}
}

// mustBeAlone reports whether calls of the instance are made in a process of its own.
func (k *kind) mustBeAlone(i *instance, op wire.Op) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return *i.suspicion(op) || k.crashes.spent(k.h.now(), k.h.limits)
}

// admit refuses a call of an instance that is held or has just been struck.
func (k *kind) admit(i *instance, op string) *sdk.Error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, open := k.instances[i]; !open {
		return k.unavailable(op, "%s was closed", i.settings.Instance)
	}
	if i.held != nil {
		return i.held.refusal(op)
	}
	if k.held != nil {
		return k.held.refusal(op)
	}
	if wait := i.strikes.wait(k.h.now()); wait > 0 {
		e := k.unavailable(op, "%s failed (%s); it is tried again in %s", i.settings.Instance, i.last, round(wait))
		e.RetryAfter, e.Err = wait, &DownError{Kind: k.name}
		return e
	}
	return nil
}

// strike counts a proven fault of an instance.
func (k *kind) strike(i *instance, op wire.Op, what string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.h.now()
	*i.suspicion(op), i.last = true, what
	n, wait := i.strikes.add(now, k.h.limits, 0)
	log := k.log.With("instance", i.settings.Instance, "failures", n, "last", what)
	if !i.strikes.spent(now, k.h.limits) {
		log.Warn("plugin instance failed alone", "again_in", wait)
		return
	}
	i.held = &HeldError{Kind: k.name, Instance: i.settings.Instance, Since: now, Times: n, Last: what}
	log.Error("plugin instance held; it is called again when it is released")
}

// clear ends the suspicion against such calls of an instance: a call that only waited says nothing of the others.
func (k *kind) clear(i *instance, op wire.Op) {
	k.mu.Lock()
	defer k.mu.Unlock()
	*i.suspicion(op) = false
}

// release ends holds; it reports whether there was anything to release.
func (k *kind) release(instance string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	found := len(k.failures.at) > 0
	k.failures.reset() // whoever asks does not wait for the next start
	if instance == "" {
		found = found || k.held != nil || len(k.crashes.at) > 0
		k.held = nil
		k.crashes.reset()
	}
	for i := range k.instances {
		if instance == "" || i.settings.Instance == instance {
			found = found || i.held != nil || i.suspected()
			i.held, i.last = nil, ""
			i.suspect.waits, i.suspect.calls = false, false
			i.strikes.reset()
		}
	}
	return found
}

// remove forgets an instance and ends the shared process with the last one.
func (k *kind) remove(ctx context.Context, i *instance) error {
	k.mu.Lock()
	if _, ok := k.instances[i]; !ok {
		k.mu.Unlock()
		return nil
	}
	delete(k.instances, i)
	p, last := k.shared, len(k.instances) == 0
	k.mu.Unlock()
	if p == nil {
		return nil
	}
	err := p.closeInstance(ctx, i)
	if last {
		p.stop(ctx, idleEnd)
	}
	return err
}

// stop ends every process of the kind.
func (k *kind) stop(ctx context.Context) {
	k.mu.Lock()
	running := make([]*process, 0, len(k.running))
	for p := range k.running {
		running = append(running, p)
	}
	k.mu.Unlock()
	var wg sync.WaitGroup
	for _, p := range running {
		wg.Go(func() { p.stop(ctx, stoppingEnd) })
	}
	wg.Wait()
}

// round makes a wait readable.
func round(d time.Duration) time.Duration {
	if d > 10*time.Second {
		return d.Round(time.Second)
	}
	return d.Round(100 * time.Millisecond)
}

// cutText bounds what a plugin may say in a sentence of ours.
func cutText(s string) string {
	const most = 300
	s = printable(s)
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strings.ReplaceAll(s, "\n", " ")
}
