package store

import (
	"crypto/rand"
	"database/sql"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
)

// alphabet is Crockford's: no letter that looks like a digit.
var alphabet = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// token makes an unguessable text of n characters of five bits each.
func token(n int) string {
	b := make([]byte, (n*5+7)/8)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return alphabet.EncodeToString(b)[:n]
}

// encode writes a value for a JSON column.
func encode(v any) (string, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("store: %T cannot be written: %w", v, err)
	}
	return string(b), nil
}

// decode reads a JSON column.
func decode(text string, into any) error {
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("store: a %T cannot be read: %w", into, err)
	}
	return nil
}

// jsonList makes the JSON array that a statement takes for a list; never null.
func jsonList[T any](list []T) string {
	if list == nil {
		list = []T{}
	}
	b, err := json.Marshal(list)
	if err != nil {
		return "[]"
	}
	return string(b)
}

// notFound names the absence of a row.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
