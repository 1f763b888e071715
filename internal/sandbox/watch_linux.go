package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/belfry-news/belfry/internal/memory"
)

// Watch starts a process that ends what programs started (EndStrays) as soon as this one is gone: when it is killed, nothing else
// does, since the kernel ends with it only what it started itself. folder is that of all programs. Close ends the watching.
func Watch(folder string) (io.Closer, error) {
	if !mainCalled.Load() {
		return nil, errors.New("this program cannot watch itself: its main does not call sandbox.Main")
	}
	end, ours, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer end.Close()
	cmd := exec.Command("/proc/self/exe", "plugin", "watch", folder)
	cmd.Env = []string{"GOMAXPROCS=1"} // which names no folder
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

// watch is what the process does.
func watch(folder string) {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	memory.GiveBack() // starting touched most of the program's pages, and it does nothing but wait
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	EndStrays(folder)
}
