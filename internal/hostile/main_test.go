package hostile

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// builtHere names the binary to a test that runs in namespaces of its own.
const builtHere = "BELFRY_HOSTILE_PROGRAM"

// TestMain builds the real binary once.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.parallel"); f.Value.String() == f.DefValue { // these tests wait more than they work
		_ = f.Value.Set("4")
	}
	os.Exit(func() int {
		if os.Getenv(builtHere) != "" {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "belfry-hostile-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		program := filepath.Join(dir, "belfry")
		cmd := exec.Command("go", "build", "-o", program, "github.com/belfry-news/belfry/cmd/belfry")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
			return 1
		}
		if err := os.Setenv(builtHere, program); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// program is the real binary.
func program() string { return os.Getenv(builtHere) }
