package app

import (
	"cmp"
	"context"
	"strings"
	"sync"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// ruleMark begins the names under which the store keeps the rule of each medium's addresses, which are sealed and compared in that
// form.
const ruleMark = "medium.address."

// AddressRules says how the addresses of each medium are brought into one form: as those are that the store holds, whose plugin may
// have been taken away since, and where it knows of none, as the configuration says.
type AddressRules struct {
	config func() *configs.Loaded

	mu   sync.RWMutex
	kept map[string]string
}

// NewAddressRules reads what the store knows.
func NewAddressRules(ctx context.Context, db *store.DB, config func() *configs.Loaded) (*AddressRules, error) {
	marks, err := db.MarksOf(ctx, ruleMark)
	if err != nil {
		return nil, err
	}
	r := &AddressRules{config: config, kept: map[string]string{}}
	for name, rule := range marks {
		r.kept[strings.TrimPrefix(name, ruleMark)] = rule
	}
	return r, nil
}

// Of is the rule of a medium.
func (r *AddressRules) Of(medium string) sdk.AddressRule {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if rule := r.kept[medium]; rule != "" {
		return sdk.AddressRule(rule)
	}
	return r.config().Medium(medium).Address
}

// keep puts the rule of a medium in force, unless anything is kept there by another one.
func (r *AddressRules) keep(ctx context.Context, db *store.DB, medium, rule string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if cmp.Or(r.kept[medium], string(sdk.AddressExact)) == rule {
		return nil
	}
	if err := db.SetAddressRule(ctx, medium, ruleMark+medium, rule); err != nil {
		return err
	}
	r.kept[medium] = rule
	return nil
}
