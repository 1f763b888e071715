package demo

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/scheduler"
)

// portTaken says what to do about an address that cannot be used.
func (d *Demo) portTaken(err error) error {
	cause := err
	if op, ok := errors.AsType[*net.OpError](err); ok {
		cause = op.Err
	}
	other := "127.0.0.1:8090"
	if host, port, splitErr := net.SplitHostPort(d.o.Addr); splitErr == nil {
		if n, convErr := strconv.Atoi(port); convErr == nil && n > 0 && n < 65000 {
			other = net.JoinHostPort(host, strconv.Itoa(n+10))
		}
	}
	how := "belfry demo --addr " + other
	if d.o.Make {
		how = "make run ADDR=" + other
	}
	if strings.Contains(cause.Error(), "in use") {
		return fmt.Errorf("another program uses %s; end it, or choose another address: %s", d.o.Addr, how)
	}
	return fmt.Errorf("the demonstration cannot be served at %s: %w; choose another address: %s", d.o.Addr, cause, how)
}

// baseOf is the address of a listener as a browser on the same machine writes it.
func baseOf(a net.Addr) string {
	host, port, err := net.SplitHostPort(a.String())
	if err != nil {
		return "http://" + a.String()
	}
	if ip, err := netip.ParseAddr(host); err != nil || ip.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// localZone is the zone of this machine, by a name that a configuration can have.
func localZone() *time.Location {
	name := strings.TrimPrefix(os.Getenv("TZ"), ":")
	if name == "" {
		if target, err := os.Readlink("/etc/localtime"); err == nil {
			_, name, _ = strings.Cut(target, "zoneinfo/")
		}
	}
	if zone, err := scheduler.LoadZone(name); err == nil && name != "" {
		return zone
	}
	return time.UTC
}
