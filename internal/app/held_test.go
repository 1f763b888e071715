package app

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/store/sqlite/sqlitetest"
)

// A channel or notice that people follow does not vanish from the configuration unnoticed.
func TestNamesThatPeopleFollow(t *testing.T) {
	t.Parallel()
	db := sqlitetest.Open(t, filepath.Join(t.TempDir(), "belfry.db"))
	defer db.Close()
	now := time.Now()
	if err := db.People(t.Context(), func(tx consent.Tx) error {
		for i := range 1001 {
			id, err := tx.AddSubscriber(consent.Subscriber{Ref: fmt.Sprint("p", i), Created: now})
			if err != nil {
				return err
			}
			purposes := map[consent.Purpose]consent.State{{Kind: consent.Channel, Name: "alertes"}: consent.Active, {Kind: consent.Channel, Name: "left"}: consent.Withdrawn}
			if i == 0 {
				purposes[consent.Purpose{Kind: consent.Notice, Name: "orders"}] = consent.Active
			}
			for p, state := range purposes {
				if _, err := tx.PutGrant(consent.Grant{Person: id, Purpose: p, Medium: consent.Email, State: state, Since: now, Changed: now, Version: 1}); err != nil {
					return err
				}
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		config configs.Config
		want   []string
	}{
		"both are gone": {configs.Config{}, []string{
			`channel "alertes" is gone from the configuration but holds 1,001 active grants; renamed? add   was: alertes   to the new channel; closed? add   retired: [alertes]`,
			`notice "orders" is gone from the configuration but holds 1 active grant; write it as before; closed? add   retired: [orders]`}},
		"one is renamed, the other there": {configs.Config{Channels: map[string]configs.Channel{"breves": {Was: "alertes"}}, Notices: map[string]configs.Notice{"orders": {}}}, nil},
		"both are retired":                {configs.Config{Retired: []string{"alertes", "orders"}}, nil},
	} {
		problems, err := CheckStore(t.Context(), db, &configs.Loaded{Config: c.config})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range problems {
			got = append(got, p.What+"; "+p.Fix)
		}
		if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
			t.Errorf("%s:\n got %s\nwant %s", name, got, c.want)
		}
	}
}
