package pluginhost

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/belfry-news/belfry/internal/filetree"
	"github.com/belfry-news/belfry/internal/sandbox"
)

const (
	// dirPrefix and four more characters name the folder of a host; each has its own for as long as it runs. The name is
	// short because the path of a socket must be.
	dirPrefix = sandbox.FolderPrefix
	// lockName is the file inside that its host keeps locked.
	lockName = sandbox.FolderLock
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
		err = filetree.SafeFrom(parent, info)
	}
	if err != nil {
		return nil, fmt.Errorf("the folder for the sockets of plugins cannot be used: %w", err)
	}
	wipe(parent)
	// go-plugin adds two names, each with a random number of up to ten digits.
	if n := len(filepath.Join(parent, dirPrefix+"xxxx", "plugin-dir4294967295", "plugin4294967295")); n > maxSocket {
		return nil, fmt.Errorf("the folder %s is too deep for sockets: their paths would have %d bytes, and %d are possible; choose "+
			"a run folder with a shorter path", parent, n, maxSocket)
	}
	path, err := makePrivate(parent)
	if err != nil {
		return nil, fmt.Errorf("the folder for the sockets of plugins cannot be made: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("the folder for the sockets of plugins cannot be used: %w", err)
	}
	lockFile(lock)
	return &runDir{path: path, lock: lock}, nil
}

// makePrivate makes a folder of a name that nobody has.
func makePrivate(parent string) (string, error) {
	for {
		path := filepath.Join(parent, dirPrefix+rand.Text()[:4])
		if err := os.Mkdir(path, 0o700); !errors.Is(err, fs.ErrExist) {
			return path, err
		}
	}
}

// wipe removes the folders of hosts that no longer run, and ends what is left of their plugins.
func wipe(parent string) {
	// One that is being made has no lock yet.
	locks, err := filepath.Glob(filepath.Join(parent, dirPrefix+"????", lockName))
	if err != nil {
		return
	}
	for _, path := range locks {
		lock, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // in a folder that nobody else may change
		if err != nil {
			continue
		}
		if lockFile(lock) {
			sandbox.EndStrays(filepath.Dir(path)) // what its plugins had started outlives a host that was killed
			_ = os.RemoveAll(filepath.Dir(path))  //nolint:gosec // see above
		}
		_ = lock.Close()
	}
}

func (d *runDir) remove() {
	_ = os.RemoveAll(d.path)
	_ = d.lock.Close()
}
