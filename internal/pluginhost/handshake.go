package pluginhost

import (
	"bytes"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/belfry-news/belfry/internal/wire/v1"
)

// maxStray is how much a process may write to its standard output before the handshake line, in bytes.
const maxStray = 64 << 10

// handshake finds the handshake line in what a process writes to its standard output. Lines before it and everything
// after it are stray output, which goes to the log: a library that prints at start-up is no reason to fail.
type handshake struct {
	stray io.Writer

	mu     sync.Mutex
	buf    []byte
	seen   int
	line   []byte
	err    error
	over   bool
	ready  chan struct{} // closed when line or err is set, or the output ended
	offset int
}

func newHandshake(stray io.Writer) *handshake {
	return &handshake{stray: stray, ready: make(chan struct{})}
}

// The line of go-plugin: core version, protocol version, network, address, transport, certificate.
var handshakeLine = regexp.MustCompile(`^\s*[0-9]+\|[0-9]+\|(unix|tcp)\|[^|]+(\||\s*$)`)

// Write takes the process's output.
func (h *handshake) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.over {
		return h.stray.Write(p)
	}
	h.seen += len(p)
	h.buf = append(h.buf, p...)
	for !h.over {
		i := bytes.IndexByte(h.buf, '\n')
		if i < 0 {
			break
		}
		line := h.buf[:i+1]
		h.buf = h.buf[i+1:]
		if handshakeLine.Match(line) {
			h.line, h.err = bytes.Clone(line), checkHandshake(string(line))
			h.finish()
		} else if _, err := h.stray.Write(line); err != nil {
			return 0, err
		}
	}
	if !h.over && h.seen > maxStray {
		h.err = fmt.Errorf("it wrote %d bytes to its standard output and no handshake; a plugin prints nothing before Serve", h.seen)
		h.finish()
	}
	return len(p), nil
}

// finish passes the rest on. It is called once, with the lock held.
func (h *handshake) finish() {
	h.over = true
	_, _ = h.stray.Write(h.buf)
	h.buf = nil
	close(h.ready)
}

// end says that the process will write no more.
func (h *handshake) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.over {
		h.finish()
	}
}

// failure tells what was wrong with the handshake, if it came to one.
func (h *handshake) failure() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.err
}

// refuse keeps why the process is not believed although its line was right. The first reason counts.
func (h *handshake) refuse(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil {
		h.err = err
	}
}

// Read gives go-plugin the handshake line and then nothing more.
func (h *handshake) Read(p []byte) (int, error) {
	<-h.ready
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err != nil || h.offset == len(h.line) {
		return 0, io.EOF
	}
	n := copy(p, h.line[h.offset:])
	h.offset += n
	return n, nil
}

// Close implements io.ReadCloser for go-plugin.
func (h *handshake) Close() error { return nil }

// transportSocket is the word with which a process says that it has no certificate, so that the host looks at who listens on
// its socket instead. It is a word, and not the absence of a certificate, so that a certificate that was lost on its way is
// a failure and never another transport.
const transportSocket = "socket"

// leastCertificate is more than any word, and less than any certificate in Base64.
const leastCertificate = 50

// checkHandshake says in plain words why a handshake does not fit.
func checkHandshake(line string) error {
	parts := strings.Split(strings.TrimSpace(line), "|")
	if err := checkVersion(parts[1]); err != nil {
		return err
	}
	if len(parts) < 5 || parts[4] != "grpc" {
		return fmt.Errorf("it does not speak gRPC, the only transport that is taken")
	}
	if parts[2] == "unix" && (len(parts) < 6 || parts[5] != transportSocket && len(parts[5]) < leastCertificate) {
		return fmt.Errorf("its handshake has neither a certificate nor the word %q, so nothing would say who answers; a Go plugin "+
			"calls plugin.Serve, and one in another language ends its line with |grpc|%s", transportSocket, transportSocket)
	}
	return nil
}

// checkVersion says what to do about a version that the host does not speak.
func checkVersion(said string) error {
	versions := wire.Versions()
	words := make([]string, len(versions))
	for i, v := range versions {
		words[i] = strconv.Itoa(v)
	}
	spoken := "version " + strings.Join(words, " and ")
	version, err := strconv.Atoi(said)
	switch {
	case err == nil && slices.Contains(versions, version):
		return nil
	case err == nil && version < slices.Min(versions):
		return fmt.Errorf("it speaks version %s of the plugin protocol, which is no longer served, and Belfry speaks %s; install a "+
			"newer release of the plugin", said, spoken)
	}
	return fmt.Errorf("it speaks version %s of the plugin protocol and Belfry speaks %s; update Belfry, or install a release of the "+
		"plugin that was made for this one", said, spoken)
}

// bySocket reports whether the process said that the host shall look at who listens on its socket.
func (h *handshake) bySocket() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	parts := strings.Split(strings.TrimSpace(string(h.line)), "|")
	return len(parts) > 5 && parts[2] == "unix" && parts[5] == transportSocket
}
