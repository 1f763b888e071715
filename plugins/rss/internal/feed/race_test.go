//go:build race

package feed

// raceEnabled says that the race detector multiplies memory.
const raceEnabled = true
