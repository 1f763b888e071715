package configs

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// Trusted is a type that a plugin in plugins.folder provides, as it was when the plugin was trusted.
type Trusted struct {
	// Name is the plugin's in the folder.
	Name          string
	Type, Summary string
	Roles         []sdk.Role
	// Medium is what it says of messages to people; nil when it says nothing.
	Medium *sdk.Medium
	Fields []sdk.Field
	Schema map[string]any
	// Check finds what is wrong with options, without running the plugin; its error is sdk.Problems.
	Check func(options map[string]any) error
	// Path is its program, Args its arguments, Folder its file or folder, and Checksum that of all of it.
	Path     string
	Args     []string
	Folder   string
	Checksum string
	// Record is the file with the trust.
	Record string
}

// has reports whether the type has one of the roles.
func (t Trusted) has(roles []sdk.Role) bool {
	return slices.ContainsFunc(roles, func(r sdk.Role) bool { return slices.Contains(t.Roles, r) })
}

// Plugin is how the program of a third party's type is started.
type Plugin struct {
	Path     string
	Args     []string
	Folder   string // empty: the program is all of it
	Checksum string // empty: it is not compared
	Read     []string
	// Trusted is nil for a plugin that plugins.external names by its path.
	Trusted *Trusted `json:"-"`
}

// Same reports whether two programs are started as the same one.
func (p Plugin) Same(other Plugin) bool {
	p.Trusted, other.Trusted = nil, nil
	return reflect.DeepEqual(p, other)
}

// Plugin gives the program of a third party's type; false for other types.
func (l *Loaded) Plugin(typ string) (Plugin, bool) {
	ext, named := l.Plugins.External[typ]
	p := Plugin{Read: make([]string, len(ext.Read))}
	for i, path := range ext.Read {
		p.Read[i] = l.absolute(path)
	}
	if named && ext.Path != "" {
		p.Path, p.Args, p.Checksum = l.absolute(ext.Path), ext.Args, ext.SHA256
		return p, true
	}
	t, ok := l.trusted[typ]
	if !ok {
		return Plugin{}, false
	}
	p.Path, p.Args, p.Folder, p.Checksum, p.Trusted = t.Path, t.Args, t.Folder, t.Checksum, &t
	return p, true
}

// PluginTypes lists the types of third parties, by name.
func (l *Loaded) PluginTypes() []string {
	var out []string
	for typ, ext := range l.Plugins.External {
		if ext.Path != "" {
			out = append(out, typ)
		}
	}
	out = slices.AppendSeq(out, maps.Keys(l.trusted))
	slices.Sort(out)
	return slices.Compact(out)
}

// Uses reports whether a source or destination is of a type.
func (l *Loaded) Uses(typ string) bool {
	for _, s := range l.Sources {
		if s.Type == typ {
			return true
		}
	}
	for _, d := range l.Destinations {
		if d.Type == typ {
			return true
		}
	}
	return false
}

// PluginFolder is plugins.folder from the root on; empty when none is configured.
func (l *Loaded) PluginFolder() string {
	if l.Plugins.Folder == "" {
		return ""
	}
	return l.absolute(l.Plugins.Folder)
}

func (l *Loaded) absolute(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(l.Dir, path)
}

// readTrusted learns the types of the plugins that are trusted.
func (l *Loaded) readTrusted(o Options, c *collector) {
	const at = "/plugins/folder"
	folder := l.PluginFolder()
	if folder == "" || o.Trusted == nil {
		return
	}
	list, err := o.Trusted(folder)
	if err != nil {
		what, fix := sdk.Sentence(err)
		c.at(at, what, fix)
		return
	}
	for _, t := range list {
		other, twice := l.trusted[t.Type]
		switch {
		case l.specs[t.Type] != nil:
			c.at(at, fmt.Sprintf("the plugin %s provides the type %s, which Belfry has itself", t.Name, t.Type), "its author has to give it another name; take it out of the folder")
		case twice:
			c.at(at, fmt.Sprintf("the plugins %s and %s both provide the type %s", other.Name, t.Name, t.Type), "take one of them out of the folder")
		default:
			if what := MediumClash(t.Type, t.Roles, slices.Collect(maps.Values(l.specs))); what != "" {
				c.at(at, fmt.Sprintf("the plugin %s cannot be used: %s", t.Name, what), "its author has to give it another name; take it out of the folder")
			}
		}
		l.trusted[t.Type] = t
		if !slices.Contains(l.Files, t.Record) {
			l.Files = append(l.Files, t.Record)
		}
	}
}

