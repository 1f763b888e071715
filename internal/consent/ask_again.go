package consent

import (
	"context"
	"encoding/json"
	"slices"

	"github.com/belfry-news/belfry/sdk"
)

// AskAgain asks a person at their own address to confirm something that they once had and that has ended, under the limits of every
// sign-up; nothing begins before they have. What they have, and what is not offered any more, is refused with CodeInvalid.
func (r *Registry) AskAgain(ctx context.Context, id PersonID, grant int64, e Evidence) error {
	now, desk := r.now(), r.s.Keys.desk()
	err := r.s.Store.People(ctx, func(tx Tx) error {
		row, err := tx.Subscriber(id)
		p, err := r.load(tx, row, err)
		if err != nil {
			return err
		}
		g, err := tx.Grant(grant)
		if err != nil || g.Person != id {
			return ErrNotFound
		}
		addresses, err := tx.Addresses(id)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(addresses, of(g.Medium))
		_, offered := r.offer(g.Purpose, g.Medium)
		switch {
		case g.State == Active:
			return sdk.Errorf(sdk.CodeInvalid, "again", "%s comes already", g.Purpose)
		case !offered || i < 0:
			return sdk.Errorf(sdk.CodeInvalid, "again", "%s is not offered any more", g.Purpose)
		}
		address, err := p.key.open("address "+g.Medium, addresses[i].Sealed)
		if err != nil {
			return err
		}
		text, err := json.Marshal(Wish{Purposes: []Purpose{g.Purpose}, Habits: Habits{Lang: p.row.Habits.Lang}, Evidence: trimmed(e, now)})
		if err != nil {
			return err
		}
		return tx.AddSignup(SealedSignup{Medium: g.Medium, Hash: addresses[i].Hash, Address: desk.seal("address", address), Wish: desk.seal("wish", text), At: now})
	})
	if err == nil {
		r.s.Changed()
	}
	return err
}
