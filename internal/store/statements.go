package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

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
