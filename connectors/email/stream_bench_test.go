package email

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/belfry-news/belfry/connectors/email/emailtest"
	"github.com/belfry-news/belfry/sdk"
)

// sink takes everything, as fast as it comes.
func sink(tb testing.TB) (addr string, taken *atomic.Int64) {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	taken = new(atomic.Int64)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer c.Close(); swallow(c, taken) })
		}
	})
	tb.Cleanup(func() { l.Close(); wg.Wait() })
	return l.Addr().String(), taken
}

func swallow(c net.Conn, taken *atomic.Int64) {
	r, w := bufio.NewReaderSize(c, 64<<10), bufio.NewWriter(c)
	reply := func(s string) bool {
		w.WriteString(s)
		return r.Buffered() > 0 || w.Flush() == nil
	}
	w.WriteString("220 sink\r\n")
	w.Flush()
	for text := false; ; {
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		ok := true
		switch {
		case text && len(line) == 3 && line[0] == '.':
			text = false
			taken.Add(1)
			ok = reply("250 ok\r\n")
		case text:
		case bytes.HasPrefix(line, []byte("EHLO")):
			ok = reply("250-sink\r\n250 PIPELINING\r\n")
		case bytes.HasPrefix(line, []byte("DATA")):
			text = true
			ok = reply("354 go\r\n")
		default:
			ok = reply("250 ok\r\n")
		}
		if !ok {
			return
		}
	}
}

// endless hands out one message again and again.
type endless struct {
	left atomic.Int64
	bad  atomic.Int64
	m    sdk.DirectMessage
}

func (e *endless) Next(context.Context) (sdk.DirectMessage, bool) { return e.m, e.left.Add(-1) >= 0 }

func (e *endless) Done(_ string, _ sdk.MessageRef, err error) {
	if err != nil {
		e.bad.Add(1)
	}
}

// BenchmarkStream sends to a sink on this machine; its cost is in the figure, too.
func BenchmarkStream(b *testing.B) {
	for _, connections := range []int{1, 4, 10} {
		b.Run(fmt.Sprint(connections), func(b *testing.B) {
			addr, taken := sink(b)
			c := openConnector(b, plainRelay(&emailtest.Relay{Addr: addr}, map[string]any{"connections": json.Number(fmt.Sprint(connections))}))
			e := &endless{m: message(b, "d1", common(), slots("Ève"))}
			e.left.Store(int64(b.N))
			b.ReportAllocs()
			b.ResetTimer()
			if err := c.Stream(b.Context(), e); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if taken.Load() != int64(b.N) || e.bad.Load() != 0 {
				b.Fatalf("%d of %d were taken, %d failed", taken.Load(), b.N, e.bad.Load())
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
		})
	}
}
