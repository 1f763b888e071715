// Package deptest holds the rules of who may import whom, as a test.
package deptest
