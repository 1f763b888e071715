package web_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
)

// Thousands of connections that never come to the end of a request do not keep a reader waiting: the oldest of them give way.
func TestHalfOpenConnections(t *testing.T) {
	t.Parallel()
	n := open(t, gazette())
	n.post("alertes", "2026-11-20 07:00:00", compose.KindEach, compose.Content{Title: "Un titre"})
	base := n.serve()
	many := 3000
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err == nil {
		many = min(many, int(limit.Cur/4)*3) // both ends of each connection are here, and the server keeps to half of all
	}
	conns := make([]net.Conn, many)
	for i := range conns {
		c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: a") // one that is cut at once is as well
		conns[i] = c
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	begun := time.Now()
	resp, err := client.Get(base + "/c/alertes")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	// Whoever waits for slow headers to time out waits for longer.
	if took := time.Since(begun); resp.StatusCode != http.StatusOK || took > 2500*time.Millisecond {
		t.Errorf("status %d after %s", resp.StatusCode, took)
	}
	_ = conns[0].SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := conns[0].Read(make([]byte, 1)); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the oldest connection is still there: %v", err)
	}
}
