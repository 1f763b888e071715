package demo

import (
	"context"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/scheduler"
)

// Options of a demonstration.
type Options struct {
	// Addr is where everything is seen, such as 127.0.0.1:8080.
	Addr string
	// Feed is the address of somebody's own feed; empty for the invented newspaper.
	Feed string
	// DataDir is an empty folder that stays, to be looked into afterwards; without a name there is one that goes when the demonstration ends.
	DataDir string
	// Speed makes time between articles shorter; 1 is the usual pace, 0 counts as 1.
	Speed float64
	// Program is the file of belfry, which the daemon is started from.
	Program string
	// Environ is the environment of the daemon, as os.Environ gives it.
	Environ []string
	// Make says that `make run` started it, which decides how the screen names commands.
	Make bool
	// Out gets the screen, Err what a person should know later.
	Out, Err io.Writer
}

// The pace of the newsroom at the usual speed.
const (
	firstArticle = 12 * time.Second
	nextArticle  = 24 * time.Second
	darkTime     = 1800 * time.Millisecond
	// resting is after how long without a visitor the newsroom writes nothing more.
	resting = 10 * time.Minute
)

// Demo is a running demonstration.
type Demo struct {
	o    Options
	zone *time.Location
	dir  string
	// base is the address readers use.
	base  string
	found int // articles at the start

	paper     paper
	newsroom  *newsroom // nil with somebody's own feed
	own       *ownFeed  // nil without
	editions  map[string]edition
	receivers *receivers
	mailbox   *mailbox
	browser   *browser
	readers   map[string]*reader // by edition
	daemon    *daemon
	watch     *stopwatch
	breaker   *breaker
	hub       *hub
	pages     *pages
	digests   map[string]scheduler.Spec // by channel

	db      atomic.Pointer[store.DB]
	named   atomic.Bool  // whether the channel of somebody's own feed has its name
	nextAt  atomic.Int64 // when the next article comes, in Unix milliseconds; 0 when none will
	ctx     context.Context
	cancel  context.CancelFunc
	tasks   sync.WaitGroup
	undo    []func()
	errMu   sync.Mutex
	lastErr string
}

// Run shows Belfry at work until the context ends. The error is a sentence that says what to do.
func Run(ctx context.Context, o Options) error {
	d, err := Start(ctx, o)
	if err != nil {
		return err
	}
	d.Settle(ctx)
	d.screen(ctx)
	<-ctx.Done()
	return d.Stop()
}

// Start starts everything. On an error nothing is left of it.
func Start(ctx context.Context, o Options) (_ *Demo, err error) {
	if o.Speed <= 0 {
		o.Speed = 1
	}
	d := &Demo{o: o, zone: localZone(), hub: newHub()}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	defer func() {
		if err != nil {
			_ = d.Stop()
		}
	}()
	public, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, d.portTaken(err)
	}
	d.undo = append(d.undo, func() { _ = public.Close() })
	d.base = baseOf(public.Addr())
	if err := d.folder(); err != nil {
		return nil, err
	}
	if err := d.stage(ctx); err != nil {
		return nil, err
	}
	if d.pages, err = newPages(d); err != nil {
		return nil, err
	}
	d.serve(public, d.hub.noting(d.pages.routes()))
	if err := d.daemon.Start(ctx); err != nil {
		return nil, err
	}
	if err := d.openStore(ctx); err != nil {
		return nil, err
	}
	d.watch.Start()
	d.undo = append(d.undo, d.watch.Stop)
	d.tasks.Go(d.followStore)
	if d.newsroom != nil {
		d.tasks.Go(d.write)
	}
	if d.own != nil {
		d.tasks.Go(d.takeName)
	}
	return d, nil
}

// trouble tells a person what they should know, once.
func (d *Demo) trouble(sentence string) {
	d.errMu.Lock()
	defer d.errMu.Unlock()
	if sentence == d.lastErr || d.o.Err == nil {
		return
	}
	d.lastErr = sentence
	fmt.Fprintln(d.o.Err, "belfry:", sentence)
}

// Settle waits until the pages show what was there at the start, or somebody's own feed was read once; not for long.
func (d *Demo) Settle(ctx context.Context) {
	deadline := time.Now().Add(6 * time.Second)
	for ctx.Err() == nil && time.Now().Before(deadline) && !d.settled(ctx) {
		pause(ctx, 50*time.Millisecond)
	}
}

func (d *Demo) settled(ctx context.Context) bool {
	if d.own != nil {
		st, err := d.own.State(ctx)
		return err == nil && (st.Read && d.named.Load() || st.Trouble != "")
	}
	counts, err := d.db.Load().ChannelCounts(ctx)
	if err != nil {
		return false
	}
	n := 0
	for _, e := range d.editions {
		n += counts[e.Channel].Posts
	}
	return n >= d.found*2/3
}

// Stop ends everything, the newest first.
func (d *Demo) Stop() error {
	d.cancel()
	for len(d.undo) > 0 {
		last := d.undo[len(d.undo)-1]
		d.undo = d.undo[:len(d.undo)-1]
		last()
	}
	d.tasks.Wait()
	return nil
}

// Base is the address readers use.
func (d *Demo) Base() string { return d.base }
