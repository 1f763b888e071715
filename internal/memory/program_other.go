//go:build !linux

package memory

// unmapProgram does nothing: only Linux tells which pages of the program are its file's.
func unmapProgram() {}
