package sdktest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/sdk"
)

// What follows are connectors with one fault each, and the words in which the suite must say so.

// faultySource is a good source whose answers pass through a function.
type faultySource struct {
	*newsroomSource
	fetch func(s *newsroomSource, ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error)
}

func (s *faultySource) Fetch(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
	return s.fetch(s.newsroomSource, ctx, r)
}

// changed is a fault in the batch.
func changed(change func(b *sdk.Batch)) func(*newsroomSource, context.Context, sdk.FetchRequest) (sdk.Batch, error) {
	return func(s *newsroomSource, ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
		b, err := s.Fetch(ctx, r)
		if err == nil && len(b.Items) > 0 {
			b.Items = append([]sdk.Item(nil), b.Items...)
			change(&b)
		}
		return b, err
	}
}

func TestSourceSuiteCatches(t *testing.T) {
	t.Parallel()
	deep := sdk.Body{sdk.Paragraph(sdk.Text("x"))}
	for range sdk.MaxBodyDepth {
		deep = sdk.Body{{Kind: sdk.NodeQuote, Children: deep}}
	}
	over := make(chan struct{})
	t.Cleanup(func() { close(over) })
	type fetch = func(*newsroomSource, context.Context, sdk.FetchRequest) (sdk.Batch, error)
	for name, tc := range map[string]struct {
		fetch func() fetch
		want  string
	}{
		"an empty key":      {func() fetch { return changed(func(b *sdk.Batch) { b.Items[0].Key = "" }) }, "has no key"},
		"a key twice":       {func() fetch { return changed(func(b *sdk.Batch) { b.Items = append(b.Items, b.Items[0]) }) }, "stands for two items"},
		"a long key":        {func() fetch { return changed(func(b *sdk.Batch) { b.Items[0].Key = strings.Repeat("k", 1025) }) }, "has 1025 bytes"},
		"a body too deep":   {func() fetch { return changed(func(b *sdk.Batch) { b.Items[0].Body = deep }) }, "nested"},
		"a raw link":        {func() fetch { return changed(func(b *sdk.Batch) { b.Items[0].URL = "javascript:alert(1)" }) }, "cannot be linked to"},
		"a title of lines":  {func() fetch { return changed(func(b *sdk.Batch) { b.Items[0].Title = "a\nb" }) }, "several lines"},
		"an urgency of ten": {func() fetch { return changed(func(b *sdk.Batch) { b.Items[0].Urgency = 10 }) }, "urgency"},
		"an empty item":     {func() fetch { return changed(func(b *sdk.Batch) { b.Items[0] = sdk.Item{Key: "x"} }) }, "neither title"},
		"a claimed file": {func() fetch {
			return changed(func(b *sdk.Batch) {
				b.Items[0].Media = []sdk.Media{{URL: "https://x.example/", File: sdk.File{SHA256: "0"}}}
			})
		}, "stored copy"},
		"a large cursor": {func() fetch { return changed(func(b *sdk.Batch) { b.Next = make([]byte, sdk.MaxCursor+1) }) }, "the cursor has"},
		"no end":         {func() fetch { return changed(func(b *sdk.Batch) { b.More, b.Next = true, nil }) }, "never ends"},
		"changing items": {func() fetch {
			var n atomic.Int64
			return changed(func(b *sdk.Batch) { b.Items[0].Title = fmt.Sprint("read ", n.Add(1), " times") })
		}, "gave other items"},
		"state beside the cursor": {func() fetch {
			seen := map[*newsroomSource]bool{}
			return func(s *newsroomSource, ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
				if seen[s] && len(r.Cursor) == 0 {
					return sdk.Batch{Unchanged: !r.Force}, ctx.Err()
				}
				seen[s] = true
				return s.Fetch(ctx, r)
			}
		}, "gave other items"},
		"a cursor that is written into": {func() fetch {
			return func(s *newsroomSource, ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
				b, err := s.Fetch(ctx, r)
				for i := range r.Cursor {
					r.Cursor[i] = '9'
				}
				return b, err
			}
		}, "wrote into the cursor"},
		"unchanged although forced": {func() fetch {
			return func(s *newsroomSource, ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
				if r.Force && len(r.Cursor) > 0 {
					return sdk.Batch{Unchanged: true, Next: r.Cursor}, ctx.Err()
				}
				return s.Fetch(ctx, r)
			}
		}, "a forced fetch said"},
		"no change seen": {func() fetch {
			return func(s *newsroomSource, ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
				b, err := s.Fetch(ctx, r)
				if !b.More && len(b.Items) == 1 {
					return sdk.Batch{Unchanged: true, Next: r.Cursor}, err
				}
				return b, err
			}
		}, "gave nothing new"},
		"no withdrawal seen": {func() fetch {
			return func(s *newsroomSource, ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
				b, err := s.Fetch(ctx, r)
				b.Removed = nil
				return b, err
			}
		}, "neither removed one nor was complete"},
		"a plain error": {func() fetch {
			return func(s *newsroomSource, ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
				if _, err := s.Fetch(ctx, r); err != nil {
					return sdk.Batch{}, errors.New("oops")
				}
				return s.Fetch(ctx, r)
			}
		}, "no *sdk.Error"},
		"a code of its own": {func() fetch {
			return func(s *newsroomSource, ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
				if _, err := s.Fetch(ctx, r); err != nil {
					return sdk.Batch{}, &sdk.Error{Code: "oops", Public: "x"}
				}
				return s.Fetch(ctx, r)
			}
		}, "none of sdk"},
		"no sentence": {func() fetch {
			return func(s *newsroomSource, ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
				if _, err := s.Fetch(ctx, r); err != nil {
					return sdk.Batch{}, &sdk.Error{Code: sdk.CodeUnavailable}
				}
				return s.Fetch(ctx, r)
			}
		}, "no sentence"},
		"a secret in a cause": {func() fetch {
			return func(s *newsroomSource, ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
				if _, err := s.Fetch(ctx, r); err != nil {
					return sdk.Batch{}, sdk.Errorf(sdk.CodeUnavailable, "fetch", "failed: %w", errors.New("GET /"+s.config.Token.Reveal()))
				}
				return s.Fetch(ctx, r)
			}
		}, "stands in the error"},
		"a secret in the log": {func() fetch {
			return func(s *newsroomSource, ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
				s.settings.Log.With("a", 1).Info("fetching", "token", s.config.Token.Reveal())
				return s.Fetch(ctx, r)
			}
		}, "stands in the log"},
		"an error with a batch": {func() fetch {
			return func(s *newsroomSource, ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
				_, err := s.Fetch(ctx, r)
				if err != nil {
					return sdk.Batch{Items: []sdk.Item{SampleItem("x")}}, err
				}
				return s.Fetch(ctx, r)
			}
		}, "an error and a batch"},
		"a deaf ear for its context": {func() fetch {
			return func(s *newsroomSource, _ context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
				return s.Fetch(context.Background(), r)
			}
		}, "no error"},
		"a goroutine that stays": {func() fetch {
			return func(s *newsroomSource, ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
				go func() { <-over }()
				return s.Fetch(ctx, r)
			}
		}, "goroutines of the connector go on"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n, f := newNewsroom(), tc.fetch()
			spec := sdk.Define("faulty", "a source with a fault", NewsroomConfig{Page: 20},
				func(_ context.Context, s sdk.Settings, c NewsroomConfig) (*faultySource, error) {
					return &faultySource{&newsroomSource{room: n, config: c, settings: s}, f}, nil
				})
			o := sourceOptions(n, spec.Open)
			o.Stall = nil // a stalled call that hears nothing would never return
			caught(t, sourceChecks(o), tc.want)
		})
	}
}

