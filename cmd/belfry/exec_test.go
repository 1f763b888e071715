//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/plugins/exec"
	"github.com/belfry-news/belfry/sdk"
)

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

// openCommand opens a source that runs a command in the sandbox of the program.
func openCommand(t *testing.T, config map[string]any) sdk.Source {
	t.Helper()
	config["unconfined"] = true // confined as far as the system goes
	conn, err := exec.Spec(commandSandbox()).Open(t.Context(), sdk.Settings{Instance: "cms"}, config)
	if err != nil {
		t.Fatal(err)
	}
	source, ok := sdk.As[sdk.Source](conn)
	if !ok {
		t.Fatal("no source")
	}
	return source
}

func TestACommandHasLimits(t *testing.T) {
	t.Parallel()
	s := openCommand(t, map[string]any{"command": []any{"python3", "-c", "x = bytearray(1 << 30)"}, "memory": sdk.Untyped("128")})
	_, err := s.Fetch(t.Context(), sdk.FetchRequest{Now: time.Now()})
	if e := sdk.AsError(err); e == nil || e.Code != sdk.CodeUnavailable || e.Public != "the command ended with exit code 1: MemoryError" {
		t.Errorf("got %v", err)
	}
}

// What a command leaves behind ends with it, also in a session of its own that holds none of its outputs.
func TestACommandLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	s := openCommand(t, map[string]any{"command": []any{"sh", "-c", `setsid sleep 300 >/dev/null 2>&1 & echo "{\"notice\":\"$!\"}"; echo '{"cursor":1}'`}})
	b, err := s.Fetch(t.Context(), sdk.FetchRequest{Now: time.Now()})
	if err != nil || len(b.Notices) == 0 {
		t.Fatalf("%+v, %v", b, err)
	}
	if last := b.Notices[len(b.Notices)-1]; !strings.Contains(last, "left processes behind, which were ended") {
		t.Errorf("the notices are %q", b.Notices)
	}
	pid := b.Notices[len(b.Notices)-2]
	for until := time.Now().Add(2 * time.Minute); ; time.Sleep(5 * time.Millisecond) {
		stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
		if err != nil || strings.Contains(string(stat), ") Z ") {
			break
		}
		if time.Now().After(until) {
			t.Fatalf("process %s goes on", pid)
		}
	}
}
