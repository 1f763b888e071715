// Package operations holds pages to what they say: the samples of docs/operations run in front of, around and inside the
// programs they are for, and the commands of docs/operations.md and docs/plugin-tutorial.md are run as they stand. It holds
// tests only.
package operations
