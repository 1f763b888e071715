package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/sdk"
)

// Retention says how long the store keeps what nothing needs any more; 0 keeps it for ever.
type Retention struct{ Items, Posts, Deliveries, Messages, Webhooks, Media, Alerts, Acts time.Duration }

// Pruned counts what one step of pruning took out, and More says that there may be more of it.
type Pruned struct {
	Items, Posts, Deliveries, Messages, Webhooks, Media, Alerts, Acts int
	// Files are the names of stored images that no row names any more; whoever prunes deletes them.
	Files []string
	More  bool
}

// Sum is how many rows went.
func (p Pruned) Sum() int {
	return p.Items + p.Posts + p.Deliveries + p.Messages + p.Webhooks + p.Media + p.Alerts + p.Acts
}

// Add adds another step's counts.
func (p *Pruned) Add(o Pruned) {
	p.Items, p.Posts, p.Deliveries = p.Items+o.Items, p.Posts+o.Posts, p.Deliveries+o.Deliveries
	p.Messages, p.Webhooks = p.Messages+o.Messages, p.Webhooks+o.Webhooks
	p.Media, p.Alerts, p.Acts = p.Media+o.Media, p.Alerts+o.Alerts, p.Acts+o.Acts
}

// Pruner takes out of the store what is older than its retention, step by step: each step is a read and one small
// transaction. A Pruner makes one pass; it is for one goroutine.
//
// What stays for ever, whatever the retention says: the keys of items and which channels had them, so that nothing is
// posted again when it comes back; what was retracted for good; the newest row of each kind, so that numbers are not
// given twice.
type Pruner struct {
	db     *DB
	keep   Retention
	now    time.Time
	size   int
	stages []func(context.Context) (Pruned, error)
	// after is the last item that the pass has looked at, and person the last whose days it has.
	after, person int64
}

// Prune begins a pass; a step touches at most so many rows.
func (db *DB) Prune(keep Retention, size int, now time.Time) *Pruner {
	p := &Pruner{db: db, keep: keep, now: now, size: size}
	for _, s := range []struct {
		kept time.Duration
		do   func(context.Context) (Pruned, error)
	}{{keep.Deliveries, p.deliveries}, {keep.Messages, p.messages}, {keep.Messages, p.answered}, {daysKept, p.days}, {keep.Webhooks, p.webhooks}, {keep.Posts, p.posts}, {keep.Items, p.items}, {keep.Media, p.media}, {keep.Alerts, p.alerts}, {keep.Acts, p.acts}} {
		if s.kept > 0 {
			p.stages = append(p.stages, s.do)
		}
	}
	return p
}

// Step prunes a little. More is false when the pass is over.
func (p *Pruner) Step(ctx context.Context) (Pruned, error) {
	if len(p.stages) == 0 {
		return Pruned{}, nil
	}
	out, err := p.stages[0](ctx)
	if err != nil {
		return out, err
	}
	if !out.More {
		p.stages = p.stages[1:]
		out.More = len(p.stages) > 0
	}
	return out, nil
}

func (p *Pruner) before(kept time.Duration) int64 { return micros(p.now.Add(-kept)) }

// ids reads what a step is about.
func (p *Pruner) ids(ctx context.Context, text string, args ...any) ([]int64, error) {
	var out []int64
	err := p.db.query(ctx, func(r scanner) error {
		var id int64
		err := r.Scan(&id)
		out = append(out, id)
		return err
	}, text, args...)
	return out, err
}

// deliveries takes out the record of calls whose outcome is long known.
func (p *Pruner) deliveries(ctx context.Context) (out Pruned, err error) {
	const old = `settled_at > 0 AND settled_at < $1 AND id < (SELECT max(id) FROM deliveries)`
	ids, err := p.ids(ctx, `SELECT id FROM deliveries WHERE `+old+` ORDER BY id LIMIT $2`, p.before(p.keep.Deliveries), p.size)
	if err != nil || len(ids) == 0 {
		return out, err
	}
	out.More = len(ids) == p.size
	return out, p.db.Write(ctx, func(tx *Tx) error {
		n, err := tx.exec(`DELETE FROM deliveries WHERE id IN @list($2) AND `+old, p.before(p.keep.Deliveries), jsonList(ids))
		out.Deliveries = int(n)
		return err
	})
}