// caught runs the checks on a faulty connector and wants one of them to say what is wrong.
func caught(t *testing.T, checks []conformance.Check, want string) {
	t.Helper()
	var all []string
	for _, c := range checks {
		if r := record(t, func(tb testing.TB) { c.Run(tb) }); r.Failed() {
			all = append(all, c.Name+": "+r.text())
			if strings.Contains(r.text(), want) {
				return
			}
		}
	}
	t.Errorf("no check said %q; said was:\n%s", want, strings.Join(all, "\n"))
}

type faultyChecker struct {
	*newsroomSource
	after func(items []sdk.ItemRef, got []sdk.Presence) []sdk.Presence
}

func (c *faultyChecker) CheckItems(ctx context.Context, items []sdk.ItemRef) ([]sdk.Presence, error) {
	got, err := c.newsroomSource.CheckItems(ctx, items)
	if err != nil {
		return nil, err
	}
	return c.after(items, got), nil
}

func TestCheckerSuiteCatches(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		after func(items []sdk.ItemRef, got []sdk.Presence) []sdk.Presence
		want  string
	}{
		"one answer too few": {func(_ []sdk.ItemRef, got []sdk.Presence) []sdk.Presence { return got[:max(len(got)-1, 0)] }, "presences for 3 items"},
		"everything is there": {func(_ []sdk.ItemRef, got []sdk.Presence) []sdk.Presence {
			for i := range got {
				got[i].State = sdk.PresenceThere
			}
			return got
		}, `want "gone"`},
		"an order of its own": {func(items []sdk.ItemRef, got []sdk.Presence) []sdk.Presence {
			if len(got) == 3 && items[0].Key != "item-1" {
				got[0], got[1] = got[1], got[0]
			}
			return got
		}, "in another order"},
		"no reason": {func(_ []sdk.ItemRef, got []sdk.Presence) []sdk.Presence {
			for i := range got {
				got[i].Reason = ""
			}
			return got
		}, "without a reason"},
		"something for nothing": {func(items []sdk.ItemRef, got []sdk.Presence) []sdk.Presence {
			if len(items) == 0 {
				return []sdk.Presence{{State: sdk.PresenceThere}}
			}
			return got
		}, "CheckItems of nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNewsroom()
			spec := sdk.Define("faulty", "a checker with a fault", NewsroomConfig{Page: 20},
				func(_ context.Context, s sdk.Settings, c NewsroomConfig) (*faultyChecker, error) {
					return &faultyChecker{&newsroomSource{room: n, config: c, settings: s}, tc.after}, nil
				})
			caught(t, checkerChecks(checkerOptions(n, spec.Open)), tc.want)
		})
	}
}

