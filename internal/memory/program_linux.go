package memory

import (
	"bufio"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// unmapProgram lets go of the pages of the program's own file. Starting touches nearly all of them, and a daemon that waits
// needs few. They stay in the system's cache of files, where they are the first to go when memory is short, and those that
// are needed are mapped again when they are touched (madvise(2), MADV_DONTNEED).
func unmapProgram() {
	file, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	for _, m := range unwritten(bufio.NewScanner(maps), file) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED) // what fails stays as it was
	}
}

type mapping struct{ from, to uintptr }

// unwritten finds the mappings of a file that cannot be written to and hold nothing but the file: what relocation or a
// debugger has changed is in the process alone, and would be lost.
func unwritten(smaps *bufio.Scanner, file string) []mapping {
	var out []mapping
	var m mapping
	ours := false
	for smaps.Scan() {
		line := smaps.Text()
		f := strings.Fields(line)
		if from, to, span := strings.Cut(f[0], "-"); span && len(f) >= 5 {
			a, errA := strconv.ParseUint(from, 16, 64)
			b, errB := strconv.ParseUint(to, 16, 64)
			m = mapping{uintptr(a), uintptr(b)}
			ours = errA == nil && errB == nil && strings.HasPrefix(f[1], "r-") && strings.HasSuffix(line, " "+file)
			continue
		}
		if ours && f[0] == "Anonymous:" && f[1] == "0" {
			out = append(out, m)
		}
	}
	return out
}
