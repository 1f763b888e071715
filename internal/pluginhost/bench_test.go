//go:build linux

package pluginhost

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// BenchmarkCall is the smallest call there is: what isolation adds to each.
func BenchmarkCall(b *testing.B) {
	f := newFixture(b, nil)
	c, _ := sdk.As[sdk.Checker](f.open("good", "a", map[string]any{}))
	items := []sdk.ItemRef{{Key: "1", URL: "https://news.example/1"}}
	if _, err := c.CheckItems(b.Context(), items); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := c.CheckItems(b.Context(), items); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCallParallel is the same from many callers at once.
func BenchmarkCallParallel(b *testing.B) {
	f := newFixture(b, nil)
	c, _ := sdk.As[sdk.Checker](f.open("good", "a", map[string]any{}))
	items := []sdk.ItemRef{{Key: "1", URL: "https://news.example/1"}}
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.CheckItems(context.Background(), items); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkFetchParallel is the smallest fetch, by sixteen instances at once as the daemon makes them.
func BenchmarkFetchParallel(b *testing.B) {
	f := newFixture(b, nil)
	var sources []sdk.Source
	for i := range 16 {
		sources = append(sources, source(b, f.open("good", fmt.Sprint("a", i), map[string]any{"items": jsonNumber(0)})))
	}
	mustFetch(b, sources[0])
	left := atomic.Int64{}
	left.Store(int64(b.N))
	b.ResetTimer()
	var wg sync.WaitGroup
	for _, s := range sources {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if _, err := s.Fetch(context.Background(), sdk.FetchRequest{}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkFetch moves batches of 500 items with texts of a kilobyte; an operation is one batch.
func BenchmarkFetch(b *testing.B) {
	f := newFixture(b, nil)
	s := source(b, f.open("good", "a", map[string]any{"items": jsonNumber(500), "size": jsonNumber(1000)}))
	if _, err := s.Fetch(b.Context(), sdk.FetchRequest{}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := s.Fetch(b.Context(), sdk.FetchRequest{}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(500*float64(b.N)/b.Elapsed().Seconds(), "items/s")
}

// BenchmarkEndlessStream is one fetch of a plugin that sends items without end, until it is refused. What it costs the host is
// told as processor time, which other work on the machine does not change much.
func BenchmarkEndlessStream(b *testing.B) {
	f := newFixture(b, nil)
	s := source(b, mustOpenKind(b, f, "liar"))
	fetch := func() error {
		_, err := s.Fetch(b.Context(), sdk.FetchRequest{Cursor: sdk.Cursor("items without end")})
		return err
	}
	used := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	wantCode(b, fetch(), sdk.CodeTooLarge)
	b.ReportAllocs()
	before := used()
	for b.Loop() {
		if fetch() == nil {
			b.Fatal("it was taken")
		}
	}
	b.ReportMetric(float64((used()-before).Microseconds())/float64(b.N), "host-µs/op")
}

// BenchmarkStart starts a process, until it has answered its first call, and ends it.
func BenchmarkStart(b *testing.B) {
	f := newFixture(b, nil)
	for b.Loop() {
		conn := f.open("good", "a", map[string]any{})
		if _, err := source(b, conn).Fetch(b.Context(), sdk.FetchRequest{}); err != nil {
			b.Fatal(err)
		}
		if err := conn.Close(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkNeighbour is the smallest call of a plugin while another one misbehaves, which is called and started again a second
// after each time, sooner than the daemon's pauses allow. An operation is one call beside the culprit; as many are made before
// and after it, without. Reported are the 99th percentiles, in microseconds, and their ratio; "nobody" shows what chance does. Run
// it with -benchtime=4000x.
func BenchmarkNeighbour(b *testing.B) {
	const pause = time.Second
	for _, c := range append([]culprit{{name: "nobody"}}, culprits()...) {
		b.Run(c.name, func(b *testing.B) {
			f := newFixture(b, func(cfg *Config) {
				l := &cfg.Limits
				l.Call, l.Start, l.Budget, l.BackoffMin, l.BackoffMax = 2*time.Second, 2*time.Second, 1<<30, pause, pause
			})
			checker, _ := sdk.As[sdk.Checker](f.open("good", "neighbour", map[string]any{}))
			items := []sdk.ItemRef{{Key: "1", URL: "https://news.example/1"}}
			calls := func(n int) (took []time.Duration) {
				for range n {
					began := time.Now()
					if _, err := checker.CheckItems(b.Context(), items); err != nil {
						b.Error(err)
					}
					took = append(took, time.Since(began))
					time.Sleep(time.Millisecond) // as the daemon calls: now and then, and not to see what a processor can do
				}
				return took
			}
			calls(100)
			alone := calls(b.N)
			ctx, cancel := context.WithCancel(b.Context())
			var culprit sync.WaitGroup
			if c.name != "nobody" {
				call := c.call(f, "")
				culprit.Go(func() {
					for ctx.Err() == nil {
						short, end := context.WithTimeout(ctx, 2*time.Second)
						_ = call(short) // it fails, as it is meant to
						end()
						select {
						case <-time.After(pause):
						case <-ctx.Done():
						}
					}
				})
			}
			b.ResetTimer()
			beside := calls(b.N)
			b.StopTimer()
			cancel()
			culprit.Wait()
			alone = append(alone, calls(b.N)...)
			p99 := func(took []time.Duration) float64 {
				slices.Sort(took)
				return float64(took[len(took)*99/100].Microseconds())
			}
			b.ReportMetric(p99(alone), "alone-µs")
			b.ReportMetric(p99(beside), "beside-µs")
			b.ReportMetric(p99(beside)/p99(alone), "ratio")
		})
	}
}
