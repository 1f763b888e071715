//go:build linux

package plugintest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/internal/sandbox"
	"github.com/belfry-news/belfry/sdk/plugin"
	"go.uber.org/goleak"
)

// The test binary is also the broken plugins and the fakes of these tests: started with "plugin" and a fault, it serves that.
func TestMain(m *testing.M) {
	sandbox.Main()
	if len(os.Args) == 3 && os.Args[1] == "plugin" {
		serveBroken(os.Args[2])
		return
	}
	if len(os.Args) == 3 && os.Args[1] == "postman" {
		plugin.Serve(postmanSpec(os.Args[2]))
		return
	}
	if len(os.Args) == 2 && os.Args[1] == "office" {
		serveOffice()
		return
	}
	goleak.VerifyTestMain(m)
}

// options are those of a test whose files end with it.
func options(t *testing.T, c pluginhost.Command, kind string) Options {
	t.Helper()
	// A short path, as sockets need it.
	run, err := os.MkdirTemp("", "pt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(run) })
	// The race detector's own memory counts as a plugin's data.
	return Options{Command: c, Kind: kind, RunDir: run, Memory: 1 << 40, Save: filepath.Join(t.TempDir(), "saved"), UserAgent: "belfry-test"}
}

func startFake(t *testing.T, command string) *Fake {
	t.Helper()
	f, err := StartFake(t.Context(), command, func(line string) { t.Log("fake:", line) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func scenario(t *testing.T, path string, fake *Fake) Scenario {
	t.Helper()
	address := ""
	if fake != nil {
		address = fake.URL
	}
	s, err := ReadScenario(path, address, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// broken is what was said of the broken promises of a report, one a line.
func broken(r *Report) string {
	var said []string
	for _, s := range r.Suites {
		for _, c := range s.Results {
			if c.State == Broken {
				said = append(said, s.Name+": "+c.Promise+": "+strings.Join(c.Said, "; "))
			}
		}
	}
	return strings.Join(said, "\n")
}
