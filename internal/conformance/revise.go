package conformance

import (
	"context"
	"strings"

	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
)

// Editor checks a connector that replaces what a part shows.
func Editor(o PublisherOptions) []Check {
	edit := func(p *Probe, e sdk.Editor) func(ctx context.Context) error {
		c := ability[sdk.Publisher](p, e)
		to, _ := p.channel(c, o)
		ref := p.publish(c, to, p.ready(p.plan(c, to, samplePost("a short text"))[0], "conduct"))
		part := p.ready(p.plan(c, to, samplePost("edited"))[0], "conduct-edit")
		return func(ctx context.Context) error {
			_, err := e.Edit(ctx, ref, part)
			return err
		}
	}
	checks := []Check{
		{"an edit shows", func(tb T) {
			p := NewProbe(tb, o.Options)
			c, e, to, ref := p.published(o, "before the edit")
			after := p.edit(e, ref, p.ready(p.plan(c, to, samplePost("after the edit"))[0], "edit"))
			p.shows(o, after, "after the edit", "before the edit")
			again := p.edit(e, after, p.ready(p.plan(c, to, samplePost("and once more"))[0], "edit-2"))
			p.shows(o, again, "and once more", "after the edit")
		}},
		{"an edit to the same state is a success", func(tb T) {
			p := NewProbe(tb, o.Options)
			c, e, to, ref := p.published(o, "nothing changes")
			part := p.ready(p.plan(c, to, samplePost("nothing changes"))[0], "same")
			first := p.edit(e, ref, part)
			second := p.edit(e, first, part)
			if diff := cmp.Diff(first.IDs, second.IDs); diff != "" {
				p.Errorf("an edit that changes nothing gave other ids (-first +second):\n%s", diff)
			}
			p.shows(o, second, "nothing changes", "")
		}},
		{"another instance edits", func(tb T) {
			p := NewProbe(tb, o.Options)
			c, _, to, ref := p.published(o, "posted by one")
			other := Open[sdk.Editor](p)
			after := p.edit(other, ref, p.ready(p.plan(c, to, samplePost("edited by another"))[0], "other"))
			p.shows(o, after, "edited by another", "posted by one")
		}},
		{"what was deleted cannot be edited", func(tb T) {
			p := NewProbe(tb, o.Options)
			c, e, to, ref := p.published(o, "soon gone")
			d, ok := sdk.As[sdk.Deleter](e)
			if !ok {
				waive(tb, "it does not delete")
				return
			}
			if err := d.Delete(p.Ctx(), ref); err != nil {
				p.Fatalf("Delete: %v", err)
			}
			before := p.posts(o)
			_, err := e.Edit(p.Ctx(), ref, p.ready(p.plan(c, to, samplePost("back again"))[0], "gone"))
			p.Fails("Edit of a part that was deleted", err, sdk.CodeGone, sdk.CodeInvalid, sdk.CodeWindowClosed, sdk.CodeUnsupported)
			if after := p.posts(o); after != before {
				p.Error("an edit of a deleted part posted a new one")
			}
		}},
	}
	return append(checks, Conduct(o.Options, "Edit", edit)...)
}

func (p *Probe) edit(e sdk.Editor, ref sdk.PartRef, part sdk.Part) sdk.PartRef {
	p.Helper()
	after, err := e.Edit(p.Ctx(), ref, part)
	if err != nil {
		p.Fails("Edit", err)
		p.Fatalf("Edit: %v", err)
	}
	p.checkRef("Edit", after)
	return after
}

// published posts a text with an instance that can edit too.
func (p *Probe) published(o PublisherOptions, text string) (sdk.Publisher, sdk.Editor, sdk.ChannelRef, sdk.PartRef) {
	p.Helper()
	e := Open[sdk.Editor](p)
	c := ability[sdk.Publisher](p, e)
	to, _ := p.channel(c, o)
	parts := p.plan(c, to, samplePost(text))
	return c, e, to, p.publish(c, to, p.ready(parts[0], text))
}

// shows looks at the platform, where the test can.
func (p *Probe) shows(o PublisherOptions, ref sdk.PartRef, want, not string) {
	p.Helper()
	if o.Shows == nil {
		return
	}
	text, there := o.Shows(p.T, ref)
	if !there || !strings.Contains(text, want) || not != "" && strings.Contains(text, not) {
		p.Errorf("the platform shows %q (there: %t), wanted is %q", text, there, want)
	}
}

