package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfry-news/belfry/internal/conn"
	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/sdk"
)

// instances are opened connectors by name.
type instances struct {
	p atomic.Pointer[map[string]*instance]
}

func (i *instances) all() map[string]*instance {
	if m := i.p.Load(); m != nil {
		return *m
	}
	return nil
}

func (i *instances) use(m map[string]*instance) { i.p.Store(&m) }

// acquire gives an instance that stays open until done is called; false when there is none.
func (i *instances) acquire(name string) (inst *instance, done func(), ok bool) {
	if inst, ok = i.all()[name]; !ok || !inst.enter() {
		return nil, nil, false
	}
	return inst, sync.OnceFunc(inst.leave), true
}

// closeAll closes every instance.
func (i *instances) closeAll(ctx context.Context, log *slog.Logger) error {
	var errs []error
	for name, inst := range i.all() {
		errs = append(errs, inst.close(ctx, log, name))
	}
	return errors.Join(errs...)
}

// instance is an opened connector that is closed when its last user is done.
type instance struct {
	conn        sdk.Connector
	fingerprint string
	rules       intake.Rules
	// late is set when the connector is a third party's, which is opened when it is needed.
	late *conn.Late
	// life ends with the instance. opening says that a goroutine opens it, which hinted tells to try now. Of destinations
	// with late only; opening is guarded by the lock of lanes.
	life    context.Context
	end     context.CancelFunc
	opening bool
	hinted  chan struct{}

	mu     sync.Mutex
	users  int
	closed bool
	idle   chan struct{} // closed by the last user, once closed is set
}

// newInstance makes an instance of an opened connector, or of one that is opened late.
func newInstance(c sdk.Connector, late *conn.Late, fingerprint string) *instance {
	i := &instance{conn: c, late: late, fingerprint: fingerprint, hinted: make(chan struct{}, 1)}
	i.life, i.end = context.WithCancel(context.Background())
	return i
}

// hint asks whoever opens the instance to try now.
func (i *instance) hint() {
	select {
	case i.hinted <- struct{}{}:
	default:
	}
}

// rest waits until ctx ends or somebody asks to try now, which it reports.
func (i *instance) rest(ctx context.Context, wait time.Duration) (hinted bool) {
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	case <-i.hinted:
		return true
	}
	return false
}

func (i *instance) enter() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		return false
	}
	i.users++
	return true
}

func (i *instance) leave() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.users--; i.users == 0 && i.closed {
		close(i.idle)
	}
}

// close lets nobody in any more, waits for the calls under way until ctx ends, and then closes the connector. One that is
// still in use when ctx ends is left alone, and that is the error.
func (i *instance) close(ctx context.Context, log *slog.Logger, name string) error {
	i.mu.Lock()
	if i.closed {
		i.mu.Unlock()
		return nil
	}
	i.closed, i.idle = true, make(chan struct{})
	if i.users == 0 {
		close(i.idle)
	}
	i.mu.Unlock()
	i.end()
	select {
	case <-i.idle:
	case <-ctx.Done():
		return fmt.Errorf("%s is still in use", name)
	}
	if err := i.conn.Close(ctx); err != nil {
		log.Warn("a connector did not close", "instance", name, "err", err)
	}
	return nil
}

// retire closes what a reload replaced, without waiting for it: a call under way may take its whole time.
func (a *App) retire(before, kept map[string]*instance) {
	for name, inst := range before {
		if kept[name] == inst {
			continue
		}
		a.retiring.Go(func() {
			if err := inst.close(a.life, a.log, name); err != nil {
				a.log.Warn("a replaced connector was not closed", "err", err)
			}
		})
	}
}