type faultyWebhook struct {
	*newsroomSource
	verify func(*newsroomSource, sdk.Verdict) sdk.Verdict
	mapped func(sdk.Batch, error) (sdk.Batch, error)
}

func (w *faultyWebhook) Verify(ctx context.Context, r sdk.WebhookRequest) (sdk.Verdict, error) {
	v, err := w.newsroomSource.Verify(ctx, r)
	if w.verify != nil {
		v = w.verify(w.newsroomSource, v)
	}
	return v, err
}

func (w *faultyWebhook) Map(ctx context.Context, r sdk.WebhookRequest) (sdk.Batch, error) {
	b, err := w.newsroomSource.Map(ctx, r)
	if w.mapped != nil {
		return w.mapped(b, err)
	}
	return b, err
}

func TestWebhookSuiteCatches(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	for name, tc := range map[string]struct {
		verify func(*newsroomSource, sdk.Verdict) sdk.Verdict
		mapped func(sdk.Batch, error) (sdk.Batch, error)
		want   string
	}{
		"everybody is welcome": {func(_ *newsroomSource, v sdk.Verdict) sdk.Verdict { v.Accept = true; return v }, nil, "forged request"},
		"a friendly refusal":   {func(_ *newsroomSource, v sdk.Verdict) sdk.Verdict { v.Reply.Status = 200; return v }, nil, "forged request"},
		"nobody is welcome":    {func(_ *newsroomSource, v sdk.Verdict) sdk.Verdict { v.Accept = false; return v }, nil, "accepted false"},
		"a new id each time": {func(_ *newsroomSource, v sdk.Verdict) sdk.Verdict {
			v.DeliveryID = fmt.Sprint(n.Add(1))
			return v
		}, nil, "another delivery id"},
		"a mapping that changes": {nil, func(b sdk.Batch, err error) (sdk.Batch, error) {
			if err == nil {
				b.Items[0].Title = fmt.Sprint("version ", n.Add(1))
			}
			return b, err
		}, "maps to something else"},
		"a plain error": {nil, func(b sdk.Batch, err error) (sdk.Batch, error) {
			if err != nil {
				err = errors.New("oops")
			}
			return b, err
		}, "no *sdk.Error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			room := newNewsroom()
			spec := sdk.Define("faulty", "a webhook with a fault", NewsroomConfig{Page: 20},
				func(_ context.Context, s sdk.Settings, c NewsroomConfig) (*faultyWebhook, error) {
					return &faultyWebhook{&newsroomSource{room: room, config: c, settings: s}, tc.verify, tc.mapped}, nil
				})
			caught(t, webhookChecks(webhookOptions(room, spec.Open)), tc.want)
		})
	}
}

