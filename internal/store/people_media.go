package store

import "context"

// MediumReaches reports whether anybody has, or waits to confirm, an address on a medium.
func (db *DB) MediumReaches(ctx context.Context, medium string) (known bool, err error) {
	err = db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM addresses WHERE medium = $1) OR EXISTS (SELECT 1 FROM grants WHERE medium = $1)
		OR EXISTS (SELECT 1 FROM signups WHERE medium = $1)`, medium).Scan(&known)
	return known, err
}

// MediumKept reports whether anything is kept by the form of an address on a medium: what MediumReaches asks for, and who must not be
// written to there.
func (db *DB) MediumKept(ctx context.Context, medium string) (kept bool, err error) {
	if kept, err = db.MediumReaches(ctx, medium); err != nil || kept {
		return kept, err
	}
	err = db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM suppressions WHERE medium = $1)`, medium).Scan(&kept)
	return kept, err
}
