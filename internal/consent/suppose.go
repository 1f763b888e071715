package consent

import (
	"context"
	"time"
)

// Supposed is a store in which one message is looked at as if it started now, and nothing happens.
type Supposed interface {
	// Suppose reads the candidate that a message of a stream to a person would be. A person who has no message of it is
	// looked at as if they had; nothing of that stays.
	Suppose(ctx context.Context, s Stream, p PersonID, now time.Time) (*Candidate, error)
}

// Suppose asks whether a message would leave now, in the very way in which Start does. Nothing starts, and no permit is made.
func (r *Registry) Suppose(ctx context.Context, store Supposed, s Stream, p PersonID, now time.Time, judge func(*Candidate) Judgement) (*Candidate, Judgement, error) {
	c, err := store.Suppose(ctx, s, p, now)
	if err != nil {
		return c, Judgement{}, err
	}
	one := &supposition{candidate: c}
	_, err = r.Start(ctx, one, Window{Batch: Batch{Stream: s, People: []PersonID{p}}, Size: 1, Now: now}, judge)
	c.key, c.address = Sealed{}, nil
	return c, one.answer, err
}

// supposition is a MessageStore that lets nothing start.
type supposition struct {
	candidate *Candidate
	answer    Judgement
}

// StartMessages implements MessageStore.
func (s *supposition) StartMessages(_ context.Context, _ Window, judge func(*Candidate) Judgement) ([]*Candidate, int, error) {
	s.answer = judge(s.candidate)
	return nil, 0, nil
}
