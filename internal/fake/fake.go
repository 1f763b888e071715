// Package fake runs the program that plays the part of what a plugin talks to, for belfry plugin dev and belfry plugin test.
// Its one promise: a fake that does not say where it is becomes a sentence with its last words, and what a fake started ends
// with it.
package fake

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// What stands in settings for the address of the fake, and for the folder of the file in which they stand.
const (
	Address = "$FAKE"
	Folder  = "$DIR"
)

const (
	// startTime is how long a fake may take until it says where it is; it may have to be compiled first.
	startTime = 3 * time.Minute
	// stopTime is how long it may take to end once it was asked to.
	stopTime = 2 * time.Second
	// longest is how much of a line is kept, in bytes.
	longest = 4 << 10
)

// Command says how a fake is started.
type Command struct {
	Args []string
	// Dir is where it is started; empty means here. Env is added to the environment of this process.
	Dir string
	Env []string
	// Said is told each line that it says, but for the one with its address. It may be called from two goroutines at once.
	Said func(line string)
}

// Process is a fake that runs.
type Process struct {
	// URL is the address that it printed.
	URL *url.URL

	cmd    *exec.Cmd
	cancel context.CancelFunc
	ended  chan struct{}

	mu   sync.Mutex
	last string
}

// Start starts a fake and waits until its first line of output says its address. Its error is a sentence, or the context's;
// then nothing of the fake is left.
func Start(ctx context.Context, c Command) (*Process, error) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	p := &Process{cmd: exec.CommandContext(life, c.Args[0], c.Args[1:]...), cancel: cancel, ended: make(chan struct{})}
	OwnGroup(p.cmd)
	address, said := make(chan string, 1), false
	out := &lines{to: func(line string) {
		if !said {
			said = true
			address <- line
			return
		}
		c.Said(line)
	}}
	complaints := &lines{to: func(line string) {
		p.keep(line)
		c.Said(line)
	}}
	p.cmd.Dir, p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr, p.cmd.WaitDelay = c.Dir, append(os.Environ(), c.Env...), out, complaints, time.Second
	if err := p.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("the fake cannot be started by %q: %w", strings.Join(c.Args, " "), err)
	}
	go func() { // Stop waits for it
		_ = p.cmd.Wait() // what left the group may hold the outputs: they are closed after WaitDelay
		out.end()
		complaints.end()
		close(p.ended)
	}()
	late := time.NewTimer(startTime)
	defer late.Stop()
	var err error
	select {
	case line := <-address:
		if p.URL, err = read(line); err == nil {
			return p, nil
		}
	case <-p.ended:
		select {
		case line := <-address:
			if _, err = read(line); err == nil {
				err = fmt.Errorf("the fake said where it is and ended: %s", p.words())
			}
		default:
			err = fmt.Errorf("the fake ended before it said where it is: %s", p.words())
		}
	case <-late.C:
		err = fmt.Errorf("the fake did not say within %s where it is; its first line has to be its address, like http://127.0.0.1:34567", startTime)
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	p.Stop()
	return nil, err
}

// read reads the first line of a fake.
func read(line string) (*url.URL, error) {
	u, err := url.Parse(line)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("the fake printed %.80q; its first line has to be its address, like http://127.0.0.1:34567", line)
	}
	return u, nil
}

// Running says that the fake has not ended by itself.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Stop asks the fake to end, and kills it and what it started when it does not. It may be called again.
func (p *Process) Stop() {
	askToEnd(p.cmd)
	select {
	case <-p.ended:
	case <-time.After(stopTime):
	}
	p.cancel()
	<-p.ended
	killGroup(p.cmd)
}

func (p *Process) keep(line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.TrimSpace(line) != "" {
		p.last = strings.TrimSpace(line)
	}
}

func (p *Process) words() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == "" {
		return "it said nothing"
	}
	return p.last
}

// lines hands on what is written to it, line by line. It takes everything, so that nobody waits for it.
type lines struct {
	buf []byte
	to  func(line string)
}

// Write implements io.Writer; one goroutine writes.
func (l *lines) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		line, after, whole := bytes.Cut(rest, []byte("\n"))
		l.buf = append(l.buf, line[:min(len(line), longest-len(l.buf))]...)
		if whole {
			l.end()
		}
		rest = after
	}
	return len(b), nil
}

// end hands on what is left of a line.
func (l *lines) end() {
	if len(l.buf) > 0 {
		l.to(strings.ToValidUTF8(strings.TrimRight(string(l.buf), "\r"), "\uFFFD"))
	}
	l.buf = l.buf[:0]
}
