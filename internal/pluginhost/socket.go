package pluginhost

import (
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"net"
	"os"

	"github.com/belfry-news/belfry/internal/filetree"
	"github.com/belfry-news/belfry/internal/wire/v1"
)

// dialSocket connects to a process that has no certificate. Its socket lies in its own folder, which only the daemon's user
// may enter (see runner.PluginToHost), and whoever listens there must be the process or one of its group: the kernel says who
// called listen. Without this, another program of the same user could put a socket, or a link to one, in its place.
//
// It is asked at every connection, so that what was true once is not believed for ever.
func (p *process) dialSocket(ctx context.Context, _ string) (net.Conn, error) {
	info, err := os.Lstat(p.socket)
	if err != nil {
		return nil, p.run.distrust("its socket cannot be looked at: %w", filetree.Cause(err))
	}
	if info.Mode().Type() != fs.ModeSocket {
		return nil, p.run.distrust("what lies at %s is no socket", p.socket)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", p.socket)
	if err != nil {
		return nil, err
	}
	if err := p.checkPeer(conn); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return conn, nil
}

// checkPeer checks who listens at the other end.
func (p *process) checkPeer(conn net.Conn) error {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return p.run.distrust("its connection is no Unix socket")
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return p.run.distrust("its socket cannot be asked who listens: %w", err)
	}
	var who peer
	var asked error
	if err := raw.Control(func(fd uintptr) { who, asked = peerOf(fd) }); err != nil {
		asked = err
	}
	if asked != nil {
		return p.run.distrust("its socket cannot be asked who listens: %w", asked)
	}
	if who.uid != os.Geteuid() {
		return p.run.distrust("somebody else listens on its socket (uid %d)", who.uid)
	}
	if who.pid != p.run.process() && groupOf(who.pid) != p.run.process() {
		return p.run.distrust("another process listens on its socket (pid %d)", who.pid)
	}
	return nil
}

// token is what the host says with every call to a process without a certificate.
type token string

func newToken() token { return token(rand.Text()) }

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (t token) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{wire.TokenHeader: string(t)}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials: the socket is private, and its other end was looked at.
func (token) RequireTransportSecurity() bool { return false }

// peer is who listens on a socket.
type peer struct{ pid, uid int }

// process is the number of the process, which is that of its group too.
func (r *runner) process() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pid
}

// distrust makes the error of a socket that is not believed, and keeps it: gRPC says of a connection only that there is none.
func (r *runner) distrust(format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	r.out.refuse(err)
	return err
}
