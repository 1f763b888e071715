//go:build unix

package trust

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/filetree"
	"github.com/belfry-news/belfry/sdk"
)

type config struct {
	Folder string            `yaml:"folder" required:"true" doc:"The folder." example:"/srv/notes"`
	Max    int               `yaml:"max" min:"1" max:"100" doc:"How many."`
	Every  sdk.Duration      `yaml:"every" doc:"How often."`
	Key    sdk.Secret        `yaml:"key" doc:"The key."`
	Mode   string            `yaml:"mode" enum:"fast|slow" doc:"How."`
	Deep   bool              `yaml:"deep" doc:"Whether below."`
	Tags   []string          `yaml:"tags" doc:"Tags."`
	Each   []entry           `yaml:"each" doc:"Entries."`
	Names  map[string]string `yaml:"names" doc:"Names."`
	Hosts  map[string]entry  `yaml:"hosts" doc:"Hosts."`
}

type entry struct {
	URL  string `yaml:"url" required:"true" doc:"Where."`
	Port int    `yaml:"port" doc:"Which port."`
}

// notes is a type as a plugin written in Go describes it.
func notes(t *testing.T) Type {
	t.Helper()
	schema, err := json.Marshal(sdk.SchemaOf(config{Max: 10}))
	if err != nil {
		t.Fatal(err)
	}
	return Type{Type: "notes", Summary: "notes", Roles: []sdk.Role{sdk.RoleSource}, Fields: Settings(sdk.Fields(config{Max: 10})), Schema: schema}
}

func TestOptionsByASchema(t *testing.T) {
	t.Parallel()
	type tree = map[string]any
	number := func(s string) any { return json.Number(s) }
	check := notes(t).Checker()
	for name, tc := range map[string]struct {
		options tree
		want    string
	}{
		"well":                      {tree{"folder": "/x", "max": number("3"), "every": "5m", "key": "hunter2", "mode": "fast", "deep": true, "tags": []any{"a"}, "each": []any{tree{"url": "u"}}, "names": tree{"a": "b"}}, ""},
		"from the environment":      {tree{"folder": sdk.Untyped("7"), "max": sdk.Untyped("3"), "deep": sdk.Untyped("true"), "key": sdk.Untyped("1234")}, ""},
		"nothing behind a setting":  {tree{"folder": "/x", "tags": nil}, ""},
		"nothing":                   {tree{}, `/folder: "folder" is missing: The folder; write folder: …`},
		"a misspelt key":            {tree{"foldr": "/x", "folder": "/x"}, `/foldr: unknown key "foldr"; did you mean "folder"?`},
		"a key inside":              {tree{"folder": "/x", "each": []any{tree{"url": "u", "uri": "u"}}}, `/each/0/uri: unknown key "uri" in each.0; did you mean "url"?`},
		"missing inside":            {tree{"folder": "/x", "each": []any{tree{}}}, `/each/0/url: "url" is missing: Where; write url: …`},
		"a key of an entry by name": {tree{"folder": "/x", "hosts": tree{"7": tree{"url": "u", "prt": number("1")}}}, `/hosts/7/prt: unknown key "prt" in hosts.7; did you mean "port"?`},
		"a number by name":          {tree{"folder": "/x", "hosts": tree{"a": tree{"url": "u", "port": "many"}}}, `/hosts/a/port: text stands where a whole number is wanted; port is whole number: Which port`},
		"untyped by name":           {tree{"folder": "/x", "hosts": tree{"a": tree{"url": "u", "port": sdk.Untyped("8")}}, "each": []any{tree{"url": "u", "port": sdk.Untyped("8")}}}, ""},
		"a list for text":           {tree{"folder": []any{"/x"}}, `/folder: a list stands where text is wanted; folder is text, such as /srv/notes`},
		"text for a list":           {tree{"folder": "/x", "tags": "a"}, `/tags: text stands where a list is wanted; tags is list of text: Tags`},
		"text for a number":         {tree{"folder": "/x", "max": "many"}, `/max: text stands where a whole number is wanted; max is whole number: How many`},
		"words for a number":        {tree{"folder": "/x", "max": sdk.Untyped("many")}, `/max: text stands where a whole number is wanted`},
		"too many":                  {tree{"folder": "/x", "max": number("101")}, `/max: the value is more than 100; max is whole number: How many`},
		"too few":                   {tree{"folder": "/x", "max": number("0")}, `/max: the value is less than 1`},
		"a word of its own":         {tree{"folder": "/x", "mode": "medium"}, `/mode: the value is none of fast, slow`},
		"no duration":               {tree{"folder": "/x", "every": "soon"}, `/every: the value has none of the forms that are allowed here; every is duration: How often`},
		"a secret of another type":  {tree{"folder": "/x", "key": []any{"hunter2"}}, `/key: a list stands where text is wanted; key is secret: The key`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := check.Check(tc.options)
			got := ""
			if err != nil {
				if _, ok := errors.AsType[sdk.Problems](err); !ok {
					t.Fatalf("%T: %v", err, err)
				}
				got = err.Error()
			}
			if !strings.HasPrefix(got, tc.want) || tc.want == "" && got != "" {
				t.Errorf("got %q, want %q", got, tc.want)
			}
			if strings.Contains(got, "hunter2") {
				t.Errorf("%q repeats a value that may be a secret", got)
			}
		})
	}
}

func TestSchemasThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ schema, want string }{
		"none":                   {"", "the type x has no JSON Schema of its settings"},
		"no JSON":                {"{", "it is no JSON"},
		"a file of this machine": {`{"$ref": "file:///etc/passwd"}`, "may refer to nothing outside of itself"},
		"an address":             {`{"$ref": "https://news.example/schema.json"}`, "may refer to nothing outside of itself"},
		"no schema":              {`{"type": 7}`, "cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := (Type{Type: "x", Schema: []byte(tc.schema)}).CheckSchema(); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	if err := notes(t).CheckSchema(); err != nil {
		t.Error(err)
	}
}

// install makes a plugin folder with one trusted plugin and gives the folder and the record.
func install(t *testing.T) (string, Record) {
	t.Helper()
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(folder, "notes", "notes"), "#!/bin/sh\n", 0o755)
	put(t, filepath.Join(folder, "notes", "lib", "a"), "a", 0o644)
	tree, err := filetree.Read(filepath.Join(folder, "notes"))
	if err != nil {
		t.Fatal(err)
	}
	r := Record{Name: "notes", Program: "notes", Checksum: tree.Sum(), Files: tree, Trusted: time.Unix(1_800_000_000, 0).UTC(), Types: []Type{notes(t)}}
	if _, err := r.Write(folder); err != nil {
		t.Fatal(err)
	}
	return folder, r
}

