package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// People is a desk that knows the people of its store. Addresses are shown to nobody who does not ask for them, and each look
// at one person is an event of the ledger, with a reason.
type People struct {
	*Desk
	Registry *consent.Registry
	Keys     *consent.Keys
}

// Subscriber is a person as a list shows them: without anything that says who they are.
type Subscriber struct {
	Ref   string   `json:"ref"`
	Since Stamp    `json:"since"`
	Lang  string   `json:"lang"`
	Zone  string   `json:"zone"`
	Media []string `json:"media"`
	// Import is the number of the import that brought them; 0 for who came by themselves.
	Import int64    `json:"import"`
	Grants []Follow `json:"grants"`
}

// Follow is one grant.
type Follow struct {
	Purpose string   `json:"purpose"`
	Medium  string   `json:"medium"`
	State   string   `json:"state"`
	Since   Stamp    `json:"since"`
	Changed Stamp    `json:"changed"`
	Mode    string   `json:"mode"`
	Slots   []string `json:"slots"`
	Topics  []string `json:"topics"`
	// Languages of the posts that they want; without any, all.
	Languages []string `json:"languages"`
	// Breaking lets urgent posts come in quiet hours.
	Breaking bool `json:"breaking"`
}

func followOf(g consent.Grant) Follow {
	return Follow{Purpose: g.Purpose.String(), Medium: g.Medium, State: string(g.State), Since: Stamp{g.Since}, Changed: Stamp{g.Changed}, Mode: string(g.Preferences.Mode),
		Slots: orEmpty(g.Preferences.Slots), Topics: orEmpty(g.Preferences.Topics), Languages: orEmpty(g.Preferences.Languages), Breaking: g.Preferences.Breaking}
}

// SubscriberFilter says which people to list. Empty means all.
type SubscriberFilter struct{ Channel, State string }

// listPage is how many people are read at once.
const listPage = 500

// Subscribers gives all people that a filter lets through, the oldest first, one after the other.
func (d *Desk) Subscribers(ctx context.Context, f SubscriberFilter, each func(Subscriber) error) error {
	if _, known := d.Config.Channels[f.Channel]; f.Channel != "" && !known {
		if err := d.channel(f.Channel); err != nil {
			return err
		}
	}
	for after := consent.PersonID(0); ; {
		page, err := d.Store.ListPeople(ctx, store.PeopleFilter{Channel: f.Channel, State: f.State}, after, listPage)
		if err != nil {
			return err
		}
		for _, row := range page {
			s := Subscriber{Ref: row.Ref, Since: Stamp{row.Created}, Lang: row.Habits.Lang, Zone: row.Habits.Zone, Media: orEmpty(row.Media), Import: row.Import, Grants: []Follow{}}
			for _, g := range row.Grants {
				s.Grants = append(s.Grants, followOf(g))
			}
			if err := each(s); err != nil {
				return err
			}
			after = row.ID
		}
		if len(page) < listPage {
			return nil
		}
	}
}

// PersonError names what is wrong with a look at a person.
func PersonError(who string, err error) error {
	switch e := sdk.AsError(err); {
	case err == nil:
		return nil
	case errors.Is(err, consent.ErrNotFound):
		return errorf(Missing, "nobody is called %q; list people with: belfry subscriber list", Plain(who))
	case e.Code == sdk.CodeInvalid && e.Public != "":
		return unusable("%s", e.Public)
	}
	return err
}

// RefOf gives what commands call a person: a reference as it is, or of whom an address reaches.
func (p *People) RefOf(ctx context.Context, medium, address string) (string, error) {
	h := sdk.Handle{Medium: medium, Value: address}
	if err := p.Registry.CheckAddress(h); err != nil {
		return "", unusable("%s", sdk.AsError(err).Public)
	}
	ref, err := p.Registry.RefAt(ctx, h)
	if errors.Is(err, consent.ErrNotFound) {
		return "", errorf(Missing, "this address reaches nobody by %s", medium)
	}
	return ref, err
}

