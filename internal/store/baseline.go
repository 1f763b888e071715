package store

import (
	"context"
	"fmt"
	"time"
)

// ReleaseBaseline lets the newest of the items that were there at a source's first fetch be used after all, as if they
// had come now. It says how many items that touched.
func (db *DB) ReleaseBaseline(ctx context.Context, source string, newest int, actor string, now time.Time) (int, error) {
	released := 0
	err := db.Write(ctx, func(tx *Tx) error {
		ids, err := tx.ids(`SELECT id FROM items WHERE source = $1 AND baseline = 1 AND state = 'live' ORDER BY published DESC, id DESC LIMIT $2`, source, newest)
		released = len(ids)
		if err != nil || released == 0 {
			return err
		}
		// What channels decided about them was that they were there already.
		if err := tx.run(`DELETE FROM channel_items WHERE item IN @list($1) AND state = 'left_out' AND reason = 'baseline'`, jsonList(ids)); err != nil {
			return err
		}
		if err := tx.run(`UPDATE items SET baseline = 0, seen_at = $2, changed_at = $2, changed = changed + 1 WHERE id IN @list($1)`, jsonList(ids), micros(now)); err != nil {
			return err
		}
		return tx.act(actor, "release first items", fmt.Sprintf("%s: %d items", source, released), now)
	})
	return released, err
}
