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

// Unheard says why nobody can be written to by a plugin on such a medium, and what would have to change; empty when people can. The
// host hears nothing through a plugin, neither that somebody wrote first nor when they last did.
func Unheard(m *sdk.Medium) (what, fix string) {
	switch {
	case m == nil:
		return "it does not say what its medium allows", "its author declares that (Spec.WithMedium; medium, for another language); then trust it again"
	case m.TheyBegin:
		return "on its medium people have to write first, and Belfry does not hear them through a plugin", "write to them by another medium"
	case m.ReplyWindow > 0 && !m.Templates:
		return fmt.Sprintf("on its medium people may be written to only within %s after they wrote, and Belfry does not hear them through a plugin", sdk.D(m.ReplyWindow)),
			"write to them by another medium"
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
		if why, fix := Unheard(t.Medium); why != "" {
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
	if _, trusted := l.trusted[typ]; trusted && l.MediumRules[typ].ReplyWindow > 0 {
		c.at(sdk.Pointer("medium_rules", typ, "reply_window"), fmt.Sprintf("%s is the medium of a plugin, and Belfry does not hear when people last wrote there", typ), "take the line out")
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
