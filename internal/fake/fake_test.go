//go:build unix

package fake

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func shell(script string, said func(string)) Command {
	return Command{Args: []string{"/bin/sh", "-c", script}, Said: said}
}

func silent(string) {}

func TestFakesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ command, says string }{
		"it ends":                 {"echo compiling >&2; echo 'no such module' >&2; exit 3", "the fake ended before it said where it is: no such module"},
		"it ends in mid-line":     {"printf 'no such module' >&2; exit 3", "the fake ended before it said where it is: no such module"},
		"it ends without a word":  {"exit 3", "the fake ended before it said where it is: it said nothing"},
		"no address":              {"echo hello; sleep 1000", `the fake printed "hello"; its first line has to be its address, like http://127.0.0.1:34567`},
		"no address, and it ends": {"echo hello", `the fake printed "hello"; its first line has to be its address`},
		"another protocol":        {"echo ftp://127.0.0.1; sleep 1000", `the fake printed "ftp://127.0.0.1"; its first line has to be its address`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if p, err := Start(t.Context(), shell(tc.command, silent)); err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("got %v, the error is %v, wanted is %s", p, err, tc.says)
			}
		})
	}
	t.Run("there is no such program", func(t *testing.T) {
		t.Parallel()
		if _, err := Start(t.Context(), Command{Args: []string{"no-such-fake-anywhere"}, Said: silent}); !errors.Is(err, exec.ErrNotFound) {
			t.Errorf("the error is %v", err)
		}
	})
	t.Run("nobody waits for it any more", func(t *testing.T) {
		t.Parallel()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Start(ctx, shell("sleep 1000", silent)); !errors.Is(err, context.Canceled) {
			t.Errorf("the error is %v", err)
		}
	})
}

// TestWhatItSays: the lines after the address are handed on, and one that is longer than any buffer holds nobody up.
func TestWhatItSays(t *testing.T) {
	t.Parallel()
	said := make(chan string, 10)
	p, err := Start(t.Context(), shell("echo http://127.0.0.1:1/api; head -c 1000000 /dev/zero | tr '\\0' x; echo; echo done; sleep 1000", func(line string) { said <- line }))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Stop()
	if p.URL.String() != "http://127.0.0.1:1/api" {
		t.Errorf("it is at %s", p.URL)
	}
	if line := <-said; len(line) != longest || strings.Trim(line, "x") != "" {
		t.Errorf("a long line is %.20q, %d bytes of it", line, len(line))
	}
	if line := <-said; line != "done" {
		t.Errorf("then it said %q", line)
	}
	if !p.Running() {
		t.Error("it has ended")
	}
}

// TestWhatAFakeStartedEndsWithIt: "go run" starts what it has built. What is asked to end may take its time to, in vain.
func TestWhatAFakeStartedEndsWithIt(t *testing.T) {
	t.Parallel()
	for name, trap := range map[string]string{"it ends as asked": "", "its child does not": "trap '' TERM; "} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			held := filepath.Join(t.TempDir(), "held")
			if err := syscall.Mkfifo(held, 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := Start(t.Context(), shell("("+trap+"sleep 1000) > "+held+" & echo http://127.0.0.1:1; wait", silent))
			if err != nil {
				t.Fatal(err)
			}
			child, err := os.Open(held)
			if err != nil {
				t.Fatal(err)
			}
			defer child.Close()
			p.Stop()
			if _, err := io.ReadAll(child); err != nil { // ends with the last process that could write
				t.Error(err)
			}
			if p.Running() {
				t.Error("it still runs")
			}
		})
	}
}
