//go:build linux && !race

package pluginhost

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/sdk"
)

// testMemory is the limit of the plugins of these tests, in bytes.
const testMemory = 512 << 20

// memoryCulprits are those of the suite that need a limit of memory.
func memoryCulprits() []culprit {
	return []culprit{{name: "allocates without end", do: "eat memory", code: sdk.CodeUnavailable, says: "broke off the call", ends: true}}
}

func TestMemoryIsLimited(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) { c.Limits.Memory = 256 << 20 })
	good := f.bad("good", "nothing")
	mustFetch(t, good)
	// The liar does not limit itself; the host does.
	if err := f.Warm(t.Context(), "liar"); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"bad", "liar"} {
		limits, err := os.ReadFile(filepath.Join("/proc", f.status(kind).PID, "limits"))
		if err != nil || !strings.Contains(string(limits), fmt.Sprintf("Max data size             %d", 256<<20)) {
			t.Errorf("%s: %v\n%s", kind, err, limits)
		}
	}
	_, err := f.bad("culprit", "eat memory").Fetch(t.Context(), sdk.FetchRequest{})
	wantCode(t, err, sdk.CodeUnavailable)
	if !strings.Contains(f.log.String(), "out of memory") && !strings.Contains(f.log.String(), "cannot allocate memory") {
		t.Errorf("the log:\n%s", f.log)
	}
	mustFetch(t, good)
}
