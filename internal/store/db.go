package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"regexp"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
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

// Cause is why the store failed; nil while it works.
func (db *DB) Cause() error {
	select {
	case <-db.failed:
		return db.cause
	default:
		return nil
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

func (tx *Tx) statement(text string) (*sql.Stmt, error) {
	if st, ok := tx.statements[text]; ok {
		return st, nil
	}
	st, err := tx.conn.PrepareContext(context.Background(), tx.db.rewrite(text))
	if err != nil {
		return nil, fmt.Errorf("%w in %q", err, text)
	}
	tx.statements[text] = st
	return st, nil
}

// exec runs a statement and says how many rows it changed.
func (tx *Tx) exec(text string, args ...any) (int64, error) {
	st, err := tx.statement(text)
	if err != nil {
		return 0, err
	}
	res, err := st.Exec(args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// run runs a statement whose number of rows does not matter.
func (tx *Tx) run(text string, args ...any) error {
	_, err := tx.exec(text, args...)
	return err
}

// insert runs an INSERT with RETURNING and gives the id; false when a conflict kept it from inserting.
func (tx *Tx) insert(text string, args ...any) (int64, bool, error) {
	var id int64
	err := tx.row(text, args...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, false, nil
	}
	return id, err == nil, err
}

// rowsAtOnce is how many rows a statement of insertRows holds: by then what a statement costs by itself is shared well.
const rowsAtOnce = 50

// insertRows inserts n rows, many with each statement. into names the table and its columns, and add adds the values of the
// row i to those of the rows before.
func (tx *Tx) insertRows(into string, columns, n int, add func(row []any, i int) []any) error {
	var one, many string
	args := make([]any, 0, rowsAtOnce*columns)
	for i := 0; i < n; {
		text, end := &many, i+rowsAtOnce
		if end > n {
			text, end = &one, i+1
		}
		if *text == "" {
			*text = insertOf(into, columns, end-i)
		}
		for args = args[:0]; i < end; i++ {
			args = add(args, i)
		}
		if err := tx.run(*text, args...); err != nil {
			return err
		}
	}
	return nil
}

// insertOf is the statement that inserts so many rows.
func insertOf(into string, columns, rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + into + " VALUES ")
	for i := range rows * columns {
		switch {
		case i == 0:
			b.WriteString("(")
		case i%columns == 0:
			b.WriteString("), (")
		default:
			b.WriteString(", ")
		}
		b.WriteString("$" + strconv.Itoa(i+1))
	}
	b.WriteString(")")
	return b.String()
}

// row runs a query for one row. Its error comes with Scan.
func (tx *Tx) row(text string, args ...any) scanner {
	st, err := tx.statement(text)
	if err != nil {
		return errRow{err}
	}
	return st.QueryRow(args...)
}

// rows runs a query and gives each row to scan. Nothing else can be done with the transaction meanwhile.
func (tx *Tx) rows(scan func(scanner) error, text string, args ...any) error {
	st, err := tx.statement(text)
	if err != nil {
		return err
	}
	rows, err := st.Query(args...)
	if err != nil {
		return err
	}
	return each(rows, scan)
}

type scanner interface{ Scan(dest ...any) error }

type errRow struct{ err error }

func (r errRow) Scan(...any) error { return r.err }

func each(rows *sql.Rows, scan func(scanner) error) error {
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// read is a prepared statement of the reader pool.
func (db *DB) read(ctx context.Context, text string) (*sql.Stmt, error) {
	db.mu.Lock()
	st, ok := db.reads[text]
	db.mu.Unlock()
	if ok {
		return st, nil
	}
	st, err := db.reader.PrepareContext(ctx, db.rewrite(text))
	if err != nil {
		return nil, fmt.Errorf("%w in %q", err, text)
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if first, twice := db.reads[text]; twice {
		_ = st.Close()
		return first, nil
	}
	db.reads[text] = st
	return st, nil
}

// queryRow reads one row.
func (db *DB) queryRow(ctx context.Context, text string, args ...any) scanner {
	st, err := db.read(ctx, text)
	if err != nil {
		return errRow{err}
	}
	return st.QueryRowContext(ctx, args...)
}

// query reads rows and gives each to scan.
func (db *DB) query(ctx context.Context, scan func(scanner) error, text string, args ...any) error {
	st, err := db.read(ctx, text)
	if err != nil {
		return err
	}
	rows, err := st.QueryContext(ctx, args...)
	if err != nil {
		return err
	}
	return each(rows, scan)
}

var (
	parameter = regexp.MustCompile(`\$(\d+)`)
	list      = regexp.MustCompile(`@list\(\$(\d+)\)`)
	limit     = regexp.MustCompile(`\bLIMIT \$(\d+)`)
	index     = regexp.MustCompile(`@by\((\w+)\)`)
)

// SQLite rewrites a statement: $n to ?n, which every SQLite driver binds by number, and @list($n), the values of a JSON
// array, to what SQLite calls it. A limit that is nothing but a parameter would be looked at when the statement is planned,
// and the statement be prepared anew for each value. @by(name) is the index that a table is read by, where SQLite, which
// knows nothing of what the tables hold, would choose another one.
//
// A parameter with a number is one with a name for SQLite, which the driver asks for at each execution, and which is looked
// for in a list: where the order says the same, there are no numbers.
func SQLite(text string) string {
	text = limit.ReplaceAllString(text, "LIMIT $$$1 + 0")
	text = index.ReplaceAllString(text, "INDEXED BY $1")
	text = list.ReplaceAllString(text, "(SELECT value FROM json_each($$$1))")
	if inOrder(text) {
		return parameter.ReplaceAllLiteralString(text, "?")
	}
	return parameter.ReplaceAllString(text, "?$1")
}

// inOrder says whether the parameters of a statement stand there once each, in the order of their numbers.
func inOrder(text string) bool {
	for i, m := range parameter.FindAllStringSubmatch(text, -1) {
		if m[1] != strconv.Itoa(i+1) {
			return false
		}
	}
	return true
}

// micros is how times are stored.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// timeOf is the time of stored microseconds, in UTC.
func timeOf(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
