package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// answer is what a platform does with one call. The zero value takes the call.
type answer struct {
	err error
	// effect is done although an error is answered.
	effect bool
	// hang keeps the caller waiting until its deadline, deaf even after it, until the test ends.
	hang, deaf bool
	panics     bool
	// chat is the only one that is answered so; empty means any.
	chat string
	// before runs when the call has come in.
	before func()
}

func refusal(code sdk.Code, scope sdk.Scope, after time.Duration) answer {
	return answer{err: &sdk.Error{Code: code, Scope: scope, Op: "call", RetryAfter: after}}
}

// made is a call that came in.
type made struct {
	op, chat, text, key string
	at                  time.Time
}

// shown is a message that the platform holds.
type shown struct {
	id, chat, text, key, replyTo string
	edited                       int
}

// platform is a strict destination: it holds what it accepted and nothing else, refuses what names a message that is not
// there, and notes calls that come before it allowed them.
type platform struct {
	mu      sync.Mutex
	script  []answer
	calls   []made
	held    []shown
	keys    map[string]string
	last    int
	waits   map[string]time.Time // by chat; "*" for all
	asked   time.Time            // when all were last asked to wait
	faults  []string
	refused int // edits that were answered with an error
	release chan struct{}

	edits, deletes, dedup, finds bool
	findFails                    error
	resolve                      func(chat string) error
	rules                        sdk.Rules
}

func newPlatform() *platform {
	return &platform{keys: map[string]string{}, waits: map[string]time.Time{}, release: make(chan struct{}), edits: true, deletes: true,
		rules: sdk.Rules{EditFor: sdk.Forever, DeleteFor: sdk.Forever, ReplyFor: sdk.Forever}}
}

func (p *platform) then(a ...answer) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.script = append(p.script, a...)
}

// texts are what a chat shows.
func (p *platform) texts(chat string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := []string{}
	for _, m := range p.held {
		if m.chat == chat {
			out = append(out, m.text)
		}
	}
	return out
}

// said are the calls in short.
func (p *platform) said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := []string{}
	for _, c := range p.calls {
		out = append(out, strings.TrimSpace(c.op+" "+c.text))
	}
	return out
}

