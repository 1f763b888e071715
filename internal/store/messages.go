package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/policy"
)

var _ consent.MessageStore = (*DB)(nil)

const streamColumns = `s.id, s.nonce, s.kind, s.destination, s.medium, s.purpose, coalesce(s.post, 0), coalesce(s.notice, 0), s.revision, s.occurrence, s.content, s.urgent, s.priority, s.slot_at, s.created_at, s.expires_at`

func scanStream(r scanner, more ...any) (s consent.Stream, err error) {
	var purpose string
	var slot, created, expires int64
	err = r.Scan(append([]any{&s.ID, &s.Nonce, &s.Kind, &s.Destination, &s.Medium, &purpose, &s.Post, &s.Notice, &s.Revision, &s.Occurrence, &s.Content, &s.Urgent, &s.Priority, &slot, &created, &expires}, more...)...)
	kind, name, _ := strings.Cut(purpose, " ")
	s.Purpose = consent.Purpose{Kind: consent.Kind(kind), Name: name}
	s.SlotAt, s.Created, s.Expires = timeOf(slot), timeOf(created), timeOf(expires)
	return s, err
}

// FanOut makes the next messages of a stream: for everybody who follows its purpose over its medium since before it was
// made, in the order of their numbers. It says whether all are made. Messages that were made before may leave meanwhile.
func (db *DB) FanOut(ctx context.Context, stream int64, most int, slot, zone, siteZone string) (made int64, whole bool, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		made, whole = 0, false
		var from, last sql.NullInt64
		var state, kind, destination string
		var post int64
		var urgent bool
		if err := tx.row(`SELECT fanned, state, kind, coalesce(post, 0), destination, urgent FROM streams WHERE id = $1`, stream).Scan(&from, &state, &kind, &post, &destination, &urgent); err != nil {
			return err
		}
		if state != "open" {
			whole = true
			return nil
		}
		var n int64
		var err error
		if kind == "correction" {
			// Who has, or may have, what is corrected, and did not choose to get such things collected. They are found in the
			// order of their grants, so that each part of a large audience is looked at once.
			posts, digests, until, err := tx.showed(post, destination)
			if err != nil {
				return err
			}
			if waits, err := tx.awaitLate(stream, post, slices.Concat(posts, digests), until); err != nil || waits {
				return err
			}
			if n, err = tx.exec(`INSERT INTO messages (stream, person, consent, version)
				SELECT $3, g.person, g.id, g.version FROM streams c JOIN posts p ON p.id = c.post
				JOIN grants g ON g.kind = substr(c.purpose, 1, instr(c.purpose, ' ') - 1) AND g.name = substr(c.purpose, instr(c.purpose, ' ') + 1) AND g.medium = c.medium
				WHERE c.id = $3 AND g.state = 'active' AND g.person > $4
				AND (EXISTS (SELECT 1 FROM messages m WHERE m.stream IN @list($6) AND m.person = g.person AND m.consent = g.id AND m.version = g.version AND (m.state = 'sent' OR m.state = 'unknown') AND m.revision < c.revision)
					OR EXISTS (SELECT 1 FROM messages m WHERE m.stream IN @list($7) AND m.person = g.person AND m.consent = g.id AND m.version = g.version AND `+showedBefore+`))
				AND NOT (p.status = 'live' AND EXISTS (SELECT 1 FROM folded f WHERE f.person = g.person AND f.consent = g.id AND f.post = p.id)) ORDER BY g.person LIMIT $5`,
				post, until, stream, from.Int64, most, jsonList(posts), jsonList(digests)); err != nil {
				return err
			}
		} else if slot == "" {
			mode := `g.mode = 'instant'`
			if urgent && kind == "post" {
				mode = `(g.mode = 'instant' OR g.breaking = 1)`
			}
			n, err = tx.exec(`INSERT INTO messages (stream, person, consent, version)
				SELECT $1, g.person, g.id, g.version FROM grants g, streams s
				WHERE s.id = $1 AND g.kind = substr(s.purpose, 1, instr(s.purpose, ' ') - 1) AND g.name = substr(s.purpose, instr(s.purpose, ' ') + 1) AND g.medium = s.medium
				AND g.state = 'active' AND `+mode+` AND g.person > $2 AND g.since <= s.created_at ORDER BY g.person LIMIT $3`, stream, from.Int64, most)
		} else {
			n, err = tx.exec(`INSERT INTO messages (stream, person, consent, version)
				SELECT $1, g.person, g.id, g.version FROM streams s, grants g JOIN subscribers p ON p.id = g.person
				WHERE s.id = $1 AND g.kind = substr(s.purpose, 1, instr(s.purpose, ' ') - 1) AND g.name = substr(s.purpose, instr(s.purpose, ' ') + 1) AND g.medium = s.medium
				AND g.state = 'active' AND g.person > $2 AND g.since <= s.created_at
				AND (g.mode = 'digest' AND instr(g.slots, $4) > 0 OR EXISTS (SELECT 1 FROM folded f WHERE f.person = g.person AND f.consent = g.id AND f.at < s.created_at))
				AND CASE WHEN p.zone = '' THEN $6 ELSE p.zone END = $5 ORDER BY g.person LIMIT $3`, stream, from.Int64, most, strconv.Quote(slot), zone, siteZone)
		}
		if err != nil {
			return err
		}
		made, whole = n, n < int64(most)
		if err := tx.row(`SELECT max(person) FROM messages WHERE stream = $1`, stream).Scan(&last); err != nil {
			return err
		}
		return tx.run(`UPDATE streams SET fanned = $2, whole = $3 WHERE id = $1`, stream, max(last.Int64, from.Int64), whole)
	})
	return made, whole, err
}

