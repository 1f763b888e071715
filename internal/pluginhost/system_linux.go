package pluginhost

import "golang.org/x/sys/unix"

// limitProcess bounds the data segment of a process that may not do so itself.
func limitProcess(pid int, bytes int64) {
	limit := unix.Rlimit{Cur: uint64(bytes), Max: uint64(bytes)}
	// It fails when the process has ended already, or has bounded itself.
	_ = unix.Prlimit(pid, unix.RLIMIT_DATA, &limit, nil)
}
