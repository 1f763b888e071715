//go:build !race

package consent_test

// brokenSize is how large the broken file is.
const brokenSize = 10 << 20
