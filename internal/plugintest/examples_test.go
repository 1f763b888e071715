//go:build linux

package plugintest

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/internal/wire/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// copied copies the files of an example to where only this user may change them, as plugins have to lie.
func copied(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(from, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(to, rel)), 0o755); err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), b, info.Mode().Perm()&0o755)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// buildGo builds the Go example in its own module, offline.
func buildGo(t *testing.T, folder string, programs ...string) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	mod, err := os.ReadFile(filepath.Join(folder, "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "go.mod"), []byte(strings.Replace(string(mod), "=> ../..", "=> "+root, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", append([]string{"build", "-mod=mod", "-o", "bin/"}, programs...)...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOPROXY=off", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("the example does not build: %v\n%s", err, out)
	}
	return filepath.Join(folder, "bin")
}

// TestExamples runs the very same suites on finished programs in two languages, over the real protocol.
func TestExamples(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		folder, program, kind, scenario, fake string
		roles                                 string
		least                                 int
	}{
		"Go":                  {"../../plugins/example", "", "notes", "test.yaml", "", "source", 25},
		"a messenger in Go":   {"../../plugins/example", "pager", "pager", "pager/test.yaml", "", "messenger receiver listener", 48},
		"a source in Python":  {"../../plugins/example-python", "notes.py", "notes-py", "notes.test.yaml", "", "source", 25},
		"a messenger, Python": {"../../plugins/example-python", "pager.py", "pager-py", "pager.test.yaml", "fake_pager.py", "messenger receiver listener", 48},
		"a connector, Python": {"../../plugins/example-python", "board.py", "board-py", "board.test.yaml", "fake_board.py", "resolver publisher editor deleter finder", 73},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			folder := copied(t, tc.folder)
			path := filepath.Join(folder, tc.program)
			if tc.program == "" {
				path = filepath.Join(buildGo(t, folder, "."), "notes")
			}
			if tc.program == "pager" {
				path, tc.fake = filepath.Join(buildGo(t, folder, "./pager", "./pager/fake"), "pager"), "bin/fake"
			}
			o := options(t, pluginhost.Command{Path: path, Foreign: true}, tc.kind)
			if tc.fake != "" {
				o.Fake = startFake(t, filepath.Join(folder, tc.fake))
			}
			o.Scenario = scenario(t, filepath.Join(folder, tc.scenario), o.Fake)
			r, err := Run(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			if said := broken(r); said != "" {
				t.Errorf("broken:\n%s", said)
			}
			if strings.Join(r.Roles, " ") != tc.roles || r.Held < tc.least {
				t.Errorf("%d promises held, wanted are %d; roles %v", r.Held, tc.least, r.Roles)
			}
		})
	}
}

// TestOddEntriesOfThePagerInPython: what cannot be read keeps nobody else from being heard, and costs a STOP no more than its time.
// The example in Go has the same test (plugins/example/pager).
func TestOddEntriesOfThePagerInPython(t *testing.T) {
	t.Parallel()
	const program = `
import json
import pager

heard = pager.told_of(json.loads(r"""[
    {"number": 1, "id": "i1", "kind": "wrote"}, {"number": 2, "id": "i2", "kind": "wrote", "from": 7}, 17, null, {"id": "i3", "kind": "wrote", "from": "x"},
    {"number": 4, "id": ["i4"], "kind": "wrote", "from": "x"}, {"number": 5, "id": "i5", "kind": "wrote", "from": "x", "text": {"a": 1}},
    {"number": 6, "id": "i6", "kind": "blocked", "from": "x", "at": "yesterday"}, {"number": 7, "id": "i7", "kind": "wrote", "from": "x", "text": null, "at": 17},
    {"number": 8, "id": "i8", "kind": "wrote", "from": "x", "text": "START", "at": "2026-03-29T05:00:00Z"}, {"number": "9"}]"""))
for what, behind in heard:
    print(behind.decode(), "-" if what is None else f'{what.kind} "{what.text}" {what.HasField("at")}')
try:
    pager.told_of([{"id": "i1", "kind": "wrote", "from": "x"}])
    print("it goes on")
except ValueError as fault:
    print(fault)
`
	cmd := exec.Command("/usr/bin/python3", "-B", "-c", program)
	cmd.Dir = "../../plugins/example-python"
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if want := "1 -\n2 -\n4 -\n5 -\n6 stop \"\" False\n7 message \"\" False\n8 message \"START\" True\nnothing of it has a number\n"; string(out) != want {
		t.Errorf("got:\n%swant:\n%s", out, want)
	}
}

// TestThePythonExampleAnswersBelfryOnly: whoever finds the socket of a plugin without a certificate does not know the token.
func TestThePythonExampleAnswersBelfryOnly(t *testing.T) {
	t.Parallel()
	folder := copied(t, "../../plugins/example-python")
	cmd := exec.Command(filepath.Join(folder, "notes.py"))
	cmd.Env = []string{wire.CookieKey + "=" + wire.CookieValue, "PLUGIN_UNIX_SOCKET_DIR=" + folder, "PLUGIN_PROTOCOL_VERSIONS=1", wire.EnvToken + "=the-token"}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	parts := strings.Split(line, "|")
	if err != nil || len(parts) != 6 {
		t.Fatalf("the handshake is %q, %v", line, err)
	}
	conn, err := grpc.NewClient("unix:"+parts[3], grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for said, want := range map[string]codes.Code{"": codes.Unauthenticated, "another": codes.Unauthenticated, "the-token": codes.OK} {
		ctx := t.Context()
		if said != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, wire.TokenHeader, said)
		}
		_, err := wire.NewPluginClient(conn).Describe(ctx, &wire.DescribeRequest{}, grpc.WaitForReady(true))
		if status.Code(err) != want {
			t.Errorf("with the token %q: %v, want %s", said, err, want)
		}
	}
}
