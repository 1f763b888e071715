package outbox

import (
	"errors"
	"slices"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Step is what to do with a delivery now: one call, or an end, or a wait.
type Step struct {
	Call *Call
	// Done ends the delivery without a call.
	Done Outcome
	// Until postpones it.
	Until time.Time
	// NextRung tries the next step of the ladder.
	NextRung bool
	// Expired ends it because it could not leave in time.
	Expired bool
}

// Ladders are what is tried to correct a copy.
type Ladders struct {
	Revised, Withdrawn []string
	// MinGap is the least time between two edits of a copy.
	MinGap time.Duration
}

// Able says what a destination can do.
type Able struct{ Edit, Delete bool }

// Plans gives the parts of a publication in the forms a step may need. Each is asked for at most once.
type Plans interface {
	// Post plans the wanted revision; of a withdrawn post, the notice that it was withdrawn.
	Post() ([]sdk.Part, error)
	// Reply plans the notice that answers the post.
	Reply() ([]sdk.Part, error)
}

// once remembers the plan of a post.
type once struct {
	Plans
	asked bool
	parts []sdk.Part
	err   error
}

func (o *once) Post() ([]sdk.Part, error) {
	if !o.asked {
		o.asked = true
		o.parts, o.err = o.Plans.Post()
	}
	return o.parts, o.err
}

// The ladders of a retraction for good, whatever the channel says: of a post, and of a digest that lost an item.
var (
	legalLadder  = []string{"delete", "mark", "list"}
	legalRevised = []string{"edit", "repost", "list"}
)

// Decide finds the next call that brings a publication nearer to its desired state. It is pure but for the plans. Its
// error comes from them.
func Decide(w Work, l Ladders, able Able, rules sdk.Rules, plans Plans, now time.Time) (Step, error) {
	s, err := decide(w, l, able, rules, &once{Plans: plans}, now)
	if s.Call != nil {
		s.Call.Wanted = w.Want
	}
	return s, err
}

func decide(w Work, l Ladders, able Able, rules sdk.Rules, plans Plans, now time.Time) (Step, error) {
	posted := partsOf(w.Parts, SeriesPost)
	switch {
	case w.Gone && w.HaveGone, !w.Gone && w.Have == w.Want:
		return Step{Done: OutcomeReplaced}, nil
	case w.Gone && len(w.Parts) == 0:
		return Step{Done: OutcomeWithdrawn}, nil
	case w.Gone:
		return decideWithdrawal(w, l, able, rules, plans, posted, now)
	case len(posted) == 0 || w.Have == 0:
		// Nothing is there yet, or not all of it: go on publishing, with the newest revision.
		if w.Out.IsZero() && len(posted) == 0 && !w.ExpiresAt.IsZero() && now.After(w.ExpiresAt) {
			return Step{Expired: true}, nil
		}
		parts, err := plans.Post()
		if err != nil {
			return Step{}, err
		}
		if len(posted) > 0 && len(parts) <= len(posted) {
			break // all of it is there, of one revision or another
		}
		if w.Rung > 0 {
			able = Able{} // changing what is there was refused; what is missing follows all the same
		}
		return reconcile(w, parts, posted, able, rules, now), nil
	}
	return decideRevision(w, l, able, rules, plans, posted, now)
}

func partsOf(parts []Part, s Series) []Part {
	var out []Part
	for _, p := range parts {
		if p.Series == s {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Part) int { return a.Position - b.Position })
	return out
}

// decideRevision brings a copy to a new revision by the ladder.
func decideRevision(w Work, l Ladders, able Able, rules sdk.Rules, plans Plans, posted []Part, now time.Time) (Step, error) {
	ladder, rung := l.Revised, ""
	if w.Purge {
		ladder = legalRevised
	}
	if w.Rung < len(ladder) {
		rung = ladder[w.Rung]
	}
	var parts []sdk.Part
	if w.Rung == 0 || rung == "edit" || rung == "repost" {
		var err error
		switch parts, err = plans.Post(); {
		case err == nil && same(parts, posted):
			return Step{Done: OutcomeUnchanged}, nil
		case err != nil && (rung == "edit" || rung == "repost" || !unfit(err)):
			return Step{}, err
		}
	}
	switch rung {
	case "":
		return Step{Done: OutcomeLeft}, nil
	case "edit":
		if !able.Edit || !within(rules.EditFor, w.Out, now) {
			return Step{NextRung: true}, nil
		}
		if next := w.EditedAt.Add(l.MinGap); !w.EditedAt.IsZero() && next.After(now) && !w.Purge && !midway(w, posted) {
			return Step{Until: next}, nil
		}
		return reconcile(w, parts, posted, able, rules, now), nil
	case "reply":
		if !w.Note || !within(rules.ReplyFor, w.Out, now) {
			return Step{NextRung: true}, nil
		}
		return reply(w, plans, posted)
	case "repost":
		if !w.Note && !w.Purge || !able.Delete || !within(rules.DeleteFor, w.Out, now) {
			return Step{NextRung: true}, nil
		}
		// The copy goes; then nothing is there, and the newest revision is published.
		return remove(posted, false), nil
	case "list":
		return Step{Done: OutcomeListed}, nil
	}
	return Step{NextRung: true}, nil
}

// unfit reports whether the platform can never show a revision as it is; a note, or a person, may still say it.
func unfit(err error) bool {
	var e *sdk.Error
	return errors.As(err, &e) && e.Code.Disposition() != sdk.DispositionRetry
}

// corrects reports whether a step of the ladder is tried, so that a refusal leads to the next one. What was never there
// in full is published, and a refusal ends that.
func (w Work) corrects() bool {
	return w.Gone || w.Have > 0 && slices.ContainsFunc(w.Parts, func(p Part) bool { return p.Series == SeriesPost })
}

// midway reports whether an edit of several parts was begun: it is finished without another wait.
func midway(w Work, posted []Part) bool {
	return slices.ContainsFunc(posted, func(p Part) bool { return p.Revision == w.Want })
}

// decideWithdrawal takes a copy away by the ladder.
func decideWithdrawal(w Work, l Ladders, able Able, rules sdk.Rules, plans Plans, posted []Part, now time.Time) (Step, error) {
	ladder := l.Withdrawn
	if w.Purge {
		ladder = legalLadder
	}
	if w.Rung >= len(ladder) {
		return Step{Done: OutcomeLeft}, nil
	}
	switch ladder[w.Rung] {
	case "delete":
		if !able.Delete || !within(rules.DeleteFor, w.Out, now) {
			return Step{NextRung: true}, nil
		}
		return remove(append(posted, partsOf(w.Parts, SeriesReply)...), true), nil
	case "mark":
		if len(posted) == 0 || !able.Edit || !within(rules.EditFor, w.Out, now) {
			return Step{NextRung: true}, nil
		}
		parts, err := plans.Post()
		if err != nil {
			return Step{}, err
		}
		if len(parts) > 1 {
			parts = parts[:1]
		}
		if same(parts, posted[:1]) && (len(posted) == 1 || !able.Delete) {
			return Step{Done: OutcomeUnchanged}, nil
		}
		return reconcile(w, parts, posted, able, rules, now), nil
	case "reply":
		if len(posted) == 0 || !within(rules.ReplyFor, w.Out, now) {
			return Step{NextRung: true}, nil
		}
		return reply(w, plans, posted)
	case "list":
		return Step{Done: OutcomeListed}, nil
	}
	return Step{NextRung: true}, nil
}

// within reports whether something that is possible for so long after a copy went out is still possible.
func within(window time.Duration, out, now time.Time) bool {
	return window == sdk.Forever || window > 0 && now.Sub(out) < window
}

func same(parts []sdk.Part, posted []Part) bool {
	if len(parts) != len(posted) {
		return false
	}
	for i := range parts {
		if parts[i].Digest() != posted[i].Digest {
			return false
		}
	}
	return true
}

// reconcile finds the first call by which what is posted becomes what is planned: edit what differs, publish what is
// missing, delete what is too much, in this order.
func reconcile(w Work, parts []sdk.Part, posted []Part, able Able, rules sdk.Rules, now time.Time) Step {
	var calls []Call
	for i := range min(len(parts), len(posted)) {
		if parts[i].Digest() != posted[i].Digest {
			calls = append(calls, Call{Op: OpEdit, Series: SeriesPost, Position: i, Revision: w.Want, Part: parts[i], Ref: posted[i].Ref})
		}
	}
	for i := len(posted); i < len(parts); i++ {
		part := parts[i]
		if part.Thread && i > 0 {
			// What it answers is the part before, which is accepted by the time this one starts.
			if i <= len(posted) {
				ref := posted[i-1].Ref
				part.ReplyTo = &ref
			}
		}
		calls = append(calls, Call{Op: OpPublish, Series: SeriesPost, Position: i, Revision: w.Want, Part: part})
	}
	for i := len(posted) - 1; i >= len(parts); i-- {
		calls = append(calls, Call{Op: OpDelete, Series: SeriesPost, Position: i, Revision: w.Want, Ref: posted[i].Ref})
	}
	if len(calls) == 0 {
		return Step{Done: OutcomeUnchanged}
	}
	first := calls[0]
	if first.Op == OpEdit && (!able.Edit || !within(rules.EditFor, w.Out, now)) || first.Op == OpDelete && !able.Delete {
		// Half of an older revision is there and cannot be changed: what is missing follows as it is planned now, and then
		// the ladder goes on.
		later := slices.IndexFunc(calls, func(c Call) bool { return c.Op == OpPublish })
		if later < 0 {
			return Step{NextRung: true}
		}
		return Step{Call: &calls[later]}
	}
	first.Final = len(calls) == 1
	return Step{Call: &first}
}

// remove deletes parts from the last to the first. Ends says that the publication is then as it should be.
func remove(parts []Part, ends bool) Step {
	last := parts[len(parts)-1]
	return Step{Call: &Call{Op: OpDelete, Series: last.Series, Position: last.Position, Revision: last.Revision, Ref: last.Ref,
		Final: ends && len(parts) == 1}}
}

// reply answers the first part of the post with a notice.
func reply(w Work, plans Plans, posted []Part) (Step, error) {
	parts, err := plans.Reply()
	if err != nil {
		return Step{}, err
	}
	done := 0
	next := 0
	for _, p := range partsOf(w.Parts, SeriesReply) {
		next = p.Position + 1
		if p.Revision == w.Want {
			done++
		}
	}
	if done >= len(parts) {
		return Step{Done: OutcomeUnchanged}, nil
	}
	part := parts[done]
	ref := posted[0].Ref
	part.ReplyTo = &ref
	return Step{Call: &Call{Op: OpReply, Series: SeriesReply, Position: next, Revision: w.Want, Part: part, Final: done == len(parts)-1}}, nil
}
