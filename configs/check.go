package configs

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/scheduler"
	"github.com/belfry-news/belfry/sdk"
)

var slug = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// What a type has to be for a source or a destination.
var (
	sourceRoles      = []sdk.Role{sdk.RoleSource, sdk.RoleWebhook}
	destinationRoles = []sdk.Role{sdk.RolePublisher, sdk.RoleAssistant, sdk.RoleMessenger}
)

// checkOptions lets every type check the settings that are its own.
func (l *Loaded) checkOptions(c *collector) {
	l.checkSpecs(c)
	var sourceTypes, destinationTypes []string
	for _, s := range l.specs {
		if slices.ContainsFunc(sourceRoles, s.Has) {
			sourceTypes = append(sourceTypes, s.Type)
		}
		if slices.ContainsFunc(destinationRoles, s.Has) {
			destinationTypes = append(destinationTypes, s.Type)
		}
	}
	l.checkPlugins(c)
	for typ, t := range l.trusted {
		if t.has(sourceRoles) {
			sourceTypes = append(sourceTypes, typ)
		}
		if t.has(destinationRoles) {
			destinationTypes = append(destinationTypes, typ)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Sources)) {
		s := l.Sources[name]
		l.checkType(c, "sources", name, s.Type, sourceTypes, s.Options, sdk.Fields(&Source{}))
	}
	for _, name := range slices.Sorted(maps.Keys(l.Destinations)) {
		d := l.Destinations[name]
		l.checkType(c, "destinations", name, d.Type, destinationTypes, d.Options, sdk.Fields(&Destination{}))
	}
}

func (l *Loaded) checkType(c *collector, section, name, typ string, known []string, options map[string]any, own []sdk.Field) {
	at := sdk.Pointer(section, name)
	if typ == "" {
		return // already reported as missing
	}
	if ext := l.Plugins.External[typ]; ext.Path != "" {
		return // its program describes itself when it is started
	}
	if t, trusted := l.trusted[typ]; trusted {
		l.checkTrusted(c, t, section, name, options, own)
		return
	}
	if !slices.Contains(known, typ) {
		fix := "known are " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
		if near := sdk.Nearest(typ, known); near != "" {
			fix = fmt.Sprintf("did you mean %q? (%s)", near, fix)
		}
		if _, exists := l.specs[typ]; exists {
			fix = fmt.Sprintf("%s is a type of %s; %s", typ, map[string]string{"sources": "destinations", "destinations": "sources"}[section], fix)
		}
		c.at(at+"/type", fmt.Sprintf("unknown type %q in %s.%s", typ, section, name), fix)
		return
	}
	c.addOptions(at, l.specs[typ].Check(options), own, l.specs[typ].Fields())
}

