package crash

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/internal/pagertest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

const hearer = "anna.pager@example.invalid"

// key is the code of the key under her last page that says something.
func key(t *testing.T, last pagertest.Page, words string) string {
	t.Helper()
	for _, c := range last.Choices {
		if strings.Contains(c.Text, words) {
			return c.Code
		}
	}
	t.Fatalf("no key says %q under %q", words, last.Text)
	return ""
}

// TestNoStopIsLost kills a daemon between the moment in which a plugin tells of a STOP and the one in which it is stored. The next
// daemon hears of it, the person is told, and gets nothing more.
func TestNoStopIsLost(t *testing.T) {
	t.Parallel()
	dir, binary := t.TempDir(), daemontest.Build(t)
	service, site := pagertest.New("a-token"), feedtest.New()
	api, feed := httptest.NewServer(service), httptest.NewServer(site)
	t.Cleanup(api.CloseClientConnections)
	t.Cleanup(feed.Close)
	news := &feedtest.Newsroom{Channel: feedtest.Channel{Title: "News", Link: feed.URL, Lang: "en"}}
	site.Feed("/feed", news.RSS())
	for name, text := range map[string]string{"people.key": consent.NewKey() + "\n", "belfry.yaml": fmt.Sprintf(`
timezone: UTC
site: {title: News, url: "https://news.example", lang: en}
listen: 127.0.0.1:0
data_dir: data
alerts: none
plugins: {folder: plugins}
sources:
  articles: {type: rss, url: "%s/feed", poll: 1s, baseline: all, isolation: none, allow_private: [127.0.0.0/8]}
destinations:
  pager: {type: pager, api: "%s/api", token: a-token, allow_private: [127.0.0.0/8]}
privacy: {key: "${file:people.key}", controller: "News, 1 High Street, Leeds"}
channels:
  news: {title: News, sources: [articles], each: {}, messages: [{destination: pager}]}
`, feed.URL, api.URL)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	buildPager(t, dir)
	trusting := exec.Command(binary, "plugin", "trust", "paging", "--yes", "--config", "belfry.yaml")
	trusting.Dir = dir
	if out, err := trusting.CombinedOutput(); err != nil || !strings.Contains(string(out), "what people write there, with START and STOP") {
		t.Fatalf("it cannot be trusted: %v\n%s", err, out)
	}
	d := daemontest.Start(t, binary, dir)
	d.Ready()
	until := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: in vain\n%s", what, d.Tail())
			}
		}
	}
	count := func() int { n, _, _ := service.Record(); return n }
	pages := func(n int) { t.Helper(); until(fmt.Sprint(n, " pages"), func() bool { return count() == n }) }
	service.Did(hearer, "wrote", "/start news", "")
	pages(1)
	service.Did(hearer, "chose", "", key(t, service.Last(hearer), "Follow"))
	pages(2)

	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "data", "belfry.db")+"?_pragma=busy_timeout(60000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	lock, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	// Nothing can be stored from here on.
	if _, err := lock.ExecContext(context.Background(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	stop := service.Did(hearer, "wrote", "STOP", "")
	until("the plugin was told", func() bool { return service.Told() >= stop })
	time.Sleep(200 * time.Millisecond) // whether it has told the daemon by now or not, nothing may be lost
	d.Kill(daemontest.Group)
	if _, err := lock.ExecContext(context.Background(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	rows := func(query string) (n int) {
		t.Helper()
		if err := lock.QueryRowContext(context.Background(), query).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n, open := rows(`SELECT count(*) FROM inbox`), rows(`SELECT count(*) FROM inbox WHERE outcome = ''`); n != 2 || open != 0 {
		t.Fatalf("%d events are stored, %d of them open; the STOP was to be lost by the daemon", n, open)
	}
	d = daemontest.Start(t, binary, dir)
	base := d.Ready()
	pages(3)
	if active := rows(`SELECT count(*) FROM grants WHERE state = 'active'`); active != 0 {
		t.Errorf("%d grants are active after the STOP was answered", active)
	}
	news.Publish(feedtest.Article{ID: "late", Title: "Too late for her", Link: feed.URL + "/late", Published: time.Now()})
	site.Feed("/feed", news.RSS())
	until("the news is shown", func() bool {
		resp, err := http.Get(base + "/c/news")
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return err == nil && strings.Contains(string(body), "Too late for her")
	})
	time.Sleep(time.Second) // messages are made within one
	if n := count(); n != 3 {
		t.Errorf("%d pages came, the last of them after STOP was answered", n)
	}
}

// buildPager builds the example that writes to people and hears them into the plugin folder.
func buildPager(t *testing.T, dir string) {
	t.Helper()
	source, err := filepath.Abs("../../plugins/example")
	if err != nil {
		t.Fatal(err)
	}
	for _, mod := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(source, mod))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, mod), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-mod=mod", "-modfile="+filepath.Join(dir, "go.mod"), "-o", filepath.Join(dir, "plugins", "paging"), "./pager")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOPROXY=off", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the example does not build: %v\n%s", err, out)
	}
	if err := os.Chmod(filepath.Join(dir, "plugins"), 0o755); err != nil {
		t.Fatal(err)
	}
}
