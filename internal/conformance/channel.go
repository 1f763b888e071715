package conformance

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
)

// ResolverOptions are what the suite Resolver needs.
type ResolverOptions struct {
	Options
	// Channels are names that the credential may post to.
	Channels []string
	// NotChannels are names of people, private chats and other things that are no channel.
	NotChannels []string
	// Missing are names of nothing.
	Missing []string
}

// Resolver checks a connector that turns names of channels into references.
func Resolver(o ResolverOptions) []Check {
	resolve := func(_ *Probe, r sdk.Resolver) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, _, err := r.ResolveChannel(ctx, o.Channels[0])
			return err
		}
	}
	checks := []Check{
		{"channels", func(tb T) {
			p := NewProbe(tb, o.Options)
			a, b := Open[sdk.Resolver](p), Open[sdk.Resolver](p)
			for _, name := range o.Channels {
				ref, limits := p.resolve(a, name)
				checkLimits(p, name, limits)
				again, sameLimits := p.resolve(b, name)
				if diff := cmp.Diff(ref, again, equal()); diff != "" {
					p.Errorf("%s resolves to something else the second time (-first +second):\n%s", name, diff)
				}
				if diff := cmp.Diff(limits, sameLimits, equal()); diff != "" {
					p.Errorf("%s has other limits the second time (-first +second):\n%s", name, diff)
				}
			}
		}},
		{"what is no channel is refused", func(tb T) {
			p := NewProbe(tb, o.Options)
			r := Open[sdk.Resolver](p)
			if len(o.NotChannels) == 0 {
				waive(tb, "no names of people are given")
			}
			for _, name := range o.NotChannels {
				ref, _, err := r.ResolveChannel(p.Ctx(), name)
				p.Fails(fmt.Sprintf("ResolveChannel(%q)", name), err, sdk.CodeNotAChannel)
				if ref.ID != "" {
					p.Errorf("ResolveChannel(%q) refused and gave a reference", name)
				}
			}
		}},
		{"what does not exist is refused", func(tb T) {
			p := NewProbe(tb, o.Options)
			r := Open[sdk.Resolver](p)
			for _, name := range append([]string{"", " ", "\x00", strings.Repeat("x", 10_000)}, o.Missing...) {
				_, _, err := r.ResolveChannel(p.Ctx(), name)
				p.Fails(fmt.Sprintf("ResolveChannel(%.20q)", name), err, sdk.CodeNotAChannel, sdk.CodeGone, sdk.CodeInvalid,
					sdk.CodeForbidden, sdk.CodeTooLarge)
			}
		}},
	}
	return append(checks, Conduct(o.Options, "ResolveChannel", resolve)...)
}

func (p *Probe) resolve(r sdk.Resolver, name string) (sdk.ChannelRef, sdk.Limits) {
	p.Helper()
	ref, limits, err := r.ResolveChannel(p.Ctx(), name)
	if err != nil {
		p.Fails("ResolveChannel", err)
		p.Fatalf("ResolveChannel(%q): %v", name, err)
	}
	switch {
	case ref.ID == "":
		p.Errorf("the reference of %s has no id", name)
	case ref.Title == "":
		p.Errorf("the reference of %s has no title for people", name)
	case len(ref.State) > sdk.MaxPartState:
		p.Errorf("the reference of %s has a state of %d bytes; at most %d are kept", name, len(ref.State), sdk.MaxPartState)
	}
	return ref, limits
}

func checkLimits(tb T, name string, l sdk.Limits) {
	tb.Helper()
	units := []sdk.Unit{sdk.UnitBytes, sdk.UnitUTF16, sdk.UnitCodePoints, sdk.UnitGraphemes}
	overflows := []sdk.Overflow{sdk.OverflowCut, sdk.OverflowSplit, sdk.OverflowThread}
	if l.Text < 0 || l.Caption < 0 || l.Media < 0 || l.MediaBytes < 0 || l.Rules.Parallel < 0 {
		tb.Errorf("%s: a limit is negative", name)
	}
	if (l.Text > 0 || l.Caption > 0) && !slices.Contains(units, l.Unit) {
		tb.Errorf("%s: its text is limited in %q, which is no unit", name, l.Unit)
	}
	if l.Text > 0 && l.Overflow == "" {
		tb.Errorf("%s: its text is limited, and nothing says what happens to a longer one", name)
	}
	for _, o := range l.Overflows {
		if !slices.Contains(overflows, o) {
			tb.Errorf("%s: it offers the overflow %q, which does not exist", name, o)
		}
	}
	if l.Overflow != "" && !slices.Contains(l.Overflows, l.Overflow) {
		tb.Errorf("%s: its own overflow %q is not among those it offers, %v", name, l.Overflow, l.Overflows)
	}
	for _, d := range []time.Duration{l.Rules.EditFor, l.Rules.DeleteFor, l.Rules.ReplyFor, l.Rules.SameKeyFor} {
		if d < 0 {
			tb.Errorf("%s: a rule has a length of %s", name, d)
		}
	}
	for _, r := range l.Rules.Rates {
		if r.Events <= 0 || r.Per <= 0 || (r.Scope != sdk.RateChannel && r.Scope != sdk.RateDestination) {
			tb.Errorf("%s: %d calls in %s for each %q is no rate", name, r.Events, r.Per, r.Scope)
		}
	}
}

