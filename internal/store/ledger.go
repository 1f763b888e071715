package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"github.com/belfry-news/belfry/internal/ledger"
)

// Ledger gives the ledger of the store.
func (db *DB) Ledger() Ledger { return Ledger{db} }

// Ledger is the store's ledger.
type Ledger struct{ db *DB }

var _ ledger.Store = Ledger{}

const ledgerColumns = `id, coalesce(sequence, -1), at, recorded, person, kind, data`

func scanLedgerEvent(r scanner) (e ledger.Event, err error) {
	var at, recorded int64
	err = r.Scan(&e.ID, &e.Sequence, &at, &recorded, &e.Person, &e.Kind, &e.Data)
	e.At, e.Recorded = timeOf(at), timeOf(recorded)
	return e, err
}

func (l Ledger) events(ctx context.Context, text string, args ...any) (out []ledger.Event, err error) {
	err = l.db.query(ctx, func(r scanner) error {
		e, err := scanLedgerEvent(r)
		out = append(out, e)
		return err
	}, text, args...)
	return out, err
}

// Sealed implements ledger.Log.
func (l Ledger) Sealed(ctx context.Context, from int64, most int) ([]ledger.Event, error) {
	return l.events(ctx, `SELECT `+ledgerColumns+` FROM ledger_events WHERE sequence >= $1 ORDER BY sequence LIMIT $2`, from, most)
}

// Unsealed implements ledger.Store. The one writer commits events in the order of their ids.
func (l Ledger) Unsealed(ctx context.Context, most int) ([]ledger.Event, error) {
	return l.events(ctx, `SELECT `+ledgerColumns+` FROM ledger_events WHERE sequence IS NULL ORDER BY id LIMIT $1`, most)
}

// Tail implements ledger.Log.
func (l Ledger) Tail(ctx context.Context) (n int64, err error) {
	err = l.db.queryRow(ctx, `SELECT count(*) FROM ledger_events WHERE sequence IS NULL`).Scan(&n)
	return n, err
}

// Size implements ledger.Log.
func (l Ledger) Size(ctx context.Context) (int64, error) {
	var highest sql.NullInt64
	if err := l.db.queryRow(ctx, `SELECT max(idx) FROM ledger_hashes`).Scan(&highest); err != nil || !highest.Valid {
		return 0, err
	}
	return ledger.TreeSize(highest.Int64), nil
}

// ReadHashes implements ledger.Log.
func (l Ledger) ReadHashes(ctx context.Context, indexes []int64) ([]tlog.Hash, error) {
	found := map[int64]tlog.Hash{}
	if err := l.db.query(ctx, func(r scanner) error {
		var idx int64
		var hash []byte
		if err := r.Scan(&idx, &hash); err != nil {
			return err
		}
		if len(hash) != tlog.HashSize {
			return fmt.Errorf("hash %d of the ledger's tree has %d bytes: %w", idx, len(hash), ledger.ErrNoHash)
		}
		found[idx] = tlog.Hash(hash)
		return nil
	}, `SELECT idx, hash FROM ledger_hashes WHERE idx IN @list($1)`, jsonList(indexes)); err != nil {
		return nil, err
	}
	out := make([]tlog.Hash, len(indexes))
	for i, idx := range indexes {
		h, ok := found[idx]
		if !ok {
			return nil, ledger.ErrNoHash
		}
		out[i] = h
	}
	return out, nil
}

// Lease implements ledger.Store. One daemon uses the data folder, which its lock sees to, and commands do not seal; Seal refuses
// whoever would make a second log nevertheless. So nothing is written twice a second.
func (l Ledger) Lease(context.Context, string, time.Time) (bool, error) { return true, nil }

// Seal implements ledger.Store.
func (l Ledger) Seal(ctx context.Context, s ledger.Seal) error {
	return l.db.Write(ctx, func(tx *Tx) error {
		var highest sql.NullInt64
		if err := tx.row(`SELECT max(idx) FROM ledger_hashes`).Scan(&highest); err != nil {
			return err
		}
		size := int64(0)
		if highest.Valid {
			size = ledger.TreeSize(highest.Int64)
		}
		if size != s.From {
			return ledger.ErrMoved
		}
		for i, id := range s.Events {
			n, err := tx.exec(`UPDATE ledger_events SET sequence = $2 WHERE id = $1 AND sequence IS NULL`, id, s.From+int64(i))
			if err != nil {
				return err
			}
			if n != 1 {
				return ledger.ErrMoved
			}
		}
		first := tlog.StoredHashCount(s.From)
		for i, h := range s.Hashes {
			if err := tx.run(`INSERT INTO ledger_hashes (idx, hash) VALUES ($1, $2)`, first+int64(i), h[:]); err != nil {
				return err
			}
		}
		return nil
	})
}

// Checkpoints implements ledger.Log.
func (l Ledger) Checkpoints(ctx context.Context) (out []ledger.Stored, err error) {
	err = l.db.query(ctx, func(r scanner) error {
		c, err := scanCheckpoint(r)
		out = append(out, c)
		return err
	}, `SELECT size, at, text FROM ledger_checkpoints ORDER BY size`)
	return out, err
}

func scanCheckpoint(r scanner) (c ledger.Stored, err error) {
	var at int64
	err = r.Scan(&c.Size, &at, &c.Text)
	c.At = timeOf(at)
	return c, err
}

// Last implements ledger.Store.
func (l Ledger) Last(ctx context.Context) (ledger.Stored, bool, error) {
	c, err := scanCheckpoint(l.db.queryRow(ctx, `SELECT size, at, text FROM ledger_checkpoints ORDER BY size DESC LIMIT 1`))
	if errors.Is(err, sql.ErrNoRows) {
		return c, false, nil
	}
	return c, err == nil, err
}

// Keep implements ledger.Store.
func (l Ledger) Keep(ctx context.Context, c ledger.Stored) error {
	return l.db.Write(ctx, func(tx *Tx) error {
		return tx.run(`INSERT INTO ledger_checkpoints (size, at, text) VALUES ($1, $2, $3) ON CONFLICT (size) DO NOTHING`, c.Size, micros(c.At), c.Text)
	})
}
