package admin

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/api"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/desk/desktest"
	"github.com/belfry-news/belfry/internal/memory"
	"github.com/belfry-news/belfry/internal/metrics"
	"github.com/belfry-news/belfry/sdk"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// settings are those of a daemon with a newsroom at work.
func settings(t *testing.T, tokens map[string]configs.Token) Settings {
	t.Helper()
	n := desktest.New(t, time.Now())
	k := api.NewTokens(nil)
	if err := k.Use(tokens); err != nil {
		t.Fatal(err)
	}
	cfg := func() *configs.Loaded { return n.Config }
	compiled, _ := compose.Compile(&n.Config.Config)
	program := func() *compose.Program { return compiled }
	return Settings{Listen: "127.0.0.1:0", Tokens: k, Metrics: metrics.New(metrics.Settings{Store: n.Store, Config: cfg, Program: program, Version: "test"}).Handler(),
		API: api.New(api.Settings{Store: n.Store, Config: cfg, Dir: n.Dir, Tokens: k,
			Open: func(context.Context, string) (sdk.Connector, bool, error) { return nil, false, errors.New("closed") }})}
}

func withTokens() map[string]configs.Token {
	return map[string]configs.Token{"reader": {Hash: api.Hash("reads"), Scopes: []string{api.ScopeRead}}, "operator": {Hash: api.Hash("operates"), Scopes: []string{api.ScopeOperate}}}
}

// TestWhoMaySee holds who sees what, from where.
func TestWhoMaySee(t *testing.T) {
	t.Parallel()
	with, without := New(settings(t, withTokens())).Handler(), New(settings(t, nil)).Handler()
	const here, there = "127.0.0.1:4711", "192.0.2.7:4711"
	for name, c := range map[string]struct {
		from, host, path, token string
		header                  string
		noTokens                bool
		want                    int
		says                    string
	}{
		"metrics from here":                       {from: here, path: "/metrics", noTokens: true, want: 200, says: "belfry_destination_waiting"},
		"metrics from here over IPv6":             {from: "[::1]:4711", host: "[::1]:9080", path: "/metrics", want: 200, says: "belfry_"},
		"metrics from there":                      {from: there, path: "/metrics", want: 401, says: "Authorization: Bearer"},
		"metrics from there without any token":    {from: there, path: "/metrics", noTokens: true, want: 401, says: "no token is configured"},
		"metrics from there with a token":         {from: there, path: "/metrics", token: "reads", want: 200, says: "belfry_"},
		"metrics with the wrong scope":            {from: there, path: "/metrics", token: "operates", want: 403, says: "needs read"},
		"metrics from here with a wrong token":    {from: here, path: "/metrics", token: "guess", want: 401, says: "not known"},
		"metrics through a proxy here":            {from: here, path: "/metrics", header: "X-Forwarded-For", want: 401},
		"metrics through another proxy here":      {from: here, path: "/metrics", header: "Via", want: 401},
		"metrics through a third proxy here":      {from: here, path: "/metrics", header: "X-Real-Ip", want: 401},
		"metrics through a fourth proxy here":     {from: here, path: "/metrics", header: "X-Forwarded-Host", want: 401},
		"metrics by a name that leads here":       {from: here, host: "rebound.example:9080", path: "/metrics", want: 401},
		"metrics by localhost":                    {from: here, host: "localhost:9080", path: "/metrics", want: 200, says: "belfry_"},
		"profiles from here":                      {from: here, path: "/debug/pprof/", want: 200, says: "goroutine"},
		"a profile from here":                     {from: here, path: "/debug/pprof/goroutine?debug=1", want: 200, says: "goroutine profile"},
		"profiles from there":                     {from: there, path: "/debug/pprof/heap", want: 401},
		"profiles with the scope":                 {from: there, path: "/debug/pprof/goroutine?debug=1", token: "operates", want: 200, says: "goroutine profile"},
		"profiles without the scope":              {from: there, path: "/debug/pprof/heap", token: "reads", want: 403, says: "needs operate"},
		"profiles through a proxy here":           {from: here, path: "/debug/pprof/heap", header: "Forwarded", want: 401},
		"profiles by a name that leads here":      {from: here, host: "rebound.example", path: "/debug/pprof/heap", want: 401},
		"the memory profile once more":            {from: here, path: "/debug/pprof/allocs?debug=1", want: 200, says: "heap profile"},
		"the command line is not shown":           {from: here, path: "/debug/pprof/cmdline", want: 404},
		"the API from here needs a token":         {from: here, path: "/api/v1/status", want: 401},
		"the API with a token":                    {from: there, path: "/api/v1/status", token: "reads", want: 200, says: `"site":"La Gazette"`},
		"the document is open":                    {from: there, path: "/api/v1/openapi.json", want: 200, says: `"openapi"`},
		"health is open":                          {from: there, path: "/healthz", want: 200, says: "ok"},
		"readiness is open":                       {from: there, path: "/readyz", want: 200, says: "ok"},
		"nothing else is here":                    {from: here, path: "/", want: 404, says: "/metrics"},
		"nothing of the API is left to the admin": {from: here, path: "/api/v1/nope", token: "reads", want: 404, says: "openapi.json"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequest(http.MethodGet, c.path, nil)
			r.RemoteAddr, r.Host = c.from, "127.0.0.1:9080"
			if c.host != "" {
				r.Host = c.host
			}
			if c.token != "" {
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			if c.header != "" {
				r.Header.Set(c.header, "192.0.2.7")
			}
			h := with
			if c.noTokens {
				h = without
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != c.want || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("status %d, want %d with %q:\n%.400s", w.Code, c.want, c.says, w.Body)
			}
		})
	}
}

