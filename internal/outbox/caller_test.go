package outbox

import (
	"runtime"
	"testing"
	"testing/synctest"
)

func TestCallerKeepsOneGoroutine(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &destinationLanes{}
		c := &caller{l: l}
		made := make(chan string, 3)
		for _, name := range []string{"first", "second"} {
			c.begin(func() { made <- name })
			if got := <-made; got != name {
				t.Fatalf("%s was made instead of %s", got, name)
			}
		}

		// One that does not come back is left alone, and the next one goes on without it.
		stuck := make(chan struct{})
		c.begin(func() { <-stuck })
		c.leave()
		c.begin(func() { made <- "beside it" })
		<-made
		close(stuck)

		// A call that ends its goroutine takes nothing else with it.
		c.begin(runtime.Goexit)
		synctest.Wait()
		c.begin(func() { made <- "after it" })
		<-made

		c.leave()
		c.leave()
		l.calls.Wait()
	})
}