// faultyPlatform is a good connector with whatever is set in place of its own methods.
type faultyPlatform struct {
	*platformConn
	f platformFaults
}

type platformFaults struct {
	resolve func(c *platformConn, ctx context.Context, name string) (sdk.ChannelRef, sdk.Limits, error)
	plan    func(c *platformConn, to sdk.ChannelRef, p sdk.Post) ([]sdk.Part, error)
	publish func(c *platformConn, ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error)
	edit    func(c *platformConn, ctx context.Context, ref sdk.PartRef, part sdk.Part) (sdk.PartRef, error)
	remove  func(c *platformConn, ctx context.Context, ref sdk.PartRef) error
	find    func(c *platformConn, ctx context.Context, to sdk.ChannelRef, key string) (sdk.PartRef, bool, error)
}

func (c *faultyPlatform) ResolveChannel(ctx context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
	if c.f.resolve != nil {
		return c.f.resolve(c.platformConn, ctx, name)
	}
	return c.platformConn.ResolveChannel(ctx, name)
}

func (c *faultyPlatform) Plan(to sdk.ChannelRef, p sdk.Post) ([]sdk.Part, error) {
	if c.f.plan != nil {
		return c.f.plan(c.platformConn, to, p)
	}
	return c.platformConn.Plan(to, p)
}

func (c *faultyPlatform) Publish(ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
	if c.f.publish != nil {
		return c.f.publish(c.platformConn, ctx, to, part)
	}
	return c.platformConn.Publish(ctx, to, part)
}

func (c *faultyPlatform) Edit(ctx context.Context, ref sdk.PartRef, part sdk.Part) (sdk.PartRef, error) {
	if c.f.edit != nil {
		return c.f.edit(c.platformConn, ctx, ref, part)
	}
	return c.platformConn.Edit(ctx, ref, part)
}

func (c *faultyPlatform) Delete(ctx context.Context, ref sdk.PartRef) error {
	if c.f.remove != nil {
		return c.f.remove(c.platformConn, ctx, ref)
	}
	return c.platformConn.Delete(ctx, ref)
}

func (c *faultyPlatform) Find(ctx context.Context, to sdk.ChannelRef, key string) (sdk.PartRef, bool, error) {
	if c.f.find != nil {
		return c.f.find(c.platformConn, ctx, to, key)
	}
	return c.platformConn.Find(ctx, to, key)
}

