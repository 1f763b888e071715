package store

import (
	"context"
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/sdk"
)

// MessagePost is a post as messages show it, in its newest revision.
type MessagePost struct {
	ID int64
	compose.Revision
	Status string
	Urgent bool
}

const messagePostColumns = `p.id, p.public_id, p.channel, p.revision, p.status, p.urgent, p.visible_at, r.at, r.content`

func scanMessagePost(r scanner) (p MessagePost, err error) {
	var visible, at int64
	var content string
	if err := r.Scan(&p.ID, &p.PublicID, &p.Channel, &p.Number, &p.Status, &p.Urgent, &visible, &at, &content); err != nil {
		return p, notFound(err)
	}
	p.Published, p.At = timeOf(visible), timeOf(at)
	return p, decode(content, &p.Content)
}

// MessagePost gives a post in its newest revision.
func (db *DB) MessagePost(ctx context.Context, id int64) (MessagePost, error) {
	return scanMessagePost(db.queryRow(ctx, `SELECT `+messagePostColumns+` FROM posts p JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision WHERE p.id = $1`, id))
}

// MessagePosts gives the live posts of a channel that were shown after one time and up to another, the oldest first; and older
// ones that somebody waits for.
func (db *DB) MessagePosts(ctx context.Context, channel string, after, until time.Time) (out []MessagePost, err error) {
	err = db.query(ctx, func(r scanner) error {
		p, err := scanMessagePost(r)
		out = append(out, p)
		return err
	}, `SELECT `+messagePostColumns+` FROM (SELECT n.id FROM posts n WHERE n.channel = $1 AND n.visible_at > 0 AND n.visible_at > $2 AND n.visible_at <= $3 UNION SELECT post FROM folded) chosen
		CROSS JOIN posts p JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision
		WHERE p.id = chosen.id AND p.channel = $1 AND p.status = 'live' AND p.visible_at <= $3 ORDER BY p.visible_at, p.id`, channel, micros(after), micros(until))
	return out, err
}

// UnsentPosts gives the live posts of a channel, or its urgent ones, that were shown after one time and up to another, and of
// which a destination has no messages yet.
func (db *DB) UnsentPosts(ctx context.Context, channel, destination string, urgent bool, after, until time.Time) (out []MessagePost, err error) {
	err = db.query(ctx, func(r scanner) error {
		p, err := scanMessagePost(r)
		out = append(out, p)
		return err
	}, `SELECT `+messagePostColumns+` FROM posts p JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision
		WHERE p.channel = $1 AND p.status = 'live' AND p.visible_at > 0 AND p.visible_at > $3 AND p.visible_at <= $4 AND (p.urgent = 1 OR NOT $5)
		AND NOT EXISTS (SELECT 1 FROM streams s WHERE s.post = p.id AND s.destination = $2 AND s.kind = 'post') ORDER BY p.visible_at, p.id LIMIT 100`,
		channel, destination, micros(after), micros(until), urgent)
	return out, err
}

// notedAnew holds for a revision n whose note is its own: one that merely keeps the note of before corrects nothing more.
const notedAnew = `n.post = p.id AND n.revision > 1 AND n.note <> '' AND n.note <> coalesce((SELECT b.note FROM post_revisions b WHERE b.post = n.post AND b.revision = n.revision - 1), '')`

// lastChange is when a post p last became another for its readers: by a note or its withdrawal.
const lastChange = `CASE WHEN p.status <> 'live' THEN (SELECT n.at FROM post_revisions n WHERE n.post = p.id AND n.revision = p.revision)
	ELSE coalesce((SELECT max(n.at) FROM post_revisions n WHERE ` + notedAnew + `), 0) END`

// onItsWay is how long a message can take from its text to its outcome: one that was settled no later after a change may show
// what was before.
const onItsWay = 2 * time.Minute

// showedBefore holds for a message m of a digest that showed the post $1 as it was before a change.
const showedBefore = `(m.state = 'sent' OR m.state = 'unknown') AND m.posts <> '' AND m.settled_at < $2 AND EXISTS (SELECT 1 FROM json_each(m.posts) WHERE value = $1)`

