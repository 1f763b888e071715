package fetch

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

func TestThePaceTowardsAPublicHost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		var mu sync.Mutex
		var starts []time.Time
		open, most := 0, 0
		began := time.Now()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				leave, err := g.enter(context.Background(), "news.example")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				starts = append(starts, time.Now())
				open++
				most = max(most, open)
				mu.Unlock()
				time.Sleep(5 * time.Second)
				mu.Lock()
				open--
				mu.Unlock()
				leave()
			})
		}
		wg.Wait()
		if most != perHost {
			t.Errorf("%d requests were under way at once, want %d", most, perHost)
		}
		if first := starts[0].Sub(began); first != 0 {
			t.Errorf("the first one waited %s", first)
		}
		for i := 1; i < len(starts); i++ {
			if gap := starts[i].Sub(starts[i-1]); gap < spacing && gap != 0 || i == 1 && gap < spacing {
				t.Errorf("request %d began %s after the one before", i, gap)
			}
		}
		// Another host waits for nobody.
		now := time.Now()
		leave, err := g.enter(context.Background(), "other.example")
		if err != nil || time.Now() != now {
			t.Errorf("another host waited %s: %v", time.Since(now), err)
		}
		leave()
	})
}

func TestTurnsThatComeTooLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		var wg sync.WaitGroup
		var mu sync.Mutex
		var late []*sdk.Error
		for range 100 {
			wg.Go(func() {
				leave, err := g.enter(context.Background(), "news.example")
				if err != nil {
					mu.Lock()
					late = append(late, sdk.AsError(err))
					mu.Unlock()
					return
				}
				leave()
			})
		}
		wg.Wait()
		if len(late) != 100-31 {
			t.Errorf("%d of 100 were sent away, want all that would wait longer than %s", len(late), longestTurn)
		}
		for _, e := range late {
			if e.Code != sdk.CodeRateLimited || e.RetryAfter < longestTurn || !strings.Contains(e.Public, "news.example serves many of our sources") {
				t.Fatalf("the error is %v after %s", e, e.RetryAfter)
			}
		}
	})
}

func TestAWaitEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		leave, err := g.enter(context.Background(), "news.example")
		if err != nil {
			t.Fatal(err)
		}
		defer leave()
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		defer cancel()
		if _, err := g.enter(ctx, "news.example"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
	})
}

func TestOwnHostsAreNotSlowedDown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		began := time.Now()
		for range 100 {
			leave, err := g.enter(context.Background(), "10.0.3.7")
			if err != nil {
				t.Fatal(err)
			}
			defer leave()
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("a private address waited %s", took)
		}
		// A name is unknown until its first connection; those that wait by then are let through at once.
		var wg sync.WaitGroup
		entered := make(chan struct{}, 20)
		for range 20 {
			wg.Go(func() {
				leave, err := g.enter(context.Background(), "cms.example")
				if err != nil {
					t.Error(err)
					return
				}
				entered <- struct{}{}
				leave()
			})
		}
		synctest.Wait()
		if len(entered) != 1 {
			t.Fatalf("%d entered before the host was known", len(entered))
		}
		g.reached("cms.example", &net.TCPAddr{IP: net.IPv4(10, 0, 3, 7), Port: 80})
		wg.Wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("they waited %s", took)
		}
		// A name that later leads to a public address is slowed down again.
		g.reached("cms.example", &net.TCPAddr{IP: net.IPv4(9, 9, 9, 9), Port: 80})
		for range 3 {
			leave, err := g.enter(context.Background(), "cms.example")
			if err != nil {
				t.Fatal(err)
			}
			leave()
		}
		if took := time.Since(began); took < spacing {
			t.Errorf("a public host was asked three times within %s", took)
		}
	})
}

func TestTheGateForgetsHosts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := newGate()
		for i := range 3 * keepHosts {
			leave, err := g.enter(context.Background(), netip.AddrFrom4([4]byte{9, byte(i >> 16), byte(i >> 8), byte(i)}).String())
			if err != nil {
				t.Fatal(err)
			}
			leave()
			time.Sleep(2 * spacing)
		}
		if len(g.hosts) > keepHosts {
			t.Errorf("%d hosts are kept", len(g.hosts))
		}
	})
}
