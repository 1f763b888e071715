package media

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Files is the folder of the stored images.
type Files struct {
	dir string
	mu  sync.Mutex // a file that is asked for is not swept away at the same moment
}

// NewFiles uses a folder, which is made when it does not exist.
func NewFiles(dir string) (*Files, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the folder of the images cannot be made: %w", err)
	}
	return &Files{dir: dir}, nil
}

// Put stores a picture and gives its identity. It is on the disk when Put returns.
func (f *Files) Put(p Picture) (sdk.File, error) {
	sum := sha256.Sum256(p.Data)
	id := hex.EncodeToString(sum[:])
	name := id + p.Ext
	if err := f.write(name, p.Data); err != nil {
		return sdk.File{}, err
	}
	if p.Small != nil {
		if err := f.write(SmallName(name), p.Small); err != nil {
			return sdk.File{}, err
		}
	}
	return sdk.File{SHA256: id, Name: name, Type: p.Type, Size: int64(len(p.Data)), Width: p.Width, Height: p.Height}, nil
}

// SmallName names the small variant of a stored file.
func SmallName(name string) string {
	ext := filepath.Ext(name)
	return strings.TrimSuffix(name, ext) + "-small" + ext
}

var validName = regexp.MustCompile(`^([0-9a-f]{64})(-small)?\.(jpg|png)$`)

// ID gives the identity that a file's name carries; false when it is no name of a stored file.
func ID(name string) (string, bool) {
	m := validName.FindStringSubmatch(name)
	if m == nil {
		return "", false
	}
	return m[1], true
}

func (f *Files) path(name string) string { return filepath.Join(f.dir, name[:2], name) }

// write makes a file whole or not at all.
func (f *Files) write(name string, data []byte) error {
	path := f.path(name)
	if f.touch(path) {
		return nil // the same content has the same name
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // does nothing once it is renamed
	_, err = tmp.Write(data)
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

// touch makes a file one that was asked for now, which Sweep leaves alone; false when there is none.
func (f *Files) touch(path string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	return os.Chtimes(path, now, now) == nil
}

// Open opens a stored file by its name; fs.ErrNotExist when there is none.
func (f *Files) Open(name string) (*os.File, error) {
	if _, ok := ID(name); !ok {
		return nil, fs.ErrNotExist
	}
	return os.Open(f.path(name))
}

// Read gives the content of a stored file.
func (f *Files) Read(name string) ([]byte, error) {
	if _, ok := ID(name); !ok {
		return nil, fs.ErrNotExist
	}
	return os.ReadFile(f.path(name))
}

// Remove deletes a stored file and its variant. Missing ones are no error.
func (f *Files) Remove(name string) error {
	if _, ok := ID(name); !ok {
		return nil
	}
	var errs []error
	for _, n := range []string{name, SmallName(name)} {
		if err := os.Remove(f.path(n)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
