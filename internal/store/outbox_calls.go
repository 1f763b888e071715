package store

import "github.com/belfry-news/belfry/internal/outbox"

// storedCall is what the store keeps of a call while it is under way, unknown or to be repeated. The request stays as it
// is, so that most calls fit into one page of the database.
type storedCall struct {
	call    string // all but the request
	request []byte
}

// callColumns are read into a storedCall, which is empty when there is no call; the table is joined as c.
const callColumns = `coalesce(c.call, ''), coalesce(c.request, x'')`

// storeCall makes what is kept. The bytes of images live in files.
func storeCall(c outbox.Call) (storedCall, error) {
	for i := range c.Part.Files {
		c.Part.Files[i].Data = nil
	}
	s := storedCall{request: notNil(c.Part.Request)}
	c.Part.Request = nil
	var err error
	s.call, err = encode(c)
	return s, err
}

// read gives the call back.
func (s storedCall) read(into *outbox.Call) error {
	if err := decode(s.call, into); err != nil {
		return err
	}
	if len(s.request) > 0 { // calls of before the table was made hold it within
		into.Part.Request = s.request
	}
	return nil
}

// keepCall keeps the call of a delivery. It is written over the call of the delivery ended, if there is one: that touches
// one page, where dropping a call and adding another touches those of the free pages too.
func (tx *Tx) keepCall(delivery int64, c storedCall, ended int64) error {
	if ended != 0 {
		n, err := tx.exec(`UPDATE OR IGNORE calls SET delivery = $1, call = $2, request = $3 WHERE delivery = $4`, delivery, c.call, c.request, ended)
		if err != nil || n > 0 {
			return err
		}
	}
	return tx.run(`INSERT INTO calls (delivery, call, request) VALUES ($1, $2, $3)
		ON CONFLICT (delivery) DO UPDATE SET call = excluded.call, request = excluded.request`, delivery, c.call, c.request)
}

// dropCall drops the call of a delivery.
func (tx *Tx) dropCall(delivery int64) error {
	return tx.run(`DELETE FROM calls WHERE delivery = $1`, delivery)
}
