package outbox

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
)

// fixed plans parts from texts.
type fixed struct {
	post, reply []string
	err         error
}

func parts(texts []string) []sdk.Part {
	out := make([]sdk.Part, len(texts))
	for i, t := range texts {
		out[i] = sdk.Part{Kind: "send", Request: []byte(t), Thread: i > 0}
	}
	return out
}

func (f fixed) Post() ([]sdk.Part, error)  { return parts(f.post), f.err }
func (f fixed) Reply() ([]sdk.Part, error) { return parts(f.reply), f.err }

func posted(revision int, texts ...string) []Part {
	var out []Part
	for i, p := range parts(texts) {
		out = append(out, Part{Series: SeriesPost, Position: i, Ref: sdk.PartRef{IDs: []string{fmt.Sprint("m", i)}}, Digest: p.Digest(), Revision: revision})
	}
	return out
}

// said writes a step in short.
func said(s Step) string {
	switch {
	case s.Call != nil:
		out := fmt.Sprintf("%s %s %d", s.Call.Op, s.Call.Series, s.Call.Position)
		if len(s.Call.Part.Request) > 0 {
			out += " " + string(s.Call.Part.Request)
		}
		if s.Call.Part.ReplyTo != nil {
			out += " to " + s.Call.Part.ReplyTo.IDs[0]
		}
		if s.Call.Ref.IDs != nil {
			out += " of " + s.Call.Ref.IDs[0]
		}
		if s.Call.Final {
			out += " final"
		}
		return out
	case s.NextRung:
		return "next rung"
	case s.Expired:
		return "expired"
	case !s.Until.IsZero():
		return "until " + s.Until.Format("15:04:05")
	}
	return string(s.Done)
}

