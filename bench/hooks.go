package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const howHooks = `
Signed webhooks of 2 KB (the scheme ` + "`github`" + `, every one a delivery of its own) to one source, whose calls are kept by SQLite with
synchronous=FULL before they are answered, while the source's process maps those that came. The rate is measured over 64
connections that call as fast as they are answered; the time of an answer at 500 calls a second, each sent at its own time whether
or not the ones before were answered. An answer other than a 2xx fails the bench. Then the daemon runs under strace, and calls follow each
other one by one: every 2xx has to follow an fdatasync or fsync that ended after the answer before it.
`

const (
	hookSecret = "a secret of the bench"
	hookSize   = 2 << 10
	hookSpan   = 5 * time.Second
	hookSteady = 500 // calls a second
)

func measureHooks(ctx context.Context, b *bench) error {
	rate := b.row("signed webhooks of 2 KB taken a second", "1/s", atLeast(2000))
	most := b.row("answer to a webhook, p99, 500/s", "ms", atMost(50))
	for range b.runs {
		if err := b.quiet(ctx); err != nil {
			return err
		}
		perSecond, times, err := b.callHooks(ctx)
		if err != nil {
			return err
		}
		rate.add(perSecond)
		most.add(times.percentile(99))
		b.say("%s calls a second; at 500/s: p50 %s ms, p99 %s ms", figure(perSecond), figure(times.median()), figure(times.percentile(99)))
	}
	n, err := b.traceHooks(ctx)
	if err == nil {
		b.say("strace: each of %d answers follows a sync of its own", n)
	}
	return err
}

const hookSource = `sources:
  desk: {type: webhook, signature: github, secret: "` + hookSecret + `", calls_per_second: 100000, max_new: 1000000, map: {key: body.id, title: body.title}}
channels:
  news: {title: News, sources: [desk], each: {}}
`

// hooks calls a daemon.
type hooks struct {
	url    string
	client *http.Client
	n      atomic.Int64
}

func newHooks(addr string) *hooks {
	return &hooks{url: "http://" + addr + "/hooks/desk", client: &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConns: 256, MaxIdleConnsPerHost: 256}}}
}

// call sends one webhook and gives how long its answer took.
func (h *hooks) call(ctx context.Context) (time.Duration, error) {
	body := fmt.Appendf(nil, `{"id":"a-%d","title":"T","text":"`, h.n.Add(1)%100)
	body = append(body, bytes.Repeat([]byte("x"), hookSize-len(body)-40)...)
	body = fmt.Appendf(body, `","at":%d}`, time.Now().UnixNano())
	mac := hmac.New(sha256.New, []byte(hookSecret))
	mac.Write(body)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	begun := time.Now()
	res, err := h.client.Do(r)
	if err != nil {
		return 0, err
	}
	said, err := io.ReadAll(res.Body)
	took := time.Since(begun)
	_ = res.Body.Close()
	if err == nil && (res.StatusCode != http.StatusOK || !bytes.Contains(said, []byte("accepted"))) {
		err = fmt.Errorf("a webhook was answered with %d: %s", res.StatusCode, said)
	}
	return took, err
}

// callHooks gives the rate over many connections, and the times of answers at a steady pace in milliseconds.
func (b *bench) callHooks(ctx context.Context) (rate float64, times sample, err error) {
	s, err := b.newSite("hooks")
	if err != nil {
		return 0, nil, err
	}
	defer s.remove()
	if err := s.configure(hookSource); err != nil {
		return 0, nil, err
	}
	d, err := s.start(ctx)
	if err != nil {
		return 0, nil, err
	}
	defer d.stop()
	h := newHooks(s.addr)
	defer h.client.CloseIdleConnections()
	var mu sync.Mutex
	var wg sync.WaitGroup
	var errs []error
	note := func(took time.Duration, err error) {
		mu.Lock()
		defer mu.Unlock()
		if times = append(times, float64(took)/float64(time.Millisecond)); err != nil && len(errs) < 3 {
			errs = append(errs, err)
		}
	}
	begun := time.Now()
	tick := time.NewTicker(time.Second / hookSteady)
	defer tick.Stop()
	for time.Since(begun) < hookSpan {
		<-tick.C
		wg.Go(func() { note(h.call(ctx)) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return 0, nil, err
	}
	steady := times
	times = nil
	begun = time.Now()
	for range 64 {
		wg.Go(func() {
			for time.Since(begun) < hookSpan && ctx.Err() == nil {
				took, err := h.call(ctx)
				if note(took, err); err != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(len(times)) / time.Since(begun).Seconds(), steady, errors.Join(errs...)
}

// traceHooks calls a daemon under strace one call after the other, and gives how many of its answers followed a sync of their
// own.
func (b *bench) traceHooks(ctx context.Context) (int, error) {
	s, err := b.newSite("hooks-strace")
	if err != nil {
		return 0, err
	}
	defer s.remove()
	// While the source is paused nothing is mapped, and no other commit lends a call its sync.
	if err := s.configure(strings.Replace(hookSource, "type: webhook", "isolation: none, type: webhook", 1)); err != nil {
		return 0, err
	}
	first, err := s.start(ctx)
	if err != nil {
		return 0, err
	}
	first.stop()
	if err := s.command(ctx, "pause", "all"); err != nil {
		return 0, err
	}
	trace := filepath.Join(s.dir, "trace")
	traced := *b
	wrapper := filepath.Join(s.dir, "traced")
	script := fmt.Sprintf("#!/bin/sh\nexec strace -D -f -qq -s 16 -e trace=fdatasync,fsync,write -o '%s' '%s' \"$@\"\n", trace, b.belfry)
	if err := os.WriteFile(wrapper, []byte(script), 0o700); err != nil { //nolint:gosec // it has to be run
		return 0, err
	}
	if _, err := exec.LookPath("strace"); err != nil {
		return 0, fmt.Errorf("strace is missing (Debian: strace): %w", err)
	}
	traced.belfry = wrapper
	under := *s
	under.b = &traced
	d, err := under.start(ctx)
	if err != nil {
		return 0, err
	}
	const calls = 50
	h := newHooks(s.addr)
	for range calls {
		if _, err := h.call(ctx); err != nil {
			d.stop()
			return 0, err
		}
	}
	h.client.CloseIdleConnections()
	d.stop()
	f, err := os.Open(trace)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	synced, answered := false, 0
	for lines := bufio.NewScanner(f); lines.Scan(); {
		switch line := lines.Text(); {
		case strings.Contains(line, "sync") && strings.Contains(line, "= 0"):
			synced = true
		case strings.Contains(line, "write(") && strings.Contains(line, `"HTTP/1.1 200 `):
			if answered++; !synced && answered > 1 { // the first may be that of /readyz
				return 0, fmt.Errorf("answer %d left before a sync of its own:\n%s", answered, line)
			}
			synced = false
		}
	}
	if answered < calls {
		return 0, fmt.Errorf("strace saw %d answers of %d", answered, calls)
	}
	return calls, nil
}
