package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
)

// DB is an open database.
type DB struct {
	reader *sql.DB
	writer *sql.DB
	// rewrite turns a statement with $n into the engine's form.
	rewrite func(string) string
	// fatal reports whether an error of a commit means that what the disk holds is not known any more; whole says why a
	// commit would not last.
	fatal func(error) bool
	whole func() error
	// explain makes a sentence of what a person can mend; see Options.
	explain func(error) error
	// forget empties the engine's log; see Options.
	forget func(context.Context) (bool, error)
	close  func() error

	jobs   chan job
	quit   chan struct{}
	ended  chan struct{}
	failed chan struct{} // closed when the store must not be used any more
	cause  error

	mu    sync.Mutex
	reads map[string]*sql.Stmt

	// master is the key that sealed those of the people who were read last: of nearly all. It is the writer's.
	master string

	// moreSources says that the last claim of sources was full, so that the next one need not look first.
	moreSources atomic.Bool

	closing sync.Once
	closed  error

	node string
}

// Options make a DB of an engine's connections.
type Options struct {
	// Reader is a pool that cannot write, Writer one connection whose transactions are immediate.
	Reader, Writer *sql.DB
	Rewrite        func(string) string
	Fatal          func(error) bool
	// Explain makes a sentence of an error of the engine that a person can mend, such as a disk without room; others it gives
	// back as they are. Nil when the engine's own words do.
	Explain func(error) error
	// Whole is asked before each commit, and says why it would not last, because a file of the engine is gone; nil when
	// nothing can go.
	Whole func() error
	// Forget empties the engine's log of what was committed lately, which may hold what was deleted since; false when
	// somebody still reads it. Nil when the engine keeps no such log.
	Forget func(context.Context) (bool, error)
	// Close closes both; it is called once, when nothing uses them any more.
	Close func() error
}

// ErrFailed says that the disk refused a commit in a way after which only a restart tells what it holds.
var ErrFailed = errors.New("the database cannot be written reliably any more; restart Belfry, which then reads what the disk holds")

// ErrNoRoom says that a write found no room on the disk. Nothing of it is on the disk, and a later one may find room.
var ErrNoRoom = errors.New("the disk of the store is full, and nothing was changed; make room there, and try again")

// ErrNotFound says that there is no such row.
var ErrNotFound = errors.New("not found")

// New makes a DB and starts its writer; Close stops it.
func New(o Options) *DB {
	if o.Whole == nil {
		o.Whole = func() error { return nil }
	}
	if o.Explain == nil {
		o.Explain = func(err error) error { return err }
	}
	db := &DB{reader: o.Reader, writer: o.Writer, rewrite: o.Rewrite, fatal: o.Fatal, explain: o.Explain, whole: o.Whole, forget: o.Forget, close: o.Close, jobs: make(chan job, 1024),
		quit: make(chan struct{}), ended: make(chan struct{}), failed: make(chan struct{}), reads: map[string]*sql.Stmt{}, node: token(12)}
	go db.write()
	return db
}

// Failed is closed when the store must not be used any more.
func (db *DB) Failed() <-chan struct{} { return db.failed }

// Cause is why the store failed; nil while it works.
func (db *DB) Cause() error {
	select {
	case <-db.failed:
		return db.cause
	default:
		return nil
	}
}

// Close writes what waits and closes the connections. A second call gives what the first one gave.
func (db *DB) Close() error {
	db.closing.Do(func() {
		close(db.quit)
		<-db.ended
		db.mu.Lock()
		for _, st := range db.reads {
			_ = st.Close()
		}
		db.mu.Unlock()
		db.closed = db.close()
	})
	return db.closed
}
