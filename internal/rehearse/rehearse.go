// Package rehearse shows what a connector would send, and its promise is that nothing is sent: every exchange of the
// connector is answered here, as its platform would answer (sdk.Rehearser), and recorded as it would have left, without
// the credentials.
package rehearse

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/belfry-news/belfry/sdk"
)

// Op is what a call does. Append-only.
type Op string

// The operations.
const (
	Publish Op = "publish"
	Edit    Op = "edit"
	Delete  Op = "delete"
)

// Call is one call as it would leave.
type Call struct {
	Op Op `json:"op"`
	// Channel is the title or name of the channel on the platform.
	Channel string `json:"channel,omitempty"`
	// Kind is the connector's own name for the call.
	Kind string `json:"kind,omitempty"`
	// Text is what readers would read.
	Text string `json:"text,omitempty"`
	Request
}

// Connector stands in for an opened connector: it has the same abilities towards channels, and sends nothing.
type Connector struct {
	inner  sdk.Connector
	plays  sdk.Rehearser // nil when the connector cannot answer for its platform
	hidden Hidden
	record func(Call)
	n      atomic.Int64
}

// New makes a stand-in. record is told each call, possibly from several goroutines.
func New(inner sdk.Connector, hidden Hidden, record func(Call)) *Connector {
	c := &Connector{inner: inner, hidden: hidden, record: record}
	c.plays, _ = sdk.As[sdk.Rehearser](inner)
	return c
}

// Close closes the connector.
func (c *Connector) Close(ctx context.Context) error { return c.inner.Close(ctx) }

// As implements the look-up of sdk.As: what posts, edits and deletes is replaced, all else is not there.
func (c *Connector) As(target any) bool {
	switch t := target.(type) {
	case *sdk.Resolver:
		_, ok := sdk.As[sdk.Resolver](c.inner)
		if ok {
			*t = c
		}
		return ok
	case *sdk.Publisher:
		_, ok := sdk.As[sdk.Publisher](c.inner)
		if ok {
			*t = c
		}
		return ok
	case *sdk.Editor:
		_, ok := sdk.As[sdk.Editor](c.inner)
		if ok {
			*t = c
		}
		return ok
	case *sdk.Deleter:
		_, ok := sdk.As[sdk.Deleter](c.inner)
		if ok {
			*t = c
		}
		return ok
	}
	return false
}

// ResolveChannel gives what the connector makes of a channel in which it may do everything. A connector that cannot play
// its platform's part gets a reference that is the name itself.
func (c *Connector) ResolveChannel(ctx context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
	if c.plays == nil {
		id := name
		if id == "" {
			id = "rehearsal"
		}
		return sdk.ChannelRef{ID: id, Title: id}, sdk.Limits{Rules: sdk.Rules{EditFor: sdk.Forever, DeleteFor: sdk.Forever, ReplyFor: sdk.Forever}}, nil
	}
	resolver, ok := sdk.As[sdk.Resolver](c.inner)
	if !ok {
		return sdk.ChannelRef{}, sdk.Limits{}, sdk.Errorf(sdk.CodeUnsupported, "resolve", "this type of destination has no channels to post to")
	}
	return resolver.ResolveChannel(c.instead(ctx, nil), name)
}

// Plan is the connector's own.
func (c *Connector) Plan(to sdk.ChannelRef, p sdk.Post) ([]sdk.Part, error) {
	publisher, ok := sdk.As[sdk.Publisher](c.inner)
	if !ok {
		return nil, sdk.Errorf(sdk.CodeUnsupported, "plan", "this type of destination has no channels to post to")
	}
	return publisher.Plan(to, p)
}

// Publish records the call.
func (c *Connector) Publish(ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
	call := Call{Op: Publish, Channel: to.Title, Kind: part.Kind, Text: part.Text}
	if c.plays == nil {
		n := c.n.Add(1)
		call.Request = partRequest(part)
		c.record(call)
		return sdk.PartRef{IDs: []string{fmt.Sprintf("rehearsed-%d", n)}}, nil
	}
	publisher, ok := sdk.As[sdk.Publisher](c.inner)
	if !ok {
		return sdk.PartRef{}, sdk.Errorf(sdk.CodeUnsupported, "publish", "this type of destination has no channels to post to")
	}
	return publisher.Publish(c.instead(ctx, &recording{call, part.Files}), to, part)
}

// Edit records the call.
func (c *Connector) Edit(ctx context.Context, ref sdk.PartRef, part sdk.Part) (sdk.PartRef, error) {
	call := Call{Op: Edit, Kind: part.Kind, Text: part.Text}
	editor, ok := sdk.As[sdk.Editor](c.inner)
	if c.plays == nil || !ok {
		call.Request = partRequest(part)
		c.record(call)
		return ref, nil
	}
	return editor.Edit(c.instead(ctx, &recording{call, part.Files}), ref, part)
}

// Delete records the call.
func (c *Connector) Delete(ctx context.Context, ref sdk.PartRef) error {
	call := Call{Op: Delete, Kind: "delete"}
	deleter, ok := sdk.As[sdk.Deleter](c.inner)
	if c.plays == nil || !ok {
		c.record(call)
		return nil
	}
	return deleter.Delete(c.instead(ctx, &recording{call, nil}), ref)
}

// recording is a call of which the exchanges are recorded.
type recording struct {
	call  Call
	files []sdk.File
}

// instead makes the exchanges under a context here. A nil recording records nothing.
func (c *Connector) instead(ctx context.Context, rec *recording) context.Context {
	return sdk.WithExchange(ctx, func(r *http.Request) (*http.Response, error) {
		var body []byte
		if r.Body != nil {
			var err error
			if body, err = io.ReadAll(r.Body); err != nil {
				return nil, err
			}
			_ = r.Body.Close()
		}
		if rec != nil {
			call := rec.call
			call.Request = c.hidden.request(r, body, rec.files)
			c.record(call)
		}
		answer := c.plays.Rehearse(r, body, int(c.n.Add(1)))
		return &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{},
			Body: io.NopCloser(bytes.NewReader(answer)), ContentLength: int64(len(answer)), Request: r}, nil
	})
}