// messages takes out the record of messages to people, stream by stream. What the ledger says of them stays.
func (p *Pruner) messages(ctx context.Context) (out Pruned, err error) {
	const old = `(state = 'done' OR state = 'stopped') AND created_at < $1 AND expires_at < $1 AND id < (SELECT max(id) FROM streams)
		AND NOT EXISTS (SELECT 1 FROM message_batches b WHERE b.stream = streams.id)`
	ids, err := p.ids(ctx, `SELECT id FROM streams WHERE `+old+` ORDER BY id LIMIT 1`, p.before(p.keep.Messages))
	if err != nil || len(ids) == 0 {
		return out, err
	}
	out.More = true
	return out, p.db.Write(ctx, func(tx *Tx) error {
		n, err := tx.exec(`DELETE FROM messages WHERE stream = $1 AND person IN (SELECT person FROM messages WHERE stream = $1 LIMIT $2)`, ids[0], p.size)
		if err != nil || n > 0 {
			out.Messages = int(n)
			return err
		}
		// Only now: no message is left whose stream nobody knows.
		return tx.run(`DELETE FROM streams WHERE id = $1`, ids[0])
	})
}

// daysKept is how long it is known how much a person got on a day, which is longer than any cap asks.
const daysKept = 10 * 24 * time.Hour

// days takes out what people got on days that no cap looks at any more.
func (p *Pruner) days(ctx context.Context) (out Pruned, err error) {
	day := p.now.Add(-daysKept).Unix() / 86400
	people, err := p.ids(ctx, `SELECT DISTINCT person FROM sent_days WHERE person > $1 AND day < $2 ORDER BY person LIMIT $3`, p.person, day, p.size)
	if err != nil || len(people) == 0 {
		return out, err
	}
	p.person, out.More = people[len(people)-1], len(people) == p.size
	return out, p.db.Write(ctx, func(tx *Tx) error {
		return tx.run(`DELETE FROM sent_days WHERE person IN @list($1) AND day < $2`, jsonList(people), day)
	})
}

// answered takes out what was asked, answered and told so long ago: links that have ended, what came back, and notices whose
// messages are gone.
func (p *Pruner) answered(ctx context.Context) (out Pruned, err error) {
	at := p.before(p.keep.Messages)
	return out, p.db.Write(ctx, func(tx *Tx) error {
		out.More = false
		for _, text := range []string{
			`DELETE FROM tokens WHERE hash IN (SELECT hash FROM tokens WHERE expires_at < $1 LIMIT $2)`,
			`DELETE FROM inbox WHERE (connection, id) IN (SELECT connection, id FROM inbox WHERE at < $1 AND outcome <> '' LIMIT $2)`,
			`DELETE FROM notices WHERE id IN (SELECT id FROM notices n WHERE n.expires_at < $1 AND NOT EXISTS (SELECT 1 FROM streams s WHERE s.notice = n.id) AND n.id < (SELECT max(id) FROM notices) LIMIT $2)`,
			`DELETE FROM folded WHERE (person, consent, post) IN (SELECT person, consent, post FROM folded WHERE at < $1 LIMIT $2)`,
		} {
			n, err := tx.exec(text, at, p.size)
			if err != nil {
				return err
			}
			out.Messages += int(n)
			out.More = out.More || n == int64(p.size)
		}
		return nil
	})
}

// oldPost holds for a post p that nothing will happen to: it was not changed for so long, no delivery of it is open and
// it is not planned, and it does not have the newest delivery or copy, whose
// number would be given again. Posts that were retracted for good are only a record that they were, and stay.
const oldPost = `p.changed_at < $1 AND p.visible_at < $1 AND p.stale = 0 AND p.status IN ('live', 'withdrawn') AND p.id < (SELECT max(id) FROM posts)
	AND NOT EXISTS (SELECT 1 FROM publications u JOIN deliveries d ON d.publication = u.id WHERE u.post = p.id
		AND (d.settled_at = 0 OR d.id = (SELECT max(id) FROM deliveries) OR u.id = (SELECT max(id) FROM publications)))
	AND NOT EXISTS (SELECT 1 FROM streams s WHERE s.post = p.id)`

