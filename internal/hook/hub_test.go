package hook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/websub"
	"github.com/belfry-news/belfry/sdk"
)

// hubs is one subscription, or what goes wrong.
type hubs struct {
	sub       websub.Subscription
	err       error
	delivered int
}

func (h *hubs) Question(context.Context, string, url.Values) (sdk.WebhookReply, error) {
	return sdk.WebhookReply{Status: http.StatusOK, Body: []byte("challenge")}, h.err
}

func (h *hubs) Find(context.Context, string) (websub.Subscription, error) { return h.sub, h.err }

func (h *hubs) Delivered(context.Context, websub.Subscription) error {
	h.delivered++
	return nil
}

// What a hub tells is kept with its signature only, and without it when it is kept. Whoever has no signature learns nothing.
func TestHub(t *testing.T) {
	t.Parallel()
	const secret, body = "topsecret", "<feed/>"
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(body))
	signed := "sha256=" + hex.EncodeToString(mac.Sum(nil))
	for name, c := range map[string]struct {
		method, signature string
		state             websub.State
		err               error
		store             keeper
		status            int
		code, outcome     string
		kept              bool
	}{
		"a question":                        {method: http.MethodGet, status: 200},
		"a question while the store is off": {method: http.MethodGet, err: errors.New("disk"), status: 503, code: "store_unavailable"},
		"another method":                    {method: http.MethodPut, status: 405, code: "method_not_allowed"},
		"nobody's callback":                 {method: http.MethodPost, err: websub.ErrUnknown, status: 404, code: "not_found"},
		"the store is off":                  {method: http.MethodPost, err: errors.New("disk"), status: 503, code: "store_unavailable"},
		"one that was left":                 {method: http.MethodPost, signature: signed, state: websub.Leaving, status: 410, code: "gone"},
		"signed":                            {method: http.MethodPost, signature: signed, state: websub.Active, status: 202, outcome: "accepted", kept: true},
		"unsigned":                          {method: http.MethodPost, state: websub.Active, status: 202, outcome: "ignored"},
		"forged":                            {method: http.MethodPost, signature: "sha256=00", state: websub.Active, status: 202, outcome: "ignored"},
		"denied before":                     {method: http.MethodPost, signature: signed, state: websub.Denied, status: 202, outcome: "ignored"},
		"not asked back yet":                {method: http.MethodPost, signature: signed, state: websub.Pending, status: 202, outcome: "ignored"},
		"it cannot be kept":                 {method: http.MethodPost, signature: signed, state: websub.Active, store: keeper{err: errors.New("disk")}, status: 503, code: "store_unavailable", outcome: "503"},
		"too many wait":                     {method: http.MethodPost, signature: signed, state: websub.Active, store: keeper{waiting: intake.MaxWaitingCalls + 1}, status: 503, code: "backlog", outcome: "503"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &hubs{sub: websub.Subscription{Source: "articles", Topic: "https://news.example/feed", Secret: secret, State: c.state}, err: c.err}
			outcome := ""
			d := New(Settings{Store: &c.store, Hubs: h, Log: slog.New(slog.DiscardHandler), Answered: func(_, o string, _ time.Duration) { outcome = o }})
			r := httptest.NewRequest(c.method, websub.Path+"token", strings.NewReader(body))
			r.SetPathValue("token", "token")
			r.Header.Set("Content-Type", "application/atom+xml")
			if c.signature != "" {
				r.Header.Set("X-Hub-Signature", c.signature)
			}
			w := httptest.NewRecorder()
			d.Hub(w, r)
			if w.Code != c.status || c.code != "" && !strings.Contains(w.Body.String(), `"code":"`+c.code+`"`) || outcome != c.outcome {
				t.Errorf("%d, told of as %q: %s", w.Code, outcome, w.Body)
			}
			if c.kept != (len(c.store.kept) == 1) || c.kept != (h.delivered == 1) {
				t.Fatalf("%d are kept, %d noted", len(c.store.kept), h.delivered)
			}
			if c.kept {
				k := c.store.kept[0]
				if k.Source != "articles" || k.Topic != "https://news.example/feed" || string(k.Request.Body) != body || len(k.Request.Header["Content-Type"]) != 1 || len(k.Request.Header["X-Hub-Signature"]) != 0 || k.Delivery != "" {
					t.Errorf("%+v", k)
				}
			}
		})
	}
}

// cutOff is a body that ends before its length.
type cutOff struct{}

func (cutOff) Read([]byte) (int, error) { return 0, errors.New("the connection is gone") }

// A body that does not arrive whole is refused, and nothing is verified of it or kept.
func TestABodyThatIsCutOff(t *testing.T) {
	t.Parallel()
	for name, length := range map[string]int64{"of a known length": 10, "of an unknown one": -1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			k := &keeper{}
			d := New(Settings{Store: k, Log: slog.New(slog.DiscardHandler), Source: func(string) (Source, bool) {
				return Source{Receiver: receiver{}, MaxBody: 100, PerSecond: 2, Done: func() {}}, true
			}})
			r := httptest.NewRequest(http.MethodPost, "/hooks/desk", cutOff{})
			r.ContentLength = length
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), `"code":"body_incomplete"`) || len(k.kept) > 0 {
				t.Errorf("%d %s, %d kept", w.Code, w.Body, len(k.kept))
			}
		})
	}
}
