//go:build linux && race

package pluginhost

// memoryCulprits is empty for the same reason: nothing would bound them.
func memoryCulprits() []culprit { return nil }

// testMemory is none: the race detector's own memory counts as data, and exceeds every limit that makes sense.
const testMemory = -1
