//go:build linux

package pluginhost

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/filetree"
	"github.com/belfry-news/belfry/sdk"
)

// buildExample builds the third party's plugin of this repository, offline, and gives its path and digest.
func buildExample(t *testing.T) (path, digest string) {
	t.Helper()
	source, err := filepath.Abs("../../plugins/example")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, name := range []string{"go.mod", "go.sum"} {
		b, err := os.ReadFile(filepath.Join(source, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path = filepath.Join(dir, "notes")
	// A copy of go.mod may follow the main module's, so that an update there does not break this build.
	cmd := exec.Command("go", "build", "-mod=mod", "-modfile="+filepath.Join(dir, "go.mod"), "-o", path, ".")
	cmd.Dir = source
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOPROXY=off", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the example does not build: %v\n%s", err, out)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	return path, hex.EncodeToString(sum[:])
}

func TestAThirdPartysPlugin(t *testing.T) {
	t.Parallel()
	path, digest := buildExample(t)
	folder := t.TempDir()
	command := Command{Path: path, Foreign: true, SHA256: digest, Read: []string{folder}}
	f := newFixture(t, func(c *Config) {
		c.Command = func(kind string) (Command, error) {
			if kind != "notes" {
				return Command{}, errors.New("no plugin of that name is configured")
			}
			return command, nil
		}
	})
	d, err := f.Describe(t.Context(), "notes")
	if err != nil {
		t.Fatal(err)
	}
	if d.Type != "notes" || len(d.Roles) != 1 || d.Roles[0] != sdk.RoleSource || !strings.Contains(string(d.Schema), `"folder"`) || len(d.Fields) != 5 {
		t.Errorf("%+v", d)
	}
	_, err = f.Open(t.Context(), "notes", nil, sdk.Settings{Instance: "notes"}, map[string]any{"folder": "notes", "mx": sdk.Untyped("1")})
	if ps := (sdk.Problems{}); !errors.As(err, &ps) || !strings.Contains(err.Error(), `did you mean "max"`) {
		t.Errorf("got %v", err)
	}

	if err := os.WriteFile(filepath.Join(folder, "fire.txt"), []byte("Fire at the station\n\nTrains do not run.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	conn, err := f.Open(t.Context(), "notes", nil, sdk.Settings{Instance: "notes"}, map[string]any{"folder": folder})
	if err != nil {
		t.Fatal(err)
	}
	b := mustFetch(t, source(t, conn))
	if len(b.Items) != 1 || b.Items[0].Title != "Fire at the station" || !b.Complete {
		t.Errorf("%+v", b)
	}
	_, err = f.Open(t.Context(), "other", nil, sdk.Settings{Instance: "x"}, nil)
	wantCode(t, err, sdk.CodeUnavailable, "plugin other: it cannot be started: no plugin of that name is configured")
}

// TestATreeIsReadOnceAStart: the launcher compares it, and the host reads it only to say what changed. It counts what this
// process reads, and so runs beside no other test.
func TestATreeIsReadOnceAStart(t *testing.T) {
	folder := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "plugin")
	if err := os.Link(self, program); err != nil { // another file system
		b, err := os.ReadFile(self)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(program, b, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const size = 64 << 20
	large := filepath.Join(folder, "large")
	if err := os.WriteFile(large, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, size); err != nil {
		t.Fatal(err)
	}
	tree, err := filetree.Read(folder)
	if err != nil {
		t.Fatal(err)
	}
	read := func() int64 {
		t.Helper()
		var n int64
		b, err := os.ReadFile("/proc/self/io")
		if err == nil {
			_, err = fmt.Sscanf(string(b), "rchar: %d", &n)
		}
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	explained := errors.New("the file large is another one")
	f := newFixture(t, func(c *Config) {
		c.Command = func(kind string) (Command, error) {
			return Command{Path: program, Args: []string{"plugin", kind}, Foreign: true, Folder: folder, SHA256: tree.Sum(),
				Explain: func(filetree.Tree) error { return explained }}, nil
		}
	})
	before := read()
	if _, err := f.Describe(t.Context(), "good"); err != nil {
		t.Fatal(err)
	}
	if n := read() - before; n > size/2 {
		t.Errorf("the host read %d MiB to start a plugin whose files are as they were", n>>20)
	}
	if err := os.Truncate(large, size-1); err != nil {
		t.Fatal(err)
	}
	f.Renew("good")
	_, err = f.Describe(t.Context(), "good")
	wantCode(t, err, sdk.CodeUnavailable, "it cannot be started: the file large is another one")
}

func TestForeignFilesAreChecked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	sum := sha256.Sum256([]byte("#!/bin/sh\n"))
	digest := hex.EncodeToString(sum[:])
	good, loose, inLoose := file("good", 0o755), file("loose", 0o775), file("folder/x", 0o755)
	if err := os.Chmod(filepath.Dir(inLoose), 0o777); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(loose, link); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		command Command
		want    string
	}{
		"good":                 {Command{Path: good, SHA256: digest}, ""},
		"an upper-case digest": {Command{Path: good, SHA256: strings.ToUpper(digest)}, ""},
		"without a digest":     {Command{Path: good}, ""},
		"another digest":       {Command{Path: good, SHA256: strings.Repeat("0", 64)}, "has the SHA-256 " + digest},
		"a loose file":         {Command{Path: loose}, "loose can be changed by others (mode 0775); take that right away: chmod go-w"},
		"a link to it":         {Command{Path: link}, "loose can be changed by others"},
		"a loose folder":       {Command{Path: inLoose}, "folder can be changed by others (mode 0777)"},
		"a relative path":      {Command{Path: "good"}, "is not absolute"},
		"nothing":              {Command{Path: filepath.Join(dir, "nothing")}, "cannot be found"},
		"a folder":             {Command{Path: dir}, "is no file"},
		"no program":           {Command{Path: file("text", 0o644)}, "is no program: nobody may execute it"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.command.Foreign = true
			err := Verify(tc.command)
			if (err == nil) != (tc.want == "") || err != nil && !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
	if err := Verify(Command{Path: loose}); err != nil {
		t.Errorf("Belfry's own executable was refused: %v", err)
	}
	if os.Geteuid() == 0 {
		stranger := file("stranger", 0o755)
		if err := os.Chown(stranger, 4711, 4711); err != nil {
			t.Fatal(err)
		}
		if err := Verify(Command{Path: stranger, Foreign: true}); err == nil || !strings.Contains(err.Error(), "belongs to another user (uid 4711)") {
			t.Errorf("got %v", err)
		}
	}
}

func TestAChangedFileIsNotStarted(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "plugin")
	before, after := "#!/bin/sh\nexit 0\n", "#!/bin/sh\ntouch "+path+"-ran\n"
	sum := sha256.Sum256([]byte(before))
	if err := os.WriteFile(path, []byte(after), 0o700); err != nil {
		t.Fatal(err)
	}
	f := newFixture(t, func(c *Config) {
		c.Command = func(string) (Command, error) {
			return Command{Path: path, Foreign: true, SHA256: hex.EncodeToString(sum[:])}, nil
		}
	})
	_, err := f.Describe(t.Context(), "notes")
	wantCode(t, err, sdk.CodeUnavailable, "not the one in the configuration", "if you updated it, write the new one there")
	if exists(path + "-ran") {
		t.Error("the file was started")
	}
}
