//go:build !linux

package pluginhost

import "time"

// usage is not known while a process runs.
func usage(string) (cpu time.Duration, resident int64) { return 0, 0 }
