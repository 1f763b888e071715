package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

const (
	anna, gone    = "anna@example.invalid", "gonepager@example.invalid"
	webhookSecret = "canary-webhook-secret"
	wrote         = `{"number":7,"id":"i7","kind":"wrote","from":"` + anna + `","text":"START","at":"2026-03-29T05:00:00Z"}`
	blocked       = `{"number":8,"id":"i8","kind":"blocked","from":"` + anna + `","at":"2026-03-29T05:01:00Z"}`
)

// call is a call of the service, or of somebody else who has another secret.
func call(secret, body string) sdk.WebhookRequest {
	sum := hmac.New(sha256.New, []byte(secret))
	sum.Write([]byte(body))
	return sdk.WebhookRequest{Method: "POST", Path: "/hooks/pager", Header: map[string][]string{signatureHeader: {hex.EncodeToString(sum.Sum(nil))}}, Body: []byte(body), ReceivedAt: time.Date(2026, 3, 29, 5, 2, 0, 0, time.UTC)}
}

// desk is the service as the tests of this package see it.
type desk struct {
	mu      sync.Mutex
	pages   []string
	choices []choice
	keys    map[string]bool
	fails   func(w http.ResponseWriter, r *http.Request) bool
	inbox   []inbound
	came    int64
	more    chan struct{}
}

// said has anna write.
func (d *desk) said(text string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.came++
	d.inbox = append(d.inbox, inbound{Number: d.came, ID: fmt.Sprint("i", d.came), Kind: "wrote", From: anna, Text: text, At: moment{time.Now()}})
	close(d.more)
	d.more = make(chan struct{})
}

