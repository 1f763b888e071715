//go:build !unix

package sqlite

// numberOf is the number that the file system has given to a file; empty, for it cannot be told here. A log that is in use
// cannot be removed on such a system either.
func numberOf(string) string { return "" }
