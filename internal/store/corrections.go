package store

import (
	"strconv"

	"github.com/belfry-news/belfry/internal/consent"
)

// settledLate stands in a stream's column late once nobody's message is under way any more that may show what was before.
const settledLate = "-"

// showed are the streams of a destination that may have shown a post as it was before its last change, as a message and in
// digests, and until when the digests may show that.
func (tx *Tx) showed(post int64, destination string) (posts, digests []int64, until int64, err error) {
	if posts, err = tx.ids(`SELECT id FROM streams WHERE post = $1 AND destination = $2 AND kind = 'post'`, post, destination); err != nil {
		return nil, nil, 0, err
	}
	digests, until, err = tx.digestsBefore(post, destination)
	return posts, digests, until, err
}

// awaitLate says that a stream of corrections has to wait: a message that was under way when it was made has no outcome yet,
// and whoever it goes to is told only if it left. Who these are is noted by the first call, which must come a little after
// the correction, when every message that starts has been written anew. Once all of them are settled, what is collected for
// digests is put aside, once.
func (tx *Tx) awaitLate(stream, post int64, of []int64, until int64) (waits bool, err error) {
	var text string
	var collects bool
	if err := tx.row(`SELECT late, collects FROM streams WHERE id = $1`, stream).Scan(&text, &collects); err != nil || text == settledLate {
		return false, err
	}
	late := map[string][]consent.PersonID{}
	if text != "" {
		if err := decode(text, &late); err != nil {
			return false, err
		}
	} else if late, err = tx.started(of); err != nil {
		return false, err
	}
	for id, people := range late {
		var under bool
		if err := tx.row(`SELECT EXISTS (SELECT 1 FROM messages WHERE stream = $1 AND person IN @list($2) AND state = 'pending' AND next_at = 0)`, id, jsonList(people)).Scan(&under); err != nil {
			return false, err
		}
		waits = waits || under
	}
	if waits {
		if text != "" {
			return true, nil
		}
		if text, err = encode(late); err != nil {
			return false, err
		}
		return true, tx.run(`UPDATE streams SET late = $2 WHERE id = $1`, stream, text)
	}
	if collects {
		if err := tx.collect(stream, post, of, until); err != nil {
			return false, err
		}
	}
	return false, tx.run(`UPDATE streams SET late = $2 WHERE id = $1`, stream, settledLate)
}

// started are the people of streams whose messages have started and may have no outcome yet.
func (tx *Tx) started(of []int64) (map[string][]consent.PersonID, error) {
	out := map[string][]consent.PersonID{}
	return out, tx.rows(func(r scanner) error {
		var id int64
		var text string
		var begun int
		if err := r.Scan(&id, &text, &begun); err != nil {
			return err
		}
		var people []consent.PersonID
		if err := decode(text, &people); err != nil {
			return err
		}
		key := strconv.FormatInt(id, 10)
		out[key] = append(out[key], people[:begun]...)
		return nil
	}, `SELECT stream, people, started FROM message_batches WHERE started > 0 AND stream IN @list($1)`, jsonList(of))
}

// collect puts a correction aside for the next digest of those who get digests and saw what was before.
func (tx *Tx) collect(stream, post int64, of []int64, until int64) error {
	return tx.run(`INSERT INTO folded (person, consent, post, reason, at)
		SELECT DISTINCT m.person, m.consent, $1, 'correction', c.created_at FROM messages m JOIN streams s ON s.id = m.stream JOIN grants g ON g.id = m.consent AND g.version = m.version, streams c
		WHERE c.id = $4 AND m.stream IN @list($3) AND g.state = 'active' AND g.mode = 'digest'
		AND (s.kind = 'post' AND (m.state = 'sent' OR m.state = 'unknown') AND m.revision < c.revision OR s.kind = 'digest' AND `+showedBefore+`) ON CONFLICT DO NOTHING`,
		post, until, jsonList(of), stream)
}
