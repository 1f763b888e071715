//go:build race

package direct_test

// The race detector makes a history some ten times as slow, and there is nothing in it to race.
const detector = true
