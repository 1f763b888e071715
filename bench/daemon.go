package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// site is a folder with a configuration, a store and a log: one daemon's world.
type site struct {
	b    *bench
	dir  string
	addr string // where the pages are served
}

// newSite makes an empty folder. Remove it when everything is done with it.
func (b *bench) newSite(name string) (*site, error) {
	dir, err := os.MkdirTemp(b.dir, name+"-")
	if err != nil {
		return nil, err
	}
	addr, err := freeAddress()
	if err != nil {
		return nil, err
	}
	return &site{b: b, dir: dir, addr: addr}, nil
}

func (s *site) remove() { _ = os.RemoveAll(s.dir) }

func freeAddress() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer ln.Close()
	return ln.Addr().String(), nil
}

// configure writes a configuration: what every site has, and the given sections.
func (s *site) configure(sections string) error {
	text := fmt.Sprintf("timezone: UTC\nsite: {title: Bench, url: \"https://bench.example\"}\nlisten: %s\ndata_dir: data\nalerts: none\n%s", s.addr, sections)
	return os.WriteFile(s.config(), []byte(text), 0o600)
}

func (s *site) config() string   { return filepath.Join(s.dir, "belfry.yaml") }
func (s *site) database() string { return filepath.Join(s.dir, "data", "belfry.db") }
func (s *site) logFile() string  { return filepath.Join(s.dir, "daemon.log") }

// command runs one of the program's commands beside the daemon.
func (s *site) command(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, s.b.belfry, append(args, "--config", s.config())...)
	cmd.Dir = s.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("belfry %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(string(out)))
	}
	return nil
}

// daemon is one run of the program.
type daemon struct {
	cmd   *exec.Cmd
	site  *site
	ended chan struct{}
	// ready is how long it took from its start to the first 200 of /readyz.
	ready time.Duration
}

// start runs the daemon and waits until it is ready.
func (s *site) start(ctx context.Context) (*daemon, error) {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	d := &daemon{site: s, cmd: exec.Command(s.b.belfry, "run", "--config", s.config()), ended: make(chan struct{})}
	d.cmd.Dir, d.cmd.Stdout, d.cmd.Stderr = s.dir, log, log
	begun := time.Now()
	if err := d.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { _ = d.cmd.Wait(); close(d.ended) }() // stop waits for it
	if err := d.awaitReady(ctx); err != nil {
		d.stop()
		return nil, err
	}
	d.ready = time.Since(begun)
	return d, nil
}

func (d *daemon) awaitReady(ctx context.Context) error {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	return await(ctx, time.Millisecond, 30*time.Second, "the daemon is ready", func() (bool, error) {
		if err := d.alive(); err != nil {
			return false, err
		}
		res, err := client.Get("http://" + d.site.addr + "/readyz")
		if err != nil {
			return false, nil //nolint:nilerr // it does not listen yet
		}
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return res.StatusCode == http.StatusOK, nil
	})
}

// alive is an error once the daemon has ended by itself.
func (d *daemon) alive() error {
	select {
	case <-d.ended:
		return errors.New("the daemon ended by itself:\n" + d.site.tail())
	default:
		return nil
	}
}

// stop ends the daemon as a service manager would, and waits for it.
func (d *daemon) stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.ended:
	case <-time.After(30 * time.Second):
		_ = d.cmd.Process.Kill()
		<-d.ended
	}
}

// tail is the end of the daemon's log.
func (s *site) tail() string {
	text, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-4000):])
}

// startPaused makes the store, pauses everything, and starts the daemon with the given configuration: nothing happens
// until it is resumed.
func (s *site) startPaused(ctx context.Context, sections string) (*daemon, error) {
	if err := s.configure("channels:\n  news: {title: News}\n"); err != nil {
		return nil, err
	}
	d, err := s.start(ctx)
	if err != nil {
		return nil, err
	}
	d.stop()
	if err := s.command(ctx, "pause", "all"); err != nil {
		return nil, err
	}
	if err := s.configure(sections); err != nil {
		return nil, err
	}
	return s.start(ctx)
}
