package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// sample holds the values of several runs, in their order.
type sample []float64

func (s sample) sorted() sample {
	out := slices.Clone(s)
	slices.Sort(out)
	return out
}

// median is the middle value, or the mean of the two in the middle; NaN without values.
func (s sample) median() float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	x := s.sorted()
	half := len(x) / 2
	if len(x)%2 == 1 {
		return x[half]
	}
	return (x[half-1] + x[half]) / 2
}

// percentile is the smallest value that p per cent of the values do not exceed (nearest rank); NaN without values.
func (s sample) percentile(p float64) float64 {
	if len(s) == 0 {
		return math.NaN()
	}
	rank := int(math.Ceil(p / 100 * float64(len(s))))
	return s.sorted()[min(max(rank, 1), len(s))-1]
}

// spread is "median [min .. max]".
func (s sample) spread() string {
	if len(s) == 0 {
		return "not measured"
	}
	if lo, hi := slices.Min(s), slices.Max(s); lo != hi {
		return fmt.Sprintf("%s [%s .. %s]", figure(s.median()), figure(lo), figure(hi))
	}
	return figure(s.median())
}

// ratio compares values that were measured in turn: the median of the ratios of the pairs. Where one side has more
// values, it is the ratio of the medians.
func ratio(a, b sample) float64 {
	if len(a) != len(b) {
		return a.median() / b.median()
	}
	pairs := make(sample, len(a))
	for i := range a {
		pairs[i] = a[i] / b[i]
	}
	return pairs.median()
}

// figure writes a value with as many digits as it deserves.
func figure(v float64) string {
	switch size := math.Abs(v); {
	case math.IsNaN(v), math.IsInf(v, 0):
		return "–"
	case v == math.Trunc(v) && size < 100:
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size < 1:
		return strconv.FormatFloat(v, 'f', 3, 64)
	case size < 10:
		return strconv.FormatFloat(v, 'f', 2, 64)
	case size < 100:
		return strconv.FormatFloat(v, 'f', 1, 64)
	}
	return thousands(strconv.FormatFloat(v, 'f', 0, 64))
}

func thousands(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}
