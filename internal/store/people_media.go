package store

import (
	"context"
	"fmt"
)

// MediumReaches reports whether anybody has, or waits to confirm, an address on a medium.
func (db *DB) MediumReaches(ctx context.Context, medium string) (known bool, err error) {
	err = db.queryRow(ctx, mediumReaches, medium).Scan(&known)
	return known, err
}

const mediumReaches = `SELECT EXISTS (SELECT 1 FROM addresses WHERE medium = $1) OR EXISTS (SELECT 1 FROM grants WHERE medium = $1)
	OR EXISTS (SELECT 1 FROM signups WHERE medium = $1)`

// MediumKept reports whether anything is kept by the form of an address on a medium: what MediumReaches asks for, and who must not be
// written to there.
func (db *DB) MediumKept(ctx context.Context, medium string) (kept bool, err error) {
	err = db.queryRow(ctx, mediumKept, medium).Scan(&kept)
	return kept, err
}

const mediumKept = mediumReaches + ` OR EXISTS (SELECT 1 FROM suppressions WHERE medium = $1)`

// SetAddressRule keeps the rule of a medium's addresses under a name, unless anything is kept by another one.
func (db *DB) SetAddressRule(ctx context.Context, medium, mark, rule string) error {
	return db.Write(ctx, func(tx *Tx) error {
		var kept bool
		if err := tx.row(mediumKept, medium).Scan(&kept); err != nil {
			return err
		}
		if kept {
			return fmt.Errorf("addresses of the medium %s are kept by another rule than %s", medium, rule)
		}
		return (people{tx}).SetMark(mark, rule)
	})
}