// posts takes out posts with all that is known of their copies. Their items stay used.
func (p *Pruner) posts(ctx context.Context) (out Pruned, err error) {
	size := max(1, p.size/10) // each has a dozen rows
	ids, err := p.ids(ctx, `SELECT p.id FROM posts p WHERE `+oldPost+` ORDER BY p.changed_at LIMIT $2`, p.before(p.keep.Posts), size)
	if err != nil || len(ids) == 0 {
		return out, err
	}
	out.More = len(ids) == size
	return out, p.db.Write(ctx, func(tx *Tx) error {
		out.Posts = 0
		still, err := tx.ids(`SELECT p.id FROM posts p WHERE p.id IN @list($2) AND `+oldPost, p.before(p.keep.Posts), jsonList(ids))
		if err != nil || len(still) == 0 {
			return err
		}
		list := jsonList(still)
		for _, text := range []string{
			`DELETE FROM deliveries WHERE publication IN (SELECT id FROM publications WHERE post IN @list($1))`,
			`DELETE FROM parts WHERE publication IN (SELECT id FROM publications WHERE post IN @list($1))`,
			`DELETE FROM publications WHERE post IN @list($1)`,
			`UPDATE channel_items SET post = NULL WHERE item IN (SELECT item FROM post_items WHERE post IN @list($1)) AND post IN @list($1)`,
			`DELETE FROM post_items WHERE post IN @list($1)`,
			`DELETE FROM folded WHERE post IN @list($1)`,
			`DELETE FROM post_media WHERE post IN @list($1)`,
			`UPDATE occurrences SET post = NULL WHERE post IN @list($1)`,
			`DELETE FROM post_revisions WHERE post IN @list($1)`,
			`DELETE FROM posts WHERE id IN @list($1)`,
		} {
			if err := tx.run(text, list); err != nil {
				return err
			}
		}
		out.Posts = len(still)
		return nil
	})
}

// itemSpan is how many ids of items one step looks at: most of an old store has been pruned before.
const itemSpan = 5000

// oldItem holds for an item that its source does not list any more, that nobody waits for or looks at, and that no digest
// on show is made of: making a digest anew takes the content of each of its items.
const oldItem = `i.listed = 0 AND i.state IN ('live', 'removed') AND i.changed = 0 AND i.check_at = 0 AND i.hold IS NULL AND i.substance <> ''
	AND i.listed_at < $1 AND i.changed_at < $1 AND i.seen_at < $1 AND i.not_before < $1
	AND NOT EXISTS (SELECT 1 FROM channel_items c WHERE c.item = i.id AND c.state IN ('waiting', 'held'))
	AND NOT EXISTS (SELECT 1 FROM post_items x JOIN posts p ON p.id = x.post WHERE x.item = i.id AND (p.stale = 1 OR p.kind = 'digest' AND p.status <> 'retracted'))
	AND NOT EXISTS (SELECT 1 FROM held_removals r WHERE r.item = i.id)`

// items empties old items down to what keeps them from being posted again: their key, address and title. A revision that
// comes all the same brings the content back, and is carried to the copies.
func (p *Pruner) items(ctx context.Context) (out Pruned, err error) {
	last := int64(0)
	if err := p.db.queryRow(ctx, `SELECT coalesce(max(id), 0) FROM items`).Scan(&last); err != nil {
		return out, err
	}
	until := p.after + itemSpan
	type emptied struct {
		id      int64
		content string
	}
	var list []emptied
	if err := p.db.query(ctx, func(r scanner) error {
		var e emptied
		var content string
		if err := r.Scan(&e.id, &content); err != nil {
			return err
		}
		var it sdk.Item
		if err := decode(content, &it); err != nil {
			return err
		}
		var err error
		e.content, err = encode(compose.EmptyItem(it))
		list = append(list, e)
		return err
	}, `SELECT i.id, i.content FROM items i WHERE i.id > $2 AND i.id <= $3 AND `+oldItem+` ORDER BY i.id LIMIT $4`, p.before(p.keep.Items), p.after, until, p.size); err != nil {
		return out, err
	}
	p.after = until
	if len(list) == p.size {
		p.after = list[len(list)-1].id
	}
	out.More = p.after < last
	if len(list) == 0 {
		return out, nil
	}
	return out, p.db.Write(ctx, func(tx *Tx) error {
		out.Items = 0
		return tx.later(func() error {
			for _, e := range list {
				n, err := tx.empty(e.id, e.content, p.before(p.keep.Items))
				if err != nil {
					return err
				}
				out.Items += int(n)
			}
			return nil
		})
	})
}