// HalfMade lists the open streams of which not all messages are made.
func (db *DB) HalfMade(ctx context.Context) (out []consent.Stream, err error) {
	err = db.query(ctx, func(r scanner) error {
		s, err := scanStream(r)
		out = append(out, s)
		return err
	}, `SELECT `+streamColumns+` FROM streams s WHERE s.state = 'open' AND s.whole = 0 ORDER BY s.priority, s.id`)
	return out, err
}

// NewStream makes a stream; it gives 0 when there is one already for the same post or occurrence.
func (tx *Tx) newStream(s consent.Stream, person consent.PersonID) (int64, error) {
	nullable := func(n int64) any {
		if n == 0 {
			return nil
		}
		return n
	}
	purpose := ""
	if s.Purpose.Name != "" {
		purpose = s.Purpose.String()
	}
	if s.Content == nil {
		s.Content = []byte{}
	}
	id, made, err := tx.insert(`INSERT INTO streams (kind, destination, medium, purpose, post, notice, occurrence, person, content, urgent, priority, slot_at, created_at, expires_at, revision, nonce, collects)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING RETURNING id`,
		s.Kind, s.Destination, s.Medium, purpose, nullable(s.Post), nullable(s.Notice), s.Occurrence, nullable(int64(person)), s.Content, s.Urgent, s.Priority,
		micros(s.SlotAt), micros(s.Created), micros(s.Expires), s.Revision, token(8), s.Collects)
	if err != nil || !made {
		return 0, err
	}
	return id, nil
}

// MakeStreams makes streams, each once: for posts that were made ready for followers, and for slots of digests. Where more people
// came since the last one than brake allows, the messages to them are braked.
func (db *DB) MakeStreams(ctx context.Context, list []consent.Stream, brake policy.Jump) (made int, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		made = 0
		for _, s := range list {
			id, err := tx.newStream(s, 0)
			if err != nil {
				return err
			}
			if id == 0 {
				continue
			}
			made++
			if err := tx.madeFor(s, brake); err != nil {
				return err
			}
		}
		return nil
	})
	return made, err
}

// Queue implements consent.Tx: the one message of a fixed text.
func (p people) Queue(f consent.Fixed) error {
	destination := ""
	if err := missing(p.tx.row(`SELECT value FROM meta WHERE name = $1`, writerOf+f.Medium).Scan(&destination)); err != nil {
		return err
	}
	id, err := p.tx.newStream(consent.Stream{Kind: consent.StreamKind(f.Kind), Destination: destination, Medium: f.Medium, Content: f.Content, Created: f.At, Expires: f.Expires}, f.Person)
	if err != nil {
		return err
	}
	if id == 0 {
		return fmt.Errorf("there is a stream already for %s to person %d", f.Kind, f.Person)
	}
	if err := p.tx.run(`INSERT INTO messages (stream, person) VALUES ($1, $2)`, id, f.Person); err != nil {
		return err
	}
	return p.tx.run(`UPDATE streams SET whole = 1, fanned = $2 WHERE id = $1`, id, f.Person)
}

// writerOf begins the names in meta of the destinations that write fixed texts, by medium.
const writerOf = "writer."

// UseWriters says which destination writes the fixed texts of each medium.
func (db *DB) UseWriters(ctx context.Context, byMedium map[string]string) error {
	return db.Write(ctx, func(tx *Tx) error {
		if err := tx.run(`DELETE FROM meta WHERE name LIKE $1`, writerOf+"%"); err != nil {
			return err
		}
		for medium, destination := range byMedium {
			if err := tx.run(`INSERT INTO meta (name, value) VALUES ($1, $2)`, writerOf+medium, destination); err != nil {
				return err
			}
		}
		return nil
	})
}

