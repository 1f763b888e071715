package pluginhost

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// usage reads what a process takes: its processor time with that of the children it waited for, and its memory in bytes as
// far as it lies in RAM. Both are 0 once it is gone.
func usage(pid string) (cpu time.Duration, resident int64) {
	stat, err := os.ReadFile(filepath.Join("/proc", pid, "stat"))
	if err != nil {
		return 0, 0
	}
	// The fields follow the name in brackets, which may hold anything; the first of them is number 3 of proc_pid_stat(5).
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	number := func(field int) int64 {
		if field-3 >= len(fields) {
			return 0
		}
		n, _ := strconv.ParseInt(string(fields[field-3]), 10, 64)
		return n
	}
	const tick = 10 * time.Millisecond // Linux tells it in hundredths of a second, whatever its own clock is
	ticks := number(14) + number(15) + number(16) + number(17)
	return time.Duration(ticks) * tick, number(24) * int64(os.Getpagesize())
}