// PublisherOptions are what the suites Publisher, Editor, Deleter and Finder need.
type PublisherOptions struct {
	Options
	// Channel is the name of a channel, for connectors that resolve names.
	Channel string
	// To is the channel for connectors that do not.
	To sdk.ChannelRef
	// Forged are references to people and private chats, made by hand as a faulty host might; Publish refuses them.
	Forged []sdk.ChannelRef
	// Shows tells what the platform shows of a part: false when it is not there.
	Shows func(tb T, ref sdk.PartRef) (text string, there bool)
	// Posts is how many parts the platform has accepted so far.
	Posts func(tb T) int
}

// Publisher checks a connector that posts to channels.
func Publisher(o PublisherOptions) []Check {
	publish := func(p *Probe, c sdk.Publisher) func(ctx context.Context) error {
		to, _ := p.channel(c, o)
		part := p.ready(p.plan(c, to, samplePost("a short text"))[0], "conduct")
		return func(ctx context.Context) error {
			_, err := c.Publish(ctx, to, part)
			return err
		}
	}
	checks := []Check{
		{"plans are the same every time", func(tb T) {
			p := NewProbe(tb, o.Options)
			a, b := Open[sdk.Publisher](p), Open[sdk.Publisher](p)
			to, _ := p.channel(a, o)
			for name, post := range samplePosts() {
				want, err := a.Plan(to, post)
				if err != nil {
					p.Fails("Plan of "+name, err)
					continue
				}
				plans, errs := make([][]sdk.Part, 4), make([]error, 4)
				Together(4, func(i int) { plans[i], errs[i] = []sdk.Publisher{a, b}[i%2].Plan(to, samplePosts()[name]) })
				for i := range plans {
					if diff := cmp.Diff(want, plans[i], equal()); errs[i] != nil || diff != "" {
						p.Errorf("the plan of %s differs the next time (%v, -first +second):\n%s", name, errs[i], diff)
					}
				}
			}
		}},
		{"plans keep to the rules", func(tb T) {
			p := NewProbe(tb, o.Options)
			c := Open[sdk.Publisher](p)
			to, limits := p.channel(c, o)
			for name, post := range samplePosts() {
				before := samplePosts()[name]
				parts, err := c.Plan(to, post)
				if diff := cmp.Diff(before, post, equal()); diff != "" {
					p.Errorf("Plan changed %s (-before +after):\n%s", name, diff)
				}
				if err == nil {
					p.checkPlan(name, parts, limits)
				}
			}
		}},
		{"parts are accepted", func(tb T) {
			p := NewProbe(tb, o.Options)
			c := Open[sdk.Publisher](p)
			to, _ := p.channel(c, o)
			for name, post := range samplePosts() {
				if parts, err := c.Plan(to, post); err == nil {
					p.publishAll(c, to, name, parts)
				}
			}
		}},
		{"only channels are written to", func(tb T) {
			p := NewProbe(tb, o.Options)
			c := Open[sdk.Publisher](p)
			to, _ := p.channel(c, o)
			parts := p.plan(c, to, samplePost("a short text"))
			for _, ref := range append([]sdk.ChannelRef{{}}, o.Forged...) {
				before := p.posts(o)
				_, err := c.Publish(p.Ctx(), ref, p.ready(parts[0], "forged"))
				p.Fails(fmt.Sprintf("Publish to %q, which no channel name resolves to", ref.ID), err, sdk.CodeNotAChannel)
				if after := p.posts(o); after != before {
					p.Errorf("Publish to %q posted something", ref.ID)
				}
			}
		}},
	}
	checks = append(checks, Check{"the same key posts once", func(tb T) {
		p := NewProbe(tb, o.Options)
		c := Open[sdk.Publisher](p)
		to, limits := p.channel(c, o)
		if limits.Rules.SameKeyFor == 0 {
			waive(tb, "it says that the platform knows no keys (rules.same_key_for is 0)")
			return
		}
		part := p.ready(p.plan(c, to, samplePost("posted once"))[0], "same-key")
		first, before := p.publish(c, to, part), p.posts(o)
		second := p.publish(c, to, part)
		if diff := cmp.Diff(first.IDs, second.IDs); diff != "" {
			p.Errorf("the second attempt with one key made another part (-first +second):\n%s", diff)
		}
		if after := p.posts(o); after != before {
			p.Errorf("the second attempt with one key posted again")
		}
	}})
	return append(checks, Conduct(o.Options, "Publish", publish)...)
}

