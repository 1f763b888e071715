package direct_test

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/internal/store"
)

// runLater is run by a clock that is ahead.
func (h *house) runLater(by time.Duration, d direct.Destination) {
	h.t.Helper()
	h.engine = direct.New(direct.Settings{Store: h.db, People: h.people, Writer: writer{}, Log: quiet, Now: func() time.Time { return time.Now().Add(by) }})
	must(h.t, h.engine.Start(h.t.Context(), true))
	d.Name, d.Medium, d.Conn, d.Timeout = "mail", "email", h.out, 2*time.Second
	h.engine.Use(h.t.Context(), map[string]direct.Destination{"mail": d})
	h.t.Cleanup(h.stop)
}

// TestUnderWayWhenTheNodeEnded: what a node was sending when it ended may have arrived. Where the destination says so it is sent
// again, later and under the same name, to those who still follow; elsewhere it is never sent again.
func TestUnderWayWhenTheNodeEnded(t *testing.T) {
	t.Parallel()
	for name, resend := range map[string]bool{"it is sent again": true, "it is held": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHouse(t)
			ids := h.follow(2)
			d := direct.Destination{Parallel: 2, Resend: resend}
			h.publish()
			under, forever := make(chan string, 2), make(chan struct{})
			t.Cleanup(func() { close(forever) })
			h.out.delay = func(to string) <-chan struct{} { under <- to; return nil } // until the context ends
			h.out.fail = func(int, string) error { <-forever; return context.Canceled }
			h.run(writer{}, d)
			<-under
			<-under
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			_ = h.engine.Stop(ctx)
			h.engine = nil

			for _, want := range []int{2, 0} { // what was told of once is no news
				if unknown, err := h.db.RecoverMessages(t.Context(), true, time.Now()); err != nil || unknown != want {
					t.Errorf("%d became unknown, want %d (%v)", unknown, want, err)
				}
			}
			h.out = &outgoing{}
			h.runLater(0, d)
			if ack, err := h.people.Withdraw(t.Context(), ids[1], consent.Withdrawal{Evidence: consent.Evidence{Method: consent.ByLink, Actor: consent.Self}}); err != nil || !ack.Settled {
				t.Fatalf("%+v %v", ack, err)
			}
			time.Sleep(300 * time.Millisecond)
			if n := len(h.out.all()); n > 0 {
				t.Errorf("%d messages were sent again at once", n)
			}
			h.stop()
			h.runLater(11*time.Minute, d)
			if !resend {
				time.Sleep(300 * time.Millisecond)
				if n := len(h.out.all()); n > 0 {
					t.Errorf("%d messages were sent again", n)
				}
				// Somebody of the house says that they are missing: who left meanwhile gets nothing all the same.
				n, err := h.db.SayMessages(t.Context(), store.Unsure{Stream: 1}, store.SayMissing, "anna", time.Now())
				if err != nil || n != 2 {
					t.Fatalf("%d messages are missing, %v", n, err)
				}
				h.engine.Wake()
				h.until("the one that still goes", func() bool { return len(h.out.all()) == 1 })
				time.Sleep(300 * time.Millisecond)
				if all := h.out.all(); len(all) != 1 || all[0].to != "reader0@example.invalid" {
					t.Errorf("sent again: %+v", all)
				}
				if _, err := h.db.SayMessages(t.Context(), store.Unsure{Stream: 1}, store.SayArrived, "anna", time.Now()); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("once more: %v", err)
				}
				return
			}
			h.until("the resend", func() bool { return len(h.out.all()) == 1 })
			if m := h.out.all()[0]; m.to != "reader0@example.invalid" || !strings.HasPrefix(m.id, "1-") || !strings.HasSuffix(m.id, "-"+strconv.FormatInt(int64(ids[0]), 36)) {
				t.Errorf("%+v", m)
			}
			h.stop()
			h.runLater(40*time.Minute, d)
			time.Sleep(300 * time.Millisecond)
			if n := len(h.out.all()); n != 1 {
				t.Errorf("%d messages were sent", n)
			}
		})
	}
}