func put(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestARecordIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	folder, want := install(t)
	want.Format = format
	all, err := Records(folder)
	if err != nil || len(all) != 1 {
		t.Fatalf("%v %v", all, err)
	}
	same := cmp.Comparer(func(a, b json.RawMessage) bool { return len(a) > 0 && len(b) > 0 })
	if d := cmp.Diff(want, all[0], same); d != "" {
		t.Error(d)
	}
	if p := Look(folder, "notes"); p.State != Trusted || p.Why != nil {
		t.Errorf("%+v", p)
	}
	left, err := filepath.Glob(filepath.Join(folder, ".trust-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

func TestWhatThePluginsOfAFolderAre(t *testing.T) {
	t.Parallel()
	record := "notes" + suffix
	for name, tc := range map[string]struct {
		do    func(t *testing.T, folder string)
		state State
		want  string
	}{
		"changed": {func(t *testing.T, folder string) { put(t, filepath.Join(folder, "notes", "lib", "a"), "b", 0o644) }, Changed,
			"the plugin notes changed since it was trusted (lib/a is another file); if you wanted that: belfry plugin trust notes"},
		"changed in many ways": {func(t *testing.T, folder string) {
			for _, n := range []string{"b", "c", "d", "e"} {
				put(t, filepath.Join(folder, "notes", n), n, 0o644)
			}
		}, Changed, "(b is new, c is new, d is new and 1 more)"},
		"loose": {func(t *testing.T, folder string) { put(t, filepath.Join(folder, "notes", "lib", "a"), "a", 0o666) }, Unsafe, "lib/a can be changed by others"},
		"gone":  {func(t *testing.T, folder string) { must(t, os.RemoveAll(filepath.Join(folder, "notes"))) }, Gone, "the plugin notes is gone and its record is left; put it back, or remove "},
		"never trusted": {func(t *testing.T, folder string) { must(t, os.Remove(filepath.Join(folder, record))) }, Untrusted,
			"nobody has trusted the plugin notes yet; look at it, then: belfry plugin trust notes"},
		"a record that others can change": {func(t *testing.T, folder string) { must(t, os.Chmod(filepath.Join(folder, record), 0o666)) }, Unsafe, "can be changed by others (mode 0666)"},
		"a record of tomorrow":            {edit(`"format": 1`, `"format": 2`), Unsafe, "has the format 2, and this Belfry knows 1; make it anew: belfry plugin trust notes"},
		"a record for another plugin":     {edit(`"name": "notes"`, `"name": "other"`), Unsafe, "does not hold together"},
		"a program outside":               {edit(`"program": "notes"`, `"program": "../evil"`), Unsafe, "does not hold together"},
		"another checksum":                {edit(`"checksum": "`, `"checksum": "0`), Unsafe, "does not hold together"},
		"no record at all":                {func(t *testing.T, folder string) { put(t, filepath.Join(folder, record), "hello", 0o644) }, Unsafe, "cannot be understood"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder, _ := install(t)
			tc.do(t, folder)
			p := Look(folder, "notes")
			if p.State != tc.state || p.Why == nil || !strings.Contains(p.Why.Error(), tc.want) {
				t.Errorf("got %s: %v, want %s: %s", p.State, p.Why, tc.state, tc.want)
			}
			if list, err := List(folder); err != nil || len(list) != 1 || list[0].State != tc.state {
				t.Errorf("%+v %v", list, err)
			}
		})
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// edit changes the text of the record.
func edit(old, to string) func(t *testing.T, folder string) {
	return func(t *testing.T, folder string) {
		t.Helper()
		path := filepath.Join(folder, "notes"+suffix)
		b, err := os.ReadFile(path)
		must(t, err)
		text := strings.Replace(string(b), old, to, 1)
		if text == string(b) {
			t.Fatalf("the record has no %s", old)
		}
		put(t, path, text, 0o644)
	}
}

func TestFoldersThatAreRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	put(t, filepath.Join(dir, "file"), "", 0o644)
	for name, mode := range map[string]os.FileMode{"loose": 0o777, "everybody": 0o777 | os.ModeSticky, "good": 0o755} {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o755))
		must(t, os.Chmod(filepath.Join(dir, name), mode))
	}
	must(t, os.Mkdir(filepath.Join(dir, "loose", "below"), 0o755))
	for name, want := range map[string]string{
		"good": "", "missing": "is not there; make it: mkdir -p ", "file": "is no folder", "loose": "is not safe: ", "everybody": "everybody can be changed by others (mode 0777); take that right away: chmod go-w ",
		"loose/below": "loose can be changed by others (mode 0777)",
	} {
		t.Run(name, func(t *testing.T) {
			err := CheckFolder(filepath.Join(dir, name))
			if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
		})
	}
}

func TestProgramsOfPlugins(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	for path, mode := range map[string]os.FileMode{
		"single": 0o755, "text": 0o644, "named/named": 0o755, "named/other": 0o755, "plain/plugin": 0o755, "plain/helper.sh": 0o755,
		"one/start.py": 0o755, "one/module.py": 0o644, "two/a": 0o755, "two/b": 0o755, "none/a": 0o644,
		"script/script.py": 0o755, "script/fake.py": 0o755, "twice/twice.py": 0o755, "twice/twice.sh": 0o755,
	} {
		put(t, filepath.Join(folder, path), "", mode)
	}
	must(t, os.Symlink("single", filepath.Join(folder, "link")))
	for name, tc := range map[string]struct{ plugin, said, want, err string }{
		"a file":                 {"single", "", ".", ""},
		"called like the folder": {"named", "", "named", ""},
		"called plugin":          {"plain", "", "plugin", ""},
		"with an ending":         {"script", "", "script.py", ""},
		"with two endings":       {"twice", "", "", "which of twice.py, twice.sh is the program of twice?"},
		"the only one":           {"one", "", "start.py", ""},
		"said":                   {"two", "b", "b", ""},
		"one of two":             {"two", "", "", "which of a, b is the program of two? say it: belfry plugin trust two --program a"},
		"none":                   {"none", "", "", "no file in it may be executed; chmod 755"},
		"said of a file":         {"single", "x", "", "is a program itself"},
		"said outside":           {"two", "../single", "", "does not lie in"},
		"said and no program":    {"one", "module.py", "", "module.py is no program"},
		"no program":             {"text", "", "", "text is no program: nobody may execute it; chmod 755"},
		"a link":                 {"link", "", "", "is a link; put the plugin itself there"},
		"nothing":                {"nothing", "", "", "nothing cannot be looked at"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Program(folder, tc.plugin, tc.said)
			if err != nil && (tc.err == "" || !strings.Contains(err.Error(), tc.err)) || err == nil && (tc.err != "" || got != tc.want) {
				t.Errorf("got %q %v, want %q %q", got, err, tc.want, tc.err)
			}
		})
	}
}

