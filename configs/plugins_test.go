package configs_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
)

// trustedFolder is a folder of plugins that says what a test wants.
type trustedFolder struct {
	list []configs.Trusted
	err  error
}

func (f trustedFolder) load(t *testing.T, text string) (*configs.Loaded, string, error) {
	t.Helper()
	dir := t.TempDir()
	write(t, dir, map[string]string{"belfry.yaml": text + "alerts: none\n", "plugins/notes": "", "plugins/notes.trust.json": "{}"})
	for i := range f.list {
		f.list[i].Folder = filepath.Join(dir, "plugins", f.list[i].Name)
		f.list[i].Path, f.list[i].Record = f.list[i].Folder, f.list[i].Folder+".trust.json"
	}
	l, err := configs.Load(configs.Options{Path: filepath.Join(dir, "belfry.yaml"), Specs: specs(), Trusted: func(folder string) ([]configs.Trusted, error) {
		if folder != filepath.Join(dir, "plugins") {
			t.Errorf("the folder is %s", folder)
		}
		return f.list, f.err
	}})
	return l, dir, err
}

// trusted is a plugin that provides a type, whose only setting is folder.
func trusted(name, typ string, roles ...sdk.Role) configs.Trusted {
	return configs.Trusted{Name: name, Type: typ, Summary: "notes", Roles: roles, Checksum: "1", Fields: []sdk.Field{{Path: "folder", Type: "text"}},
		Schema: map[string]any{"type": "object", "properties": map[string]any{"folder": map[string]any{"type": "string"}}, "required": []any{"folder"}},
		Check: func(options map[string]any) error {
			var ps sdk.Problems
			for key := range options {
				if key != "folder" {
					ps = append(ps, sdk.UnknownKey("", key, []string{"folder"}))
				}
			}
			return ps.Err()
		}}
}

func TestTrustedPlugins(t *testing.T) {
	t.Parallel()
	f := trustedFolder{list: []configs.Trusted{trusted("notes", "notes", sdk.RoleSource)}}
	l, dir, err := f.load(t, `plugins: {folder: plugins, external: {notes: {read: [/srv/notes, more]}, strange: {path: bin/strange, args: [a], sha256: "2"}}}
sources: {carnet: {type: notes, folder: x}, other: {type: strange, frob: x}}
`)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"notes", "strange"}, l.PluginTypes()); d != "" {
		t.Error(d)
	}
	p, ok := l.Plugin("notes")
	folder := filepath.Join(dir, "plugins", "notes")
	if !ok || p.Path != folder || p.Folder != folder || p.Checksum != "1" || p.Trusted == nil || !slices.Equal(p.Read, []string{"/srv/notes", filepath.Join(dir, "more")}) {
		t.Errorf("%+v", p)
	}
	p, ok = l.Plugin("strange")
	if !ok || p.Path != filepath.Join(dir, "bin", "strange") || p.Folder != "" || p.Checksum != "2" || p.Trusted != nil || !slices.Equal(p.Args, []string{"a"}) {
		t.Errorf("%+v", p)
	}
	if _, ok := l.Plugin("rss"); ok {
		t.Error("rss is said to be a third party's")
	}
	if !slices.Contains(l.Files, folder+".trust.json") {
		t.Errorf("a new record would not be noticed: %v", l.Files)
	}

	// A plugin that was trusted again makes another configuration of the same file.
	g := trustedFolder{list: []configs.Trusted{trusted("notes", "notes", sdk.RoleSource)}}
	text := "plugins: {folder: plugins}\nsources: {carnet: {type: notes, folder: x}}\n"
	before, _, err := g.load(t, text)
	if err != nil {
		t.Fatal(err)
	}
	g.list[0].Checksum = "2"
	after, _, err := g.load(t, text)
	if err != nil {
		t.Fatal(err)
	}
	if before.Hash == after.Hash {
		t.Error("another checksum changes nothing")
	}
}

