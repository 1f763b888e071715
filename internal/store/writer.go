package store

import (
	"context"
	"database/sql"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
)

// job is one caller's part of a transaction.
type job struct {
	do func(*Tx) error
	// again says that do can be run a second time after what it did was undone.
	again bool
	done  chan error
}

// maxGroup bounds how many parts one transaction holds.
const maxGroup = 256

// Write runs do inside a transaction, together with what others write at the same moment, and returns when it is on the
// disk. An error of do undoes what do did, and nothing else. do must not call the network or wait for anybody.
func (db *DB) Write(ctx context.Context, do func(*Tx) error) error {
	return db.hand(ctx, job{do: do, done: make(chan error, 1)})
}

// writeAgain is Write for a part that leaves nothing behind outside of the transaction but what another run of it writes
// over. When another part of the same commit fails it is run again, which spares it a savepoint of its own: SQLite copies
// every page that changes under one.
func (db *DB) writeAgain(ctx context.Context, do func(*Tx) error) error {
	return db.hand(ctx, job{do: do, again: true, done: make(chan error, 1)})
}

// hand gives a part to the writer and waits for what becomes of it.
func (db *DB) hand(ctx context.Context, j job) error {
	select {
	case <-db.failed:
		return ErrFailed
	case <-db.quit:
		return sql.ErrConnDone
	default: // an end goes before a free place in the queue
	}
	select {
	case <-db.failed:
		return ErrFailed
	case <-db.quit:
		return sql.ErrConnDone
	case <-ctx.Done():
		return context.Cause(ctx)
	case db.jobs <- j:
	}
	// Once handed over, the part is waited for: its caller must know whether it happened.
	select {
	case err := <-j.done:
		return err
	case <-db.ended:
		select {
		case err := <-j.done:
			return err
		default:
			return sql.ErrConnDone
		}
	}
}

// gatherFor is how long the writer waits for more parts when several came for the commit before: each commit waits for the
// disk and writes whole pages, however few parts it has.
const gatherFor = time.Millisecond

// enough is how many parts are not waited any longer for others: the cost of a commit is shared well by then.
const enough = 16

// write is the one writer.
func (db *DB) write() {
	defer close(db.ended)
	tx := &Tx{db: db, statements: map[string]*sql.Stmt{}}
	defer tx.close()
	var group []job
	for {
		several := len(group) > 1
		group = group[:0]
		select {
		case j := <-db.jobs:
			group = append(group, j)
		case <-db.quit:
			select {
			case j := <-db.jobs:
				group = append(group, j)
			default:
				return
			}
		}
		group = db.gather(group, several)
		db.commit(tx, group)
		clear(group) // what a part holds on to is not kept
	}
}

// gather adds what waits to a group, and with patience also what comes soon.
func (db *DB) gather(group []job, patience bool) []job {
	var over <-chan time.Time
	if patience {
		t := time.NewTimer(gatherFor)
		defer t.Stop()
		over = t.C
	}
	for len(group) < maxGroup {
		select {
		case j := <-db.jobs:
			group = append(group, j)
			continue
		default:
		}
		if !patience || len(group) >= enough {
			break
		}
		select {
		case j := <-db.jobs:
			group = append(group, j)
		case <-over:
			patience = false
		case <-db.quit:
			patience = false
		}
	}
	return group
}

// commit runs a group in one transaction and tells each caller.
func (db *DB) commit(tx *Tx, group []job) {
	results := make([]error, len(group))
	err := db.Cause()
	lost := false
	if err != nil {
		err = ErrFailed // parts that waited while another one failed
	} else if err = db.whole(); err != nil {
		lost = true
	} else {
		err = tx.begin()
	}
	if err == nil {
		if err = tx.parts(group, results); err == nil {
			if len(group) == 1 && results[0] != nil {
				tx.rollback()
			} else {
				err = tx.commit()
			}
		}
	}
	if err != nil {
		tx.rollback()
		if lost || db.fatal(err) {
			err = fmt.Errorf("%w: %w", ErrFailed, err)
			db.cause = err
			close(db.failed)
		}
	}
	for i, j := range group {
		if err != nil {
			results[i] = err // nothing of the group is on the disk
		}
		if results[i] != nil {
			results[i] = db.explain(results[i])
		}
		j.done <- results[i]
	}
}

// Tx is the open transaction of the writer.
type Tx struct {
	db         *DB
	conn       *sql.Conn
	statements map[string]*sql.Stmt
	// broken is set when the transaction itself, and not one part of it, failed.
	broken error
}

func (tx *Tx) begin() error {
	tx.broken = nil
	if tx.conn == nil {
		conn, err := tx.db.writer.Conn(context.Background())
		if err != nil {
			return err
		}
		tx.conn = conn
	}
	return tx.run("BEGIN IMMEDIATE")
}

func (tx *Tx) commit() error { return tx.run("COMMIT") }

func (tx *Tx) rollback() {
	if tx.conn != nil {
		_, _ = tx.conn.ExecContext(context.Background(), "ROLLBACK") // fails when nothing is open, which is as well
	}
}

func (tx *Tx) close() {
	for _, st := range tx.statements {
		_ = st.Close()
	}
	if tx.conn != nil {
		_ = tx.conn.Close()
	}
}

// parts runs what the callers of a group want, each whole or not at all. Its error is of the transaction itself. Those that
// can be run again go first, without savepoints, in the hope that none of them fails.
func (tx *Tx) parts(group []job, results []error) error {
	hopeful := 0
	if len(group) > 1 {
		slices.SortStableFunc(group, func(a, b job) int {
			switch {
			case a.again == b.again:
				return 0
			case a.again:
				return -1
			}
			return 1
		})
		for hopeful < len(group) && group[hopeful].again {
			if tx.guard(group[hopeful].do) != nil {
				tx.rollback()
				if err := tx.begin(); err != nil {
					return err
				}
				hopeful = 0
				break
			}
			hopeful++
		}
	}
	for i := hopeful; i < len(group); i++ {
		if results[i] = tx.part(group[i].do, len(group) > 1); tx.broken != nil {
			return tx.broken
		}
	}
	return nil
}

// part runs one caller's part so that it happens whole or not at all.
func (tx *Tx) part(do func(*Tx) error, shared bool) error {
	if !shared {
		return tx.guard(do)
	}
	if err := tx.run("SAVEPOINT part"); err != nil {
		tx.broken = err
		return err
	}
	err := tx.guard(do)
	if err != nil {
		if e := tx.run("ROLLBACK TO part"); e != nil {
			tx.broken = e
			return err
		}
	}
	if e := tx.run("RELEASE part"); e != nil {
		tx.broken = e
	}
	return err
}

// guard keeps a fault of one part from ending the writer.
func (tx *Tx) guard(do func(*Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store: a transaction failed: %v\n%s", p, debug.Stack())
		}
	}()
	return do(tx)
}
