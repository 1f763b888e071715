package direct

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// pulled hands out the messages of a lane.
type pulled struct {
	l *lane
	// idle is how long Next waits for more before the stream is over.
	idle time.Duration
}

var (
	_ sdk.Messages  = (*pulled)(nil)
	_ sdk.Connected = (*pulled)(nil)
)

// Next implements sdk.Messages.
func (p *pulled) Next(ctx context.Context) (sdk.DirectMessage, bool) {
	l := p.l
	var over *time.Timer
	for {
		l.mu.Lock()
		if len(l.ready) > 0 {
			i := l.ready[0]
			l.ready[0] = nil
			l.ready = l.ready[1:]
			i.took = l.e.s.Now()
			l.under[i.start.ID] = i
			l.stir()
			l.mu.Unlock()
			if over != nil {
				over.Stop()
			}
			return sdk.NewDirectMessage(i.start.Permit, sdk.MessageContent{Common: i.text.Common, Slots: i.text.Slots, Buttons: i.text.Buttons, ReplyTo: i.text.ReplyTo}), true
		}
		ended, arrived := l.over, l.arrived
		l.mu.Unlock()
		if ended || ctx.Err() != nil {
			return sdk.DirectMessage{}, false
		}
		if over == nil {
			over = time.NewTimer(p.idle)
			defer over.Stop()
		}
		select {
		case <-ctx.Done():
			return sdk.DirectMessage{}, false
		case <-over.C:
			return sdk.DirectMessage{}, false
		case <-arrived:
		}
	}
}

// Done implements sdk.Messages.
func (p *pulled) Done(id string, ref sdk.MessageRef, err error) {
	l, now := p.l, p.l.e.s.Now()
	l.mu.Lock()
	i, known := l.under[id]
	delete(l.under, id)
	if known {
		l.pace.add(now)
		l.settling++
	}
	l.mu.Unlock()
	if !known {
		return // settled before, or never taken
	}
	l.outcome(i, ref, err, now)
	l.mu.Lock()
	l.settling--
	l.mu.Unlock()
}

// Over implements sdk.Connected.
func (p *pulled) Over(connections int) {
	p.l.mu.Lock()
	defer p.l.mu.Unlock()
	p.l.connections = max(connections, 1)
	signal(p.l.moved)
}
