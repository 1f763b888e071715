package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/daemontest"
)

// TestNotify holds what systemd is told: when pages are served, that the daemon lives, and that it stops.
func TestNotify(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	config := "listen: 127.0.0.1:0\ndata_dir: data\nalerts: none\n"
	if err := os.WriteFile(filepath.Join(dir, "belfry.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	next := func() string {
		buffer := make([]byte, 1024)
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		n, err := conn.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		return string(buffer[:n])
	}
	d := daemontest.Start(t, daemontest.Build(t), dir, "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=600000")
	if got, want := next(), "READY=1\nSTATUS=serving "+d.Ready(); got != want {
		t.Errorf("the first message is %q, want %q", got, want)
	}
	for range 2 {
		if got := next(); got != "WATCHDOG=1" {
			t.Errorf("the watchdog is told %q", got)
		}
	}
	go d.Stop()
	for got := next(); got != "STOPPING=1"; got = next() {
		if !strings.HasPrefix(got, "WATCHDOG") {
			t.Fatalf("systemd is told %q", got)
		}
	}
	<-d.Done
}
