// Package conformance holds the suites that check a connector against the contracts of package sdk. Its one promise: a check
// says the same of a connector whether a Go test runs it (package sdktest) or `belfry plugin test` does, against a finished
// program in another process.
//
// The suites of connectors that write to people are package people, which no program of ours holds.
//
// A suite is a list of checks. A Record runs one outside a Go test and keeps what it found.
package conformance