func (p *platform) made() []made {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// underWay is how long a call may be on its way.
const underWay = 5 * time.Millisecond

// come takes a call in and says what to do with it.
func (p *platform) come(op, chat, text, key string) answer {
	p.mu.Lock()
	now := time.Now()
	p.calls = append(p.calls, made{op, chat, text, key, now})
	for _, who := range []string{chat, "*"} {
		// What another chat had started is on its way when the answer comes: both were written by the same commit, or the next.
		if until := p.waits[who]; now.Before(until) && (who != "*" || now.Sub(p.asked) > underWay) {
			p.faults = append(p.faults, fmt.Sprintf("%s came %s before it was allowed", op, until.Sub(now)))
		}
	}
	var a answer
	if i := slices.IndexFunc(p.script, func(a answer) bool { return a.chat == "" || a.chat == chat }); i >= 0 {
		a = p.script[i]
		p.script = slices.Delete(p.script, i, i+1)
	}
	if op == "edit" && a.err != nil {
		p.refused++
	}
	if e := (&sdk.Error{}); errors.As(a.err, &e) && e.RetryAfter > 0 {
		who := chat
		if e.Scope == sdk.ScopeAccount {
			who, p.asked = "*", now
		}
		if until := now.Add(e.RetryAfter); until.After(p.waits[who]) {
			p.waits[who] = until
		}
	}
	p.mu.Unlock()
	if a.before != nil {
		a.before()
	}
	return a
}

// respond plays an answer around what the call does.
func respond[T any](ctx context.Context, p *platform, a answer, do func() (T, error)) (ref T, err error) {
	var none T
	if a.deaf {
		<-p.release
		return none, ctx.Err()
	}
	if a.hang {
		<-ctx.Done()
		if a.effect {
			_, _ = do()
		}
		return none, ctx.Err()
	}
	if a.err == nil || a.effect {
		ref, err = do()
	}
	if a.panics {
		panic("a fault in the connector")
	}
	if a.err != nil {
		return none, a.err
	}
	return ref, err
}

// peer is a connector to a platform, with the abilities the platform has.
type peer struct{ *platform }

func (p peer) As(target any) bool {
	switch t := target.(type) {
	case *sdk.Resolver:
		*t = p
	case *sdk.Publisher:
		*t = p
	case *sdk.Editor:
		*t = p
		return p.edits
	case *sdk.Deleter:
		*t = p
		return p.deletes
	case *sdk.Finder:
		*t = p
		return p.finds
	default:
		return false
	}
	return true
}

func (peer) Close(context.Context) error { return nil }

func (p peer) ResolveChannel(_ context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
	if p.resolve != nil {
		if err := p.resolve(name); err != nil {
			return sdk.ChannelRef{}, sdk.Limits{}, err
		}
	}
	if p.dedup {
		p.rules.SameKeyFor = 72 * time.Hour
	}
	return sdk.ChannelRef{ID: name, Title: name}, sdk.Limits{Rules: p.rules}, nil
}

// Plan makes a part of each line of the title, and refuses what is marked as too large.
func (peer) Plan(_ sdk.ChannelRef, post sdk.Post) ([]sdk.Part, error) {
	switch {
	case strings.Contains(post.Title, "too large"):
		return nil, sdk.Errorf(sdk.CodeTooLarge, "plan", "it is too large")
	case strings.Contains(post.Title, "panic"):
		panic("a plan fails")
	}
	var out []sdk.Part
	for i, line := range strings.Split(post.Title, "|") {
		out = append(out, sdk.Part{Kind: "send", Request: []byte(line), Thread: i > 0})
	}
	return out, nil
}

func (p peer) Publish(ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
	a := p.come("publish", to.ID, string(part.Request), part.Key)
	return respond(ctx, p.platform, a, func() (sdk.PartRef, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if part.Key == "" {
			return sdk.PartRef{}, sdk.Errorf(sdk.CodeInvalid, "publish", "a call without a key")
		}
		if id, known := p.keys[part.Key]; known && p.dedup {
			return sdk.PartRef{IDs: []string{id}}, nil
		}
		m := shown{id: fmt.Sprint("m", p.last), chat: to.ID, text: string(part.Request), key: part.Key}
		if part.ReplyTo != nil {
			m.replyTo = strings.Join(part.ReplyTo.IDs, "+")
			if !slices.ContainsFunc(p.held, func(o shown) bool { return o.id == m.replyTo }) {
				return sdk.PartRef{}, sdk.Errorf(sdk.CodeInvalid, "publish", "there is no message %q to answer", m.replyTo)
			}
		}
		p.last++
		p.keys[part.Key] = m.id
		p.held = append(p.held, m)
		return sdk.PartRef{IDs: []string{m.id}, URL: "https://platform.example/" + m.id, State: []byte{0, 1, 0xff}}, nil
	})
}

func (p peer) find(id []string) (*shown, error) {
	for i := range p.held {
		if len(id) == 1 && p.held[i].id == id[0] {
			return &p.held[i], nil
		}
	}
	return nil, sdk.Errorf(sdk.CodeGone, "edit", "there is no message %v", id)
}

func (p peer) chatOf(id []string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m, err := p.find(id); err == nil {
		return m.chat
	}
	return ""
}

func (p peer) Edit(ctx context.Context, ref sdk.PartRef, part sdk.Part) (sdk.PartRef, error) {
	a := p.come("edit", p.chatOf(ref.IDs), string(part.Request), part.Key)
	return respond(ctx, p.platform, a, func() (sdk.PartRef, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		m, err := p.find(ref.IDs)
		if err != nil {
			return sdk.PartRef{}, err
		}
		m.text = string(part.Request)
		m.edited++
		return ref, nil
	})
}

func (p peer) Delete(ctx context.Context, ref sdk.PartRef) error {
	a := p.come("delete", p.chatOf(ref.IDs), "", "")
	_, err := respond(ctx, p.platform, a, func() (struct{}, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		if len(ref.IDs) != 1 {
			return struct{}{}, sdk.Errorf(sdk.CodeInvalid, "delete", "no message is named")
		}
		p.held = slices.DeleteFunc(p.held, func(m shown) bool { return m.id == ref.IDs[0] })
		return struct{}{}, nil
	})
	return err
}

func (p peer) Find(_ context.Context, to sdk.ChannelRef, key string) (sdk.PartRef, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.calls = append(p.calls, made{"find", to.ID, "", key, time.Now()})
	if p.findFails != nil {
		return sdk.PartRef{}, false, p.findFails
	}
	id, known := p.keys[key]
	return sdk.PartRef{IDs: []string{id}}, known, nil
}
