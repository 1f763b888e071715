//go:build race

package consent_test

// brokenSize is smaller under the race detector, which makes parsing fifty times slower.
const brokenSize = 1 << 20
