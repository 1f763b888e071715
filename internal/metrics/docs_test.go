package metrics

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func textLog(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// TestPage holds the reference page.
func TestPage(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString(`# Metrics

The daemon serves these at ` + "`/metrics`" + ` of ` + "`admin_listen`" + `, in Prometheus' text format and in OpenMetrics, beside those of the Go
runtime and of the process. Alert rules are in [operations/prometheus-rules.yaml](operations/prometheus-rules.yaml), a Grafana
dashboard in [operations/grafana.json](operations/grafana.json).

Labels come from the names in the configuration and from fixed lists. Gauges are read from the store at most every five
seconds, whoever asks.

Whether the daemon's memory grows for good is told by ` + "`go_gc_heap_live_bytes`" + `, what its heap held after the last collection, and
by ` + "`process_resident_memory_bytes`" + `, what the system counts: with SQLite's caches, at most about 25 MiB, and the program itself.

| name | kind | labels | what it is |
|---|---|---|---|
`)
	for _, f := range families() {
		labels := "–"
		if len(f.labels) > 0 {
			labels = "`" + strings.Join(f.labels, "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", f.name, f.kind, labels, strings.TrimSpace(f.help+" "+f.page))
	}
	golden(t, "../../docs/metrics.md", b.String())
}

var ours = regexp.MustCompile(`belfry_[a-z_]+`)

// series are all names that a query may use, with the labels of each.
func series() map[string][]string {
	out := map[string][]string{}
	for _, f := range families() {
		if f.kind != "histogram" {
			out[f.name] = f.labels
			continue
		}
		for _, suffix := range []string{"_bucket", "_sum", "_count"} {
			out[f.name+suffix] = append([]string{"le"}, f.labels...)
		}
	}
	return out
}

var (
	matchers = regexp.MustCompile(`(belfry_[a-z_]+)\{([^}]*)\}`)
	matcher  = regexp.MustCompile(`([a-z_]+)\s*(?:=~|!~|!=|=)`)
	grouping = regexp.MustCompile(`(?:by|on|ignoring) ?\(([^)]*)\)`)
)

// checkQuery looks for names and labels that do not exist, and for brackets that do not match.
func checkQuery(t *testing.T, where, query string) {
	t.Helper()
	all := series()
	names := ours.FindAllString(query, -1)
	if len(names) == 0 && !strings.Contains(query, "up{") && !strings.Contains(query, "process_") {
		t.Errorf("%s: %q asks for nothing of ours", where, query)
	}
	var known []string
	for _, n := range names {
		labels, ok := all[n]
		if !ok {
			t.Errorf("%s: there is no metric %s", where, n)
		}
		known = append(known, labels...)
	}
	for _, m := range matchers.FindAllStringSubmatch(query, -1) {
		for _, l := range matcher.FindAllStringSubmatch(m[2], -1) {
			if !slices.Contains(all[m[1]], l[1]) && l[1] != "instance" && l[1] != "job" {
				t.Errorf("%s: %s has no label %s", where, m[1], l[1])
			}
		}
	}
	for _, m := range grouping.FindAllStringSubmatch(query, -1) {
		for l := range strings.SplitSeq(m[1], ",") {
			if l = strings.TrimSpace(l); l != "" && !slices.Contains(known, l) && l != "instance" && l != "job" {
				t.Errorf("%s: nothing in %q has the label %s", where, query, l)
			}
		}
	}
	for _, pair := range []string{"()", "{}", "[]"} {
		if strings.Count(query, pair[:1]) != strings.Count(query, pair[1:]) {
			t.Errorf("%s: %q has unmatched %s", where, query, pair)
		}
	}
}

// TestRules holds that every metric and label in the alert rules exists, and that each alert says what to do.
func TestRules(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations/prometheus-rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []struct {
				Alert       string
				Expr        string
				For         string
				Labels      map[string]string
				Annotations map[string]string
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(text, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	reference, err := os.ReadFile("../../docs/commands.md")
	if err != nil {
		t.Fatal(err)
	}
	var known []string
	for line := range strings.Lines(string(reference)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "### "); ok {
			known = append(known, name)
		}
	}
	command := regexp.MustCompile(`\bbelfry (?:(?:post|source|destination|alert) )?[a-z]+`)
	seen := map[string]bool{}
	placeholder := regexp.MustCompile(`\$labels\.([a-z_]+)`)
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if r.Alert == "" || seen[r.Alert] {
				t.Errorf("an alert of %s has no name of its own: %q", g.Name, r.Alert)
			}
			seen[r.Alert] = true
			checkQuery(t, r.Alert, r.Expr)
			// Sources that are called, or told of by a hub, are rightly silent for hours.
			if strings.Contains(r.Expr, sourceLastSuccess) && !strings.Contains(r.Expr, sourceFailures+" > 0") {
				t.Errorf("%s alarms for a source that nobody calls at night", r.Alert)
			}
			if s := r.Labels["severity"]; s != "page" && s != "ticket" {
				t.Errorf("%s: the severity is %q", r.Alert, s)
			}
			commands := command.FindAllString(r.Annotations["description"], -1)
			for _, c := range commands {
				if !slices.Contains(known, c) {
					t.Errorf("%s: there is no command %q", r.Alert, c)
				}
			}
			if len(commands) == 0 && !strings.Contains(r.Annotations["description"], "journalctl") {
				t.Errorf("%s: its description names no command", r.Alert)
			}
			var labels []string
			for _, n := range ours.FindAllString(r.Expr, -1) {
				labels = append(labels, series()[n]...)
			}
			for _, a := range r.Annotations {
				for _, m := range placeholder.FindAllStringSubmatch(a, -1) {
					if !slices.Contains(labels, m[1]) && m[1] != "instance" && m[1] != "job" {
						t.Errorf("%s: an annotation asks for the label %s, which is not there", r.Alert, m[1])
					}
				}
			}
		}
	}
	if len(seen) < 8 {
		t.Errorf("only %d rules were found", len(seen))
	}
}

// TestDashboard holds that every metric and label in the dashboard exists and that no two panels cover each other.
func TestDashboard(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/operations/grafana.json")
	if err != nil {
		t.Fatal(err)
	}
	type rect struct{ H, W, X, Y int }
	var board struct {
		Title  string
		UID    string
		Panels []struct {
			ID      int
			Title   string
			Type    string
			GridPos rect
			Targets []struct{ Expr, RefID string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	ids := map[int]bool{}
	queries := 0
	for i, p := range board.Panels {
		if p.ID == 0 || ids[p.ID] || p.Title == "" {
			t.Errorf("panel %d (%q) has no id or title of its own", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.GridPos.X+p.GridPos.W > 24 || p.GridPos.W == 0 || p.GridPos.H == 0 {
			t.Errorf("panel %q does not fit", p.Title)
		}
		for _, o := range board.Panels[:i] {
			a, b := p.GridPos, o.GridPos
			if a.X < b.X+b.W && b.X < a.X+a.W && a.Y < b.Y+b.H && b.Y < a.Y+a.H {
				t.Errorf("panels %q and %q cover each other", p.Title, o.Title)
			}
		}
		if p.Type != "row" && len(p.Targets) == 0 {
			t.Errorf("panel %q shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			queries++
			checkQuery(t, p.Title, target.Expr)
		}
	}
	if queries < 12 || board.Title == "" || board.UID == "" {
		t.Errorf("%q has only %d queries", board.Title, queries)
	}
}
