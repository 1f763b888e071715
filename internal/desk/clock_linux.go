package desk

import "golang.org/x/sys/unix"

// clockFree says that the kernel's clock is not kept right by anything (adjtimex(2), TIME_ERROR).
func clockFree() bool {
	state, err := unix.Adjtimex(&unix.Timex{})
	return err == nil && state == unix.TIME_ERROR
}
