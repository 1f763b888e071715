//go:build !linux

package plugin

import "runtime/debug"

// setMemoryLimit makes the collector keep to the limit; only Linux has a hard one that suits Go.
func setMemoryLimit(limit int64) error {
	debug.SetMemoryLimit(limit / 4 * 3)
	return nil
}
