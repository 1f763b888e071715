package store

import (
	"context"
	"database/sql"
	"slices"
	"strconv"

	"github.com/belfry-news/belfry/internal/consent"
)

// fanning is a stream of which the next messages are made.
type fanning struct {
	id                       int64
	state, kind, destination string
	post                     int64
	urgent                   bool
	// after is the person behind whom the next ones begin, most how many are made.
	after sql.NullInt64
	most  int
}

// FanOut makes the next messages of a stream: for everybody who follows its purpose over its medium since before it was
// made, in the order of their numbers. It says whether all are made. Messages that were made before may leave meanwhile.
func (db *DB) FanOut(ctx context.Context, stream int64, most int, slot, zone, siteZone string) (made int64, whole bool, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		made, whole = 0, false
		f := fanning{id: stream, most: most}
		if err := tx.row(`SELECT fanned, state, kind, coalesce(post, 0), destination, urgent FROM streams WHERE id = $1`, stream).Scan(&f.after, &f.state, &f.kind, &f.post, &f.destination, &f.urgent); err != nil {
			return err
		}
		if f.state != "open" {
			whole = true
			return nil
		}
		var err error
		waits := false
		switch {
		case f.kind == string(consent.StreamCorrection):
			made, waits, err = tx.fanCorrection(f)
		case slot == "":
			made, err = tx.fanAtOnce(f)
		default:
			made, err = tx.fanDigest(f, slot, zone, siteZone)
		}
		if err != nil || waits {
			return err
		}
		whole = made < int64(most)
		var last sql.NullInt64
		if err := tx.row(`SELECT max(person) FROM messages WHERE stream = $1`, stream).Scan(&last); err != nil {
			return err
		}
		return tx.run(`UPDATE streams SET fanned = $2, whole = $3 WHERE id = $1`, stream, max(last.Int64, f.after.Int64), whole)
	})
	return made, whole, err
}

// fanCorrection makes messages to who has, or may have, what is corrected, and did not choose to get such things collected; it
// waits while that is not known of all. They are found in the order of their grants, so that each part of a large audience is
// looked at once.
func (tx *Tx) fanCorrection(f fanning) (n int64, waits bool, err error) {
	posts, digests, until, err := tx.showed(f.post, f.destination)
	if err != nil {
		return 0, false, err
	}
	if waits, err := tx.awaitLate(f.id, f.post, slices.Concat(posts, digests), until); err != nil || waits {
		return 0, waits, err
	}
	n, err = tx.exec(`INSERT INTO messages (stream, person, consent, version)
		SELECT $3, g.person, g.id, g.version FROM streams c JOIN posts p ON p.id = c.post
		JOIN grants g ON g.kind = substr(c.purpose, 1, instr(c.purpose, ' ') - 1) AND g.name = substr(c.purpose, instr(c.purpose, ' ') + 1) AND g.medium = c.medium
		WHERE c.id = $3 AND g.state = 'active' AND g.person > $4
		AND (EXISTS (SELECT 1 FROM messages m WHERE m.stream IN @list($6) AND m.person = g.person AND m.consent = g.id AND m.version = g.version AND (m.state = 'sent' OR m.state = 'unknown') AND m.revision < c.revision)
			OR EXISTS (SELECT 1 FROM messages m WHERE m.stream IN @list($7) AND m.person = g.person AND m.consent = g.id AND m.version = g.version AND `+showedBefore+`))
		AND NOT (p.status = 'live' AND EXISTS (SELECT 1 FROM folded f WHERE f.person = g.person AND f.consent = g.id AND f.post = p.id)) ORDER BY g.person LIMIT $5`,
		f.post, until, f.id, f.after.Int64, f.most, jsonList(posts), jsonList(digests))
	return n, false, err
}

// fanAtOnce makes messages to who gets each post as it appears, or a notice.
func (tx *Tx) fanAtOnce(f fanning) (int64, error) {
	mode := `g.mode = 'instant'`
	if f.urgent && f.kind == string(consent.StreamPost) {
		mode = `(g.mode = 'instant' OR g.breaking = 1)`
	}
	return tx.exec(`INSERT INTO messages (stream, person, consent, version)
		SELECT $1, g.person, g.id, g.version FROM grants g, streams s
		WHERE s.id = $1 AND g.kind = substr(s.purpose, 1, instr(s.purpose, ' ') - 1) AND g.name = substr(s.purpose, instr(s.purpose, ' ') + 1) AND g.medium = s.medium
		AND g.state = 'active' AND `+mode+` AND g.person > $2 AND g.since <= s.created_at ORDER BY g.person LIMIT $3`, f.id, f.after.Int64, f.most)
}

// fanDigest makes messages to who chose digests at a slot, or has something that did not fit before, in one zone.
func (tx *Tx) fanDigest(f fanning, slot, zone, siteZone string) (int64, error) {
	return tx.exec(`INSERT INTO messages (stream, person, consent, version)
		SELECT $1, g.person, g.id, g.version FROM streams s, grants g JOIN subscribers p ON p.id = g.person
		WHERE s.id = $1 AND g.kind = substr(s.purpose, 1, instr(s.purpose, ' ') - 1) AND g.name = substr(s.purpose, instr(s.purpose, ' ') + 1) AND g.medium = s.medium
		AND g.state = 'active' AND g.person > $2 AND g.since <= s.created_at
		AND (g.mode = 'digest' AND instr(g.slots, $4) > 0 OR EXISTS (SELECT 1 FROM folded f WHERE f.person = g.person AND f.consent = g.id AND f.at < s.created_at))
		AND CASE WHEN p.zone = '' THEN $6 ELSE p.zone END = $5 ORDER BY g.person LIMIT $3`, f.id, f.after.Int64, f.most, strconv.Quote(slot), zone, siteZone)
}
