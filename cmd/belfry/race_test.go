//go:build race

package main

// scripts are those in which a daemon does most of what it can do: each process takes long under the race detector, and what
// a command does by itself it does in one thread.
func scripts() []string {
	return []string{"testdata/script/life.txtar", "testdata/script/people.txtar", "testdata/script/message.txtar", "testdata/script/upkeep.txtar"}
}
