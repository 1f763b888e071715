package main

import (
	"context"
	"fmt"
	"time"
)

const howLatency = `
Twenty feeds, each polled every second (` + "`poll: 1s`" + `), each bringing one new item with every answer: twenty posts a second from a channel
to one HTTP destination. An item's time runs from the moment before the first byte of the answer that first held it left the feed
server, to the moment when the sink had read the call about it: fetching, parsing in the plugin's process, storing, composing,
sending. The first answer of a feed is what its source starts from and makes no post. Each run lasts half a minute after two
seconds of warming up, and gives one p50 and one p99 (nearest rank). An item that did not arrive within 10 s fails the bench.
`

func measureLatency(ctx context.Context, b *bench) error {
	half := b.row("from the feed's answer to the destination, p50, 20 posts/s", "ms", goal{})
	most := b.row("from the feed's answer to the destination, p99, 20 posts/s", "ms", atMost(100))
	for range b.runs {
		if err := b.quiet(ctx); err != nil {
			return err
		}
		times, err := b.ring(ctx)
		if err != nil {
			return err
		}
		half.add(times.median())
		most.add(times.percentile(99))
		b.say("%d posts: p50 %s ms, p99 %s ms, at most %s ms", len(times), figure(times.median()), figure(times.percentile(99)), figure(times.percentile(100)))
	}
	return nil
}

// ring lets news come for a while and gives how long each item took, in milliseconds.
func (b *bench) ring(ctx context.Context) (sample, error) {
	const feeds = 20
	news, receiver := newTicker(), newSink()
	newsServer, err := serve(news)
	if err != nil {
		return nil, err
	}
	defer newsServer.stop()
	sinkServer, err := serve(receiver)
	if err != nil {
		return nil, err
	}
	defer sinkServer.stop()
	s, err := b.newSite("latency")
	if err != nil {
		return nil, err
	}
	defer s.remove()
	sources, names := sourcesOf(newsServer.url, feeds, ", poll: 1s")
	to, text := destinationsOf(sinkServer.url, 1)
	if err := s.configure(sources + text + channelOf(names, "each: {}\n    publish_to: ["+to+"]")); err != nil {
		return nil, err
	}
	d, err := s.start(ctx)
	if err != nil {
		return nil, err
	}
	defer d.stop()
	if err := pause(ctx, 2*time.Second); err != nil {
		return nil, err
	}
	begun := time.Now()
	if err := pause(ctx, pick(b, 30*time.Second, 5*time.Second)); err != nil {
		return nil, err
	}
	ended := time.Now()
	var out sample
	err = await(ctx, 20*time.Millisecond, 10*time.Second, "every item has arrived", func() (bool, error) {
		out = nil
		for url, served := range news.times() {
			if served.Before(begun) || served.After(ended) {
				continue
			}
			at, ok := receiver.arrival(url)
			if !ok {
				return false, d.alive()
			}
			out = append(out, float64(at.Sub(served).Microseconds())/1000)
		}
		return len(out) > 0, nil
	})
	if err != nil {
		return nil, fmt.Errorf("%w\n%s", err, s.tail())
	}
	return out, nil
}