func faultySpec(p *Platform, f platformFaults) *sdk.Spec {
	return sdk.Define("faulty", "a connector with a fault", PlatformConfig{},
		func(_ context.Context, s sdk.Settings, c PlatformConfig) (*faultyPlatform, error) {
			return &faultyPlatform{&platformConn{platform: p, config: c, settings: s}, f}, nil
		})
}

func TestResolverSuiteCatches(t *testing.T) {
	t.Parallel()
	type resolve = func(*platformConn, context.Context, string) (sdk.ChannelRef, sdk.Limits, error)
	limited := func(change func(l *sdk.Limits)) resolve {
		return func(c *platformConn, ctx context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
			ref, l, err := c.ResolveChannel(ctx, name)
			if err == nil {
				change(&l)
			}
			return ref, l, err
		}
	}
	referred := func(change func(r *sdk.ChannelRef)) resolve {
		return func(c *platformConn, ctx context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
			ref, l, err := c.ResolveChannel(ctx, name)
			if err == nil {
				change(&ref)
			}
			return ref, l, err
		}
	}
	var n atomic.Int64
	for name, tc := range map[string]struct {
		resolve resolve
		want    string
	}{
		"people are channels": {func(c *platformConn, ctx context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
			if name == "@someone" {
				return sdk.ChannelRef{ID: name, Title: name}, sdk.Limits{}, nil
			}
			return c.ResolveChannel(ctx, name)
		}, `ResolveChannel("@someone"): no error`},
		"people are forbidden": {func(c *platformConn, ctx context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
			if name == "@someone" {
				return sdk.ChannelRef{}, sdk.Limits{}, sdk.Errorf(sdk.CodeForbidden, "resolve", "no")
			}
			return c.ResolveChannel(ctx, name)
		}, "the code forbidden"},
		"what is missing is outage": {func(c *platformConn, ctx context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
			ref, l, err := c.ResolveChannel(ctx, name)
			if errors.Is(err, &sdk.Error{Code: sdk.CodeGone}) {
				err = sdk.Errorf(sdk.CodeUnavailable, "resolve", "no")
			}
			return ref, l, err
		}, "the code unavailable"},
		"no id":             {referred(func(r *sdk.ChannelRef) { r.ID = "" }), "no id"},
		"another each time": {referred(func(r *sdk.ChannelRef) { r.ID = fmt.Sprint(n.Add(1)) }), "something else the second time"},
		"a large state":     {referred(func(r *sdk.ChannelRef) { r.State = make([]byte, 5000) }), "a state of 5000 bytes"},
		"a negative limit":  {limited(func(l *sdk.Limits) { l.Text = -1 }), "is negative"},
		"no unit":           {limited(func(l *sdk.Limits) { l.Unit = "letters" }), "no unit"},
		"no overflow":       {limited(func(l *sdk.Limits) { l.Overflow, l.Overflows = "", nil }), "nothing says what happens"},
		"another overflow":  {limited(func(l *sdk.Limits) { l.Overflow = sdk.OverflowCut }), "not among those it offers"},
		"a rate of nothing": {limited(func(l *sdk.Limits) { l.Rules.Rates = []sdk.Rate{{Scope: sdk.RateChannel}} }), "is no rate"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform()
			caught(t, resolverChecks(resolverOptions(p, faultySpec(p, platformFaults{resolve: tc.resolve}).Open)), tc.want)
		})
	}
}

