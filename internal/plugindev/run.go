package plugindev

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/belfry-news/belfry/internal/fake"
	"github.com/belfry-news/belfry/sdk"
)

// Options of a session.
type Options struct {
	// Dir is the folder of the project.
	Dir string
	// Addr is where the page is served, such as 127.0.0.1:8090.
	Addr string
	// Specs are the types inside the daemon.
	Specs []*sdk.Spec
	// Version is the daemon's.
	Version string
	// Memory is the most memory of the plugin's process, in MiB.
	Memory int
	// Level is from which on the daemon's log is shown.
	Level slog.Level
	// Out gets the lines for the terminal.
	Out io.Writer

	// pace is how often the source is asked; 0 means fetchEvery.
	pace time.Duration
}

const (
	// lookEvery is how often the files are looked at, and fetchEvery how often a source is asked.
	lookEvery  = 400 * time.Millisecond
	fetchEvery = 2 * time.Second
)

// Session is a plugin at work.
type Session struct {
	o       Options
	dir     string // of the project, absolute
	temp    string
	base    string
	journal *journal
	samples *samples
	// asked wakes the fetching of everything.
	asked chan struct{}

	mu       sync.Mutex // of what runs
	daemon   *daemon
	fake     *fake.Process
	settings settings
	builds   int

	server *http.Server
	cancel context.CancelFunc
	tasks  sync.WaitGroup
}

// Run lets a plugin work until the context ends. Its error is a sentence that says what to do.
func Run(ctx context.Context, o Options) error {
	s, err := Start(ctx, o)
	if err != nil {
		return err
	}
	<-ctx.Done()
	return s.Stop()
}

// Start starts a session: its page is there when it returns, and the project is being built. On an error nothing is left.
func Start(ctx context.Context, o Options) (*Session, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	settings, err := readSettings(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := buildable(dir, settings); err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("the page cannot be served at %s: %w; choose another address with --addr; with 127.0.0.1:0 the system takes a port that is free", o.Addr, plainListen(err))
	}
	temp, err := folder()
	if err != nil {
		_ = ln.Close()
		return nil, err
	}
	s := &Session{o: o, dir: dir, temp: temp, base: "http://" + ln.Addr().String(), journal: newJournal(settings.Type), asked: make(chan struct{}, 1), settings: settings}
	s.samples = &samples{pictures: s.base + "/sample/"}
	log := slog.New(newLogHandler(s.journal, o.Level))
	s.daemon = &daemon{o: o, dir: temp, project: dir, log: log, journal: s.journal, samples: s.samples, reader: newReader()}
	routes, err := s.routes()
	if err != nil {
		_ = ln.Close()
		return nil, errors.Join(err, os.RemoveAll(temp))
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s.cancel = cancel
	s.server = &http.Server{Handler: routes, ReadHeaderTimeout: 10 * time.Second, BaseContext: func(net.Listener) context.Context { return life }}
	s.tasks.Go(func() { _ = s.server.Serve(ln) }) // it ends when it is closed
	s.tell("%s: see it at %s (Ctrl-C ends it; nothing of it stays)", settings.Type, s.base)
	s.tasks.Go(func() { s.work(life) })
	return s, nil
}

// plainListen is why nobody can listen at an address, without the names of system calls.
func plainListen(err error) error {
	if a, ok := errors.AsType[*net.AddrError](err); ok {
		return errors.New(a.Err)
	}
	if s, ok := errors.AsType[syscall.Errno](err); ok {
		if s == syscall.EADDRINUSE {
			return errors.New("another program listens there")
		}
		return s
	}
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op.Err
	}
	return err
}

// longestTemp leaves room for the names of sockets below the 104 bytes that their whole paths may have.
const longestTemp = 28

// folder makes the folder of a session; where the system's own for such things lies too deep for sockets, in /tmp.
func folder() (string, error) {
	if len(os.TempDir()) > longestTemp {
		if dir, err := os.MkdirTemp("/tmp", "belfry-dev-"); err == nil {
			return dir, nil
		}
	}
	return os.MkdirTemp("", "belfry-dev-")
}

// buildable says what is missing for a project to be built.
func buildable(dir string, s settings) error {
	program := "go"
	switch {
	case s.Program != "":
		if _, err := os.Stat(filepath.Join(dir, s.Program)); err != nil {
			return fmt.Errorf("%s: the program %s is not there", filepath.Join(dir, SettingsFile), s.Program)
		}
		return nil
	case len(s.Build) > 0:
		program = s.Build[0]
	default:
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err != nil {
			return fmt.Errorf("%s holds no go.mod and no program: name what is to be built under build or program in %s", dir, SettingsFile)
		}
	}
	if _, err := exec.LookPath(program); err != nil {
		return fmt.Errorf("there is no %s in the PATH of this machine; %s", program, howToInstall(program))
	}
	return nil
}

// Base is the address of the page.
func (s *Session) Base() string { return s.base }

// Stop ends everything and takes the folder away.
func (s *Session) Stop() error {
	s.cancel()
	err := s.server.Close()
	s.tasks.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	err = errors.Join(err, s.daemon.stop(context.Background()))
	s.daemon.reader.close()
	if s.fake != nil {
		s.fake.Stop()
	}
	return errors.Join(err, os.RemoveAll(s.temp))
}

// tell writes a line to the terminal.
func (s *Session) tell(format string, args ...any) {
	if s.o.Out != nil {
		fmt.Fprintf(s.o.Out, "belfry: "+format+"\n", args...)
	}
}