func TestDecide(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	ladders := Ladders{Revised: []string{"edit", "reply", "list"}, Withdrawn: []string{"delete", "mark", "list"}, MinGap: time.Minute}
	able := Able{Edit: true, Delete: true}
	all := sdk.Rules{EditFor: sdk.Forever, DeleteFor: sdk.Forever, ReplyFor: sdk.Forever}
	out := now.Add(-time.Hour)
	for _, c := range []struct {
		name  string
		work  Work
		l     *Ladders
		able  *Able
		rules *sdk.Rules
		plans fixed
		want  string
	}{
		{"first part of a thread", Work{Want: 1}, nil, nil, nil, fixed{post: []string{"a", "b"}}, "publish post 0 a"},
		{"second part answers the first", Work{Want: 1, Parts: posted(1, "a"), Out: out}, nil, nil, nil, fixed{post: []string{"a", "b"}}, "publish post 1 b to m0 final"},
		{"a revision while half of it is out", Work{Want: 2, Parts: posted(1, "a"), Out: out}, nil, nil, nil, fixed{post: []string{"A", "b"}}, "edit post 0 A of m0"},
		{"half of it is out and cannot be edited", Work{Want: 2, Parts: posted(1, "a"), Out: out}, nil, &Able{}, nil, fixed{post: []string{"A", "b"}}, "publish post 1 b to m0"},
		{"all of it is out, half of it old, and cannot be edited", Work{Want: 2, Parts: []Part{posted(1, "a")[0], posted(2, "A", "b")[1]}, Out: out}, nil, &Able{}, nil, fixed{post: []string{"A", "b"}}, "next rung"},
		{"a thread that became shorter and cannot be deleted", Work{Want: 2, Have: 1, Parts: posted(1, "a", "b"), Out: out}, nil, &Able{Edit: true}, nil, fixed{post: []string{"a"}}, "next rung"},
		{"waited too long", Work{Want: 1, ExpiresAt: now.Add(-time.Second)}, nil, nil, nil, fixed{post: []string{"a"}}, "expired"},
		{"a copy that was there does not expire", Work{Want: 3, Have: 1, ExpiresAt: now.Add(-time.Second), Out: out}, nil, nil, nil, fixed{post: []string{"a"}}, "publish post 0 a final"},
		{"withdrawn before it left", Work{Want: 2, Gone: true}, nil, nil, nil, fixed{}, "withdrawn_before"},
		{"ten revisions are one edit", Work{Want: 11, Have: 1, Parts: posted(1, "a"), Out: out}, nil, nil, nil, fixed{post: []string{"k"}}, "edit post 0 k of m0 final"},
		{"nothing a reader would see changed", Work{Want: 2, Have: 1, Parts: posted(1, "a"), Out: out}, nil, nil, nil, fixed{post: []string{"a"}}, "unchanged"},
		{"edits keep their distance", Work{Want: 3, Have: 2, Parts: posted(2, "a"), Out: out, EditedAt: now.Add(-20 * time.Second)}, nil, nil, nil, fixed{post: []string{"b"}}, "until 07:00:40"},
		{"an edit of two parts is not torn apart", Work{Want: 3, Have: 2, Parts: []Part{posted(3, "A")[0], posted(2, "a", "b")[1]}, Out: out, EditedAt: now}, nil, nil, nil, fixed{post: []string{"A", "B"}}, "edit post 1 B of m1 final"},
		{"a thread that became shorter", Work{Want: 2, Have: 1, Parts: posted(1, "a", "b", "c"), Out: out}, nil, nil, nil, fixed{post: []string{"a"}}, "delete post 2 of m2"},
		{"a thread that became longer", Work{Want: 2, Have: 1, Parts: posted(1, "a"), Out: out}, nil, nil, nil, fixed{post: []string{"a", "b"}}, "publish post 1 b to m0 final"},
		{"no editor", Work{Want: 2, Have: 1, Parts: posted(1, "a"), Out: out}, nil, &Able{}, nil, fixed{post: []string{"b"}}, "next rung"},
		{"the time for edits is over", Work{Want: 2, Have: 1, Parts: posted(1, "a"), Out: out}, nil, nil, &sdk.Rules{EditFor: time.Minute}, fixed{post: []string{"b"}}, "next rung"},
		{"a reply needs a note", Work{Want: 2, Have: 1, Rung: 1, Parts: posted(1, "a"), Out: out}, nil, nil, nil, fixed{post: []string{"b"}, reply: []string{"r"}}, "next rung"},
		{"a reply with a note", Work{Want: 2, Have: 1, Rung: 1, Note: true, Parts: posted(1, "a"), Out: out}, nil, nil, nil, fixed{post: []string{"b"}, reply: []string{"r"}}, "reply reply 0 r to m0 final"},
		{"the last rung", Work{Want: 2, Have: 1, Rung: 2, Parts: posted(1, "a"), Out: out}, nil, nil, nil, fixed{post: []string{"b"}}, "needs_a_person"},
		{"a ladder without list", Work{Want: 2, Have: 1, Rung: 1, Parts: posted(1, "a"), Out: out}, &Ladders{Revised: []string{"edit"}}, nil, nil, fixed{post: []string{"b"}}, "ladder_ended"},
		{"repost takes the copy away first", Work{Want: 2, Have: 1, Note: true, Parts: posted(1, "a", "b"), Out: out}, &Ladders{Revised: []string{"repost"}}, nil, nil, fixed{post: []string{"c"}}, "delete post 1 of m1"},
		{"repost then publishes", Work{Want: 2, Have: 1, Note: true, Out: out}, &Ladders{Revised: []string{"repost"}}, nil, nil, fixed{post: []string{"c"}}, "publish post 0 c final"},
		{"withdrawal deletes from the end", Work{Want: 2, Have: 1, Gone: true, Parts: posted(1, "a", "b"), Out: out}, nil, nil, nil, fixed{}, "delete post 1 of m1"},
		{"withdrawal ends with the first part", Work{Want: 2, Have: 1, Gone: true, Parts: posted(1, "a"), Out: out}, nil, nil, nil, fixed{}, "delete post 0 of m0 final"},
		{"withdrawal that cannot delete", Work{Want: 2, Have: 1, Gone: true, Parts: posted(1, "a"), Out: out}, nil, &Able{Edit: true}, nil, fixed{}, "next rung"},
		{"withdrawal marks", Work{Want: 2, Have: 1, Gone: true, Rung: 1, Parts: posted(1, "a"), Out: out}, nil, nil, nil, fixed{post: []string{"gone"}}, "edit post 0 gone of m0 final"},
		{"a marked thread loses its tail", Work{Want: 2, Have: 1, Gone: true, Rung: 1, Parts: append(posted(2, "gone"), posted(1, "a", "b")[1]), Out: out}, nil, nil, nil, fixed{post: []string{"gone"}}, "delete post 1 of m1 final"},
		{"a legal retraction has its own ladder", Work{Want: 2, Have: 1, Gone: true, Purge: true, Parts: posted(1, "a"), Out: out}, &Ladders{Withdrawn: []string{"list"}}, nil, nil, fixed{}, "delete post 0 of m0 final"},
		{"a digest that lost an item for good does not wait", Work{Want: 3, Have: 2, Purge: true, Parts: posted(2, "a"), Out: out, EditedAt: now}, &Ladders{Revised: []string{"list"}, MinGap: time.Hour}, nil, nil, fixed{post: []string{"b"}}, "edit post 0 b of m0 final"},
		{"such a digest is posted anew without a note", Work{Want: 3, Have: 2, Rung: 1, Purge: true, Parts: posted(2, "a"), Out: out}, nil, nil, nil, fixed{post: []string{"b"}}, "delete post 0 of m0"},
		{"or a person does it", Work{Want: 3, Have: 2, Rung: 2, Purge: true, Parts: posted(2, "a"), Out: out}, &Ladders{}, nil, nil, fixed{post: []string{"b"}}, "needs_a_person"},
		{"it is withdrawn already", Work{Want: 2, Gone: true, HaveGone: true}, nil, nil, nil, fixed{}, "newer_revision_there"},
		{"it is there already", Work{Want: 2, Have: 2, Parts: posted(2, "a")}, nil, nil, nil, fixed{}, "newer_revision_there"},
		{"it came back after a deletion", Work{Want: 3, Have: 1, Out: out}, nil, nil, nil, fixed{post: []string{"a"}}, "publish post 0 a final"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			l, a, r := ladders, able, all
			if c.l != nil {
				l = *c.l
			}
			if c.able != nil {
				a = *c.able
			}
			if c.rules != nil {
				r = *c.rules
			}
			s, err := Decide(c.work, l, a, r, c.plans, now)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, said(s)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDecideGivesThePlansError(t *testing.T) {
	t.Parallel()
	want := sdk.Errorf(sdk.CodeTooLarge, "plan", "too large")
	if _, err := Decide(Work{Want: 1}, Ladders{}, Able{}, sdk.Rules{}, fixed{err: want}, time.Now()); !errors.Is(err, want) {
		t.Errorf("got %v", err)
	}
}

// follow plays a platform that takes every call, and follows Decide to its end.
func follow(t *testing.T, w Work, l Ladders, able Able, plans map[int]fixed) (calls []string, end Work) {
	t.Helper()
	now := time.Now()
	for range 50 {
		s, err := Decide(w, l, able, sdk.Rules{EditFor: sdk.Forever, DeleteFor: sdk.Forever, ReplyFor: sdk.Forever}, plans[w.Want], now)
		if err != nil {
			t.Fatal(err)
		}
		if s.NextRung {
			w.Rung++
			continue
		}
		c := s.Call
		if c == nil {
			if s.Done == OutcomeUnchanged {
				w.Have, w.HaveGone = w.Want, w.Gone
			}
			return append(calls, said(s)), w
		}
		calls = append(calls, said(s))
		w.Out = now
		switch c.Op {
		case OpPublish, OpReply:
			w.Parts = append(w.Parts, Part{Series: c.Series, Position: c.Position, Digest: c.Part.Digest(), Revision: c.Revision, Ref: sdk.PartRef{IDs: []string{fmt.Sprint("m", c.Position)}}})
		case OpEdit:
			for i := range w.Parts {
				if w.Parts[i].Series == c.Series && w.Parts[i].Position == c.Position {
					w.Parts[i].Digest, w.Parts[i].Revision = c.Part.Digest(), c.Revision
				}
			}
		case OpDelete:
			kept := w.Parts[:0:0]
			for _, p := range w.Parts {
				if p.Series != c.Series || p.Position != c.Position {
					kept = append(kept, p)
				}
			}
			w.Parts = kept
		}
		if c.Final {
			w.Have, w.HaveGone = c.Wanted, w.Gone
			return calls, w
		}
	}
	t.Fatalf("no end: %v", calls)
	return nil, w
}

func TestDecideReachesItsEnd(t *testing.T) {
	t.Parallel()
	full := Ladders{Revised: []string{"edit", "reply", "repost", "list"}, Withdrawn: []string{"delete", "mark", "reply", "list"}}
	thread := fixed{post: []string{"a", "b", "c"}, reply: []string{"r1", "r2"}}
	other := fixed{post: []string{"A", "b"}, reply: []string{"s"}}
	for _, c := range []struct {
		name string
		work Work
		able Able
		want []string
	}{
		{"publish", Work{Want: 1}, Able{true, true}, []string{"publish post 0 a", "publish post 1 b to m0", "publish post 2 c to m1 final"}},
		{"edit", Work{Want: 2, Have: 1, Parts: posted(1, "a", "b", "c")}, Able{true, true}, []string{"edit post 0 A of m0", "delete post 2 of m2 final"}},
		{"reply", Work{Want: 2, Have: 1, Note: true, Parts: posted(1, "a", "b", "c")}, Able{false, true}, []string{"reply reply 0 s to m0 final"}},
		{"withdraw with replies", Work{Want: 2, Have: 1, Gone: true, Parts: append(posted(1, "a"), Part{Series: SeriesReply, Ref: sdk.PartRef{IDs: []string{"r"}}})}, Able{true, true},
			[]string{"delete reply 0 of r", "delete post 0 of m0 final"}},
		{"withdraw without deletion", Work{Want: 2, Have: 1, Gone: true, Parts: posted(1, "a", "b")}, Able{true, false}, []string{"edit post 0 A of m0", "unchanged"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			calls, end := follow(t, c.work, full, c.able, map[int]fixed{1: thread, 2: other})
			if diff := cmp.Diff(c.want, calls); diff != "" {
				t.Error(diff)
			}
			if end.Gone != end.HaveGone || !end.Gone && end.Have != end.Want {
				t.Errorf("ended as have %d of %d, gone %v of %v", end.Have, end.Want, end.HaveGone, end.Gone)
			}
		})
	}
}
