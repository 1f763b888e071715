//go:build !linux && !darwin

package pluginhost

import "syscall"

// processAttributes has nothing to ask for.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// killStrays knows of no processes outside the group.
func killStrays(string) {}

// EndStrays knows of none.
func EndStrays(string) bool { return false }

// marked knows of none either.
func marked(string) []int { return nil }

// limitProcess leaves the limit to the process itself.
func limitProcess(int, int64) {}
