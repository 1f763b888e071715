package store

import (
	"context"
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/sdk"
)

// Delivery is a delivery as commands show it.
type Delivery struct {
	ID          int64
	Post        string
	Title       string
	Channel     string
	Destination string
	Chat        string
	State       outbox.State
	Reason      string
	Op          outbox.Op
	Revision    int
	Attempt     int
	Code, Error string
	NextAt      time.Time
	CreatedAt   time.Time
	StartedAt   time.Time
	SettledAt   time.Time
}

// DeliveryFilter chooses deliveries; empty fields choose all.
type DeliveryFilter struct {
	Post, Channel, Destination, State string
	Limit                             int
}

// Deliveries lists deliveries, the newest first.
func (db *DB) Deliveries(ctx context.Context, f DeliveryFilter) ([]Delivery, error) {
	if f.Limit == 0 {
		f.Limit = 100
	}
	// What has not ended is little, and so is what a post has: neither is looked for among everything that was ever sent.
	from, of := `deliveries d`, `(p.public_id = $1 OR $1 = '')`
	if f.Post != "" {
		of = `p.public_id = $1`
	}
	switch outbox.State(f.State) {
	case outbox.Pending, outbox.Started, outbox.Unknown, outbox.Held, outbox.AwaitingPerson:
		from, of = `deliveries d @by(deliveries_open)`, of+` AND d.settled_at = 0`
	}
	var out []Delivery
	err := db.query(ctx, func(r scanner) error {
		var d Delivery
		var next, created, started, settled int64
		var content string
		if err := r.Scan(&d.ID, &d.Post, &d.Channel, &d.Destination, &d.Chat, &d.State, &d.Reason, &d.Op, &d.Revision, &d.Attempt, &d.Code, &d.Error,
			&next, &created, &started, &settled, &content); err != nil {
			return err
		}
		d.NextAt, d.CreatedAt, d.StartedAt, d.SettledAt = timeOf(next), timeOf(created), timeOf(started), timeOf(settled)
		var c compose.Content
		err := decode(content, &c)
		d.Title = c.Title
		out = append(out, d)
		return err
	}, `SELECT d.id, p.public_id, u.channel, d.destination, d.chat, d.state, d.reason, d.op, d.revision, d.attempt, d.code, d.error, d.next_at, d.created_at,
			d.started_at, d.settled_at, r.content
		FROM `+from+` JOIN publications u ON u.id = d.publication JOIN posts p ON p.id = u.post JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision
		WHERE `+of+` AND (u.channel = $2 OR $2 = '') AND (d.destination = $3 OR $3 = '') AND (d.state = $4 OR $4 = '')
		ORDER BY d.id DESC LIMIT $5`, f.Post, f.Channel, f.Destination, f.State, f.Limit)
	return out, err
}

// Copy is a publication as commands and the record show it.
type Copy struct {
	Destination, Chat string
	State             string
	Reason            string
	Want, Have        int
	Gone, HaveGone    bool
	URLs              []string
	OutAt             time.Time
	// ExpiresAt is when it is dropped if it could not leave; zero when it never is.
	ExpiresAt time.Time
	// Waiting is the state of its open delivery; empty when there is none.
	Waiting  string
	Delivery int64
	Error    string
}

