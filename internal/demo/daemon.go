package demo

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"time"
)

// daemon runs `belfry run` as a process of its own, in a group of its own, and starts it again when it ends by itself.
type daemon struct {
	binary string
	dir    string
	env    []string
	log    io.Writer
	// trouble is told, in a sentence, what a person should know; changed, that it came or went.
	trouble func(sentence string)
	changed func()

	mu      sync.Mutex
	run     *process // nil while it does not run
	address string   // where it serves; empty while it does not
	wanted  bool     // whether it is to run
	closed  bool     // that it is never to run again
	fails   int      // how often it ended by itself shortly after its start
	waiting sync.WaitGroup
}

// process is one run of the daemon.
type process struct {
	cmd     *exec.Cmd
	started time.Time
	ready   chan struct{} // closed when it serves
	ended   chan struct{} // closed when it is gone
	err     error         // why; set before ended is closed
	last    string        // the last thing it complained about
}

const (
	readyTime = 30 * time.Second
	stopTime  = 8 * time.Second
	// steady is how long a run lasts that counts as a good start.
	steady = 20 * time.Second
	// mostFails is after how many bad starts nobody tries again.
	mostFails = 5
)

// Start starts the daemon and waits until it serves.
func (d *daemon) Start(ctx context.Context) error {
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		return errors.New("the demonstration is being stopped")
	}
	d.wanted = true
	p, err := d.spawn()
	d.mu.Unlock()
	if err != nil {
		return err
	}
	return d.await(ctx, p)
}

// await waits until a run serves.
func (d *daemon) await(ctx context.Context, p *process) error {
	ctx, cancel := context.WithTimeout(ctx, readyTime)
	defer cancel()
	select {
	case <-p.ready:
		return nil
	case <-p.ended:
		return fmt.Errorf("the daemon ended at its start: %s", p.complaint())
	case <-ctx.Done():
		return fmt.Errorf("the daemon does not serve after %s; its log: %s/daemon.log", readyTime, d.dir)
	}
}

func (p *process) complaint() string {
	if p.last != "" {
		return p.last
	}
	if p.err != nil {
		return p.err.Error()
	}
	return "it said nothing"
}

// spawn starts a run; the lock is held.
func (d *daemon) spawn() (*process, error) {
	cmd := exec.Command(d.binary, "run", "--json", "--config", "belfry.yaml")
	// Its name is its own even where the file has another one.
	cmd.Args[0] = "belfry"
	cmd.Dir, cmd.Env, cmd.SysProcAttr = d.dir, d.env, processAttributes()
	cmd.WaitDelay = time.Second
	out, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, started: time.Now(), ready: make(chan struct{}), ended: make(chan struct{})}
	started := make(chan error)
	d.waiting.Go(func() {
		// Where the kernel ends a child with its parent, it does so with the thread that started it: that one stays.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			<-p.ended
		}
	})
	if err := <-started; err != nil {
		return nil, fmt.Errorf("the daemon cannot be started: %w", err)
	}
	d.run = p
	read := make(chan struct{})
	d.waiting.Go(func() { defer close(read); d.read(p, out) })
	d.waiting.Go(func() {
		<-read // Wait closes the pipe
		p.err = cmd.Wait()
		d.over(p)
	})
	return p, nil
}

// read follows the log of a run.
func (d *daemon) read(p *process, out io.Reader) {
	in := bufio.NewScanner(out)
	in.Buffer(make([]byte, 64<<10), 1<<20)
	for in.Scan() {
		line := in.Bytes()
		_, _ = d.log.Write(append(append([]byte(nil), line...), '\n'))
		var entry struct {
			Level   string `json:"level"`
			Msg     string `json:"msg"`
			Address string `json:"address"`
			Err     string `json:"err"`
		}
		if json.Unmarshal(line, &entry) != nil {
			p.last = strings.TrimPrefix(string(line), "belfry: ")
			continue
		}
		if entry.Msg == "serving" && entry.Address != "" {
			d.mu.Lock()
			if d.run == p {
				d.address = entry.Address
			}
			d.mu.Unlock()
			close(p.ready)
			d.changed()
		}
		if entry.Level == "ERROR" {
			p.last = strings.TrimSpace(entry.Msg + ": " + entry.Err)
			d.trouble("the daemon reports: " + p.last)
		}
	}
}

// over notes that a run has ended, and starts another one unless that was wished.
func (d *daemon) over(p *process) {
	d.mu.Lock()
	if d.run == p {
		d.run, d.address = nil, ""
	}
	again := d.wanted && d.run == nil
	if again && time.Since(p.started) > steady {
		d.fails = 0
	}
	d.mu.Unlock()
	close(p.ended)
	d.changed()
	if !again {
		return
	}
	d.mu.Lock()
	d.fails++
	tried := d.fails
	d.mu.Unlock()
	if tried > mostFails {
		d.trouble(fmt.Sprintf("the daemon ended by itself %d times and is not started again: %s", mostFails, p.complaint()))
		return
	}
	select {
	case <-p.ready:
		d.trouble(fmt.Sprintf("the daemon ended by itself (%s) and is started again", p.complaint()))
	default:
		return // it never served: whoever started it says so
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.wanted || d.run != nil {
		return
	}
	if _, err := d.spawn(); err != nil {
		d.trouble(err.Error())
	}
}

// Address is where the daemon serves; empty while it does not.
func (d *daemon) Address() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.address
}

// Kill ends the daemon and everything it started, at once and without a word to it, as a power cut would. It waits until
// all of it is gone.
func (d *daemon) Kill() {
	d.mu.Lock()
	p := d.run
	d.wanted, d.address = false, ""
	d.mu.Unlock()
	if p == nil {
		return
	}
	killGroup(p.cmd)
	<-p.ended
}

// Reload asks a daemon that serves to read its configuration anew at once; it would by itself a moment later.
func (d *daemon) Reload() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.run != nil && d.address != "" {
		askReload(d.run.cmd)
	}
}

// Stop asks the daemon to end, and kills it when it does not in time.
func (d *daemon) Stop() error {
	d.mu.Lock()
	p := d.run
	d.wanted, d.closed = false, true
	d.mu.Unlock()
	var err error
	if p != nil {
		if sent := p.cmd.Process.Signal(stopSignal); sent != nil && !errors.Is(sent, os.ErrProcessDone) {
			err = sent
		}
		t := time.NewTimer(stopTime)
		defer t.Stop()
		select {
		case <-p.ended:
		case <-t.C:
			err = fmt.Errorf("the daemon did not end within %s and was killed", stopTime)
		}
		killGroup(p.cmd)
		<-p.ended
	}
	d.waiting.Wait()
	return err
}
