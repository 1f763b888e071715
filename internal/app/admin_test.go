package app

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/api"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

func ask(t *testing.T, url, token string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// TestOperatorsAreServed holds that the admin address shows what the daemon does, to whom a reload says.
func TestOperatorsAreServed(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	with := func(token string) string {
		return plain + fmt.Sprintf("\nadmin_listen: 127.0.0.1:0\nadmin: {tokens: {desk: {hash: %q, scopes: [read]}}}\n", api.Hash(token))
	}
	s.config(with("first"))
	a := s.start()
	s.publish(feedtest.Article{ID: "a", Title: "Un"})
	s.until("it is posted", func() bool { return len(s.messages()) == 1 && s.idle() })
	base := "http://" + a.AdminAddr()
	_, metrics := ask(t, base+"/metrics", "")
	for _, line := range []string{`belfry_delivery_lag_seconds_count{destination="hook"} 1`, `belfry_destination_call_duration_seconds_count{destination="hook",outcome="ok"} 1`,
		`belfry_source_fetch_duration_seconds_count{outcome="ok",type="rss"} `} {
		if !strings.Contains(metrics, "\n"+line) {
			t.Errorf("no line %s in\n%s", line, metrics)
		}
	}
	if code, body := ask(t, base+"/metrics", ""); code != http.StatusOK || !strings.Contains(body, `belfry_channel_posts{channel=`) || !strings.Contains(body, "belfry_collect_success 1") {
		t.Errorf("%d: %s", code, body)
	}
	if code, body := ask(t, base+"/api/v1/posts", "first"); code != http.StatusOK || !strings.Contains(body, `"Un"`) {
		t.Errorf("%d: %s", code, body)
	}
	s.config(with("second"))
	if r := a.Reload(t.Context()); r.Err != nil {
		t.Fatal(r.Err)
	}
	for token, want := range map[string]int{"first": http.StatusUnauthorized, "second": http.StatusOK} {
		if code, body := ask(t, base+"/api/v1/status", token); code != want {
			t.Errorf("%s: %d, want %d: %s", token, code, want, body)
		}
	}
	s.stop(a)
	if _, err := http.Get(base + "/healthz"); err == nil {
		t.Error("the admin address is served after the end")
	}
}

// TestOperatorsAsTheDaemon holds that what needs more than the store is wired: the daemon's files, plugins, platforms and
// configuration.
func TestOperatorsAsTheDaemon(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	text := strings.Replace(plain, "alerts: none", "alerts: {to: [hook]}", 1) +
		fmt.Sprintf("\nadmin_listen: 127.0.0.1:0\nadmin: {tokens: {desk: {hash: %q, scopes: [read, operate]}}}\n", api.Hash("token"))
	s.config(text)
	a := s.start()
	s.publish(feedtest.Article{ID: "a", Title: "Un"})
	s.until("it is posted", func() bool { return len(s.messages()) == 1 && s.idle() })
	do := func(method, path, body string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, "http://"+a.AdminAddr()+api.Base+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer token")
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil || resp.StatusCode != http.StatusOK {
			t.Errorf("%s %s answers %d, %v: %s", method, path, resp.StatusCode, err, b)
		}
		return string(b)
	}
	says := func(got string, want ...string) {
		t.Helper()
		for _, w := range want {
			if !strings.Contains(got, w) {
				t.Errorf("no %q in %.2000s", w, got)
			}
		}
	}
	says(do("GET", "/version", ""), `"version":"test"`)
	says(do("GET", "/plugins", ""), `"type":"rss"`, `"type":"telegram"`)
	says(do("GET", "/doctor", ""), `"about":"database","sentence":"schema `, `belfry.yaml can be used`)
	says(do("POST", "/doctor", `{"online":true}`), `"sentence":"telegram can be posted to"`)
	says(do("POST", "/alerts/test", ""), `"destination":"hook","chat":"","outcome":"arrived"`)
	says(do("GET", "/store/size", ""), `"name":"posts","rows":1`, filepath.Join(s.dir, "data", "belfry.db"))
	says(do("POST", "/store/backup", ""), "SQLite format 3")
	says(do("GET", "/config", ""), `"generation":1`, `"token":"[secret]"`)
	if text := do("GET", "/config/origins", ""); strings.Contains(text, testToken) || strings.Contains(text, testSecret) {
		t.Errorf("a secret is told: %s", text)
	}
	says(do("GET", "/config/problems", ""), `"items":[]`)
	s.config(strings.Replace(text, "title: Alertes", "titel: Alertes", 1))
	says(do("GET", "/config/problems", ""), `did you mean \"title\"?`)
	says(do("GET", "/doctor", ""), `"healthy":false`)
}

// TestAnAdminAddressInUse holds that one that was asked for must be there, and that the daemon does without the usual one.
func TestAnAdminAddressInUse(t *testing.T) {
	t.Parallel()
	first := newStage(t)
	first.config(plain + "\nadmin_listen: 127.0.0.1:0\n")
	taken := first.start().AdminAddr()
	s := newStage(t)
	s.config(plain + "\nadmin_listen: " + taken + "\n")
	if err := s.make().Start(t.Context()); err == nil || !strings.Contains(err.Error(), taken+" cannot be used") {
		t.Errorf("the error is %v", err)
	}
	s.config(plain + "\nadmin_listen: 0.0.0.0:0\n")
	if _, err := New(Options{Config: configs.Options{Path: filepath.Join(s.dir, "belfry.yaml"), Specs: specs()}}); err == nil || !strings.Contains(err.Error(), "belfry token NAME") {
		t.Errorf("open to everybody without a token: %v", err)
	}
	s.config(plain + "\nadmin_listen: none\n")
	if a := s.start(); a.AdminAddr() != "" {
		t.Errorf("it is served at %s", a.AdminAddr())
	}
}
