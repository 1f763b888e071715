package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/store"
)

// Left is a copy of a post that left, or may have left, after a backup was taken.
type Left struct {
	// What is sent, edited, deleted, retracted, or one of the states in which a delivery was when the backup was taken.
	What        string `json:"what"`
	Post        string `json:"post"`
	Channel     string `json:"channel"`
	Destination string `json:"destination"`
	Chat        string `json:"chat"`
	Title       string `json:"title"`
	URL         string `json:"url"`
	// Reason is why it was retracted, and Legal that it was for good.
	Reason string `json:"reason"`
	Legal  bool   `json:"legal"`
	// Delivery is its number in the restored store; 0 when the store knows none.
	Delivery int64 `json:"delivery"`
	// At is when it happened; zero when that is not known.
	At time.Time `json:"at,omitzero"`
}

// Gone is an item of the backup that was retracted for good since.
type Gone struct {
	Source string `json:"source"`
	Key    string `json:"key"`
	Reason string `json:"reason"`
}

// Place names where it is.
func (l Left) Place() string { return strings.TrimSpace(l.Destination + " " + l.Chat) }

// mayHaveLeft tells from the backup alone what may have left since: what had not ended; and how many copies were out, which
// may have been edited or deleted.
func mayHaveLeft(ctx context.Context, db *sql.DB) (list []Left, out int, err error) {
	rows, err := db.QueryContext(ctx, `SELECT d.state, p.public_id, u.channel, d.destination, d.chat, coalesce(r.content, ''), d.id
		FROM deliveries d JOIN publications u ON u.id = d.publication JOIN posts p ON p.id = u.post LEFT JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision
		WHERE d.state IN ('pending', 'started', 'unknown') ORDER BY d.id`)
	if err != nil {
		return nil, 0, err
	}
	defer rows.Close()
	list = []Left{}
	for rows.Next() {
		var l Left
		var content string
		if err := rows.Scan(&l.What, &l.Post, &l.Channel, &l.Destination, &l.Chat, &content, &l.Delivery); err != nil {
			return nil, 0, err
		}
		l.Title = contentOf(content).Title
		list = append(list, l)
	}
	if err := rows.Err(); err != nil {
		return nil, 0, err
	}
	return list, out, db.QueryRowContext(ctx, `SELECT count(*) FROM publications WHERE out_at > 0 AND have_gone = 0`).Scan(&out)
}

// said is what a list tells of a post's content.
type said struct {
	Title  string `json:"title"`
	Purged bool   `json:"purged"`
	Reason string `json:"reason"`
}

// contentOf reads a post's content.
func contentOf(content string) (c said) {
	_ = json.Unmarshal([]byte(content), &c) // it is for people, and its absence no fault
	return c
}

// sinceBackup is what the database of before (now) knows and the backup does not.
const sinceBackup = `
	SELECT CASE WHEN p.status = 'retracted' AND coalesce(bp.status, '') <> 'retracted' THEN 'retracted'
			WHEN u.have_gone = 1 AND coalesce(b.have_gone, 0) = 0 THEN 'deleted'
			WHEN coalesce(b.out_at, 0) = 0 THEN 'sent' ELSE 'edited' END AS what,
		p.public_id, u.channel, u.destination, u.chat, coalesce(r.content, ''), coalesce((SELECT x.url FROM now.parts x WHERE x.publication = u.id AND x.series = 'post' ORDER BY x.position LIMIT 1), ''),
		coalesce((SELECT d.id FROM main.deliveries d WHERE d.publication = b.id AND d.settled_at = 0), 0),
		CASE WHEN coalesce(b.out_at, 0) = 0 THEN u.out_at ELSE max(u.edited_at, p.changed_at) END AS at
	FROM now.publications u JOIN now.posts p ON p.id = u.post LEFT JOIN now.post_revisions r ON r.post = p.id AND r.revision = p.revision
		LEFT JOIN main.posts bp ON bp.public_id = p.public_id LEFT JOIN main.publications b ON b.post = bp.id AND b.destination = u.destination AND b.chat = u.chat
	WHERE u.out_at > 0 AND (b.id IS NULL OR b.out_at = 0 OR b.have <> u.have OR b.have_gone <> u.have_gone OR p.status = 'retracted' AND bp.status <> 'retracted')
	UNION ALL
	SELECT d.state, p.public_id, u.channel, d.destination, d.chat, coalesce(r.content, ''), '', coalesce(bd.id, 0), d.started_at
	FROM now.deliveries d JOIN now.publications u ON u.id = d.publication JOIN now.posts p ON p.id = u.post LEFT JOIN now.post_revisions r ON r.post = p.id AND r.revision = p.revision
		LEFT JOIN main.deliveries bd ON bd.id = d.id AND bd.created_at = d.created_at
	WHERE d.state IN ('started', 'unknown') AND u.out_at = 0
	ORDER BY at, 2, 4, 5`