// ClaimMessages claims up to size messages of one open stream of a destination: what is due again goes first, then what was
// never claimed, the most urgent stream before the others. Nil when nothing is to be claimed now.
func (db *DB) ClaimMessages(ctx context.Context, destination string, now time.Time, lease time.Duration, size int) (*consent.Batch, error) {
	waits := false
	if err := db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM streams s WHERE s.destination = $1 AND s.state = 'open' AND s.ready_at <= $2 AND `+claimable+`) AND `+serves, destination, micros(now)).Scan(&waits); err != nil || !waits {
		return nil, err
	}
	var out *consent.Batch
	err := db.Write(ctx, func(tx *Tx) error {
		out = nil
		b := consent.Batch{Fence: token(16), LeaseUntil: now.Add(lease)}
		var claimed int64
		var err error
		b.Stream, err = scanStream(tx.row(`SELECT `+streamColumns+`, s.claimed FROM streams s WHERE s.destination = $1 AND s.state = 'open' AND s.ready_at <= $2
			AND `+claimable+` AND `+serves+` ORDER BY s.priority, s.id LIMIT 1`, destination, micros(now)), &claimed)
		if errors.Is(notFound(err), ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		take := func(text string, args ...any) error {
			return tx.rows(func(r scanner) error {
				var id int64
				err := r.Scan(&id)
				b.People = append(b.People, consent.PersonID(id))
				return err
			}, text, args...)
		}
		if err := take(`SELECT person FROM messages WHERE stream = $1 AND next_at > 0 AND next_at <= $2 ORDER BY next_at LIMIT $3`, b.Stream.ID, micros(now), size); err != nil {
			return err
		}
		if again := len(b.People); again > 0 {
			if err := tx.run(`UPDATE messages SET next_at = 0 WHERE stream = $1 AND person IN @list($2)`, b.Stream.ID, jsonList(b.People)); err != nil {
				return err
			}
		} else {
			if err := take(`SELECT person FROM messages WHERE stream = $1 AND person > $2 AND state = 'pending' AND next_at = 0 ORDER BY person LIMIT $3`, b.Stream.ID, claimed, size); err != nil {
				return err
			}
			if len(b.People) == 0 {
				return nil
			}
			if err := tx.run(`UPDATE streams SET claimed = $2 WHERE id = $1`, b.Stream.ID, b.People[len(b.People)-1]); err != nil {
				return err
			}
		}
		if b.ID, _, err = tx.insert(`INSERT INTO message_batches (node, fence, destination, stream, people, lease_until) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
			tx.db.node, b.Fence, destination, b.Stream.ID, jsonList(b.People), micros(b.LeaseUntil)); err != nil {
			return err
		}
		out = &b
		return nil
	})
	return out, err
}

// claimable holds for a stream that has something to claim at $2.
const claimable = `(s.claimed < s.fanned OR EXISTS (SELECT 1 FROM messages m WHERE m.stream = s.id AND m.next_at > 0 AND m.next_at <= $2)) AND ` + unpaused

// unpaused holds for a stream whose channel nobody paused.
const unpaused = `NOT EXISTS (SELECT 1 FROM pauses p WHERE p.scope = 'channel' AND s.purpose = 'channel ' || p.name)`

// NextMessages is when there can be something to claim for a destination; zero when nothing waits.
func (db *DB) NextMessages(ctx context.Context, destination string) (time.Time, error) {
	var at int64
	err := db.queryRow(ctx, `SELECT coalesce(min(max(s.ready_at, CASE WHEN s.claimed < s.fanned THEN 1
			ELSE coalesce((SELECT min(m.next_at) FROM messages m WHERE m.stream = s.id AND m.next_at > 0), 9e18) END)), 0)
		FROM streams s WHERE s.destination = $1 AND s.state = 'open'`, destination).Scan(&at)
	if at >= 9e18 {
		at = 0
	}
	return timeOf(at), err
}

// StartMessages implements consent.MessageStore.
func (db *DB) StartMessages(ctx context.Context, w consent.Window, judge func(consent.Candidate) consent.Judgement) (started []consent.Candidate, all int, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		started, all = nil, 0
		if err := tx.settleMessages(w.Results); err != nil {
			return err
		}
		for _, b := range w.Ended {
			if err := tx.endBatch(b.ID, b.Fence, w.Now); err != nil {
				return err
			}
		}
		begun, err := tx.batchOf(w)
		if err != nil {
			return err
		}
		window := w.Batch.People[begun:min(begun+w.Size, len(w.Batch.People))]
		all = begun + len(window)
		if len(window) == 0 {
			return nil
		}
		candidates, err := tx.candidates(w, window)
		if err != nil {
			return err
		}
		started = candidates[:0]
		if err := tx.sleepers(w, candidates); err != nil {
			return err
		}
		byDay, fresh := map[int64][]consent.PersonID{}, newcomers{imported: map[int64]int{}}
		for _, c := range candidates {
			fresh.before(&c)
			j := judge(c)
			fresh.count(c, j)
			if err := tx.judged(w, &c, j); err != nil {
				return err
			}
			if j.Go {
				c.Folded = j.Posts
				started = append(started, c)
				byDay[j.Day] = append(byDay[j.Day], c.Person)
			}
		}
		if err := fresh.record(tx, w.Batch.Stream, w.Now); err != nil {
			return err
		}
		if err := tx.countDays(w.Batch.Stream, byDay, w.Now); err != nil {
			return err
		}
		return tx.run(`UPDATE message_batches SET started = $2, lease_until = $3 WHERE id = $1`, w.Batch.ID, all, micros(w.Now.Add(w.Lease)))
	})
	if errors.Is(err, consent.ErrPaused) && len(w.Results) > 0 { // what became of the window before is recorded in any case
		err = errors.Join(err, db.SettleMessages(ctx, w.Results))
	}
	return started, all, err
}

