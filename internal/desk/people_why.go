package desk

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/policy"
)

// What became of a message, in one word.
const (
	MessageGot  = "got"
	MessageWait = "waits"
	MessageNot  = "not"
)

// PostPeople is what became of a post with the people who follow its channel.
type PostPeople struct {
	Got  int `json:"got"`
	Wait int `json:"wait"`
	Not  int `json:"not"`
	// Making says that not all messages are made yet.
	Making   bool           `json:"making"`
	Outcomes []PeopleByWhat `json:"outcomes"`
}

// WhyPost is a post with what became of it.
type WhyPost struct {
	Post
	// People is what became of it with those who follow its channel; absent where it is written to nobody.
	People *PostPeople `json:"people,omitempty"`
}

// PeopleByWhat is how many people share an outcome and its reason.
type PeopleByWhat struct {
	Destination string `json:"destination"`
	Medium      string `json:"medium"`
	// Kind is post, digest or correction.
	Kind     string `json:"kind"`
	What     string `json:"what"`
	State    string `json:"state"`
	Reason   string `json:"reason"`
	Sentence string `json:"sentence"`
	People   int    `json:"people"`
}

// Empty says that the post goes to nobody.
func (p PostPeople) Empty() bool { return len(p.Outcomes) == 0 && !p.Making }

// digestLooksBack is how old a post may be that a personal digest still holds.
const digestLooksBack = 8 * 24 * time.Hour

// whatOf says in one word what a state means.
func whatOf(s consent.MessageState) string {
	switch s {
	case consent.MessageSent:
		return MessageGot
	case consent.MessagePending, consent.MessageUnknown, consent.MessageHeld, consent.MessageFolded:
		return MessageWait
	}
	return MessageNot
}

// WhyPost tells what became of a post, and how many people got it; with a destination only what became of it there.
func (d *Desk) WhyPost(ctx context.Context, id, destination string) (WhyPost, error) {
	people, err := d.WhyPeople(ctx, id, destination)
	if err != nil {
		return WhyPost{}, err
	}
	p, err := d.PostOn(ctx, id, destination)
	if people.Empty() {
		return WhyPost{Post: p}, err
	}
	if nowhere, is := errors.AsType[*Error](err); is && nowhere.Kind == Missing {
		err = nil // where it was written to people alone there is no copy
	}
	return WhyPost{p, &people}, err
}

// WhyPeople tells how many people got a post, wait for it, or do not get it, by reason; with a destination only by that one.
func (d *Desk) WhyPeople(ctx context.Context, id, destination string) (PostPeople, error) {
	p, err := d.find(ctx, id)
	if err != nil {
		return PostPeople{}, err
	}
	out := PostPeople{Outcomes: []PeopleByWhat{}}
	streams, err := d.Store.PostStreams(ctx, p.ID)
	if err != nil {
		return out, err
	}
	elsewhere := func(name string) bool { return destination != "" && name != destination }
	for _, s := range streams {
		out.Making = out.Making || !s.Whole && s.State == "open" && !elsewhere(s.Destination)
	}
	counts, err := d.Store.MessageCounts(ctx, p.ID)
	if err != nil {
		return out, err
	}
	folded, err := d.Store.FoldedCounts(ctx, p.ID)
	if err != nil {
		return out, err
	}
	for _, c := range counts {
		row := PeopleByWhat{Destination: c.Destination, Medium: c.Medium, Kind: string(c.Kind), What: whatOf(c.State), State: string(c.State), Reason: c.Reason,
			Sentence: MessageReason(c.Reason), People: c.People}
		if c.State == consent.MessageFolded { // some had their digest since, and stand there
			row.People = min(c.People, folded[c.Reason])
			folded[c.Reason] -= row.People
			if row.People == 0 {
				continue
			}
		}
		if elsewhere(row.Destination) {
			continue
		}
		if row.Kind != string(consent.StreamCorrection) {
			switch row.What {
			case MessageGot:
				out.Got += row.People
			case MessageWait:
				out.Wait += row.People
			default:
				out.Not += row.People
			}
		}
		out.Outcomes = append(out.Outcomes, row)
	}
	ahead, err := d.Store.DigestsAhead(ctx, p.ID, d.Now, digestLooksBack)
	if err != nil {
		return out, err
	}
	for _, m := range d.Config.Channels[p.Channel].Messages {
		medium := d.Config.Destinations[m.Destination].Type
		if n := ahead[medium]; n > 0 && !elsewhere(m.Destination) {
			out.Wait += n
			out.Outcomes = append(out.Outcomes, PeopleByWhat{Destination: m.Destination, Medium: medium, Kind: string(consent.StreamDigest), What: MessageWait,
				State: string(consent.MessageFolded), Reason: string(policy.ChoseDigests), Sentence: policy.ChoseDigests.Sentence(), People: n})
		}
	}
	slices.SortStableFunc(out.Outcomes, func(a, b PeopleByWhat) int {
		return cmp.Or(cmp.Compare(a.Destination, b.Destination), cmp.Compare(a.What, b.What), cmp.Compare(b.People, a.People))
	})
	return out, nil
}

// WhyMessage is what became of a post for one person.
type WhyMessage struct {
	Destination string `json:"destination"`
	Medium      string `json:"medium"`
	Kind        string `json:"kind"`
	What        string `json:"what"`
	State       string `json:"state"`
	Reason      string `json:"reason"`
	Sentence    string `json:"sentence"`
	Error       string `json:"error,omitempty"`
	// At is when it was settled, Next when it is tried again.
	At       Stamp `json:"at"`
	Next     Stamp `json:"next"`
	Attempts int   `json:"attempts"`
	// Now says that the policy was asked now: nothing is recorded yet.
	Now bool `json:"asked_now"`
}

// WhyPerson tells what became of a post for one person, by what was decided and recorded then. Of what is not decided yet,
// ask says what would be decided now.
func (p *People) WhyPerson(ctx context.Context, who consent.PersonID, id string, ask func(s consent.Stream) (consent.Judgement, error)) ([]WhyMessage, error) {
	post, err := p.find(ctx, id)
	if err != nil {
		return nil, err
	}
	rows, err := p.Store.MessagesOfPost(ctx, post.ID, who)
	if err != nil {
		return nil, err
	}
	out := []WhyMessage{}
	decided := map[int64]bool{}
	for _, m := range rows {
		if m.State == consent.MessagePending && m.Reason == "" {
			continue // nothing was decided yet
		}
		decided[m.Stream] = true
		out = append(out, WhyMessage{Destination: m.Destination, Medium: m.Medium, Kind: string(m.Kind), What: whatOf(m.State), State: string(m.State), Reason: m.Reason,
			Sentence: MessageReason(m.Reason), Error: m.Error, At: Stamp{m.Settled}, Next: Stamp{m.Next}, Attempts: m.Attempts})
	}
	streams, err := p.Store.PostStreams(ctx, post.ID)
	if err != nil {
		return nil, err
	}
	for _, s := range streams {
		if decided[s.ID] {
			continue
		}
		j, err := ask(s.Stream)
		if err != nil {
			return nil, err
		}
		m := WhyMessage{Destination: s.Destination, Medium: s.Medium, Kind: string(s.Kind), Reason: j.Reason, Sentence: MessageReason(j.Reason), Next: Stamp{j.Next}, Now: true}
		if m.What, m.State = MessageWait, string(consent.MessagePending); !j.Go {
			m.What, m.State = whatOf(j.State), string(j.State)
		}
		out = append(out, m)
	}
	return out, nil
}
