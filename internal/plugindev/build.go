package plugindev

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/fake"
)

// build makes the program of a project, as a file of its own: the old one may run on. Its error is a *troubleError where
// the developer mends it, with what the compiler says, file:line and all.
func build(ctx context.Context, dir, out string, s settings) error {
	if s.Program != "" {
		// The name is a new one, so that it is started anew; the file stays where what it imports is.
		return os.Symlink(filepath.Join(dir, s.Program), out)
	}
	command := []string{"go", "build", "-trimpath", "-o", out, "."}
	if len(s.Build) > 0 {
		command = nil
		for _, word := range s.Build {
			command = append(command, strings.ReplaceAll(word, "${out}", out))
		}
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	fake.OwnGroup(cmd)
	var said bytes.Buffer
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &said, &said
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.WaitDelay = 2 * time.Second
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("there is no %s in the PATH of this machine; %s", command[0], howToInstall(command[0]))
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return &troubleError{doesNotBuild, complaint(said.String(), err)}
	}
	if _, err := os.Stat(out); err != nil {
		return &troubleError{doesNotBuild, fmt.Sprintf("the command %q made no program; ${out} in it is the file to make", strings.Join(s.Build, " "))}
	}
	return nil
}

const doesNotBuild = "It does not build"

func howToInstall(program string) string {
	if program == "go" {
		return "this plugin needs Go 1.26 or later: https://go.dev/doc/install"
	}
	return "install it, or name another command in " + SettingsFile
}

var heading = regexp.MustCompile(`(?m)^# \S+( \[\S+\])?\n`)

// mostComplaint is how much of a compiler's words is shown, in bytes.
const mostComplaint = 16 << 10

// complaint is what a compiler says, without its headings.
func complaint(said string, err error) string {
	said = strings.TrimSpace(heading.ReplaceAllString(said, ""))
	if said == "" {
		return err.Error()
	}
	if len(said) > mostComplaint {
		said = strings.ToValidUTF8(said[:mostComplaint], "") + "\n…"
	}
	return said
}
