package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/plugins/exec"
)

// withExamples tells a script where the commands are that are shipped as examples.
func withExamples(vars []string) ([]string, error) {
	path, err := filepath.Abs("../../plugins/exec/example")
	return append(vars, "EXAMPLES="+path), err
}

// A command reads what it was given by name and nothing else, where the system can confine it; where it cannot, that is said.
func TestACommandIsConfined(t *testing.T) {
	t.Parallel()
	s := commandSandbox()
	dir := t.TempDir()
	given, other, folder := filepath.Join(dir, "given"), filepath.Join(dir, "other"), filepath.Join(dir, "run")
	for _, path := range []string{given, other} {
		if err := os.WriteFile(path, []byte("the words of "+filepath.Base(path)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	read := func(path string) string {
		cmd, err := s.Command(context.Background(), exec.Program{Path: "cat", Args: []string{path}, Read: []string{given}, Folder: folder, Memory: -1})
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.CombinedOutput()
		if path == given && err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return string(out)
	}
	if got := read(given); got != "the words of given" {
		t.Errorf("the command reads %q", got)
	}
	lacking := s.Lacking()
	if got := read(other); strings.Contains(got, "the words of other") != (lacking != "") {
		t.Errorf("the command reads %q of a file that it was not given, and what the system lacks is %q", got, lacking)
	}
	if lacking != "" && !strings.Contains(lacking, "plugins can open every file") {
		t.Errorf("what the system lacks is %q", lacking)
	}
	loose := filepath.Join(dir, "loose")
	if err := os.WriteFile(loose, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(loose, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(loose); err == nil || !strings.Contains(err.Error(), "loose can be changed by others") {
		t.Errorf("a program that everybody may change: %v", err)
	}
	if err := s.Check(filepath.Join(dir, "nothing")); err == nil {
		t.Error("a program that is not there passes")
	}
}