// Deleter checks a connector that takes parts away.
func Deleter(o PublisherOptions) []Check {
	remove := func(p *Probe, d sdk.Deleter) func(ctx context.Context) error {
		ref := p.publishedBy(ability[sdk.Publisher](p, d), o, "to be deleted")
		return func(ctx context.Context) error { return d.Delete(ctx, ref) }
	}
	gone := func(p *Probe, ref sdk.PartRef) {
		p.Helper()
		if o.Shows == nil {
			return
		}
		if text, there := o.Shows(p.T, ref); there {
			p.Errorf("the platform still shows %q", text)
		}
	}
	checks := []Check{
		{"a deleted part is gone", func(tb T) {
			p := NewProbe(tb, o.Options)
			d := Open[sdk.Deleter](p)
			c := ability[sdk.Publisher](p, d)
			ref, other := p.publishedBy(c, o, "to be deleted"), p.publishedBy(c, o, "to stay")
			if err := d.Delete(p.Ctx(), ref); err != nil {
				p.Fails("Delete", err)
				p.Fatalf("Delete: %v", err)
			}
			gone(p, ref)
			p.shows(o, other, "to stay", "")
		}},
		{"what is missing is a success", func(tb T) {
			p := NewProbe(tb, o.Options)
			d := Open[sdk.Deleter](p)
			ref := p.publishedBy(ability[sdk.Publisher](p, d), o, "to be deleted twice")
			other := Open[sdk.Deleter](p)
			for i, by := range []sdk.Deleter{d, d, other} {
				if err := by.Delete(p.Ctx(), ref); err != nil {
					p.Fails("Delete", err)
					p.Errorf("Delete number %d of the same part: %v", i+1, err)
				}
			}
			gone(p, ref)
		}},
	}
	return append(checks, Conduct(o.Options, "Delete", remove)...)
}

func (p *Probe) publishedBy(c sdk.Publisher, o PublisherOptions, text string) sdk.PartRef {
	p.Helper()
	to, _ := p.channel(c, o)
	return p.publish(c, to, p.ready(p.plan(c, to, samplePost(text))[0], text))
}

// Finder checks a connector that finds parts by their keys.
func Finder(o PublisherOptions) []Check {
	find := func(p *Probe, f sdk.Finder) func(ctx context.Context) error {
		to, _ := p.channel(f, o)
		return func(ctx context.Context) error {
			_, found, err := f.Find(ctx, to, p.Key("never used"))
			if err == nil && !found {
				// This is what the checks are about: "nothing was accepted" from somebody who could not look.
				p.Error("Find answered that nothing was accepted, although it could not look")
			}
			return err
		}
	}
	checks := []Check{
		{"a part is found by its key", func(tb T) {
			p := NewProbe(tb, o.Options)
			f := Open[sdk.Finder](p)
			c := ability[sdk.Publisher](p, f)
			to, _ := p.channel(c, o)
			key := p.Key("find")
			want := p.publish(c, to, p.ready(p.plan(c, to, samplePost("found by its key"))[0], "find"))
			for _, by := range []sdk.Finder{f, Open[sdk.Finder](p)} {
				got, found, err := by.Find(p.Ctx(), to, key)
				if err != nil {
					p.Fails("Find", err)
				}
				if !found || err != nil {
					p.Fatalf("Find of a part that was published: %t, %v", found, err)
				}
				if diff := cmp.Diff(want.IDs, got.IDs); diff != "" {
					p.Errorf("Find gave another part (-published +found):\n%s", diff)
				}
			}
		}},
		{"a key that was never used", func(tb T) {
			p := NewProbe(tb, o.Options)
			f := Open[sdk.Finder](p)
			to, _ := p.channel(f, o)
			for _, key := range []string{p.Key("never used"), ""} {
				ref, found, err := f.Find(p.Ctx(), to, key)
				switch {
				case err != nil && key != "":
					p.Fails("Find", err)
					p.Errorf("Find of a key that was never used: %v", err)
				case found || len(ref.IDs) > 0:
					p.Errorf("Find of the key %q, which was never used, gave %v", key, ref.IDs)
				}
			}
		}},
	}
	return append(checks, Conduct(o.Options, "Find", find)...)
}