// Copies lists the publications of a post.
func (db *DB) Copies(ctx context.Context, post int64) ([]Copy, error) {
	var out []Copy
	ids := []int64{}
	err := db.query(ctx, func(r scanner) error {
		var c Copy
		var id, at, expires int64
		err := r.Scan(&id, &c.Destination, &c.Chat, &c.State, &c.Reason, &c.Want, &c.Have, &c.Gone, &c.HaveGone, &at, &expires, &c.Waiting, &c.Delivery, &c.Error)
		c.OutAt, c.ExpiresAt = timeOf(at), timeOf(expires)
		ids = append(ids, id)
		out = append(out, c)
		return err
	}, `SELECT u.id, u.destination, u.chat, u.state, u.reason, u.want, u.have, u.gone, u.have_gone, u.out_at, u.expires_at, coalesce(d.state, ''), coalesce(d.id, 0), coalesce(d.error, '')
		FROM publications u LEFT JOIN deliveries d ON d.publication = u.id AND d.settled_at = 0
		WHERE u.post = $1 ORDER BY u.id`, post)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if err := db.query(ctx, func(r scanner) error {
			var url string
			err := r.Scan(&url)
			if url != "" {
				out[i].URLs = append(out[i].URLs, url)
			}
			return err
		}, `SELECT url FROM parts WHERE publication = $1 ORDER BY series, position`, ids[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ItemRow is an item as commands show it.
type ItemRow struct {
	ID        int64
	Source    string
	Key       string
	Title     string
	URL       string
	State     string
	Reason    string
	Revision  int
	Baseline  bool
	SeenAt    time.Time
	Published time.Time
	NotBefore time.Time
	// Content is what the source said last.
	Content sdk.Item
	// Hold is why the flood brake holds it; empty when it does not.
	Hold string
	// Unseen says that channels have not looked at its last change yet.
	Unseen bool
	In     []compose.Membership
}

// FindItem finds an item by its source and key, or by key or address alone when that names only one.
func (db *DB) FindItem(ctx context.Context, source, key string) ([]ItemRow, error) {
	var out []ItemRow
	err := db.query(ctx, func(r scanner) error {
		var it ItemRow
		var seen, published, notBefore int64
		var content string
		err := r.Scan(&it.ID, &it.Source, &it.Key, &content, &it.URL, &it.State, &it.Reason, &it.Revision, &it.Baseline, &seen, &published, &notBefore, &it.Hold, &it.Unseen)
		it.SeenAt, it.Published, it.NotBefore = timeOf(seen), timeOf(published), timeOf(notBefore)
		var item sdk.Item
		err = errors.Join(err, decode(content, &item))
		it.Title, it.Content = item.Title, item
		out = append(out, it)
		return err
	}, `SELECT id, source, key, content, url, state, reason, revision, baseline, seen_at, published, not_before,
			coalesce((SELECT note FROM holds h WHERE h.id = items.hold AND h.ended_at = 0), ''), changed > 0 FROM items
		WHERE (source = $1 OR $1 = '') AND (key = $2 OR url = $2 OR CAST(id AS TEXT) = $2
			OR id IN (SELECT item FROM item_aliases a WHERE a.key = $2 AND (a.source = $1 OR $1 = ''))) ORDER BY id LIMIT 20`, source, key)
	if err != nil {
		return nil, err
	}
	for i := range out {
		if err := db.query(ctx, func(r scanner) error {
			var m compose.Membership
			err := r.Scan(&m.Channel, &m.State, &m.Reason, &m.Detail, &m.Post)
			out[i].In = append(out[i].In, m)
			return err
		}, `SELECT channel, state, reason, detail, coalesce(post, 0) FROM channel_items WHERE item = $1 ORDER BY channel`, out[i].ID); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// PostPublicID gives the public id of a post.
func (db *DB) PostPublicID(ctx context.Context, id int64) (string, error) {
	var public string
	err := db.queryRow(ctx, `SELECT public_id FROM posts WHERE id = $1`, id).Scan(&public)
	return public, notFound(err)
}

// DestinationRow is a destination as commands show it.
type DestinationRow struct {
	Name        string
	StoppedAt   time.Time
	PausedUntil time.Time
	Code, Error string
	Failures    int
	OKAt        time.Time
	Lanes       []LaneRow
	Waiting     int
	OldestAt    time.Time
	Unknown     int
	Failed      int
	Listed      int
	Held        int
}

// LaneRow is one channel on a destination as commands show it.
type LaneRow struct {
	Chat, Title, URL string
	StoppedAt        time.Time
	Error            string
}

// DestinationRows lists what is known of destinations, by name.
func (db *DB) DestinationRows(ctx context.Context) (map[string]DestinationRow, error) {
	out := map[string]DestinationRow{}
	if err := db.query(ctx, func(r scanner) error {
		var d DestinationRow
		var stopped, paused, ok int64
		err := r.Scan(&d.Name, &stopped, &paused, &d.Code, &d.Error, &d.Failures, &ok)
		d.StoppedAt, d.PausedUntil, d.OKAt = timeOf(stopped), timeOf(paused), timeOf(ok)
		out[d.Name] = d
		return err
	}, `SELECT name, stopped_at, paused_until, code, error, failures, ok_at FROM destinations`); err != nil {
		return nil, err
	}
	if err := db.query(ctx, func(r scanner) error {
		var name, state string
		var n int
		var oldest int64
		if err := r.Scan(&name, &state, &n, &oldest); err != nil {
			return err
		}
		d := out[name]
		d.Name = name
		switch outbox.State(state) {
		case outbox.Pending, outbox.Started:
			d.Waiting += n
			if at := timeOf(oldest); d.OldestAt.IsZero() || at.Before(d.OldestAt) {
				d.OldestAt = at
			}
		case outbox.Unknown:
			d.Unknown = n
		case outbox.Failed:
			d.Failed = n
		case outbox.AwaitingPerson:
			d.Listed = n
		case outbox.Held:
			d.Held = n
		}
		out[name] = d
		return nil
	}, `SELECT destination, state, count(*), min(created_at) FROM deliveries WHERE settled_at = 0
		GROUP BY destination, state
		UNION ALL SELECT destination, 'failed', count(*), 0 FROM publications WHERE state <> 'done' AND state <> 'open' AND state = 'failed' GROUP BY destination`); err != nil {
		return nil, err
	}
	return out, db.query(ctx, func(r scanner) error {
		var name, ref string
		var l LaneRow
		var stopped int64
		if err := r.Scan(&name, &l.Chat, &ref, &stopped, &l.Error); err != nil {
			return err
		}
		l.StoppedAt = timeOf(stopped)
		var c struct{ Title, URL string }
		err := decode(ref, &c)
		l.Title, l.URL = c.Title, c.URL
		d := out[name]
		d.Name = name
		d.Lanes = append(d.Lanes, l)
		out[name] = d
		return err
	}, `SELECT destination, chat, ref, stopped_at, error FROM lanes ORDER BY destination, chat`)
}

// Occurrences lists what became of the due times of a schedule, the newest first.
func (db *DB) Occurrences(ctx context.Context, schedule string, limit int) ([]compose.Occurrence, error) {
	var out []compose.Occurrence
	err := db.query(ctx, func(r scanner) error {
		var o compose.Occurrence
		var at int64
		err := r.Scan(&o.Schedule, &o.Key, &at, &o.Outcome, &o.Reason)
		o.At = timeOf(at)
		out = append(out, o)
		return err
	}, `SELECT schedule, key, at, outcome, reason FROM occurrences WHERE schedule = $1 OR $1 = '' ORDER BY at DESC LIMIT $2`, schedule, limit)
	return out, err
}

// CountText counts the rows that hold a text in any column that keeps what readers or newsrooms wrote: after a legal
// retraction none may.
func (db *DB) CountText(ctx context.Context, text string) (int, error) {
	n := 0
	err := db.queryRow(ctx, `SELECT (SELECT count(*) FROM items WHERE instr(content || title_key || url || link, $1) > 0)
		+ (SELECT count(*) FROM post_revisions WHERE instr(content || note, $1) > 0)
		+ (SELECT count(*) FROM calls WHERE instr(call, $1) > 0 OR instr(request, CAST($1 AS BLOB)) > 0)
		+ (SELECT count(*) FROM deliveries WHERE instr(error, $1) > 0)
		+ (SELECT count(*) FROM alerts WHERE instr(sentence || mend, $1) > 0)`, text).Scan(&n)
	return n, err
}
