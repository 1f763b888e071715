package consent_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/internal/consent"
)

// backs is a store that knows what came back of a destination's messages in a day, and notes how far what was sent is counted.
type backs struct {
	consent.InboxStore
	outcomes map[string]int
	sent     int
	counted  []int
}

func (b *backs) Outcomes(_ context.Context, _, outcome string, _ consent.PersonID, _ time.Time) ([]time.Time, error) {
	return make([]time.Time, b.outcomes[outcome]), nil
}

func (b *backs) SentSince(_ context.Context, _ string, _ time.Time, most int) (int, error) {
	b.counted = append(b.counted, most)
	return min(b.sent, most), nil
}

// TestTooMany holds the shares at which a destination pauses by itself, and that what was sent is counted only where something
// came back, and no further than needed: a house that writes to a million must not read a million rows with each bounce.
func TestTooMany(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		outcomes map[string]int
		sent     int
		want     string
		counted  []int
	}{
		"nothing came back":             {nil, 1_000_000, "", nil},
		"too few complaints to say":     {map[string]int{consent.OutcomeComplaint: 2}, 10, "", nil},
		"three complaints of 3,000":     {map[string]int{consent.OutcomeComplaint: 3}, 3000, "3 complaints about 3000 messages sent in a day", []int{3001}},
		"three complaints of 3,001":     {map[string]int{consent.OutcomeComplaint: 3}, 3001, "", []int{3001}},
		"three complaints of many":      {map[string]int{consent.OutcomeComplaint: 3}, 1_000_000, "", []int{3001}},
		"three complaints of none":      {map[string]int{consent.OutcomeComplaint: 3}, 0, "3 complaints about 0 messages sent in a day", []int{3001}},
		"too few hard bounces to say":   {map[string]int{consent.OutcomeHard: 19}, 19, "", nil},
		"twenty hard bounces of 400":    {map[string]int{consent.OutcomeHard: 20}, 400, "20 of 400 messages sent in a day came back for good", []int{401}},
		"twenty hard bounces of 401":    {map[string]int{consent.OutcomeHard: 20}, 401, "", []int{401}},
		"soft bounces count for nobody": {map[string]int{consent.OutcomeSoft: 400}, 400, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			store := &backs{outcomes: test.outcomes, sent: test.sent}
			got, err := o.reg.Inbox(store).TooMany(t.Context(), "mail")
			must(t, err)
			if diff := cmp.Diff([]any{test.want, test.counted}, []any{got, store.counted}); diff != "" {
				t.Error(diff)
			}
		})
	}
}
