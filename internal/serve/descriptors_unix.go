//go:build unix

package serve

import "golang.org/x/sys/unix"

// affordable is how many of so many connections the process may hold: at most half of its descriptors, since the store, the
// feeds and the platforms need some, too.
func affordable(conns int) int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil || limit.Cur/2 >= uint64(conns) {
		return conns
	}
	return max(1, int(limit.Cur/2))
}
