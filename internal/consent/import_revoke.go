package consent

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/belfry-news/belfry/sdk"
)

// revokeChunk is how many events a transaction of a revocation looks at.
const revokeChunk = 500

// RevokeImport ends what an import made, unless the person has acted on it since. It is not a withdrawal by the person: the
// same people can be imported again with newer evidence, or come by themselves. The journal beside the database has what ended
// before its transaction does, so that a restored database honours it. progress is told how many grants it ended; it may be
// nil. Nothing more starts for what it ended; a message that has started may still arrive.
func (r *Registry) RevokeImport(ctx context.Context, store ImportStore, id int64, operator, reason string, progress func(ended int)) (ended int, err error) {
	if reason == "" {
		return 0, sdk.Errorf(sdk.CodeInvalid, "revoke", "the revocation of an import needs a reason; give it with --reason")
	}
	var i Import
	if err := store.Importing(ctx, func(tx ImportTx) (err error) { i, err = tx.Import(id); return err }); err != nil {
		return 0, err
	}
	after := int64(0)
	for more := true; more; {
		var last int64
		n := 0
		if err := store.Importing(ctx, func(tx ImportTx) error {
			events, err := tx.ImportEvents(i.At, after, revokeChunk)
			if err != nil {
				return err
			}
			last, more = after, len(events) == revokeChunk
			var gone []entry
			for _, e := range events {
				last = e.ID
				ended, err := r.revoke(tx, e, id, operator, reason)
				if err != nil {
					return err
				}
				gone = append(gone, ended...)
			}
			n = len(gone)
			if err := r.enter(tx, gone...); err != nil {
				return err
			}
			if more {
				return nil
			}
			i.State = ImportRevoked
			return tx.PutImport(i)
		}); err != nil {
			return ended, fmt.Errorf("the revocation of %s stopped after %d grants; run it again: %w", i, ended, err)
		}
		after, ended = last, ended+n
		if progress != nil {
			progress(ended)
		}
	}
	return ended, nil
}

// revoke ends the grant of one event, when it is of the import and the person has not acted since. It gives
// what the journal has to hold of it.
func (r *Registry) revoke(tx ImportTx, e LedgerEvent, id int64, operator, reason string) ([]entry, error) {
	row, err := tx.Subscriber(e.Person)
	p, err := r.load(tx, row, err)
	if found, err := lookedUp(err); err != nil || !found {
		return nil, err // erased since
	}
	text, err := p.key.open("event "+e.Kind, e.Data)
	if err != nil {
		return nil, err
	}
	var made imported
	if err := json.Unmarshal(text, &made); err != nil {
		return nil, err
	}
	if made.Import != id {
		return nil, nil
	}
	grants, err := tx.Grants(p.row.ID)
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(grants, func(g Grant) bool { return g.Purpose == made.Purpose && g.Medium == made.Medium })
	if at < 0 || grants[at].State != Active && grants[at].State != Pending {
		return nil, nil
	}
	own, err := p.actedOn(made.Purpose, made.Medium, e.ID)
	if err != nil || own {
		return nil, err
	}
	g, now := grants[at], r.now()
	was := g.State
	g.State, g.Changed = Expired, now
	g.Version++
	if _, err := tx.PutGrant(g); err != nil {
		return nil, err
	}
	addresses, err := tx.Addresses(p.row.ID)
	if err != nil {
		return nil, err
	}
	var gone []entry
	for _, a := range addresses {
		if a.Medium == g.Medium {
			gone = append(gone, entry{At: now, Medium: a.Medium, Hash: a.Hash, Purpose: g.Purpose.String(), Method: ByOperator, Actor: Operator, Revoked: true})
		}
	}
	return gone, p.record(EventExpired, now, change{Purpose: g.Purpose, Medium: g.Medium, Was: was,
		Evidence: Evidence{At: now, Method: ByOperator, Actor: Operator, Where: operator, Note: fmt.Sprintf("import %d was revoked: %s", id, reason)}})
}

// actedOn reports whether the person themselves agreed to a purpose after an event.
func (p person) actedOn(purpose Purpose, medium string, after int64) (bool, error) {
	rows, err := p.tx.EventsOf(p.row.ID, recordMost)
	if err != nil {
		return false, err
	}
	for _, e := range rows {
		if e.ID <= after || e.Kind != EventGranted {
			continue
		}
		text, err := p.key.open("event "+e.Kind, e.Data)
		if err != nil {
			return false, err
		}
		var c change
		if err := json.Unmarshal(text, &c); err != nil {
			return false, err
		}
		if c.Purpose == purpose && c.Medium == medium {
			return true, nil
		}
	}
	return false, nil
}