// empty takes the content out of an item that is still old. The row moves away and back again: SQLite gives up the room of
// a row that goes, but not that of one which only becomes shorter, so that most of its page would stay empty for ever.
func (tx *Tx) empty(item int64, content string, before int64) (int64, error) {
	n, err := tx.exec(`UPDATE items AS i SET id = -i.id, content = $3, substance = '', facts = '', title_key = '' WHERE i.id = $2 AND `+oldItem, before, item, content)
	if err != nil || n == 0 {
		return 0, err
	}
	return tx.exec(`UPDATE items SET id = -id WHERE id = -CAST($1 AS BIGINT)`, item)
}

// later does something after which all references are whole again, although they are not in between. The setting counts
// when a statement is prepared, and ends with the transaction, so that it cannot be a kept statement.
func (tx *Tx) later(do func() error) error {
	if _, err := tx.conn.ExecContext(context.Background(), `PRAGMA defer_foreign_keys = 1`); err != nil {
		return err
	}
	err := do()
	_, e := tx.conn.ExecContext(context.Background(), `PRAGMA defer_foreign_keys = 0`)
	return errors.Join(err, e)
}

// media takes out images that no post shows and no item that may still be posted has.
func (p *Pruner) media(ctx context.Context) (out Pruned, err error) {
	urls := []string{}
	if err := p.db.query(ctx, func(r scanner) error {
		var content string
		if err := r.Scan(&content); err != nil {
			return err
		}
		var it sdk.Item
		err := decode(content, &it)
		for _, m := range it.Media {
			urls = append(urls, m.URL)
		}
		return err
	}, `SELECT i.content FROM items i WHERE i.id IN (SELECT id FROM items WHERE hold > 0 UNION ALL SELECT id FROM items WHERE changed > 0
		UNION ALL SELECT item FROM channel_items WHERE state = 'waiting' UNION ALL SELECT item FROM channel_items WHERE state = 'held')`); err != nil {
		return out, err
	}
	const old = `state IN ('stored', 'failed') AND wanted_at < $1 AND fetched_at < $1 AND error <> 'retracted' AND url NOT IN @list($2)
		AND NOT EXISTS (SELECT 1 FROM post_media pm WHERE pm.media = media.id)`
	needed := jsonList(urls)
	ids, err := p.ids(ctx, `SELECT id FROM media WHERE `+old+` ORDER BY id LIMIT $3`, p.before(p.keep.Media), needed, p.size)
	if err != nil || len(ids) == 0 {
		return out, err
	}
	out.More = len(ids) == p.size
	return out, p.db.Write(ctx, func(tx *Tx) error {
		out.Media, out.Files = 0, nil
		for _, id := range ids {
			var name, sum string
			err := tx.row(`DELETE FROM media WHERE id = $3 AND `+old+` RETURNING name, sha256`, p.before(p.keep.Media), needed, id).Scan(&name, &sum)
			if errors.Is(err, sql.ErrNoRows) {
				continue // a post shows it by now
			}
			if err != nil {
				return err
			}
			out.Media++
			named := false
			if err := tx.row(`SELECT EXISTS (SELECT 1 FROM media WHERE sha256 = $1 AND sha256 <> '')`, sum).Scan(&named); err != nil {
				return err
			}
			if name != "" && !named {
				out.Files = append(out.Files, name)
			}
		}
		return nil
	})
}

// alerts takes out alerts that are long over and of whose end was told.
func (p *Pruner) alerts(ctx context.Context) (out Pruned, err error) {
	err = p.db.Write(ctx, func(tx *Tx) error {
		n, err := tx.exec(`DELETE FROM alerts WHERE id IN (SELECT id FROM alerts WHERE resolved_at > 0 AND resolved_at < $1 AND id < (SELECT max(id) FROM alerts) LIMIT $2)`,
			p.before(p.keep.Alerts), p.size)
		out.Alerts = int(n)
		return err
	})
	out.More = out.Alerts == p.size
	return out, err
}