func TestPublisherSuiteCatches(t *testing.T) {
	t.Parallel()
	planned := func(change func(c *platformConn, parts []sdk.Part) []sdk.Part) platformFaults {
		return platformFaults{plan: func(c *platformConn, to sdk.ChannelRef, p sdk.Post) ([]sdk.Part, error) {
			parts, err := c.Plan(to, p)
			if err == nil && len(parts) > 0 {
				parts = change(c, parts)
			}
			return parts, err
		}}
	}
	accepted := func(change func(r *sdk.PartRef)) platformFaults {
		return platformFaults{publish: func(c *platformConn, ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
			ref, err := c.Publish(ctx, to, part)
			if err == nil {
				change(&ref)
			}
			return ref, err
		}}
	}
	var n atomic.Int64
	for name, tc := range map[string]struct {
		faults platformFaults
		want   string
	}{
		"a plan with a clock": {planned(func(_ *platformConn, parts []sdk.Part) []sdk.Part {
			parts[0].Request = fmt.Appendf(nil, `{"text":"%d"}`, n.Add(1))
			return parts
		}), "differs the next time"},
		"a plan that writes": {platformFaults{plan: func(c *platformConn, to sdk.ChannelRef, p sdk.Post) ([]sdk.Part, error) {
			if len(p.Tags) > 0 {
				p.Tags[0] = "changed"
			}
			return c.Plan(to, p)
		}}, "Plan changed"},
		"a plan with the token": {planned(func(c *platformConn, parts []sdk.Part) []sdk.Part {
			parts[0].Request = append(parts[0].Request, []byte("?token="+c.config.Token.Reveal())...)
			return parts
		}), "holds a secret"},
		"a plan without a kind": {planned(func(_ *platformConn, parts []sdk.Part) []sdk.Part { parts[0].Kind = ""; return parts }), "no kind"},
		"a plan without words":  {planned(func(_ *platformConn, parts []sdk.Part) []sdk.Part { parts[0].Text = ""; return parts }), "neither text nor files"},
		"a plan with a key":     {planned(func(_ *platformConn, parts []sdk.Part) []sdk.Part { parts[0].Key = "k"; return parts }), "only the host sets"},
		"a thread of one":       {planned(func(_ *platformConn, parts []sdk.Part) []sdk.Part { parts[0].Thread = true; return parts }), "cannot answer"},
		"a plan that is too long": {planned(func(_ *platformConn, parts []sdk.Part) []sdk.Part {
			parts[0].Text += strings.Repeat("x", 1000)
			return parts
		}), "the channel takes 1000"},
		"a plan with content": {planned(func(_ *platformConn, parts []sdk.Part) []sdk.Part {
			parts[0].Files = []sdk.File{{SHA256: "0", Data: []byte("x")}}
			return parts
		}), "no content"},
		"no plan":                 {planned(func(*platformConn, []sdk.Part) []sdk.Part { return nil }), "has no part"},
		"no id":                   {accepted(func(r *sdk.PartRef) { r.IDs = nil }), "without an id"},
		"a large state":           {accepted(func(r *sdk.PartRef) { r.State = make([]byte, 5000) }), "a state of 5000 bytes"},
		"an address that is none": {accepted(func(r *sdk.PartRef) { r.URL = "platform/p/1" }), "cannot be linked to"},
		"writing to anybody": {platformFaults{publish: func(c *platformConn, ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
			if to.ID == "@someone" {
				to.ID = "c1"
			}
			return c.Publish(ctx, to, part)
		}}, "which no channel name resolves to"},
		"writing, then refusing": {platformFaults{publish: func(c *platformConn, ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
			if to.ID == "@someone" {
				_, _ = c.Publish(ctx, sdk.ChannelRef{ID: "c1"}, part)
			}
			return c.Publish(ctx, to, part)
		}}, "posted something"},
		"posting twice": {platformFaults{publish: func(c *platformConn, ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
			part.Key += fmt.Sprint(n.Add(1))
			return c.Publish(ctx, to, part)
		}}, "with one key"},
		"a deaf ear": {platformFaults{publish: func(c *platformConn, _ context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
			return c.Publish(context.Background(), to, part)
		}}, "no error"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform()
			o := publisherOptions(p, faultySpec(p, tc.faults).Open)
			o.Stall = nil
			caught(t, posting(conformance.Publisher)(o), tc.want)
		})
	}
}

