//go:build !race

package direct_test

const detector = false