// addOptions reports what a type says of its options. Belfry knows some keys besides those of the type.
func (c *collector) addOptions(at string, err error, own, fields []sdk.Field) {
	var keys []string
	for _, f := range own {
		keys = append(keys, f.Path)
	}
	theirs := map[string]bool{}
	for _, f := range fields {
		top, _, _ := strings.Cut(f.Path, ".")
		top = strings.TrimSuffix(top, "[]")
		theirs[top] = true
		keys = append(keys, top)
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	ps, ok := errors.AsType[sdk.Problems](err)
	if !ok {
		if err != nil {
			c.addBelow(at, err)
		}
		return
	}
	for _, p := range ps {
		token := strings.TrimPrefix(p.Pointer, "/")
		p.Pointer = at + p.Pointer
		if key := strings.NewReplacer("~1", "/", "~0", "~").Replace(token); p.OnKey && !strings.Contains(token, "/") && !theirs[key] {
			p = sdk.UnknownKey(at, key, keys)
		}
		c.addAll(sdk.Problems{p})
	}
}

// readTemplates reads the templates that stand in files of their own.
func (l *Loaded) readTemplates(c *collector) {
	read := func(at string, t *Template) {
		if t.File == "" {
			return
		}
		path := t.File
		if !filepath.IsAbs(path) {
			path = filepath.Join(l.Dir, path)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			c.at(at, fmt.Sprintf("the template %s cannot be read: %s", t.File, pathCause(err)), "the name is relative to "+l.Dir)
			return
		}
		t.Text = string(text)
		l.templates[at] = path
		if !slices.Contains(l.Files, path) {
			l.Files = append(l.Files, path)
		}
	}
	for name, ch := range l.Channels {
		at := sdk.Pointer("channels", name)
		read(at+"/template", &ch.Template)
		for i := range ch.PublishTo {
			read(at+sdk.Pointer("publish_to", i, "template"), &ch.PublishTo[i].Template)
		}
		for i := range ch.Messages {
			read(at+sdk.Pointer("messages", i, "template"), &ch.Messages[i].Template)
		}
		l.Channels[name] = ch
	}
}

// check looks at what only the whole configuration tells.
func (l *Loaded) check(c *collector) {
	l.checkNames(c)
	zone := l.zone(c, "/timezone", l.Timezone)
	sources, destinations := slices.Collect(maps.Keys(l.Sources)), slices.Collect(maps.Keys(l.Destinations))
	channels := slices.Collect(maps.Keys(l.Channels))
	for _, name := range slices.Sorted(maps.Keys(l.Channels)) {
		ch, at := l.Channels[name], sdk.Pointer("channels", name)
		for i, s := range ch.Sources {
			c.exists(at+sdk.Pointer("sources", i), "source", s, sources)
		}
		for i, t := range ch.PublishTo {
			c.exists(at+sdk.Pointer("publish_to", i, "destination"), "destination", t.Destination, destinations)
			d := l.Destinations[t.Destination]
			if spec := l.specs[d.Type]; spec != nil {
				if err := spec.CheckChannel(d.Options, t.Chat); err != nil {
					c.fail(at+sdk.Pointer("publish_to", i, "chat"), err)
				}
			}
		}
		if ch.Each != nil && ch.Each.Hours != "" {
			if _, err := scheduler.ParseHours(ch.Each.Hours); err != nil {
				c.fail(at+"/each/hours", err)
			}
		}
		if d := ch.Digest; d != nil {
			dz := zone
			if d.Timezone != "" {
				dz = l.zone(c, at+"/digest/timezone", d.Timezone)
			}
			if _, err := scheduler.Parse(d.Cron, dz); err != nil {
				c.fail(at+"/digest/cron", err)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.Blackouts)) {
		b, at := l.Blackouts[name], sdk.Pointer("blackouts", name)
		for i, ch := range b.Channels {
			c.exists(at+sdk.Pointer("channels", i), "channel", ch, channels)
		}
		bz := zone
		if b.Timezone != "" {
			bz = l.zone(c, at+"/zone", b.Timezone)
		}
		if _, err := b.in(bz); err != nil {
			c.addBelow(at, err)
		}
	}
	l.checkPeople(c, destinations)
	l.checkAlerts(c, destinations)
	l.checkListens(c)
	l.checkSlips(c)
	for i, name := range l.Retired {
		if slices.Contains(channels, name) || slices.Contains(sources, name) || slices.Contains(destinations, name) {
			c.at(sdk.Pointer("retired", i), fmt.Sprintf("%q is retired and configured at once", name), "take it out of one place")
		}
	}
	if l.Storage != "sqlite" {
		c.at("/storage", fmt.Sprintf("%q is no database this version knows", l.Storage), "write sqlite")
	}
}

func (l *Loaded) checkNames(c *collector) {
	check := func(section string, names []string) {
		for _, name := range names {
			if !slug.MatchString(name) {
				c.addAll(sdk.Problems{{Pointer: sdk.Pointer(section, name), OnKey: true, What: fmt.Sprintf("%q is no name", name),
					Fix: "names are small letters, digits, - and _, at most 63 of them"}})
			}
		}
	}
	check("sources", slices.Collect(maps.Keys(l.Sources)))
	check("destinations", slices.Collect(maps.Keys(l.Destinations)))
	check("channels", slices.Collect(maps.Keys(l.Channels)))
	check("blackouts", slices.Collect(maps.Keys(l.Blackouts)))
	check("notices", slices.Collect(maps.Keys(l.Notices)))
}

func (l *Loaded) zone(c *collector, at, name string) *time.Location {
	z, err := scheduler.LoadZone(name)
	if err != nil {
		c.fail(at, err)
		return time.UTC
	}
	return z
}

func (c *collector) exists(at, what, name string, known []string) {
	if slices.Contains(known, name) || name == "" {
		return
	}
	fix := fmt.Sprintf("configure it under %ss: first", what)
	if len(known) > 0 {
		fix = "known are " + strings.Join(slices.Sorted(slices.Values(known)), ", ")
	}
	if near := sdk.Nearest(name, known); near != "" {
		fix = fmt.Sprintf("did you mean %q?", near)
	}
	c.at(at, fmt.Sprintf("no %s is called %q", what, name), fix)
}

// addBelow adds a problem whose own pointer, if it has one, starts at a setting.
func (c *collector) addBelow(at string, err error) {
	if ps, ok := errors.AsType[sdk.Problems](err); ok {
		for _, p := range ps {
			p.Pointer = at + p.Pointer
			c.addAll(sdk.Problems{p})
		}
		return
	}
	c.fail(at, err)
}

// fail reports what is wrong with a setting; of an expression of the scheduler, at the column it means.
func (c *collector) fail(at string, err error) { c.addAll(sdk.Problems{problemOf(at, err)}) }

func problemOf(at string, err error) sdk.Problem {
	if se, ok := errors.AsType[*scheduler.SyntaxError](err); ok {
		return sdk.Problem{Pointer: at, What: fmt.Sprintf("%s %q: %s", se.What, se.Text, se.Problem), Fix: se.Fix, Line: 1, Column: se.Column}
	}
	if ze, ok := errors.AsType[*scheduler.ZoneError](err); ok {
		return sdk.Problem{Pointer: at, What: ze.Problem, Fix: ze.Fix}
	}
	what, fix := sdk.Sentence(err)
	return sdk.Problem{Pointer: at, What: what, Fix: fix}
}

// Windows are the times of a blackout. Its error is sdk.Problems or a sentence about the whole.
func (b *Blackout) Windows(daemon *time.Location) (scheduler.Windows, error) {
	zone := daemon
	if b.Timezone != "" {
		z, err := scheduler.LoadZone(b.Timezone)
		if err != nil {
			return nil, err
		}
		zone = z
	}
	return b.in(zone)
}

// in is Windows for a zone that is known.
func (b *Blackout) in(zone *time.Location) (scheduler.Windows, error) {
	if b.Hours != "" {
		w, err := scheduler.ParseHours(b.Hours)
		if err != nil {
			return nil, sdk.Problems{problemOf("/hours", err)}
		}
		return w.In(zone), nil
	}
	var ps sdk.Problems
	if err := b.timed(); err != nil {
		return nil, err
	}
	from, until := localTime(b.From, zone, "/from", &ps), localTime(b.Until, zone, "/until", &ps)
	if len(ps) == 0 && !until.After(from) {
		ps.Add("/until", "the blackout ends before it begins", "give a later time")
	}
	return scheduler.Windows{{From: from, To: until}}, ps.Err()
}

// localTime reads a wall time in a zone; a date alone is its midnight.
func localTime(text string, zone *time.Location, at string, ps *sdk.Problems) time.Time {
	if _, err := time.Parse(time.DateOnly, text); err == nil {
		text += " 00:00"
	}
	t, err := scheduler.ParseLocal(text, zone)
	if err != nil {
		*ps = append(*ps, problemOf(at, err))
	}
	return t
}

// Zone is the daemon's zone. The configuration was checked, so there is one.
func (c *Config) Zone() *time.Location {
	z, err := scheduler.LoadZone(c.Timezone)
	if err != nil {
		return time.UTC
	}
	return z
}

// Schedule is when a digest is made.
func (d *Digest) Schedule(daemon *time.Location) (scheduler.Spec, error) {
	zone := daemon
	if d.Timezone != "" {
		z, err := scheduler.LoadZone(d.Timezone)
		if err != nil {
			return scheduler.Spec{}, err
		}
		zone = z
	}
	return scheduler.Parse(d.Cron, zone)
}

// warn looks for what is allowed and unwise.
func (l *Loaded) warn(tree map[string]any) {
	for _, section := range []string{"sources", "destinations"} {
		entries, _ := tree[section].(map[string]any)
		for name, entry := range entries {
			settings, _ := entry.(map[string]any)
			typ, _ := settings["type"].(string)
			spec := l.specs[typ]
			if spec == nil {
				continue
			}
			for _, f := range spec.Fields() {
				if _, literal := settings[f.Path].(string); literal && f.Type == "secret" {
					p := sdk.Problem{Pointer: sdk.Pointer(section, name, f.Path), What: f.Path + " stands in the file itself",
						Fix: fmt.Sprintf("write %s: \"${env:NAME}\" or \"${file:path}\"", f.Path)}
					l.Warnings = append(l.Warnings, l.Locate(p))
				}
			}
		}
	}
	l.warnOfReaders()
}

// Clash finds a setting of a type that has the name of one which every source or destination has: what is written there
// would never reach it.
func Clash(roles []sdk.Role, fields []sdk.Field) (what string, clashes bool) {
	for _, kind := range []struct {
		name  string
		roles []sdk.Role
		own   []sdk.Field
	}{{"source", sourceRoles, sdk.Fields(&Source{})}, {"destination", destinationRoles, sdk.Fields(&Destination{})}} {
		if !slices.ContainsFunc(kind.roles, func(r sdk.Role) bool { return slices.Contains(roles, r) }) {
			continue
		}
		for _, f := range fields {
			top, _, _ := strings.Cut(f.Path, ".")
			top = strings.TrimSuffix(top, "[]")
			if slices.ContainsFunc(kind.own, func(o sdk.Field) bool { return o.Path == top }) {
				return fmt.Sprintf("it has a setting called %q, and so has every %s, which takes what is written there", top, kind.name), true
			}
		}
	}
	return "", false
}

// checkSpecs refuses types that could not be configured.
func (l *Loaded) checkSpecs(c *collector) {
	for _, typ := range slices.Sorted(maps.Keys(l.specs)) {
		if what, clashes := Clash(l.specs[typ].Roles, l.specs[typ].Fields()); clashes {
			c.problems = append(c.problems, Located{Position{File: "type " + typ}, what, "give the setting another name in the type's own configuration"})
		}
	}
}
