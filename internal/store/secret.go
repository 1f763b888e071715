package store

import (
	"context"
	"encoding/hex"
	"errors"
)

// configurationKey is the secret whose key tells changed values of the configuration apart.
const configurationKey = "fingerprint"

// ConfigurationKey is the key of the marks in a stored configuration; see Configuration.Key.
func (db *DB) ConfigurationKey(ctx context.Context) ([]byte, error) {
	return db.Secret(ctx, configurationKey)
}

// Secret gives a random secret of this installation by its name, 32 bytes, made when it is first asked for.
func (db *DB) Secret(ctx context.Context, name string) ([]byte, error) {
	name = "secret." + name
	var text string
	err := notFound(db.queryRow(ctx, `SELECT value FROM meta WHERE name = $1`, name).Scan(&text))
	if errors.Is(err, ErrNotFound) {
		err = db.Write(ctx, func(tx *Tx) error {
			if err := tx.run(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, hex.EncodeToString([]byte(token(52)))[:64]); err != nil {
				return err
			}
			return tx.row(`SELECT value FROM meta WHERE name = $1`, name).Scan(&text)
		})
	}
	if err != nil {
		return nil, err
	}
	return hex.DecodeString(text)
}
