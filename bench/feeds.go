package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const howFeeds = `
1,000 feeds of 50 items, half RSS, half Atom, about 600 bytes an item without images, each with a strong ETag; one channel takes all
of them for a digest that is not due. The store is made and everything paused (` + "`belfry pause all`" + `); the sources are made due by the
row that ` + "`belfry source fetch NAME`" + ` writes, all of them in a few commits; then ` + "`belfry resume all`" + `, which the daemon notices within a
second. Time runs from the first request at the feed server until every source's fetch is committed (good, its lease ended),
which is looked up from outside every two milliseconds once every feed was asked; starting the plugin's process is before it,
looking and answering are within. First everything is new, then each feed has a new edition with 5 fresh items, then nothing has
changed and each answer is 304, five times a run; that pass writes every source's state too. While items are stored the channel
looks at them; the rows "and looked at" count until it is done with the last. Processor time is that of the daemon and its plugin's
process, and other work on the machine disturbs it little. In the end the keys in the store are compared with
those that were served. The yardstick feedpull does the same requests to the same server with 16 workers and one transaction a feed, but
only keeps the items' texts; at an unchanged feed it writes nothing.
`

func measureFeeds(ctx context.Context, b *bench) error {
	feeds, rounds := pick(b, 1000, 200), pick(b, 5, 2)
	stand := newNewsstand(feeds)
	srv, err := serve(stand.handler())
	if err != nil {
		return err
	}
	defer srv.stop()
	rows := feedRows{
		cold:      b.row(fmt.Sprintf("%d feeds, 50 new items each", feeds), "feeds/s", goal{}),
		coldSeen:  b.row("… and looked at by their channel", "feeds/s", goal{}),
		fresh:     b.row(fmt.Sprintf("%d feeds, 5 of 50 items new", feeds), "feeds/s", atLeast(310)),
		freshSeen: b.row("… and looked at by their channel", "feeds/s", goal{}),
		unchanged: b.row(fmt.Sprintf("%d feeds, unchanged (304), state written", feeds), "feeds/s", atLeast(7000)),
		coldCPU:   b.row("processor time a feed, 50 new items, looked at", "ms", goal{}),
		freshCPU:  b.row("processor time a feed, 5 of 50 items new, looked at", "ms", goal{}),
		sameCPU:   b.row("processor time a feed, unchanged", "ms", goal{}),
		lost:      b.row("items lost, doubled or made up, all passes", "items", atMost(0)),
	}
	for range b.runs {
		if err := b.quiet(ctx); err != nil {
			return err
		}
		if err := b.pull(ctx, stand, srv.url, rounds, rows); err != nil {
			return err
		}
		if b.yard.folder == "" {
			continue
		}
		pulled, err := b.yard.feedpull(ctx, srv.addr(), b.dir, feeds)
		if err != nil {
			return err
		}
		const yard = "feedpull"
		for i, r := range []*row{rows.cold, rows.fresh, rows.unchanged} {
			r.beside(yard, pulled[i].rate)
		}
		for i, r := range []*row{rows.coldCPU, rows.freshCPU, rows.sameCPU} {
			r.beside(yard, pulled[i].cpu)
		}
		b.say("feedpull: %s, %s, %s feeds/s", figure(pulled[0].rate), figure(pulled[1].rate), figure(pulled[2].rate))
	}
	return nil
}

type feedRows struct {
	cold, coldSeen, fresh, freshSeen, unchanged, lost *row
	coldCPU, freshCPU, sameCPU                        *row
}

