package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/filetree"
)

// State is what a plugin in the folder is.
type State string

// The states.
const (
	Trusted   State = "trusted"
	Untrusted State = "not trusted"
	Changed   State = "changed"
	Unsafe    State = "refused" // it, or its record, cannot be read, or others may change it
	Gone      State = "gone"    // only its record is left
)

// Plugin is one entry of the folder.
type Plugin struct {
	Name  string
	State State
	// Why says what is wrong with it and what mends it; nil for a trusted one.
	Why error
	// Record is nil where there is none.
	Record *Record
}

var named = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$`)

// CheckFolder reports why a folder cannot hold plugins: it is missing, or others may change it or a folder above it.
func CheckFolder(folder string) error {
	target, err := filepath.EvalSymlinks(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the plugin folder %s is not there; make it: mkdir -p %s", folder, folder)
	}
	if err != nil {
		return fmt.Errorf("the plugin folder %s cannot be found: %w", folder, filetree.Cause(err))
	}
	info, err := os.Stat(target)
	if err != nil {
		return fmt.Errorf("the plugin folder %s cannot be looked at: %w", folder, filetree.Cause(err))
	}
	if !info.IsDir() {
		return fmt.Errorf("the plugin folder %s is no folder", folder)
	}
	if err = filetree.SafeFrom(target, info); err == nil {
		err = filetree.SafeFolders(filepath.Dir(target))
	}
	if err != nil {
		return fmt.Errorf("the plugin folder %s is not safe: %w", folder, err)
	}
	return nil
}

// Records reads every record of the folder, by name. The error says which cannot be used.
func Records(folder string) ([]Record, error) {
	names, err := entries(folder)
	if err != nil {
		return nil, err
	}
	var out []Record
	for _, name := range names {
		r, err := read(folder, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}

// entries lists the names of plugins: those that lie in the folder and those of which a record is left.
func entries(folder string) ([]string, error) {
	all, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("the plugin folder %s is not there; make it: mkdir -p %s", folder, folder)
	}
	if err != nil {
		return nil, fmt.Errorf("the plugin folder %s cannot be read: %w", folder, filetree.Cause(err))
	}
	var names []string
	for _, e := range all {
		name := strings.TrimSuffix(e.Name(), suffix)
		if named.MatchString(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// List looks at every plugin of the folder, and compares those that are trusted with their records.
func List(folder string) ([]Plugin, error) {
	names, err := entries(folder)
	if err != nil {
		return nil, err
	}
	out := make([]Plugin, len(names))
	for i, name := range names {
		out[i] = Look(folder, name)
	}
	return out, nil
}

// Look looks at one plugin of the folder.
func Look(folder, name string) Plugin {
	p := Plugin{Name: name, State: Untrusted}
	r, err := read(folder, name)
	switch {
	case err == nil:
		p.Record = &r
	case !errors.Is(err, fs.ErrNotExist):
		p.State, p.Why = Unsafe, err
		return p
	}
	if _, err := os.Lstat(filepath.Join(folder, name)); errors.Is(err, fs.ErrNotExist) {
		if p.Record == nil {
			p.Why = fmt.Errorf("there is no plugin %q in %s", name, folder)
		} else {
			p.Why = fmt.Errorf("the plugin %s is gone and its record is left; put it back, or remove %s", name, RecordPath(folder, name))
		}
		p.State = Gone
		return p
	}
	if p.Record == nil {
		p.Why = fmt.Errorf("nobody has trusted the plugin %s yet; look at it, then: belfry plugin trust %s", name, name)
		return p
	}
	err = r.Verify(folder)
	if _, changed := errors.AsType[*ChangedError](err); changed {
		p.State, p.Why = Changed, err
	} else if err != nil {
		p.State, p.Why = Unsafe, err
	} else {
		p.State = Trusted
	}
	return p
}

// Find gives the name in the folder of what a person named: by that name, by a path, or by a type that a trusted plugin
// provides.
func Find(folder, said string) (string, error) {
	if strings.ContainsRune(said, filepath.Separator) {
		path, err := filepath.Abs(said)
		if err != nil {
			return "", fmt.Errorf("%s is no path: %w", said, err)
		}
		if filepath.Dir(path) != filepath.Clean(folder) {
			return "", fmt.Errorf("%s does not lie in the plugin folder; put it there: cp -r %s %s/", said, said, folder)
		}
		said = filepath.Base(path)
	}
	names, err := entries(folder)
	if err != nil {
		return "", err
	}
	if slices.Contains(names, said) {
		return said, nil
	}
	for _, name := range names {
		if r, err := read(folder, name); err == nil && slices.Contains(r.TypeNames(), said) {
			return name, nil
		}
	}
	if len(names) == 0 {
		return "", fmt.Errorf("there is no plugin %q in %s, which is empty; put it there first", said, folder)
	}
	return "", fmt.Errorf("there is no plugin %q in %s; there are %s", said, folder, strings.Join(names, ", "))
}

// Program finds the program of a plugin: the file itself, or in a folder the one that is said, is called like the folder or
// "plugin", with an ending or without one, or is the only one that may be executed. The path is relative to the plugin, with slashes, "." for the file itself.
func Program(folder, name, said string) (string, error) {
	root := filepath.Join(folder, name)
	info, err := os.Lstat(root)
	if err != nil {
		return "", fmt.Errorf("%s cannot be looked at: %w", root, filetree.Cause(err))
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return "", fmt.Errorf("%s is a link; put the plugin itself there", root)
	case info.Mode().IsRegular() && said != "":
		return "", fmt.Errorf("%s is a program itself; --program names one in a folder", root)
	case info.Mode().IsRegular():
		return ".", filetree.Executable(root)
	case !info.IsDir():
		return "", fmt.Errorf("%s is neither a program nor a folder", root)
	}
	if said != "" {
		if !filepath.IsLocal(said) {
			return "", fmt.Errorf("%s does not lie in %s; name the program by its path in there", said, root)
		}
		return filepath.ToSlash(filepath.Clean(said)), filetree.Executable(filepath.Join(root, said))
	}
	list, err := os.ReadDir(root)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", root, filetree.Cause(err))
	}
	var programs []string
	for _, e := range list {
		if !e.IsDir() && filetree.Executable(filepath.Join(root, e.Name())) == nil {
			programs = append(programs, e.Name())
		}
	}
	for _, likely := range []string{name, "plugin", "belfry-plugin-" + name} {
		if slices.Contains(programs, likely) {
			return likely, nil
		}
		scripts := slices.DeleteFunc(slices.Clone(programs), func(p string) bool { return strings.TrimSuffix(p, filepath.Ext(p)) != likely })
		if len(scripts) == 1 { // notes.py in the folder notes
			return scripts[0], nil
		}
	}
	switch len(programs) {
	case 1:
		return programs[0], nil
	case 0:
		return "", fmt.Errorf("%s holds no program: no file in it may be executed; chmod 755 the one that is started", root)
	}
	return "", fmt.Errorf("which of %s is the program of %s? say it: belfry plugin trust %s --program %s", strings.Join(programs, ", "), name, name, programs[0])
}
