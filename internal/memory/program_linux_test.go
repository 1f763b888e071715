package memory

import (
	"bufio"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUnwritten(t *testing.T) {
	t.Parallel()
	const smaps = `00400000-00500000 r-xp 00000000 fe:00 12 /opt/my belfry
Size:               1024 kB
Anonymous:             0 kB
00500000-00600000 r--p 00100000 fe:00 12 /opt/my belfry
Anonymous:             4 kB
00600000-00700000 rw-p 00200000 fe:00 12 /opt/my belfry
Anonymous:             0 kB
00700000-00800000 r--p 00000000 fe:00 13 /opt/other
Anonymous:             0 kB
00800000-00900000 r--p 00000000 00:00 0
Anonymous:             0 kB
00900000-00a00000 r--p 00300000 fe:00 12 /opt/my belfry
Anonymous:             0 kB
`
	got := unwritten(bufio.NewScanner(strings.NewReader(smaps)), "/opt/my belfry")
	want := []mapping{{0x400000, 0x500000}, {0x900000, 0xa00000}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(mapping{})); diff != "" {
		t.Error(diff)
	}
}

// The program still runs when its pages were let go of, and some were.
func TestUnmapProgram(t *testing.T) {
	t.Parallel()
	file, err := os.Readlink("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	defer maps.Close()
	if len(unwritten(bufio.NewScanner(maps), file)) == 0 {
		t.Error("nothing of the program was found")
	}
	for range 20 {
		unmapProgram()
	}
}