// Look shows a person, and records it.
func (p *People) Look(ctx context.Context, ref, reason, what string, addresses bool) (consent.Look, error) {
	out, err := p.Registry.Look(ctx, consent.Lookup{Ref: strings.ToLower(ref), Operator: p.Actor, Reason: reason, Addresses: addresses, What: what})
	if errors.Is(err, consent.ErrNotFound) {
		return out, p.missing(ctx, ref)
	}
	return out, PersonError(ref, err)
}

// missing says that there is nobody of a name, or not any more.
func (p *People) missing(ctx context.Context, ref string) error {
	var row consent.Subscriber
	if err := p.Store.People(ctx, func(tx consent.Tx) (err error) {
		row, err = tx.SubscriberByRef(strings.ToLower(ref))
		return err
	}); err != nil {
		return PersonError(ref, err)
	}
	if row.Erased.IsZero() {
		return PersonError(ref, consent.ErrNotFound)
	}
	return errorf(Missing, "%s is nobody any more since %s: erased, merged with another, or never confirmed; the entries of the ledger stay, and nobody can open them", row.Ref, p.At(row.Erased))
}

// PersonShown is a person as an operator sees them.
type PersonShown struct {
	Ref    string `json:"ref"`
	Since  Stamp  `json:"since"`
	Seen   Stamp  `json:"seen"` // when they last showed that they are there
	Lang   string `json:"lang"`
	Zone   string `json:"zone"`
	Quiet  string `json:"quiet_hours"`
	Paused Stamp  `json:"paused_until"`
	PerDay int    `json:"per_day"`
	Import int64  `json:"import"`
	// Addresses are masked unless they were asked for.
	Addresses    []ShownAddress `json:"addresses"`
	Grants       []Follow       `json:"grants"`
	Suppressions []ShownStop    `json:"suppressions"`
}

// ShownAddress is an address, masked or as it is.
type ShownAddress struct {
	Medium  string `json:"medium"`
	Address string `json:"address"`
	Masked  bool   `json:"masked"`
}

// ShownStop is a suppression.
type ShownStop struct {
	Medium string `json:"medium"`
	Scope  string `json:"scope"`
	What   string `json:"purpose"`
	Reason string `json:"reason"`
	At     Stamp  `json:"at"`
}

// Shown puts a look in the form that is printed.
func Shown(l consent.Look) PersonShown {
	out := PersonShown{Ref: l.Ref, Since: Stamp{l.Since}, Seen: Stamp{l.Signal}, Lang: l.Habits.Lang, Zone: l.Habits.Zone, Paused: Stamp{l.Habits.PausedUntil}, PerDay: l.Habits.PerDay,
		Import: l.Import, Addresses: []ShownAddress{}, Grants: []Follow{}, Suppressions: []ShownStop{}}
	if l.Habits.QuietFrom != "" {
		out.Quiet = l.Habits.QuietFrom + "-" + l.Habits.QuietUntil
	}
	list, masked := l.Full, false
	if len(list) == 0 {
		list, masked = l.Addresses, true
	}
	for _, a := range list {
		out.Addresses = append(out.Addresses, ShownAddress{a.Medium, a.Text, masked})
	}
	for _, g := range l.Grants {
		out.Grants = append(out.Grants, followOf(g))
	}
	for _, s := range l.Suppressions {
		out.Suppressions = append(out.Suppressions, ShownStop{s.Medium, string(s.Scope), s.Purpose, s.Reason, Stamp{s.At}})
	}
	return out
}

// Withdrawn is what came of a withdrawal by an operator.
type Withdrawn struct {
	Ref   string   `json:"ref"`
	At    Stamp    `json:"at"`
	Ended []string `json:"ended"`
	// Settled says that no message to the person is under way any more.
	Settled bool `json:"settled"`
}

