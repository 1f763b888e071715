package email

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// dovecot runs one on loopback, with one user and a Maildir. It is Debian's dovecot-imapd.
func dovecot(t *testing.T) (addr, maildir string) {
	t.Helper()
	path, err := exec.LookPath("dovecot")
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/dovecot"); err != nil {
			t.Fatal("dovecot is missing: apt-get install dovecot-imapd")
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr = l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(addr)
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	// Sockets have short paths, so that the usual folder of tests is too deep.
	dir, err := os.MkdirTemp("/tmp", "dc")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	name, uid := me.Username, me.Uid
	owner := name
	if uid == "0" {
		owner = "dovenull" // dovecot serves no mailbox of root's
	}
	u, err := user.Lookup(owner)
	if err != nil {
		t.Fatal(err)
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		t.Fatal(err)
	}
	maildir = filepath.Join(dir, "mail")
	for _, sub := range []string{"", "new", "cur", "tmp"} {
		if err := os.MkdirAll(filepath.Join(maildir, sub), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(maildir, sub), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`protocols = imap
listen = 127.0.0.1
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/log
ssl = no
disable_plaintext_auth = no
default_internal_user = %[2]s
default_internal_group = %[6]s
default_login_user = %[2]s
first_valid_uid = 1
first_valid_gid = 1
mail_location = maildir:%[3]s
passdb {
  driver = static
  args = password=secret-word
}
userdb {
  driver = static
  args = uid=%[4]s gid=%[5]s home=%[1]s
}
service imap-login {
  chroot =
  inet_listener imap {
    port = %[7]s
  }
  inet_listener imaps {
    port = 0
  }
}
service anvil {
  chroot =
}
`, dir, owner, maildir, u.Uid, u.Gid, g.Name, port)
	file := filepath.Join(dir, "dovecot.conf")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, "-F", "-c", file)
	out := &strings.Builder{}
	cmd.Stderr, cmd.Stdout = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(os.Interrupt)
		_ = cmd.Wait()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(dir, "log"))
			t.Logf("dovecot: %s\n%s", out, log)
		}
	})
	for begin := time.Now(); time.Since(begin) < 20*time.Second; {
		if conn, err := net.Dial("tcp", addr); err == nil {
			conn.Close()
			return addr, maildir
		}
		if !sleep(t.Context(), 20*time.Millisecond) {
			break
		}
	}
	t.Fatal("dovecot does not answer")
	return "", ""
}

func TestIMAP(t *testing.T) {
	t.Parallel()
	addr, maildir := dovecot(t)
	tree := func(password string) map[string]any {
		return map[string]any{"bounces": map[string]any{"imap": "imap://" + addr, "user": "belfry", "password": password, "poll": "1s"}}
	}
	c := offline(t, tree("secret-word"))
	drop := func(name, raw string) {
		t.Helper()
		deliver(t, maildir, name, raw)
		if err := os.Chmod(filepath.Join(maildir, "new", name), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	drop("1.a.host", "Delivered-To: "+tokenFor(t, c, "d1")+"\r\n"+failed("5.1.1", "550 no"))
	drop("2.b.host", "From: a@b.example\r\nSubject: Re: x\r\n\r\nSTOP\r\n"+strings.Repeat("> quoted\r\n", 5000))
	events, err := c.Listen(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	e, cursor, err := events.Next(t.Context())
	if err != nil || e.Kind != sdk.EventBounce || e.Ref != "d1" {
		t.Fatalf("%+v %v", e, err)
	}
	if err := events.Close(); err != nil {
		t.Error(err)
	}
	// With the cursor of the first it goes on behind it; without one the first comes again, since it was not settled.
	for _, tc := range []struct {
		from sdk.Cursor
		want string
	}{{nil, "d1"}, {cursor, ""}} {
		events, err := c.Listen(t.Context(), tc.from)
		if err != nil {
			t.Fatal(err)
		}
		e, _, err := events.Next(t.Context())
		if err != nil || e.Ref != tc.want || tc.want == "" && e.Text != "STOP" {
			t.Errorf("from %s: %+v %v", tc.from, e, err)
		}
		if err := events.Close(); err != nil {
			t.Error(err)
		}
	}
	events, err = c.Listen(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	for i := range 2 {
		if _, _, err := events.Next(t.Context()); err != nil {
			t.Fatalf("%d %v", i, err)
		}
	}
	// What comes while it listens is found by the next look.
	drop("3.c.host", "From: c@d.example\r\n\r\nMerci\r\n")
	if e, _, err = events.Next(t.Context()); err != nil || e.Text != "Merci" {
		t.Fatalf("%+v %v", e, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, _, err := events.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	// All three are settled now: marked as seen.
	seen := 0
	for _, f := range files(t, filepath.Join(maildir, "cur")) {
		if strings.Contains(f, ":2,S") {
			seen++
		}
	}
	if seen != 3 {
		t.Errorf("%d of 3 are marked as seen: %v", seen, files(t, filepath.Join(maildir, "cur")))
	}
	for password, want := range map[string]string{"secret-word": "the mailbox at 127.0.0.1 accepts the user, and has the folder INBOX", "wrong": "password"} {
		if found := offline(t, tree(password)).probeMailbox(t.Context()); len(found) != 1 || found[0].wrong != (password == "wrong") || !strings.Contains(found[0].text, want) {
			t.Errorf("%+v, want %q", found, want)
		}
	}
	if _, err := offline(t, tree("wrong")).Listen(t.Context(), nil); codeOf(err) != "unauthenticated account" {
		t.Errorf("%v", err)
	}
}
