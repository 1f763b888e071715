package exec

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

const opFetch = "fetch"

// protocolVersion is the version of what a command is told and prints.
const protocolVersion = 1

// Source is one command.
type Source struct {
	config  Config
	sandbox Sandbox
	turns   chan struct{}
	name    string
	agent   string
	log     *slog.Logger
	base    *url.URL
	zone    *time.Location // nil: a time has to name its own
	mask    mask
}

func open(sandbox Sandbox, turns chan struct{}, s sdk.Settings, c Config) (*Source, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	out := &Source{config: c, sandbox: sandbox, turns: turns, name: s.Instance, agent: s.UserAgent, log: s.Log, mask: newMask(c)}
	var err error
	if c.BaseURL != "" {
		if out.base, err = url.Parse(c.BaseURL); err != nil {
			return nil, err
		}
	}
	if c.Zone != "" {
		if out.zone, err = time.LoadLocation(c.Zone); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Close has nothing to give back.
func (s *Source) Close(context.Context) error { return nil }

// Fetch runs the command once. Errors by code:
//
//	unavailable      it did not start, did not end in time, ended with an exit code of passing trouble, or its output was cut off
//	invalid          a line of its output is wrong, or it says by its exit code that its data or its settings are
//	too_large        more lines, items or bytes than are taken
//	unauthenticated, forbidden, rate_limited, gone   as the command says so itself
//	unsupported      this system cannot confine it, and the configuration does not allow it to run so
func (s *Source) Fetch(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
	b, err := s.fetch(ctx, r)
	if err != nil {
		e := *sdk.AsError(err)
		e.Public = s.mask.text(e.Public)
		return sdk.Batch{}, &e
	}
	return b, nil
}

func (s *Source) fetch(ctx context.Context, r sdk.FetchRequest) (sdk.Batch, error) {
	if r.Document != nil {
		return sdk.Batch{}, sdk.Errorf(sdk.CodeUnsupported, opFetch, "a command reads no document; give it the file as an argument or in its config")
	}
	var notices []string
	if lacking := s.lacking(); lacking != "" {
		if !s.config.Unconfined {
			return sdk.Batch{}, sdk.Errorf(sdk.CodeUnsupported, opFetch, "the command was not started, because this system cannot confine it (%s); run Belfry on Linux 5.13 or newer, "+
				"or add unconfined: true for a command that may open every file that Belfry's user can", lacking)
		}
		notices = append(notices, "the command runs unconfined: "+lacking)
	}
	if program := s.config.program(); s.sandbox.Check != nil && program != "" {
		if err := s.sandbox.Check(program); err != nil {
			return sdk.Batch{}, sdk.Errorf(sdk.CodeInvalid, opFetch, "the command is not started: %w", err)
		}
	}
	select {
	case s.turns <- struct{}{}:
		defer func() { <-s.turns }()
	case <-ctx.Done():
		return sdk.Batch{}, gaveUp(ctx, "the command waited for its turn")
	}
	last, odd := readCursor(r.Cursor)
	if odd {
		notices = append(notices, "the stored position is none of this command; it starts from the beginning")
	}
	if r.Force {
		last = nil
	}
	b, err := s.run(ctx, r.Now, last)
	if err != nil {
		return sdk.Batch{}, err
	}
	b.Notices = append(notices, b.Notices...)
	return b, nil
}

func (s *Source) lacking() string {
	if s.sandbox.Lacking == nil {
		return ""
	}
	return s.sandbox.Lacking()
}

// stored is a cursor as the host keeps it, by which one of another source is told apart.
type stored struct {
	Exec   int             `json:"exec"`
	Cursor json.RawMessage `json:"cursor"`
}

// readCursor gives the command's own cursor; nil for none. odd says that there is one that no command gave.
func readCursor(c sdk.Cursor) (own json.RawMessage, odd bool) {
	if len(c) == 0 {
		return nil, false
	}
	var st stored
	d := json.NewDecoder(bytes.NewReader(c))
	d.DisallowUnknownFields()
	if err := d.Decode(&st); err != nil || st.Exec != protocolVersion || d.More() || len(st.Cursor) == 0 {
		return nil, true
	}
	if bytes.Equal(st.Cursor, []byte("null")) {
		return nil, false
	}
	return st.Cursor, false
}

// maxCursor leaves room for what surrounds the command's own cursor, in bytes.
const maxCursor = sdk.MaxCursor - 64

func writeCursor(own json.RawMessage) (sdk.Cursor, error) {
	var short bytes.Buffer
	if err := json.Compact(&short, own); err != nil {
		return nil, err
	}
	return json.Marshal(stored{Exec: protocolVersion, Cursor: short.Bytes()})
}

// request is what a command reads.
type request struct {
	Version   int             `json:"version"`
	Source    string          `json:"source"`
	Fetch     string          `json:"fetch"` // new, or all: then there is no cursor
	Cursor    json.RawMessage `json:"cursor"`
	Config    map[string]any  `json:"config"`
	Now       time.Time       `json:"now"`
	Deadline  time.Time       `json:"deadline"`
	UserAgent string          `json:"user_agent"`
	Limits    requestLimits   `json:"limits"`
}

type requestLimits struct {
	Items  int `json:"items"`
	Line   int `json:"line_bytes"`
	Output int `json:"output_bytes"`
	Cursor int `json:"cursor_bytes"`
}

// request writes what the command reads: one line.
func (s *Source) request(now, deadline time.Time, cursor json.RawMessage) ([]byte, error) {
	r := request{Version: protocolVersion, Source: s.name, Fetch: "new", Cursor: cursor, Config: s.config.Config, Now: now.UTC().Truncate(time.Second), Deadline: deadline.UTC().Truncate(time.Second),
		UserAgent: s.agent, Limits: requestLimits{Items: maxItems, Line: maxLine, Output: maxOutput, Cursor: maxCursor}}
	if cursor == nil {
		r.Fetch, r.Cursor = "all", json.RawMessage("null")
	}
	if r.Config == nil {
		r.Config = map[string]any{}
	}
	b, err := json.Marshal(r)
	if err != nil {
		return nil, sdk.Errorf(sdk.CodeInvalid, opFetch, "the config of the command cannot be written as JSON: %w", err)
	}
	return append(b, '\n'), nil
}

// gaveUp is the error of a run that whoever asked for it gave up.
func gaveUp(ctx context.Context, what string) *sdk.Error {
	e := sdk.Errorf(sdk.CodeUnavailable, opFetch, "%s, and was given up before it ended", what)
	e.Err = context.Cause(ctx)
	return e
}

// mask takes the secrets of a configuration out of what a command says.
type mask []string

// shortest is the shortest secret that is looked for; a shorter one would blot out ordinary words.
const shortest = 4

func newMask(c Config) mask {
	var m mask
	add := func(s string) {
		if len(s) >= shortest {
			m = append(m, s)
		}
	}
	for _, v := range c.Env {
		add(v.Reveal())
	}
	// What a reference stands for has no type of its own; see sdk.Untyped.
	var walk func(tree any)
	walk = func(tree any) {
		switch t := tree.(type) {
		case sdk.Untyped:
			add(string(t))
		case map[string]any:
			for _, v := range t {
				walk(v)
			}
		case []any:
			for _, v := range t {
				walk(v)
			}
		}
	}
	walk(c.Config)
	// One may be a part of another: the longer one goes first.
	slices.SortFunc(m, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	return m
}

func (m mask) text(s string) string {
	for _, secret := range m {
		s = strings.ReplaceAll(s, secret, "[secret]")
	}
	return s
}

// String shows none of it.
func (m mask) String() string { return fmt.Sprintf("mask of %d", len(m)) }
