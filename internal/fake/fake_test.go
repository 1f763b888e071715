//go:build unix

package plugintest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestFakesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ command, says string }{
		"it ends":                {"echo compiling >&2; echo 'no such module' >&2; exit 3", "the fake ended before it said where it is: no such module"},
		"it ends without a word": {"exit 3", "the fake ended before it said where it is: it said nothing"},
		"no address":             {"echo hello; sleep 1000", `the fake printed "hello"; its first line has to be its address`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			if _, err := StartFake(t.Context(), tc.command, &log); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("the error is %v, wanted is %s", err, tc.says)
			}
		})
	}
	t.Run("nobody waits for it any more", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := StartFake(ctx, "sleep 1000", io.Discard); !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
	})
}

// TestWhatAFakeStartedEndsWithIt: "go run" starts what it has built, and passes no signal on that it cannot catch.
func TestWhatAFakeStartedEndsWithIt(t *testing.T) {
	t.Parallel()
	held := filepath.Join(t.TempDir(), "held")
	if err := syscall.Mkfifo(held, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := StartFake(t.Context(), "sleep 1000 > "+held+" & echo http://127.0.0.1:1; wait", io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	child, err := os.Open(held)
	if err != nil {
		t.Fatal(err)
	}
	defer child.Close()
	f.Close()
	if _, err := io.ReadAll(child); err != nil { // ends with the last process that could write
		t.Error(err)
	}
}
