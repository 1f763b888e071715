//go:build !linux

package desk

func clockFree() bool { return false }