// Withdraw ends what a person follows, on their behalf: one purpose, or all when it is empty; over one medium or all.
func (p *People) Withdraw(ctx context.Context, ref, purpose, medium, reason string) (Withdrawn, error) {
	look, err := p.Look(ctx, ref, reason, "withdrawn", false)
	if err != nil {
		return Withdrawn{}, err
	}
	w := consent.Withdrawal{Medium: medium, Evidence: p.evidence(reason)}
	if purpose != "" {
		q := consent.ParsePurpose(purpose)
		if !slices.ContainsFunc(look.Grants, func(g consent.Grant) bool { return g.Purpose == q }) {
			return Withdrawn{}, errorf(Missing, "%s has nothing to do with %s; see: belfry subscriber show %s --reason TEXT", look.Ref, q, look.Ref)
		}
		w.Purpose = &q
	}
	ack, err := p.Registry.Withdraw(ctx, look.ID, w)
	out := Withdrawn{Ref: look.Ref, At: Stamp{ack.At}, Ended: []string{}, Settled: ack.Settled}
	for _, q := range ack.Ended {
		out.Ended = append(out.Ended, q.String())
	}
	return out, err
}

// evidence is an operator's act.
func (p *People) evidence(reason string) consent.Evidence {
	return consent.Evidence{Method: consent.ByOperator, Actor: consent.Operator, Where: p.Actor, Note: reason}
}

// MergedPeople is what came of a merge.
type MergedPeople struct {
	From      string   `json:"from"`
	Into      string   `json:"into"`
	Moved     []string `json:"moved"`
	Ended     []string `json:"ended"`
	Waiting   []string `json:"waiting"`
	Addresses []string `json:"addresses"`
	Dropped   []string `json:"dropped_addresses"`
}

// Merge makes two people one.
func (p *People) Merge(ctx context.Context, from, into, reason string) (MergedPeople, error) {
	m, err := p.Registry.Merge(ctx, strings.ToLower(from), strings.ToLower(into), p.Actor, reason)
	if err != nil {
		who, _, _ := strings.Cut(err.Error(), ":")
		if errors.Is(err, consent.ErrUnderWay) {
			return MergedPeople{}, errorf(Conflict, "%w", err)
		}
		return MergedPeople{}, PersonError(who, err)
	}
	names := func(list []consent.Purpose) []string {
		out := []string{}
		for _, q := range list {
			out = append(out, q.String())
		}
		return out
	}
	return MergedPeople{m.From, m.Into, names(m.Moved), names(m.Ended), names(m.Waiting), orEmpty(m.Addresses), orEmpty(m.Dropped)}, nil
}

// Export is everything about a person, as JSON.
func (p *People) Export(ctx context.Context, ref, reason string) ([]byte, error) {
	look, err := p.Look(ctx, ref, reason, "exported", true)
	if err != nil {
		return nil, err
	}
	return p.Registry.Export(ctx, look.ID)
}

// exportPage is how many people are read and recorded at once.
const exportPage = 200

// ExportAll gives the rows of all people that a filter lets through, as consent.ExportColumns names them, and says of how many. Each
// of them has it in their record. progress is told how far it is; nil tells nobody.
func (p *People) ExportAll(ctx context.Context, f SubscriberFilter, reason string, progress func(done, total int64), each func(row []string) error) (people int, err error) {
	if f.Channel != "" {
		if err := p.channel(f.Channel); err != nil {
			return 0, err
		}
	}
	last, err := p.Store.LastPerson(ctx)
	if err != nil {
		return 0, err
	}
	for after := consent.PersonID(0); ; {
		page, err := p.Store.ListPeople(ctx, store.PeopleFilter{Channel: f.Channel, State: f.State}, after, exportPage)
		if err != nil {
			return people, err
		}
		var ids []consent.PersonID
		for _, row := range page {
			ids, after = append(ids, row.ID), row.ID
		}
		rows, n, err := p.Registry.ExportRows(ctx, ids, consent.ExportFilter{Channel: f.Channel, State: consent.State(f.State)}, p.Actor, reason)
		if err != nil {
			return people, PersonError("", err)
		}
		for _, row := range rows {
			if err := each(row); err != nil {
				return people, err
			}
		}
		people += n
		over := len(page) < exportPage
		switch {
		case progress == nil:
		case over:
			progress(int64(last), int64(last))
		default:
			progress(min(int64(after), int64(last)-1), int64(last)) // somebody may have come since
		}
		if over {
			return people, p.Store.RecordAct(ctx, p.Actor, "export people", fmt.Sprintf("%d people: %s", people, reason), p.Now)
		}
	}
}

