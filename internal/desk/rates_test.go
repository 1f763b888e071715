package desk_test

import (
	"context"
	"testing"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/sdk"
)

// What is told of a destination are the admin's own rates, where there are any, and the platform's otherwise: they hold there
// even when nobody keeps to them.
func TestCheckTellsTheRates(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rates configs.Rates
		want  string
	}{
		"of the platform": {configs.Rates{}, "20 in 1m in all"},
		"of the admin":    {configs.Rates{Given: []configs.Rate{{Events: 3, Per: sdk.D(10 * time.Second), Scope: "channel"}}}, "3 in 10s in each channel"},
		"not kept to":     {configs.Rates{Off: true}, "20 in 1m in all"},
	} {
		d, n := newDesk(t)
		dest := d.Config.Destinations["wire"]
		dest.Rates = c.rates
		d.Config.Destinations["wire"] = dest
		checked, err := d.Check(t.Context(), "wire", func(context.Context, string) (sdk.Connector, bool, error) { return n.Platform, false, nil })
		if err != nil || len(checked.Chats) != 1 {
			t.Fatal(err)
		}
		got := ""
		for _, r := range checked.Chats[0].Limits.Rates {
			got += r.String()
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
