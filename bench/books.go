package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/internal/store/sqlite"
)

// books look into a daemon's store from outside, by SQL of their own: what is judged does not judge itself. The one thing
// they write is what `belfry source fetch NAME` writes.
type books struct {
	read *sql.DB
	act  *store.DB
}

func (s *site) books(ctx context.Context) (*books, error) {
	act, err := sqlite.OpenExisting(ctx, s.database())
	if err != nil {
		return nil, err
	}
	read, err := sql.Open("sqlite", "file:"+s.database()+"?mode=ro&_pragma=busy_timeout(10000)&_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, act.Close())
	}
	return &books{read: read, act: act}, nil
}

func (k *books) close() { _ = errors.Join(k.read.Close(), k.act.Close()) }

// fetchNow makes sources due, as `belfry source fetch NAME` does, without a thousand processes.
func (k *books) fetchNow(ctx context.Context, names []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(128) // those that wait share a commit
	now := time.Now()
	for _, name := range names {
		group.Go(func() error { return k.act.FetchNow(ctx, name, false, now) })
	}
	return group.Wait()
}

// fetched counts the sources whose last good fetch is stored and newer than a moment. A source that failed is an error.
func (k *books) fetched(ctx context.Context, since time.Time) (int, error) {
	var good, bad int
	err := k.read.QueryRowContext(ctx, `SELECT count(*) FILTER (WHERE ok_at >= ?1 AND lease = 0), count(*) FILTER (WHERE fetched_at >= ?1 AND code <> '')
		FROM sources WHERE configured = 1`, since.UnixMicro()).Scan(&good, &bad)
	if err != nil || bad == 0 {
		return good, err
	}
	var name, text string
	err = k.read.QueryRowContext(ctx, `SELECT name, error FROM sources WHERE fetched_at >= ?1 AND code <> '' LIMIT 1`, since.UnixMicro()).Scan(&name, &text)
	return good, errors.Join(err, fmt.Errorf("%d sources failed, %s among them: %s", bad, name, text))
}

// unseen counts the items that no channel has looked at yet.
func (k *books) unseen(ctx context.Context) (int, error) {
	return k.count(ctx, `SELECT count(*) FROM items WHERE changed > 0`)
}

func (k *books) count(ctx context.Context, query string, args ...any) (n int, err error) {
	return n, k.read.QueryRowContext(ctx, query, args...).Scan(&n)
}

// keys are the items of every source.
func (k *books) keys(ctx context.Context) (map[string]map[string]bool, error) {
	rows, err := k.read.QueryContext(ctx, `SELECT source, key FROM items`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[string]map[string]bool{}
	for rows.Next() {
		var source, key string
		if err := rows.Scan(&source, &key); err != nil {
			return nil, err
		}
		if out[source] == nil {
			out[source] = map[string]bool{}
		}
		out[source][key] = true
	}
	return out, rows.Err()
}
