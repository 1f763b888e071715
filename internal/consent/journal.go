package consent

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Journal is a file beside the database that holds every acknowledged withdrawal by the keyed hash of its address. It is not
// part of a backup, so that a database that was restored honours what was withdrawn since the backup.
type Journal struct {
	mu   sync.Mutex
	f    *os.File
	path string
	// torn says that a write failed, so that the file may end inside a line.
	torn bool
}

// entry is one line.
type entry struct {
	At     time.Time `json:"at"`
	Medium string    `json:"medium"`
	Hash   string    `json:"hash"`
	// Purpose is what was left; empty for everything on that medium.
	Purpose string `json:"purpose,omitempty"`
	Never   bool   `json:"never,omitempty"`
	// Reason is why the address is suppressed, where it is; Method and Actor say how it came.
	Reason string `json:"reason,omitempty"`
	Method Method `json:"method,omitempty"`
	Actor  Actor  `json:"actor,omitempty"`
	// Erased says that the person was erased, so that a restored database erases them again.
	Erased bool `json:"erased,omitempty"`
	// Revoked says that an import was taken back: what it made is over, but nobody left.
	Revoked bool `json:"revoked,omitempty"`
}

// title is the line that names a journal, so that a database knows its own again, also where neither holds a withdrawal yet.
type title struct {
	Journal string `json:"journal"`
}

// JournalName is the file's name in the data folder.
const JournalName = "withdrawals.log"

// ErrJournalMissing says that withdrawals were acknowledged of which the file is gone or cut off.
var ErrJournalMissing = errors.New("the journal of withdrawals is missing or shorter than it was")

// OpenJournal opens the file, or makes it.
func OpenJournal(path string) (*Journal, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the journal of withdrawals %s cannot be opened: %w", path, err)
	}
	// A line that a crash cut off must not become the beginning of the next one.
	if end, err := f.Seek(0, io.SeekEnd); err == nil && end > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, end-1); err == nil && last[0] != '\n' {
			if _, err := f.Write([]byte{'\n'}); err != nil {
				return nil, errors.Join(fmt.Errorf("the journal of withdrawals %s cannot be written: %w", path, err), f.Close())
			}
		}
	}
	return &Journal{f: f, path: path}, nil
}

// Close closes the file.
func (j *Journal) Close() error { return j.f.Close() }

// addAll writes lines together, waits for the disk once, and gives the size of the file before and after them.
func (j *Journal) addAll(list []entry) (before, size int64, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := make([]any, len(list))
	for i, e := range list {
		lines[i] = e
	}
	return j.write(lines...)
}

func (j *Journal) write(lines ...any) (before, size int64, err error) {
	var line []byte
	for _, e := range lines {
		text, err := json.Marshal(e)
		if err != nil {
			return 0, 0, err
		}
		line = append(append(line, text...), '\n')
	}
	if j.torn { // what a full disk left of a line must not become the beginning of this one
		line = append([]byte{'\n'}, line...)
	}
	j.torn = true
	if _, err = j.f.Write(line); err == nil {
		j.torn = false
		if err = j.f.Sync(); err == nil {
			size, err = j.f.Seek(0, io.SeekEnd)
		}
	}
	if err != nil {
		return 0, 0, fmt.Errorf("the withdrawal cannot be written to %s: %w", j.path, err)
	}
	return size - int64(len(line)), size, nil
}

// name gives the name of the journal; empty when it has none yet.
func (j *Journal) name() (name string, err error) {
	if _, err := j.f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	lines := bufio.NewScanner(j.f)
	for lines.Scan() {
		var t title
		if bytes.HasPrefix(lines.Bytes(), []byte(`{"journal":`)) && json.Unmarshal(lines.Bytes(), &t) == nil {
			name = t.Journal
		}
	}
	return name, lines.Err()
}

