package render

import "github.com/belfry-news/belfry/sdk"

// Bound says what a rendered piece may measure.
type Bound struct {
	Markup Markup
	Unit   sdk.Unit
	// Max is the most that a piece may measure, in Unit; 0 means that there is no limit.
	Max int
	// First is the most for the first piece where it differs (a caption); 0 means Max.
	First int
	// Visible says that what counts is the text that remains when the markup is parsed, as Telegram measures it, and not
	// the rendered text.
	Visible bool
}

// limit gives what the piece with the given index may measure; 0 means that there is no limit.
func (b Bound) limit(piece int) int {
	const huge = 1 << 30 // more than any Body renders to
	if piece == 0 && b.First > 0 {
		return min(b.First, huge)
	}
	return min(max(b.Max, 0), huge)
}

// Measure gives what a body measures.
func Measure(b sdk.Body, bound Bound) int { return bound.measure(normalize(b)) }

func (b Bound) measure(blocks []block) int {
	return Count(string(appendMarkup(nil, blocks, b.Markup, b.Visible)), b.Unit)
}

// fits reports whether blocks measure at most limit and may be a Body.
func (b Bound) fits(blocks []block, limit int) bool {
	if limit <= 0 {
		return valid(blocks)
	}
	// What is certainly too long need not be rendered. Twice the limit, since an address may be shown shorter than its label.
	long := false
	each(blocks, func(bl *block) { long = long || exceeds(bl.text.text, b.Unit, 2*limit) })
	return !long && valid(blocks) && b.measure(blocks) <= limit
}

// lastThat gives the largest n up to limit for which f holds, where f holds for all smaller ones; 0 counts as holding. It
// looks near the beginning first, since what fits is often a small part.
func lastThat(limit int, f func(n int) bool) int {
	low, high := 0, 1
	for high <= limit && f(high) {
		low, high = high, high*2
	}
	high = min(high, limit+1)
	for low+1 < high {
		if mid := (low + high) / 2; f(mid) {
			low = mid
		} else {
			high = mid
		}
	}
	return low
}
