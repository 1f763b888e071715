// Package desk knows what a newsroom's commands tell, and does what they ask for. Its one promise: the command line and
// the API say the same and do the same, because both ask here.
//
// Nothing here prints. Values carry the names that programs read (their JSON tags) and the sentences that people read;
// acts are rows of the store, which a running daemon notices within a second.
package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// Desk is a configuration with its store, at one moment, for somebody. It is made for one request and holds nothing open.
type Desk struct {
	Config *configs.Loaded
	// Fallback says that Config is what the store says was applied last, because the file has problems.
	Fallback bool
	// Store may be nil for Plan, Check and what needs the configuration alone.
	Store *store.DB
	// Dir is the data folder, where images are kept.
	Dir string
	// Now is the moment that what is told is true of.
	Now time.Time
	// Actor names who asks, for the record of acts, such as "command line: anna".
	Actor string
	// Daemon tells whether a daemon uses the store, and its process; 0 when that is not known.
	Daemon func() (pid int, running bool)
	// Free tells the room of a folder's disk; nil asks the system.
	Free func(dir string) (int64, bool)
	// UserAgent is what a server that gives a picture is told.
	UserAgent string

	zone *time.Location
}

// Kind says whose fault an Error is, and so what becomes of it: an exit code, or a status.
type Kind string

// The kinds.
const (
	// Unusable: what was asked for makes no sense as it is written.
	Unusable Kind = "unusable"
	// Unknown: a name is not configured.
	Unknown Kind = "unknown_name"
	// Missing: there is no such row.
	Missing Kind = "not_found"
	// Conflict: it exists, and is in a state in which that cannot be done.
	Conflict Kind = "conflict"
	// Upstream: a server or a platform did not do its part.
	Upstream Kind = "upstream"
)

// Error is a sentence for whoever asked. Errors of other types are Belfry's own trouble.
type Error struct {
	Kind Kind
	Err  error
}

// Error gives the sentence.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func errorf(kind Kind, format string, args ...any) error {
	return &Error{kind, fmt.Errorf(format, args...)}
}

func unusable(format string, args ...any) error { return errorf(Unusable, format, args...) }

// UnknownName says that a name is not configured, with the nearest one.
func UnknownName(kind, name string, known []string) error {
	if near := sdk.Nearest(name, known); near != "" {
		return errorf(Unknown, "no %s is called %q; did you mean %q?", kind, name, near)
	}
	if len(known) == 0 {
		return errorf(Unknown, "no %s is called %q; none is configured", kind, name)
	}
	return errorf(Unknown, "no %s is called %q; known are %s", kind, name, strings.Join(slices.Sorted(slices.Values(known)), ", "))
}

// Sentence is what an error of a connector says to people.
func Sentence(err error) error {
	if e := sdk.AsError(err); e.Public != "" && e.Err != err { //nolint:errorlint // the very same value
		return errors.New(e.Public)
	}
	return err
}

// Zone is the zone of the configuration.
func (d *Desk) Zone() *time.Location {
	if d.zone == nil {
		d.zone = d.Config.Zone()
	}
	return d.zone
}

// Running says whether a daemon uses the store.
func (d *Desk) Running() bool {
	_, ok := d.Daemon()
	return ok
}

// Program compiles the editorial part of the configuration, which was checked. The times of blackouts that come from calendars
// are in it, where there is a store.
func (d *Desk) Program(ctx context.Context) (*compose.Program, error) {
	p, _ := compose.Compile(&d.Config.Config)
	if d.Store == nil {
		return p, nil
	}
	return p.WithEvents(ctx, d.Store, d.Now)
}

// waitFor asks again and again until something is so, or the time is over; it says whether it became so.
func waitFor(ctx context.Context, timeout time.Duration, ask func() (bool, error)) (bool, error) {
	deadline := time.Now().Add(timeout)
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for {
		ok, err := ask()
		if ok || err != nil || time.Now().After(deadline) {
			return ok, err
		}
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-t.C:
		}
	}
}
