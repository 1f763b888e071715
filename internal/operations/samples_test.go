package operations

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/daemontest"
)

const samples = "../../docs/operations/"

func sample(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(samples + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// channel is a configuration with one channel, so that there is a page.
const channel = `
listen: 127.0.0.1:0
data_dir: data
alerts: none
sources: {none: {type: rss, url: "http://127.0.0.1:9/feed", allow_private: [127.0.0.0/8]}}
channels: {news: {title: News behind a proxy, sources: [none], each: {}}}
`

func start(t *testing.T) (base string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "belfry.yaml"), channel)
	return daemontest.Start(t, daemontest.Build(t), dir).Ready()
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// freePort is a port that nobody uses at this moment.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, port, err := net.SplitHostPort(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// run runs a program until the test ends.
func run(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", program, out.String())
		}
	})
}

// get asks until there is an answer.
func get(t *testing.T, client *http.Client, url string) (*http.Response, string) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		resp, err := client.Get(url)
		if err != nil {
			continue
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp, string(body)
	}
	t.Fatalf("%s does not answer", url)
	return nil, ""
}

// certificate writes a certificate of its own for a name, and gives a pool that trusts it.
func certificate(t *testing.T, dir, name string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, filepath.Join(dir, "fullchain.pem"), cert)
	write(t, filepath.Join(dir, "privkey.pem"), string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})))
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(cert))
	return pool
}

// substitute replaces what a sample says by what holds in a test. Each part must stand in the sample.
func substitute(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the sample does not say %q", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

func TestNginx(t *testing.T) {
	t.Parallel()
	base := start(t)
	dir := t.TempDir()
	pool := certificate(t, dir, "channels.example")
	secure, plain := freePort(t), freePort(t)
	site := substitute(t, sample(t, "nginx.conf"),
		"listen 443 ssl", "listen 127.0.0.1:"+secure+" ssl", "listen [::]:443 ssl http2;", "",
		"listen 80;", "listen 127.0.0.1:"+plain+";", "listen [::]:80;", "",
		"/etc/letsencrypt/live/channels.example/", dir+"/", "http://127.0.0.1:8080", base, "/var/log/nginx/access.log", dir+"/access.log")
	write(t, filepath.Join(dir, "nginx.conf"), fmt.Sprintf("daemon off; master_process off; pid %[1]s/pid; error_log stderr;\nevents {}\nhttp {\naccess_log %[1]s/default.log; client_body_temp_path %[1]s/1; proxy_temp_path %[1]s/2; fastcgi_temp_path %[1]s/3; uwsgi_temp_path %[1]s/4; scgi_temp_path %[1]s/5;\n%[2]s}\n", dir, site))
	run(t, dir, "nginx", "-p", dir, "-c", filepath.Join(dir, "nginx.conf"))
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: "channels.example"}, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, body := get(t, client, "https://127.0.0.1:"+secure+"/c/news")
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 || !strings.Contains(body, "News behind a proxy") || resp.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("%s %s: %s", resp.Proto, resp.Status, body)
	}
	// Links that one reader has stay out of the log. It is written at the end of each request, and they come first.
	for _, kind := range []string{"me", "confirm", "leave"} {
		get(t, client, "http://127.0.0.1:"+plain+"/"+kind+"/a-readers-key")
		get(t, client, "https://127.0.0.1:"+secure+"/"+kind+"/a-readers-key")
	}
	get(t, client, "https://127.0.0.1:"+secure+"/c/news?last")
	logged := ""
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(50 * time.Millisecond) { // nginx is another process
		text, err := os.ReadFile(filepath.Join(dir, "access.log"))
		if err != nil {
			t.Fatal(err)
		}
		if logged = string(text); strings.Contains(logged, "/c/news?last") {
			break
		}
	}
	others, err := os.ReadFile(filepath.Join(dir, "default.log"))
	if err != nil || !strings.Contains(logged, "/c/news?last") || strings.Contains(logged+string(others), "a-readers-key") {
		t.Errorf("its logs hold\n%s\n%s, %v", logged, others, err)
	}
	resp, _ = get(t, client, "http://127.0.0.1:"+plain+"/c/news?a=b")
	if resp.StatusCode != http.StatusMovedPermanently || !strings.HasSuffix(resp.Header.Get("Location"), "/c/news?a=b") {
		t.Errorf("http leads with %s to %q", resp.Status, resp.Header.Get("Location"))
	}
}

func TestCaddy(t *testing.T) {
	t.Parallel()
	base := start(t)
	dir := t.TempDir()
	port := freePort(t)
	site := substitute(t, sample(t, "Caddyfile"), "\nchannels.example {", "\nhttp://127.0.0.1:"+port+" {", "127.0.0.1:8080\n}", strings.TrimPrefix(base, "http://")+"\n}")
	write(t, filepath.Join(dir, "Caddyfile"), "{\n\tadmin off\n}\n"+site)
	run(t, dir, "caddy", "run", "--config", filepath.Join(dir, "Caddyfile"), "--adapter", "caddyfile")
	resp, body := get(t, http.DefaultClient, "http://127.0.0.1:"+port+"/c/news")
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, "News behind a proxy") {
		t.Errorf("%s: %s", resp.Status, body)
	}
}

// TestUnit lets systemd read the unit.
func TestUnit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "belfry.service")
	write(t, path, substitute(t, sample(t, "belfry.service"), "/usr/local/bin/belfry", "/bin/true"))
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", path).CombinedOutput()
	if err != nil || strings.Contains(string(out), "belfry.service") {
		t.Errorf("systemd-analyze: %v\n%s", err, out)
	}
	// A daemon that cannot start for a while, on a full disk, is not given up: nobody may be there to start it by hand.
	head, _, _ := strings.Cut(sample(t, "belfry.service"), "[Service]")
	if !slices.Contains(strings.Split(head, "\n"), "StartLimitIntervalSec=0") {
		t.Errorf("systemd gives up after five failed starts:\n%s", head)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, text, 0o755); err != nil {
		t.Fatal(err)
	}
}