// pull is one run with a new store.
func (b *bench) pull(ctx context.Context, stand *newsstand, url string, rounds int, rows feedRows) error {
	s, err := b.newSite("feeds")
	if err != nil {
		return err
	}
	defer s.remove()
	sources, names := sourcesOf(url, stand.feeds, ", poll: 1h")
	stand.publish(0)
	d, err := s.startPaused(ctx, sources+channelOf(names, "digest: {cron: \"0 0 1 1 *\"}"))
	if err != nil {
		return err
	}
	defer d.stop()
	k, err := s.books(ctx)
	if err != nil {
		return err
	}
	defer k.close()

	p, err := b.pass(ctx, d, k, stand, names)
	if err != nil {
		return err
	}
	rows.cold.add(p.stored)
	rows.coldSeen.add(p.seen)
	rows.coldCPU.add(p.cpu)
	b.say("new: %s feeds/s stored, %s looked at, %s ms of processor time each", figure(p.stored), figure(p.seen), figure(p.cpu))

	stand.publish(1)
	if p, err = b.pass(ctx, d, k, stand, names); err != nil {
		return err
	}
	rows.fresh.add(p.stored)
	rows.freshSeen.add(p.seen)
	rows.freshCPU.add(p.cpu)
	b.say("5 fresh: %s feeds/s stored, %s looked at, %s ms of processor time each", figure(p.stored), figure(p.seen), figure(p.cpu))

	same := 0.0
	for range rounds {
		if p, err = b.pass(ctx, d, k, stand, names); err != nil {
			return err
		}
		same += p.cpu
		if n := stand.unchanged.Load(); n != int64(stand.feeds) {
			return fmt.Errorf("%d of %d feeds were answered with 304", n, stand.feeds)
		}
		rows.unchanged.add(p.stored)
		b.say("unchanged: %s feeds/s", figure(p.stored))
	}
	rows.sameCPU.add(same / float64(rounds)) // one round is too short for the clock of processor time
	wrong, err := astray(ctx, k, stand, names, 1)
	if err != nil {
		return err
	}
	rows.lost.add(float64(wrong))
	return nil
}

// passed is what one pass over all sources took.
type passed struct {
	// stored and seen are the feeds a second until they were stored, and until their channel had looked at the items.
	stored, seen float64
	// cpu is the processor time of the daemon and its processes, in milliseconds a feed.
	cpu float64
}

// pass has every source fetched once.
func (b *bench) pass(ctx context.Context, d *daemon, k *books, stand *newsstand, names []string) (passed, error) {
	if err := d.site.command(ctx, "pause", "all"); err != nil {
		return passed{}, err
	}
	if err := k.fetchNow(ctx, names); err != nil {
		return passed{}, err
	}
	stand.reset()
	since, used := time.Now(), cpu(d.cmd.Process.Pid)
	if err := d.site.command(ctx, "resume", "all"); err != nil {
		return passed{}, err
	}
	if err := stand.everyFeedAsked(ctx, d); err != nil {
		return passed{}, err
	}
	if err := await(ctx, 2*time.Millisecond, time.Minute, "every fetch is stored", func() (bool, error) {
		n, err := k.fetched(ctx, since)
		return n == len(names), err
	}); err != nil {
		return passed{}, fmt.Errorf("%w\n%s", err, d.site.tail())
	}
	stored := time.Now()
	if err := await(ctx, 10*time.Millisecond, 15*time.Minute, "every item is looked at", func() (bool, error) {
		n, err := k.unseen(ctx)
		return n == 0, err
	}); err != nil {
		return passed{}, err
	}
	begun, err := stand.begun()
	n := float64(len(names))
	return passed{stored: n / stored.Sub(begun).Seconds(), seen: n / time.Since(begun).Seconds(),
		cpu: 1000 * (cpu(d.cmd.Process.Pid) - used) / n}, err
}

// astray counts the items that are in the store and were never served, and those that were served and are not there. That
// a key stands twice is what the count of rows tells.
func astray(ctx context.Context, k *books, stand *newsstand, names []string, edition int) (int, error) {
	have, err := k.keys(ctx)
	if err != nil {
		return 0, err
	}
	rows, err := k.count(ctx, `SELECT count(*) FROM items`)
	if err != nil {
		return 0, err
	}
	wrong, distinct := 0, 0
	for i, name := range names {
		served := stand.served(i, edition)
		for key := range served {
			if !have[name][key] {
				wrong++
			}
		}
		for key := range have[name] {
			if !served[key] {
				wrong++
			}
		}
		distinct += len(have[name])
	}
	return wrong + rows - distinct, nil
}

// channelOf writes a channel that takes sources.
func channelOf(names []string, rest string) string {
	return fmt.Sprintf("channels:\n  news:\n    title: News\n    sources: [%s]\n    %s\n", strings.Join(names, ", "), rest)
}
