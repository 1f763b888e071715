package hostile

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/api"
	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// menagerie is a daemon whose every setting that may be secret is a canary, among servers that repeat what they are told.
type menagerie struct {
	*aviary
	t     *testing.T
	dir   string
	path  string // of the configuration
	admin string
	token string
	// bearer and basic are the secrets with which publishers call.
	bearer, basic string
	env           []string
	given         []string // canaries that stand in the daemon's environment, because they were put there

	mu    sync.Mutex
	room  *feedtest.Newsroom
	asked map[string]int
}

// reference puts a value into the environment, and gives how a configuration names it.
func (m *menagerie) reference(value string) string {
	name := fmt.Sprintf("PLANTED_%d", len(m.env))
	m.env = append(m.env, name+"="+value)
	return "${env:" + name + "}"
}

// look holds that a text has no canary in it, but for those that may be there.
func (m *menagerie) look(where string, text []byte, but ...string) {
	m.t.Helper()
	for _, w := range m.in(text) {
		if slices.Contains(but, w) {
			continue
		}
		at := max(bytes.Index(text, []byte(w)), 0)
		m.t.Errorf("%s holds %s: …%q…", where, w, text[max(0, at-150):min(len(text), at+50)])
	}
}

// serve is a careless server: it repeats everything it was told in its refusal.
func (m *menagerie) serve(cookie, echo string) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/feed", func(w http.ResponseWriter, _ *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "session", Value: cookie, Path: "/"})
		w.Header().Set("Content-Type", "application/rss+xml")
		m.mu.Lock()
		defer m.mu.Unlock()
		_, _ = w.Write(m.room.RSS())
	})
	userinfo := []string{m.word(), m.word()}
	mux.HandleFunc("/moved", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Location", "http://"+userinfo[0]+":"+userinfo[1]+"@"+r.Host+"/nowhere")
		w.WriteHeader(http.StatusMovedPermanently)
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		m.mu.Lock()
		m.asked[r.URL.Path]++
		m.mu.Unlock()
		http.SetCookie(w, &http.Cookie{Name: "session", Value: cookie, Path: "/"})
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
		user, password, _ := r.BasicAuth()
		w.WriteHeader(map[bool]int{true: http.StatusUnauthorized, false: http.StatusInternalServerError}[strings.Contains(r.URL.Path, "/401/")])
		_, _ = fmt.Fprintf(w, `{"ok":false,"error_code":401,"description":"refused %s of %s %s %v %s","cookie":"%s"}`, r.URL, user, password, r.Header, body, echo)
	})
	return mux
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// emptyMenagerie is a newsroom with a site, and an address at which nobody listens; it has no configuration yet.
func emptyMenagerie(t *testing.T) (m *menagerie, server, dead *httptest.Server) {
	t.Helper()
	m = &menagerie{t: t, aviary: &aviary{}, dir: t.TempDir(), admin: freeAddress(t), asked: map[string]int{}, env: []string{"BELFRY_LOG=debug"},
		room: &feedtest.Newsroom{Channel: feedtest.Channel{Title: "Gazette", Lang: "en"}}}
	m.room.Publish(feedtest.Article{ID: "1", Link: "https://news.example/1", Title: "First", Summary: "s", Published: time.Now()})
	server = httptest.NewServer(m.serve(m.word(), m.word()))
	t.Cleanup(server.Close)
	dead = httptest.NewServer(nil)
	dead.Close()
	return m, server, dead
}

