// Package operations holds docs/operations to what it says: its samples run in front of, around and inside the programs
// they are for. It holds tests only.
package operations
