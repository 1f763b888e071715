package demo

import (
	"testing"
	"time"
)

func TestActArrives(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 7, 0, 0, 0, time.UTC)
	before, after := at.Add(-time.Second), at.Add(time.Second)
	for _, tc := range []struct {
		name string
		kind Kind
		has  shown
		want time.Time
	}{
		{"not there", KindNew, shown{}, time.Time{}},
		{"posted", KindNew, shown{At: after}, after},
		{"posted, not corrected", KindCorrected, shown{At: after}, time.Time{}},
		{"corrected", KindCorrected, shown{At: before, Edited: after}, after},
		{"an earlier correction", KindCorrected, shown{At: before, Edited: before}, time.Time{}},
		{"posted, not withdrawn", KindWithdrawn, shown{At: before, Edited: after}, time.Time{}},
		{"withdrawn", KindWithdrawn, shown{At: before, Gone: after}, after},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := (Act{Kind: tc.kind, At: at}).when(tc.has); !got.Equal(tc.want) {
				t.Errorf("at %v, want %v", got, tc.want)
			}
		})
	}
}

func TestActOnPage(t *testing.T) {
	t.Parallel()
	const link = "http://paper.example/newsroom/en/fog"
	page := `<a href="` + link + `">Fog</a> <p>Correction: at two, not at noon</p>`
	for _, tc := range []struct {
		name string
		act  Act
		page string
		want bool
	}{
		{"there", Act{Kind: KindNew, Link: link}, page, true},
		{"another one that begins alike", Act{Kind: KindNew, Link: link[:len(link)-1]}, page, false},
		{"corrected", Act{Kind: KindCorrected, Link: link, Article: Article{Note: "at two, not at noon"}}, page, true},
		{"not corrected yet", Act{Kind: KindCorrected, Link: link, Article: Article{Note: "at three"}}, page, false},
		{"not withdrawn yet", Act{Kind: KindWithdrawn, Link: link}, page, false},
		{"withdrawn", Act{Kind: KindWithdrawn, Link: link}, "<p>gone</p>", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := tc.act.onPage(tc.page); got != tc.want {
				t.Errorf("%v, want %v", got, tc.want)
			}
		})
	}
}
