package plugintest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/internal/pluginhost"
	"github.com/belfry-news/belfry/internal/wire/v1"
	"github.com/belfry-news/belfry/sdk"
	"google.golang.org/grpc"
)

// Options say what is tested, and how.
type Options struct {
	// Command is the plugin.
	Command pluginhost.Command
	// Kind is the type that is tested.
	Kind string
	// RunDir is for sockets (pluginhost.Config).
	RunDir string
	// Memory of a process, in bytes.
	Memory   int64
	Scenario Scenario
	// Fake may be nil.
	Fake *Fake
	// Only are the suites that run; nil means all of them.
	Only []string
	// Save is the folder that gets the calls of broken promises; it is made when there are any.
	Save string
	// UserAgent is what instances are told to call themselves.
	UserAgent string
	// Log is told what the plugin logs.
	Log slog.Handler
	// Told is called with each result as it is found; nil tells nobody.
	Told func(suite string, r Result)
}

// State says how a promise was found.
type State string

// The states of a promise.
const (
	Held   State = "held"
	Broken State = "broken"
	// NotOffered is one that the plugin does not make.
	NotOffered State = "not offered"
)

// Result is one promise.
type Result struct {
	Promise string `json:"promise"`
	State   State  `json:"state"`
	// Seconds is how long it took to find out.
	Seconds float64 `json:"seconds"`
	// Said is what is wrong, or why it is not offered.
	Said []string `json:"said,omitempty"`
	// Calls is the file with the calls that show it.
	Calls string `json:"calls,omitempty"`
}

// Suite is what one ability promises.
type Suite struct {
	Name    string   `json:"name"`
	Offered bool     `json:"offered"`
	Results []Result `json:"results"`
	// Unchecked says what was left out, and what it needs.
	Unchecked []string `json:"unchecked,omitempty"`
}

// Report is what a test found.
type Report struct {
	Type    string   `json:"type"`
	Summary string   `json:"summary"`
	Roles   []string `json:"roles"`
	Held    int      `json:"held"`
	Broken  int      `json:"broken"`
	Suites  []Suite  `json:"suites"`
}

// checkTime is the longest that one check may take, whatever the plugin does.
const checkTime = 5 * time.Minute

// grace is how long a call may go on after its end before it counts as one that does not end.
const grace = 5 * time.Second

// tester is one test.
type tester struct {
	o      Options
	rec    *recorder
	host   *pluginhost.Host
	found  wire.Description
	roles  []sdk.Role
	report *Report
	runs   int // of the command that changes the source
	saved  int
	// stuck is why the test cannot go on.
	stuck error
}

// Run tests a plugin. The error says that it is none, or is a *ScenarioError; a broken promise is no error.
func Run(ctx context.Context, o Options) (*Report, error) {
	t := &tester{o: o, rec: &recorder{}}
	if o.Scenario.Prepare != "" {
		if err := o.Scenario.shell(ctx, o.Scenario.Prepare, 0); err != nil {
			return nil, err
		}
	}
	t.host = t.newHost(nil)
	defer func() { closeHost(ctx, t.host) }()
	var err error
	if t.found, err = t.host.Describe(ctx, o.Kind); err != nil {
		return nil, err
	}
	t.rec.secrets = t.secrets()
	t.rec.persons = slices.DeleteFunc([]string{o.Scenario.Address, o.Scenario.Lost}, func(a string) bool { return a == "" })
	if err := t.host.Check(ctx, o.Kind, o.Scenario.Config); err != nil {
		if ps := (sdk.Problems{}); errors.As(err, &ps) {
			return nil, o.Scenario.refused(ps)
		}
		return nil, err
	}
	// It keeps the process from ending with the last instance of a check.
	anchor, err := t.host.Open(ctx, o.Kind, nil, t.settings("anchor"), o.Scenario.Config)
	if err != nil {
		return nil, err
	}
	defer anchor.Close(context.WithoutCancel(ctx))
	t.report = &Report{Type: t.found.Type, Summary: t.found.Summary}
	for _, r := range t.found.Roles {
		if wire.Crosses(r) {
			t.roles = append(t.roles, r)
			t.report.Roles = append(t.report.Roles, string(r))
		}
	}
	for _, s := range t.suites() {
		if o.Only == nil || slices.Contains(o.Only, s.name) {
			t.run(ctx, s)
		}
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case t.stuck != nil:
			return nil, t.stuck
		}
	}
	return t.report, nil
}

