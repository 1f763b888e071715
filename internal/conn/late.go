package conn

import (
	"context"
	"sync"

	"github.com/belfry-news/belfry/sdk"
)

// Late is a connector that is opened when it is first needed, and again as long as that fails: opening a third party's
// plugin starts a program, which may fail or take long, and nobody else must wait for it.
//
// Until it is open it can be fetched from, which opens it, and has no other ability.
type Late struct {
	open func(ctx context.Context, force bool) (sdk.Connector, error)

	opening chan struct{} // holds a token while somebody opens

	mu     sync.Mutex
	conn   sdk.Connector
	closed bool
}

// NewLate makes a connector that open opens. force says that a person asked for it, so that no back-off counts.
func NewLate(open func(ctx context.Context, force bool) (sdk.Connector, error)) *Late {
	return &Late{open: open, opening: make(chan struct{}, 1)}
}

// Opened reports whether it is open.
func (l *Late) Opened() bool { return l.opened() != nil }

func (l *Late) opened() sdk.Connector {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.conn
}

// Open opens it unless it is open. The error is what opening gave; it may be called again.
func (l *Late) Open(ctx context.Context, force bool) error {
	select {
	case l.opening <- struct{}{}:
		defer func() { <-l.opening }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if l.Opened() {
		return nil
	}
	c, err := l.open(ctx, force)
	if err != nil {
		return err
	}
	l.mu.Lock()
	if !l.closed {
		l.conn = c
		l.mu.Unlock()
		return nil
	}
	l.mu.Unlock()
	_ = c.Close(context.WithoutCancel(ctx)) // it came too late for anybody to use it
	return sdk.Errorf(sdk.CodeUnavailable, "open", "it was closed meanwhile")
}

// Close closes what was opened.
func (l *Late) Close(ctx context.Context) error {
	l.mu.Lock()
	c := l.conn
	l.conn, l.closed = nil, true
	l.mu.Unlock()
	if c == nil {
		return nil
	}
	return c.Close(ctx)
}

// As implements the look-up of sdk.As.
func (l *Late) As(target any) bool {
	if source, ok := target.(*sdk.Source); ok && !l.Opened() {
		*source = lateSource{l}
		return true
	}
	c := l.opened()
	if c == nil {
		return false
	}
	return lookUp(c, target)
}

// lateSource opens before it fetches.
type lateSource struct{ *Late }

// Fetch implements sdk.Source.
func (s lateSource) Fetch(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
	if err := s.Open(ctx, r.Force); err != nil {
		return sdk.Batch{}, err
	}
	source, ok := sdk.As[sdk.Source](s.opened())
	if !ok {
		return sdk.Batch{}, sdk.Errorf(sdk.CodeUnsupported, "fetch", "this type of source is not fetched; it waits to be called")
	}
	return source.Fetch(ctx, r)
}
