package main

import (
	"context"
	"fmt"
	"strings"
	"time"
)

const howPosts = `
Ten feeds of 50 items, all to be posted (` + "`baseline: all`" + `), in one channel that publishes each item to so many destinations of the type http,
in the standard form, signed, all of them at one sink; the defaults otherwise. Everything flows at once: fetching, composing and
sending. Time runs from the first call that the sink accepts to the last. Then the bench waits until the store has settled
everything, and compares: for each post and destination there must be exactly one delivery, sent, and at the sink exactly one call.
The processor time is all that the daemon and its plugin's process used since their start, for many destinations. With one destination a post waits for the one before; many destinations share commits. The yardstick httpload makes as many calls of the
same size over as many connections to the same sink, and writes nothing.
`

func measurePosts(ctx context.Context, b *bench) error {
	feeds := pick(b, 10, 2)
	many := pick(b, 32, 8)
	stand := newNewsstand(feeds)
	srv, err := serve(stand.handler())
	if err != nil {
		return err
	}
	defer srv.stop()
	all := b.row(fmt.Sprintf("posts to %d HTTP destinations, each with a durable outcome", many), "posts/s", atLeast(5000))
	one := b.row("posts to one HTTP destination, each with a durable outcome", "posts/s", goal{})
	each := b.row("processor time a post, all of the way", "ms", goal{})
	lost := b.row("posts lost or doubled", "posts", atMost(0))
	for range b.runs {
		for _, part := range []struct {
			destinations int
			rate, each   *row
		}{{many, all, each}, {1, one, nil}} {
			if err := b.quiet(ctx); err != nil {
				return err
			}
			if err := b.post(ctx, srv.url, feeds, part.destinations, part.rate, part.each, lost); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) post(ctx context.Context, url string, feeds, destinations int, rate, each, lost *row) error {
	receiver := newSink()
	sinkServer, err := serve(receiver)
	if err != nil {
		return err
	}
	defer sinkServer.stop()
	s, err := b.newSite("posts")
	if err != nil {
		return err
	}
	defer s.remove()
	sources, names := sourcesOf(url, feeds, ", poll: 1h, baseline: all")
	to, text := destinationsOf(sinkServer.url, destinations)
	if err := s.configure(sources + text + channelOf(names, "each: {}\n    publish_to: ["+to+"]")); err != nil {
		return err
	}
	d, err := s.start(ctx)
	if err != nil {
		return err
	}
	defer d.stop()
	k, err := s.books(ctx)
	if err != nil {
		return err
	}
	defer k.close()
	want := feeds * articlesShown * destinations
	if err := await(ctx, 20*time.Millisecond, 10*time.Minute, "every post has arrived", func() (bool, error) {
		return receiver.tally().distinct >= want, d.alive()
	}); err != nil {
		return fmt.Errorf("%w: %d of %d\n%s", err, receiver.tally().distinct, want, s.tail())
	}
	sent := 0
	err = await(ctx, 20*time.Millisecond, time.Minute, "every outcome is stored", func() (_ bool, err error) {
		sent, err = k.count(ctx, `SELECT count(*) FROM deliveries WHERE state = 'sent' AND settled_at > 0`)
		return sent >= want, err
	})
	if err != nil && sent == 0 {
		return err
	}
	total, err := k.count(ctx, `SELECT count(*) FROM deliveries`)
	if err != nil {
		return err
	}
	t := receiver.tally()
	lost.add(float64(max(want-sent, 0) + max(total-want, 0) + max(t.distinct-want, 0) + t.repeated))
	speed := float64(want-1) / t.last.Sub(t.first).Seconds()
	rate.add(speed)
	used := 1000 * cpu(d.cmd.Process.Pid) / float64(want)
	if each != nil {
		each.add(used)
	}
	b.say("%d posts to %d destinations: %s posts/s, %s ms of processor time and %d bytes each", want, destinations, figure(speed), figure(used), t.meanSize)
	if b.yard.folder == "" {
		return nil
	}
	d.stop()
	bare, err := b.yard.httpload(ctx, sinkServer.addr(), want, destinations, t.meanSize)
	if err != nil {
		return err
	}
	rate.beside("httpload", bare)
	b.say("httpload: %s calls/s", figure(bare))
	return nil
}

// destinationsOf writes destinations at a sink, and what a channel says to publish to them.
func destinationsOf(url string, n int) (to, text string) {
	var out strings.Builder
	out.WriteString("destinations:\n")
	list := make([]string, n)
	for i := range n {
		fmt.Fprintf(&out, "  to%d: {type: http, url: \"%s/to/%d\", secret: %s, allow_private: [127.0.0.0/8]}\n", i, url, i, signingSecret)
		list[i] = fmt.Sprintf("{destination: to%d}", i)
	}
	return strings.Join(list, ", "), out.String()
}

// signingSecret signs calls to a sink that checks no signatures.
const signingSecret = "whsec_YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2g="
