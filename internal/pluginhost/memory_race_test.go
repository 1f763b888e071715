//go:build linux && race

package pluginhost

// testMemory is none: the race detector's own memory counts as data, and exceeds every limit that makes sense.
const testMemory = -1
