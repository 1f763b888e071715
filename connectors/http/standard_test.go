package http_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

var update = flag.Bool("update", false, "write the golden files anew")

func checkGolden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// recorder keeps the calls in front of a receiver.
type recorder struct {
	mu    sync.Mutex
	calls []call
	next  http.Handler
}

type call struct {
	method, path string
	header       http.Header
	body         []byte
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	req.Body = io.NopCloser(bytes.NewReader(body))
	r.mu.Lock()
	r.calls = append(r.calls, call{req.Method, req.URL.RequestURI(), req.Header.Clone(), body})
	r.mu.Unlock()
	r.next.ServeHTTP(w, req)
}

// seen gives the calls so far.
func (r *recorder) seen() []call {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls)
}

func TestStandardLife(t *testing.T) {
	t.Parallel()
	s := standard(t, receivertest.StandardOptions{})
	b := serve(t, s, tree{"secret": secret})
	ref := b.publish(t, article("un"))
	if diff := cmp.Diff([]string{"8f21"}, ref.IDs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	revised := article("deux")
	revised.Revision, revised.Correction = 2, "L'heure était fausse."
	after, err := b.Edit(t.Context(), ref, b.plan(t, revised))
	if err != nil {
		t.Fatal(err)
	}
	want := receivertest.Post{ID: "8f21", Revision: 2, State: "live", Channel: "alertes", Lang: "fr", Title: "deux",
		Summary: "Le trafic <est> interrompu.",
		Text:    "deux\n\nLire (https://news.example/a)", URL: "https://news.example/a",
		Image: "https://belfry.example/media/1.jpg", Times: 1}
	ignore := cmpopts.IgnoreFields(receivertest.Post{}, "Received", "Edited", "Withdrawn", "HTML")
	if diff := cmp.Diff([]receivertest.Post{want}, s.State().Posts, ignore); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for range 2 {
		if err := b.Delete(t.Context(), after); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.State(); got.Posts[0].State != "withdrawn" || got.Repeats != 1 || got.Conflicts != 0 || len(got.Refused) != 0 {
		t.Errorf("%+v", got)
	}
	// The same post again, as on the ladder "delete and repost": another publication with a key of its own.
	again := b.plan(t, article("trois"))
	if ref, err = b.Publish(t.Context(), b.to, again); err != nil {
		t.Fatal(err)
	}
	if got := s.State().Posts; len(got) != 1 || got[0].State != "live" || got[0].Times != 1 {
		t.Errorf("%+v", got)
	}
	if err := b.Delete(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	if got := s.State(); got.Posts[0].State != "withdrawn" || got.Repeats != 1 {
		t.Errorf("the second withdrawal was taken for the first: %+v", got)
	}
}

func TestStandardGolden(t *testing.T) {
	t.Parallel()
	withdrawn := article("Ce message a été retiré.")
	withdrawn.State, withdrawn.Revision, withdrawn.Content, withdrawn.Media, withdrawn.Summary = sdk.PostWithdrawn, 3,
		nil, nil, ""
	revised := article("deux")
	revised.Revision, revised.Correction = 2, "L'heure était fausse."
	log := &recorder{next: standard(t, receivertest.StandardOptions{})}
	b := serve(t, log, tree{"secret": secret, "headers": tree{"X-Team": "news"}, "basic": tree{"user": "u",
		"password": "pass-word"}})
	ref := b.publish(t, article("un"))
	ref, err := b.Edit(t.Context(), ref, b.plan(t, revised))
	if err != nil {
		t.Fatal(err)
	}
	if ref, err = b.Edit(t.Context(), ref, b.plan(t, withdrawn)); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	digest := digestPost()
	digest.ID = "9a00"
	b.publish(t, digest)
	var out strings.Builder
	for _, c := range log.seen() {
		fmt.Fprintf(&out, "%s %s\n", c.method, c.path)
		for _, name := range []string{"Accept", "Authorization", "Content-Type", "Idempotency-Key", "User-Agent", "Webhook-Id", "X-Team"} {
			fmt.Fprintf(&out, "%s: %s\n", name, strings.Join(c.header.Values(name), ", "))
		}
		var body bytes.Buffer
		if err := json.Indent(&body, c.body, "", "  "); err != nil {
			t.Error(err)
		}
		fmt.Fprintf(&out, "\n%s\n\n", body.String())
	}
	checkGolden(t, "standard", out.String())
}

// The signature is what an independent library verifies, over the bytes that arrived, by each secret.
func TestSignatureByTheReferenceLibrary(t *testing.T) {
	t.Parallel()
	log := &recorder{next: standard(t, receivertest.StandardOptions{Secrets: []string{newSecret}})}
	b := serve(t, log, tree{"secrets": []any{secret, newSecret}})
	b.publish(t, article("un"))
	for _, s := range []string{secret, newSecret} {
		wh, err := standardwebhooks.NewWebhook(s)
		if err != nil {
			t.Fatal(err)
		}
		if err := wh.Verify(log.seen()[0].body, log.seen()[0].header); err != nil {
			t.Errorf("%s: %v", s[:9], err)
		}
		if err := wh.Verify(append(slices.Clone(log.seen()[0].body), ' '), log.seen()[0].header); err == nil {
			t.Error("another body is verified too")
		}
	}
}

// The receiver verifies what the library signs, and refuses what is not in order.
func TestReceiverVerifies(t *testing.T) {
	t.Parallel()
	now := time.Unix(1614265330, 0)
	body := `{"type":"post.published","timestamp":"2021-02-25T15:02:10Z","data":{"id":"8f21","revision":1,"state":"live","channel":"a"}}`
	wh, err := standardwebhooks.NewWebhook(secret)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change func(*http.Request)
		code   int
	}{
		"as it is":       {func(*http.Request) {}, 200},
		"another method": {func(r *http.Request) { r.Method = http.MethodPut }, 405},
		"another type":   {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, 415},
		"no signature":   {func(r *http.Request) { r.Header.Del("webhook-signature") }, 401},
		"two signatures": {func(r *http.Request) { r.Header.Add("webhook-signature", r.Header.Get("webhook-signature")) },
			401},
		"another id":   {func(r *http.Request) { r.Header.Set("webhook-id", "msg_2") }, 401},
		"another time": {func(r *http.Request) { r.Header.Set("webhook-timestamp", "1614265331") }, 401},
		"no time":      {func(r *http.Request) { r.Header.Set("webhook-timestamp", "now") }, 401},
		"an old version": {func(r *http.Request) {
			r.Header.Set("webhook-signature",
				"v0,"+r.Header.Get("webhook-signature")[3:])
		}, 401},
		"one of several": {func(r *http.Request) {
			r.Header.Set("webhook-signature", "v9,x v1,AAAA "+r.Header.Get("webhook-signature"))
		}, 200},
		"another body":        {func(r *http.Request) { r.Body = io.NopCloser(strings.NewReader(body + " ")) }, 401},
		"another key as well": {func(r *http.Request) { r.Header.Set("Idempotency-Key", "other") }, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := standard(t, receivertest.StandardOptions{Now: func() time.Time { return now.Add(4 * time.Minute) }})
			signature, err := wh.Sign("msg_1", now, []byte(body))
			if err != nil {
				t.Fatal(err)
			}
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			for key, value := range map[string]string{"Content-Type": "application/json", "webhook-id": "msg_1", "webhook-timestamp": "1614265330", "webhook-signature": signature} {
				r.Header.Set(key, value)
			}
			c.change(r)
			w := &answer{header: http.Header{}}
			s.ServeHTTP(w, r)
			if w.code != c.code {
				t.Errorf("got %d %s, want %d", w.code, w.body.String(), c.code)
			}
		})
	}
}

type answer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(code int)        { a.code = code }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// Whatever happens to an answer, repeating the call with its key posts nothing twice.
func TestRepetitionPostsNothingTwice(t *testing.T) {
	t.Parallel()
	s := standard(t, receivertest.StandardOptions{})
	s.Faults.Add(fault.Fault{Accepted: true, Drop: true}, fault.Fault{Accepted: true, Status: 500},
		fault.Fault{Accepted: true, Half: true},
		fault.Fault{Status: 503}, fault.Fault{Drop: true})
	b := serve(t, s, tree{"secret": secret})
	part := b.plan(t, article("un"))
	tries, ref := 0, sdk.PartRef{}
	for ; tries < 10; tries++ {
		var err error
		if ref, err = b.Publish(t.Context(), b.to, part); err == nil {
			break
		}
		if c := sdk.AsError(err).Code; c != sdk.CodeUnknownOutcome && c != sdk.CodeUnavailable {
			t.Fatal(err)
		}
	}
	if got := s.State(); len(got.Posts) != 1 || got.Posts[0].Times != 1 || got.Conflicts != 0 {
		t.Errorf("after %d tries: %+v", tries, got)
	}
	if ref.IDs[0] != "8f21" {
		t.Errorf("%v", ref)
	}
}

func TestJournal(t *testing.T) {
	t.Parallel()
	var heard []receivertest.Event
	full := false
	s := standard(t, receivertest.StandardOptions{Accept: func(e receivertest.Event) error {
		if full {
			return errors.New("disk full")
		}
		heard = append(heard, e)
		return nil
	}})
	b := serve(t, s, tree{"secret": secret})
	ref := b.publish(t, article("un"))
	full = true
	if err := b.Delete(t.Context(), ref); sdk.AsError(err) == nil || sdk.AsError(err).Code != sdk.CodeUnavailable {
		t.Errorf("got %v", err)
	}
	if len(heard) != 1 || heard[0].Type != "post.published" || heard[0].Post != "8f21" || heard[0].Title != "un" || s.State().Posts[0].State != "live" {
		t.Errorf("%+v", heard)
	}
}

func TestStandardRefusesWhatItDidNotMake(t *testing.T) {
	t.Parallel()
	b := serve(t, standard(t, receivertest.StandardOptions{}), tree{"secret": secret})
	part := b.plan(t, article("un"))
	part.Key = ""
	if _, err := b.Publish(t.Context(), b.to, part); err == nil || err.Error() != "publish: the call has no key by which the receiver could know it again" {
		t.Errorf("got %v", err)
	}
	for _, request := range []string{"", "{", "{}", `{"data":{}}`, `{"data":5}`} {
		part := b.plan(t, article("un"))
		part.Request = []byte(request)
		if _, err := b.Publish(t.Context(), b.to, part); sdk.AsError(err) == nil || sdk.AsError(err).Code != sdk.CodeInvalid {
			t.Errorf("%q: got %v", request, err)
		}
	}
	for _, to := range []string{"", "other.example", "@anna"} {
		if _, err := b.Publish(t.Context(), sdk.ChannelRef{ID: to}, b.plan(t, article("un"))); sdk.AsError(err) == nil || sdk.AsError(err).Code != sdk.CodeNotAChannel {
			t.Errorf("%q: got %v", to, err)
		}
	}
	for _, ref := range []sdk.PartRef{{}, {IDs: []string{"8f21"}}, {IDs: []string{"8f21"}, State: []byte("x")}, {IDs: []string{"a", "b"}, State: []byte("{}")}} {
		if err := b.Delete(t.Context(), ref); sdk.AsError(err) == nil || sdk.AsError(err).Code != sdk.CodeInvalid {
			t.Errorf("%v: got %v", ref, err)
		}
	}
}

// Nothing secret stands in an error, whatever goes wrong and whatever the receiver says.
func TestErrorsHoldNoSecret(t *testing.T) {
	t.Parallel()
	const pathSecret, querySecret, bearer, password = "T0PS3CRETPATHTOKEN", "s1gqu3ry", "b3arertoken", "pa55word"
	echo := "path /hooks/" + pathSecret + " query " + querySecret + " bearer " + bearer + " password " + password + " " +
		"secret " + secret
	for name, f := range map[string]fault.Fault{
		"an echo": {Status: 400, Header: http.Header{"Content-Type": {"text/plain"}}, Body: echo},
		"an echo in 2xx": {Status: 200, Header: http.Header{"Content-Type": {"application/json"}},
			Body: `{"ok":false,"error":"` + echo + `"}`},
		"a redirect":    {Status: 308, Header: http.Header{"Location": {"https://x.example/hooks/" + pathSecret}}},
		"a lost answer": {Accepted: true, Drop: true},
		"a slow answer": {Before: time.Minute},
		"a slow drip": {Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: `{"ok":true}`,
			Drip: 100 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := standard(t, receivertest.StandardOptions{})
			s.Faults.Add(f)
			b := serve(t, s, tree{"secret": secret, "url": "URL/hooks/" + pathSecret + "?sig=" + querySecret,
				"accept":  tree{"/ok": true},
				"headers": tree{"X-Auth": "Bearer " + bearer}, "basic": tree{"user": "u", "password": password}})
			part := b.plan(t, article("un"))
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			_, err := b.Publish(ctx, b.to, part)
			if err == nil {
				t.Fatal("no error")
			}
			for e := err; e != nil; e = errors.Unwrap(e) {
				said := fmt.Sprintf("%v %+v %#v %s", e, e, e, part.Request)
				for _, s := range []string{pathSecret, querySecret, bearer, password, secret[6:]} {
					if strings.Contains(said, s) {
						t.Errorf("%s appears in %s", s, said)
					}
				}
			}
		})
	}
	conn := open(t, tree{"url": "https://ops.example/hooks/" + pathSecret, "secret": secret})
	ref, _, err := conn.ResolveChannel(t.Context(), "")
	if said := fmt.Sprintf("%+v", ref); err != nil || strings.Contains(said, pathSecret) {
		t.Errorf("%s, %v", said, err)
	}
}
