package hook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/sdk"
)

// keeper is a store that keeps calls, or does what it is told.
type keeper struct {
	kept    []intake.Call
	waiting int
	err     error
	// uncounted is why those that wait cannot be counted.
	uncounted error
}

func (k *keeper) KeepCall(_ context.Context, c intake.Call) (intake.Kept, error) {
	if k.err != nil {
		return "", k.err
	}
	k.kept = append(k.kept, c)
	return intake.KeptNew, nil
}

func (k *keeper) CountWaitingCalls(context.Context, string, int) (int, error) {
	return k.waiting, k.uncounted
}

// receiver accepts everything, or fails.
type receiver struct {
	sdk.WebhookReceiver
	err error
}

func (r receiver) Verify(context.Context, sdk.WebhookRequest) (sdk.Verdict, error) {
	return sdk.Verdict{Accept: true, DeliveryID: "d", Forget: []string{"x-token"}, Reply: sdk.WebhookReply{Status: 200, Body: []byte("taken")}}, r.err
}

func TestDoor(t *testing.T) {
	t.Parallel()
	post := func(body string) *http.Request {
		r := httptest.NewRequest(http.MethodPost, "/hooks/desk?a=b", strings.NewReader(body))
		r.SetPathValue("name", "desk")
		return r
	}
	cases := []struct {
		name    string
		store   keeper
		change  func(*Settings)
		err     error
		calls   int // before the one that counts
		status  int
		code    string
		retry   string
		nothing bool // is kept
	}{
		{name: "taken", status: 200},
		{name: "the store fails", store: keeper{err: errors.New("disk")}, status: 503, code: "store_unavailable", retry: "10", nothing: true},
		{name: "the store cannot count", store: keeper{uncounted: errors.New("disk")}, status: 503, code: "store_unavailable", retry: "10", nothing: true},
		{name: "too many wait", store: keeper{waiting: intake.MaxWaitingCalls + 1}, status: 503, code: "backlog", retry: "10", nothing: true},
		{name: "no room", change: func(s *Settings) { s.Low = func() bool { return true } }, status: 503, code: "disk_low", retry: "10", nothing: true},
		{name: "it cannot be verified", err: errors.New("x"), status: 503, code: "verification_failed", retry: "10", nothing: true},
		{name: "too many at once", calls: 2, status: 429, code: "rate_limited", retry: "1"},
		{name: "not open yet", change: func(s *Settings) {
			s.Source, s.Closed = func(string) (Source, bool) { return Source{}, false }, func(string) bool { return true }
		}, status: 503, code: "not_open", retry: "10", nothing: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			done, came, outcome := 0, 0, ""
			s := Settings{Store: &c.store, Answered: func(source, o string, _ time.Duration) { outcome = source + " " + o }, Log: slog.New(slog.DiscardHandler), Came: func() { came++ },
				Source: func(string) (Source, bool) {
					return Source{Receiver: receiver{err: c.err}, MaxBody: 100, PerSecond: 2, Done: func() { done++ }}, true
				}}
			if c.change != nil {
				c.change(&s)
			}
			d := New(s)
			for range c.calls {
				d.ServeHTTP(httptest.NewRecorder(), post("{}"))
			}
			w := httptest.NewRecorder()
			d.ServeHTTP(w, post("{}"))
			body, err := io.ReadAll(w.Result().Body)
			if err != nil {
				t.Fatal(err)
			}
			var problem struct{ Code string }
			if err := json.Unmarshal(body, &problem); err != nil && c.code != "" {
				t.Errorf("%v: %s", err, body)
			}
			if w.Code != c.status || problem.Code != c.code || w.Header().Get("Retry-After") != c.retry {
				t.Errorf("%d %s, again in %q: %s", w.Code, problem.Code, w.Header().Get("Retry-After"), body)
			}
			if c.nothing != (len(c.store.kept) == 0) || came != len(c.store.kept) {
				t.Errorf("%d are kept, %d were told of", len(c.store.kept), came)
			}
			if want := map[bool]string{true: "desk accepted", false: fmt.Sprintf("desk %d", c.status)}[c.status == 200]; s.Closed == nil && outcome != want {
				t.Errorf("it was told of as %q", outcome)
			}
			if s.Closed == nil && done != c.calls+1 {
				t.Errorf("given back %d times", done)
			}
		})
	}
}

// What is kept of a call is what a mapping needs, and no credential.
func TestWhatIsKept(t *testing.T) {
	t.Parallel()
	store := &keeper{}
	d := New(Settings{Store: store, Log: slog.New(slog.DiscardHandler), Source: func(string) (Source, bool) {
		return Source{Receiver: receiver{}, MaxBody: 100, PerSecond: 2, Done: func() {}}, true
	}})
	r := httptest.NewRequest(http.MethodPost, "/hooks/desk%20x?a=b", strings.NewReader("{}"))
	for _, name := range []string{"Authorization", "Cookie", "X-Token", "X-Forwarded-For", "X-Event", "Content-Type"} {
		r.Header.Set(name, "v")
	}
	d.ServeHTTP(httptest.NewRecorder(), r)
	if len(store.kept) != 1 {
		t.Fatal("nothing is kept")
	}
	got := store.kept[0]
	want := map[string][]string{"X-Event": {"v"}, "Content-Type": {"v"}}
	if diff := cmp.Diff(want, got.Request.Header); diff != "" || got.Request.Path != "/hooks/desk%20x" || got.Request.Query != "a=b" || got.Delivery != "d" {
		t.Errorf("%+v\n%s", got, diff)
	}
}