// acts takes out the oldest of what people did.
func (p *Pruner) acts(ctx context.Context) (out Pruned, err error) {
	err = p.db.Write(ctx, func(tx *Tx) error {
		n, err := tx.exec(`DELETE FROM acts WHERE id IN (SELECT id FROM acts WHERE at < $1 AND id < (SELECT max(id) FROM acts) ORDER BY id LIMIT $2)`, p.before(p.keep.Acts), p.size)
		out.Acts = int(n)
		return err
	})
	out.More = out.Acts == p.size
	return out, err
}

// Quiet says that nobody waits for the writer and that nothing is being sent.
func (db *DB) Quiet(ctx context.Context) (bool, error) {
	if len(db.jobs) > 0 {
		return false, nil
	}
	busy := false
	err := db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM batches)`).Scan(&busy)
	return !busy, err
}

// GiveBack gives free pages of the database file back to the disk, at most so many, and says how many more there are. Some
// are kept for what comes next.
func (db *DB) GiveBack(ctx context.Context, keep, pages int) (left int, err error) {
	if err := db.queryRow(ctx, `SELECT freelist_count FROM pragma_freelist_count`).Scan(&left); err != nil || left <= keep {
		return 0, err
	}
	left -= keep
	pages = min(pages, left)
	err = db.Write(ctx, func(tx *Tx) error {
		// Each row is a page that went.
		return tx.rows(func(scanner) error { return nil }, fmt.Sprintf(`PRAGMA incremental_vacuum(%d)`, pages))
	})
	return left - pages, err
}

// NamedFiles gives the identities of all stored images that a row names.
func (db *DB) NamedFiles(ctx context.Context) (map[string]bool, error) {
	out := map[string]bool{}
	return out, db.query(ctx, func(r scanner) error {
		var sum string
		err := r.Scan(&sum)
		out[sum] = true
		return err
	}, `SELECT DISTINCT sha256 FROM media WHERE sha256 <> ''`)
}

// Room is what a part of the store takes.
type Room struct {
	Name string `json:"name"`
	Rows int    `json:"rows"`
	// Bytes are the pages of its tables and indexes.
	Bytes int64 `json:"bytes"`
}

// rooms are the parts of the store, with the tables of each; the first one's rows are counted. All others together are the
// last part.
var rooms = []struct {
	name   string
	tables []string
}{
	{"items", []string{"items", "item_aliases", "channel_items", "held_removals", "holds"}},
	{"posts", []string{"posts", "post_revisions", "post_items", "post_media", "publications", "parts"}},
	{"deliveries", []string{"deliveries", "calls", "batches"}},
	{"images", []string{"media"}},
	{"alerts", []string{"alerts"}},
	{"acts", []string{"acts"}},
}

// Rooms tells what takes room in the database file, and how many bytes of it are free pages. It reads the whole file.
func (db *DB) Rooms(ctx context.Context) (list []Room, free int64, err error) {
	sizes := map[string]int64{}
	total := int64(0)
	if err := db.query(ctx, func(r scanner) error {
		var table string
		var n int64
		err := r.Scan(&table, &n)
		sizes[table] += n
		total += n
		return err
	}, `SELECT coalesce(o.tbl_name, s.name), sum(s.pgsize) FROM dbstat s LEFT JOIN sqlite_schema o ON o.name = s.name WHERE s.aggregate = 1 GROUP BY 1`); err != nil {
		return nil, 0, err
	}
	for _, room := range rooms {
		r := Room{Name: room.name}
		for _, table := range room.tables {
			r.Bytes += sizes[table]
			total -= sizes[table]
		}
		if err := db.queryRow(ctx, `SELECT count(*) FROM `+room.tables[0]).Scan(&r.Rows); err != nil {
			return nil, 0, err
		}
		list = append(list, r)
	}
	list = append(list, Room{Name: "the rest", Bytes: total})
	return list, free, db.queryRow(ctx, `SELECT f.freelist_count * s.page_size FROM pragma_freelist_count f, pragma_page_size s`).Scan(&free)
}
