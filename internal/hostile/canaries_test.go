package hostile

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// aviary makes canaries: words that must be seen nowhere.
type aviary struct{ birds []string }

// word makes one canary.
func (a *aviary) word() string {
	w := fmt.Sprintf("cAnAry%02dx7fQ", len(a.birds))
	a.birds = append(a.birds, w)
	return w
}

// signing makes a canary that is a signing secret.
func (a *aviary) signing() string {
	w := base64.StdEncoding.EncodeToString([]byte(a.word() + "-and-enough-of-it"))
	a.birds[len(a.birds)-1] = w[:40]
	return "whsec_" + w
}

// in lists the canaries that a text holds, in plain or as base64 or percent encoding would carry them.
func (a *aviary) in(text []byte) (found []string) {
	for _, w := range a.birds {
		if bytes.Contains(text, []byte(w)) || bytes.Contains(text, []byte(base64.StdEncoding.EncodeToString([]byte(w))[:16])) {
			found = append(found, w)
		}
	}
	return found
}

// TestCanaries plants forty secrets, in settings, references, addresses, the environment and the answers of servers, and
// holds that none of them appears in a log at debug level, a page, an answer of a command, the store, or the environment
// or command line of a process, while everything fails that can.
func TestCanaries(t *testing.T) {
	t.Parallel()
	a := &aviary{}
	room := &feedtest.Newsroom{Channel: feedtest.Channel{Title: "Gazette", Lang: "en"}}
	room.Publish(feedtest.Article{ID: "1", Link: "https://news.example/1", Title: "First", Summary: "s", Published: time.Now()})
	mux := http.NewServeMux()
	var writing sync.Mutex // of the newsroom
	cookie := func(w http.ResponseWriter, v string) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: v, Path: "/"})
	}
	cookies := []string{a.word(), a.word(), a.word()}
	mux.HandleFunc("/feed", func(w http.ResponseWriter, _ *http.Request) {
		cookie(w, cookies[0])
		w.Header().Set("Content-Type", "application/rss+xml")
		writing.Lock()
		defer writing.Unlock()
		_, _ = w.Write(room.RSS())
	})
	userinfo := []string{a.word(), a.word()}
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://"+userinfo[0]+":"+userinfo[1]+"@"+r.Host+"/nowhere")
		w.WriteHeader(http.StatusMovedPermanently)
	})
	var mu sync.Mutex
	asked := map[string]int{}
	// A careless server repeats everything it was told in its refusal.
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked[r.URL.Path]++
		mu.Unlock()
		cookie(w, cookies[1])
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		w.WriteHeader(map[bool]int{true: http.StatusUnauthorized, false: http.StatusInternalServerError}[strings.Contains(r.URL.Path, "/401/")])
		_, _ = fmt.Fprintf(w, `{"ok":false,"error_code":401,"description":"refused %s %v %s","cookie":"%s"}`, r.URL, r.Header, body, cookies[2])
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	dead := httptest.NewServer(nil)
	dead.Close()

	env := []string{"BELFRY_LOG=debug"}
	reference := func(value string) string {
		name := fmt.Sprintf("PLANTED_%d", len(env))
		env = append(env, name+"="+value)
		return "${env:" + name + "}"
	}
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "GITHUB_TOKEN", "SMTP_PASSWORD", "SSH_AUTH", "STRIPE_KEY", "VAULT_TOKEN", "PGPASSWORD", "HTTP_COOKIE"} {
		env = append(env, name+"="+a.word())
	}
	dir := t.TempDir()
	file := a.word()
	if err := os.WriteFile(filepath.Join(dir, "password"), []byte(file+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`
listen: 127.0.0.1:0
data_dir: data
alerts: none
sources:
  good: {type: rss, url: %[1]q, poll: 1s, baseline: all, allow_private: [127.0.0.0/8], headers: {Authorization: %[2]q, X-Key: %[3]q}}
  private: {type: rss, url: %[4]q, username: u, password: "${file:password}", allow_private: [127.0.0.0/8]}
  dead: {type: rss, url: %[5]q, headers: {Cookie: %[6]q}, allow_private: [127.0.0.0/8]}
  moved: {type: rss, url: %[7]q, username: u, password: %[8]q, allow_private: [127.0.0.0/8]}
destinations:
  telegram: {type: telegram, token: %[9]q, api: %[10]q, allow_private: [127.0.0.0/8]}
  dead-telegram: {type: telegram, token: %[11]q, api: %[12]q, allow_private: [127.0.0.0/8]}
  referred: {type: telegram, token: %[13]q, api: %[10]q, allow_private: [127.0.0.0/8]}
  signed: {type: http, url: %[14]q, secret: %[15]q, headers: {Authorization: %[16]q}, allow_private: [127.0.0.0/8]}
  several: {type: http, url: %[17]q, secrets: [%[18]q, %[19]q], basic: {user: u, password: %[20]q}, allow_private: [127.0.0.0/8]}
  dead-hook: {type: http, url: %[21]q, secret: %[22]q, allow_private: [127.0.0.0/8]}
  own: {type: http, url: %[23]q, body: '{"t": {{json .Title}}}', ref: /id, headers: {X-A: %[24]q}, update: {url: %[25]q, headers: {X-B: %[26]q}}, delete: {url: %[27]q}, allow_private: [127.0.0.0/8]}
channels:
  all:
    title: All
    sources: [good, private, dead, moved]
    each: {settle: 0s}
    publish_to: [{destination: telegram, chat: "@gazette_one"}, {destination: dead-telegram, chat: "@gazette_two"}, {destination: referred, chat: "@gazette_three"},
      {destination: signed}, {destination: several}, {destination: dead-hook}, {destination: own}]
`,
		server.URL+"/feed", "Bearer "+a.word(), reference(a.word()),
		reference(server.URL+"/401/"+a.word()+"?token="+a.word()),
		dead.URL+"/feed", "id="+a.word(),
		server.URL+"/moved", a.word(),
		"111111:"+a.word()+"abcdefghijklmnopqrstuvw", server.URL+"/401/", "222222:"+a.word()+"abcdefghijklmnopqrstuvw", dead.URL,
		reference("333333:"+a.word()+"abcdefghijklmnopqrstuvw"),
		server.URL+"/hook/"+a.word()+"?key="+a.word(), a.signing(), "Bearer "+a.word(),
		server.URL+"/401/"+a.word(), a.signing(), reference(a.signing()), a.word(),
		dead.URL+"/"+a.word()+"?key="+a.word(), a.signing(),
		server.URL+"/own/"+a.word(), reference(a.word()), server.URL+"/update/"+a.word()+"/{{.Ref}}", a.word(), server.URL+"/delete/"+a.word()+"/{{.Ref}}")
	t.Logf("%d canaries", len(a.birds))
	if seen := a.in([]byte(config + strings.Join(env, "\n"))); len(a.birds) < 40 || len(seen) < 34 { // six are in a file and in answers
		t.Errorf("%d canaries are planted, and %d are seen where they stand", len(a.birds), len(seen))
	}
	path := filepath.Join(dir, "belfry.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	program := daemontest.Build(t)
	look := func(where string, text []byte) {
		t.Helper()
		for _, w := range a.in(text) {
			at := max(bytes.Index(text, []byte(w)), 0)
			t.Errorf("%s holds %s: …%q…", where, w, text[max(0, at-150):min(len(text), at+50)])
		}
	}
	d := daemontest.Start(t, program, dir, env...)
	base := d.Ready()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		mu.Lock()
		n := len(asked)
		mu.Unlock()
		if n >= 6 && strings.Count(d.Log(), "dead") > 2 {
			break
		}
	}
	writing.Lock()
	room.Publish(feedtest.Article{ID: "1", Link: "https://news.example/1", Title: "First, corrected", Summary: "s", Published: time.Now()})
	writing.Unlock()
	time.Sleep(2 * time.Second) // the daemon looks at everything once more
	for _, page := range []string{"/", "/c/all", "/c/all/feed.atom", "/c/all/feed.json", "/healthz", "/readyz", "/nowhere"} {
		resp, err := http.Get(base + page)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		look("the page "+page, body)
		look("the headers of "+page, fmt.Append(nil, resp.Header))
	}
	for _, pid := range d.Children() {
		environ, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
		if err != nil {
			t.Fatal(err)
		}
		look("the plugin's environment", environ)
	}
	for _, pid := range append(d.Children(), d.Pid()) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			t.Fatal(err)
		}
		look("a command line", line)
	}
	for _, command := range []string{"check", "config show", "config files", "status", "source list", "source list private", "source fetch private", "destination list", "destination check telegram",
		"destination check signed", "destination check dead-telegram", "destination check dead-hook", "alert list", "plan", "post list", "post deliveries", "plugin list", "schedule next"} {
		for _, form := range []string{"", " --json"} {
			cmd := exec.Command(program, append(strings.Fields(command+form), "--log", "debug", "--config", path)...)
			cmd.Env = append(os.Environ(), env...)
			out, _ := cmd.CombinedOutput()
			look("belfry "+command+form, out)
		}
	}
	look("the log", []byte(d.Log()))
	d.Stop()
	look("the log", []byte(d.Log()))
	err := filepath.WalkDir(filepath.Join(dir, "data"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		look(entry.Name(), text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if testing.Verbose() {
		t.Logf("%s", d.Tail())
	}
}