// channel is where a check posts to.
func (p *Probe) channel(c sdk.Connector, o PublisherOptions) (sdk.ChannelRef, sdk.Limits) {
	p.Helper()
	if r, ok := sdk.As[sdk.Resolver](c); ok && o.Channel != "" {
		return p.resolve(r, o.Channel)
	}
	return o.To, sdk.Limits{}
}

func (p *Probe) plan(c sdk.Publisher, to sdk.ChannelRef, post sdk.Post) []sdk.Part {
	p.Helper()
	parts, err := c.Plan(to, post)
	if err != nil {
		p.Fails("Plan", err)
	}
	if err != nil || len(parts) == 0 {
		p.Fatalf("Plan of a short text gave %d parts, %v", len(parts), err)
	}
	return parts
}

func (p *Probe) publish(c sdk.Publisher, to sdk.ChannelRef, part sdk.Part) sdk.PartRef {
	p.Helper()
	ref, err := c.Publish(p.Ctx(), to, part)
	if err != nil {
		p.Fails("Publish", err)
		p.Fatalf("Publish: %v", err)
	}
	p.checkRef("Publish", ref)
	return ref
}

// publishAll posts the parts of a plan as the host does.
func (p *Probe) publishAll(c sdk.Publisher, to sdk.ChannelRef, name string, parts []sdk.Part) []sdk.PartRef {
	p.Helper()
	var refs []sdk.PartRef
	for i, part := range parts {
		part = p.ready(part, fmt.Sprintf("%s-%d", name, i))
		if part.Thread && i > 0 {
			part.ReplyTo = &refs[i-1]
		}
		refs = append(refs, p.publish(c, to, part))
	}
	return refs
}

func (p *Probe) checkRef(what string, ref sdk.PartRef) {
	p.Helper()
	if len(ref.IDs) == 0 || slices.Contains(ref.IDs, "") {
		p.Errorf("%s gave a reference without an id: %v", what, ref.IDs)
	}
	if len(ref.State) > sdk.MaxPartState {
		p.Errorf("%s gave a reference with a state of %d bytes; at most %d are kept", what, len(ref.State), sdk.MaxPartState)
	}
	if ref.URL != "" {
		if _, err := sdk.CheckLink(ref.URL); err != nil {
			p.Errorf("%s gave a reference whose address cannot be linked to: %v", what, err)
		}
	}
}

func (p *Probe) posts(o PublisherOptions) int {
	if o.Posts == nil {
		return 0
	}
	return o.Posts(p.T)
}

// ready readies a part as the host does: with a key, which no other check uses, and the content of its files.
func (p *Probe) ready(part sdk.Part, name string) sdk.Part {
	part.Key = p.Key(name)
	files := slices.Clone(part.Files)
	for i := range files {
		files[i].Data = sampleFile(files[i].SHA256)
	}
	part.Files = files
	return part
}

func (p *Probe) checkPlan(name string, parts []sdk.Part, l sdk.Limits) {
	p.Helper()
	wrong := func(i int, format string, args ...any) {
		p.Helper()
		p.Errorf("part %d of %s: "+format, append([]any{i + 1, name}, args...)...)
	}
	if len(parts) == 0 {
		p.Errorf("the plan of %s has no part", name)
	}
	for i, part := range parts {
		for _, secret := range p.o.Secrets {
			if strings.Contains(string(part.Request)+part.Kind+part.Text+part.Type, secret) {
				wrong(i, "it holds a secret of the configuration; a plan is shown and stored")
			}
		}
		switch {
		case part.Kind == "":
			wrong(i, "it has no kind")
		case part.Text == "" && len(part.Files) == 0:
			wrong(i, "it has neither text nor files; people could not see what it says")
		case part.ReplyTo != nil || part.Key != "":
			wrong(i, "it has an answer or a key; only the host sets these")
		case part.Thread && i == 0:
			wrong(i, "the first part cannot answer one before it")
		case !utf8.ValidString(part.Text):
			wrong(i, "its text is not UTF-8")
		case l.Media > 0 && len(part.Files) > l.Media:
			wrong(i, "it has %d files; the channel takes %d", len(part.Files), l.Media)
		}
		for _, f := range part.Files {
			if f.Data != nil || f.SHA256 == "" {
				wrong(i, "a file of a plan has a digest and no content")
			}
		}
		most := l.Text
		if len(part.Files) > 0 && l.Caption > 0 {
			most = l.Caption
		}
		if n, ok := length(part.Text, l.Unit); ok && most > 0 && n > most {
			wrong(i, "its text has a length of %d %s; the channel takes %d", n, l.Unit, most)
		}
	}
}

// length counts what can be counted without tables.
func length(s string, u sdk.Unit) (int, bool) {
	switch u {
	case sdk.UnitBytes:
		return len(s), true
	case sdk.UnitUTF16:
		return len(utf16.Encode([]rune(s))), true
	case sdk.UnitCodePoints:
		return utf8.RuneCountInString(s), true
	}
	return 0, false
}