// tell tells what came behind a number, one at a time, and forgets what came before it.
func (d *desk) tell(w http.ResponseWriter, r *http.Request) {
	after, err := strconv.ParseInt(r.URL.Query().Get("after"), 10, 64)
	if err != nil || r.Header.Get("Authorization") != "Bearer canary-token" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	for {
		d.mu.Lock()
		d.inbox = slices.DeleteFunc(d.inbox, func(i inbound) bool { return i.Number <= after })
		list, more := slices.Clone(d.inbox[:min(1, len(d.inbox))]), d.more
		d.mu.Unlock()
		if len(list) > 0 {
			_ = json.NewEncoder(w).Encode(map[string]any{"inbox": list})
			return
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
	}
}

func (d *desk) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	failed := d.fails != nil && d.fails(w, r)
	d.mu.Unlock()
	if failed {
		return
	}
	if r.URL.Path == "/api/inbox" {
		d.tell(w, r)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var p page
	if err := json.NewDecoder(r.Body).Decode(&p); err != nil || r.Header.Get("Authorization") != "Bearer canary-token" || r.URL.Path != "/api/pages" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if p.To != anna {
		http.Error(w, "no pager "+p.To, http.StatusGone)
		return
	}
	if key := r.Header.Get("Idempotency-Key"); !d.keys[key] {
		d.keys[key] = true
		d.pages, d.choices = append(d.pages, p.Text), p.Choices
	}
	w.WriteHeader(http.StatusCreated)
	_, _ = w.Write([]byte(`{"id":"p1"}`))
}

func start(t *testing.T) (*desk, map[string]any) {
	t.Helper()
	d := &desk{keys: map[string]bool{}, more: make(chan struct{})}
	server := httptest.NewServer(d)
	t.Cleanup(server.Close)
	return d, map[string]any{"api": server.URL + "/api", "token": "canary-token", "webhook_secret": webhookSecret, "allow_private": []any{"127.0.0.0/8"}}
}

// TestConformance runs Belfry's own suite, on the connector itself and behind the wire.
func TestConformance(t *testing.T) {
	spec := Spec()
	for name, open := range map[string]sdktest.Opener{"direct": spec.Open, "over the wire": sdktest.Loopback(t, spec)} {
		t.Run(name, func(t *testing.T) {
			d, config := start(t)
			options := sdktest.Options{Open: open, Config: config, Secrets: []string{"canary-token", webhookSecret},
				Break: func(testing.TB) func() {
					d.set(func(w http.ResponseWriter, _ *http.Request) bool {
						w.WriteHeader(http.StatusServiceUnavailable)
						return true
					})
					return func() { d.set(nil) }
				}}
			sdktest.Listener(t, sdktest.ListenerOptions{Options: options, Medium: Medium, From: anna, Say: func(_ testing.TB, text string) { d.said(text) }})
			sdktest.Receiver(t, sdktest.ReceiverOptions{Options: options, Medium: Medium, From: anna,
				Genuine: []sdk.WebhookRequest{call(webhookSecret, wrote), call(webhookSecret, blocked)}, Forged: []sdk.WebhookRequest{call("another-secret-16", wrote), call("", blocked)}})
			sdktest.Messenger(t, sdktest.MessengerOptions{
				Options: options,
				Medium:  Medium, Address: anna, Lost: gone,
				Got: func(testing.TB) []string {
					d.mu.Lock()
					defer d.mu.Unlock()
					return append([]string(nil), d.pages...)
				},
			})
		})
	}
}

func (d *desk) set(fails func(w http.ResponseWriter, r *http.Request) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fails = fails
}

func TestTheWaysOutAreNeverCut(t *testing.T) {
	m := sdk.NewDirectMessage(sdktest.Permit(t, "m1", Medium, anna), sdk.MessageContent{
		Common: &sdk.Common{Subject: "Fire", Body: sdk.Body{sdk.Paragraph(sdk.Text(strings.Repeat("é", 1000)))}, Reason: "Because " + sdk.Slot("since"),
			Links: []sdk.CommonLink{{Text: "Leave", Slot: sdk.SlotUnsubscribe}}},
		Slots: map[string]string{"since": "2026", sdk.SlotUnsubscribe: "https://news.example/leave/x"}})
	text, err := compose(m)
	if err != nil || utf8.RuneCountInString(text) > maxText || !strings.HasSuffix(text, "…\nBecause 2026\nLeave https://news.example/leave/x") {
		t.Errorf("%q, %v", text, err)
	}
}

func TestParagraphsStayApart(t *testing.T) {
	m := sdk.NewDirectMessage(sdktest.Permit(t, "m1", Medium, anna), sdk.MessageContent{Common: &sdk.Common{Subject: "Fire",
		Body: sdk.Body{sdk.Paragraph(sdk.Text("It is "), sdk.Strong(sdk.Text("out"))), sdk.Paragraph(sdk.Text("Trains run."))}}})
	if text, err := compose(m); err != nil || text != "It is out\nTrains run." {
		t.Errorf("%q, %v", text, err)
	}
}

func TestTheServiceRefuses(t *testing.T) {
	for status, want := range map[int]sdk.Code{401: sdk.CodeUnauthenticated, 403: sdk.CodeForbidden, 404: sdk.CodeGone, 410: sdk.CodeGone, 429: sdk.CodeRateLimited,
		422: sdk.CodeInvalid, 500: sdk.CodeUnknownOutcome, 200: sdk.CodeInvalid} {
		_, err := accepted(sdk.Answer{Status: status, Header: http.Header{"Retry-After": {"7"}}, At: time.Now()})
		if e := sdk.AsError(err); e.Code != want || status == 429 && e.RetryAfter != 7*time.Second {
			t.Errorf("%d: %+v", status, e)
		}
	}
	if _, err := accepted(sdk.Answer{Status: 201, Body: []byte("{")}); sdk.AsError(err).Code != sdk.CodeUnknownOutcome {
		t.Errorf("an answer that cannot be read: %v", err)
	}
}

// TestKeysOfThePager: a button becomes a key, and pressing it comes back as the press of that button.
func TestKeysOfThePager(t *testing.T) {
	d, config := start(t)
	conn, err := Spec().Open(t.Context(), sdk.Settings{}, config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	p, _ := sdk.As[sdk.Messenger](conn)
	content := sdk.MessageContent{Common: &sdk.Common{Subject: "Follow?"}, Buttons: [][]sdk.Button{{{Text: "Follow", Data: "1|f|x"}, {Text: "Read", URL: "https://news.example/"}}}}
	if _, err := p.Message(t.Context(), sdk.NewDirectMessage(sdktest.Permit(t, "m1", Medium, anna), content)); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(d.choices, []choice{{"Follow", "1|f|x"}}) || !strings.Contains(d.pages[0], "Read https://news.example/") {
		t.Errorf("%q with %+v", d.pages, d.choices)
	}
	for kind, want := range map[string]sdk.EventKind{"wrote": sdk.EventMessage, "chose": sdk.EventButton, "blocked": sdk.EventStop, "unblocked": sdk.EventReopen, "sang": ""} {
		e, ok := inbound{ID: "1", Kind: kind, From: anna, Choice: "1|f|x"}.event()
		if ok != (want != "") || ok && e.Kind != want || e.Kind == sdk.EventButton && e.Data != "1|f|x" {
			t.Errorf("%s is %+v, %t", kind, e, ok)
		}
	}
}

// TestOddEntries: what cannot be read keeps nobody else from being heard, and costs a STOP no more than its time.
func TestOddEntries(t *testing.T) {
	inbox := `{"inbox": [
		{"number": 1, "id": "i1", "kind": "wrote"}, {"number": 2, "id": "i2", "kind": "wrote", "from": 7}, 17, null, {"id": "i3", "kind": "wrote", "from": "x"},
		{"number": 4, "id": ["i4"], "kind": "wrote", "from": "x"}, {"number": 5, "id": "i5", "kind": "wrote", "from": "x", "text": {}},
		{"number": 6, "id": "i6", "kind": "blocked", "from": "x", "at": "yesterday"}, {"number": 7, "id": "i7", "kind": "wrote", "from": "x", "text": null, "at": 17},
		{"number": 8, "id": "i8", "kind": "wrote", "from": "x", "text": "START", "at": "2026-03-29T05:00:00Z"}, {"number": "9"}]}`
	list, err := inboxOf([]byte(inbox))
	if err != nil {
		t.Fatal(err)
	}
	var heard []string
	for _, in := range list {
		if e, ok := in.event(); ok {
			heard = append(heard, fmt.Sprintf("%d %s %q %t", in.Number, e.Kind, e.Text, e.At.IsZero()))
		}
	}
	if want := []string{`6 stop "" true`, `7 message "" true`, `8 message "START" false`}; !slices.Equal(heard, want) || list[0].Number != 1 || len(list) != 7 {
		t.Errorf("heard %q of %+v", heard, list)
	}
	for _, body := range []string{"{", `{"inbox": 7}`, `{"inbox": [{"id": "i1", "kind": "wrote", "from": "x"}]}`} {
		if list, err := inboxOf([]byte(body)); err == nil {
			t.Errorf("%s: %+v", body, list)
		}
	}
}

// TestAServiceThatDoesNotWait is asked once a second.
func TestAServiceThatDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		ctx, cancel := context.WithTimeout(sdk.WithExchange(t.Context(), func(*http.Request) (*http.Response, error) {
			asked++
			return &http.Response{StatusCode: http.StatusOK, Body: io.NopCloser(strings.NewReader(`{"inbox": []}`))}, nil
		}), 10*time.Second-time.Millisecond)
		defer cancel()
		p := &pager{config: Config{API: "https://pager.example"}, client: sdk.NewClient(sdk.ClientConfig{})}
		events, err := p.Listen(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = events.Close() }()
		if _, _, err := events.Next(ctx); sdk.AsError(err).Code != sdk.CodeUnavailable || asked != 10 {
			t.Errorf("it was asked %d times, %v", asked, err)
		}
	})
}
