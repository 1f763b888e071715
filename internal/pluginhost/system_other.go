//go:build !linux

package pluginhost

// killStrays knows of no processes outside the group.
func killStrays(string) {}

// EndStrays knows of none.
func EndStrays(string) bool { return false }

// marked knows of none either.
func marked(string) []int { return nil }

// limitProcess leaves the limit to the process itself.
func limitProcess(int, int64) {}
