package fetch

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/belfry-news/belfry/sdk"
)

// Limits on one exchange.
const (
	connectTimeout = 10 * time.Second
	headerTimeout  = 20 * time.Second
	MaxRedirects   = 5
)

// Bounds on the memory that documents take in one process, whatever the number of instances.
const (
	largeDocuments = 2        // held at a time, of more than large bytes
	readingBytes   = 12 << 20 // of documents that are being parsed at a time; parsing takes several times that
)

// Network is what the instances of one process share: connections, and manners towards hosts. Connections are shared only
// between instances that permit the same private addresses, or one could use a connection that another may not make.
type Network struct {
	Gate *Gate
	// places for large documents, and parsing for the bytes that are being parsed.
	places  chan struct{}
	parsing *semaphore.Weighted
	mu      sync.Mutex
	// transports by their permitted prefixes, with the number of instances that use them.
	transports map[string]*transport
	// Resolver and TLS are the system's, unless they are set before the first use.
	Resolver *net.Resolver
	TLS      *tls.Config
}

type transport struct {
	key  string
	http *http.Transport
	uses int
}

// New makes a Network.
func New() *Network {
	return &Network{Gate: newGate(), places: make(chan struct{}, largeDocuments), parsing: semaphore.NewWeighted(readingBytes),
		transports: map[string]*transport{}}
}

// join gives the transport for a guard.
func (n *Network) join(guard sdk.Guard) *transport {
	names := make([]string, len(guard.Allow))
	for i, p := range guard.Allow {
		names[i] = p.String()
	}
	slices.Sort(names)
	key := strings.Join(slices.Compact(names), " ")
	n.mu.Lock()
	defer n.mu.Unlock()
	t := n.transports[key]
	if t == nil {
		dialer := guard.Dialer(connectTimeout)
		dialer.Resolver = n.Resolver
		config := n.TLS
		if config == nil {
			config = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		t = &transport{key: key, http: &http.Transport{
			Proxy:                  nil,
			DialContext:            dialer.DialContext,
			TLSClientConfig:        config,
			TLSHandshakeTimeout:    connectTimeout,
			ResponseHeaderTimeout:  headerTimeout,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true, // read here, to bound what comes out
			MaxIdleConns:           64,
			MaxIdleConnsPerHost:    16,
			IdleConnTimeout:        30 * time.Second,
			ForceAttemptHTTP2:      true,
		}}
		n.transports[key] = t
	}
	t.uses++
	return t
}

// part gives a transport back; the last one to do so closes its connections.
func (n *Network) part(t *transport) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if t.uses--; t.uses == 0 {
		delete(n.transports, t.key)
		t.http.CloseIdleConnections()
	}
}

// place waits until another large document may be held, and gives the function that makes room again.
func (n *Network) place(ctx context.Context) (func(), error) {
	select {
	case n.places <- struct{}{}:
		return sync.OnceFunc(func() { <-n.places }), nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Parse runs f when the document fits among those that are being parsed.
func (n *Network) Parse(ctx context.Context, size int, f func()) error {
	weight := min(int64(size), readingBytes)
	if err := n.parsing.Acquire(ctx, weight); err != nil {
		return err
	}
	defer n.parsing.Release(weight)
	f()
	return nil
}