// batchOf says how much of a batch that is still ours has started, and whether its destination may write now.
func (tx *Tx) batchOf(w consent.Window) (begun int, err error) {
	var may bool
	err = tx.row(`SELECT started, (SELECT `+strings.ReplaceAll(serves, "$1", "b.destination")+` AND `+unpaused+`) FROM message_batches b JOIN streams s ON s.id = b.stream WHERE b.id = $1 AND b.fence = $3 AND b.lease_until > $2`,
		w.Batch.ID, micros(w.Now), w.Batch.Fence).Scan(&begun, &may)
	switch {
	case errors.Is(notFound(err), ErrNotFound):
		return 0, consent.ErrFence
	case err != nil:
		return 0, err
	case !may:
		return 0, consent.ErrPaused
	}
	return begun, nil
}

// candidates reads everything that decides about the next messages of a batch, in their order.
func (tx *Tx) candidates(w consent.Window, window []consent.PersonID) ([]consent.Candidate, error) {
	s := w.Batch.Stream
	var state, reason string
	var content []byte
	if err := tx.row(`SELECT state, reason, content FROM streams WHERE id = $1`, s.ID).Scan(&state, &reason, &content); err != nil {
		return nil, err
	}
	s.Content = content
	stopped := ""
	withdrawn := false
	if s.Post > 0 {
		if err := tx.row(`SELECT status <> 'live' FROM posts WHERE id = $1`, s.Post).Scan(&withdrawn); err != nil {
			return nil, err
		}
	}
	if state != "open" {
		stopped = cmp.Or(reason, state)
	}
	out, err := tx.readCandidates(s, window)
	if err != nil {
		return nil, err
	}
	for i := range out {
		c := &out[i]
		c.Stopped, c.Withdrawn = stopped, withdrawn
	}
	if err := errors.Join(tx.newAudiences(s, out), tx.heard(w, out), tx.week(w, out)); err != nil {
		return nil, err
	}
	if s.Kind == consent.StreamDigest {
		at := make(map[consent.PersonID]*consent.Candidate, len(out))
		for i := range out {
			at[out[i].Person] = &out[i]
		}
		if err := tx.rows(func(r scanner) error {
			var id consent.PersonID
			var post int64
			err := r.Scan(&id, &post)
			if c := at[id]; c != nil {
				c.Folded = append(c.Folded, post)
			}
			return err
		}, `SELECT f.person, f.post FROM folded f JOIN messages m ON m.stream = $1 AND m.person = f.person AND m.consent = f.consent WHERE f.person IN @list($2) ORDER BY f.person, f.post`, s.ID, jsonList(window)); err != nil {
			return nil, err
		}
		// Urgent news reaches who chose digests on its own, when they want that: it does not come once more.
		if err := tx.rows(func(r scanner) error {
			var id consent.PersonID
			var post int64
			err := r.Scan(&id, &post)
			if c := at[id]; c != nil {
				c.Had = append(c.Had, post)
			}
			return err
		}, `SELECT m.person, p.id FROM posts p JOIN streams s ON s.post = p.id AND s.kind = 'post' AND s.medium = $3 AND s.urgent = 1
			JOIN messages m ON m.stream = s.id AND m.person IN @list($4)
			WHERE p.channel = $1 AND p.visible_at > $2 AND (m.state = 'sent' OR m.state = 'unknown' OR m.state = 'pending')`,
			s.Purpose.Name, micros(s.SlotAt.Add(-keptBefore)), s.Medium, jsonList(window)); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// What candidateColumns says in its bits.
const (
	isUnknown = 1 << iota
	isErased
	isVerified
	isSame
	isOfPurpose
	isDigest
	isBreaking
	isSuppressed
)

// candidateColumns are few, because each costs about as much as a look-up: what is a yes or no is a bit, and what most people
// never set is one text, or none.
const candidateColumns = `m.person, m.attempt,
	m.unsure + 2 * (s.erased_at <> 0) + 4 * (coalesce(a.verified_at, 0) > 0) + 8 * coalesce(g.version = m.version, 0)
		+ 16 * coalesce(g.kind = $4 AND g.name = $5 AND g.medium = $3, 0) + 32 * coalesce(g.mode = 'digest', 0) + 64 * coalesce(g.breaking <> 0, 0)
		+ 128 * EXISTS (SELECT 1 FROM suppressions u WHERE u.medium = $3 AND u.hash = a.hash),
	s.ref, s.lang, s.zone, CASE WHEN s.quiet_from <> '' OR s.quiet_until <> '' OR s.paused_until <> 0 OR s.per_day <> 0
		THEN json_object('from', s.quiet_from, 'until', s.quiet_until, 'paused', s.paused_until, 'most', s.per_day,
			'today', (SELECT d.day || ':' || sum(d.count) || ':0' FROM sent_days d WHERE d.person = m.person GROUP BY d.day ORDER BY d.day DESC LIMIT 1)) END,
	s.import, k.master, k.sealed, a.sealed, g.id, g.state, g.version, g.since, CASE WHEN g.mode = 'digest' THEN g.covered END,
	CASE WHEN g.slots <> '[]' OR g.topics <> '[]' OR g.languages <> '[]' THEN json_array(json(g.slots), json(g.topics), json(g.languages)) END,
	(SELECT d.day || ':' || d.count || ':' || d.last_at FROM sent_days d WHERE d.person = m.person AND d.purpose = $6 ORDER BY d.day DESC LIMIT 1)
	FROM messages m JOIN subscribers s ON s.id = m.person LEFT JOIN person_keys k ON k.person = m.person
	LEFT JOIN addresses a ON a.person = m.person AND a.medium = $3 LEFT JOIN grants g ON g.id = m.consent
	WHERE m.stream = $1 AND m.state = 'pending' AND `

// readCandidates reads what the rows of a window hold, in their order.
func (tx *Tx) readCandidates(s consent.Stream, window []consent.PersonID) ([]consent.Candidate, error) {
	out := make([]consent.Candidate, 0, len(window))
	grants := make([]consent.Grant, len(window))
	purpose := ""
	if s.Purpose.Name != "" {
		purpose = s.Purpose.String()
	}
	// People who follow each other are read as one stretch; who of it is not in the window belongs to another batch.
	first, last := window[0], window[len(window)-1]
	inOrder := slices.IsSorted(window)
	where := `m.person IN @list($2) ORDER BY m.person`
	args := []any{s.ID, jsonList(window), s.Medium, string(s.Purpose.Kind), s.Purpose.Name, purpose}
	if inOrder && int64(last-first) < 4*int64(len(window)) {
		where, args[1] = `m.person >= $2 AND m.person <= $7 ORDER BY m.person`, int64(first)
		args = append(args, int64(last))
	}
	suppressed := map[consent.PersonID]bool{}
	if err := tx.rows(func(r scanner) error {
		c := consent.Candidate{Stream: s}
		var bits, imported int64
		var master, habits, state, wants, days sql.NullString
		var key, address []byte
		var gid, version, since, covered sql.NullInt64
		if err := r.Scan(&c.Person, &c.Attempt, &bits, &c.Ref, &c.Habits.Lang, &c.Habits.Zone, &habits, &imported, &master, &key, &address,
			&gid, &state, &version, &since, &covered, &wants, &days); err != nil {
			return err
		}
		if _, mine := slices.BinarySearch(window, c.Person); inOrder && !mine {
			return nil
		}
		c.Import, c.Unknown, c.Covered = imported, bits&isUnknown > 0, timeOf(covered.Int64)
		c.Reachable, c.Verified = bits&isErased == 0 && len(address) > 0 && len(key) > 0, bits&isVerified > 0
		c.SealAddress(consent.Sealed{Master: master.String, Data: key}, address)
		c.PurposeDays = dayOf(days.String)
		if habits.Valid {
			if err := decodeHabits(habits.String, &c); err != nil {
				return err
			}
		}
		if gid.Valid {
			g := &grants[len(out)]
			*g = consent.Grant{ID: gid.Int64, Person: c.Person, Medium: s.Medium, State: consent.State(state.String), Version: int(version.Int64), Since: timeOf(since.Int64)}
			if bits&isOfPurpose > 0 {
				g.Purpose = s.Purpose
			}
			g.Preferences.Mode, g.Preferences.Breaking = consent.Instant, bits&isBreaking > 0
			if bits&isDigest > 0 {
				g.Preferences.Mode = consent.Digest
			}
			if wants.Valid {
				if err := decode(wants.String, &[3]*[]string{&g.Preferences.Slots, &g.Preferences.Topics, &g.Preferences.Languages}); err != nil {
					return err
				}
			}
			c.Grant, c.Same = g, bits&isSame > 0
		}
		if bits&isSuppressed > 0 {
			suppressed[c.Person] = true
		}
		out = append(out, c)
		return nil
	}, `SELECT `+candidateColumns+where, args...); err != nil {
		return nil, err
	}
	if !inOrder {
		place := make(map[consent.PersonID]int, len(window))
		for i, id := range window {
			place[id] = i
		}
		slices.SortFunc(out, func(a, b consent.Candidate) int { return cmp.Compare(place[a.Person], place[b.Person]) })
	}
	if len(suppressed) == 0 {
		return out, nil
	}
	for i := range out {
		c := &out[i]
		if !suppressed[c.Person] {
			continue
		}
		hash := ""
		if err := tx.row(`SELECT hash FROM addresses WHERE person = $1 AND medium = $2`, c.Person, s.Medium).Scan(&hash); err != nil {
			return nil, err
		}
		var err error
		if c.Suppressions, err = (people{tx}).Suppressions(s.Medium, hash); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// decodeHabits reads what most people never set.
func decodeHabits(text string, c *consent.Candidate) error {
	var h struct {
		From, Until string
		Paused      int64
		Most        int
		Today       string
	}
	if err := decode(text, &h); err != nil {
		return err
	}
	c.Habits.QuietFrom, c.Habits.QuietUntil, c.Habits.PausedUntil, c.Habits.PerDay = h.From, h.Until, timeOf(h.Paused), h.Most
	c.Days = dayOf(h.Today)
	return nil
}

func dayOf(text string) (d consent.Day) {
	day, rest, found := strings.Cut(text, ":")
	count, last, _ := strings.Cut(rest, ":")
	if !found {
		return d
	}
	d.Day, _ = strconv.ParseInt(day, 10, 64) // written by us
	d.Count, _ = strconv.Atoi(count)
	us, _ := strconv.ParseInt(last, 10, 64)
	d.Last = timeOf(us)
	return d
}

// sleepers finds the candidates who have not shown for long that they are there.
func (tx *Tx) sleepers(w consent.Window, candidates []consent.Candidate) error {
	if w.SleepBefore.IsZero() || w.Batch.Stream.Purpose.Kind != consent.Channel || len(candidates) == 0 {
		return nil
	}
	at, ids := places(candidates)
	return tx.rows(func(r scanner) error {
		var id consent.PersonID
		var sign, asked int64
		err := r.Scan(&id, &sign, &asked)
		if i, known := at[id]; known {
			candidates[i].LastSign, candidates[i].Asked = timeOf(sign), timeOf(asked)
		}
		return err
	}, `SELECT id, max(signal_at, created_at), asked_at FROM subscribers WHERE id IN @list($1) AND max(signal_at, created_at) < $2`, jsonList(ids), micros(w.SleepBefore))
}

// judged writes what was decided about a message.
func (tx *Tx) judged(w consent.Window, c *consent.Candidate, j consent.Judgement) error {
	s := w.Batch.Stream
	if len(j.Fold) > 0 && c.Grant != nil {
		why := j.Reason
		if j.Go {
			why = "digest_full"
		}
		for _, post := range j.Fold {
			if err := tx.run(`INSERT INTO folded (person, consent, post, reason, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`, c.Person, c.Grant.ID, post, why, micros(w.Now)); err != nil {
				return err
			}
		}
	}
	if !j.Go && j.State == consent.MessageHeld && s.Notice > 0 {
		released, err := tx.releasedMeanwhile(s.Notice, w.Now)
		if err != nil {
			return err
		}
		if released {
			j.State, j.Reason, j.Next = consent.MessagePending, "", w.Now
		}
	}
	if !j.Go {
		return tx.run(`UPDATE messages SET state = $3, reason = $4, next_at = $5, settled_at = $6 WHERE stream = $1 AND person = $2`, s.ID, c.Person, j.State, j.Reason, micros(j.Next), ended(j.State, w.Now))
	}
	if j.Ask && !c.Asked.After(c.LastSign) {
		if err := tx.run(`UPDATE subscribers SET asked_at = $2 WHERE id = $1`, c.Person, micros(w.Now)); err != nil {
			return err
		}
	}
	if j.Override && c.Grant != nil && w.Overridden != nil {
		e, err := w.Overridden(*c)
		if err != nil {
			return err
		}
		if err := (people{tx}).AddEvent(e); err != nil {
			return err
		}
	}
	return nil
}

// countDays counts the messages that start now for the caps of their people, by the day of each one's zone.
func (tx *Tx) countDays(s consent.Stream, byDay map[int64][]consent.PersonID, now time.Time) error {
	if s.Purpose.Name == "" {
		return nil
	}
	for day, list := range byDay {
		if err := tx.run(`INSERT INTO sent_days (person, purpose, day, count, last_at) SELECT value, $2, $3, 1, $4 FROM json_each($1) WHERE 1
			ON CONFLICT (person, purpose, day) DO UPDATE SET count = count + 1, last_at = excluded.last_at`, jsonList(list), s.Purpose.String(), day, micros(now)); err != nil {
			return err
		}
	}
	return nil
}

// ended is when a message with this state was settled.
func ended(state consent.MessageState, now time.Time) int64 {
	switch state {
	case consent.MessagePending, consent.MessageUnknown, consent.MessageHeld:
		return 0
	}
	return micros(now)
}

// SettleMessages records what became of started messages.
func (db *DB) SettleMessages(ctx context.Context, results []consent.Result) error {
	if len(results) == 0 {
		return nil
	}
	return db.Write(ctx, func(tx *Tx) error { return tx.settleMessages(results) })
}

func (tx *Tx) settleMessages(results []consent.Result) error {
	type shown struct {
		stream   int64
		revision int
	}
	plain := map[shown][]consent.PersonID{}
	for _, r := range results {
		if r.State == consent.MessageSent && r.Ref == "" && len(r.Posts) == 0 {
			k := shown{r.Stream, r.Revision}
			plain[k] = append(plain[k], r.Person)
			continue
		}
		attempt := 1
		if r.Again {
			attempt = 0
		}
		posts := ""
		if len(r.Posts) > 0 {
			posts = jsonList(r.Posts)
		}
		if err := tx.run(`UPDATE messages SET state = $3, reason = $4, next_at = $5, settled_at = $6, ref = $7, error = $8, posts = $9, attempt = attempt + $10, unsure = max(unsure, $11), revision = $12
			WHERE stream = $1 AND person = $2`,
			r.Stream, r.Person, r.State, r.Reason, micros(r.Next), ended(r.State, r.At), r.Ref, r.Error, posts, attempt, r.Reason == "unknown", r.Revision); err != nil {
			return err
		}
		if (r.State == consent.MessageSent || r.State == consent.MessageUnknown) && len(r.Posts) > 0 { // what may have arrived is not shown again
			if err := tx.run(`UPDATE grants SET covered = max(covered, (SELECT slot_at FROM streams WHERE id = $1)) WHERE id = (SELECT consent FROM messages WHERE stream = $1 AND person = $2)`, r.Stream, r.Person); err != nil {
				return err
			}
			if err := tx.run(`DELETE FROM folded WHERE person = $2 AND consent = (SELECT consent FROM messages WHERE stream = $1 AND person = $2) AND post IN @list($3)`, r.Stream, r.Person, posts); err != nil {
				return err
			}
		}
	}
	for of, people := range plain {
		at := results[0].At
		// A message that has started has no next_at: left alone, its index is not looked at.
		if err := tx.run(`UPDATE messages SET state = 'sent', reason = '', settled_at = $3, attempt = attempt + 1, revision = $4 WHERE stream = $1 AND person IN @list($2)`, of.stream, jsonList(people), micros(at), of.revision); err != nil {
			return err
		}
	}
	return nil
}

// EndBatch takes a batch away whose messages have all an outcome or never left; what of it never started is claimed again.
func (db *DB) EndBatch(ctx context.Context, b consent.Batch, results []consent.Result, now time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		if err := tx.settleMessages(results); err != nil {
			return err
		}
		return tx.endBatch(b.ID, b.Fence, now)
	})
}

func (tx *Tx) endBatch(id int64, fence string, now time.Time) error {
	_, err := tx.closeBatch(id, fence, now, false)
	return err
}

// closeBatch takes a batch away. What of it started and has no outcome is unknown when it is lost; closeBatch says how many.
func (tx *Tx) closeBatch(id int64, fence string, now time.Time, lost bool) (unknown int64, err error) {
	var list string
	var stream int64
	var begun int
	err = notFound(tx.row(`SELECT people, stream, started FROM message_batches WHERE id = $1 AND fence = $2`, id, fence).Scan(&list, &stream, &begun))
	if errors.Is(err, ErrNotFound) {
		return 0, nil
	}
	var members []consent.PersonID
	if err := errors.Join(err, decode(list, &members)); err != nil {
		return 0, err
	}
	if begun < len(members) {
		if err := tx.run(`UPDATE messages SET next_at = $3 WHERE stream = $1 AND person IN @list($2) AND state = 'pending' AND next_at = 0`, stream, jsonList(members[begun:]), micros(now)); err != nil {
			return 0, err
		}
	}
	if lost {
		if unknown, err = tx.exec(`UPDATE messages SET state = 'unknown', reason = 'node_ended' WHERE stream = $1 AND person IN @list($2) AND state = 'pending' AND next_at = 0`, stream, jsonList(members[:begun])); err != nil {
			return 0, err
		}
	}
	return unknown, tx.run(`DELETE FROM message_batches WHERE id = $1`, id)
}

// RecoverMessages ends the batches whose lease is over, all of them when no other node can be alive: what was started and has
// no outcome is unknown, the rest is claimed again. It says how many became unknown.
func (db *DB) RecoverMessages(ctx context.Context, alone bool, now time.Time) (unknown int, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		unknown = 0
		type batch struct {
			id    int64
			fence string
		}
		var over []batch
		if err := tx.rows(func(r scanner) error {
			var b batch
			err := r.Scan(&b.id, &b.fence)
			over = append(over, b)
			return err
		}, `SELECT id, fence FROM message_batches WHERE lease_until <= $1 OR $2`, micros(now), alone); err != nil {
			return err
		}
		for _, b := range over {
			n, err := tx.closeBatch(b.id, b.fence, now, true)
			if err != nil {
				return err
			}
			unknown += int(n)
		}
		return nil
	})
	return unknown, err
}

