package consent

import (
	"encoding/json"
	"errors"
	"os"
	"time"
)

// Swap lets a journal write to another file, and gives the one of before.
func (j *Journal) Swap(f *os.File) *os.File {
	j.mu.Lock()
	defer j.mu.Unlock()
	was := j.f
	j.f = f
	return was
}

// Ask makes somebody of an address, who has the token of a confirmation that waits for their click.
func (r *Registry) Ask(tx Tx, medium, address string, w Wish, until time.Time) (string, error) {
	use, compare, err := Normalize(medium, address)
	if err != nil {
		return "", err
	}
	hash := r.s.Keys.Hash(medium, compare)
	p, err := r.at(tx, medium, hash)
	if errors.Is(err, ErrNotFound) {
		p, err = r.create(tx, medium, use, hash, w.Habits, r.now())
	}
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(w)
	if err != nil {
		return "", err
	}
	token, sum := newToken()
	return token, errors.Join(p.pend(w, medium, r.now()),
		tx.PutToken(Token{Hash: sum, Person: p.row.ID, Medium: medium, Address: hash, Wish: p.key.seal("wish", text), Created: r.now(), Expires: until}))
}
