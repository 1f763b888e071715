package consent

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"
)

// PersonKey is the sealed key of a person, with what it is bound to.
type PersonKey struct {
	Person PersonID
	Ref    string
	Key    Sealed
}

// resealChunk is how many keys a transaction of Reseal seals anew.
const resealChunk = 500

// Reseal seals some of the keys of people anew that an earlier master key sealed, and says how many. Once it is done no key
// but the current one is needed for the database; its backups of before still need the earlier ones.
func (r *Registry) Reseal(ctx context.Context) (n int, done bool, err error) {
	err = r.s.Store.People(ctx, func(tx Tx) error {
		rows, err := tx.KeysNotBy(r.s.Keys.current.id, resealChunk)
		if err != nil {
			return err
		}
		for _, row := range rows {
			fresh, err := r.s.Keys.reseal(row.Ref, row.Key)
			if err != nil {
				return err
			}
			if err := tx.SetKey(row.Person, fresh); err != nil {
				return err
			}
		}
		n, done = len(rows), len(rows) < resealChunk
		return nil
	})
	return n, done, err
}

// Masters are the ids of the keys that are configured: the current one first, then the others in their order.
func (k *Keys) Masters() []string {
	out := slices.DeleteFunc(slices.Sorted(maps.Keys(k.all)), func(id string) bool { return id == k.current.id })
	return append([]string{k.current.id}, out...)
}

// Text gives a master key as it stands in its file, for a backup of the keys.
func (m Master) Text() string { return keyPrefix + base64.RawURLEncoding.EncodeToString(m.key) }