// work builds, and builds again when files change, until the context ends.
func (s *Session) work(ctx context.Context) {
	known := look(s.dir)
	s.renew(ctx, nil)
	looks, fetches := time.NewTicker(lookEvery), time.NewTicker(cmp.Or(s.o.pace, fetchEvery))
	defer looks.Stop()
	defer fetches.Stop()
	for last := known; ; {
		select {
		case <-ctx.Done():
			return
		case <-fetches.C:
			s.proceed(ctx, false)
		case <-s.asked:
			s.proceed(ctx, true)
		case <-looks.C:
			now := look(s.dir)
			if still := maps.Equal(now, last); still {
				if names := changed(known, now); len(names) > 0 {
					known = now
					slices.Sort(names)
					s.renew(ctx, names)
				}
			}
			last = now
		}
	}
}

// renew builds the project and lets it run. What is wrong is told, and what ran runs on.
func (s *Session) renew(ctx context.Context, names []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journal.say(func(st *state) { st.Busy, st.Changed = "building", names })
	begun := time.Now()
	err := s.renewed(ctx, names)
	if ctx.Err() != nil {
		return
	}
	trouble, said := "", ""
	if t, ok := errors.AsType[*troubleError](err); ok {
		trouble, said = t.trouble, t.said
	} else if err != nil {
		trouble, said = "It cannot run", err.Error()
	}
	s.journal.say(func(st *state) {
		st.Busy, st.Trouble, st.Said, st.Running = "", trouble, said, s.daemon.app != nil
		if err == nil {
			st.Builds, st.At = s.builds, time.Now()
		}
	})
	what := ""
	if len(names) > 0 {
		what = strings.Join(names[:min(len(names), 3)], ", ") + " changed; "
	}
	switch {
	case err == nil:
		s.tell("%sbuilt and running after %s", what, time.Since(begun).Round(10*time.Millisecond))
	case s.daemon.app != nil:
		s.tell("%s%s; what ran before runs on\n%s", what, lower(trouble), said)
	default:
		s.tell("%s%s\n%s", what, lower(trouble), said)
	}
}

func lower(sentence string) string {
	if sentence == "" {
		return ""
	}
	return strings.ToLower(sentence[:1]) + sentence[1:]
}

// renewed does what renew tells of. The lock is held.
func (s *Session) renewed(ctx context.Context, names []string) error {
	settings, err := readSettings(s.o.Dir)
	if err != nil {
		return &troubleError{"The settings cannot be used", err.Error()}
	}
	out := filepath.Join(s.temp, fmt.Sprintf("%s-%d", settings.Type, s.builds+1))
	if err := errors.Join(os.RemoveAll(out), os.RemoveAll(folderOf(out))); err != nil { // of a build that did not run
		return err
	}
	if err := build(ctx, s.dir, out, settings); err != nil {
		return err
	}
	if err := s.renewFake(ctx, settings, names); err != nil {
		return &troubleError{"The fake does not run", err.Error()}
	}
	address := ""
	if s.fake != nil {
		address = s.fake.URL.String()
	}
	before := s.daemon.program
	if err := s.daemon.use(ctx, out, settings, address); err != nil {
		return err
	}
	s.builds++
	s.settings = settings
	if before != "" {
		_ = os.Remove(before) // nothing runs it any more
		_ = os.RemoveAll(folderOf(before))
	}
	s.journal.runs(settings.Type, s.daemon.roles, "http://"+s.daemon.listen)
	return s.daemon.fetch(ctx, true)
}

// renewFake starts the fake, and starts it anew when it changed or has ended.
func (s *Session) renewFake(ctx context.Context, settings settings, names []string) error {
	same := s.fake != nil && s.fake.Running() && slices.Equal(settings.Fake, s.settings.Fake) && !slices.ContainsFunc(names, func(name string) bool {
		return slices.ContainsFunc(strings.Split(name, "/"), func(element string) bool { return strings.TrimSuffix(element, path.Ext(element)) == "fake" })
	})
	if same {
		return nil
	}
	if s.fake != nil {
		s.fake.Stop()
		s.fake = nil
	}
	if len(settings.Fake) == 0 {
		return nil
	}
	var err error
	s.fake, err = fake.Start(ctx, fake.Command{Args: settings.Fake, Dir: s.dir, Env: []string{"CGO_ENABLED=0", "GOFLAGS=" + strings.TrimSpace(os.Getenv("GOFLAGS")+" -trimpath")},
		Said: func(line string) { s.journal.logged(Line{At: time.Now(), From: "fake", Text: line}) }})
	s.settings.Fake = settings.Fake
	if errors.Is(err, exec.ErrNotFound) {
		return fmt.Errorf("there is no %s in the PATH of this machine; %s", settings.Fake[0], howToInstall(settings.Fake[0]))
	}
	return err
}

// proceed lets the next sample happen when all before has arrived, and asks the source.
func (s *Session) proceed(ctx context.Context, force bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.daemon.app == nil {
		return
	}
	posts, err := s.daemon.posts(ctx)
	revisions := 0
	for _, p := range posts {
		revisions += p.Revision
	}
	arrived := err == nil && !slices.ContainsFunc(posts, func(p Post) bool { return !p.settled }) && revisions >= s.samples.changes()
	if s.daemon.writes() {
		err = errors.Join(err, s.daemon.reader.step(ctx, "http://"+s.daemon.listen, s.settings.Type, s.settings.reader(), time.Now()))
		arrived = arrived && s.daemon.reader.following()
	}
	if s.daemon.sampled() && arrived {
		s.samples.step()
	}
	if err = errors.Join(err, s.daemon.fetch(ctx, force)); err != nil && ctx.Err() == nil {
		s.journal.logged(Line{At: time.Now(), From: "belfry", Level: "ERROR", Text: err.Error()})
	}
	s.journal.posted(posts)
}
