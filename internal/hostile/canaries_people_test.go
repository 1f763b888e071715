package hostile

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/api"
	"github.com/belfry-news/belfry/internal/daemontest"
)

// thirtyTwo is a canary as the 32 bytes of a key.
func (a *aviary) thirtyTwo() []byte { return []byte(fmt.Sprintf("%-32s", a.word())) }

// dkimKey is a private key in PEM that is a canary.
func (m *menagerie) dkimKey() string {
	m.t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(ed25519.NewKeyFromSeed(m.thirtyTwo()))
	if err != nil {
		m.t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// carelessRelay is a mail server that repeats in its refusal what it was told, decoded and not; it counts who logs in.
func (m *menagerie) carelessRelay() string {
	m.t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { _ = ln.Close() })
	serve := func(c net.Conn) {
		defer c.Close()
		_, _ = fmt.Fprint(c, "220 relay.example\r\n")
		for lines := bufio.NewScanner(c); lines.Scan(); {
			line := lines.Text()
			verb, rest, _ := strings.Cut(line, " ")
			switch strings.ToUpper(verb) {
			case "EHLO", "HELO":
				_, _ = fmt.Fprint(c, "250-relay.example\r\n250 AUTH PLAIN LOGIN\r\n")
			case "AUTH":
				m.mu.Lock()
				m.asked["/relay"]++
				m.mu.Unlock()
				_, initial, _ := strings.Cut(rest, " ")
				told, _ := base64.StdEncoding.DecodeString(initial)
				_, _ = fmt.Fprintf(c, "535 5.7.8 refused %s %s\r\n", line, bytes.ReplaceAll(told, []byte{0}, []byte(" ")))
			case "QUIT":
				_, _ = fmt.Fprint(c, "221 bye\r\n")
				return
			default:
				_, _ = fmt.Fprintf(c, "530 5.7.0 log in first, not %s\r\n", line)
			}
		}
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return ln.Addr().String()
}

// newPeopleMenagerie is a daemon that writes to people and is told news by calendars, calls and commands, whose secrets are
// canaries; and the canaries with which strangers call it.
func newPeopleMenagerie(t *testing.T) *menagerie {
	t.Helper()
	m, server, dead := emptyMenagerie(t)
	for name, text := range map[string]string{"people.key": "belfry-key-" + base64.RawURLEncoding.EncodeToString(m.thirtyTwo()),
		"old.key": "belfry-key-" + base64.RawURLEncoding.EncodeToString(m.thirtyTwo()), "dkim.pem": m.dkimKey()} {
		if err := os.WriteFile(filepath.Join(m.dir, name), []byte(text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	// A command that tells everything it knows.
	command := filepath.Join(m.dir, "cms.sh")
	script := "#!/bin/sh\nread -r told\nenv >&2\necho \"debug: $CMS_TOKEN\" >&2\necho \"error: $told\" >&2\n" +
		`printf '{"error":{"code":"unauthenticated","message":"%s was refused"}}\n' "$CMS_TOKEN"` + "\n"
	if err := os.WriteFile(command, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	m.token, m.bearer, m.basic = "belfry_"+m.word(), m.word()+"-and-enough-of-it", "u:"+m.word()+"-and-enough-of-it"
	relay := m.carelessRelay()
	config := fmt.Sprintf(`
listen: 127.0.0.1:0
admin_listen: %[1]q
site: {title: Gazette, url: "https://gazette.example"}
admin: {tokens: {canary: {hash: %[2]q, scopes: [read, post, operate, people]}}}
privacy: {key: "${file:people.key}", previous_keys: ["${file:old.key}"], controller: "Gazette, Lyon"}
data_dir: data
alerts: none
sources:
  good: {type: rss, url: %[3]q, poll: 1s, baseline: all, allow_private: [127.0.0.0/8]}
  agenda: {type: calendar, url: %[4]q, username: u, password: %[5]q, headers: {X-Key: %[6]q}, allow_private: [127.0.0.0/8]}
  account: {type: calendar, protocol: caldav, url: %[7]q, username: u, password: %[8]q, allow_private: [127.0.0.0/8]}
  silent: {type: calendar, url: %[9]q, username: u, password: %[10]q, allow_private: [127.0.0.0/8]}
  desk: {type: webhook, signature: standard, secret: %[11]q, secrets: [%[12]q], map: {key: body.id, title: body.title}}
  bearer: {type: webhook, signature: bearer, secret: %[13]q, map: {key: body.id, title: body.title}}
  basic: {type: webhook, signature: basic, secret: %[14]q, map: {key: body.id, title: body.title}}
  meta: {type: webhook, signature: meta, secret: %[15]q, verify_token: %[16]q, map: {key: body.id, title: body.title}}
  cms: {type: exec, command: [%[17]q], env: {CMS_TOKEN: %[18]q}, config: {key: %[19]q}, unconfined: true}
destinations:
  mail:
    type: email
    relay: %[20]q
    tls: none
    sender: "Gazette <brief@gazette.example>"
    bounce: bounce@gazette.example
    bounce_secrets: [%[21]q, %[22]q]
    dkim: [{domain: gazette.example, selector: a, key: "${file:dkim.pem}"}]
    bounces: {imap: %[23]q, user: u, password: %[24]q, poll: 1s, webhook: {provider: postmark, user: u, secret: %[25]q}}
  bot: {type: telegram, token: %[26]q, api: %[27]q, webhook: "https://gazette.example/hooks/bot", webhook_secret: %[28]q, allow_private: [127.0.0.0/8]}
channels:
  all: {title: All, sources: [good, agenda, account, silent, desk, bearer, basic, meta, cms], each: {settle: 0s}, messages: [{destination: mail}, {destination: bot}]}
`,
		m.admin, api.Hash(m.token), server.URL+"/feed",
		m.reference(server.URL+"/401/"+m.word()+"/agenda.ics?key="+m.word()), m.word(), "Bearer "+m.word(),
		m.reference(server.URL+"/401/dav/"+m.word()+"/"), m.reference(m.word()),
		m.reference(dead.URL+"/"+m.word()+"/agenda.ics"), m.word(),
		m.signing(), m.reference(m.signing()), m.bearer, m.basic, m.reference(m.word()+"-and-enough-of-it"), m.word()+"-and-enough-of-it",
		command, m.word(), m.reference(m.word()),
		"smtp://u:"+m.word()+"@"+relay, m.word()+"-and-enough-of-it", m.word()+"-and-enough-of-it",
		"imaps://"+strings.TrimPrefix(dead.URL, "http://"), m.word(), m.word()+"-and-enough-of-it",
		"555555:"+m.word()+"abcdefghijklmnopqrstuvw", server.URL+"/401/", m.word()+"-and-enough-of-it")
	m.given = m.in([]byte(strings.Join(m.env, "\n")))
	if len(m.birds) < 30 {
		t.Errorf("only %d canaries are planted", len(m.birds))
	}
	m.path = filepath.Join(m.dir, "belfry.yaml")
	if err := os.WriteFile(m.path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return m
}

// stranger calls a hook with canaries everywhere that a call has room for them, and looks at the answer.
func (m *menagerie) stranger(base, name string) {
	m.t.Helper()
	for _, header := range []string{"Authorization: Bearer %s", "Authorization: Basic %s", "Webhook-Signature: v1,%s", "X-Hub-Signature-256: sha256=%s", "X-Telegram-Bot-Api-Secret-Token: %s", "Cookie: session=%s"} {
		wrong := m.word()
		key, value, _ := strings.Cut(fmt.Sprintf(header, wrong), ": ")
		if strings.Contains(header, "Basic") {
			value = "Basic " + base64.StdEncoding.EncodeToString([]byte("u:"+wrong))
		}
		req, err := http.NewRequestWithContext(m.t.Context(), http.MethodPost, base+"/hooks/"+name+"?token="+m.word()+"&hub.verify_token="+m.word(), strings.NewReader(`{"id":"`+m.word()+`","title":"t"}`))
		if err != nil {
			m.t.Fatal(err)
		}
		req.Header.Set(key, value)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Webhook-Id", m.word())
		req.Header.Set("Webhook-Timestamp", strconv.FormatInt(time.Now().Unix(), 10))
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			m.t.Fatal(err)
		}
		var said bytes.Buffer
		_, _ = said.ReadFrom(resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode < 400 {
			m.t.Errorf("a stranger's call of %s is answered with %s %s", name, resp.Status, &said)
		}
		m.look("the answer of "+name, said.Bytes())
	}
}

// publisher calls a hook as who may, and sends a cookie as well. What stands in the query is for maps, and kept.
func (m *menagerie) publisher(base, name, authorization string) {
	m.t.Helper()
	req, err := http.NewRequestWithContext(m.t.Context(), http.MethodPost, base+"/hooks/"+name+"?edition=1", strings.NewReader(`{"id":"`+name+`","title":"Called by `+name+`"}`))
	if err != nil {
		m.t.Fatal(err)
	}
	req.Header.Set("Authorization", authorization)
	req.Header.Set("Cookie", "session="+m.word())
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		m.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= 300 {
		m.t.Errorf("a publisher's call of %s is answered with %s", name, resp.Status)
	}
}

// TestCanariesOfPeopleAndPublishers is TestCanaries for what writes to people and for the other kinds of sources: relays,
// mailboxes, keys, signing secrets, calendars, commands and calls of strangers.
func TestCanariesOfPeopleAndPublishers(t *testing.T) {
	t.Parallel()
	m := newPeopleMenagerie(t)
	d := daemontest.StartBy(t, m.dir, m.env, program(), "run", "--config", m.path)
	base := d.Ready()
	// Somebody follows, so that there is something to write; what they are asked for is a form, and the links are theirs alone.
	const reader = "cAnAryreader@readers.example"
	resp, err := http.PostForm(base+"/follow/all", url.Values{"medium": {"email"}, "address": {reader}, "mode": {"instant"}, "started": {strconv.FormatInt(time.Now().Add(-time.Minute).UnixMilli(), 36)}})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("nobody may follow: %s", resp.Status)
	}
	for _, name := range []string{"desk", "bearer", "basic", "meta", "mail", "bot"} {
		m.stranger(base, name)
	}
	m.publisher(base, "bearer", "Bearer "+m.bearer)
	m.publisher(base, "basic", "Basic "+base64.StdEncoding.EncodeToString([]byte(m.basic)))
	until(t, "what publishers said is a post", func() bool {
		return strings.Contains(text(t, base+"/c/all"), "Called by bearer") && strings.Contains(text(t, base+"/c/all"), "Called by basic")
	})
	until(t, "everything was tried", func() bool {
		m.mu.Lock()
		defer m.mu.Unlock()
		tried := map[string]bool{}
		for path := range m.asked {
			for _, part := range []string{"agenda.ics", "/401/dav/", "/bot555555"} {
				tried[part] = tried[part] || strings.Contains(path, part)
			}
		}
		log := d.Log()
		return tried["agenda.ics"] && tried["/401/dav/"] && tried["/bot555555"] && m.asked["/relay"] > 0 && strings.Contains(log, "level=DEBUG") &&
			strings.Contains(log, "source=silent") && strings.Contains(log, "source=cms") && strings.Contains(log, "destination=mail")
	})
	for _, page := range []string{"/", "/c/all", "/c/all/feed.atom", "/follow/all", "/confirm/" + "nothing", "/me/nothing", "/leave/nothing"} {
		if status, body := m.get(http.MethodGet, base+page, ""); status == 0 || len(body) == 0 {
			t.Errorf("%s: %d", page, status)
		}
	}
	m.processes(d)
	for _, page := range []string{"/metrics", "/debug/pprof/heap", "/debug/pprof/heap?debug=1", "/debug/pprof/goroutine?debug=2", "/debug/pprof/cmdline", api.Base + "/status", api.Base + "/sources", api.Base + "/sources/cms",
		api.Base + "/sources/agenda", api.Base + "/destinations", api.Base + "/destinations/mail", api.Base + "/alerts", api.Base + "/doctor"} {
		m.get(http.MethodGet, "http://"+m.admin+page, m.token)
	}
	backup := filepath.Join(m.dir, "backup.db")
	for _, command := range []string{"check", "config show", "config show --origin", "status", "source list", "source show cms", "source show agenda", "source show account", "source show silent", "source show desk", "source fetch cms",
		"source fetch agenda", "source fetch account", "destination list", "destination check mail", "destination check bot", "alert list", "plan", "doctor", "doctor --online", "subscriber list", "consent verify", "store size",
		"store backup --force " + backup, "plugin list"} {
		for _, form := range []string{"", " --json"} {
			if out := m.run(m.path, "", strings.Fields(command+form)...); out == "" || strings.Contains(out, "--help") {
				t.Errorf("belfry %s%s says %q", command, form, out)
			}
		}
	}
	d.Stop()
	log := d.Log()
	m.look("the log", []byte(log))
	if strings.Contains(log, reader) || strings.Contains(log, "readers.example") {
		t.Errorf("the log names a reader:\n%s", lineWith(log, "readers.example"))
	}
	m.files(filepath.Join(m.dir, "data"))
	m.look("the backup", mustRead(t, backup))
	if testing.Verbose() {
		t.Logf("%s", d.Tail())
	}
}
