package outbox_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/internal/store"
	wirefault "github.com/belfry-news/belfry/sdk/sdktest/fault"
)

// authority signs the certificates of these tests. The system's roots are read once in a process, so that it is named
// before anything else happens.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

var signing authority

// trust makes the authority one of the system's roots, and gives what removes it.
func trust() (remove func(), err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: day(1990), NotAfter: day(2100), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	f, err := os.CreateTemp("", "belfry-roots-*.pem")
	if err != nil {
		return nil, err
	}
	signing = authority{cert, key, f.Name()}
	if err := pem.Encode(f, &pem.Block{Type: "CERTIFICATE", Bytes: der}); err != nil {
		return nil, err
	}
	return func() { _ = os.Remove(f.Name()) }, os.Setenv("SSL_CERT_FILE", f.Name())
}

func day(year int) time.Time { return time.Date(year, time.December, 1, 7, 0, 0, 0, time.UTC) }

// certificate is good for the loopback address between two years. A bubble's time begins with the year 2000.
func certificate(t *testing.T, from, to int) *tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(int64(to)), NotBefore: day(from), NotAfter: day(to), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, signing.cert, key.Public(), signing.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// remote is a server outside of every bubble: time stands still in a bubble while it waits for a real network, and no
// connection may be kept.
func remote(t *testing.T, h http.Handler, certificate func() *tls.Certificate) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.SetKeepAlivesEnabled(false)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	if certificate == nil {
		s.Start()
	} else {
		s.TLS = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{*certificate()}}, nil
		}}
		s.StartTLS()
	}
	t.Cleanup(s.Close)
	return s
}

// A certificate that expired costs no post: each waits in its order, somebody is told since when, and once it is renewed
// everything arrives by itself.
func TestAnExpiredCertificate(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			old, renewed := certificate(t, 1998, 1999), certificate(t, 1998, 2099)
			var current atomic.Pointer[tls.Certificate]
			current.Store(old)
			r := newReceiver(t, kind, "hook")
			server := remote(t, r.handler, current.Load)
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t, map[string]*platform{})
				s.open(r, server.URL, nil)
				s.start()
				s.post("one", r.target())
				s.post("two", r.target())
				s.pass(6 * time.Minute)
				s.same("shown", 0, len(r.shown()))
				a := s.alert(alert.DestinationDown)
				says := fmt.Sprintf("the certificate of %s expired at 1999-12-01 07:00 UTC", strings.TrimPrefix(server.URL, "https://"))
				if a.Subject != "hook" || !strings.Contains(a.Sentence, says) || a.Mend != "look: belfry destination check hook" {
					t.Errorf("it says %q, mended by %q; want %q", a.Sentence, a.Mend, says)
				}
				for _, d := range s.deliveries(store.DeliveryFilter{}) {
					if d.State != outbox.Pending || time.Until(d.NextAt) > time.Minute {
						t.Errorf("%s is %s until %s", d.Title, d.State, d.NextAt)
					}
				}
				current.Store(renewed)
				s.pass(time.Minute)
				s.same("shown", inOrder, r.shown())
				s.same("states", []string{"sent", "sent"}, s.states())
				s.same("alerts", []string{}, s.alerts())
			})
		})
	}
}

// A redirect is never followed, whatever its status: no call, and no credential, reaches another host.
func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, kind := range kinds {
			t.Run(fmt.Sprint(status, " ", kind), func(t *testing.T) {
				t.Parallel()
				var reached atomic.Int64
				elsewhere := remote(t, http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Add(1) }), nil)
				r := newReceiver(t, kind, "hook")
				server := remote(t, r.handler, nil)
				synctest.Test(t, func(t *testing.T) {
					s := newStage(t, map[string]*platform{})
					s.open(r, server.URL, nil)
					r.faults.Add(wirefault.Fault{On: r.posts, Status: status, Header: http.Header{"Location": {elsewhere.URL + "/hook?token=secret"}}, Every: 1})
					s.start()
					s.post("one", r.target())
					s.pass(time.Minute)
					s.same("calls elsewhere", int64(0), reached.Load())
					s.same("shown", 0, len(r.shown()))
					d := s.deliveries(store.DeliveryFilter{})[0]
					if host := strings.TrimPrefix(elsewhere.URL, "http://"); !strings.Contains(d.Error, host) && !strings.Contains(d.Error, "127.0.0.1 instead") || strings.Contains(d.Error, "token") {
						t.Errorf("%s says %q", d.State, d.Error)
					}
					r.faults.Clear()
				})
			})
		}
	}
}
