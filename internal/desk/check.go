package desk

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http/httptrace"
	"slices"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Checked is what a destination said when it was asked. Nothing is posted for it.
type Checked struct {
	Destination string        `json:"destination"`
	Type        string        `json:"type"`
	OK          bool          `json:"ok"`
	Resumed     bool          `json:"resumed"`
	Chats       []CheckedChat `json:"chats"`
}

// CheckedChat is what it said of one chat. Limits are nil where it is not healthy.
type CheckedChat struct {
	Chat     string   `json:"chat"`
	Channels []string `json:"channels"`
	OK       bool     `json:"ok"`
	// Asked says that the platform was asked; there are receivers that nothing can be asked of but to take a post.
	Asked bool `json:"asked"`
	// Tested says what was tested where nothing can be asked, and Untested what only a post can tell; both may be empty.
	Tested   string  `json:"tested"`
	Untested string  `json:"untested"`
	Title    string  `json:"title"`
	URL      string  `json:"url"`
	Limits   *Limits `json:"limits"`
	Code     string  `json:"code"`
	Error    string  `json:"error"`
}

// Limits are what a platform takes. Unit counts Text and Caption.
type Limits struct {
	Text       int    `json:"text"`
	Unit       string `json:"unit"`
	Caption    int    `json:"caption"`
	Media      int    `json:"media"`
	MediaBytes int64  `json:"media_bytes"`
	// EditFor and DeleteFor are how long after its publication a post can be changed and deleted.
	EditFor   Span   `json:"edit_for"`
	DeleteFor Span   `json:"delete_for"`
	Rates     []Rate `json:"rates"`
}

// Span is a length of time: in JSON its seconds, 0 for never, and null where it has no end.
type Span time.Duration

// MarshalJSON implements json.Marshaler.
func (s Span) MarshalJSON() ([]byte, error) {
	if time.Duration(s) == sdk.Forever {
		return []byte("null"), nil
	}
	return json.Marshal(time.Duration(s).Seconds())
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *Span) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		*s = Span(sdk.Forever)
		return nil
	}
	var seconds float64
	err := json.Unmarshal(text, &seconds)
	*s = Span(seconds * float64(time.Second))
	return err
}

// String says for how long something can be done.
func (s Span) String() string {
	switch time.Duration(s) {
	case 0:
		return "never"
	case sdk.Forever:
		return "always"
	}
	return "for " + sdk.D(time.Duration(s)).String()
}

// Rate is how many calls a platform takes in a time. Scope is channel for each chat, or destination for all of them.
type Rate struct {
	Scope string `json:"scope"`
	Calls int    `json:"calls"`
	// Seconds is the time in which they are counted.
	Seconds float64 `json:"seconds"`
}

// String says the rate in words.
func (r Rate) String() string {
	scope := "in each channel"
	if r.Scope == string(sdk.RateDestination) {
		scope = "in all"
	}
	return fmt.Sprintf("%d in %s %s", r.Calls, sdk.D(time.Duration(r.Seconds*float64(time.Second))), scope)
}

// Open opens a destination by its configuration. foreign says that it runs in another process.
type Open func(ctx context.Context, name string) (c sdk.Connector, foreign bool, err error)

