package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/belfry-news/belfry/internal/memory"
)

// watcherName stands in a watcher's arguments where a command would; Belfry has none of that name.
const watcherName = "plugin-host"

// watcherWord is all that a watcher's environment says besides GOMAXPROCS. Nobody has it in a shell.
const watcherWord = "BELFRY_WATCHER=of-a-plugin-host"

// Watch starts a process that ends what programs started (EndStrays) as soon as this one is gone: when it is killed, nothing else
// does, since the kernel ends with it only what it started itself. folder is that of all programs, as FolderPrefix and FolderLock
// say. Close ends the watching.
func Watch(folder string) (io.Closer, error) {
	if !mainCalled.Load() {
		return nil, errors.New("this program cannot watch itself: its main does not call sandbox.Main")
	}
	if err := watchable(folder); err != nil {
		return nil, err
	}
	end, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer end.Close()
	cmd := exec.Command("/proc/self/exe", watcherName, "watch", folder)
	cmd.Env = []string{"GOMAXPROCS=1", watcherWord} // which name no folder
	cmd.Stdin = end
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what is sent to this group is not meant for it
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, ours.Close())
	}
	return &watcher{cmd: cmd, ours: ours}, nil
}

// watcher is the process, and the end of its input that the kernel closes with this process.
type watcher struct {
	cmd  *exec.Cmd
	ours *os.File
	once sync.Once
}

// slowEnd is how long a watcher may take to end.
const slowEnd = 2 * time.Second

// Close implements io.Closer.
func (w *watcher) Close() (err error) {
	w.once.Do(func() {
		err = w.ours.Close()
		kill := time.AfterFunc(slowEnd, func() { _ = w.cmd.Process.Kill() })
		defer kill.Stop()
		_ = w.cmd.Wait() // how it ended does not matter
	})
	return err
}

// watch is what the process does. It ends processes by what stands in their environments, so it does nothing unless Watch started it.
func watch(folder string) error {
	in, err := os.Stdin.Stat()
	if err != nil || in.Mode()&os.ModeNamedPipe == 0 || !slices.Contains(os.Environ(), watcherWord) {
		return errors.New("this is what Belfry starts beside its plugins, to end what they leave behind; it is no command")
	}
	if err := watchable(folder); err != nil {
		return err
	}
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	memory.GiveBack() // starting touched most of the program's pages, and it does nothing but wait
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	EndStrays(folder)
	return nil
}

// watchable says of a folder that is none of programs what is missing.
func watchable(folder string) error {
	info, err := os.Lstat(filepath.Join(folder, FolderLock))
	if err != nil || !info.Mode().IsRegular() || !filepath.IsAbs(folder) || !strings.HasPrefix(filepath.Base(folder), FolderPrefix) {
		return fmt.Errorf("%s is no folder of plugins, and nothing of it is watched", folder)
	}
	return nil
}
