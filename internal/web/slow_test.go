package web_test

import (
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
)

// Thousands of connections that never come to the end of a request do not keep a reader out: the oldest of them give way
// (internal/serve holds which do, and that nobody waits for a header that never comes).
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
	for range many {
		c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		_, _ = io.WriteString(c, "GET / HTTP/1.1\r\nHost: a\r\nX-Slow: a") // one that is cut at once is as well
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	resp, err := client.Get(base + "/c/alertes")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("status %d", resp.StatusCode)
	}
}
