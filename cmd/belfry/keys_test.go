package main

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
	"github.com/belfry-news/belfry/sdk"
)

// A previous key stays as long as anything in the database is sealed by it: the key of the ledger too, and not people alone.
func TestWhichKeysMayGo(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t, filepath.Join(t.TempDir(), "belfry.db"))
	defer db.Close()
	earlier, current := consent.NewKey(), consent.NewKey()
	d := &clerk{Desk: &desk.Desk{Store: db, Config: &configs.Loaded{}}}
	made := func() ([]byte, error) { return []byte("secret"), nil }
	open := func(key string, previous ...string) *consent.Keys {
		t.Helper()
		m := func(text string) consent.Master {
			m, err := consent.ParseKey(text)
			if err != nil {
				t.Fatal(err)
			}
			return m
		}
		d.Config.Privacy.Key, d.Config.Privacy.Previous = sdk.NewSecret(key), nil
		var others []consent.Master
		for _, p := range previous {
			d.Config.Privacy.Previous = append(d.Config.Privacy.Previous, sdk.NewSecret(p))
			others = append(others, m(p))
		}
		keys, err := consent.OpenKeys(t.Context(), db, m(key), others...)
		if err != nil {
			t.Fatal(err)
		}
		return keys
	}
	rows := func() []keyRow {
		t.Helper()
		out, _, err := keyRows(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if _, err := open(earlier).Secret(t.Context(), db, "ledger", made); err != nil {
		t.Fatal(err)
	}
	keys := open(current, earlier) // seals the pepper anew
	if r := rows(); len(r) != 2 || r[1].May {
		t.Errorf("the ledger's key is sealed by the earlier one: %+v", r)
	}
	d.Config.Privacy.Previous = nil
	if r := rows(); len(r) != 2 || r[1].State != "missing" {
		t.Errorf("the earlier key was taken out: %+v", r)
	}
	open(current, earlier)
	if _, err := keys.Secret(t.Context(), db, "ledger", made); err != nil {
		t.Fatal(err)
	}
	if r := rows(); len(r) != 2 || !r[1].May {
		t.Errorf("nothing is sealed by the earlier key: %+v", r)
	}
}
