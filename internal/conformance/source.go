package conformance

import (
	"bytes"
	"context"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// SourceOptions are what the suite Source needs.
type SourceOptions struct {
	Options
	// Now is the clock of the fetches; zero means the present.
	Now time.Time
	// Change makes the source have a new item or a new revision of one.
	Change func(tb T)
	// Withdraw takes away an item that the source has, and undoes nothing.
	Withdraw func(tb T)
}

// maxPages bounds how often a source may say that there is more.
const maxPages = 1000

// Source checks a source whose test server has at least one item.
func Source(o SourceOptions) []Check {
	fetch := func(_ *Probe, s sdk.Source) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			_, err := s.Fetch(ctx, sdk.FetchRequest{Now: o.now(), Force: true})
			return err
		}
	}
	checks := []Check{
		{"the batches keep to the rules", func(tb T) {
			p := NewProbe(tb, o.Options)
			items := 0
			p.drain(Open[sdk.Source](p), o, nil, func(b sdk.Batch) {
				items += len(b.Items)
				checkBatch(p, b)
			})
			if items == 0 {
				p.Error("the first fetches gave no item; the suite needs a source that has one")
			}
		}},
		{"the same request gives the same items", func(tb T) {
			p := NewProbe(tb, o.Options)
			a, b := Open[sdk.Source](p), Open[sdk.Source](p)
			first := p.drain(a, o, nil, nil)
			p.same("a second round on the same instance", first, p.drain(a, o, nil, nil))
			p.same("a round on another instance", first, p.drain(b, o, nil, nil))
		}},
		{"the cursor is all the state there is", func(tb T) {
			p := NewProbe(tb, o.Options)
			a := Open[sdk.Source](p)
			one := p.fetch(a, sdk.FetchRequest{Now: o.now()})
			here := p.fetch(a, sdk.FetchRequest{Now: o.now(), Cursor: one.Next})
			there := p.fetch(Open[sdk.Source](p), sdk.FetchRequest{Now: o.now(), Cursor: one.Next})
			p.same("a fetch with the same cursor by another instance", here, there)
		}},
		{"the cursor that is passed in stays as it is", func(tb T) {
			p := NewProbe(tb, o.Options)
			a := Open[sdk.Source](p)
			one := p.fetch(a, sdk.FetchRequest{Now: o.now()})
			kept := bytes.Clone(one.Next)
			p.fetch(a, sdk.FetchRequest{Now: o.now(), Cursor: one.Next})
			if !bytes.Equal(kept, one.Next) {
				p.Error("the source wrote into the cursor it was given")
			}
		}},
		{"a forced fetch gives everything", func(tb T) {
			p := NewProbe(tb, o.Options)
			a := Open[sdk.Source](p)
			one := p.fetch(a, sdk.FetchRequest{Now: o.now()})
			if b := p.fetch(a, sdk.FetchRequest{Now: o.now(), Cursor: one.Next, Force: true}); b.Unchanged {
				p.Error("a forced fetch said that nothing changed; it must give a full answer")
			}
		}},
		{"a cursor from elsewhere", func(tb T) {
			p := NewProbe(tb, o.Options)
			a := Open[sdk.Source](p)
			for _, c := range []string{"\x00", "{", "null", "[]", `{"a":1}`, "AAAA", strings.Repeat("x", sdk.MaxCursor)} {
				b, err := a.Fetch(p.Ctx(), sdk.FetchRequest{Now: o.now(), Cursor: sdk.Cursor(c)})
				if err != nil {
					p.Fails("Fetch with a cursor that it did not give", err)
				} else {
					checkBatch(p, b)
				}
			}
		}},
		{"instances at the same time", func(tb T) {
			p := NewProbe(tb, o.Options)
			sources := []sdk.Source{Open[sdk.Source](p), Open[sdk.Source](p), Open[sdk.Source](p)}
			batches := make([]sdk.Batch, len(sources))
			errs := make([]error, len(sources))
			ctx := p.Ctx()
			Together(len(sources), func(i int) {
				batches[i], errs[i] = sources[i].Fetch(ctx, sdk.FetchRequest{Now: o.now()})
			})
			for i, err := range errs {
				if err != nil {
					p.Errorf("Fetch: %v", err)
				} else {
					p.same("a fetch beside others", batches[0], batches[i])
				}
			}
		}},
	}
	if o.Change != nil {
		checks = append(checks, Check{"a change arrives", func(tb T) {
			p := NewProbe(tb, o.Options)
			a := Open[sdk.Source](p)
			before := p.drain(a, o, nil, nil)
			o.Change(p.T)
			after := p.drain(a, o, before.Next, nil)
			if !after.Unchanged && !sameItems(before, after) && len(after.Items)+len(after.Removed) > 0 {
				return
			}
			p.Error("something changed, and a fetch with the last cursor gave nothing new")
		}})
	}
	if o.Withdraw != nil {
		checks = append(checks, Check{"a withdrawal arrives", func(tb T) {
			p := NewProbe(tb, o.Options)
			a := Open[sdk.Source](p)
			there := map[string]bool{}
			before := p.drain(a, o, nil, func(b sdk.Batch) { see(there, b) })
			o.Withdraw(p.T)
			gone := false
			p.drain(a, o, before.Next, func(b sdk.Batch) {
				had := len(there)
				see(there, b)
				gone = gone || len(there) < had
			})
			if !gone {
				p.Error("an item was withdrawn, and a fetch with the last cursor neither removed one nor was complete without it")
			}
		}})
	}
	if o.Break != nil {
		checks = append(checks, Check{"a failure in between loses nothing", func(tb T) {
			p := NewProbe(tb, o.Options)
			a := Open[sdk.Source](p)
			want := p.drain(a, o, nil, nil)
			restore := o.Break(p.T)
			b, err := a.Fetch(p.Ctx(), sdk.FetchRequest{Now: o.now(), Force: true})
			restore()
			p.Fails("Fetch from something broken", err)
			if len(b.Items)+len(b.Removed)+len(b.Next) > 0 {
				p.Error("a fetch gave an error and a batch; an error stores nothing")
			}
			p.same("the round after a failure", want, p.drain(a, o, nil, nil))
		}})
	}
	return append(checks, Conduct(o.Options, "Fetch", fetch)...)
}

