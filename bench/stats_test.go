package main

import (
	"math"
	"testing"
)

func TestMedianAndPercentile(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		values      sample
		median, p99 float64
		text        string
	}{
		"one value":              {sample{7}, 7, 7, "7"},
		"odd, out of order":      {sample{9, 1, 5}, 5, 9, "5 [1 .. 9]"},
		"even takes the mean":    {sample{4, 1, 2, 3}, 2.5, 4, "2.50 [1 .. 4]"},
		"all the same":           {sample{0.25, 0.25}, 0.25, 0.25, "0.250"},
		"thousands are readable": {sample{1234567, 999.6}, 617783.3, 1234567, "617,783 [1,000 .. 1,234,567]"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before := append(sample(nil), test.values...)
			if got := test.values.median(); got != test.median {
				t.Errorf("median %v, want %v", got, test.median)
			}
			if got := test.values.percentile(99); got != test.p99 {
				t.Errorf("p99 %v, want %v", got, test.p99)
			}
			if got := test.values.spread(); got != test.text {
				t.Errorf("spread %q, want %q", got, test.text)
			}
			for i := range before {
				if before[i] != test.values[i] {
					t.Fatalf("the values were put in another order: %v", test.values)
				}
			}
		})
	}
	var hundred sample
	for i := range 100 {
		hundred = append(hundred, float64(100-i))
	}
	for p, want := range map[float64]float64{0: 1, 1: 1, 50: 50, 99: 99, 99.5: 100, 100: 100} {
		if got := hundred.percentile(p); got != want {
			t.Errorf("percentile %v of 1 to 100 is %v, want %v", p, got, want)
		}
	}
	if got := (sample{}).median(); !math.IsNaN(got) {
		t.Errorf("the median of nothing is %v", got)
	}
}

func TestRatioIsOfPairs(t *testing.T) {
	t.Parallel()
	// The second run was disturbed on both sides: the pairs do not mind.
	if got := ratio(sample{100, 10, 120}, sample{200, 20, 240}); got != 0.5 {
		t.Errorf("ratio of pairs %v, want 0.5", got)
	}
	if got := ratio(sample{100, 300, 200}, sample{50}); got != 4 {
		t.Errorf("ratio of medians %v, want 4", got)
	}
	if got := figure(ratio(sample{0.2}, sample{0})); got != "–" {
		t.Errorf("beside nothing the ratio is %q", got)
	}
}
