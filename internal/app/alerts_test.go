package app

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
)

// What one place could not take, while another was told, is told there later: the newest of each alert, in order.
func TestOwedAlerts(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	var mu sync.Mutex
	down, took := true, []string{}
	second := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if down {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		took = append(took, r.Header.Get("Webhook-Id"))
	}))
	t.Cleanup(second.Close)
	text := strings.Replace(plain, "alerts: none", "alerts: {to: [ops, {destination: second, chat: desk}], repeat: 1h}", 1)
	s.config(strings.Replace(text, "destinations:\n", `destinations:
  ops: {type: http, url: "%HOOK%/ops", secret: "%SECRET%", allow_private: [127.0.0.0/8]}
  second: {type: http, url: "`+second.URL+`", secret: "%SECRET%", allow_private: [127.0.0.0/8]}
`, 1))
	a := s.start() // it has no alert to tell of by itself
	loaded, ctx := a.Config(), t.Context()
	tell := teller{a, map[configs.AlertTarget]*patience{}, map[string]bool{}, map[configs.AlertTarget][]alert.Row{}}
	at := time.Now()
	rows := []alert.Row{{ID: 1, Alert: alert.Alert{Code: alert.SourceFailing, Subject: "a", Sentence: "a fails"}, First: at, Last: at, Count: 1},
		{ID: 2, Alert: alert.Alert{Code: alert.SourceFailing, Subject: "b", Sentence: "b fails"}, First: at, Last: at, Count: 1}}
	to := loaded.Alerts.To[1]
	for _, r := range rows {
		if tell.try(ctx, to, r, loaded) {
			t.Error("it was taken")
		}
		tell.owe(to, r)
	}
	over := rows[0]
	over.Resolved = at.Add(time.Minute)
	tell.owe(to, over)
	tell.payOwed(ctx, ctx, loaded)
	if n := len(tell.owed[to]); n != 2 || tell.waits[to] == nil || tell.waits[to].failures != 1 {
		t.Errorf("%d are owed, and it waits %+v", n, tell.waits[to])
	}
	mu.Lock()
	down = false
	mu.Unlock()
	tell.waits[to].until = time.Now()
	tell.payOwed(ctx, ctx, loaded)
	mu.Lock()
	defer mu.Unlock()
	if diff := cmp.Diff([]string{"alert_2_1_0", "alert_1_1_0_over"}, took); diff != "" || len(tell.owed) != 0 || tell.waits[to] != nil {
		t.Errorf("%s\n%v, %v", diff, tell.owed, tell.waits)
	}
	// A place that is not told any more is owed nothing.
	gone := configs.AlertTarget{Destination: "gone"}
	for i := range 2 * maxOwed {
		tell.owe(gone, alert.Row{ID: int64(i)})
	}
	if n := len(tell.owed[gone]); n != maxOwed || tell.owed[gone][n-1].ID != 2*maxOwed-1 {
		t.Errorf("%d are kept", n)
	}
	tell.payOwed(ctx, ctx, loaded)
	if len(tell.owed) != 0 {
		t.Errorf("%d places are owed", len(tell.owed))
	}
}
