package store

import "context"

// MediumReaches reports whether anybody has, or waits to confirm, an address on a medium.
func (db *DB) MediumReaches(ctx context.Context, medium string) (known bool, err error) {
	err = db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM addresses WHERE medium = $1) OR EXISTS (SELECT 1 FROM grants WHERE medium = $1)
		OR EXISTS (SELECT 1 FROM signups WHERE medium = $1)`, medium).Scan(&known)
	return known, err
}