// digestsBefore are the streams of a destination's digests that may have shown a post as it was before its last change, and
// until when their messages may show that.
func (tx *Tx) digestsBefore(post int64, destination string) (streams []int64, until int64, err error) {
	var changed int64
	if err := tx.row(`SELECT `+lastChange+` FROM posts p WHERE p.id = $1`, post).Scan(&changed); err != nil {
		return nil, 0, notFound(err)
	}
	streams, err = tx.ids(`SELECT d.id FROM posts p JOIN streams d ON d.kind = 'digest' AND d.destination = $2 AND d.purpose = 'channel ' || p.channel
		WHERE p.id = $1 AND d.slot_at >= p.visible_at AND d.created_at < $3`, post, destination, changed)
	return streams, changed + onItsWay.Microseconds(), err
}

// Corrected are the posts of a channel of which followers were sent an earlier revision by a destination since a time, as a
// message or in a digest, and that were corrected with a note or withdrawn after changed; with the streams of before. There are
// mostCorrected at most.
func (db *DB) Corrected(ctx context.Context, channel, destination string, after, changed time.Time) (out []CorrectedPost, err error) {
	err = db.query(ctx, func(r scanner) error {
		var c CorrectedPost
		var visible, at int64
		var content string
		if err := r.Scan(&c.ID, &c.PublicID, &c.Channel, &c.Number, &c.Status, &c.Urgent, &visible, &at, &content, &c.Stream, &c.Sent); err != nil {
			return err
		}
		c.Published, c.At = timeOf(visible), timeOf(at)
		out = append(out, c)
		return decode(content, &out[len(out)-1].Content)
	}, `WITH digests AS MATERIALIZED (SELECT slot_at, created_at FROM streams @by(streams_digest) WHERE kind = 'digest' AND destination = $2 AND purpose = 'channel ' || $1 AND created_at > $3),
		revised AS MATERIALIZED (SELECT n.id, n.public_id, n.channel, n.revision, n.status, n.urgent, n.visible_at, (SELECT coalesce(max(c.revision), 0) FROM streams c @by(streams_of_post) WHERE c.post = n.id AND c.kind = 'correction' AND c.destination = $2) AS told
			FROM posts n @by(posts_revised) WHERE n.channel = $1 AND n.revision > 1 AND n.changed_at > $5 AND n.visible_at > $4)
		SELECT `+messagePostColumns+`, coalesce(s.id, 0), coalesce(s.revision, 0)
		FROM revised p JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision
		LEFT JOIN streams s ON s.post = p.id AND s.kind = 'post' AND s.destination = $2 AND s.created_at > $3
		WHERE p.revision > s.revision AND (p.status <> 'live' OR EXISTS (SELECT 1 FROM post_revisions n WHERE n.revision > s.revision AND `+notedAnew+`))
			OR p.revision > p.told AND (p.status <> 'live' OR EXISTS (SELECT 1 FROM post_revisions n WHERE n.revision > p.told AND `+notedAnew+`))
				AND EXISTS (SELECT 1 FROM digests d WHERE d.slot_at >= p.visible_at AND d.created_at < `+lastChange+`)
		ORDER BY p.id LIMIT $6`, channel, destination, micros(after), micros(after.Add(-keptBefore)), micros(changed), mostCorrected)
	return out, err
}

// mostCorrected is how many posts Corrected gives.
const mostCorrected = 20

// keptBefore is how long after a post its message or digest is still made, at most.
const keptBefore = 31 * 24 * time.Hour

// CorrectedPost is a post that followers have an earlier revision of.
type CorrectedPost struct {
	MessagePost
	// Stream is that of the post, 0 when it came in digests alone; Sent is the revision that its followers know.
	Stream int64
	Sent   int
}

