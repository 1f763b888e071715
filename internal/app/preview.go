package app

import (
	"context"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/compose"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/direct"
	"github.com/belfry-news/belfry/internal/store"
)

// Preview makes messages ready as the daemon would, and sends nothing: it has no destination that could.
type Preview struct {
	letters *letters
	people  *consent.Registry
	db      *store.DB
}

// NewPreview makes a Preview of a configuration and its store.
func NewPreview(l *configs.Loaded, db *store.DB, people *consent.Registry, program *compose.Program) *Preview {
	a := &App{db: db, engine: compose.NewEngine(compose.Settings{}, program)}
	a.loaded.Store(l)
	return &Preview{letters: newLetters(a), people: people, db: db}
}

// Asked is what would become of a message.
type Asked struct {
	Candidate *consent.Candidate
	consent.Judgement
	// Posts are what a digest would hold, whether it would leave or not.
	Posts []int64
}

// Ask says whether a message of a stream would leave to a person now.
func (p *Preview) Ask(ctx context.Context, s consent.Stream, who consent.PersonID, now time.Time) (a Asked, err error) {
	facts, digest, err := p.letters.Facts(ctx, s, now)
	if err != nil {
		return a, err
	}
	toCome, err := p.toCome(ctx, s)
	if err != nil {
		return a, err
	}
	if toCome { // it is taken as published
		_, writes := entry(p.letters.a.Config(), s.Purpose, s.Destination)
		facts.Content.Withdrawn = !writes
	}
	judge := direct.Judge(facts, digest, now, p.letters.Zone())
	a.Candidate, a.Judgement, err = p.people.Suppose(ctx, p.db, s, who, now, func(c *consent.Candidate) consent.Judgement {
		asked := *c
		asked.Withdrawn = c.Withdrawn && !toCome
		return judge(&asked)
	})
	if err == nil && digest != nil {
		a.Posts = digest(a.Candidate)
	}
	return a, err
}

// toCome says that a stream is of a post that is to be published later.
func (p *Preview) toCome(ctx context.Context, s consent.Stream) (bool, error) {
	if s.Kind != consent.StreamPost {
		return false, nil
	}
	post, err := p.letters.last(ctx, s.Post)
	return post.Status == string(compose.PostScheduled), err
}

// PreviewLink stands in a preview for what is secret of a person's links: those that work are nobody's but theirs.
const PreviewLink = "…"

// Text makes the text of a message. Its links are not those of the person.
func (p *Preview) Text(ctx context.Context, s consent.Stream, a Asked) (direct.Text, error) {
	c := *a.Candidate
	c.Folded, c.Stream = a.Posts, &s
	return p.letters.Text(ctx, consent.Start{Candidate: &c, Link: PreviewLink, Leave: PreviewLink})
}

// StreamOf is the stream by which a channel would write a post, or without one a digest of its newest posts, to the people of
// a medium. False when the channel does not write to that medium.
func (p *Preview) StreamOf(ctx context.Context, channel, medium string, post int64, now time.Time) (consent.Stream, bool, error) {
	l := p.letters.a.Config()
	for _, m := range l.Channels[channel].Messages {
		if l.Destinations[m.Destination].Type != medium {
			continue
		}
		s := consent.Stream{Destination: m.Destination, Medium: medium, Purpose: consent.Purpose{Kind: consent.Channel, Name: channel}, Created: now, Expires: now.Add(m.MaxAge.Std())}
		if post == 0 {
			s.Kind, s.SlotAt, s.Occurrence = consent.StreamDigest, now, "preview"
			return s, true, nil
		}
		s.Kind, s.Post = consent.StreamPost, post
		found, err := p.db.MessagePost(ctx, post)
		s.Urgent = found.Urgent
		return s, true, err
	}
	return consent.Stream{}, false, nil
}