// ErasedPerson is what came of an erasure.
type ErasedPerson struct {
	Ref string `json:"ref"`
	At  Stamp  `json:"at"`
	// Settled says that no message to the person is under way any more. Otherwise one may still arrive.
	Settled bool `json:"settled"`
	// BackupsUntil is until when a backup may hold the person; null when that is not configured.
	BackupsUntil Stamp `json:"backups_until"`
	// Purged says that no file of the store holds what was erased. Otherwise the daemon goes on trying.
	Purged bool `json:"purged"`
	// Webhooks were not mapped, named the person and are gone; CutWebhooks name others too, and what was about the person is gone;
	// WaitingWebhooks are articles of sources that bring no notices, and stay.
	Webhooks        int `json:"webhooks"`
	CutWebhooks     int `json:"cut_webhooks"`
	WaitingWebhooks int `json:"waiting_webhooks"`
	// Backups are older copies of the store beside it, which still hold the person.
	Backups []string `json:"backups"`
}

// Erase takes away everything about a person but what keeps them from being written to.
func (p *People) Erase(ctx context.Context, ref, reason string, copies func() ([]string, error)) (ErasedPerson, error) {
	look, err := p.Look(ctx, ref, reason, "erased", false)
	if err != nil {
		return ErasedPerson{}, err
	}
	e, err := p.Registry.Erase(ctx, look.ID, p.evidence(reason))
	if err != nil {
		return ErasedPerson{}, err
	}
	out := ErasedPerson{Ref: look.Ref, At: Stamp{e.At}, Settled: e.Settled, BackupsUntil: Stamp{e.BackupsUntil}, Webhooks: e.Calls.Dropped, CutWebhooks: e.Calls.Cut, WaitingWebhooks: e.Calls.Waiting, Backups: []string{}}
	if _, err := waitFor(ctx, forgetFor, func() (bool, error) {
		out.Purged, err = p.Store.Forget(ctx)
		return out.Purged, err
	}); err != nil {
		return out, err
	}
	backups, err := copies()
	out.Backups = append(out.Backups, backups...)
	return out, err
}

// Known says whether there is such a person, and records nothing: nothing is shown.
func (p *People) Known(ctx context.Context, ref string) error {
	_, err := p.subscriber(ctx, ref)
	return err
}

// AcceptJournal lets messages go by what the database says, although the journal of withdrawals is missing.
func (p *People) AcceptJournal(ctx context.Context, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return unusable("--reason is empty; say why the journal is missing")
	}
	if err := p.Registry.Forgive(ctx); err != nil {
		return err
	}
	return p.Store.RecordAct(ctx, p.Actor, "accept journal", reason, p.Now)
}

// MessageReason says in a sentence why a message waits or did not leave.
func MessageReason(reason string) string {
	switch sdk.Code(reason) {
	case "no_address":
		return "There is no address of the person on this medium."
	case "unknown", "node_ended", sdk.CodeUnknownOutcome:
		return "It may have arrived; nobody knows."
	case "restored":
		return "The database came from a backup, and this may have been sent since."
	case sdk.CodeUnavailable:
		return "The platform or the relay could not be reached; it is tried again."
	case sdk.CodeRateLimited:
		return "The platform or the relay takes no more for now; it is tried again."
	case sdk.CodeUnauthenticated:
		return "The platform or the relay refuses our account; see: belfry destination list"
	case sdk.CodeForbidden:
		return "The platform or the relay does not let our account write to this person; see: belfry destination list"
	case "template":
		return "The text could not be written."
	case sdk.CodeWindowClosed:
		return "The platform lets this person be written to only after they write again."
	case consent.OutcomeHard:
		return "It came back: the address does not exist."
	case consent.OutcomeSoft:
		return "It came back: the provider could not take it at that time."
	case consent.OutcomeOther:
		return "It came back for a reason that is not the person's."
	case consent.OutcomeComplaint:
		return "It was reported as unwanted."
	case sdk.CodeInvalid, sdk.CodeTooLarge, sdk.CodeUnsupported:
		return "The platform or the relay does not take this text."
	case sdk.CodeGone:
		return "The address is gone."
	case "":
		return ""
	}
	return policy.Reason(reason).Sentence()
}