// checkPlugins looks at what is said about plugins of third parties.
func (l *Loaded) checkPlugins(c *collector) {
	for _, typ := range slices.Sorted(maps.Keys(l.Plugins.External)) {
		ext, at := l.Plugins.External[typ], sdk.Pointer("plugins", "external", typ)
		t, trusted := l.trusted[typ]
		switch {
		case ext.Path != "" && l.specs[typ] != nil:
			c.at(at+"/path", fmt.Sprintf("%s is a type that Belfry has itself", typ), "its author has to give the program's type another name")
		case ext.Path == "" && !trusted:
			fix := "trust its plugin in plugins.folder (belfry plugin trust), or write path:"
			if types := l.typesOf(typ); len(types) > 0 {
				fix = fmt.Sprintf("the plugin %s provides %s, and what is said here is said of a type; write %s:", typ, strings.Join(types, ", "), types[0])
			}
			c.at(at, fmt.Sprintf("no program provides the type %q", typ), fix)
		case ext.Path != "" && trusted:
			c.at(at+"/path", fmt.Sprintf("the type %s is provided by the plugin %s in plugins.folder, too", typ, t.Name), "take this path away, or the plugin out of the folder")
		case ext.Path == "" && (ext.SHA256 != "" || len(ext.Args) > 0):
			c.at(at, "sha256 and args belong to a path; those of a trusted plugin were kept when it was trusted", "take them away; to change the arguments: belfry plugin trust "+t.Name)
		}
		for i, path := range ext.Read {
			if path == "" || filepath.Clean(path) == string(filepath.Separator) {
				c.at(at+sdk.Pointer("read", i), "a plugin may not read everything", "name the files or folders that it needs")
			}
		}
	}
}

// typesOf are the types that a trusted plugin provides, by its name in the folder.
func (l *Loaded) typesOf(plugin string) (out []string) {
	for typ, t := range l.trusted {
		if t.Name == plugin {
			out = append(out, typ)
		}
	}
	slices.Sort(out)
	return out
}

// checkTrusted checks the options of a source or destination whose type's plugin is trusted.
func (l *Loaded) checkTrusted(c *collector, t Trusted, section, name string, options map[string]any, own []sdk.Field) {
	roles := map[string][]sdk.Role{"sources": sourceRoles, "destinations": destinationRoles}[section]
	if !t.has(roles) {
		c.at(sdk.Pointer(section, name, "type"), fmt.Sprintf("plugin %s provides no type of %s", t.Type, section), "see what it can do: belfry plugin info "+t.Name)
		return
	}
	err := t.Check(options)
	if _, wrong := errors.AsType[sdk.Problems](err); err != nil && !wrong {
		c.at("/plugins/folder", err.Error(), "trust the plugin again: belfry plugin trust "+t.Name)
		return
	}
	c.addOptions(sdk.Pointer(section, name), err, own, t.Fields)
}

// NamedKeys says of keys that neither the plugin nor Belfry knows what both know: the plugin sees its own part only.
func NamedKeys(ps sdk.Problems, options map[string]any, fields []sdk.Field) sdk.Problems {
	known := map[string]bool{}
	for _, f := range fields {
		top, _, _ := strings.Cut(f.Path, ".")
		known[strings.TrimSuffix(top, "[]")] = true
	}
	keys := slices.Sorted(maps.Keys(known))
	out := slices.Clone(ps)
	for i, p := range out {
		for key := range options {
			if p.OnKey && p.Pointer == sdk.Pointer(key) && !known[key] {
				out[i] = sdk.UnknownKey("", key, keys)
			}
		}
	}
	return out
}
