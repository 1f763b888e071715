package deptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// listed is a package as the go command lists it.
type listed struct {
	ImportPath, Dir, Name, Export string
	Standard, DepOnly             bool
	GoFiles, IgnoredGoFiles       []string
	Imports                       []string
}

// tree is the module with everything it is built of.
type tree struct {
	all      map[string]listed
	fset     *token.FileSet
	importer types.Importer
	// shipped are the packages of which a program of the module is built.
	shipped map[string]bool
}

// load lists the module's packages, without tests, and all their dependencies; more are packages that are wanted besides.
func load(t *testing.T, more ...string) *tree {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-export", "-deps", "-json=ImportPath,Dir,Name,Export,Standard,DepOnly,GoFiles,IgnoredGoFiles,Imports", "./..."}, more...)...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as it is released
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	tr := &tree{all: map[string]listed{}, fset: token.NewFileSet(), shipped: map[string]bool{}}
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		tr.all[p.ImportPath] = p
	}
	tr.importer = importer.ForCompiler(tr.fset, "gc", func(path string) (io.ReadCloser, error) {
		file := tr.all[path].Export
		if file == "" {
			return nil, fmt.Errorf("nothing is known of %s", path)
		}
		return os.Open(file)
	})
	var ship func(string)
	ship = func(path string) {
		if tr.shipped[path] {
			return
		}
		tr.shipped[path] = true
		for _, i := range tr.all[path].Imports {
			ship(i)
		}
	}
	for _, p := range tr.ours() {
		if p.Name == "main" {
			ship(p.ImportPath)
		}
	}
	return tr
}

// ours are the module's own packages, sorted.
func (tr *tree) ours() []listed {
	var out []listed
	for _, path := range slices.Sorted(maps.Keys(tr.all)) {
		if strings.HasPrefix(path, module) && !tr.all[path].DepOnly {
			out = append(out, tr.all[path])
		}
	}
	return out
}

// reaches reports whether a package is built of another one.
func (tr *tree) reaches(from, to string) bool {
	seen := map[string]bool{}
	var walk func(string) bool
	walk = func(path string) bool {
		if path == to {
			return true
		}
		if seen[path] {
			return false
		}
		seen[path] = true
		return slices.ContainsFunc(tr.all[path].Imports, walk)
	}
	return walk(from)
}

// check type-checks files of one package.
func (tr *tree) check(path string, files ...*ast.File) (*types.Info, error) {
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	_, err := (&types.Config{Importer: tr.importer}).Check(path, tr.fset, files, info)
	return info, err
}

// source is one file of a package. What other systems build is not type-checked, and has no types.
type source struct {
	at    string // below the module
	tree  *ast.File
	types *types.Info
}

// sources parses a package.
func (tr *tree) sources(t *testing.T, p listed) []source {
	t.Helper()
	read := func(names []string) (files []*ast.File) {
		for _, name := range names {
			f, err := parser.ParseFile(tr.fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		return files
	}
	here := read(p.GoFiles)
	info, err := tr.check(p.ImportPath, here...)
	if err != nil {
		t.Fatal(err)
	}
	var out []source
	name := strings.TrimPrefix(p.ImportPath, module)
	for i, f := range here {
		out = append(out, source{name + "/" + p.GoFiles[i], f, info})
	}
	elsewhere := slices.DeleteFunc(slices.Clone(p.IgnoredGoFiles), func(name string) bool { return strings.HasSuffix(name, "_test.go") })
	for i, f := range read(elsewhere) {
		out = append(out, source{name + "/" + elsewhere[i], f, nil})
	}
	return out
}
