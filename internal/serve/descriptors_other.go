//go:build !unix

package serve

// affordable is how many of so many connections the process may hold.
func affordable(conns int) int { return conns }