// ResendUnknown lets the messages of a destination that were under way when a node died be started again, after a while. What
// was sent twice already, and what a restore held, is not among them.
func (db *DB) ResendUnknown(ctx context.Context, destination string, at time.Time) error {
	return db.Write(ctx, func(tx *Tx) error {
		return tx.run(`UPDATE messages @by(messages_wait) SET state = 'pending', reason = 'unknown', unsure = 1, next_at = $2 WHERE state = 'unknown' AND reason = 'node_ended'
			AND stream IN (SELECT id FROM streams WHERE destination = $1 AND state = 'open')`, destination, micros(at))
	})
}

// FinishStreams ends the streams of which nothing is left to do, and says how many. What waited for a person to write ends when
// it is too old.
func (db *DB) FinishStreams(ctx context.Context, now time.Time) (n int64, err error) {
	err = db.Write(ctx, func(tx *Tx) error {
		if err := tx.closeWindows(now); err != nil {
			return err
		}
		n, err = tx.exec(`UPDATE streams SET state = 'done', content = x'' WHERE state = 'open' AND whole = 1 AND claimed >= fanned
			AND NOT EXISTS (SELECT 1 FROM message_batches b WHERE b.stream = streams.id)
			AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.stream = streams.id AND m.next_at > 0)
			AND NOT EXISTS (SELECT 1 FROM messages m @by(messages_wait) WHERE m.stream = streams.id AND (m.state = 'held' OR m.state = 'unknown') AND (m.state = 'held' OR streams.notice IS NOT NULL OR streams.person IS NOT NULL))`)
		return err
	})
	return n, err
}

