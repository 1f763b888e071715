package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const howPages = `
The page of a channel with 50 posts, asked as a browser does (Accept-Encoding: gzip), over kept-alive connections, after a second of
warming up. Requests a second: 32 clients that ask again at once, for five seconds; every answer must be the whole page with
status 200. At 1,000 requests a second: each request has its moment on a clock that nobody's slowness can delay, and its time runs
from that moment, waiting for a free connection included; ten seconds, 64 connections. The yardstick is a bare net/http server in
the bench's process that writes the same bytes; it shows what the machine and the client leave over for anybody.
`

func measurePages(ctx context.Context, b *bench) error {
	stand := newNewsstand(1)
	srv, err := serve(stand.handler())
	if err != nil {
		return err
	}
	defer srv.stop()
	s, err := b.newSite("pages")
	if err != nil {
		return err
	}
	defer s.remove()
	sources, names := sourcesOf(srv.url, 1, ", poll: 1h, baseline: all")
	if err := s.configure(sources + channelOf(names, "each: {}")); err != nil {
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
	if err := await(ctx, 20*time.Millisecond, time.Minute, "every item has its post", func() (bool, error) {
		n, err := k.count(ctx, `SELECT count(*) FROM posts WHERE status = 'live'`)
		return n == articlesShown, err
	}); err != nil {
		return err
	}
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	size, err := pageSize(s.addr)
	if err != nil {
		return err
	}
	bare, err := serve(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = w.Write(make([]byte, size))
	}))
	if err != nil {
		return err
	}
	defer bare.stop()
	what := fmt.Sprintf("page of a channel with 50 posts (%s bytes compressed)", figure(float64(size)))
	rate := b.row(what+", warm", "requests/s", atLeast(10000))
	each := b.row("… processor time a page", "ms", goal{})
	half := b.row("… at 1,000 requests/s, p50", "ms", goal{})
	most := b.row("… at 1,000 requests/s, p99", "ms", atMost(20))
	for range b.runs {
		if err := b.quiet(ctx); err != nil {
			return err
		}
		if err := b.read(ctx, d, bare.addr(), size, pageRows{rate, each, half, most}); err != nil {
			return err
		}
	}
	return d.alive()
}

type pageRows struct{ rate, each, half, most *row }

// read asks for the page in both ways, and for the same bytes elsewhere.
func (b *bench) read(ctx context.Context, d *daemon, bare string, size int, rows pageRows) error {
	for _, addr := range []string{d.site.addr, bare} {
		if _, err := closedLoop(ctx, addr, size, 32, pick(b, time.Second, 200*time.Millisecond)); err != nil {
			return err
		}
		used, begun := cpu(d.cmd.Process.Pid), time.Now()
		speed, err := closedLoop(ctx, addr, size, 32, pick(b, 5*time.Second, time.Second))
		if err != nil {
			return err
		}
		used = (cpu(d.cmd.Process.Pid) - used) / (speed * time.Since(begun).Seconds())
		times, err := openLoop(ctx, addr, size, 64, 1000, pick(b, 10*time.Second, 2*time.Second))
		if err != nil {
			return err
		}
		if addr == bare {
			const yard = "net/http, same bytes"
			rows.rate.beside(yard, speed)
			rows.half.beside(yard, times.median())
			rows.most.beside(yard, times.percentile(99))
			b.say("bare: %s requests/s; at 1,000/s p50 %s ms, p99 %s ms", figure(speed), figure(times.median()), figure(times.percentile(99)))
			continue
		}
		rows.rate.add(speed)
		rows.each.add(1000 * used)
		rows.half.add(times.median())
		rows.most.add(times.percentile(99))
		b.say("page: %s requests/s; at 1,000/s p50 %s ms, p99 %s ms", figure(speed), figure(times.median()), figure(times.percentile(99)))
	}
	return nil
}
