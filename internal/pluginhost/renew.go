package pluginhost

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/internal/sandbox"
)

// A sandbox gives access to files, not to names: when /etc/resolv.conf is replaced by another file, a process that is
// confined cannot open the new one, and finds no host any more. Such a process is renewed: new calls are made in a fresh
// one, and the old one ends with the calls that are under way in it.

// renewEvery is how often it is looked whether a confined process has to be renewed.
const renewEvery = 10 * time.Second

// outdated reports whether what the process may read has been replaced. The kind's lock is held.
func (p *process) outdated(now time.Time) bool {
	if p.stamp == "" || now.Sub(p.looked) < renewEvery {
		return false
	}
	p.looked = now
	return sandbox.Stamp() != p.stamp
}

// Renew replaces the process of a kind: from now on calls are made in a fresh one, and those under way end in the old one.
// It is for a program that is to be started as another one.
func (h *Host) Renew(kindName string) {
	k := h.kind(kindName)
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.starting != nil:
		k.starting.renew = true
	case k.shared != nil:
		k.retire(k.shared, "its program is another one")
	}
}

// retire takes the shared process out of use. The kind's lock is held.
func (k *kind) retire(p *process, why string) {
	k.shared = nil
	p.mu.Lock()
	if p.ending == "" {
		p.ending = renewalEnd
	}
	p.mu.Unlock()
	p.log.Info("plugin process is renewed", "reason", why)
	k.h.goRun(func(context.Context) { // the host's own end ends the process otherwise
		for _, i := range p.inFlight() {
			p.idle(i)
		}
		ctx, cancel := context.WithTimeout(context.Background(), k.h.limits.Grace)
		defer cancel()
		p.stop(ctx, renewalEnd)
	})
}
