package configs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// The medium of messages to people bears the name of the type that writes them: what people agreed to, and what must not be sent to
// them, is kept under it.

// writes reports whether a type's roles write to people.
func writes(roles []sdk.Role) bool {
	return slices.Contains(roles, sdk.RoleMessenger) || slices.Contains(roles, sdk.RoleStreamer)
}

// MediumClash says why the name of a plugin's type cannot be that of a medium: it could be taken for another one. It is empty where the
// type writes to nobody, or its name is good.
func MediumClash(typ string, roles []sdk.Role, own []*sdk.Spec) string {
	if !slices.Contains(roles, sdk.RoleMessenger) {
		return ""
	}
	if !slug.MatchString(typ) {
		return fmt.Sprintf("it writes to people, and the name of its type, %q, cannot be that of a medium: small letters, digits, - and _, at most 63 of them", typ)
	}
	for _, s := range own {
		if writes(s.Roles) && folded(s.Type) == folded(typ) {
			return fmt.Sprintf("it writes to people, and the name of its type, %q, reads like the medium %s, which Belfry has itself", typ, s.Type)
		}
	}
	return ""
}

// folded is what people read of a name.
func folded(name string) string { return strings.NewReplacer("-", "", "_", "").Replace(name) }

// hears reports whether a plugin's type tells of a kind of event: it has a role for that, and says so of its medium.
func hears(roles []sdk.Role, m *sdk.Medium, kind sdk.EventKind) bool {
	return m != nil && (slices.Contains(roles, sdk.RoleListener) || slices.Contains(roles, sdk.RoleReceiver)) && slices.Contains(m.Hears, kind)
}

// Unheard says why nobody can be written to by a plugin of these roles on such a medium, and what would have to change; empty when
// people can. Where it matters that somebody wrote first, or when they last did, the plugin has to tell what they write.
func Unheard(roles []sdk.Role, m *sdk.Medium) (what, fix string) {
	const deaf, tell = "the plugin does not tell what they write", "write to them by another medium, or by a plugin that hears people (listener or receiver, and message among what its medium hears)"
	writing, pressing := hears(roles, m, sdk.EventMessage), hears(roles, m, sdk.EventButton)
	switch {
	case m == nil:
		return "it does not say what its medium allows", "its author declares that (Spec.WithMedium; medium, for another language); then trust it again"
	case !m.Address.Known():
		return fmt.Sprintf("it has a rule for its addresses, %q, which this Belfry does not know", string(m.Address)), "take a newer Belfry, or an older version of the plugin"
	case m.TheyBegin && !writing:
		return "on its medium people have to write first, and " + deaf, tell
	case m.TheyBegin && !pressing:
		return "on its medium people follow by a button alone, and the plugin does not tell which they press", "write to them by another medium, or by a plugin that hears button, too"
	case m.ReplyWindow > 0 && !m.Templates && !writing:
		return fmt.Sprintf("on its medium people may be written to only within %s after they wrote, and %s", sdk.D(m.ReplyWindow), deaf), tell
	}
	return "", ""
}

// writer says why a destination cannot write to people, and what to do; empty when it can, or when that is said elsewhere.
func (l *Loaded) writer(name string) (what, fix string) {
	typ := l.Destinations[name].Type
	if l.Plugins.External[typ].Path != "" {
		return fmt.Sprintf("%s is of type %s, a program that nobody has trusted: it would be told the addresses of people", name, typ),
			fmt.Sprintf("put it into plugins.folder, take its path away, and look at what it is shown: belfry plugin trust %s", typ)
	}
	if t, trusted := l.trusted[typ]; trusted {
		if !slices.Contains(t.Roles, sdk.RoleMessenger) {
			return fmt.Sprintf("%s is of type %s, which does not write to people", name, typ), "name a destination of type email or telegram, or of a plugin that is a messenger"
		}
		if why, fix := Unheard(t.Roles, t.Medium); why != "" {
			return fmt.Sprintf("nobody can be written to by %s, of the plugin %s: %s", name, t.Name, why), fix
		}
		return "", ""
	}
	if spec := l.specs[typ]; spec != nil && !writes(spec.Roles) {
		return fmt.Sprintf("%s is of type %s, which does not write to people", name, typ), "name a destination of type email or telegram"
	}
	return "", ""
}

// writesBy reports whether a destination is of a type that writes to people, as far as that is known without running it.
func (l *Loaded) writesBy(d Destination) bool {
	if t, trusted := l.trusted[d.Type]; trusted {
		return slices.Contains(t.Roles, sdk.RoleMessenger)
	}
	spec := l.specs[d.Type]
	return spec == nil || writes(spec.Roles)
}

// checkRules looks at what the configuration adds to the rules of a plugin's medium.
func (l *Loaded) checkRules(c *collector, typ string) {
	if t, trusted := l.trusted[typ]; trusted && l.MediumRules[typ].ReplyWindow > 0 && !hears(t.Roles, t.Medium, sdk.EventMessage) {
		c.at(sdk.Pointer("medium_rules", typ, "reply_window"), fmt.Sprintf("%s is the medium of the plugin %s, which does not tell when people last wrote there", typ, t.Name), "take the line out")
	}
}

// checkStaff refuses staff on the medium of a plugin: whoever wrote it could act as any of them.
func (l *Loaded) checkStaff(c *collector) {
	for _, name := range slices.Sorted(maps.Keys(l.Staff)) {
		typ := l.Staff[name].Medium
		if _, foreign := l.Plugin(typ); foreign {
			c.at(sdk.Pointer("staff", name, "medium"), fmt.Sprintf("%s is the medium of a plugin, and nothing but the plugin's word would say that it was %s who wrote", typ, name), "name a medium of Belfry's own, such as telegram")
		}
	}
}

// Writers are the destinations by which the configuration writes to people.
func (l *Loaded) Writers() []string {
	used := map[string]bool{}
	for _, ch := range l.Channels {
		for _, m := range ch.Messages {
			used[m.Destination] = true
		}
	}
	for _, n := range l.Notices {
		for _, d := range n.Destinations {
			used[d] = true
		}
	}
	return slices.Sorted(maps.Keys(used))
}

// rules are what a plugin's type says of its medium, to notice a change.
func (t Trusted) rules() string {
	if t.Medium == nil {
		return ""
	}
	return fmt.Sprintf("%+v", *t.Medium)
}
