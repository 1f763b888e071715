package api

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk/desktest"
	"github.com/belfry-news/belfry/internal/logtest"
	"github.com/belfry-news/belfry/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fixture is an API over a real store of a newsroom at work.
type fixture struct {
	*desktest.Newsroom
	settings Settings
	handler  http.Handler
	log      *logtest.Buffer
	scopeOf  map[string]string
	problems []configs.Located
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{Newsroom: desktest.New(t, time.Now().UTC().Truncate(time.Second)), log: &logtest.Buffer{},
		scopeOf: map[string]string{"reader": ScopeRead, "poster": ScopePost, "operator": ScopeOperate, "desk": ScopePeople}}
	all := map[string]configs.Token{"all": {Hash: Hash("all-token"), Scopes: []string{ScopeRead, ScopePost, ScopeOperate, ScopePeople}}}
	for name, scope := range f.scopeOf {
		all[name] = configs.Token{Hash: Hash(name + "-token"), Scopes: []string{scope}}
	}
	tokens := NewTokens(nil)
	if err := tokens.Use(all); err != nil {
		t.Fatal(err)
	}
	f.Config.Notices = map[string]configs.Notice{"parcels": {Expires: sdk.D(time.Hour)}}
	f.settings = Settings{Store: f.Store, People: &readers{}, Config: func() *configs.Loaded { return f.Config }, Dir: f.Dir, Tokens: tokens, UserAgent: "Belfry/test",
		Log: slog.New(slog.NewTextHandler(f.log, nil)), Now: func() time.Time { return f.Now },
		Version: "test", Specs: []*sdk.Spec{f.Config.Spec("hook"), f.Config.Spec("feed")}, Problems: func(context.Context) ([]configs.Located, error) { return f.problems, nil },
		StartPlugin: func(context.Context, string) error { return nil },
		Open:        func(context.Context, string) (sdk.Connector, bool, error) { return f.Platform, false, nil }}
	f.handler = New(f.settings)
	return f
}

// readers are people who refuse what consent refuses.
type readers struct {
	mu      sync.Mutex
	signups []consent.SignUp
	notices []consent.Notify
}

func (r *readers) SignUp(_ context.Context, s consent.SignUp) error {
	if _, _, err := consent.Normalize(s.Medium, s.Address); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.signups = append(r.signups, s)
	return nil
}

func (r *readers) WithdrawAt(_ context.Context, medium, address, _ string, e consent.Evidence) (consent.Ack, error) {
	_, _, err := consent.Normalize(medium, address)
	return consent.Ack{At: e.At, Settled: true}, err
}

func (r *readers) Notify(_ context.Context, n consent.Notify) (string, error) {
	if n.Text.Title == "" && n.Text.Text == "" {
		return "", sdk.Errorf(sdk.CodeInvalid, "notice", "the notice says nothing")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notices = append(r.notices, n)
	return consent.NoticeQueued, nil
}

// do asks the API with the token of somebody; nobody's is empty.
func (f *fixture) do(t *testing.T, who, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	t.Helper()
	var in io.Reader
	if body != "" {
		in = strings.NewReader(body)
	}
	r := httptest.NewRequest(method, Base+path, in)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if who != "" {
		r.Header.Set("Authorization", "Bearer "+who+"-token")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	f.handler.ServeHTTP(w, r)
	return w
}

// get asks with every scope and reads the answer.
func (f *fixture) get(t *testing.T, path string, into any) {
	t.Helper()
	f.ask(t, http.MethodGet, path, "", into)
}

func (f *fixture) ask(t *testing.T, method, path, body string, into any) {
	t.Helper()
	w := f.do(t, "all", method, path, body)
	if w.Code >= 300 {
		t.Fatalf("%s %s answers %d: %s", method, path, w.Code, w.Body)
	}
	if err := json.Unmarshal(w.Body.Bytes(), into); err != nil {
		t.Fatal(err)
	}
}

// problem reads a problem.
func problemOf(t *testing.T, w *httptest.ResponseRecorder) Problem {
	t.Helper()
	var p Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Header().Get("Content-Type") != "application/problem+json" || p.Status != w.Code {
		t.Fatalf("no problem JSON: %d %s %s", w.Code, w.Header().Get("Content-Type"), w.Body)
	}
	return p
}
