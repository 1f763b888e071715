package compose

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/scheduler"
	"github.com/belfry-news/belfry/sdk"
)

// Program is the editorial part of a configuration, compiled: every expression, template, schedule and window.
type Program struct {
	Site     configs.Site
	Zone     *time.Location
	Channels map[string]*Channel
	// Sources are the rules of embargo, by source.
	Sources map[string]configs.Source
	// MediaWait is how long a post waits for its images.
	MediaWait time.Duration
	calendars []string
}

// Channel is one compiled channel.
type Channel struct {
	Name   string
	Config configs.Channel
	// Lang is the language of its posts.
	Lang          string
	where, urgent Condition
	hours         scheduler.Windows
	template      *Template
	title         *Template
	// Targets are the places it publishes to.
	Targets []Target
	// messages are the texts for followers, by destination.
	messages []Target
	// Schedule is of its digest.
	Schedule  scheduler.Spec
	blackouts []blackout
}

// Target is one compiled place.
type Target struct {
	Config   configs.Target
	template *Template
	where    Condition
}

type blackout struct {
	name string
	// source is the calendar whose events are its times; empty when the configuration has them.
	source string
	window scheduler.Windows
	where  Condition
	all    bool // it has no condition
	drop   bool
}

// Compile compiles the editorial part of a configuration, and reports everything that is wrong with it.
func Compile(c *configs.Config) (*Program, sdk.Problems) {
	k := &compiler{}
	p := &Program{Site: c.Site, Zone: c.Zone(), Channels: map[string]*Channel{}, Sources: c.Sources, MediaWait: c.Media.Timeout.Std()}
	for _, name := range slices.Sorted(maps.Keys(c.Channels)) {
		p.Channels[name] = k.channel(name, c.Channels[name], c, p.Zone)
	}
	k.blackouts(c, p)
	return p, k.problems
}

type compiler struct{ problems sdk.Problems }

func (k *compiler) condition(at, text string) Condition {
	c, err := CompileCondition(text)
	c.place = strings.ReplaceAll(strings.TrimPrefix(at, "/"), "/", ".")
	if ee, ok := errors.AsType[*ExpressionError](err); ok {
		k.problems = append(k.problems, sdk.Problem{Pointer: at, What: ee.What, Fix: ee.Fix, Line: ee.Line, Column: ee.Column})
	}
	return c
}

func (k *compiler) template(at, text string) *Template {
	t, err := CompileTemplate(text)
	if te, ok := errors.AsType[*TemplateError](err); ok {
		k.problems = append(k.problems, sdk.Problem{Pointer: at, What: te.What, Fix: te.Fix, Line: te.Line, Column: te.Column})
	}
	return t
}

func (k *compiler) channel(name string, c configs.Channel, root *configs.Config, zone *time.Location) *Channel {
	at := sdk.Pointer("channels", name)
	ch := &Channel{Name: name, Config: c, Lang: c.Lang, where: k.condition(at+"/where", c.Where)}
	if ch.Lang == "" {
		ch.Lang = root.Site.Lang
	}
	text := DefaultEach
	if c.Digest != nil {
		text = DefaultDigest
	}
	if !c.Template.Empty() {
		text = c.Template.Text
	}
	ch.template = k.template(at+"/template", text)
	if c.Each != nil {
		ch.urgent = k.condition(at+"/each/urgent", c.Each.Urgent)
		if c.Each.Hours != "" {
			h, err := scheduler.ParseHours(c.Each.Hours)
			if err != nil {
				k.problems.Add(at+"/each/hours", err.Error(), "")
			}
			ch.hours = h.In(zone)
		}
	}
	if c.Digest != nil {
		if c.Digest.Timezone != "" {
			if _, err := scheduler.LoadZone(c.Digest.Timezone); err != nil {
				k.problems.Add(at+"/digest/timezone", err.Error(), "")
				return ch
			}
		}
		spec, err := c.Digest.Schedule(zone)
		if err != nil {
			k.problems.Add(at+"/digest/cron", err.Error(), "")
		}
		ch.Schedule = spec
		if c.Digest.Title != "" {
			ch.title = k.template(at+"/digest/title", c.Digest.Title)
		}
	}
	for i, t := range c.PublishTo {
		tat := at + sdk.Pointer("publish_to", i)
		target := Target{Config: t, template: ch.template, where: k.condition(tat+"/where", t.Where)}
		if !t.Template.Empty() {
			target.template = k.template(tat+"/template", t.Template.Text)
		}
		ch.Targets = append(ch.Targets, target)
	}
	for i, m := range c.Messages {
		target := Target{template: ch.template}
		target.Config.SetDefaults()
		target.Config.Destination = m.Destination
		if !m.Template.Empty() {
			target.template = k.template(at+sdk.Pointer("messages", i, "template"), m.Template.Text)
		}
		ch.messages = append(ch.messages, target)
	}
	return ch
}

