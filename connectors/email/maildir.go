package email

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// maildir reads a Maildir: what stands in new is given in the order of its names, which begin with the time, and moved to
// cur when it is settled.
type maildir struct {
	path  string
	poll  time.Duration
	names []string
	// given are names that were given and are not settled.
	given map[string]bool
}

// maildirPlace is the cursor: the mail that was given last. The ones before it were settled when it was asked for.
type maildirPlace struct {
	Name string `json:"name"`
}

// openMaildir settles the mail of the cursor, which the host has kept.
func openMaildir(path string, poll time.Duration, from sdk.Cursor) (*maildir, error) {
	for _, sub := range []string{"new", "cur"} {
		info, err := os.Stat(filepath.Join(path, sub))
		if err != nil || !info.IsDir() {
			return nil, &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeAccount, Op: "listen", Err: err,
				Public: fmt.Sprintf("%s is no Maildir: the folder %s in it is missing or may not be read; the mail server makes it with the first mail", path, sub)}
		}
	}
	m := &maildir{path: path, poll: poll, given: map[string]bool{}}
	var place maildirPlace
	// A cursor of another kind of letterbox names no mail here.
	if json.Unmarshal(from, &place) == nil && place.Name != "" && filepath.Base(place.Name) == place.Name {
		return m, m.settle(place.Name)
	}
	return m, nil
}

func (m *maildir) next(ctx context.Context) (received, error) {
	for {
		for len(m.names) > 0 {
			name := m.names[0]
			m.names = m.names[1:]
			r, err := m.read(name)
			if errors.Is(err, fs.ErrNotExist) {
				continue // somebody else moved it
			}
			return r, err
		}
		if err := m.list(); err != nil {
			return received{}, err
		}
		if len(m.names) > 0 {
			continue
		}
		if !sleep(ctx, m.poll) {
			return received{}, givenUp(ctx)
		}
	}
}

func (m *maildir) trouble(err error) error {
	return &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeAccount, Op: "listen", Err: err,
		Public: "the Maildir " + m.path + " cannot be read or written; check its owner and rights"}
}

func (m *maildir) list() error {
	entries, err := os.ReadDir(filepath.Join(m.path, "new"))
	if err != nil {
		return m.trouble(err)
	}
	for _, e := range entries {
		if e.Type().IsRegular() && !strings.HasPrefix(e.Name(), ".") && !m.given[e.Name()] {
			m.names = append(m.names, e.Name())
		}
	}
	slices.Sort(m.names)
	return nil
}

func (m *maildir) read(name string) (received, error) {
	f, err := os.Open(filepath.Join(m.path, "new", name))
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return received{}, err
		}
		return received{}, m.trouble(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, maxMail))
	if err != nil {
		return received{}, m.trouble(err)
	}
	at := time.Now()
	if info, err := f.Stat(); err == nil {
		at = info.ModTime()
	}
	cursor, err := json.Marshal(maildirPlace{name})
	if err != nil {
		return received{}, m.trouble(err)
	}
	m.given[name] = true
	return received{raw: raw, at: at, cursor: cursor, settle: func() error { return m.settle(name) }}, nil
}

// settle moves a mail to where mails are that were read.
func (m *maildir) settle(name string) error {
	base, _, _ := strings.Cut(name, ":")
	err := os.Rename(filepath.Join(m.path, "new", name), filepath.Join(m.path, "cur", base+":2,S"))
	delete(m.given, name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return m.trouble(err)
	}
	return nil
}

func (m *maildir) close() error { return nil }
