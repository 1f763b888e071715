//go:build linux && !race

package pluginhost

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/internal/sandbox"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

const hookSecret = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

// The configuration of a newsroom: its feed, read in a process of its own, and the receiver of its posts. Beside them stands
// every culprit.
const besideCulprits = `
site: {title: La Gazette, url: "https://gazette.example", lang: fr}
listen: 127.0.0.1:0
admin_listen: 127.0.0.1:0
data_dir: data
alerts: none
plugins: {memory: 256, deadline: 1s, external: {%s}}
sources:
  articles: {type: rss, url: "%s/feed", poll: 1s, baseline: all, allow_private: [127.0.0.0/8]}
%s
destinations:
  hook: {type: http, url: "%s/in", secret: "%s", allow_private: [127.0.0.0/8]}
channels:
  alertes:
    title: Alertes
    sources: [articles]
    each: {}
    template: "{{.Title}}"
    publish_to: [{destination: hook}]
`

// The daemon lives with all culprits at once. The newsroom beside them is read and posted as before, somebody is told of
// each culprit, and nothing that they started outlives the daemon.
func TestADaemonWithEveryCulprit(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "bf") // a short path, for sockets
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	site := feedtest.New()
	hook, err := receivertest.NewStandard(receivertest.StandardOptions{Secrets: []string{hookSecret}})
	if err != nil {
		t.Fatal(err)
	}
	address := func(h http.Handler) string {
		server := httptest.NewServer(h)
		t.Cleanup(server.Close)
		return server.URL
	}
	siteURL, hookURL := address(site), address(hook)
	newsroom := feedtest.Newsroom{Channel: feedtest.Channel{Title: "La Gazette", Link: siteURL}}
	publish := func(title string) {
		newsroom.Publish(feedtest.Article{ID: title, Title: title, Link: siteURL + "/" + title, Published: time.Now().Add(-time.Minute)})
		site.Feed("/feed", newsroom.Atom())
	}
	posted := func(title string) func() bool {
		return func() bool {
			return slices.ContainsFunc(hook.State().Posts, func(p receivertest.Post) bool { return p.Title == title })
		}
	}

	own, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var programs, sources []string
	types := map[string]string{} // by culprit
	for n, c := range culprits() {
		types[c.name] = ownType(n)
		programs = append(programs, fmt.Sprintf("%s: {path: %q, args: [plugin, %[1]s]}", ownType(n), own))
		sources = append(sources, fmt.Sprintf("  %s: {type: %s, poll: 1h}", c.source(), ownType(n)))
	}
	text := fmt.Sprintf(besideCulprits, strings.Join(programs, ", "), siteURL, strings.Join(sources, "\n"), hookURL, hookSecret)
	if err := os.WriteFile(filepath.Join(dir, "belfry.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	publish("before")
	d := daemontest.Start(t, daemontest.Build(t), dir)
	d.Ready()
	db, err := sqlite.OpenExisting(t.Context(), filepath.Join(dir, "data", "belfry.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })

	publish("meanwhile")
	waiting := culprits()
	for until := time.Now().Add(10 * time.Minute); len(waiting) > 0; time.Sleep(200 * time.Millisecond) {
		if !d.Running() || time.Now().After(until) {
			t.Fatalf("the daemon runs: %t; nobody was told of %+v:\n%s", d.Running(), waiting, d.Tail())
		}
		alerts, err := db.Alerts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		waiting = slices.DeleteFunc(waiting, func(c culprit) bool {
			st, err := db.SourceState(t.Context(), c.source())
			if err == nil && !c.told(alerts, types[c.name]) && (c.code != "" || st.OKAt.IsZero()) {
				err = db.FetchNow(t.Context(), c.source(), false, time.Now()) // the source's own pauses are not of interest
			} else if err == nil {
				return true
			}
			if err != nil {
				t.Fatal(err)
			}
			return false
		})
	}
	await(t, "the post of meanwhile", posted("meanwhile"))
	publish("afterwards")
	await(t, "the post of afterwards", posted("afterwards"))
	if n := len(hook.State().Posts); n != 3 || !posted("before")() {
		t.Errorf("%d posts: %+v", n, hook.State().Posts)
	}
	if strings.Contains(d.Log(), `msg="plugin process ended" plugin=rss`) {
		t.Error("the feed's process ended")
	}

	d.Stop()
	if code := d.Ended(time.Minute); code != 0 {
		t.Errorf("the daemon ended with the code %d:\n%s", code, d.Tail())
	}
	for _, c := range culprits() {
		said := false
		for line := range strings.Lines(d.Log()) {
			said = said || strings.Contains(line, c.logged) && strings.Contains(line, "plugin="+types[c.name]+" ")
		}
		if c.code == "" && c.logged != "" && !said { // of the others an alert told
			t.Errorf("%s: the log does not say %q of %s", c.name, c.logged, types[c.name])
		}
	}
	await(t, "the end of everything that was started", func() bool { return len(sandbox.Marked(dir)) == 0 })
}

// source is the name of the culprit's source.
func (c culprit) source() string {
	return strings.NewReplacer(" ", "-", "'", "", "SIGTERM", "sigterm", "GB", "gb", "UTF", "utf").Replace(c.name)
}

// told reports whether an alert says of the culprit's plugin what it did, and more than that it, or others, have not started yet.
func (c culprit) told(alerts []alert.Row, typ string) bool {
	return slices.ContainsFunc(alerts, func(r alert.Row) bool {
		return r.Subject == c.source() && (r.Code == alert.SourceFailing || r.Code == alert.PluginHeld) && r.Resolved.IsZero() &&
			strings.Contains(r.Sentence, "plugin "+typ) && !strings.Contains(r.Sentence, "still starting")
	})
}
