//go:build unix

package filetree

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// folder makes a folder with a program, a module and links, and gives its path.
func folder(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "plugin")
	for _, d := range []string{dir, filepath.Join(dir, "lib")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	write(t, filepath.Join(dir, "plugin"), "#!/bin/sh\n", 0o755)
	write(t, filepath.Join(dir, "lib", "a.py"), "pass\n", 0o644)
	link(t, "a.py", filepath.Join(dir, "lib", "b.py"))
	link(t, "/usr/bin/env", filepath.Join(dir, "env"))
	return dir
}

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, path string) {
	t.Helper()
	if err := os.Symlink(to, path); err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, root string) Tree {
	t.Helper()
	tree, err := Read(root)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestChanges(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(t *testing.T, dir string)
		want []string
	}{
		"nothing":     {func(*testing.T, string) {}, nil},
		"other times": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "lib", "a.py"), "pass\n", 0o644) }, nil},
		"a file of the same length": {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "lib", "a.py"), "pazz\n", 0o644) },
			[]string{"lib/a.py is another file"}},
		"a new file":      {func(t *testing.T, dir string) { write(t, filepath.Join(dir, "lib", "c.py"), "", 0o644) }, []string{"lib/c.py is new"}},
		"an empty folder": {func(t *testing.T, dir string) { must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755)) }, []string{"d is new"}},
		"a file less": {func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, "lib", "b.py")))
			must(t, os.Remove(filepath.Join(dir, "lib", "a.py")))
		}, []string{"lib/a.py is gone", "lib/b.py is gone"}},
		"other rights": {func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, "lib", "a.py"), 0o755)) },
			[]string{"lib/a.py has other rights (-rwxr-xr-x, and had -rw-r--r--)"}},
		"the rights of the folder": {func(t *testing.T, dir string) { must(t, os.Chmod(dir, 0o700)) }, []string{"it has other rights (drwx------, and had drwxr-xr-x)"}},
		"another link": {func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, "env")))
			link(t, "/usr/bin/true", filepath.Join(dir, "env"))
		}, []string{"env is a link to /usr/bin/true, and was one to /usr/bin/env"}},
		"a copy in the place of a link": {func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Join(dir, "lib", "b.py")))
			write(t, filepath.Join(dir, "lib", "b.py"), "pass\n", 0o644)
		}, []string{"lib/b.py has other rights (-rw-r--r--, and had link)"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t)
			before := mustRead(t, dir)
			tc.do(t, dir)
			after := mustRead(t, dir)
			got := Changes(before, after)
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Error(d)
			}
			if (before.Sum() == after.Sum()) != (len(got) == 0) {
				t.Errorf("the sum does not say what the sentences %q say", got)
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

func TestTheSumOfAFileIsItsDigest(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, "hello", 0o755)
	sum := sha256.Sum256([]byte("hello"))
	if got := mustRead(t, path).Sum(); got != hex.EncodeToString(sum[:]) {
		t.Error(got)
	}
}

func TestTreesThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		do   func(t *testing.T, dir string)
		want string
	}{
		"a file others may write":    {func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, "lib", "a.py"), 0o664)) }, "lib/a.py can be changed by others (mode 0664); take that right away: chmod go-w "},
		"a folder others may write":  {func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, "lib"), 0o777)) }, "lib can be changed by others (mode 0777)"},
		"a folder others may add to": {func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Join(dir, "lib"), 0o777|os.ModeSticky)) }, "lib can be changed by others (mode 0777)"},
		"a link out of it":           {func(t *testing.T, dir string) { link(t, "/etc/hostname", filepath.Join(dir, "out")) }, "out leads out of "},
		"a link out by dots":         {func(t *testing.T, dir string) { link(t, "../../..", filepath.Join(dir, "out")) }, "put a copy in its place"},
		"a link to nothing":          {func(t *testing.T, dir string) { link(t, "none", filepath.Join(dir, "out")) }, "out leads to nothing"},
		"a pipe":                     {func(t *testing.T, dir string) { must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600)) }, "pipe is neither a file nor a folder nor a link"},
		"nothing at all":             {func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) }, "plugin cannot be"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := folder(t)
			tc.do(t, dir)
			if _, err := Read(dir); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}
