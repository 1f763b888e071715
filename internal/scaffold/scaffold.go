package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/scaffold/bundle"
)

// Kind is what a plugin is.
type Kind string

// The kinds.
const (
	// Source brings items.
	Source Kind = "source"
	// Connector posts to channels.
	Connector Kind = "connector"
)

// Options say which project is written.
type Options struct {
	// Name is the type's name in Belfry's configuration, and the name of the folder.
	Name string
	// Parent is the folder in which the project's own is made.
	Parent string
	Kind   Kind
	// Python holds the example in Python, whose files the project is made of; nil makes one in Go.
	Python fs.FS
	// Module is the path of the Go module; empty means one below example.org.
	Module string
	// SDK is the version of Belfry's module to require; empty means the sources in Bundle, which are written beside the project.
	SDK string
	// Bundle holds the SDK's sources.
	Bundle []byte
	// Taken are names that other types have.
	Taken []string
}

// Project is what was written.
type Project struct {
	// Dir is its folder, and Files are the names in it that a developer looks at.
	Dir   string
	Files []string
}

const (
	// sampleName stands in the projects for the plugin's name, and samplePath for the path of its module.
	sampleName = "sampleplugin"
	samplePath = bundle.Belfry + "/internal/scaffold/project/"
	// sdkFolder is where the sources of the SDK lie in a project.
	sdkFolder = ".belfry-sdk"
	sdkMark   = "<!-- sdk -->\n"
)

//go:embed all:project
var projects embed.FS

//go:embed all:sdk
var built embed.FS

// ErrNoBundle says that this program was built without the sources of the SDK.
var ErrNoBundle = errors.New("this belfry was built without the sources of the SDK")

