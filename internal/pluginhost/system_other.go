//go:build !linux && !darwin

package pluginhost

import "syscall"

// processAttributes has nothing to ask for.
func processAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{} }

// limitProcess leaves the limit to the process itself.
func limitProcess(int, int64) {}
