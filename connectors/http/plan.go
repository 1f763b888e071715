package http

import (
	"context"
	"fmt"
	"slices"
	"unicode"

	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
)

// The kinds of parts.
const (
	kindStandard = "post.published"
	kindCustom   = "create"
)

// maxName is the longest chat: that is passed on to templates, in bytes.
const maxName = 256

// ResolveChannel names the receiver. The name is usually empty; templates see it as .To and the standard form passes it
// on as data.to, for receivers with several rooms. Nothing is asked of the receiver: there is no question that every
// receiver understands.
func (c *Connector) ResolveChannel(_ context.Context, name string) (sdk.ChannelRef, sdk.Limits, error) {
	if err := c.config.CheckChannel(name); err != nil {
		return sdk.ChannelRef{}, sdk.Limits{}, err
	}
	ref := sdk.ChannelRef{ID: c.host, Title: c.host, State: []byte(name)}
	if name != "" {
		ref.ID, ref.Title = c.host+" "+name, name
	}
	return ref, c.limits(), nil
}

// CheckChannel implements sdk.ChannelChecker.
func (c *Config) CheckChannel(name string) error {
	bad := func(format string, args ...any) error {
		e := sdk.Errorf(sdk.CodeInvalid, "chat", format, args...)
		e.Scope = sdk.ScopeDestination
		return e
	}
	switch {
	case len(name) > maxName:
		return bad("the name in chat: is longer than %d bytes", maxName)
	case slices.ContainsFunc([]rune(name), unicode.IsControl):
		return bad("the name in chat: holds a control character")
	}
	return nil
}

func (c *Connector) limits() sdk.Limits {
	l := sdk.Limits{
		Text: c.config.MaxText, Unit: c.config.Unit, Media: sdk.MaxMedia,
		Overflow: c.config.Overflow, Overflows: []sdk.Overflow{sdk.OverflowCut},
		Rules: sdk.Rules{EditFor: sdk.Forever, DeleteFor: sdk.Forever, Parallel: 1},
	}
	if c.config.custom() {
		l.Overflows = append(l.Overflows, sdk.OverflowSplit)
		l.Rules.EditFor, l.Rules.DeleteFor = within(c.config.Update), within(c.config.Delete)
	}
	if c.config.deduplicates() {
		l.Rules.SameKeyFor = keyFor
	}
	return l
}

func (c *Config) markup() render.Markup {
	switch c.Markup {
	case "commonmark":
		return render.CommonMark
	case "html":
		return render.HTML
	}
	return render.Plain
}

// Plan makes the body of one call, or of several when the text is split.
//
// Errors: CodeInvalid with ScopeTemplate when the template fails for this post or gives something that is no valid body;
// CodeUnsupported for an overflow that the form does not have.
func (c *Connector) Plan(to sdk.ChannelRef, p sdk.Post) ([]sdk.Part, error) {
	overflow := p.Overflow
	if overflow == "" {
		overflow = c.config.Overflow
	}
	if !slices.Contains(c.limits().Overflows, overflow) {
		return nil, sdk.Errorf(sdk.CodeUnsupported, "plan", "this receiver cannot %q a long text; %v are possible",
			overflow, c.limits().Overflows)
	}
	texts := []sdk.Body{p.Body}
	if c.config.MaxText > 0 {
		bound := render.Bound{Markup: c.config.markup(), Unit: c.config.Unit, Max: c.config.MaxText}
		if texts[0] = render.Cut(p.Body, bound); overflow == sdk.OverflowSplit {
			texts = render.Split(p.Body, bound)
		}
	}
	if c.forms == nil {
		forms := render.RenderEach(texts[0], render.Plain, render.HTML)
		part := standardPart(to, p, forms[0], forms[1])
		part.Text = c.shown(p, forms[0])
		return []sdk.Part{part}, nil
	}
	parts := make([]sdk.Part, len(texts))
	content := render.Render(p.Content, c.config.markup())
	for i, text := range texts {
		request, err := c.forms.create.give(viewOf(to, p, render.Render(text, c.config.markup()), content))
		if err != nil {
			return nil, templateError("plan", "body", err)
		}
		parts[i] = sdk.Part{Kind: kindCustom, Type: c.config.ContentType, Request: []byte(request), Text: c.shown(p, render.Render(text, render.Plain))}
	}
	return parts, nil
}

// PlanKey implements sdk.SharedPlanner. The standard form is the same for all receivers, but for its length and the name in
// data.to; a body of the admin's own is each receiver's.
func (c *Connector) PlanKey(to sdk.ChannelRef) string {
	if c.forms != nil {
		return ""
	}
	return c.planned + string(to.State)
}

// shown is what people see of a part: its text, or what else names the post when there is none.
func (c *Connector) shown(p sdk.Post, text string) string {
	out := text
	for _, other := range []string{p.Title, p.URL, p.ID} {
		if out == "" {
			out = other
		}
	}
	if c.config.MaxText > 0 {
		out = render.CutText(out, c.config.MaxText, c.config.Unit)
	}
	return out
}

func templateError(op, setting string, err error) *sdk.Error {
	return &sdk.Error{Code: sdk.CodeInvalid, Scope: sdk.ScopeTemplate, Op: op,
		Public: fmt.Sprintf("the template in %s: %s", setting, err), Err: err}
}