// Correct notes that followers are told of a revision: a stream of corrections is made, once. Who gets digests gets it with the
// next one where the stream says that it collects; a withdrawal is never collected: what a digest shows is live.
func (db *DB) Correct(ctx context.Context, c CorrectedPost, s consent.Stream) error {
	return db.Write(ctx, func(tx *Tx) error {
		if _, err := tx.newStream(s, 0); err != nil {
			return err
		}
		return tx.run(`UPDATE streams SET revision = $2 WHERE id = $1 AND revision < $2`, c.Stream, c.Number)
	})
}

// KnowRevision notes that followers need not be told of a revision: the stream of its corrections is done before it begins.
func (db *DB) KnowRevision(ctx context.Context, c CorrectedPost, s consent.Stream) error {
	return db.Write(ctx, func(tx *Tx) error {
		id, err := tx.newStream(s, 0)
		if err != nil {
			return err
		}
		if err := tx.run(`UPDATE streams SET state = 'done', whole = 1 WHERE id = $1`, id); err != nil {
			return err
		}
		return tx.run(`UPDATE streams SET revision = $2 WHERE id = $1 AND revision < $2`, c.Stream, c.Number)
	})
}

// DigestZones lists the zones of those who get digests of a purpose over a medium, or for whom something was kept for the next
// one; the empty one for those who never said.
func (db *DB) DigestZones(ctx context.Context, p consent.Purpose, medium string) (out []string, err error) {
	err = db.query(ctx, func(r scanner) error {
		zone := ""
		err := r.Scan(&zone)
		out = append(out, zone)
		return err
	}, `SELECT DISTINCT s.zone FROM grants g JOIN subscribers s ON s.id = g.person
		WHERE g.kind = $1 AND g.name = $2 AND g.medium = $3 AND g.state = 'active' AND (g.mode = 'digest' OR g.id IN (SELECT consent FROM folded))`, p.Kind, p.Name, medium)
	return out, err
}

// Mark gives a text that was kept with SetMark; empty when none was.
func (db *DB) Mark(ctx context.Context, name string) (text string, err error) {
	err = notFound(db.queryRow(ctx, `SELECT value FROM meta WHERE name = $1`, name).Scan(&text))
	if errors.Is(err, ErrNotFound) {
		err = nil
	}
	return text, err
}

// MarksOf gives the texts under the names that begin so.
func (db *DB) MarksOf(ctx context.Context, prefix string) (map[string]string, error) {
	out := map[string]string{}
	err := db.query(ctx, func(r scanner) error {
		var name, value string
		err := r.Scan(&name, &value)
		out[name] = value
		return err
	}, `SELECT name, value FROM meta WHERE substr(name, 1, length($1)) = $1`, prefix)
	return out, err
}

// SetMark keeps a text under a name.
func (db *DB) SetMark(ctx context.Context, name, value string) error {
	return db.Write(ctx, func(tx *Tx) error { return (people{tx}).SetMark(name, value) })
}

// StopDestination stops a destination whose account does not work until somebody starts it again, with an alert.
func (db *DB) StopDestination(ctx context.Context, name string, code sdk.Code, sentence string, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		if err := tx.run(`INSERT INTO destinations (name, stopped_at, code, error) VALUES ($1, $2, $3, $4)
			ON CONFLICT (name) DO UPDATE SET stopped_at = excluded.stopped_at, code = excluded.code, error = excluded.error WHERE destinations.stopped_at = 0`,
			name, micros(now), code, sentence); err != nil {
			return err
		}
		return tx.alerts([]alert.Alert{{Code: alert.DestinationStop, Subject: name, Sentence: "destination " + name + ": " + sentence +
			"; its messages wait, and other destinations are unaffected", Mend: "mend that, then: belfry destination check " + name}}, nil, now)
	})
}

// PauseDestination lets nothing leave to a destination until a time.
func (db *DB) PauseDestination(ctx context.Context, name string, until time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`INSERT INTO destinations (name, paused_until) VALUES ($1, $2)
			ON CONFLICT (name) DO UPDATE SET paused_until = max(paused_until, excluded.paused_until)`, name, micros(until))
	})
}