func newMenagerie(t *testing.T) *menagerie {
	t.Helper()
	m, server, dead := emptyMenagerie(t)
	for _, name := range []string{"AWS_SECRET_ACCESS_KEY", "DATABASE_URL", "GITHUB_TOKEN", "SMTP_PASSWORD", "SSH_AUTH", "STRIPE_KEY", "VAULT_TOKEN", "PGPASSWORD", "HTTP_COOKIE"} {
		m.env = append(m.env, name+"="+m.word())
	}
	if err := os.WriteFile(filepath.Join(m.dir, "password"), []byte(m.word()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m.token = "belfry_" + m.word()
	const more = "abcdefghijklmnopqrstuvw"
	config := fmt.Sprintf(`
listen: 127.0.0.1:0
admin_listen: %[1]q
admin: {tokens: {canary: {hash: %[2]q, scopes: [read, post, operate]}}}
data_dir: data
alerts:
  to: [{destination: alarm}, {destination: alarm-telegram, chat: "@operators"}, {destination: signed}]
  heartbeat: {url: %[3]q, every: 10s, allow_private: [127.0.0.0/8]}
sources:
  good: {type: rss, url: %[4]q, poll: 1s, baseline: all, allow_private: [127.0.0.0/8], headers: {Authorization: %[5]q, X-Key: %[6]q}}
  private: {type: rss, url: %[7]q, username: u, password: "${file:password}", allow_private: [127.0.0.0/8]}
  dead: {type: rss, url: %[8]q, headers: {Cookie: %[9]q}, allow_private: [127.0.0.0/8]}
  moved: {type: rss, url: %[10]q, username: u, password: %[11]q, allow_private: [127.0.0.0/8]}
destinations:
  telegram: {type: telegram, token: %[12]q, api: %[13]q, allow_private: [127.0.0.0/8]}
  dead-telegram: {type: telegram, token: %[14]q, api: %[15]q, allow_private: [127.0.0.0/8]}
  referred: {type: telegram, token: %[16]q, api: %[13]q, allow_private: [127.0.0.0/8]}
  signed: {type: http, url: %[17]q, secret: %[18]q, headers: {Authorization: %[19]q}, allow_private: [127.0.0.0/8]}
  several: {type: http, url: %[20]q, secrets: [%[21]q, %[22]q], basic: {user: u, password: %[23]q}, allow_private: [127.0.0.0/8]}
  dead-hook: {type: http, url: %[24]q, secret: %[25]q, allow_private: [127.0.0.0/8]}
  own: {type: http, url: %[26]q, body: '{"t": {{json .Title}}}', ref: /id, headers: {X-A: %[27]q}, update: {url: %[28]q, headers: {X-B: %[29]q}}, delete: {url: %[30]q}, allow_private: [127.0.0.0/8]}
  alarm: {type: http, url: %[31]q, body: '{"t": {{json .Text}}}', headers: {Authorization: %[32]q}, allow_private: [127.0.0.0/8]}
  alarm-telegram: {type: telegram, token: %[33]q, api: %[13]q, allow_private: [127.0.0.0/8]}
channels:
  all:
    title: All
    sources: [good, private, dead, moved]
    each: {settle: 0s}
    publish_to: [{destination: telegram, chat: "@gazette_one"}, {destination: dead-telegram, chat: "@gazette_two"}, {destination: referred, chat: "@gazette_three"},
      {destination: signed}, {destination: several}, {destination: dead-hook}, {destination: own}]
`,
		m.admin, api.Hash(m.token), server.URL+"/401/beat/"+m.word()+"?key="+m.word(),
		server.URL+"/feed", "Bearer "+m.word(), m.reference(m.word()),
		m.reference(server.URL+"/401/"+m.word()+"?token="+m.word()),
		dead.URL+"/feed", "id="+m.word(),
		server.URL+"/moved", m.word(),
		"111111:"+m.word()+more, server.URL+"/401/", "222222:"+m.word()+more, dead.URL,
		m.reference("333333:"+m.word()+more),
		server.URL+"/hook/"+m.word()+"?key="+m.word(), m.signing(), "Bearer "+m.word(),
		server.URL+"/401/"+m.word(), m.signing(), m.reference(m.signing()), m.word(),
		dead.URL+"/"+m.word()+"?key="+m.word(), m.signing(),
		server.URL+"/own/"+m.word(), m.reference(m.word()), server.URL+"/update/"+m.word()+"/{{.Ref}}", m.word(), server.URL+"/delete/"+m.word()+"/{{.Ref}}",
		server.URL+"/alarm/"+m.word(), "Basic "+m.word(), "444444:"+m.word()+more)
	m.given = m.in([]byte(strings.Join(m.env, "\n")))
	planted := m.in([]byte(config + strings.Join(m.env, "\n") + m.token))
	t.Logf("%d canaries, %d of them in settings and the environment", len(m.birds), len(planted))
	if len(m.birds) < 45 || len(planted) < 40 { // the others are in a file and in answers
		t.Errorf("%d canaries are planted, and %d are seen where they stand", len(m.birds), len(planted))
	}
	m.path = filepath.Join(m.dir, "belfry.yaml")
	if err := os.WriteFile(m.path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// run runs a command with the daemon's environment, and looks at what it says.
func (m *menagerie) run(config string, stdin string, args ...string) string {
	m.t.Helper()
	cmd := exec.Command(program(), append(args, "--log", "debug", "--config", config)...)
	cmd.Env = append(os.Environ(), m.env...)
	cmd.Stdin = strings.NewReader(stdin)
	out, _ := cmd.CombinedOutput() // most of them fail here
	m.look("belfry "+strings.Join(args, " "), out)
	return string(out)
}

// get asks for a page, and looks at it and at its headers.
func (m *menagerie) get(method, url, token string) (status int, body []byte) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	if err != nil {
		m.t.Fatal(err)
	}
	m.look(method+" "+url, body)
	m.look("the headers of "+url, fmt.Append(nil, resp.Header))
	return resp.StatusCode, body
}

// processes looks at what the system shows of the daemon and its plugins to others of the same user.
func (m *menagerie) processes(d *daemontest.Daemon) {
	m.t.Helper()
	read := func(pid int, file string) []byte {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
		if err != nil {
			m.t.Fatal(err)
		}
		return text
	}
	plugins := d.Children()
	if len(plugins) == 0 {
		m.t.Error("there is no plugin")
	}
	for _, pid := range plugins {
		m.look("the plugin's environment", read(pid, "environ"))
	}
	m.look("the daemon's environment", read(d.Pid(), "environ"), m.given...) // what it was given, and nothing else
	for _, pid := range append(plugins, d.Pid()) {
		for _, file := range []string{"cmdline", "comm", "status", "mountinfo"} {
			m.look("/proc/…/"+file, read(pid, file))
		}
		links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		if err != nil || len(links) == 0 {
			m.t.Errorf("open files: %q %v", links, err)
		}
		for _, l := range links {
			to, _ := os.Readlink(l) // it may have been closed
			m.look("the name of an open file", []byte(to))
		}
	}
	// What ps shows to everybody.
	var list []byte
	all, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		m.t.Fatal(err)
	}
	for _, file := range all {
		line, _ := os.ReadFile(file) // the process may have ended
		list = append(append(list, line...), '\n')
	}
	if !bytes.Contains(list, []byte("run\x00--config\x00"+m.path)) {
		m.t.Errorf("the daemon is not in the list of processes:\n%q", list)
	}
	m.look("the list of processes", list)
}

// operators looks at everything that the admin address serves.
func (m *menagerie) operators() {
	m.t.Helper()
	base := "http://" + m.admin
	// The memory profile begins when it is first asked for.
	if status, _ := m.get(http.MethodGet, base+"/debug/pprof/heap", ""); status != http.StatusServiceUnavailable {
		m.t.Errorf("the first request for a memory profile is answered with %d", status)
	}
	for page, want := range map[string]int{"/metrics": 200, "/debug/pprof/": 200, "/debug/pprof/heap?debug=1": 200, "/debug/pprof/heap": 200, "/debug/pprof/allocs?debug=1": 200, "/debug/pprof/goroutine?debug=2": 200,
		"/debug/pprof/goroutine?debug=1": 200, "/debug/pprof/mutex?debug=1": 200, "/debug/pprof/symbol": 200, "/debug/pprof/profile?seconds=1": 200, "/debug/pprof/trace?seconds=1": 200,
		"/debug/pprof/cmdline": 404, "/debug/vars": 404, "/nowhere": 404, "/healthz": 200, "/readyz": 200} {
		if status, body := m.get(http.MethodGet, base+page, ""); status != want || len(body) == 0 {
			m.t.Errorf("%s answers %d with %d bytes, want %d", page, status, len(body), want)
		}
	}
	_, described := m.get(http.MethodGet, base+api.Base+"/openapi.json", m.token)
	var document struct {
		Paths map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(described, &document); err != nil || len(document.Paths) < 10 {
		m.t.Fatalf("%d paths, %v", len(document.Paths), err)
	}
	asked := 0
	for path, methods := range document.Paths {
		if _, reads := methods["get"]; !reads {
			continue
		}
		for _, name := range []string{"good", "private", "signed", "telegram", "all"} {
			at := strings.TrimPrefix(path, api.Base)
			if !strings.Contains(at, "{") && name != "good" {
				continue
			}
			at = strings.NewReplacer("{name}", name, "{channel}", "all", "{id}", "1", "{destination}", name).Replace(at)
			if status, _ := m.get(http.MethodGet, base+api.Base+at, m.token); status == http.StatusOK {
				asked++
			}
		}
	}
	if asked < 12 {
		m.t.Errorf("only %d answers of the API were seen", asked)
	}
	for _, act := range []string{"/sources/private/fetch", "/sources/dead/fetch", "/destinations/telegram/check", "/destinations/signed/check", "/destinations/dead-hook/check"} {
		if status, body := m.get(http.MethodPost, base+api.Base+act, m.token); status == http.StatusNotFound || status == http.StatusUnauthorized {
			m.t.Errorf("%s answers %d %s", act, status, body)
		}
	}
	wrong := "belfry_" + m.word()
	m.get(http.MethodGet, base+api.Base+"/status?token="+m.word(), wrong)
	m.get(http.MethodGet, base+api.Base+"/status", m.word()+" "+wrong)
	m.get(http.MethodGet, base+api.Base+"/status", "")
}

// files looks at every file below a folder.
func (m *menagerie) files(dir string) {
	m.t.Helper()
	n := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		n++
		text, err := os.ReadFile(path)
		m.look(entry.Name(), text)
		return err
	})
	if err != nil || n == 0 {
		m.t.Errorf("%d files: %v", n, err)
	}
}

// TestCanaries plants dozens of secrets, in settings, references, addresses, the environment, requests and the answers of
// servers, and holds that none of them appears in a log at debug level, a page, an answer to operators, a metric, a
// profile, what a command says, the store, a backup, or what the system shows of the processes, while everything fails
// that can.
func TestCanaries(t *testing.T) {
	t.Parallel()
	m := newMenagerie(t)
	d := daemontest.StartBy(t, m.dir, m.env, program(), "run", "--config", m.path)
	base := d.Ready()
	until(t, "everything was asked", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		alarmed, beaten := false, false
		for path := range m.asked {
			alarmed = alarmed || strings.HasPrefix(path, "/alarm/")
			beaten = beaten || strings.HasPrefix(path, "/401/beat/")
		}
		return len(m.asked) >= 8 && alarmed && beaten && strings.Contains(d.Log(), "level=DEBUG") && strings.Contains(d.Log(), "the heartbeat was missed") && strings.Count(d.Log(), "dead") > 2
	})
	m.mu.Lock()
	m.room.Publish(feedtest.Article{ID: "1", Link: "https://news.example/1", Title: "First, corrected", Summary: "s", Published: time.Now()})
	m.mu.Unlock()
	until(t, "the correction was taken", func() bool { return strings.Contains(d.Log(), "a post was revised") })
	for _, page := range []string{"/", "/c/all", "/c/all/feed.atom", "/c/all/feed.json", "/healthz", "/readyz", "/nowhere", "/nowhere/" + m.word() + "?a=" + m.word()} {
		if strings.Contains(page, species) {
			resp, err := http.Get(base + page) // a page may repeat where it is; the log may not
			if err != nil {
				t.Fatal(err)
			}
			_ = resp.Body.Close()
			continue
		}
		if status, body := m.get(http.MethodGet, base+page, ""); status == 0 || len(body) == 0 {
			t.Errorf("%s: %d", page, status)
		}
	}
	m.processes(d)
	m.operators()
	item := `{"key":"1","title":"First","url":"https://news.example/1","summary":"s"}`
	backup := filepath.Join(m.dir, "backup.db")
	for _, command := range []string{"check", "config show", "config show --origin", "status", "source list", "source list private", "source show dead", "source fetch private", "source fetch moved", "destination list",
		"destination check telegram", "destination check signed", "destination check several", "destination check dead-telegram", "destination check dead-hook", "destination check own", "alert list", "alert test", "plan", "post list",
		"post deliveries", "plugin list", "doctor", "doctor --online", "why --item https://news.example/1", "render http --item - --destination signed", "render http --item - --destination several",
		"render http --item - --destination own", "render telegram --item - --destination telegram", "store size", "store backup --force " + backup, "pause", "token new"} {
		for _, form := range []string{"", " --json"} {
			out := m.run(m.path, item, strings.Fields(command+form)...)
			if out == "" || strings.Contains(out, "--help") || strings.HasPrefix(command, "render") && !strings.Contains(out, "[secret]") {
				t.Errorf("belfry %s%s says %q", command, form, out)
			}
		}
	}
	if info, err := os.Stat(backup); err != nil || info.Size() < 10_000 {
		t.Errorf("the backup: %v", err)
	}
	log := d.Log()
	m.look("the log", []byte(log))
	d.Stop()
	m.look("the log", []byte(d.Log()))
	m.files(filepath.Join(m.dir, "data"))
	m.look("the backup", mustRead(t, backup))

	// The log as JSON, which is written by another handler; and a rehearsal, whose page shows every request.
	j := daemontest.StartBy(t, m.dir, m.env, program(), "run", "--json", "--log", "debug", "--config", m.path)
	until(t, "the log as JSON says something", func() bool { return strings.Count(j.Log(), `"level":"WARN"`) > 3 })
	j.Stop()
	m.look("the log as JSON", []byte(j.Log()))
	r := daemontest.StartBy(t, m.dir, m.env, program(), "run", "--rehearse", "--log", "debug", "--config", m.path)
	at := r.Ready()
	until(t, "the rehearsal shows requests", func() bool {
		_, body := m.get(http.MethodGet, at+"/rehearsal", "")
		return bytes.Contains(body, []byte("several")) && bytes.Contains(body, []byte("dead-telegram"))
	})
	r.Stop()
	m.look("the log of the rehearsal", []byte(r.Log()))
	if testing.Verbose() {
		t.Logf("%s", d.Tail())
	}
}

