package app

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/hook"
	"github.com/belfry-news/belfry/sdk"
)

const (
	// mostInbound is the largest body of a platform's call, in bytes, and inboundTime how long a plugin may look at it.
	mostInbound = 1 << 20
	inboundTime = 5 * time.Second
	// mostWaiting is how many events of a plugin may wait to be worked on; what comes then is asked for later.
	mostWaiting = 500
	// mostCalls is how many calls of a platform its plugin looks at at the same time: anybody can make calls.
	mostCalls = 16
	// roomEvery is how often it is looked whether there is room again.
	roomEvery = 250 * time.Millisecond
)

// room waits until so few events of a plugin wait that more may be heard; false when ctx ended. A plugin is not asked meanwhile, and
// loses nothing.
func (x *inbox) room(ctx context.Context, name string) bool {
	unread, full := false, false // each is said once
	for {
		n, err := x.in.Backlog(ctx, name, mostWaiting)
		switch {
		case err == nil && n < mostWaiting:
			return true
		case err == nil && !full:
			x.a.log.Warn("a plugin tells more than can be worked on at once, and is asked again later", "destination", name, "waiting", n)
			full = true
		case err != nil && !unread && ctx.Err() == nil:
			x.a.log.Error("the inbox cannot be read", "err", err)
			unread = true
		}
		if rest(ctx, roomEvery) != nil {
			return false
		}
	}
}

// enter counts a call of a platform that a plugin looks at; false when there are too many. leave ends it.
func (x *inbox) enter(destination string) (leave func(), ok bool) {
	x.callsMu.Lock()
	defer x.callsMu.Unlock()
	if x.calls[destination] >= mostCalls {
		return nil, false
	}
	x.calls[destination]++
	return func() {
		x.callsMu.Lock()
		defer x.callsMu.Unlock()
		if x.calls[destination]--; x.calls[destination] == 0 {
			delete(x.calls, destination)
		}
	}, true
}

// receive takes a platform's call to /hooks/DESTINATION; false when there is no such destination, or it is not called. The
// connector says whether it is genuine and what to answer; what it tells is kept before that answer is given.
func (a *App) receive(w http.ResponseWriter, r *http.Request, name string) bool {
	if a.inbox == nil {
		return false
	}
	i, done, ok := a.destinations.acquire(name)
	if !ok {
		return false
	}
	defer done()
	foreign, l := i.late != nil, a.programs.Load() // the configuration in force comes later in a reload than its destinations
	p, _ := l.Plugin(l.Destinations[name].Type)
	if foreign && !a.believed(l, name) {
		return false
	}
	receiver, can := sdk.As[sdk.Receiver](i.conn)
	if !can {
		if hears := foreign && !i.late.Opened() && slices.Contains(p.Trusted.Roles, sdk.RoleReceiver); hears {
			hook.Later(w, "not_open", "Belfry takes no calls here at the moment; send this one again")
			return true
		}
		return false
	}
	// Some platforms ask with GET, before they call, whether the address is that of somebody who knows a secret.
	if r.Method != http.MethodPost && (!foreign || r.Method != http.MethodGet) {
		w.Header().Set("Allow", http.MethodPost)
		hook.Refuse(w, http.StatusMethodNotAllowed, "method_not_allowed", "calls are sent here with POST")
		return true
	}
	body, ok := hook.Body(w, r, mostInbound, "")
	if !ok {
		return true
	}
	if foreign {
		leave, free := a.inbox.enter(name)
		if !free {
			w.Header().Set("Retry-After", "1")
			hook.Refuse(w, http.StatusTooManyRequests, "rate_limited", fmt.Sprintf("more than %d calls are being looked at; send this one again, and fewer at once", mostCalls))
			return true
		}
		defer leave()
	}
	reply, events, err := a.hearCall(r, l, name, receiver, body, foreign)
	if err != nil {
		status := http.StatusServiceUnavailable // the platform calls again
		switch sdk.AsError(err).Code {
		case sdk.CodeInvalid:
			status = http.StatusBadRequest
		case sdk.CodeUnauthenticated, sdk.CodeForbidden:
			status = http.StatusForbidden
		case sdk.CodeUnsupported:
			status = http.StatusNotFound
		}
		a.log.Warn("a platform's call was not taken", "destination", name, "status", status, "err", err)
		if status == http.StatusServiceUnavailable {
			hook.Later(w, "not_taken", "the call was not taken; send it again")
			return true
		}
		hook.Refuse(w, status, "not_taken", "the call was not taken: "+http.StatusText(status))
		return true
	}
	if events > 0 {
		select {
		case a.inbox.came <- struct{}{}:
		default:
		}
	}
	if foreign {
		// What a stranger's program answers is no page of ours, whatever it says.
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	}
	hook.Reply(w, reply)
	return true
}

// hearCall has a connector look at a call, and keeps what it tells.
func (a *App) hearCall(r *http.Request, l *configs.Loaded, name string, receiver sdk.Receiver, body []byte, foreign bool) (reply sdk.WebhookReply, events int, err error) {
	ctx := r.Context()
	if foreign {
		bounded, cancel := context.WithTimeout(ctx, inboundTime)
		defer cancel()
		ctx = bounded
	}
	call := sdk.WebhookRequest{Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Header: r.Header, Body: body, ReceivedAt: time.Now().UTC()}
	reply, told, err := receiver.ReceiveEvents(ctx, call)
	if err != nil || len(told) == 0 {
		return reply, 0, err
	}
	if foreign {
		n, err := a.inbox.in.Backlog(r.Context(), name, mostWaiting)
		if err == nil && n >= mostWaiting {
			err = sdk.Errorf(sdk.CodeUnavailable, "receive", "%d events of %s wait to be worked on", n, cmp.Or(l.Destinations[name].Type, name))
		}
		if err != nil {
			return reply, 0, err
		}
	}
	return reply, len(told), a.inbox.in.Receive(r.Context(), name, told, nil)
}