// Check asks a destination's platform for every chat that channels use there. It does not need the store.
func (d *Desk) Check(ctx context.Context, name string, open Open) (Checked, error) {
	dest, ok := d.Config.Destinations[name]
	if !ok {
		return Checked{}, UnknownName("destination", name, slices.Collect(maps.Keys(d.Config.Destinations)))
	}
	out := Checked{Destination: name, Type: dest.Type, OK: true, Chats: []CheckedChat{}}
	conn, foreign, err := open(ctx, name)
	if err != nil {
		return out, errorf(Upstream, "destination %s cannot be opened: %w", name, err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if err := d.ask(ctx, conn, foreign, dest.Timeout.Std(), &out); err != nil {
		return out, err
	}
	for _, chat := range out.Chats {
		out.OK = out.OK && chat.OK
	}
	return out, nil
}

// Healthy says that a chat can be posted to, so that the destination may serve again; a chat that cannot stops again by
// itself.
func (c *Checked) Healthy() bool {
	return len(c.Chats) == 0 || slices.ContainsFunc(c.Chats, func(x CheckedChat) bool { return x.OK })
}

// ask asks the platform for each chat.
func (d *Desk) ask(ctx context.Context, conn sdk.Connector, foreign bool, timeout time.Duration, out *Checked) error {
	resolver, ok := sdk.As[sdk.Resolver](conn)
	if !ok {
		return d.probe(ctx, conn, timeout, out)
	}
	chats := d.chats(out.Destination)
	if len(chats) == 0 {
		chats = []Chat{{}}
	}
	var probe sdk.Probe
	var unreachable error
	if p, ok := sdk.As[sdk.Prober](conn); ok {
		ctx, cancel := context.WithTimeout(ctx, timeout)
		probe, unreachable = p.Probe(ctx)
		cancel()
	}
	for _, chat := range chats {
		asked := foreign // what another process asks is not seen here
		ctx, cancel := context.WithTimeout(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GetConn: func(string) { asked = true }}), timeout)
		ref, limits, err := resolver.ResolveChannel(ctx, chat.Chat)
		cancel()
		if err == nil {
			err = unreachable
		}
		x := CheckedChat{Chat: chat.Chat, Channels: append([]string{}, chat.Channels...), OK: err == nil, Asked: asked, Title: ref.Title, URL: ref.URL,
			Tested: probe.Tested, Untested: probe.Untested}
		if err != nil {
			e := sdk.AsError(err)
			x.Code, x.Error = string(e.Code), Sentence(err).Error()
			if len(chat.Channels) == 0 && (e.Code == sdk.CodeInvalid || e.Code == sdk.CodeNotAChannel) {
				// No channel uses it: that the platform wants a chat says nothing against the destination.
				x.Error = "no channel publishes to it yet, and it has no channel of its own: " + x.Error
			}
		} else {
			if own := d.Config.Destinations[out.Destination].Rates.Own(); len(own) > 0 {
				limits.Rules.Rates = own
			}
			x.Limits = newLimits(limits)
		}
		out.Chats = append(out.Chats, x)
	}
	return nil
}

// probe tests the way to a platform on which there are people and no channels.
func (d *Desk) probe(ctx context.Context, conn sdk.Connector, timeout time.Duration, out *Checked) error {
	prober, ok := sdk.As[sdk.Prober](conn)
	if !ok {
		return errorf(Conflict, "destination %s: a destination of type %s has no channels that can be asked for", out.Destination, out.Type)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	probe, err := prober.Probe(ctx)
	x := CheckedChat{Channels: []string{}, OK: err == nil, Tested: probe.Tested, Untested: probe.Untested}
	if err != nil {
		x.Code, x.Error = string(sdk.AsError(err).Code), Sentence(err).Error()
	}
	out.Chats = append(out.Chats, x)
	return nil
}

// Stopped says whether a destination has stopped after trouble, or was asked to wait, or what waits for it was put off. One
// that a person paused stays as it is.
func (d *Desk) Stopped(ctx context.Context, name string) (bool, error) {
	x, err := d.Destination(ctx, name)
	if err != nil || x.State == "paused" {
		return false, err
	}
	return d.Store.PutOff(ctx, name, time.Now())
}

// StartAgain lets a destination serve again that had stopped or was asked to wait; what waits is tried at once.
func (d *Desk) StartAgain(ctx context.Context, name string) error {
	return d.Store.StartAgain(ctx, name, time.Now())
}

func newLimits(l sdk.Limits) *Limits {
	out := &Limits{Text: l.Text, Unit: string(l.Unit), Caption: l.Caption, Media: l.Media, MediaBytes: l.MediaBytes, EditFor: Span(l.Rules.EditFor),
		DeleteFor: Span(l.Rules.DeleteFor), Rates: []Rate{}}
	for _, r := range l.Rules.Rates {
		out.Rates = append(out.Rates, Rate{Scope: string(r.Scope), Calls: r.Events, Seconds: r.Per.Seconds()})
	}
	return out
}
