package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// launcher is the command of this program as the launcher.
func launcher(ctx context.Context, order, _ string, _ []string) (*exec.Cmd, error) {
	if !mainCalled.Load() {
		return nil, errors.New("this program cannot launch others: its main does not call sandbox.Main")
	}
	// The same file again, even after it was replaced.
	self := "/proc/self/exe"
	if _, err := os.Stat(self); err != nil {
		return nil, fmt.Errorf("this program's own file cannot be found, because /proc is not there: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, "plugin", "launch", order)
	OwnGroup(cmd)
	return cmd, nil
}

// OwnGroup gives a program a group of its own, which the end of its command's context kills as a whole. The program is killed at
// the death of the thread that starts it, too.
func OwnGroup(cmd *exec.Cmd) {
	ownGroup(cmd)
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
}

// lookPath finds a program of the system by its name, where Environment's PATH says.
func lookPath(name string) (string, error) {
	if name == "" || filepath.Base(name) != name {
		return "", fmt.Errorf("the path %q is not absolute; write it from the root on", name)
	}
	for _, dir := range folders {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no program %q in any of %s; write its whole path", name, strings.Join(folders, ", "))
}