// compare reads the database of before, and gives exactly what left since the backup was taken. What was retracted for good
// since stays so: nothing of it comes back, and its page shows nothing.
func compare(ctx context.Context, db *sql.DB, file string, taken time.Time) ([]Left, []Gone, error) {
	if _, err := os.Stat(file); err != nil {
		return nil, nil, fs.ErrNotExist
	}
	if err := checkLog(file); err != nil {
		return nil, nil, err
	}
	// What is damaged is only looked at: opening it as a database would change it and its log.
	if err := untouched(ctx, file); err != nil {
		return nil, nil, err
	}
	other, err := connect(file, url.Values{"mode": {"rw"}, "_pragma": {"busy_timeout(10000)"}})
	if err != nil {
		return nil, nil, err
	}
	// Whoever attaches it below does not empty its log; this connection does when it closes, and reads all of it first.
	_, err = schemaOf(ctx, other, file)
	if err == nil {
		err = quickCheck(ctx, other, file)
	}
	if e := other.Close(); err == nil {
		err = e
	}
	if err != nil {
		return nil, nil, err
	}
	dropMark(file)
	if _, err := db.ExecContext(ctx, `ATTACH ? AS now`, file); err != nil {
		return nil, nil, damaged(file, err)
	}
	defer func() { _, _ = db.ExecContext(context.WithoutCancel(ctx), `DETACH now`) }() // closing does it too
	list, err := readLeft(ctx, db)
	if err != nil {
		return nil, nil, err
	}
	gone := []Gone{}
	err = inTx(ctx, db, func(tx *sql.Tx) error {
		if err := run(ctx, tx,
			statement{`INSERT OR IGNORE INTO main.blocked (kind, source, value, at, reason) SELECT kind, source, value, at, reason FROM now.blocked`, nil},
			statement{`UPDATE main.posts SET visible_at = 0, reason = ?1 WHERE visible_at > 0 AND status IN ('live', 'withdrawn')
				AND public_id IN (SELECT public_id FROM now.posts WHERE status = 'retracted')`, []any{store.RetractedSince}},
			// A digest of the backup has the item still; it is shown again when the retraction is repeated.
			statement{`UPDATE main.posts SET visible_at = 0, reason = ?1 WHERE visible_at > 0 AND status IN ('live', 'withdrawn') AND id IN (SELECT pi.post
				FROM main.post_items pi JOIN main.items i ON i.id = pi.item JOIN main.blocked b ON b.kind = 'key' AND b.source = i.source AND b.value = i.key
				WHERE i.state <> 'blocked')`, []any{store.RetractedSince}}); err != nil {
			return fmt.Errorf("carry over what was retracted since %s: %w", taken.Format(time.RFC3339), err)
		}
		rows, err := tx.QueryContext(ctx, `SELECT i.source, i.key, b.reason FROM main.items i JOIN main.blocked b ON b.kind = 'key' AND b.source = i.source AND b.value = i.key
			WHERE i.state <> 'blocked' ORDER BY i.id`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var g Gone
			if err := rows.Scan(&g.Source, &g.Key, &g.Reason); err != nil {
				return err
			}
			gone = append(gone, g)
		}
		return rows.Err()
	})
	return list, gone, err
}

// untouched checks the pages of a database without its log.
func untouched(ctx context.Context, file string) error {
	db, err := connect(file, url.Values{"mode": {"ro"}, "immutable": {"1"}})
	if err != nil {
		return err
	}
	return errors.Join(quickCheck(ctx, db, file), db.Close())
}

func readLeft(ctx context.Context, db *sql.DB) ([]Left, error) {
	rows, err := db.QueryContext(ctx, sinceBackup)
	if err != nil {
		return nil, fmt.Errorf("the database of before cannot be compared: %w", err)
	}
	defer rows.Close()
	list := []Left{}
	for rows.Next() {
		var l Left
		var content string
		var at int64
		if err := rows.Scan(&l.What, &l.Post, &l.Channel, &l.Destination, &l.Chat, &content, &l.URL, &l.Delivery, &at); err != nil {
			return nil, err
		}
		c := contentOf(content)
		if l.Title = c.Title; l.What == "retracted" {
			l.Reason, l.Legal = c.Reason, c.Purged
		}
		if at > 0 {
			l.At = time.UnixMicro(at).UTC()
		}
		list = append(list, l)
	}
	return list, rows.Err()
}
