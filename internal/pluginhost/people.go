package pluginhost

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
)

// usable are the roles of a type that are used. One that writes to people and does not say what its medium allows was written
// before messages crossed, or does not say all that has to be known of it before anybody is written to. So it is with one that hears
// people and does not say of what it tells; and who hears people also writes to them.
func (h *Host) usable(d wire.Description) []sdk.Role {
	writes := slices.Contains(d.Roles, sdk.RoleMessenger)
	if writes && d.Medium == nil {
		h.config.Log.Warn("plugin does not say what its medium allows, and writes to nobody", "plugin", d.Type)
	}
	writes = writes && d.Medium != nil
	hears := slices.Contains(d.Roles, sdk.RoleListener) || slices.Contains(d.Roles, sdk.RoleReceiver)
	if hears && writes && len(d.Medium.Hears) == 0 {
		h.config.Log.Warn("plugin does not say of what it tells on its medium, and nobody is heard by it", "plugin", d.Type)
	}
	hears = hears && writes && len(d.Medium.Hears) > 0
	return slices.DeleteFunc(slices.Clone(d.Roles), func(r sdk.Role) bool {
		return r == sdk.RoleMessenger && !writes || (r == sdk.RoleListener || r == sdk.RoleReceiver) && !hears
	})
}

// believed are the kinds of events of a type that are taken.
func (h *Host) believed(d wire.Description) []sdk.EventKind {
	if d.Medium == nil {
		return nil
	}
	hears := d.Medium.Hears
	if h.config.Hears == nil {
		return hears
	}
	agreed := h.config.Hears(d.Type)
	return slices.DeleteFunc(slices.Clone(hears), func(k sdk.EventKind) bool { return !slices.Contains(agreed, k) })
}

// refusalsEvery is how often it is logged at most that events of an instance are left out.
const refusalsEvery = 10 * time.Second

// refusals tell of events that are left out: nothing of what stands in them.
type refusals struct {
	h    *Host
	kind string
	log  *slog.Logger

	mu     sync.Mutex
	untold int
	last   time.Time
}

func newRefusals(h *Host, k *kind, instance string) *refusals {
	return &refusals{h: h, kind: k.name, log: k.log.With("instance", instance)}
}

func (r *refusals) told(event sdk.EventKind, why string) {
	if r.h.config.Refused != nil {
		r.h.config.Refused(r.kind, why)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.untold++
	now := r.h.now()
	if now.Sub(r.last) < refusalsEvery {
		return
	}
	r.log.Warn("plugin tells of what cannot be taken; its author has to mend that", "events", r.untold, "why", why, "kind", event)
	r.untold, r.last = 0, now
}

// asked is an instance that was asked what messages it takes, where it writes to people; it is known before the first of them.
func asked(ctx context.Context, i *wire.Instance) (sdk.Connector, error) {
	if err := i.AskMessageLimits(ctx); err != nil {
		_ = i.Close(context.WithoutCancel(ctx)) // the error that counts is the first one
		return nil, err
	}
	return i, nil
}
