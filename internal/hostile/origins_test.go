package hostile

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// witness notes every request that reaches an origin.
type witness struct {
	mu   sync.Mutex
	seen []*http.Request
	said []string // with the body
}

func (w *witness) note(r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<16))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, r.Clone(r.Context()))
	w.said = append(w.said, fmt.Sprintf("%s %s %v %s", r.Method, r.URL, r.Header, body))
}

// to lists the requests for a path.
func (w *witness) to(path string) (out []*http.Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.seen {
		if r.URL.Path == path {
			out = append(out, r)
		}
	}
	return out
}

// TestCredentialsStayAtTheirOrigin redirects whatever carries a credential to another origin, and holds that the credential
// does not go along: feeds and images are read there without one, and everything else does not go there at all.
func TestCredentialsStayAtTheirOrigin(t *testing.T) {
	t.Parallel()
	a := &aviary{}
	var here, there witness
	var photo bytes.Buffer
	if err := png.Encode(&photo, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		t.Fatal(err)
	}
	room := &feedtest.Newsroom{Channel: feedtest.Channel{Title: "Gazette", Lang: "en"}}
	serve := func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, ".png") {
			_, _ = w.Write(photo.Bytes())
			return
		}
		w.Header().Set("Content-Type", "application/rss+xml")
		w.Header().Set("ETag", `"one"`)
		_, _ = w.Write(room.RSS())
	}
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		there.note(r)
		serve(w, r)
	}))
	t.Cleanup(other.Close)
	cookie := a.word()
	own := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		here.note(r)
		http.SetCookie(w, &http.Cookie{Name: "session", Value: cookie, Path: "/"})
		status, found := map[string]int{"301": 301, "302": 302, "303": 303, "307": 307, "308": 308}[r.URL.Query().Get("status")]
		if !found {
			status = http.StatusTemporaryRedirect
		}
		switch {
		case strings.HasPrefix(r.URL.Path, "/away"), strings.HasPrefix(r.URL.Path, "/call"), strings.HasPrefix(r.URL.Path, "/bot"):
			w.Header().Set("Location", other.URL+"/arrived"+r.URL.Path)
			w.WriteHeader(status)
		case strings.HasPrefix(r.URL.Path, "/near"):
			w.Header().Set("Location", "/feed"+strings.TrimPrefix(r.URL.Path, "/near"))
			w.WriteHeader(status)
		default:
			serve(w, r)
		}
	}))
	t.Cleanup(own.Close)
	room.Publish(feedtest.Article{ID: "1", Link: "https://news.example/1", Title: "First", Summary: "s", Image: own.URL + "/away.png", Published: time.Now()})

	secrets := map[string]string{}
	secret := func(name string) string { secrets[name] = a.word(); return secrets[name] }
	var sources, destinations, to strings.Builder
	var feeds []string
	for i, status := range []string{"301", "302", "303", "307", "308"} {
		for _, where := range []string{"away", "near"} {
			path := fmt.Sprintf("/%s-%d", where, i)
			feeds = append(feeds, path)
			fmt.Fprintf(&sources, "  %s-%d: {type: rss, url: %q, poll: 2s, username: u, password: %q, headers: {X-Key: %q, Cookie: %q}, allow_private: [127.0.0.0/8]}\n",
				where, i, own.URL+path+"?status="+status, secret("password of "+path), secret("X-Key of "+path), secret("Cookie of "+path))
		}
		for name, settings := range map[string]string{
			"signed": fmt.Sprintf("secret: %q, headers: {Authorization: %q}", a.signing(), secret("Authorization")),
			"basic":  fmt.Sprintf("basic: {user: u, password: %q}, body: '{}'", secret("basic")),
		} {
			fmt.Fprintf(&destinations, "  %s-%d: {type: http, url: %q, %s, allow_private: [127.0.0.0/8]}\n", name, i, own.URL+"/call-"+name+"?status="+status+"&key="+secret("key in the address"), settings)
			fmt.Fprintf(&to, "{destination: %s-%d}, ", name, i)
		}
	}
	dir := t.TempDir()
	config := fmt.Sprintf(`
listen: 127.0.0.1:0
admin_listen: none
data_dir: data
media: {allow_private: [127.0.0.0/8]}
sources:
  plain: {type: rss, url: %q, poll: 1s, baseline: all, allow_private: [127.0.0.0/8]}
%sdestinations:
  telegram: {type: telegram, token: "123456:%s", api: %q, allow_private: [127.0.0.0/8]}
%salerts: {to: [signed-0], heartbeat: {url: %q, every: 10s, allow_private: [127.0.0.0/8]}}
channels:
  all: {title: All, sources: [plain], each: {}, publish_to: [%s{destination: telegram, chat: "@gazette"}]}
`, own.URL+"/plain", sources.String(), secret("token")+"abcdefghijklmnopqrstuvw", own.URL, destinations.String(), own.URL+"/away/"+secret("heartbeat"), to.String())
	if err := os.WriteFile(filepath.Join(dir, "belfry.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d := daemontest.Start(t, program(), dir)
	d.Ready()
	until(t, "everything was redirected", func() bool {
		for _, path := range feeds { // and once more, with what was kept of the first answer
			if strings.HasPrefix(path, "/near") && len(here.to("/feed"+strings.TrimPrefix(path, "/near"))) < 2 || strings.HasPrefix(path, "/away") && len(there.to("/arrived"+path)) < 2 {
				return false
			}
		}
		return len(here.to("/call-signed")) >= 5 && len(here.to("/call-basic")) >= 5 && len(here.to("/bot123456:"+secrets["token"]+"abcdefghijklmnopqrstuvw/getMe")) > 0 &&
			len(here.to("/away/"+secrets["heartbeat"])) > 0 && len(there.to("/arrived/away.png")) > 0
	})
	d.Stop()

	there.mu.Lock()
	defer there.mu.Unlock()
	for i, r := range there.seen {
		if found := a.in([]byte(there.said[i])); len(found) > 0 {
			t.Errorf("the other origin got %q", there.said[i])
		}
		for _, name := range []string{"Authorization", "Cookie", "X-Key", "Referer", "Webhook-Signature"} {
			if r.Header.Get(name) != "" {
				t.Errorf("the other origin got %s: %s", name, there.said[i])
			}
		}
		if r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, "/arrived/away") || strings.Contains(r.URL.Path, "/away/") {
			t.Errorf("the other origin was asked %s", there.said[i])
		}
	}
	// At its own origin a credential is sent, also after a redirect: without that the above would prove nothing.
	for _, path := range feeds {
		asked := here.to(path)
		if rest, near := strings.CutPrefix(path, "/near"); near {
			asked = slices.Concat(asked, here.to("/feed"+rest))
		}
		for _, r := range asked {
			_, password, _ := r.BasicAuth()
			if password != secrets["password of "+path] || r.Header.Get("X-Key") != secrets["X-Key of "+path] || r.Header.Get("Cookie") != secrets["Cookie of "+path] {
				t.Errorf("its own origin got %s %v", r.URL, r.Header)
			}
		}
	}
	if n := len(here.to("/call-basic")); n < 5 {
		t.Errorf("%d calls were made", n)
	}
}
