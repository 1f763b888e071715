package main

import (
	"database/sql"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/daemontest"
)

// manager stands where systemd would: it hears what the daemon tells it.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
	dir  string
	d    *daemontest.Daemon
}

// manage starts a daemon whose watchdog has a period, as systemd would.
func manage(t *testing.T, watchdog time.Duration) *manager {
	t.Helper()
	m := &manager{t: t, dir: t.TempDir()}
	config := "listen: 127.0.0.1:0\nadmin_listen: none\ndata_dir: data\nalerts: none\n"
	if err := os.WriteFile(filepath.Join(m.dir, "belfry.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(m.dir, "notify")
	var err error
	if m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.conn.Close() })
	m.d = daemontest.Start(t, daemontest.Build(t), m.dir, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC="+usec(watchdog))
	return m
}

func usec(d time.Duration) string {
	return strings.TrimSuffix(d.Truncate(time.Second).String(), "s") + "000000"
}

// next is what is told next, within a time; empty when nothing is.
func (m *manager) next(within time.Duration) string {
	m.t.Helper()
	buffer := make([]byte, 1024)
	_ = m.conn.SetReadDeadline(time.Now().Add(within))
	n, err := m.conn.Read(buffer)
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		m.t.Fatal(err)
	}
	return string(buffer[:n])
}

const soon = 2 * time.Minute // a daemon starts meanwhile, on a slow machine

func (m *manager) wants(want string) {
	m.t.Helper()
	if got := m.next(soon); got != want {
		m.t.Errorf("systemd is told %q, want %q", got, want)
	}
}

// TestNotify holds what systemd is told: when pages are served, that the daemon lives, and that it stops.
func TestNotify(t *testing.T) {
	t.Parallel()
	m := manage(t, time.Second)
	m.wants("READY=1\nSTATUS=serving " + m.d.Ready())
	for range 2 {
		m.wants("WATCHDOG=1")
	}
	go m.d.Stop()
	for got := m.next(soon); got != "STOPPING=1"; got = m.next(soon) {
		if !strings.HasPrefix(got, "WATCHDOG") {
			t.Fatalf("systemd is told %q", got)
		}
	}
	<-m.d.Done
}

// TestHangingStore holds that systemd is not told that the daemon lives while its store takes nothing, although its pages
// are served: systemd would kill it and start it again. When the store goes on, so does the watchdog.
func TestHangingStore(t *testing.T) {
	t.Parallel()
	const period = 3 * time.Second
	m := manage(t, period)
	m.wants("READY=1\nSTATUS=serving " + m.d.Ready())
	m.wants("WATCHDOG=1")
	db, err := sql.Open("sqlite", filepath.Join(m.dir, "data", "belfry.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// Another writer that never ends.
	for _, text := range []string{"PRAGMA busy_timeout = 20000", "BEGIN IMMEDIATE"} {
		if _, err := conn.ExecContext(t.Context(), text); err != nil {
			t.Fatal(err)
		}
	}
	// What was under way is told; then, for longer than the period that systemd waits, nothing is.
	silent := false
	for began := time.Now(); time.Since(began) < soon && !silent; {
		silent = m.next(period+time.Second) == ""
	}
	if !silent {
		t.Error("the watchdog is told of a daemon whose store hangs")
	}
	if status, body := ask(t, m.d.Ready()+"/healthz"); status != 200 {
		t.Errorf("the pages answer %d %s: it is not the store alone that hangs", status, body)
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	m.wants("WATCHDOG=1")
	if text := m.d.Log(); !strings.Contains(text, "the store does not answer; the watchdog is not told") {
		t.Errorf("the log says\n%s", text)
	}
}

// ask fetches an address.
func ask(t *testing.T, address string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