func mustRead(t *testing.T, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestCanariesInBadConfigurations puts secrets where they make a configuration bad, and holds that no complaint repeats
// them, be it a command's or the daemon's at a reload.
func TestCanariesInBadConfigurations(t *testing.T) {
	t.Parallel()
	const good = "listen: 127.0.0.1:0\nadmin_listen: none\ndata_dir: data\nalerts: none\n"
	const feed = "sources:\n  a:\n    type: rss\n    url: https://news.example/feed\n"
	for name, text := range map[string]string{
		"a user in a feed's address":           "sources: {a: {type: rss, url: \"https://user:CANARY@news.example/feed\"}}",
		"a user in a receiver's address":       "destinations: {a: {type: http, url: \"https://user:CANARY@hook.example/in\", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}}",
		"a user in the heartbeat's address":    "alerts: {to: [a], heartbeat: {url: \"https://user:CANARY@hc.example/ping\"}}\ndestinations: {a: {type: http, url: \"https://hook.example/in\", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}}",
		"a user in Telegram's address":         "destinations: {a: {type: telegram, token: \"1:abc\", api: \"https://user:CANARY@api.example\"}}",
		"a key in a receiver's bad address":    "destinations: {a: {type: http, url: \"ftp://hook.example/CANARY?key=CANARY\", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}}",
		"an address that cannot be parsed":     "destinations: {a: {type: http, url: \"https://hook.example:CANARY/%zz\", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}}",
		"a key in the heartbeat's bad address": "alerts: {to: [a], heartbeat: {url: \"hc.example/CANARY\"}}\ndestinations: {a: {type: http, url: \"https://hook.example/in\", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}}",
		"a token of another form":              "destinations: {a: {type: telegram, token: \"CANARY CANARY\"}}",
		"a secret of another form":             "destinations: {a: {type: http, url: \"https://hook.example/in\", secret: \"CANARY\"}}",
		"a secret that is a list":              "destinations: {a: {type: http, url: \"https://hook.example/in\", secret: [CANARY]}}",
		"a secret that is settings":            "destinations: {a: {type: http, url: \"https://hook.example/in\", secret: {value: CANARY}}}",
		"secrets that are one":                 "destinations: {a: {type: http, url: \"https://hook.example/in\", secrets: CANARY}}",
		"a header with a line end":             "destinations: {a: {type: http, url: \"https://hook.example/in\", secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw, headers: {X-Key: \"CANARY\\nX: y\"}}}",
		"a setting that is not known":          feed + "    passwort: CANARY\n",
		"a setting that stands twice":          feed + "    password: CANARY\n    password: CANARY\n",
		"a password without a user":            feed + "    password: CANARY\n",
		"a file that is not there":             feed + "    username: u\n    password: \"${file:/nowhere/x}CANARY\"\n",
		"a bad indent behind it":               feed + "    username: u\n    password: CANARY\n   headers: {}\n",
		"a bad quote in it":                    feed + "    username: u\n    password: \"CANARY\n",
		"a tab in front of it":                 feed + "    username: u\n\tpassword: CANARY\n",
		"an alias in its place":                feed + "    username: u\n    password: *CANARY\n",
		"a second document":                    feed + "    username: u\n    password: CANARY\n---\na: b\n",
		"a hash of a token that is the token":  "admin: {tokens: {a: {hash: CANARY, scopes: [read]}}}",
		"a token that is settings' name":       "admin: {tokens: {\"belfry_CANARY X\": {hash: x, scopes: [read]}}}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := &menagerie{t: t, aviary: &aviary{}, dir: t.TempDir()}
			bird := m.word()
			m.path = filepath.Join(m.dir, "belfry.yaml")
			head := good
			if strings.HasPrefix(text, "alerts:") {
				head = strings.Replace(good, "alerts: none\n", "", 1)
			}
			if err := os.WriteFile(m.path, []byte(head+strings.ReplaceAll(text, "CANARY", bird)+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, command := range []string{"check", "check --json", "run", "status", "config show"} {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				out, err := exec.CommandContext(ctx, program(), append(strings.Fields(command), "--config", m.path)...).CombinedOutput()
				cancel()
				if ctx.Err() == context.DeadlineExceeded || err == nil && command == "check" {
					t.Fatalf("belfry %s finds nothing wrong: %s", command, out)
				}
				m.look("belfry "+command, out)
			}
		})
	}
}