func TestFindingAPlugin(t *testing.T) {
	t.Parallel()
	folder, _ := install(t)
	must(t, os.Rename(filepath.Join(folder, "notes"), filepath.Join(folder, "belfry-plugin-notes")))
	edit(`"name": "notes"`, `"name": "belfry-plugin-notes"`)(t, folder)
	must(t, os.Rename(filepath.Join(folder, "notes"+suffix), filepath.Join(folder, "belfry-plugin-notes"+suffix)))
	for said, want := range map[string]string{"belfry-plugin-notes": "belfry-plugin-notes", "notes": "belfry-plugin-notes",
		filepath.Join(folder, "belfry-plugin-notes"): "belfry-plugin-notes", "other": "", "/usr/bin/true": ""} {
		if got, err := Find(folder, said); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v", said, got, err)
		}
	}
}

// What a plugin is shown depends on its abilities: only who writes to people is told addresses.
func TestWhatPluginsSee(t *testing.T) {
	t.Parallel()
	for role, want := range map[sdk.Role]bool{sdk.RoleSource: false, sdk.RoleWebhook: false, sdk.RoleResolver: false, sdk.RolePublisher: false, sdk.RoleEditor: false,
		sdk.RoleMessenger: true, sdk.RoleStreamer: true, sdk.RoleReceiver: true, sdk.RoleListener: true} {
		if got := strings.Contains(strings.Join(Sees([]sdk.Role{role}), "\n"), "address"); got != want {
			t.Errorf("%s: %q", role, Sees([]sdk.Role{role}))
		}
	}
}

// TestUnknownKindsAreNotBelieved: what nobody could be told of is not agreed to, and is named.
func TestUnknownKindsAreNotBelieved(t *testing.T) {
	t.Parallel()
	roles := []sdk.Role{sdk.RoleMessenger, sdk.RoleListener}
	m := MediumOf(&sdk.Medium{Hears: []sdk.EventKind{"tomorrow", sdk.EventStop, "\x1b[2J", sdk.EventKind(strings.Repeat("x", 1000))}, Address: sdk.AddressLowercase})
	want := &Medium{Hears: []sdk.EventKind{sdk.EventStop}, Dropped: []sdk.EventKind{"tomorrow", "\x1b[2J"}, Address: sdk.AddressLowercase}
	if diff := cmp.Diff(want, m); diff != "" {
		t.Error(diff)
	}
	if got := m.SDK(); !cmp.Equal(got.Hears, want.Hears) {
		t.Errorf("the host is told %q", got.Hears)
	}
	said := m.HeardFor(roles)
	if text := strings.Join(said, "\n"); len(said) != 4 || !strings.Contains(text, `and nothing of "tomorrow", which it tells of and this Belfry does not know`) || strings.Contains(text, "\x1b") {
		t.Errorf("%q", said)
	}
	if got := MediumOf(&sdk.Medium{Hears: []sdk.EventKind{"tomorrow"}}).HeardFor(roles); got != nil {
		t.Errorf("of one that is believed nothing: %q", got)
	}
	for _, h := range heard() {
		if m := MediumOf(&sdk.Medium{Hears: []sdk.EventKind{h.kind}}); len(m.Hears) != 1 || len(m.HeardFor(roles)) != 2 {
			t.Errorf("%s: %+v, %q", h.kind, m, m.HeardFor(roles))
		}
	}
}
