package calendar

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// radicale is a server of Debian's package, in a folder of its own.
type radicale struct {
	t    testing.TB
	base string
}

func newRadicale(t testing.TB) *radicale {
	t.Helper()
	program, err := exec.LookPath("radicale")
	if err != nil {
		t.Fatal("radicale is missing; install the package radicale")
	}
	dir := t.TempDir()
	users := filepath.Join(dir, "users")
	if err := os.WriteFile(users, []byte("desk:right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 5 { // another program can take the port meanwhile
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address := l.Addr().String()
		_ = l.Close()
		said, err := os.Create(filepath.Join(dir, "log"))
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(program, "--config", "/dev/null", "--server-hosts", address, "--auth-type", "htpasswd", "--auth-htpasswd-filename", users,
			"--auth-htpasswd-encryption", "plain", "--auth-delay", "0", "--storage-filesystem-folder", filepath.Join(dir, "data"))
		cmd.Stdout, cmd.Stderr = said, said
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = cmd.Wait(); close(ended) }()
		stop := func() { _ = cmd.Process.Kill(); <-ended; _ = said.Close() }
		r := &radicale{t: t, base: "http://" + address}
		if r.answers(ended) {
			t.Cleanup(stop)
			return r
		}
		stop()
	}
	text, _ := os.ReadFile(filepath.Join(dir, "log"))
	t.Fatalf("radicale does not answer: %s", text)
	return nil
}

// answers waits until the server does, or has ended.
func (r *radicale) answers(ended chan struct{}) bool {
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		select {
		case <-ended:
			return false
		default:
		}
		if conn, err := net.Dial("tcp", strings.TrimPrefix(r.base, "http://")); err == nil {
			_ = conn.Close()
			return true
		}
	}
	return false
}

func (r *radicale) do(method, path, body string) {
	r.t.Helper()
	req, err := http.NewRequest(method, r.base+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.SetBasicAuth("desk", "right")
	req.Header.Set("Content-Type", "text/calendar")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		r.t.Fatalf("%s %s: %s", method, path, resp.Status)
	}
}

func login(password string) func(*Config) {
	return func(c *Config) {
		c.Protocol, c.Username, c.Password = "caldav", "desk", sdk.NewSecret(password)
	}
}

func keysOf(b sdk.Batch) []string {
	var out []string
	for _, it := range b.Items {
		out = append(out, it.Key)
	}
	slices.Sort(out)
	return out
}

// TestRadicale goes through the life of a calendar on a server that is not ours.
func TestRadicale(t *testing.T) {
	t.Parallel()
	r := newRadicale(t)
	r.do("MKCALENDAR", "/desk/agenda/", "")
	one := func(e string) string { return agenda(e).body }
	weekly := "RRULE:FREQ=WEEKLY;COUNT=2"
	r.do(http.MethodPut, "/desk/agenda/a.ics", one(event("a@x", "20261201T200000", "Weekly", weekly)))
	r.do(http.MethodPut, "/desk/agenda/b.ics", one(event("b@x", "20261202T200000", "Two")))
	r.do(http.MethodPut, "/desk/agenda/far.ics", one(event("far@x", "20270602T200000", "Far")))

	b := &bench{now: start, Source: openSource(t, r.base+"/", login("right"))}
	first := b.fetch(t)
	want := []string{"a@x#20261201T190000Z@1d", "a@x#20261208T190000Z@1d", "b@x@1d"}
	same(t, want, keysOf(first))
	if first.Complete || first.More || len(first.Whole) != 2 {
		t.Errorf("the first batch has the groups %v, complete %v, more %v", first.Whole, first.Complete, first.More)
	}
	b.now = b.now.Add(time.Minute)
	if got := b.fetch(t); !got.Unchanged {
		t.Errorf("nothing changed: %+v", got)
	}

	// A change and a deletion come by the token, and nothing else does.
	groups := map[string]string{}
	for _, it := range first.Items {
		groups[it.Event.UID] = it.Group
	}
	r.do(http.MethodPut, "/desk/agenda/b.ics", one(event("b@x", "20261203T200000", "Two, moved")))
	r.do(http.MethodDelete, "/desk/agenda/a.ics", "")
	got := b.fetch(t)
	same(t, []string{"b@x@1d"}, keysOf(got))
	wantWhole := []string{groups["a@x"], groups["b@x"]}
	slices.Sort(wantWhole)
	same(t, wantWhole, got.Whole)

	// One far away is read and is nothing; moved into the horizon it is.
	r.do(http.MethodPut, "/desk/agenda/far.ics", one(event("far@x", "20270702T200000", "Far")))
	if got := b.fetch(t); len(got.Items) != 0 {
		t.Errorf("%v", keysOf(got))
	}
	r.do(http.MethodPut, "/desk/agenda/far.ics", one(event("far@x", "20261210T200000", "Near")))
	same(t, []string{"far@x@1d"}, keysOf(b.fetch(t)))

	// The server forgets the token: all is read again, and only what is gone is withdrawn.
	r.do(http.MethodDelete, "/desk/agenda/b.ics", "")
	b.cursor = []byte(strings.Replace(string(b.cursor), `"token":"`, `"token":"http://radicale.org/ns/sync/0000`, 1))
	got = b.fetch(t)
	same(t, []string{"far@x@1d"}, keysOf(got))
	if !slices.Contains(got.Whole, groups["b@x"]) || !strings.Contains(strings.Join(got.Notices, "\n"), "has forgotten") {
		t.Errorf("%v %q", got.Whole, got.Notices)
	}

	// A second calendar needs a choice, and the first address goes on.
	r.do("MKCALENDAR", "/desk/sport/", "")
	if got := b.fetch(t); !got.Unchanged {
		t.Errorf("%+v", got)
	}
	_, err := openSource(t, r.base+"/", login("right")).Fetch(context.Background(), sdk.FetchRequest{Now: start})
	if e := sdk.AsError(err); e.Code != sdk.CodeInvalid || !strings.Contains(e.Public, `has 2 calendars; set calendar to one of "desk/agenda", "desk/sport"`) {
		t.Errorf("%v", err)
	}
	for choice, says := range map[string]string{"agenda": "", "culture": `has no calendar "culture"; it has "desk/agenda", "desk/sport"`} {
		_, err := openSource(t, r.base+"/", login("right"), func(c *Config) { c.Calendar = choice }).Fetch(context.Background(), sdk.FetchRequest{Now: start})
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says)) {
			t.Errorf("%s: %v", choice, err)
		}
	}

	got, err = openSource(t, r.base+"/desk/agenda/", login("wrong")).Fetch(context.Background(), sdk.FetchRequest{Now: start, Cursor: b.cursor})
	if e := sdk.AsError(err); e.Code != sdk.CodeForbidden || !strings.HasSuffix(e.Public, "it does not accept the username and the password; check them") || strings.Contains(err.Error(), "wrong") {
		t.Errorf("a wrong password: %v", err)
	}
	if len(got.Next)+len(got.Items) > 0 {
		t.Error("an error stores nothing")
	}
}
