package hostile

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// islander says to a test that it runs on an island.
const islander = "BELFRY_HOSTILE_ISLAND"

// public are the only addresses of an island that are globally reachable ones, as far as a guard can tell. Nothing of it
// leaves the machine.
var public = []netip.Addr{netip.MustParseAddr("1.2.3.4"), netip.MustParseAddr("2a00::1")}

// island is a network without a way out, in which every address of both families is this machine: whoever connects to
// whatever address is seen. Names are answered by its own server; those below pub.example are public.
type island struct {
	t   *testing.T
	ca  string // the file with the authority of its certificates
	mu  sync.Mutex
	met map[netip.Addr]int // connections by the address that was dialled
	got map[string]int     // requests at a public address, as METHOD host/path
	// names are resolved to these, one after the other, again and again; others lead to a loopback address, as resolvers
	// do that take odd spellings for addresses.
	names map[string][]netip.Addr
	asked map[string]int
}

// onIsland runs the test once more, on an island; false where it is not there, which is the end of it.
func onIsland(t *testing.T) bool {
	t.Helper()
	if os.Getenv(islander) != "" {
		return true
	}
	cmd := exec.Command("unshare", "-Urnm", os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), islander+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	return false
}

// newIsland makes the network around this process, and serves pages at the ports of the web.
func newIsland(t *testing.T, names map[string][]netip.Addr, pages http.Handler) *island {
	t.Helper()
	il := &island{t: t, met: map[netip.Addr]int{}, got: map[string]int{}, names: names, asked: map[string]int{}}
	resolv := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(resolv, []byte("nameserver 127.0.0.1\noptions attempts:1 timeout:2\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"ip", "link", "set", "lo", "up"}, {"ip", "route", "add", "local", "0.0.0.0/0", "dev", "lo"},
		{"ip", "-6", "route", "add", "local", "::/0", "dev", "lo"}, {"mount", "--bind", resolv, "/etc/resolv.conf"}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%q: %v\n%s", command, err, out)
		}
	}
	il.answerNames()
	var certificate tls.Certificate
	certificate, il.ca = authority(t, "pub.example", "*.pub.example")
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		il.mu.Lock()
		il.got[r.Method+" "+r.Host+r.URL.Path]++
		il.mu.Unlock()
		pages.ServeHTTP(w, r)
	})
	for port, config := range map[string]*tls.Config{"80": nil, "443": {Certificates: []tls.Certificate{certificate}, GetConfigForClient: il.greets}} {
		ln, err := net.Listen("tcp", "[::]:"+port)
		if err != nil {
			t.Fatal(err)
		}
		ln = &lookout{ln, il}
		if config != nil {
			ln = tls.NewListener(ln, config)
		}
		server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0), ReadHeaderTimeout: 10 * time.Second}
		go func() { _ = server.Serve(ln) }()
		t.Cleanup(func() { _ = server.Close() })
	}
	return il
}

// greets notes for which name a client speaks TLS: of one that is no browser that is all there is to see.
func (il *island) greets(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	il.mu.Lock()
	defer il.mu.Unlock()
	il.got["TLS "+hello.ServerName]++
	return nil, nil
}

// lookout notes which address every connection was made to.
type lookout struct {
	net.Listener
	il *island
}

func (l *lookout) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		at := c.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")
		l.il.mu.Lock()
		l.il.met[at]++
		l.il.mu.Unlock()
	}
	return c, err
}

// strays are the connections that were made to other addresses than public ones.
func (il *island) strays() (out []string) {
	il.mu.Lock()
	defer il.mu.Unlock()
	for at, n := range il.met {
		if !slices.Contains(public, at) {
			out = append(out, fmt.Sprintf("%d to %s", n, at))
		}
	}
	slices.Sort(out)
	return out
}

// forget forgets the connections.
func (il *island) forget() {
	il.mu.Lock()
	defer il.mu.Unlock()
	clear(il.met)
}

// requests are those that came so far, as METHOD host/path.
func (il *island) requests() map[string]int {
	il.mu.Lock()
	defer il.mu.Unlock()
	return maps.Clone(il.got)
}

// answerNames serves names at the address that resolv.conf gives.
func (il *island) answerNames() {
	il.t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:53")
	if err != nil {
		il.t.Fatal(err)
	}
	il.t.Cleanup(func() { _ = conn.Close() })
	go func() {
		for buf := make([]byte, 1500); ; {
			n, from, err := conn.ReadFrom(buf)
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if answer, err := il.answer(buf[:n]); err == nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	}()
}

func (il *island) answer(question []byte) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(question); err != nil {
		return nil, err
	}
	m.Response, m.Authoritative, m.RecursionAvailable, m.Additionals = true, true, true, nil
	for _, q := range m.Questions {
		for _, a := range il.resolve(strings.ToLower(strings.TrimSuffix(q.Name.String(), ".")), q.Type) {
			head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class}
			if a.Is4() && q.Type == dnsmessage.TypeA {
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: a.As4()}})
			}
			if a.Is6() && q.Type == dnsmessage.TypeAAAA {
				m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
			}
		}
	}
	return m.Pack()
}

func (il *island) resolve(name string, kind dnsmessage.Type) []netip.Addr {
	if name == "pub.example" || strings.HasSuffix(name, ".pub.example") {
		return public
	}
	list, known := il.names[name]
	if !known {
		return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	}
	il.mu.Lock()
	defer il.mu.Unlock()
	key := name + kind.String()
	at := il.asked[key] % len(list)
	il.asked[key]++
	return list[at : at+1]
}

// authority makes a certificate for names, and a file with the authority that signed it.
func authority(t *testing.T, names ...string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "island"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		DNSNames: names, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}
