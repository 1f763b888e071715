package store

import (
	"database/sql"
	"errors"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/policy"
)

// grow counts somebody who becomes a follower and never was one.
func (tx *Tx) grow(g consent.Grant) error {
	if g.State != consent.Active || g.Purpose.Kind != consent.Channel {
		return nil
	}
	followed := false
	if err := tx.row(`SELECT EXISTS (SELECT 1 FROM grants WHERE person = $1 AND kind = $2 AND name = $3 AND medium = $4 AND since > 0)`,
		g.Person, g.Purpose.Kind, g.Purpose.Name, g.Medium).Scan(&followed); err != nil || followed {
		return err
	}
	return tx.run(`INSERT INTO audiences (purpose, medium, grown) VALUES ($1, $2, 1) ON CONFLICT (purpose, medium) DO UPDATE SET grown = grown + 1`, g.Purpose.String(), g.Medium)
}

// madeFor notes that something is made for all who follow a channel on a medium, and brakes what goes to those who came since the
// last time when they are too many.
func (tx *Tx) madeFor(s consent.Stream, j policy.Jump) error {
	if s.Purpose.Kind != consent.Channel || s.Kind != consent.StreamPost && s.Kind != consent.StreamDigest {
		return nil
	}
	var grown int
	var since int64
	switch err := notFound(tx.row(`SELECT grown, max(posted_at, 1) FROM audiences WHERE purpose = $1 AND medium = $2`, s.Purpose.String(), s.Medium).Scan(&grown, &since)); {
	case errors.Is(err, ErrNotFound):
		return nil // nobody follows it there
	case err != nil:
		return err
	}
	jumped := false
	if grown >= max(j.Least, 1) && j.Times > 1 {
		// No more are counted than can make a jump: of a large audience the everyday growth is none.
		var now int
		most := int(j.Times*float64(grown)/(j.Times-1)) + 1
		if err := tx.row(`SELECT count(*) FROM (SELECT 1 FROM grants WHERE kind = $1 AND name = $2 AND medium = $3 AND state = 'active' LIMIT $4)`,
			s.Purpose.Kind, s.Purpose.Name, s.Medium, most).Scan(&now); err != nil {
			return err
		}
		jumped = j.New(max(now-grown, 0), now)
	}
	return tx.run(`UPDATE audiences SET grown = 0, posted_at = max(posted_at, $3), sent = CASE WHEN since = 0 THEN 0 ELSE sent END,
		since = CASE WHEN since > 0 THEN since WHEN $4 THEN $5 ELSE 0 END WHERE purpose = $1 AND medium = $2`, s.Purpose.String(), s.Medium, micros(s.Created), jumped, since)
}

// jumped is when those of an audience begin to be new whom nobody has released, and how many messages they were sent; zero when
// nobody of it is new.
func (tx *Tx) jumped(s consent.Stream) (since time.Time, sent int, err error) {
	if s.Purpose.Kind != consent.Channel {
		return since, 0, nil
	}
	var us int64
	err = tx.row(`SELECT since, sent FROM audiences WHERE purpose = $1 AND medium = $2 AND since > 0`, s.Purpose.String(), s.Medium).Scan(&us, &sent)
	if errors.Is(err, sql.ErrNoRows) {
		return since, 0, nil
	}
	return timeOf(us), sent, err
}

// newAudiences says of the people of an import that nobody has released, and of those who came in a jump of their channel's
// audience, how many messages such people were sent.
func (tx *Tx) newAudiences(s consent.Stream, list []consent.Candidate) error {
	since, jumpSent, err := tx.jumped(s)
	if err != nil {
		return err
	}
	sent, came := map[int64]int{}, false
	for i := range list {
		came = came || list[i].Import > 0
	}
	if came {
		if err := tx.rows(func(r scanner) error {
			var id int64
			var n int
			err := r.Scan(&id, &n)
			sent[id] = n
			return err
		}, `SELECT id, sent FROM imports WHERE released = 0`); err != nil {
			return err
		}
	}
	for i := range list {
		c := &list[i]
		if n, held := sent[c.Import]; held {
			c.NewAudience, c.AudienceSent = true, n
		}
		if !since.IsZero() && c.Grant != nil && c.Grant.Since.After(since) {
			c.NewAudience, c.Jumped, c.AudienceSent = true, true, max(c.AudienceSent, jumpSent)
		}
	}
	return nil
}

// newcomers counts the messages of a window that started to new audiences.
type newcomers struct {
	imported map[int64]int
	jumped   int
	braked   int
}

// before adds to a candidate what the window has started to its audience.
func (n *newcomers) before(c *consent.Candidate) {
	switch {
	case !c.NewAudience:
	case c.Jumped:
		c.AudienceSent += max(n.jumped, n.imported[c.Import])
	default:
		c.AudienceSent += n.imported[c.Import]
	}
}

func (n *newcomers) count(c *consent.Candidate, j consent.Judgement) {
	if !c.NewAudience {
		return
	}
	if !j.Go {
		if j.State == consent.MessageHeld && j.Reason == string(policy.NewAudience) {
			n.braked++
		}
		return
	}
	if c.Import > 0 {
		n.imported[c.Import]++
	}
	if c.Jumped {
		n.jumped++
	}
}

// record writes the counts, and tells that the brake holds.
func (n *newcomers) record(tx *Tx, s consent.Stream, now time.Time) error {
	for id, sent := range n.imported {
		if err := tx.run(`UPDATE imports SET sent = sent + $2 WHERE id = $1`, id, sent); err != nil {
			return err
		}
	}
	if n.jumped > 0 {
		if err := tx.run(`UPDATE audiences SET sent = sent + $3 WHERE purpose = $1 AND medium = $2`, s.Purpose.String(), s.Medium, n.jumped); err != nil {
			return err
		}
	}
	if n.braked == 0 {
		return nil
	}
	return tx.alerts([]alert.Alert{{Code: alert.MessagesHeld, Subject: s.Purpose.String() + " " + newAudienceSubject,
		Sentence: "many new people follow " + s.Purpose.Name + ": the first messages to them are out, and the rest waits until somebody has looked at bounces and complaints",
		Mend:     "look at them, and let them go or not: belfry message held"}}, nil, now)
}

// newAudienceSubject ends the subject of an alert about the brake on new audiences.
const newAudienceSubject = "new audience"

// releaseAudiences notes that somebody has looked at the new audiences whose messages of a stream the brake holds.
func (tx *Tx) releaseAudiences(stream int64, now time.Time) error {
	const held = `SELECT m.person FROM messages m WHERE m.stream = $1 AND m.state = 'held' AND m.reason = 'new_audience'`
	if err := tx.run(`UPDATE imports SET released = 1 WHERE id IN (SELECT p.import FROM subscribers p WHERE p.id IN (`+held+`))`, stream); err != nil {
		return err
	}
	var purpose, medium string
	if err := notFound(tx.row(`SELECT purpose, medium FROM streams s WHERE id = $1 AND EXISTS (`+held+`)`, stream).Scan(&purpose, &medium)); err != nil {
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		return err
	}
	if err := tx.run(`UPDATE audiences SET since = 0, sent = 0 WHERE purpose = $1 AND medium = $2`, purpose, medium); err != nil {
		return err
	}
	return tx.alerts(nil, []alert.Key{{Code: alert.MessagesHeld, Subject: purpose + " " + newAudienceSubject}}, now)
}
