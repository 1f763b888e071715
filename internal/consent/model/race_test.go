//go:build race

package model

// The race detector makes an exploration some ten times as slow, and there is nothing in it to race.
const detector = true