func (k *compiler) blackouts(c *configs.Config, p *Program) {
	for _, name := range slices.Sorted(maps.Keys(c.Blackouts)) {
		b := c.Blackouts[name]
		at := sdk.Pointer("blackouts", name)
		where := k.condition(at+"/where", b.Where) // told of beside what is wrong with the time
		w, err := b.Windows(p.Zone)
		if err != nil {
			k.problems.Add(at, err.Error(), "")
			continue
		}
		bl := blackout{name: name, source: b.Source, window: w, where: where, all: strings.TrimSpace(b.Where) == "", drop: b.Then == "drop"}
		silences := false
		for _, ch := range p.Channels {
			if len(b.Channels) == 0 || slices.Contains(b.Channels, ch.Name) {
				ch.blackouts = append(ch.blackouts, bl)
				silences = true
			}
		}
		if silences && b.Source != "" && !slices.Contains(p.calendars, b.Source) {
			p.calendars = append(p.calendars, b.Source)
		}
	}
	slices.Sort(p.calendars)
}

// Calendars names the sources whose events are times of blackouts. The list is shared.
func (p *Program) Calendars() []string { return p.calendars }

// Events tells from when to when the events of calendars last, by source.
type Events interface {
	EventTimes(ctx context.Context, sources []string, now time.Time) (map[string]scheduler.Windows, error)
}

// WithEvents is the program with the times of blackouts that come from calendars.
func (p *Program) WithEvents(ctx context.Context, e Events, now time.Time) (*Program, error) {
	calendars := p.Calendars()
	if len(calendars) == 0 {
		return p, nil
	}
	events, err := e.EventTimes(ctx, calendars, now)
	if err != nil {
		return nil, err
	}
	out := *p
	out.Channels = make(map[string]*Channel, len(p.Channels))
	for name, ch := range p.Channels {
		c := *ch
		c.blackouts = slices.Clone(ch.blackouts)
		for i, b := range c.blackouts {
			if b.source != "" {
				c.blackouts[i].window = events[b.source]
			}
		}
		out.Channels[name] = &c
	}
	return &out, nil
}

// Check is Compile for a configuration that is being loaded.
func Check(l *configs.Loaded) sdk.Problems {
	_, problems := Compile(&l.Config)
	return problems
}

// silence is a blackout that silences an item at a moment.
type silence struct {
	blackout
	// failed is set when the blackout's condition failed for the item. Then it silences, rather than letting out what it
	// should stop, and drops nothing.
	failed *Failure
}

// silencing is the first blackout that silences an item at a moment; one whose condition fails comes after all for which it
// holds. The view is only made when a condition asks for it.
func (ch *Channel) silencing(view func() ItemView, at time.Time) (silence, bool) {
	var v *ItemView
	var unsure *silence
	for _, b := range ch.blackouts {
		if !b.window.Covers(at) {
			continue
		}
		if b.all {
			return silence{blackout: b}, true
		}
		if v == nil {
			made := view()
			v = &made
		}
		ok, err := b.where.Match(*v)
		if ok {
			return silence{blackout: b}, true
		}
		if err != nil && unsure == nil {
			unsure = &silence{blackout: b, failed: asFailure(err)}
			unsure.drop = false
		}
	}
	if unsure != nil {
		return *unsure, true
	}
	return silence{}, false
}

// Silenced says which blackout keeps a post of the channel from leaving now. For conditions, a post is judged by what it
// says itself.
func (p *Program) Silenced(channel string, c Content, now time.Time) (name string, drop, silenced bool) {
	ch, ok := p.Channels[channel]
	if !ok {
		return "", false, false
	}
	b, silenced := ch.silencing(func() ItemView {
		return ItemView{Title: c.Title, Summary: c.Summary, URL: c.URL, Lang: c.Lang, Tags: c.Tags, Urgency: sdk.NormalUrgency, Published: c.Published}
	}, now)
	return b.name, b.drop, silenced
}

// Rule is when its digests are made.
func (ch *Channel) Rule() scheduler.Rule {
	d := ch.Config.Digest
	r := scheduler.Rule{Spec: ch.Schedule, CatchUp: scheduler.CatchUp(d.CatchUp), Window: d.Window.Std()}
	for _, b := range ch.blackouts {
		if b.all {
			r.Blackouts = append(r.Blackouts, b.window...)
		}
	}
	return r
}

// ScheduleName names the schedule of the channel's digest.
func (ch *Channel) ScheduleName() string { return fmt.Sprintf("digest:%s", ch.Name) }
