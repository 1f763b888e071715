package scaffold

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// pages are what a project in Python has besides the files of the example.
//
//go:embed all:python
var pages embed.FS

// ofExample are the files of the example that a project is made of, with the names that they get.
var ofExample = map[Kind][][2]string{
	Source:    {{"notes.py", sampleName + ".py"}, {"notes.test.yaml", "test.yaml"}},
	Connector: {{"board.py", sampleName + ".py"}, {"fake_board.py", "fake.py"}, {"board.test.yaml", "test.yaml"}},
}

// exampleNames stand in the example for the names of a project.
var exampleNames = strings.NewReplacer("notes-py", sampleName, "board-py", sampleName, "notes.test.yaml", "test.yaml", "board.test.yaml", "test.yaml",
	"fake_board.py", "fake.py", "./notes.py", "./"+sampleName+".py", "./board.py", "./"+sampleName+".py")

// writePython writes a project in Python. The example is its one source: what is mended there is mended here.
func (o *Options) writePython(into string, p *Project) error {
	copied := func(from fs.FS, name, to string, names *strings.Replacer) error {
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return fmt.Errorf("the example in Python: %w", err)
		}
		if names != nil {
			text = []byte(names.Replace(string(text)))
		}
		return o.put(into, p, strings.ReplaceAll(to, sampleName, o.Name), o.fill(text))
	}
	for _, f := range ofExample[o.Kind] {
		if err := copied(o.Python, f[0], f[1], exampleNames); err != nil {
			return err
		}
	}
	if err := copied(o.Python, "belfry_plugin.py", "belfry_plugin.py", nil); err != nil {
		return err
	}
	err := fs.WalkDir(o.Python, "belfry", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return copied(o.Python, name, name, nil)
	})
	if err != nil {
		return err
	}
	root := path.Join("python", string(o.Kind))
	return fs.WalkDir(pages, root, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return copied(pages, name, strings.TrimPrefix(name, root+"/"), nil)
	})
}
