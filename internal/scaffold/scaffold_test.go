package scaffold

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/belfry-news/belfry/internal/scaffold/bundle"
)

// packed is the bundle of this repository's sources as they are now.
var packed = sync.OnceValues(func() ([]byte, error) {
	var b bytes.Buffer
	err := bundle.Pack(&b, filepath.Join("..", ".."))
	return b.Bytes(), err
})

func sdk(t *testing.T) []byte {
	t.Helper()
	b, err := packed()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// project writes a project, and gives a function that runs a command in it, on a machine without a network and without a
// single module in its cache.
func project(t *testing.T, o Options) (dir string, run func(command ...string) string) {
	t.Helper()
	o.Parent, o.Bundle = t.TempDir(), sdk(t)
	p, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	return p.Dir, func(command ...string) string {
		t.Helper()
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Dir = p.Dir
		// What is compiled does not depend on where the sources lie, so that it was compiled before.
		cmd.Env = append(os.Environ(), "GOMODCACHE="+cache, "GOPROXY=off", "GOSUMDB=off", "GOWORK=off", "GOTOOLCHAIN=local", "GOFLAGS=-mod=mod -trimpath -buildvcs=false", "CGO_ENABLED=0")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, out)
		}
		return string(out)
	}
}

// A new project builds at once, and its go.mod is as Go wants it. That it passes its tests is a part of the tutorial, which a
// test of package operations follows.
func TestSourceOffline(t *testing.T) {
	t.Parallel()
	dir, run := project(t, Options{Name: "our-cms", Kind: Source})
	before := read(t, dir, "go.mod")
	run("go", "build", "./...")
	if after := read(t, dir, "go.mod"); after != before {
		t.Errorf("Go changed go.mod:\n%s", after)
	}
	run("go", "mod", "tidy")
	head, _, _ := strings.Cut(before, "require (")
	if tidied := read(t, dir, "go.mod"); !strings.HasPrefix(tidied, head) || strings.Contains(tidied, "=> ../") {
		t.Errorf("go mod tidy wants another go.mod:\n%s", tidied)
	}
}

// The connector's own tests run as a package of this module.
func TestConnectorOffline(t *testing.T) {
	t.Parallel()
	dir, run := project(t, Options{Name: "boards", Kind: Connector, Module: "git.news.example/boards/v2"})
	run("go", "vet", "./...")
	if main := read(t, dir, "fake/serve/main.go"); !strings.Contains(main, `"git.news.example/boards/v2/fake"`) {
		t.Errorf("the module's path is not in it:\n%s", main)
	}
	if files := strings.Fields(run("gofmt", "-l", "main.go", "connector.go", "api.go", "connector_test.go", "fake")); len(files) > 0 {
		t.Errorf("not formatted: %v", files)
	}
}

func read(t *testing.T, dir, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// No project holds a name that stands for its own, and everything a person looks at is listed.
func TestNames(t *testing.T) {
	t.Parallel()
	for _, kind := range []Kind{Source, Connector} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p, err := New(Options{Name: "our-cms", Kind: kind, Parent: t.TempDir(), SDK: "v1.2.3"})
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{"README.md", "api.go", "dev.yaml", "go.mod", ".gitignore", "main.go", "fake/fake.go"} {
				if !slices.Contains(p.Files, want) {
					t.Errorf("there is no %s in %v", want, p.Files)
				}
			}
			for _, name := range p.Files {
				text := read(t, p.Dir, name)
				for _, never := range []string{sampleName, "internal/scaffold", sdkMark} {
					if strings.Contains(text, never) {
						t.Errorf("%s holds %q", name, never)
					}
				}
			}
			if mod := read(t, p.Dir, "go.mod"); !strings.Contains(mod, "require "+bundle.Belfry+" v1.2.3\n") || strings.Contains(mod, "replace") {
				t.Errorf("a release is asked for, and go.mod says:\n%s", mod)
			}
			if info, err := os.Stat(p.Dir); err != nil || info.Mode().Perm() != 0o755 {
				t.Errorf("the folder: %v, %v", info.Mode(), err)
			}
		})
	}
}