func TestEditorDeleterAndFinderSuitesCatch(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		checks func(PublisherOptions) []conformance.Check
		faults platformFaults
		want   string
	}{
		"an edit that posts": {posting(conformance.Editor), platformFaults{edit: func(c *platformConn, ctx context.Context, ref sdk.PartRef, part sdk.Part) (sdk.PartRef, error) {
			return c.Publish(ctx, sdk.ChannelRef{ID: "c1"}, part)
		}}, "Edit of a part that was deleted"},
		"an edit that does nothing": {posting(conformance.Editor), platformFaults{edit: func(_ *platformConn, ctx context.Context, ref sdk.PartRef, _ sdk.Part) (sdk.PartRef, error) {
			return ref, ctx.Err()
		}}, "the platform shows"},
		"an edit that refuses the same": {posting(conformance.Editor), platformFaults{edit: func(c *platformConn, ctx context.Context, ref sdk.PartRef, part sdk.Part) (sdk.PartRef, error) {
			if text, _ := c.platform.Shows(ref); text == part.Text {
				return sdk.PartRef{}, sdk.Errorf(sdk.CodeInvalid, "edit", "not modified")
			}
			return c.Edit(ctx, ref, part)
		}}, "not modified"},
		"an edit that moves": {posting(conformance.Editor), platformFaults{edit: func(c *platformConn, ctx context.Context, ref sdk.PartRef, part sdk.Part) (sdk.PartRef, error) {
			after, err := c.Edit(ctx, ref, part)
			after.IDs = append([]string{after.IDs[0]}, fmt.Sprint(time.Now().UnixNano()))
			return after, err
		}}, "other ids"},
		"a deletion that forgets": {posting(conformance.Deleter), platformFaults{remove: func(_ *platformConn, ctx context.Context, _ sdk.PartRef) error { return ctx.Err() }}, "still shows"},
		"a deletion that counts": {posting(conformance.Deleter), platformFaults{remove: func(c *platformConn, ctx context.Context, ref sdk.PartRef) error {
			if _, there := c.platform.Shows(ref); !there {
				return sdk.Errorf(sdk.CodeGone, "delete", "not there")
			}
			return c.Delete(ctx, ref)
		}}, "Delete number 2"},
		"a deletion that goes too far": {posting(conformance.Deleter), platformFaults{remove: func(c *platformConn, ctx context.Context, ref sdk.PartRef) error {
			if err := c.Delete(ctx, ref); err != nil {
				return err
			}
			c.platform.mu.Lock()
			defer c.platform.mu.Unlock()
			for _, post := range c.platform.posts {
				post.deleted = true
			}
			return nil
		}}, "wanted is \"to stay\""},
		"finding nothing": {posting(conformance.Finder), platformFaults{find: func(_ *platformConn, ctx context.Context, _ sdk.ChannelRef, _ string) (sdk.PartRef, bool, error) {
			return sdk.PartRef{}, false, ctx.Err()
		}}, "Find of a part that was published"},
		"finding anything": {posting(conformance.Finder), platformFaults{find: func(_ *platformConn, ctx context.Context, _ sdk.ChannelRef, _ string) (sdk.PartRef, bool, error) {
			return sdk.PartRef{IDs: []string{"1"}}, true, ctx.Err()
		}}, "was never used, gave"},
		"finding nothing when blind": {posting(conformance.Finder), platformFaults{find: func(c *platformConn, ctx context.Context, to sdk.ChannelRef, key string) (sdk.PartRef, bool, error) {
			ref, found, err := c.Find(ctx, to, key)
			if err != nil {
				return sdk.PartRef{}, false, nil //nolint:nilerr // the fault that the suite has to find
			}
			return ref, found, nil
		}}, "although it could not look"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlatform()
			o := publisherOptions(p, faultySpec(p, tc.faults).Open)
			o.Stall = nil
			caught(t, tc.checks(o), tc.want)
		})
	}
}
