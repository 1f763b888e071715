// Package crash kills the real binary at random moments, again and again, and counts what was lost or doubled. It is all
// tests: see TestCrash.
package crash