// Bundle is what this program was built with.
func Bundle() ([]byte, error) {
	packed, err := built.ReadFile(strings.TrimPrefix(bundle.Place, "internal/scaffold/"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoBundle
	}
	return packed, err
}

var (
	nameForm   = regexp.MustCompile(`^[a-z][a-z0-9]*([_-][a-z0-9]+)*$`)
	moduleForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._~-]*(/[a-zA-Z0-9_~-][a-zA-Z0-9._~-]*)*$`)
)

// longestName is how long a name may be: it stands in messages and in the names of files.
const longestName = 40

// UsageError says that the options cannot be used.
type UsageError struct{ what string }

func (e *UsageError) Error() string { return e.what }

func unusable(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// check says what is wrong with the options, and fills in what is left out.
func (o *Options) check() error {
	switch {
	case len(o.Name) > longestName || !nameForm.MatchString(o.Name):
		return unusable("%.60q cannot be the name of a plugin; take small letters, digits, - and _, at most %d, a letter first, like our-cms", o.Name, longestName)
	case strings.HasPrefix(o.Name, "belfry-"):
		return unusable("the name %q is the type's name in the configuration; leave belfry- out", o.Name)
	case o.Name == sampleName || slices.Contains(o.Taken, o.Name):
		return unusable("Belfry has a type %s of its own; take another name", o.Name)
	case o.Kind != Source && o.Kind != Connector:
		return unusable("there is no kind of plugin %q; --kind is source (it brings items) or connector (it posts to channels)", string(o.Kind))
	case o.SDK != "" && !bundle.IsRelease(o.SDK):
		return unusable("--sdk %q is no version; write one like v1.2.3, or leave it out to take the SDK from this program", o.SDK)
	}
	if o.Python != nil {
		if o.SDK != "" || o.Module != "" {
			return unusable("--sdk and --module are for plugins in Go; one in Python speaks the protocol by itself")
		}
		return nil
	}
	if o.Module == "" {
		o.Module = "example.org/" + o.Name
	}
	if !moduleForm.MatchString(o.Module) || o.Module == bundle.Belfry || strings.HasPrefix(o.Module, bundle.Belfry+"/") {
		return unusable("--module %q is no path of a module of your own; write one like example.org/%s", o.Module, o.Name)
	}
	return nil
}

// New writes a project into a new folder. The folder appears when everything in it was written; an error leaves nothing.
// Options that cannot be used are a *UsageError.
func New(o Options) (*Project, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Python == nil && o.SDK == "" && len(o.Bundle) == 0 {
		return nil, ErrNoBundle
	}
	dir := filepath.Join(o.Parent, o.Name)
	if _, err := os.Lstat(dir); err == nil {
		return nil, unusable("%s exists; nothing was written. Take another name, or go to another folder", dir)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	// What is half written must never look like a project.
	unfinished, err := os.MkdirTemp(o.Parent, "."+o.Name+"-")
	if err != nil {
		return nil, fmt.Errorf("no folder can be made in %s: %w", o.Parent, err)
	}
	defer os.RemoveAll(unfinished) // nothing is there any more once it has its name
	p := &Project{Dir: dir}
	if err := o.write(unfinished, p); err != nil {
		return nil, err
	}
	if err := os.Chmod(unfinished, 0o755); err != nil { //nolint:gosec // sources, for whoever may see the folder
		return nil, err
	}
	if err := os.Rename(unfinished, dir); err != nil {
		return nil, fmt.Errorf("the project cannot get its name: %w", err)
	}
	return p, nil
}

// write writes the project's files into a folder.
func (o *Options) write(into string, p *Project) error {
	ignored, err := projects.ReadFile("project/gitignore")
	if err == nil {
		err = o.put(into, p, ".gitignore", ignored)
	}
	if err == nil && o.Python != nil {
		err = o.writePython(into, p)
	} else if err == nil {
		err = o.writeGo(into, p)
	}
	slices.Sort(p.Files)
	return err
}

// writeGo writes a project in Go.
func (o *Options) writeGo(into string, p *Project) error {
	root := "project/" + string(o.Kind)
	err := fs.WalkDir(projects, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := projects.ReadFile(name)
		if err != nil {
			return err
		}
		return o.put(into, p, strings.TrimPrefix(name, root+"/"), o.fill(text))
	})
	if err != nil {
		return err
	}
	mod, err := o.goMod(into)
	if err != nil {
		return err
	}
	return o.put(into, p, "go.mod", mod)
}

func (o *Options) put(into string, p *Project, name string, content []byte) error {
	to := filepath.Join(into, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { //nolint:gosec // see New
		return err
	}
	p.Files = append(p.Files, name)
	mode := os.FileMode(0o644)
	if bytes.HasPrefix(content, []byte("#!")) {
		mode = 0o755
	}
	return os.WriteFile(to, content, mode)
}

// fill puts the plugin's own names into a file.
func (o *Options) fill(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte(samplePath+string(o.Kind)), []byte(o.Module))
	text = bytes.ReplaceAll(text, []byte(sampleName), []byte(o.Name))
	return bytes.Replace(text, []byte(sdkMark), []byte(o.aboutSDK()), 1)
}

// aboutSDK says in the README where the SDK comes from.
func (o *Options) aboutSDK() string {
	if o.SDK != "" {
		return fmt.Sprintf("\n## The SDK\n\n`go.mod` requires Belfry's module in version %s; `go mod tidy` fetches it once, before the first of the commands above.\n", o.SDK)
	}
	return `
## The SDK

It came out of the program that wrote this project, with everything it imports, and lies in ` + "`" + sdkFolder + "`" + `: nothing is fetched.
Keep the folder under version control, and do not change it. To go by a release instead, delete it and the lines of ` + "`replace`" + `
in ` + "`go.mod`" + `, and run ` + "`go get " + bundle.Belfry + "@VERSION && go mod tidy`" + `.
`
}

// goMod is the project's go.mod. The sources of the SDK are written beside it where they are not to be fetched.
func (o *Options) goMod(into string) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "module %s\n\ngo 1.26.0\n\n", o.Module)
	if o.SDK != "" {
		fmt.Fprintf(&b, "require %s %s\n", bundle.Belfry, o.SDK)
		return b.Bytes(), nil
	}
	unpacked, err := bundle.Unpack(o.Bundle, filepath.Join(into, sdkFolder))
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(&b, "require %s %s\n\nrequire (\n", bundle.Belfry, bundle.Unreleased)
	for _, m := range unpacked.Modules {
		if m.Path != bundle.Belfry {
			fmt.Fprintf(&b, "\t%s %s // indirect\n", m.Path, m.Version)
		}
	}
	fmt.Fprintf(&b, ")\n\n// The SDK and what it imports, as belfry plugin new wrote them. README.md says how to go by a release instead.\nreplace (\n")
	for _, m := range unpacked.Modules {
		fmt.Fprintf(&b, "\t%s %s => ./%s\n", m.Path, m.Version, path.Join(sdkFolder, m.Path))
	}
	b.WriteString(")\n")
	return b.Bytes(), nil
}