func TestWhatIsWrongWithPlugins(t *testing.T) {
	t.Parallel()
	one := []configs.Trusted{trusted("notes", "notes", sdk.RoleSource)}
	for name, tc := range map[string]struct {
		folder trustedFolder
		text   string
		want   string
	}{
		"a folder that cannot be read": {trustedFolder{err: errors.New("it is not there; make it")}, "plugins: {folder: plugins}\n", `belfry.yaml:1:19: it is not there; make it`},
		"a misspelt option":            {trustedFolder{list: one}, "plugins: {folder: plugins}\nsources: {carnet: {type: notes, foldr: x}}\n", `belfry.yaml:2:33: unknown key "foldr" in sources.carnet; did you mean "folder"?`},
		"a misspelt option of Belfry":  {trustedFolder{list: one}, "plugins: {folder: plugins}\nsources: {carnet: {type: notes, pol: 5m}}\n", `unknown key "pol" in sources.carnet; did you mean "poll"?`},
		"a source as a destination":    {trustedFolder{list: one}, "plugins: {folder: plugins}\ndestinations: {carnet: {type: notes}}\n", `belfry.yaml:2:31: plugin notes provides no type of destinations; see what it can do: belfry plugin info notes`},
		"a misspelt type":              {trustedFolder{list: one}, "plugins: {folder: plugins}\nsources: {carnet: {type: note}}\n", `unknown type "note" in sources.carnet; did you mean "notes"?`},
		"two of a type":                {trustedFolder{list: append(slices.Clone(one), trusted("other", "notes", sdk.RoleSource))}, "plugins: {folder: plugins}\n", `the plugins notes and other both provide the type notes; take one of them out of the folder`},
		"a type of Belfry's":           {trustedFolder{list: []configs.Trusted{trusted("feeds", "rss", sdk.RoleSource)}}, "plugins: {folder: plugins}\n", `the plugin feeds provides the type rss, which Belfry has itself`},
		"a path besides":               {trustedFolder{list: one}, "plugins: {folder: plugins, external: {notes: {path: /opt/notes}}}\n", `belfry.yaml:1:53: the type notes is provided by the plugin notes in plugins.folder, too; take this path away`},
		"arguments besides":            {trustedFolder{list: one}, "plugins: {folder: plugins, external: {notes: {args: [x]}}}\n", `sha256 and args belong to a path`},
		"no program":                   {trustedFolder{}, "plugins: {folder: plugins, external: {notes: {read: [/srv]}}}\n", `no program provides the type "notes"; trust its plugin in plugins.folder (belfry plugin trust), or write path:`},
		"a plugin's name":              {trustedFolder{list: []configs.Trusted{trusted("notes", "notes-py", sdk.RoleSource)}}, "plugins: {folder: plugins, external: {notes: {read: [/srv]}}}\n", `belfry.yaml:1:46: no program provides the type "notes"; the plugin notes provides notes-py, and what is said here is said of a type; write notes-py:`},
		"everything to read":           {trustedFolder{list: one}, "plugins: {folder: plugins, external: {notes: {read: [/]}}}\n", `belfry.yaml:1:54: a plugin may not read everything; name the files or folders that it needs`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.folder.list = slices.Clone(tc.folder.list)
			_, _, err := tc.folder.load(t, tc.text)
			if err == nil || !strings.Contains(err.Error(), tc.want) || !strings.HasSuffix(err.Error(), "\n1 problem") {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

// A configuration that cannot be used yet, because a plugin is not trusted, says all the same where plugins are.
func TestPluginsOfAConfigurationWithProblems(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, map[string]string{"belfry.yaml": "plugins: {folder: plugins, memory: 300}\nsources: {carnet: {type: notes}}\nfrob: 1\n"})
	o := configs.Options{Path: filepath.Join(dir, "belfry.yaml"), Specs: specs(), Environ: []string{"BELFRY__PLUGINS__MEMORY=400"},
		Trusted: func(string) ([]configs.Trusted, error) {
			return []configs.Trusted{trusted("notes", "notes", sdk.RoleSource)}, nil
		}}
	l := configs.PluginsIn(o)
	if l.PluginFolder() != filepath.Join(dir, "plugins") || l.Plugins.Memory != 400 || len(l.TrustedTypes()) != 1 {
		t.Errorf("%+v", l.Plugins)
	}
	if err := os.Remove(o.Path); err != nil {
		t.Fatal(err)
	}
	if l := configs.PluginsIn(o); l.PluginFolder() != "" || l.Plugins.Memory != 400 {
		t.Errorf("%+v", l.Plugins)
	}
}

// Editors know the settings of trusted plugins.
func TestTheSchemaKnowsTrustedPlugins(t *testing.T) {
	t.Parallel()
	root := configs.Schema(specs(), []configs.Trusted{trusted("notes", "notes", sdk.RoleSource)})
	props, _ := root["properties"].(map[string]any)
	found := map[string]bool{}
	for _, section := range []string{"sources", "destinations"} {
		all, _ := props[section].(map[string]any)
		entry, _ := all["additionalProperties"].(map[string]any)
		each, _ := entry["allOf"].([]any)
		for _, s := range each {
			rule, _ := s.(map[string]any)
			then, _ := rule["then"].(map[string]any)
			settings, _ := then["properties"].(map[string]any)
			if _, ok := settings["folder"]; ok {
				found[section] = true
			}
		}
	}
	if !found["sources"] || found["destinations"] {
		t.Errorf("found in %v", found)
	}
}