// known makes sure that this journal is the one that the database knows. A database that knows none takes it as its own.
func (j *Journal) known(tx Tx) error {
	knows, err := tx.Mark(journalMark)
	if err != nil {
		return err
	}
	name, err := j.name()
	if err != nil {
		return err
	}
	if knows != "" && name != knows {
		return ErrJournalMissing
	}
	if name == "" {
		name = newRef()
		if _, _, err := j.write(title{name}); err != nil {
			return err
		}
	}
	return tx.SetMark(journalMark, name)
}

// enter writes an entry of what the transaction does. The transaction knows it then: a database that is restored later, beside
// another journal or none, shows that it misses some.
func (r *Registry) enter(tx Tx, list ...entry) error {
	if len(list) == 0 {
		return nil
	}
	before, size, err := r.s.Journal.addAll(list)
	if err != nil {
		return err
	}
	text, err := tx.Mark(appliedMark)
	if err != nil {
		return err
	}
	if applied, _ := strconv.ParseInt(text, 10, 64); applied != before {
		return nil // what stands before this entry is still to be replayed
	}
	return tx.SetMark(appliedMark, strconv.FormatInt(size, 10))
}

// The names under which the store keeps how much of the journal it has seen, in bytes, and which journal that is.
const (
	appliedMark = "withdrawals.applied"
	journalMark = "withdrawals.journal"
)

// Replay applies what the journal holds and the database has not seen, and says how many grants it ended. It is called when
// nothing is sent yet. A journal that is another one, or shorter than what the database has seen, is ErrJournalMissing:
// nothing may be sent then until a person has said that there is no other (Forgive).
func (r *Registry) Replay(ctx context.Context) (ended int, err error) {
	j := r.s.Journal
	j.mu.Lock()
	defer j.mu.Unlock()
	err = r.s.Store.People(ctx, func(tx Tx) error {
		ended = 0
		if err := j.known(tx); err != nil {
			return err
		}
		size, err := j.f.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		text, err := tx.Mark(appliedMark)
		if err != nil {
			return err
		}
		applied, _ := strconv.ParseInt(text, 10, 64) // nothing yet
		if applied > size {
			return ErrJournalMissing
		}
		if _, err := j.f.Seek(applied, io.SeekStart); err != nil {
			return err
		}
		lines := bufio.NewScanner(j.f)
		for lines.Scan() {
			var e entry
			if json.Unmarshal(lines.Bytes(), &e) != nil || e.Hash == "" {
				continue // the journal's name, or a line that a crash cut off: nobody was told of it
			}
			n, err := r.again(tx, e)
			if err != nil {
				return err
			}
			ended += n
		}
		if err := lines.Err(); err != nil {
			return err
		}
		return tx.SetMark(appliedMark, strconv.FormatInt(size, 10))
	})
	return ended, err
}