// see keeps account of which items are there, as the host does.
func see(there map[string]bool, b sdk.Batch) {
	if b.Complete && !b.Reset {
		clear(there)
	}
	for _, it := range b.Items {
		there[it.Key] = true
	}
	for _, r := range b.Removed {
		delete(there, r.Key)
	}
}

func (o SourceOptions) now() time.Time {
	if o.Now.IsZero() {
		return time.Now().UTC()
	}
	return o.Now
}

func (p *Probe) fetch(s sdk.Source, r sdk.FetchRequest) sdk.Batch {
	p.Helper()
	b, err := s.Fetch(p.Ctx(), r)
	if err != nil {
		p.Fails("Fetch", err)
		p.Fatalf("Fetch: %v", err)
	}
	return b
}

// drain fetches until there is no more and gives all of it as one batch.
func (p *Probe) drain(s sdk.Source, o SourceOptions, from sdk.Cursor, see func(sdk.Batch)) sdk.Batch {
	p.Helper()
	var all sdk.Batch
	for range maxPages {
		b := p.fetch(s, sdk.FetchRequest{Now: o.now(), Cursor: from})
		if see != nil {
			see(b)
		}
		all.Items, all.Removed = append(all.Items, b.Items...), append(all.Removed, b.Removed...)
		all.Next, all.Unchanged = b.Next, b.Unchanged
		if !b.More {
			return all
		}
		if bytes.Equal(b.Next, from) {
			p.Fatal("a batch says that there is more, and its cursor is the one it was given: this never ends")
		}
		from = b.Next
	}
	p.Fatalf("the source says that there is more after %d fetches", maxPages)
	return all
}

// same compares what two fetches gave, whatever their cursors and waits are.
func (p *Probe) same(what string, want, got sdk.Batch) {
	p.Helper()
	if want.Unchanged != got.Unchanged {
		p.Errorf("%s says %t to \"unchanged\", the first said %t", what, got.Unchanged, want.Unchanged)
	}
	if diff := cmp.Diff(want.Items, got.Items, equal()); diff != "" {
		p.Errorf("%s gave other items (-first +second):\n%s", what, diff)
	}
	if diff := cmp.Diff(want.Removed, got.Removed, equal(), cmpopts.IgnoreFields(sdk.Removal{}, "At")); diff != "" {
		p.Errorf("%s removed other items (-first +second):\n%s", what, diff)
	}
}