func closeHost(ctx context.Context, h *pluginhost.Host) {
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*grace)
	defer cancel()
	h.Close(end) // what does not end by itself is killed
}

// newHost makes a host like the daemon's, with the recorder on its connections; change may alter it.
func (t *tester) newHost(change func(c *pluginhost.Config)) *pluginhost.Host {
	// It may read what lies beside it, such as the modules of a script, and what a scenario may name.
	command := t.o.Command
	command.Read = append(slices.Clone(command.Read), filepath.Dir(command.Path))
	for _, folder := range []string{t.o.Scenario.dir, t.o.Scenario.tmp} {
		if folder != "" {
			command.Read = append(command.Read, folder)
		}
	}
	c := pluginhost.Config{RunDir: t.o.RunDir, Log: slog.New(both{t.rec, t.o.Log}), Crashed: t.rec.died, Refused: t.rec.dropped,
		Command: func(string) (pluginhost.Command, error) { return command, nil },
		// A plugin that breaks one promise is asked about the next.
		Limits: pluginhost.Limits{Memory: t.o.Memory, Grace: grace, Budget: 1 << 20, BackoffMin: time.Millisecond, BackoffMax: 10 * time.Millisecond},
		Dial:   []grpc.DialOption{grpc.WithChainUnaryInterceptor(t.rec.unary), grpc.WithChainStreamInterceptor(t.rec.stream)}}
	if change != nil {
		change(&c)
	}
	return pluginhost.New(c)
}

func (t *tester) settings(instance string) sdk.Settings {
	return sdk.Settings{Instance: instance, UserAgent: t.o.UserAgent, Log: slog.New(slog.DiscardHandler)}
}

// secrets are the values of what the plugin or the scenario says is secret.
func (t *tester) secrets() (out []string) {
	paths := slices.Clone(t.o.Scenario.Secrets)
	for _, f := range t.found.Fields {
		if strings.Contains(f.Type, "secret") { // a list of them, too
			paths = append(paths, f.Path)
		}
	}
	for _, path := range paths {
		for _, text := range textsAt(t.o.Scenario.Config, fieldPath(path)) {
			// A short word may stand in any sentence.
			if len(text) >= shortestSecret && !slices.Contains(out, text) {
				out = append(out, text)
			}
		}
	}
	return out
}

// shortestSecret is from how many bytes on a secret is looked for.
const shortestSecret = 6

// fieldPath takes the path of a setting apart, as sdk.Field has it.
func fieldPath(path string) []string {
	return strings.Split(strings.ReplaceAll(path, "[]", ".[]"), ".")
}

// textsAt gives the texts at a path of settings, where <name> stands for any name, and [] for any entry.
func textsAt(v any, path []string) (out []string) {
	switch v := v.(type) {
	case string:
		if len(path) == 0 {
			out = append(out, v)
		}
	case map[string]any:
		for name, below := range v {
			switch {
			case len(path) == 0: // all of them
				out = append(out, textsAt(below, nil)...)
			case path[0] == name || path[0] == "<name>":
				out = append(out, textsAt(below, path[1:])...)
			}
		}
	case []any:
		if len(path) > 0 && path[0] == "[]" {
			path = path[1:]
		}
		for _, below := range v {
			out = append(out, textsAt(below, path)...)
		}
	}
	return out
}