// again does what an entry says to a database that may not know it. What changed after it stands.
func (r *Registry) again(tx Tx, e entry) (ended int, err error) {
	if e.Purpose, err = nowCalled(tx, e.Purpose, e.At); err != nil {
		return 0, err
	}
	after, err := r.grantedAfter(tx, e)
	if err != nil {
		return 0, err
	}
	if e.Never && !after {
		if err := tx.Suppress(Suppression{Medium: e.Medium, Hash: e.Hash, Scope: ScopeNever, Reason: SuppressedNever, At: e.At}); err != nil {
			return 0, err
		}
	}
	if e.Reason != "" && !after {
		if err := forbid(tx, Suppression{Medium: e.Medium, Hash: e.Hash, Scope: ScopeAll, Reason: e.Reason, At: e.At}); err != nil {
			return 0, err
		}
	}
	p, err := r.at(tx, e.Medium, e.Hash)
	found, err := lookedUp(err)
	if err != nil {
		return 0, err
	}
	if found && e.Erased && p.row.Created.Before(e.At) {
		return 0, errors.Join(p.record(EventErased, r.now(), change{Evidence: Evidence{At: e.At, Method: ByForm, Actor: Self, Note: "from " + JournalName + ", after the database was restored"}}), p.vanish(r.now()))
	}
	var grants []Grant
	if found {
		if grants, err = tx.Grants(p.row.ID); err != nil {
			return 0, err
		}
	}
	now, known := r.now(), false
	for _, g := range grants {
		known = known || g.Medium == e.Medium && g.Purpose.String() == e.Purpose
		if g.Medium != e.Medium || e.Purpose != "" && g.Purpose.String() != e.Purpose || g.State == Withdrawn || g.State == Expired || g.Changed.After(e.At) {
			continue
		}
		was, kind := g.State, EventWithdrawn
		g.State, g.Changed = Withdrawn, e.At
		if e.Revoked {
			g.State, kind = Expired, EventExpired
		}
		g.Version++
		if _, err := tx.PutGrant(g); err != nil {
			return ended, err
		}
		if err := p.record(kind, now, change{Purpose: g.Purpose, Medium: g.Medium, Was: was,
			Evidence: Evidence{At: e.At, Method: cmp.Or(e.Method, ByForm), Actor: cmp.Or(e.Actor, Self), Note: "from " + JournalName + ", after the database was restored"}}); err != nil {
			return ended, err
		}
		ended++
	}
	if known || after || e.Reason != "" || e.Revoked { // the same people may be imported again with better evidence
		return ended, nil
	}
	// Whoever is not in the database any more must not be revived by an import of what they left. Their own act lifts it.
	scope := ScopePurpose
	if e.Purpose == "" {
		scope = ScopeAll
	}
	return ended, forbid(tx, Suppression{Medium: e.Medium, Hash: e.Hash, Scope: scope, Purpose: e.Purpose, Reason: SuppressedStopped, At: e.At})
}

// RenamedMark begins the names under which the store keeps what a channel was renamed to, and when: "NEW 2026-11-20T19:00:00Z".
const RenamedMark = "renamed.channel."

// nowCalled gives the name of today of a purpose that was noted at a time, whatever its channel was renamed to since.
func nowCalled(tx Tx, purpose string, at time.Time) (string, error) {
	name, found := strings.CutPrefix(purpose, string(Channel)+" ")
	for seen := map[string]bool{}; found && !seen[name]; {
		seen[name] = true
		text, err := tx.Mark(RenamedMark + name)
		if err != nil {
			return "", err
		}
		to, when, _ := strings.Cut(text, " ")
		if renamed, err := time.Parse(time.RFC3339Nano, when); err != nil || !at.Before(renamed) {
			break // never renamed, or the name is that of another channel since
		}
		name, purpose = to, Purpose{Channel, to}.String()
	}
	return purpose, nil //nolint:nilerr // a mark that cannot be read renames nothing
}

// grantedAfter reports whether the person agreed to something of what an entry ended after that, on the same medium, whatever
// became of it since.
func (r *Registry) grantedAfter(tx Tx, e entry) (bool, error) {
	p, err := r.at(tx, e.Medium, e.Hash)
	if found, err := lookedUp(err); err != nil || !found {
		return false, err
	}
	grants, err := tx.Grants(p.row.ID)
	return slices.ContainsFunc(grants, func(g Grant) bool {
		return g.Medium == e.Medium && g.Since.After(e.At) && (e.Purpose == "" || g.Purpose.String() == e.Purpose)
	}), err
}

// Forgive lets messages go although the journal is missing: a person says that no withdrawal is newer than the database.
func (r *Registry) Forgive(ctx context.Context) error {
	r.s.Journal.mu.Lock()
	defer r.s.Journal.mu.Unlock()
	return r.s.Store.People(ctx, func(tx Tx) error {
		name := newRef()
		_, size, err := r.s.Journal.write(title{name})
		if err != nil {
			return err
		}
		return errors.Join(tx.SetMark(journalMark, name), tx.SetMark(appliedMark, strconv.FormatInt(size, 10)))
	})
}