func sameItems(a, b sdk.Batch) bool { return cmp.Equal(a.Items, b.Items, equal()) }

// checkBatch is stricter than the host, which cuts and cleans: a good source leaves it nothing to do.
func checkBatch(tb T, b sdk.Batch) {
	tb.Helper()
	if err := b.Validate(); err != nil {
		tb.Errorf("the batch breaks a rule: %v", err)
	}
	if b.Wait < 0 {
		tb.Errorf("the batch asks to wait %s", b.Wait)
	}
	for _, n := range b.Notices {
		if strings.TrimSpace(n) == "" {
			tb.Error("the batch has an empty notice")
		}
	}
	for _, it := range b.Items {
		checkItem(tb, it)
	}
	for _, r := range b.Removed {
		if r.Reason == "" {
			tb.Errorf("the removal of %q gives no reason", r.Key)
		}
	}
}

func checkItem(tb T, it sdk.Item) {
	tb.Helper()
	wrong := func(format string, args ...any) {
		tb.Helper()
		tb.Errorf("item %q: "+format, append([]any{it.Key}, args...)...)
	}
	text := func(name, s string, limit int, lines bool) {
		tb.Helper()
		switch {
		case len(s) > limit:
			wrong("its %s has %d bytes; at most %d are kept", name, len(s), limit)
		case s != strings.ToValidUTF8(s, ""):
			wrong("its %s is not UTF-8", name)
		case !lines && strings.ContainsAny(s, "\r\n"):
			wrong("its %s has several lines", name)
		}
	}
	link := func(name, s string, mail bool) {
		tb.Helper()
		if s == "" {
			return
		}
		if u, err := sdk.CheckLink(s); err != nil || !mail && strings.HasPrefix(u, "mailto:") {
			wrong("its %s %q cannot be linked to", name, s)
		}
	}
	if it.Title == "" && it.Summary == "" && len(it.Body) == 0 {
		wrong("it has neither title nor summary nor text")
	}
	text("title", it.Title, sdk.MaxTitle, false)
	text("summary", it.Summary, sdk.MaxSummary, true)
	text("correction note", it.Correction, sdk.MaxTitle, false)
	link("address", it.URL, false)
	if len(it.Tags) > sdk.MaxTags || len(it.Authors) > sdk.MaxAuthors || len(it.Media) > sdk.MaxMedia {
		wrong("it has %d tags, %d authors and %d media; at most %d, %d and %d are kept", len(it.Tags), len(it.Authors),
			len(it.Media), sdk.MaxTags, sdk.MaxAuthors, sdk.MaxMedia)
	}
	for _, tag := range it.Tags {
		text("tag", tag, sdk.MaxTag, false)
	}
	for _, a := range it.Authors {
		text("author", a.Name, sdk.MaxTag, false)
		link("author's address", a.URL, true)
	}
	for _, m := range it.Media {
		if m.URL == "" {
			wrong("one of its media has no address")
		}
		link("medium's address", m.URL, false)
		text("alt text", m.Alt, sdk.MaxAlt, true)
		if m.Width < 0 || m.Height < 0 || m.Duration < 0 {
			wrong("one of its media has a negative size")
		}
		if m.File.SHA256 != "" || m.File.Data != nil {
			wrong("one of its media claims a stored copy; only the host has these")
		}
	}
	if it.Urgency < 0 || it.Urgency > 9 {
		wrong("its urgency is %d; 0 to 9 exist", it.Urgency)
	}
	for name, at := range map[string]time.Time{"published": it.Published, "updated": it.Updated, "not before": it.NotBefore,
		"due": it.Due, "expires": it.ExpiresAt} {
		if !at.IsZero() && (at.Year() < 1 || at.Year() > 9999) {
			wrong("its time %q lies in the year %d", name, at.Year())
		}
	}
}
