package plugindev

import (
	"io/fs"
	"path/filepath"
	"strings"
	"time"
)

// stamp is what tells one version of a file from another.
type stamp struct {
	size int64
	at   time.Time
}

// look notes the files of a project that its program is made of. Looking by name and time, and not by the kernel's notices,
// follows every way in which editors save.
func look(dir string) map[string]stamp {
	out := map[string]stamp{}
	_ = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // a file that has just gone is none
		}
		name := d.Name()
		if d.IsDir() {
			if path != dir && (strings.HasPrefix(name, ".") || name == "testdata" || name == "__pycache__" || name == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if strings.HasPrefix(name, ".") || strings.HasSuffix(name, "~") || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "belfry-plugin-") || !d.Type().IsRegular() {
			return nil
		}
		if info, err := d.Info(); err == nil {
			rel, _ := filepath.Rel(dir, path) // it lies below
			out[filepath.ToSlash(rel)] = stamp{info.Size(), info.ModTime()}
		}
		return nil
	})
	return out
}

// changed names the files that differ.
func changed(a, b map[string]stamp) (names []string) {
	for name, s := range b {
		if a[name] != s {
			names = append(names, name)
		}
	}
	for name := range a {
		if _, still := b[name]; !still {
			names = append(names, name)
		}
	}
	return names
}
