package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	_ "modernc.org/sqlite"
)

// What shares a commit happens whole or not at all, each part by itself, in whichever way the writer runs them.
func TestPartsOfACommit(t *testing.T) {
	t.Parallel()
	refused := errors.New("refused")
	type part struct {
		again, fails, panics bool
	}
	for _, tt := range []struct {
		name  string
		parts []part
	}{
		{"all can be run again", []part{{again: true}, {again: true}, {again: true}}},
		{"one of them fails", []part{{again: true}, {again: true, fails: true}, {again: true}}},
		{"the last one fails", []part{{again: true}, {again: true}, {again: true, fails: true}}},
		{"all of them fail", []part{{again: true, fails: true}, {again: true, fails: true}}},
		{"one of them panics", []part{{again: true}, {again: true, panics: true}}},
		{"others between them", []part{{}, {again: true}, {fails: true}, {again: true}}},
		{"both kinds fail", []part{{fails: true}, {again: true, fails: true}, {}, {again: true}}},
		{"one alone fails", []part{{again: true, fails: true}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "parts.db")
			synctest.Test(t, func(t *testing.T) {
				pool, err := sql.Open("sqlite", file)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := pool.Exec(`CREATE TABLE done (part INTEGER PRIMARY KEY, half INTEGER NOT NULL)`); err != nil {
					t.Fatal(err)
				}
				db := New(Options{Reader: pool, Writer: pool, Rewrite: SQLite, Fatal: func(error) bool { return false }, Close: pool.Close})
				gate := make(chan struct{})
				ended := make(chan error, len(tt.parts)+1)
				go func() { ended <- db.Write(context.Background(), func(*Tx) error { <-gate; return nil }) }()
				synctest.Wait() // the writer is at it, so that the others come together
				want := map[int]int{}
				for i, p := range tt.parts {
					if !p.fails && !p.panics {
						want[i] = 1
					}
					write := db.Write
					if p.again {
						write = db.writeAgain
					}
					go func() {
						err := write(context.Background(), func(tx *Tx) error {
							if err := tx.run(`INSERT INTO done (part, half) VALUES ($1, 0)`, i); err != nil {
								return err
							}
							switch {
							case p.fails:
								return refused
							case p.panics:
								panic("a fault")
							}
							return tx.run(`UPDATE done SET half = 1 WHERE part = $1`, i)
						})
						switch {
						case p.fails && !errors.Is(err, refused), p.panics && err == nil, !p.fails && !p.panics && err != nil:
							ended <- fmt.Errorf("part %d: %w", i, errors.Join(errors.New("another outcome"), err))
						default:
							ended <- nil
						}
					}()
				}
				synctest.Wait()
				close(gate)
				for range len(tt.parts) + 1 {
					if err := <-ended; err != nil {
						t.Error(err)
					}
				}
				got := map[int]int{}
				if err := db.query(context.Background(), func(r scanner) error {
					var part, half int
					err := r.Scan(&part, &half)
					got[part] = half
					return err
				}, `SELECT part, half FROM done`); err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				if err := db.Close(); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
