package web

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Bounds on sign-ups. What an address is plays no part in them: they are looked at before the form is read, so that a flood
// learns nothing and costs little. Behind them stand those per address, which hold over all nodes (package consent).
const (
	signUpsPerSecond = 10 // of this process
	signUpsAtOnce    = 100
	originEvery      = 6 * time.Second // from one origin, which may be a whole office
	originAtOnce     = 20
	mostOrigins      = 10_000
)

// pace bounds how many sign-ups are taken, of all and of each origin.
type pace struct {
	all *rate.Limiter
	mu  sync.Mutex
	by  map[string]*visitor
}

type visitor struct {
	limit *rate.Limiter
	seen  time.Time
}

func newPace() *pace {
	return &pace{all: rate.NewLimiter(signUpsPerSecond, signUpsAtOnce), by: map[string]*visitor{}}
}

// allow takes one sign-up from an origin; an empty one is nobody's. One origin's flood does not use up the others' share.
func (p *pace) allow(origin string, now time.Time) bool {
	if origin != "" && !p.of(origin, now).AllowN(now, 1) {
		return false
	}
	return p.all.AllowN(now, 1)
}

func (p *pace) of(origin string, now time.Time) *rate.Limiter {
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.by[origin]
	if v == nil {
		if len(p.by) >= mostOrigins {
			p.forget(now)
		}
		v = &visitor{limit: rate.NewLimiter(rate.Every(originEvery), originAtOnce)}
		p.by[origin] = v
	}
	v.seen = now
	return v.limit
}

// forget drops who has their whole share again, and any others when that is too little: memory is bounded first.
func (p *pace) forget(now time.Time) {
	for origin, v := range p.by {
		if now.Sub(v.seen) > originEvery*originAtOnce {
			delete(p.by, origin)
		}
	}
	for origin := range p.by {
		if len(p.by) < mostOrigins/2 {
			return
		}
		delete(p.by, origin)
	}
}
