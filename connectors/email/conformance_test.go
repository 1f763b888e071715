package email

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/belfry-news/belfry/connectors/email/emailtest"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

// The roles that reach people do not cross to another process, so these suites run directly only.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, pipelining := range map[string]bool{"pipelining": true, "step by step": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var broken atomic.Bool
			var mu sync.Mutex
			var stalled chan struct{}
			r := emailtest.Start(t, emailtest.Options{Pipelining: pipelining, Auth: []string{"PLAIN"}, User: "gazette", Password: "correct horse battery", Play: func(s emailtest.Step) string {
				mu.Lock()
				wait := stalled
				mu.Unlock()
				switch {
				case broken.Load():
					return "421 4.3.2 reader@example.invalid: not now"
				case s.Name == "RCPT" && strings.Contains(s.Arg, "nobody-at-all"):
					return "550 5.1.1 <nobody-at-all@example.invalid>: nobody-at-all is no user here"
				case wait != nil && s.Name == "end":
					<-wait
				}
				return ""
			}})
			t.Cleanup(func() { noFaults(t, r) })
			sdktest.Messenger(t, sdktest.MessengerOptions{
				Options: sdktest.Options{Open: Spec().Open, Config: plainRelay(r, map[string]any{"username": "gazette", "password": "correct horse battery"}),
					Secrets: []string{"correct horse battery", "0123456789abcdef0123"},
					Break: func(testing.TB) func() {
						broken.Store(true)
						return func() { broken.Store(false) }
					},
					Stall: func(testing.TB) func() {
						mu.Lock()
						defer mu.Unlock()
						wait := make(chan struct{})
						stalled = wait
						return sync.OnceFunc(func() {
							mu.Lock()
							defer mu.Unlock()
							stalled = nil
							close(wait)
						})
					}},
				Medium: Medium, Address: "reader" + sdktest.AddressDomain, Lost: "nobody-at-all" + sdktest.AddressDomain,
				Got: func(tb testing.TB) (texts []string) {
					for _, m := range r.Mails() {
						texts = append(texts, readLetter(tb, m.Data).plain)
					}
					return texts
				},
			})
		})
	}
}

func TestListenerConformance(t *testing.T) {
	t.Parallel()
	dir := maildirOf(t)
	var n atomic.Int64
	config := plainRelay(&emailtest.Relay{Addr: "127.0.0.1:2525"}, map[string]any{"bounces": map[string]any{"maildir": dir, "poll": "1s"}})
	sdktest.Listener(t, sdktest.ListenerOptions{Options: sdktest.Options{Open: Spec().Open, Config: config}, Medium: Medium,
		Say: func(tb testing.TB, text string) {
			// As a mail server does: written to tmp, then moved.
			name := fmt.Sprintf("%08d.host", n.Add(1))
			raw := fmt.Sprintf("From: Anna <anna@reader.example>\r\nMessage-ID: <%s@reader.example>\r\nSubject: Re: x\r\n\r\n%s\r\n", name, text)
			if err := os.WriteFile(filepath.Join(dir, "tmp", name), []byte(raw), 0o600); err != nil {
				tb.Fatal(err)
			}
			if err := os.Rename(filepath.Join(dir, "tmp", name), filepath.Join(dir, "new", name)); err != nil {
				tb.Fatal(err)
			}
		}})
}
