package pluginhost

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	// dirPrefix names the folders of hosts; each host has its own for as long as it runs.
	dirPrefix = "plugins-"
	// lockName is the file inside that its host keeps locked.
	lockName = "lock"
	// maxSocket is the longest path of a socket, in bytes, on every system.
	maxSocket = 103
)

// runDir is the private folder of one host.
type runDir struct {
	path string
	lock *os.File
}

// newRunDir makes the folder, and wipes what killed hosts left behind.
func newRunDir(parent string) (*runDir, error) {
	if parent == "" {
		return nil, fmt.Errorf("no folder for the sockets of plugins is configured")
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return nil, fmt.Errorf("the folder for the sockets of plugins cannot be made: %w", err)
	}
	info, err := os.Stat(parent)
	if err == nil {
		err = safeFrom(parent, info)
	}
	if err != nil {
		return nil, fmt.Errorf("the folder for the sockets of plugins cannot be used: %w", err)
	}
	wipe(parent)
	path, err := os.MkdirTemp(parent, dirPrefix)
	if err != nil {
		return nil, fmt.Errorf("the folder for the sockets of plugins cannot be made: %w", err)
	}
	// go-plugin adds two names, each with a random number of up to ten digits.
	if n := len(filepath.Join(path, "plugin-dir4294967295", "plugin4294967295")); n > maxSocket {
		_ = os.Remove(path)
		return nil, fmt.Errorf("the folder %s is too deep for sockets: their paths would have %d bytes, and %d are possible; choose "+
			"a run folder with a shorter path", parent, n, maxSocket)
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the folder for the sockets of plugins cannot be used: %w", err)
	}
	lockFile(lock)
	return &runDir{path: path, lock: lock}, nil
}

// wipe removes the folders of hosts that no longer run.
func wipe(parent string) {
	old, err := filepath.Glob(filepath.Join(parent, dirPrefix+"*"))
	if err != nil {
		return
	}
	for _, path := range old {
		lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_RDWR, 0)
		if err != nil {
			continue // one that is being made has no lock yet
		}
		if lockFile(lock) {
			_ = os.RemoveAll(path)
		}
		_ = lock.Close()
	}
}

func (d *runDir) remove() {
	_ = os.RemoveAll(d.path)
	_ = d.lock.Close()
}
