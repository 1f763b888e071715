package email

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/belfry-news/belfry/sdk"
)

const (
	// idleFor is how long a connection waits for the next mail.
	idleFor = 20 * time.Second
	// growEvery is how often a relay that asked for less gets one connection more.
	growEvery = time.Minute
	// firstPause and longestPause bound how long a relay rests that cannot be used, while others go on.
	firstPause   = time.Second
	longestPause = time.Minute
)

// relay is one server, with its connections and its rate.
type relay struct {
	target         target
	user, password string
	auth           string
	plain          bool // no TLS
	timeout        time.Duration
	roots          *x509.CertPool
	dialer         *net.Dialer
	hello          func(local net.Addr) string
	limiter        *rate.Limiter // nil: no limit
	connections    int

	mu sync.Mutex
	// allowed is how many connections may be open now, at most connections; open is how many are.
	allowed, open int
	grown         time.Time
	idle          []*resting
	// until is when it may be used again, why what happened; failures counts in a row.
	until    time.Time
	why      *sdk.Error
	failures int
	// policies counts the mails in a row that a policy refused.
	policies int
}

// resting is a link that waits for work.
type resting struct {
	link  *link
	timer *time.Timer
}

// pool is all relays. A relay that cannot be used rests, and the others go on.
type pool struct {
	relays []*relay
	now    func() time.Time
	idle   time.Duration // how long a link rests before it is closed
	mu     sync.Mutex
	closed bool // nothing may be kept any more
	// expired counts the links that rest, each with a timer that closes it.
	expired sync.WaitGroup
}

func newPool(c *Config, roots *x509.CertPool) *pool {
	p := &pool{now: time.Now, idle: idleFor}
	for i := range c.Relay.list {
		r := &c.Relay.list[i]
		t, err := r.target()
		if err != nil {
			continue // Validate has refused it
		}
		n := r.Connections
		if n == 0 {
			n = c.Connections
		}
		one := &relay{target: t, auth: c.Auth, plain: c.TLS == tlsNone, timeout: c.Timeout.Std(), roots: roots,
			dialer: c.guard().Dialer(c.Timeout.Std()), hello: c.hello, connections: n, allowed: n}
		one.user, one.password = r.credential(c)
		if r.Rate.events > 0 {
			perSecond := float64(r.Rate.events) / r.Rate.per.Seconds()
			one.limiter = rate.NewLimiter(rate.Limit(perSecond), max(1, int(perSecond)))
		}
		p.relays = append(p.relays, one)
	}
	return p
}

// size is how many connections there may be.
func (p *pool) size() int {
	n := 0
	for _, r := range p.relays {
		n += r.connections
	}
	return n
}

// get gives a link to the relay that has the most room, and tries the next one where that fails. The error is that of the
// relay that may be used first again; nothing has left. busy says that every relay that works is used as much as it may be.
func (p *pool) get(ctx context.Context) (l *link, busy bool, err error) {
	tried := map[*relay]bool{}
	for {
		r, busy := p.choose(tried)
		if r == nil {
			if busy {
				return nil, true, nil
			}
			return nil, false, p.trouble()
		}
		tried[r] = true
		if l := r.take(); l != nil {
			p.expired.Done()
			return l, false, nil
		}
		l, err := r.dial(ctx)
		if err == nil {
			r.mu.Lock()
			r.failures = 0
			r.mu.Unlock()
			return l, false, nil
		}
		r.done()
		if ctx.Err() != nil {
			e := sdk.Errorf(sdk.CodeUnavailable, "connect", "the work was ended before a connection to %s was made", r.target.host)
			e.Scope = sdk.ScopeAccount
			return nil, false, e
		}
		r.rest(sdk.AsError(err), p.now())
	}
}

// choose reserves a place at the relay that has the most room.
func (p *pool) choose(tried map[*relay]bool) (best *relay, busy bool) {
	now := p.now()
	most := 0.0
	for _, r := range p.relays {
		r.mu.Lock()
		resting := now.Before(r.until)
		room := float64(r.allowed-r.open) / float64(r.connections)
		r.mu.Unlock()
		switch {
		case tried[r] || resting:
		case room <= 0:
			busy = true
		case room > most:
			best, most = r, room
		}
	}
	if best != nil {
		best.mu.Lock()
		best.open++
		best.mu.Unlock()
	}
	return best, busy
}

