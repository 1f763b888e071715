package consent

import (
	"context"
	"slices"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Look is what an operator sees of a person.
type Look struct {
	Reader
	// Grants are all, also those that wait for the person.
	Grants []Grant
	// Full are the addresses as they are, when they were asked for.
	Full         []Masked
	Suppressions []Suppression
	Import       int64
	Signal       time.Time
	Events       []Event
	Messages     []Sent
}

// Lookup says who is looked up, by whom, and why.
type Lookup struct {
	// Ref is what commands call the person.
	Ref string
	// Operator and Reason stand in the ledger. A look without a reason is refused with CodeInvalid.
	Operator, Reason string
	// Addresses asks for the addresses as they are, which the ledger says.
	Addresses bool
	// What was done with it, such as "exported"; empty for a look.
	What string
}

// Look shows a person to an operator. The look itself is an event of the ledger, with its reason.
func (r *Registry) Look(ctx context.Context, l Lookup) (out Look, err error) {
	if l.Reason == "" {
		return out, sdk.Errorf(sdk.CodeInvalid, "look up", "a look at a person's record needs a reason; give it with --reason")
	}
	now := r.now()
	err = r.s.Store.People(ctx, func(tx Tx) error {
		row, err := tx.SubscriberByRef(l.Ref)
		p, err := r.load(tx, row, err)
		if err != nil {
			return err
		}
		out = Look{Import: row.Import, Signal: row.Signal}
		if out.Reader, err = r.reader(p); err != nil {
			return err
		}
		if out.Grants, err = tx.Grants(row.ID); err != nil {
			return err
		}
		addresses, err := tx.Addresses(row.ID)
		if err != nil {
			return err
		}
		for _, a := range addresses {
			list, err := tx.Suppressions(a.Medium, a.Hash)
			if err != nil {
				return err
			}
			out.Suppressions = append(out.Suppressions, list...)
			if !l.Addresses {
				continue
			}
			text, err := p.key.open("address "+a.Medium, a.Sealed)
			if err != nil {
				return err
			}
			out.Full = append(out.Full, Masked{a.Medium, string(text)})
		}
		if out.Events, err = p.events(recordMost); err != nil {
			return err
		}
		if out.Messages, err = tx.MessagesOf(row.ID, recordMost); err != nil {
			return err
		}
		note := trimmed(Evidence{Note: l.Reason}, now).Note
		switch {
		case l.What != "":
			note = l.What + ": " + note
		case l.Addresses:
			note = "with the addresses: " + note
		}
		return p.record(EventLooked, now, change{Evidence: Evidence{At: now, Method: ByOperator, Actor: Operator, Where: l.Operator, Note: note}})
	})
	return out, err
}

// Suppressed reports whether any of the suppressions forbids a purpose over a medium.
func (l Look) Suppressed(p Purpose, medium string) bool {
	return slices.ContainsFunc(l.Suppressions, func(s Suppression) bool {
		return s.Medium == medium && (s.Scope != ScopePurpose || s.Purpose == p.String())
	})
}