// Under implements consent.Store.
func (db *DB) Under(ctx context.Context, p consent.PersonID) (under bool, err error) {
	type batch struct {
		stream int64
		people []consent.PersonID
	}
	var list []batch
	if err := db.query(ctx, func(r scanner) error {
		var b batch
		var text string
		var begun int
		err := errors.Join(r.Scan(&b.stream, &text, &begun), decode(text, &b.people))
		if err == nil {
			b.people = b.people[:begun]
			list = append(list, b)
		}
		return err
	}, `SELECT stream, people, started FROM message_batches WHERE started > 0`); err != nil {
		return false, err
	}
	for _, b := range list {
		if !slices.Contains(b.people, p) {
			continue
		}
		if err := db.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM messages WHERE stream = $1 AND person = $2 AND state = 'pending' AND next_at = 0)`, b.stream, p).Scan(&under); err != nil || under {
			return under, err
		}
	}
	return false, nil
}

// MessagesOf implements consent.Tx.
func (p people) MessagesOf(id consent.PersonID, most int) (out []consent.Sent, err error) {
	err = p.tx.rows(func(r scanner) error {
		var s consent.Sent
		var at int64
		var kind, purpose, public, channel string
		if err := r.Scan(&at, &kind, &s.Medium, &purpose, &s.Outcome, &s.Reason, &s.Title, &public, &channel); err != nil {
			return err
		}
		s.At = timeOf(at)
		k, name, _ := strings.Cut(purpose, " ")
		s.Purpose = consent.Purpose{Kind: consent.Kind(k), Name: name}
		s.Kind = consent.StreamKind(kind)
		if public != "" {
			s.URL = fmt.Sprintf("/c/%s/%s", channel, public)
		}
		out = append(out, s)
		return nil
	}, `SELECT CASE WHEN m.settled_at > 0 THEN m.settled_at ELSE s.created_at END, s.kind, s.medium, s.purpose, m.state, m.reason,
			coalesce(json_extract(r.content, '$.Title'), json_extract(r.content, '$.title'), ''), coalesce(p.public_id, ''), coalesce(p.channel, '')
		FROM streams s JOIN messages m ON m.stream = s.id AND m.person = $1 LEFT JOIN posts p ON p.id = s.post LEFT JOIN post_revisions r ON r.post = p.id AND r.revision = p.revision
		WHERE s.person IS NULL OR s.person = $1 ORDER BY s.id DESC LIMIT $2`, id, most)
	return out, err
}