func TestReadiness(t *testing.T) {
	t.Parallel()
	s := settings(t, nil)
	s.Ready = func() bool { return false }
	w := httptest.NewRecorder()
	New(s).Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if w.Code != 503 || w.Body.String() != "not ready\n" {
		t.Errorf("%d %q", w.Code, w.Body)
	}
}

// TestWhereItListens holds that what others can reach needs tokens.
func TestWhereItListens(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		listen string
		tokens map[string]configs.Token
		want   string
	}{
		"loopback":               {"127.0.0.1:0", nil, ""},
		"localhost":              {"localhost:0", nil, ""},
		"everywhere":             {":0", nil, "the admin address :0 can be reached from other machines, and no token is configured; write admin_listen: 127.0.0.1:9080, or make a token: belfry token NAME"},
		"everywhere by IPv4":     {"0.0.0.0:0", nil, "can be reached from other machines"},
		"everywhere with tokens": {"0.0.0.0:0", withTokens(), ""},
		"no address":             {"127.0.0.1:port", nil, "the admin address 127.0.0.1:port cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			st := settings(t, c.tokens)
			st.Listen = c.listen
			s := New(st)
			err := s.Start(t.Context())
			defer func() {
				if err := s.Stop(context.Background()); err != nil {
					t.Error(err)
				}
			}()
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Fatalf("%v, want %q", err, c.want)
			}
			if err != nil && s.Addr() != "" {
				t.Errorf("it listens at %s all the same", s.Addr())
			}
		})
	}
}

// TestStartAndStop serves over the network, and nothing afterwards.
func TestStartAndStop(t *testing.T) {
	t.Parallel()
	s := New(settings(t, nil))
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + s.Addr() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK || !strings.Contains(string(text), "belfry_collect_success 1") {
		t.Errorf("%d, %v: %.300s", res.StatusCode, err, text)
	}
	// An address that is used is named.
	st := settings(t, nil)
	st.Listen, st.Log = s.Addr(), slog.New(slog.DiscardHandler)
	if err := New(st).Start(t.Context()); err == nil || !strings.Contains(err.Error(), s.Addr()+" cannot be used") || !strings.Contains(err.Error(), "admin_listen") {
		t.Errorf("got %v", err)
	}
	if err := s.Stop(context.Background()); err != nil {
		t.Error(err)
	}
	if c, err := net.Dial("tcp", s.Addr()); err == nil {
		_ = c.Close()
		t.Error("it still listens")
	}
}

// TestTheMemoryProfileBegins asks for it twice; nothing else may run meanwhile, because its rate is the process's.
func TestTheMemoryProfileBegins(t *testing.T) {
	before := runtime.MemProfileRate
	defer func() { runtime.MemProfileRate = before }()
	memory.NoSamples()
	h := New(settings(t, nil)).Handler()
	var kept [][]byte
	for _, want := range []int{http.StatusServiceUnavailable, http.StatusOK} {
		if want == http.StatusOK { // from the first request on, what is allocated is sampled
			for range 64 {
				kept = append(kept, make([]byte, 1<<20))
			}
			runtime.GC() // the profile is of the collection before
			runtime.GC()
		}
		r := httptest.NewRequest(http.MethodGet, "/debug/pprof/heap?debug=1", nil)
		r.RemoteAddr, r.Host = "127.0.0.1:4711", "127.0.0.1:9080"
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != want || want == http.StatusServiceUnavailable && !strings.Contains(w.Body.String(), "ask again") {
			t.Errorf("status %d, want %d:\n%.200s", w.Code, want, w.Body)
		}
		if want == http.StatusOK && !strings.Contains(w.Body.String(), "TestTheMemoryProfileBegins") {
			t.Errorf("the profile does not know of %d MiB:\n%.500s", len(kept), w.Body)
		}
	}
	runtime.KeepAlive(kept)
}
