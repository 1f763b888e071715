package store

import (
	"cmp"
	"database/sql"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/belfry-news/belfry/internal/consent"
)

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
			WHERE p.channel = $1 AND p.visible_at > 0 AND p.visible_at > $2 AND (m.state = 'sent' OR m.state = 'unknown' OR m.state = 'pending')`,
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
	isActive
	// Above the bits stand two small numbers.
	attemptAt = 16
	versionAt = 32
)

// candidateColumns are few, because each costs about as much as a look-up, and a text twice that: what is a yes or no is a bit, what
// most people never set is one text, or none, and so is what is the same for nearly all.
const candidateColumns = `m.person,
	m.unsure + 2 * (s.erased_at <> 0) + 4 * (coalesce(a.verified_at, 0) > 0) + 8 * coalesce(g.version = m.version, 0)
		+ 16 * coalesce(g.kind = $4 AND g.name = $5 AND g.medium = $3, 0) + 32 * coalesce(g.mode = 'digest', 0) + 64 * coalesce(g.breaking <> 0, 0)
		+ 128 * EXISTS (SELECT 1 FROM suppressions u WHERE u.medium = $3 AND u.hash = a.hash) + 256 * coalesce(g.state = 'active', 0)
		+ (min(m.attempt, 65535) << 16) + (coalesce(g.version, 0) << 32),
	s.ref, s.lang || ' ' || s.zone, CASE WHEN s.quiet_from <> '' OR s.quiet_until <> '' OR s.paused_until <> 0 OR s.per_day <> 0
		THEN json_object('from', s.quiet_from, 'until', s.quiet_until, 'paused', s.paused_until, 'most', s.per_day,
			'today', (SELECT d.day || ':' || sum(d.count) || ':0' FROM sent_days d WHERE d.person = m.person GROUP BY d.day ORDER BY d.day DESC LIMIT 1)) END,
	s.import, CASE WHEN k.master <> $7 THEN k.master END, k.sealed, a.sealed, g.id, CASE WHEN g.state <> 'active' THEN g.state END, g.since, CASE WHEN g.mode = 'digest' THEN g.covered END,
	CASE WHEN g.slots <> '[]' OR g.topics <> '[]' OR g.languages <> '[]' THEN json_array(json(g.slots), json(g.topics), json(g.languages)) END,
	(SELECT d.day || ':' || d.count || ':' || d.last_at FROM sent_days d WHERE d.person = m.person AND d.purpose = $6 ORDER BY d.day DESC LIMIT 1)
	FROM messages m JOIN subscribers s ON s.id = m.person LEFT JOIN person_keys k ON k.person = m.person
	LEFT JOIN addresses a ON a.person = m.person AND a.medium = $3 LEFT JOIN grants g ON g.id = m.consent
	WHERE m.stream = $1 AND m.state = 'pending' AND `

// readCandidates reads what the rows of a window hold, in their order.
func (tx *Tx) readCandidates(s consent.Stream, window []consent.PersonID) ([]consent.Candidate, error) {
	out := make([]consent.Candidate, 0, len(window))
	grants := make([]consent.Grant, len(window))
	purpose, usual := "", tx.db.master
	if s.Purpose.Name != "" {
		purpose = s.Purpose.String()
	}
	// People who follow each other are read as one stretch; who of it is not in the window belongs to another batch.
	first, last := window[0], window[len(window)-1]
	inOrder := slices.IsSorted(window)
	where := `m.person IN @list($2) ORDER BY m.person`
	args := []any{s.ID, jsonList(window), s.Medium, string(s.Purpose.Kind), s.Purpose.Name, purpose, usual}
	if inOrder && int64(last-first) < 4*int64(len(window)) {
		where, args[1] = `m.person >= $2 AND m.person <= $8 ORDER BY m.person`, int64(first)
		args = append(args, int64(last))
	}
	suppressed := map[consent.PersonID]bool{}
	// One place for what is scanned, and one for the answer: a window has hundreds of rows.
	var person, bits, imported int64
	var ref, home string
	var master, habits, state, wants, days sql.NullString
	var key, address []byte
	var gid, since, covered sql.NullInt64
	fields := []any{&person, &bits, &ref, &home, &habits, &imported, &master, &key, &address, &gid, &state, &since, &covered, &wants, &days}
	if err := tx.rows(func(r scanner) error {
		if err := r.Scan(fields...); err != nil {
			return err
		}
		if _, mine := slices.BinarySearch(window, consent.PersonID(person)); inOrder && !mine {
			return nil
		}
		out = append(out, consent.Candidate{Stream: &s, Person: consent.PersonID(person), Attempt: int(bits >> attemptAt & 0xffff), Ref: ref,
			Import: imported, Unknown: bits&isUnknown > 0, Covered: timeOf(covered.Int64)})
		c := &out[len(out)-1]
		c.Habits.Lang, c.Habits.Zone, _ = strings.Cut(home, " ")
		c.Reachable, c.Verified = bits&isErased == 0 && len(address) > 0 && len(key) > 0, bits&isVerified > 0
		c.SealAddress(consent.Sealed{Master: cmp.Or(master.String, usual), Data: key}, address)
		c.PurposeDays = dayOf(days.String)
		if master.Valid {
			tx.db.master = master.String
		}
		if habits.Valid {
			if err := decodeHabits(habits.String, c); err != nil {
				return err
			}
		}
		if gid.Valid {
			g := &grants[len(out)-1]
			*g = consent.Grant{ID: gid.Int64, Person: c.Person, Medium: s.Medium, State: consent.State(state.String), Version: int(bits >> versionAt), Since: timeOf(since.Int64)}
			if bits&isActive > 0 {
				g.State = consent.Active
			}
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