// trouble is the error of the relay that can be used first again.
func (p *pool) trouble() error {
	now := p.now()
	var first *relay
	var until time.Time
	var why *sdk.Error
	for _, r := range p.relays {
		r.mu.Lock()
		if r.why != nil && (first == nil || r.until.Before(until)) {
			first, until, why = r, r.until, r.why
		}
		r.mu.Unlock()
	}
	if first == nil {
		return sdk.Errorf(sdk.CodeUnavailable, "connect", "no relay can be used")
	}
	e := *why
	if wait := until.Sub(now); wait > e.RetryAfter || e.Code == sdk.CodeRateLimited {
		e.RetryAfter = max(wait, 0)
	}
	return &e
}

// take gives a link that rests; the one that rested last is the likeliest to be open still.
func (r *relay) take() *link {
	r.mu.Lock()
	defer r.mu.Unlock()
	for n := len(r.idle); n > 0; n = len(r.idle) {
		last := r.idle[n-1]
		r.idle = r.idle[:n-1]
		if last.timer.Stop() {
			return last.link
		}
	}
	return nil
}

// done gives a place back.
func (r *relay) done() {
	r.mu.Lock()
	r.open--
	r.mu.Unlock()
}

// rest keeps a relay from being used for a while.
func (r *relay) rest(why *sdk.Error, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures++
	pause := min(firstPause<<min(r.failures-1, 10), longestPause)
	pause = max(pause, why.RetryAfter)
	if why.Code == sdk.CodeRateLimited {
		// It wants less: one connection, and then one more at a time.
		r.allowed, r.grown = 1, now.Add(pause)
	}
	if until := now.Add(pause); until.After(r.until) {
		r.until, r.why = until, why
	}
}

// accepted is told of each mail that was taken.
func (r *relay) accepted(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.policies = 0
	if r.allowed < r.connections && now.Sub(r.grown) >= growEvery {
		r.allowed, r.grown = r.allowed+1, now
	}
}

// manyPolicies is how many refusals by policy in a row are about the sender.
const manyPolicies = 5

// weigh narrows a refusal by policy to its message as long as others are taken: one company's filter says little, and must not
// stop the mails to everybody else. What names a fault of the set-up (SPF, DKIM, PTR…) stays as wide as it is.
func (r *relay) weigh(e *sdk.Error) *sdk.Error {
	if e == nil {
		return nil
	}
	refusal, ok := errors.AsType[*Refusal](e)
	if !ok || e.Code != sdk.CodeForbidden || e.Scope != sdk.ScopeDestination || ofSetUp(refusal.Status) {
		return e
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.policies++; r.policies < manyPolicies {
		narrow := *e
		narrow.Scope = sdk.ScopeMessage
		return &narrow
	}
	return e
}

// put gives a link back that can be used again; it is closed when nothing comes for a while.
func (p *pool) put(l *link) {
	r := l.relay
	defer r.done()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		l.quit()
		return
	}
	p.expired.Add(1)
	entry := &resting{link: l}
	r.mu.Lock()
	entry.timer = time.AfterFunc(p.idle, func() {
		defer p.expired.Done()
		r.mu.Lock()
		for i, e := range r.idle {
			if e == entry {
				r.idle = append(r.idle[:i], r.idle[i+1:]...)
				break
			}
		}
		r.mu.Unlock()
		l.quit()
	})
	r.idle = append(r.idle, entry)
	r.mu.Unlock()
}

// drop closes a link that cannot be used again.
func (p *pool) drop(l *link) {
	l.conn.Close()
	l.relay.done()
}

// close says goodbye to every relay and waits for what closes links.
func (p *pool) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	for _, r := range p.relays {
		for l := r.take(); l != nil; l = r.take() {
			p.expired.Done()
			l.quit()
		}
	}
	p.expired.Wait()
}
