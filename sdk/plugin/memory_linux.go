package plugin

import (
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// setMemoryLimit bounds the data segment. RLIMIT_AS would count what Go only reserves, and ends a program at its start.
func setMemoryLimit(limit int64) error {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(limit / 4 * 3)
	}
	return unix.Setrlimit(unix.RLIMIT_DATA, &unix.Rlimit{Cur: uint64(limit), Max: uint64(limit)})
}
