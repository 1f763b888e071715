package conformance

import (
	"context"

	"github.com/belfry-news/belfry/sdk"
	"github.com/google/go-cmp/cmp"
)

// CheckerOptions are what the suite Checker needs.
type CheckerOptions struct {
	Options
	// There and Gone are items that are still published and items whose address says that they are withdrawn.
	There, Gone []sdk.ItemRef
}

// Checker checks a connector that looks whether items are still there.
func Checker(o CheckerOptions) []Check {
	all := append(append([]sdk.ItemRef(nil), o.There...), o.Gone...)
	// A checker that is given up has no evidence: either it says so item by item, or it fails.
	ask := func(_ *Probe, c sdk.Checker) func(ctx context.Context) error {
		return func(ctx context.Context) error {
			got, err := c.CheckItems(ctx, all)
			if err == nil && allUnknown(got, len(all)) {
				err = sdk.Errorf(sdk.CodeUnavailable, "check", "no evidence")
			}
			return err
		}
	}
	checks := []Check{
		{"what is there and what is gone", func(tb T) {
			p := NewProbe(tb, o.Options)
			got, err := Open[sdk.Checker](p).CheckItems(p.Ctx(), all)
			if err != nil {
				p.Fails("CheckItems", err)
				p.Fatalf("CheckItems: %v", err)
			}
			if len(got) != len(all) {
				p.Fatalf("CheckItems gave %d presences for %d items", len(got), len(all))
			}
			for i, ref := range all {
				want := sdk.PresenceThere
				if i >= len(o.There) {
					want = sdk.PresenceGone
				}
				if got[i].State != want {
					p.Errorf("item %q is %q (%s), want %q", ref.Key, got[i].State, got[i].Reason, want)
				}
				if got[i].State == sdk.PresenceGone && got[i].Reason == "" {
					p.Errorf("item %q is gone without a reason", ref.Key)
				}
			}
		}},
		{"the order of the answers", func(tb T) {
			p := NewProbe(tb, o.Options)
			c := Open[sdk.Checker](p)
			back := make([]sdk.ItemRef, len(all))
			for i := range all {
				back[len(all)-1-i] = all[i]
			}
			forth, err1 := c.CheckItems(p.Ctx(), all)
			turned, err2 := c.CheckItems(p.Ctx(), back)
			if err1 != nil || err2 != nil || len(forth) != len(turned) {
				p.Fatalf("CheckItems: %d presences, %v; turned around %d, %v", len(forth), err1, len(turned), err2)
			}
			for i := range forth {
				if diff := cmp.Diff(forth[i].State, turned[len(forth)-1-i].State); diff != "" {
					p.Errorf("item %q in another order is something else:\n%s", all[i].Key, diff)
				}
			}
		}},
		{"no item at all", func(tb T) {
			p := NewProbe(tb, o.Options)
			if got, err := Open[sdk.Checker](p).CheckItems(p.Ctx(), nil); err != nil || len(got) != 0 {
				p.Errorf("CheckItems of nothing gave %d presences, %v", len(got), err)
			}
		}},
		{"an item that cannot be looked at", func(tb T) {
			p := NewProbe(tb, o.Options)
			got, err := Open[sdk.Checker](p).CheckItems(p.Ctx(), []sdk.ItemRef{{Key: "no-such-item", URL: "::not an address"}})
			if err != nil {
				p.Fails("CheckItems", err)
			} else if len(got) != 1 {
				p.Errorf("CheckItems gave %d presences for one item", len(got))
			}
		}},
	}
	return append(checks, Conduct(o.Options, "CheckItems", ask)...)
}

func allUnknown(got []sdk.Presence, n int) bool {
	for _, p := range got {
		if p.State != sdk.PresenceUnknown {
			return false
		}
	}
	return len(got) == n
}