// A project in Python is the example with other names, whose programs may be run.
func TestPython(t *testing.T) {
	t.Parallel()
	example := os.DirFS(filepath.Join("..", "..", "plugins", "example-python"))
	for kind, want := range map[Kind][]string{
		Source:    {"README.md", "belfry/plugin/v1/item_pb2.py", "belfry_plugin.py", "dev.yaml", "our-cms.py", "sample/first.txt", "test.yaml"},
		Connector: {"README.md", "belfry/plugin/v1/item_pb2.py", "belfry_plugin.py", "dev.yaml", "fake.py", "our-cms.py", "test.yaml"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			p, err := New(Options{Name: "our-cms", Kind: kind, Parent: t.TempDir(), Python: example})
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range want {
				if !slices.Contains(p.Files, name) {
					t.Errorf("there is no %s in %v", name, p.Files)
				}
			}
			for _, name := range p.Files {
				text := read(t, p.Dir, name)
				for _, never := range []string{sampleName, "notes-py", "board-py", "notes.test.yaml", "board.test.yaml", "fake_board", "./notes.py", "./board.py"} {
					if strings.Contains(text, never) {
						t.Errorf("%s holds %q", name, never)
					}
				}
				info, err := os.Stat(filepath.Join(p.Dir, name))
				if program := name == "our-cms.py" || name == "fake.py"; err != nil || (info.Mode().Perm()&0o111 != 0) != program {
					t.Errorf("%s: %v, %v", name, info.Mode(), err)
				}
			}
			if text := read(t, p.Dir, "our-cms.py"); !strings.Contains(text, `name = "our-cms"`) {
				t.Error("the type has another name")
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	good := Options{Name: "our-cms", Kind: Source, SDK: "v1.2.3", Taken: []string{"rss"}}
	with := func(change func(o *Options)) Options {
		o := good
		change(&o)
		return o
	}
	for name, tc := range map[string]struct {
		o    Options
		want string
	}{
		"no name":            {with(func(o *Options) { o.Name = "" }), `"" cannot be the name of a plugin`},
		"capital letters":    {with(func(o *Options) { o.Name = "OurCMS" }), `take small letters, digits, - and _`},
		"a path":             {with(func(o *Options) { o.Name = "../up" }), `"../up" cannot be the name`},
		"a long name":        {with(func(o *Options) { o.Name = strings.Repeat("x", 41) }), `at most 40`},
		"a built-in type":    {with(func(o *Options) { o.Name = "rss" }), `Belfry has a type rss of its own; take another name`},
		"the prefix":         {with(func(o *Options) { o.Name = "belfry-cms" }), `leave belfry- out`},
		"no kind":            {with(func(o *Options) { o.Kind = "" }), `--kind is source (it brings items) or connector`},
		"another kind":       {with(func(o *Options) { o.Kind = "sink" }), `there is no kind of plugin "sink"`},
		"a folder's path":    {with(func(o *Options) { o.Module = "/srv/x" }), `--module "/srv/x" is no path of a module of your own`},
		"our module":         {with(func(o *Options) { o.Module = bundle.Belfry + "/x" }), `is no path of a module of your own`},
		"a branch":           {with(func(o *Options) { o.SDK = "main" }), `--sdk "main" is no version; write one like v1.2.3`},
		"an existing folder": {with(func(o *Options) { o.Name = "there" }), `there exists; nothing was written. Take another name, or go to another folder`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.o.Parent = t.TempDir()
			if err := os.Mkdir(filepath.Join(tc.o.Parent, "there"), 0o755); err != nil {
				t.Fatal(err)
			}
			_, err := New(tc.o)
			var wrong *UsageError
			if !errors.As(err, &wrong) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
			onlyThere(t, tc.o.Parent)
		})
	}
}

// onlyThere says that nothing was written.
func onlyThere(t *testing.T, parent string) {
	t.Helper()
	entries, err := os.ReadDir(parent)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "there" {
			t.Errorf("%s stayed", e.Name())
		}
	}
}

func TestWithoutBundle(t *testing.T) {
	t.Parallel()
	// Tests are built without one: what a build puts in is no part of the sources.
	if b, err := Bundle(); !errors.Is(err, ErrNoBundle) {
		t.Errorf("a program without the SDK's sources has %d bytes of them, %v", len(b), err)
	}
	parent := t.TempDir()
	if _, err := New(Options{Name: "our-cms", Kind: Source, Parent: parent}); !errors.Is(err, ErrNoBundle) {
		t.Errorf("got %v", err)
	}
	onlyThere(t, parent)
}

func TestBrokenBundle(t *testing.T) {
	t.Parallel()
	whole := sdk(t)
	for name, b := range map[string][]byte{"cut off": whole[:len(whole)/2], "other bytes": []byte("no bundle"), "a flipped bit": flipped(whole)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parent := t.TempDir()
			if _, err := New(Options{Name: "our-cms", Kind: Source, Parent: parent, Bundle: b}); err == nil || !strings.Contains(err.Error(), "the sources of the SDK in this program cannot be read") {
				t.Errorf("got %v", err)
			}
			onlyThere(t, parent)
		})
	}
}

func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 0x10
	return b
}

// The same sources give the same bundle, which the release carries: it may not grow unnoticed.
func TestBundle(t *testing.T) {
	t.Parallel()
	first := sdk(t)
	var second bytes.Buffer
	if err := bundle.Pack(&second, filepath.Join("..", "..")); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second.Bytes()) {
		t.Error("two bundles of the same sources differ")
	}
	if len(first) > 3<<20 {
		t.Errorf("the bundle has %d bytes; the program carries at most 3 MiB of it", len(first))
	}
	dir := t.TempDir()
	b, err := bundle.Unpack(first, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range b.Modules {
		if mod := read(t, dir, filepath.Join(m.Path, "go.mod")); !strings.HasPrefix(mod, "module "+m.Path+"\n") || m.Version == "" || m.Go == "" {
			t.Errorf("%+v: %s", m, mod)
		}
		if licences, err := filepath.Glob(filepath.Join(dir, m.Path, "[LC][IO][CP][EY][NI]*")); err != nil || len(licences) == 0 {
			t.Errorf("%s has no licence, %v", m.Path, err)
		}
	}
	tests, err := filepath.Glob(filepath.Join(dir, bundle.Belfry, "sdk", "*_test.go"))
	if err != nil || len(tests) > 0 {
		t.Errorf("tests are in it: %v, %v", tests, err)
	}
}
