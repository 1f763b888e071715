package main

import (
	"context"
	"fmt"
	"time"
)

const howMemory = `
The proportional set sizes (` + "`Pss` of `/proc/PID/smaps_rollup`" + `) of the daemon and every process that it started, summed. Idle: one feed of 50
items, one channel, one HTTP destination; the feed was fetched, its items stored, and nothing has happened for twenty seconds. Once with
feeds parsed in the daemon (` + "`isolation: none`" + `), once in a process of their own, which is the default. With 2,000 feeds of 50 items: fetched once as
fast as it goes, looked at every tenth of a second for the peak, and then left alone for twenty seconds. Ready is the time from the
start of the process to the first 200 of /readyz, asked every millisecond: at the very first start, which makes the database,
with the database there, and with 2,000 feeds in it.
`

func measureMemory(ctx context.Context, b *bench) error {
	feeds := pick(b, 2000, 200)
	rows := memoryRows{
		inside:    b.row("idle memory, feeds parsed in the daemon", "MiB", atMost(30)),
		isolated:  b.row("idle memory, feeds parsed in a process of their own", "MiB", atMost(60)),
		many:      b.row(fmt.Sprintf("idle memory with %d feeds of 50 items", feeds), "MiB", goal{}),
		peak:      b.row(fmt.Sprintf("peak memory while %d feeds are fetched for the first time", feeds), "MiB", goal{}),
		first:     b.row("ready after the very first start", "s", atMost(0.3)),
		again:     b.row("ready after a start", "s", atMost(0.3)),
		manyAgain: b.row(fmt.Sprintf("ready after a start with %d feeds", feeds), "s", goal{}),
	}
	stand := newNewsstand(feeds)
	srv, err := serve(stand.handler())
	if err != nil {
		return err
	}
	defer srv.stop()
	for range b.runs {
		if err := b.quiet(ctx); err != nil {
			return err
		}
		if err := b.idle(ctx, srv.url, "none", rows.inside, rows); err != nil {
			return err
		}
		if err := b.idle(ctx, srv.url, "process", rows.isolated, rows); err != nil {
			return err
		}
		if err := b.manyFeeds(ctx, stand, srv.url, rows); err != nil {
			return err
		}
	}
	return nil
}

type memoryRows struct{ inside, isolated, many, peak, first, again, manyAgain *row }

// idle measures a small site that has nothing to do.
func (b *bench) idle(ctx context.Context, url, isolation string, memory *row, rows memoryRows) error {
	receiver, err := serve(newSink())
	if err != nil {
		return err
	}
	defer receiver.stop()
	s, err := b.newSite("idle")
	if err != nil {
		return err
	}
	defer s.remove()
	sources, names := sourcesOf(url, 1, ", poll: 1h, isolation: "+isolation)
	to, text := destinationsOf(receiver.url, 1)
	if err := s.configure(sources + text + channelOf(names, "each: {}\n    publish_to: ["+to+"]")); err != nil {
		return err
	}
	d, err := s.start(ctx)
	if err != nil {
		return err
	}
	rows.first.add(d.ready.Seconds())
	if err := pause(ctx, time.Second); err != nil {
		d.stop()
		return err
	}
	d.stop()
	if d, err = s.start(ctx); err != nil {
		return err
	}
	defer d.stop()
	rows.again.add(d.ready.Seconds())
	k, err := s.books(ctx)
	if err != nil {
		return err
	}
	defer k.close()
	// The fetch after the start: one more, so that the plugin's process has run in this daemon.
	since := time.Now()
	if err := k.fetchNow(ctx, names); err != nil {
		return err
	}
	if err := await(ctx, 20*time.Millisecond, time.Minute, "the feed is fetched", func() (bool, error) {
		n, err := k.fetched(ctx, since)
		return n == len(names), err
	}); err != nil {
		return err
	}
	mib, processes, err := b.settled(ctx, d)
	if err != nil {
		return err
	}
	memory.add(mib)
	b.say("idle, isolation %s: %s MiB in %d processes; ready after %s s at first, then %s s", isolation, figure(mib), processes,
		figure(rows.first.Values[len(rows.first.Values)-1]), figure(d.ready.Seconds()))
	if want := map[string]int{"none": 1, "process": 2}[isolation]; processes != want {
		return fmt.Errorf("isolation %s has %d processes, %d were expected", isolation, processes, want)
	}
	return nil
}

// settled leaves the daemon alone and then looks at its memory.
func (b *bench) settled(ctx context.Context, d *daemon) (float64, int, error) {
	if err := pause(ctx, pick(b, 20*time.Second, 4*time.Second)); err != nil {
		return 0, 0, err
	}
	if err := d.alive(); err != nil {
		return 0, 0, err
	}
	return pss(d.cmd.Process.Pid)
}

// manyFeeds measures a site with many feeds.
func (b *bench) manyFeeds(ctx context.Context, stand *newsstand, url string, rows memoryRows) error {
	s, err := b.newSite("many")
	if err != nil {
		return err
	}
	defer s.remove()
	sources, names := sourcesOf(url, stand.feeds, ", poll: 1h")
	d, err := s.startPaused(ctx, sources+channelOf(names, "digest: {cron: \"0 0 1 1 *\"}"))
	if err != nil {
		return err
	}
	defer func() { d.stop() }()
	k, err := s.books(ctx)
	if err != nil {
		return err
	}
	defer k.close()
	if err := k.fetchNow(ctx, names); err != nil {
		return err
	}
	since := time.Now()
	if err := s.command(ctx, "resume", "all"); err != nil {
		return err
	}
	peak := 0.0
	if err := await(ctx, 100*time.Millisecond, 5*time.Minute, "every feed is fetched", func() (bool, error) {
		mib, _, err := pss(d.cmd.Process.Pid)
		if err != nil {
			return false, err
		}
		peak = max(peak, mib)
		n, err := k.fetched(ctx, since)
		return n == len(names), err
	}); err != nil {
		return fmt.Errorf("%w\n%s", err, s.tail())
	}
	mib, _, err := b.settled(ctx, d)
	if err != nil {
		return err
	}
	rows.peak.add(peak)
	rows.many.add(mib)
	d.stop()
	if d, err = s.start(ctx); err != nil {
		return err
	}
	rows.manyAgain.add(d.ready.Seconds())
	b.say("%d feeds: %s MiB idle, %s MiB at the peak, ready after %s s", stand.feeds, figure(mib), figure(peak), figure(d.ready.Seconds()))
	return nil
}
