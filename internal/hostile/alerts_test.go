package hostile

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	htmlparse "golang.org/x/net/html"

	"github.com/belfry-news/belfry/connectors/telegram/telegramtest"
	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk/render"
)

// unruly finds a character that commands a terminal or turns the order of a line.
func unruly(text string) string {
	for i, r := range text {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || strings.ContainsRune("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff", r) {
			return fmt.Sprintf("%q in …%q…", r, text[max(0, i-60):min(len(text), i+60)])
		}
	}
	return ""
}

// TestHostileAlerts has receivers refuse an article with sentences that want to be more than text, and holds that whoever is
// told of it, by Telegram, by a webhook, by commands and in the log, reads text.
func TestHostileAlerts(t *testing.T) {
	t.Parallel()
	bad := []string{`<script>alert(1)</script> <a href="https://evil.example">here</a>`, `"><img src=x onerror=alert(1)>`, "T\r\nSet-Cookie: a=1\r\n\r\n<p>x", "a\x00b\x01c\x1b[31md\u009b1me\x7ff",
		"evil \u202egnp.exe\u202c \u2066x\u2069", "[here](https://evil.example) *b* _i_ `c`", "tg://user?id=1 @everyone https://evil.example/x", "{{.Title}}{{template \"x\"}}${7*7}", "&lt;b&gt; &amp;amp; </b></code></pre>"}
	room := &feedtest.Newsroom{Channel: feedtest.Channel{Title: "Hostile " + bad[3] + bad[4], Lang: "en"}}
	room.Publish(feedtest.Article{ID: "1", Link: "https://news.example/1", Title: strings.Join(bad, " "), Summary: "s", Published: time.Now()})
	site := feedtest.New()
	site.Feed("/feed", room.JSON()) // JSON carries controls that XML cannot
	const token, operators = "123456:abcdefghijklmnopqrstuvwxyzABCDEFGHI", -1001234567890
	telegram := telegramtest.New(telegramtest.Options{Token: token, Bot: "bell_bot", Chats: []telegramtest.Chat{{ID: operators, Type: "channel", Title: "Ops " + bad[3] + bad[4], Username: "operators",
		Bot: telegramtest.Member{Status: "administrator", PostMessages: true, EditMessages: true, DeleteAny: true}}}})
	var mu sync.Mutex
	told := []string{}
	mux := http.NewServeMux()
	mux.Handle("/feed", site)
	mux.Handle("/telegram/", http.StripPrefix("/telegram", telegram))
	mux.HandleFunc("/ops", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		defer mu.Unlock()
		told = append(told, string(body))
		w.WriteHeader(http.StatusNoContent)
	})
	var sinks, to strings.Builder
	for i, s := range bad {
		mux.HandleFunc(fmt.Sprintf("/sink/%d", i), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.WriteHeader(http.StatusBadRequest)
			_, _ = fmt.Fprintf(w, "Answer %d: %s", i, s)
		})
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	for i := range bad {
		fmt.Fprintf(&sinks, "  sink-%d: {type: http, url: %q, body: '{}', allow_private: [127.0.0.0/8]}\n", i, fmt.Sprintf("%s/sink/%d", server.URL, i))
		fmt.Fprintf(&to, "{destination: sink-%d}, ", i)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "belfry.yaml")
	config := fmt.Sprintf(`
listen: 127.0.0.1:0
admin_listen: none
data_dir: data
alerts: {to: [{destination: telegram, chat: "@operators"}, ops]}
sources: {hostile: {type: rss, url: %q, poll: 1m, baseline: all, max_new: 1000, allow_private: [127.0.0.0/8]}}
destinations:
%s  ops: {type: http, url: %q, secret: %q, allow_private: [127.0.0.0/8]}
  telegram: {type: telegram, token: %q, api: %q, rates: off, allow_private: [127.0.0.0/8]}
channels:
  all: {title: All, sources: [hostile], each: {settle: 0s}, publish_to: [%s]}
`, server.URL+"/feed", sinks.String(), server.URL+"/ops", pressSecret, token, server.URL+"/telegram", to.String())
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d := daemontest.Start(t, program(), dir)
	d.Ready()
	hears := func() (byTelegram, byHook string) {
		for _, m := range telegram.Messages(operators) {
			byTelegram += m.Text + "\n"
		}
		mu.Lock()
		defer mu.Unlock()
		for _, body := range told {
			var payload any
			if err := json.Unmarshal([]byte(body), &payload); err != nil {
				t.Fatalf("%v: %s", err, body)
			}
			byHook += leaves(payload)
		}
		return byTelegram, byHook
	}
	until(t, "both were told of each", func() bool {
		a, b := hears()
		for i := range bad {
			if answer := fmt.Sprintf("Answer %d:", i); !strings.Contains(a, answer) || !strings.Contains(b, answer) {
				return false
			}
		}
		return true
	})
	byTelegram, byHook := hears()
	texts := map[string]string{"Telegram": byTelegram, "the webhook": byHook, "the log": d.Log()}
	for _, command := range []string{"alert list", "status", "post deliveries", "post list", "why --item https://news.example/1", "doctor", "plan", "source show hostile", "source list",
		"destination list", "destination check telegram", "destination check sink-3", "try rss --allow-private=127.0.0.0/8 " + server.URL + "/feed", "url check --allow-private=127.0.0.0/8 " + server.URL + "/feed"} {
		out, _ := exec.Command(program(), append(strings.Fields(command), "--config", file)...).CombinedOutput() // some say by their exit code that something is wrong
		if len(out) == 0 || strings.Contains(string(out), "--help") {
			t.Errorf("belfry %s says %q", command, out)
		}
		if verb, _, _ := strings.Cut(command, " "); verb == "try" || command == "destination check telegram" || command == "source show hostile" {
			if !strings.Contains(string(out), "gnp.exe") {
				t.Errorf("belfry %s does not show what it is called:\n%s", command, out)
			}
		}
		texts["belfry "+command] = string(out)
	}
	for where, text := range texts {
		if found := unruly(text); found != "" {
			t.Errorf("%s holds %s", where, found)
		}
	}
	for i, s := range bad {
		// What the receiver says is told as it is, but for what is no text.
		said := render.Line(fmt.Sprintf("Answer %d: %s", i, s))
		for where, text := range map[string]string{"Telegram": byTelegram, "the webhook": byHook, "belfry alert list": texts["belfry alert list"]} {
			if !strings.Contains(packed(text), packed(said)) {
				t.Errorf("%s does not tell that it said %q", where, said)
			}
		}
	}
	for _, m := range telegram.Messages(operators) {
		doc, err := htmlparse.Parse(strings.NewReader(m.HTML))
		if err != nil {
			t.Fatal(err)
		}
		for n := range doc.Descendants() {
			if n.Type != htmlparse.ElementNode {
				continue
			}
			if found := dangerous(n); found != "" {
				t.Errorf("an alert has %s: %s", found, m.HTML)
			}
			for _, a := range n.Attr {
				if a.Key == "href" && strings.Contains(a.Val, "evil.example") {
					t.Errorf("an alert leads to %s", a.Val)
				}
			}
		}
	}
}

// packed is a text without its spaces: some stand where a control did.
func packed(s string) string { return strings.Join(strings.Fields(s), "") }

// leaves are the texts of a tree of JSON, one a line.
func leaves(tree any) (out string) {
	switch x := tree.(type) {
	case string:
		return x + "\n"
	case []any:
		for _, e := range x {
			out += leaves(e)
		}
	case map[string]any:
		for _, e := range x {
			out += leaves(e)
		}
	}
	return out
}