// options are what every suite of the protocol needs.
func (t *tester) options() conformance.Options {
	o := conformance.Options{Elsewhere: true, Config: t.o.Scenario.Config, Secrets: t.rec.secrets,
		Open: func(ctx context.Context, s sdk.Settings, config map[string]any) (sdk.Connector, error) {
			return t.host.Open(ctx, t.o.Kind, nil, s, config)
		}}
	scenario := &t.o.Scenario
	switch {
	case t.o.Fake != nil:
		o.Break, o.Stall = t.o.Fake.fail, t.o.Fake.stall
	case scenario.Break != "":
		o.Break = func(tb conformance.T) func() {
			t.shell(tb, scenario.Break)
			return func() { t.shell(tb, scenario.Mend) }
		}
	}
	return o
}

func (t *tester) shell(tb conformance.T, command string) {
	t.runs++
	if err := t.o.Scenario.shell(tb.Context(), command, t.runs); err != nil {
		t.stuck = err
		tb.Fatalf("%v", err)
	}
}

// run runs one suite.
func (t *tester) run(ctx context.Context, s suite) {
	out := Suite{Name: s.name, Offered: s.offered, Results: []Result{}, Unchecked: s.unchecked}
	if s.offered {
		for _, c := range s.checks {
			r := t.check(ctx, s.name, c)
			if ctx.Err() != nil || t.stuck != nil {
				return // what it found says nothing of the plugin
			}
			switch r.State {
			case Held:
				t.report.Held++
			case Broken:
				t.report.Broken++
			case NotOffered:
			}
			out.Results = append(out.Results, r)
			if t.o.Told != nil {
				t.o.Told(s.name, r)
			}
		}
	}
	t.report.Suites = append(t.report.Suites, out)
}

func (t *tester) check(ctx context.Context, suite string, c conformance.Check) Result {
	t.rec.begin()
	start := time.Now()
	bounded, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	said, waived := conformance.Run(bounded, c)
	took := time.Since(start).Round(time.Millisecond).Seconds()
	calls, log, wrong := t.rec.end()
	for _, w := range wrong {
		if !slices.Contains(said, w) {
			said = append(said, w)
		}
	}
	r := Result{Promise: c.Name, State: Held, Seconds: took}
	switch {
	case len(said) == 0 && waived != "":
		r.State, r.Said = NotOffered, []string{waived}
		return r
	case len(said) == 0:
		return r
	}
	r.State = Broken
	for _, s := range said {
		r.Said = append(r.Said, t.rec.mask(s))
	}
	path, err := t.save(suite, c.Name, r.Said, calls, log)
	if err != nil {
		r.Said = append(r.Said, "the calls were not saved: "+err.Error())
	}
	r.Calls = path
	return r
}

// savedCalls is the file with the calls that show a broken promise.
type savedCalls struct {
	Type    string   `json:"type"`
	Suite   string   `json:"suite"`
	Promise string   `json:"promise"`
	Said    []string `json:"said"`
	Calls   []*Call  `json:"calls"`
	Log     []string `json:"log"`
}

func (t *tester) save(suite, promise string, said []string, calls []*Call, log []string) (string, error) {
	if err := os.MkdirAll(t.o.Save, 0o700); err != nil {
		return "", err
	}
	t.saved++
	path := filepath.Join(t.o.Save, fmt.Sprintf("%02d-%s.json", t.saved, strings.ReplaceAll(suite, " ", "-")))
	b, err := json.MarshalIndent(savedCalls{t.found.Type, suite, promise, said, calls, log}, "", "  ")
	if err != nil {
		return "", err
	}
	return path, os.WriteFile(path, append(b, '\n'), 0o600)
}

// both gives lines to the recorder and to whoever listens besides.
type both struct {
	rec  slog.Handler
	more slog.Handler
}

// Enabled implements slog.Handler: the plugin is asked for everything it would log.
func (b both) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (b both) Handle(ctx context.Context, r slog.Record) error {
	if b.more != nil && b.more.Enabled(ctx, r.Level) {
		_ = b.more.Handle(ctx, r)
	}
	return b.rec.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (b both) WithAttrs(attrs []slog.Attr) slog.Handler {
	if b.more != nil {
		b.more = b.more.WithAttrs(attrs)
	}
	return b
}

// WithGroup implements slog.Handler.
func (b both) WithGroup(string) slog.Handler { return b }
