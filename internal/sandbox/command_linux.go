package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
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
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error {
		EndGroup(cmd.Process.Pid)
		return nil
	}
	return cmd, nil
}

// EndGroup kills a process that was started by a Command and everything in its group, at once. It may be called again.
func EndGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

// lookPath finds a program of the system by its name, where Environment's PATH says.
func lookPath(name string) (string, error) {
	if name == "" || filepath.Base(name) != name {
		return "", fmt.Errorf("the path %q is not absolute; write it from the root on", name)
	}
	for _, dir := range []string{"/usr/local/bin", "/usr/bin", "/bin"} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no program %q in /usr/local/bin, /usr/bin or /bin; write its whole path", name)
}
