package plugindev

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// fake is the process that plays the part of what the plugin talks to.
type fake struct {
	Address string
	cmd     *exec.Cmd
	stdin   io.Closer
	cancel  context.CancelFunc
	ended   chan struct{}
	readers sync.WaitGroup
}

const (
	// fakeStart is how long a fake may take until it says where it is; it may have to be compiled first.
	fakeStart = 3 * time.Minute
	// fakeStop is how long it may take to end once it was asked to.
	fakeStop = 2 * time.Second
)

// startFake starts a fake and waits for its address. What it says afterwards is told line by line.
func startFake(ctx context.Context, dir string, command []string, tell func(line string)) (*fake, error) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	cmd := exec.CommandContext(life, command[0], command[1:]...)
	own(cmd)
	cmd.Dir, cmd.Env, cmd.WaitDelay = dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS="+strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath")), time.Second
	f := &fake{cmd: cmd, cancel: cancel, ended: make(chan struct{})}
	stdin, err1 := cmd.StdinPipe()
	stdout, err2 := cmd.StdoutPipe()
	stderr, err3 := cmd.StderrPipe()
	err := errors.Join(err1, err2, err3)
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		if errors.Is(err, exec.ErrNotFound) {
			return nil, fmt.Errorf("the fake cannot be started: there is no %s in the PATH of this machine; %s", command[0], howToInstall(command[0]))
		}
		return nil, fmt.Errorf("the fake cannot be started by %q: %w", strings.Join(command, " "), err)
	}
	f.stdin = stdin
	address, last := make(chan string, 1), &lastLine{}
	f.readers.Go(func() {
		lines := bufio.NewScanner(stdout)
		for first := true; lines.Scan(); first = false {
			if first {
				address <- lines.Text()
				continue
			}
			tell(lines.Text())
		}
	})
	f.readers.Go(func() {
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			last.set(lines.Text())
			tell(lines.Text())
		}
	})
	go func() { // Stop waits for it
		f.readers.Wait() // Wait closes what they read
		_ = cmd.Wait()
		close(f.ended)
	}()
	timeout := time.NewTimer(fakeStart)
	defer timeout.Stop()
	select {
	case f.Address = <-address:
		if strings.HasPrefix(f.Address, "http://") || strings.HasPrefix(f.Address, "https://") {
			return f, nil
		}
		err = fmt.Errorf("the first line of the fake is %.80q and no address; it has to print one like http://127.0.0.1:4000", f.Address)
	case <-f.ended:
		err = fmt.Errorf("the fake ended before it said where it is: %s", last.get())
	case <-timeout.C:
		err = fmt.Errorf("the fake did not say within %s where it is; its first line has to be its address", fakeStart)
	case <-ctx.Done():
		err = ctx.Err()
	}
	f.Stop()
	return nil, err
}

// running says that the fake has not ended by itself.
func (f *fake) running() bool {
	select {
	case <-f.ended:
		return false
	default:
		return true
	}
}

// Stop ends the fake: it is asked to end, and then it and what it started are killed.
func (f *fake) Stop() {
	if f == nil {
		return
	}
	_ = f.stdin.Close()
	askToEnd(f.cmd)
	select {
	case <-f.ended:
	case <-time.After(fakeStop):
	}
	f.cancel()
	<-f.ended
}

// lastLine is what was said last.
type lastLine struct {
	mu   sync.Mutex
	text string
}

func (l *lastLine) set(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = text
}

func (l *lastLine) get() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.text == "" {
		return "it said nothing"
	}
	return l.text
}
