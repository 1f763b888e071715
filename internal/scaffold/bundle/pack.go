package bundle

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/build"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// systems are the operating systems that plugins are built for.
var systems = []string{"linux", "darwin", "windows", "freebsd"}

// architectures are those of the machines.
var architectures = []string{"amd64", "arm64", "arm", "386", "riscv64"}

// source is a package of the closure.
type source struct {
	ImportPath string   `json:"ImportPath"`
	Dir        string   `json:"Dir"`
	Standard   bool     `json:"Standard"`
	EmbedFiles []string `json:"EmbedFiles"`
	Module     *struct {
		Path      string `json:"Path"`
		Version   string `json:"Version"`
		Dir       string `json:"Dir"`
		GoVersion string `json:"GoVersion"`
		Main      bool   `json:"Main"`
	} `json:"Module"`
}

// Pack writes the bundle of the repository whose root is given. It asks the Go command, which may fetch modules that the
// module cache does not have.
func Pack(w io.Writer, root string) error {
	files := map[string]string{} // by name in the bundle, where they lie
	modules := map[string]Module{}
	dirs := map[string]string{}
	for _, system := range systems {
		list, err := closure(root, system)
		if err != nil {
			return err
		}
		for _, p := range list {
			if err := p.collect(files); err != nil {
				return err
			}
			m := Module{Path: p.Module.Path, Version: p.Module.Version, Go: p.Module.GoVersion}
			if p.Module.Main {
				m.Version = Unreleased
			}
			modules[m.Path], dirs[m.Path] = m, p.Module.Dir
		}
	}
	b := Bundle{}
	for _, m := range modules {
		b.Modules = append(b.Modules, m)
		if err := licences(dirs[m.Path], m.Path, files); err != nil {
			return err
		}
	}
	slices.SortFunc(b.Modules, func(x, y Module) int { return strings.Compare(x.Path, y.Path) })
	return b.write(w, files)
}

// closure lists the packages that the SDK consists of on a system, without the standard library's.
func closure(root, system string) ([]source, error) {
	cmd := exec.Command("go", "list", "-deps", "-json=ImportPath,Dir,Standard,EmbedFiles,Module", "./sdk/...")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0", "GOARCH=amd64", "GOOS="+system)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("the SDK's packages cannot be listed: %w: %s", err, strings.TrimSpace(complaint.String()))
	}
	var list []source
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p source
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return list, nil
		} else if err != nil {
			return nil, fmt.Errorf("what go list says cannot be read: %w", err)
		}
		if !p.Standard {
			list = append(list, p)
		}
	}
}

// collect notes the files of a package that are compiled somewhere.
func (p *source) collect(files map[string]string) error {
	entries, err := os.ReadDir(p.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := e.Name()
		to := path.Join(p.ImportPath, name)
		if files[to] != "" || !e.Type().IsRegular() || strings.HasSuffix(name, "_test.go") || !slices.Contains([]string{".go", ".s", ".h", ".c"}, filepath.Ext(name)) {
			continue
		}
		compiled, err := p.compiled(name)
		if err != nil {
			return err
		}
		if compiled {
			files[to] = filepath.Join(p.Dir, name)
		}
	}
	for _, name := range p.EmbedFiles {
		files[path.Join(p.ImportPath, filepath.ToSlash(name))] = filepath.Join(p.Dir, name)
	}
	return nil
}

// compiled says whether a file is compiled for one of the machines, with cgo or without, with the race detector or without.
func (p *source) compiled(name string) (bool, error) {
	for _, system := range systems {
		for _, architecture := range architectures {
			for _, cgo := range []bool{false, true} {
				c := build.Default
				c.GOOS, c.GOARCH, c.CgoEnabled = system, architecture, cgo
				for _, tags := range [][]string{nil, {"race"}} {
					c.BuildTags = tags
					if match, err := c.MatchFile(p.Dir, name); match || err != nil {
						return match, err
					}
				}
			}
		}
	}
	return false, nil
}

// licences notes what a module's authors want to be handed on with it.
func licences(dir, module string, files map[string]string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	found := false
	for _, e := range entries {
		name := strings.ToUpper(e.Name())
		if !e.Type().IsRegular() || !slices.ContainsFunc([]string{"LICENSE", "LICENCE", "COPYING", "NOTICE", "PATENTS", "AUTHORS"}, func(w string) bool { return strings.HasPrefix(name, w) }) {
			continue
		}
		files[path.Join(module, e.Name())] = filepath.Join(dir, e.Name())
		found = true
	}
	if !found {
		return fmt.Errorf("the module %s has no licence in %s; it must not be handed on without one", module, dir)
	}
	return nil
}

// write writes the bundle: the list of modules, and then the files by name. No time and no owner gets in.
func (b *Bundle) write(w io.Writer, files map[string]string) error {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(windowSize))
	if err != nil {
		return err
	}
	t := tar.NewWriter(z)
	put := func(name string, content []byte) error {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(content)), Format: tar.FormatPAX}); err != nil {
			return err
		}
		_, err := t.Write(content)
		return err
	}
	index, err := json.MarshalIndent(b, "", "\t")
	if err != nil {
		return err
	}
	if err := put(indexName, index); err != nil {
		return err
	}
	for _, m := range b.Modules {
		if err := put(path.Join(m.Path, "go.mod"), fmt.Appendf(nil, "module %s\n\ngo %s\n", m.Path, m.Go)); err != nil {
			return err
		}
	}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		content, err := os.ReadFile(files[name])
		if err != nil {
			return err
		}
		if err := put(name, content); err != nil {
			return err
		}
	}
	return errors.Join(t.Close(), z.Close())
}
