package bundle

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"

	"github.com/klauspost/compress/zstd"
)

// Belfry is the path of the module that the SDK is part of.
const Belfry = "github.com/belfry-news/belfry"

// Unreleased is the version that the SDK has in a bundle.
const Unreleased = "v0.0.0"

// Place is where a build puts the bundle, in the repository.
const Place = "internal/scaffold/sdk/sdk.tar.zst"

const (
	indexName = "modules.json"
	// windowSize is how far back the compression looks, in bytes.
	windowSize = 8 << 20
	// mostUnpacked bounds what a bundle unpacks to, in bytes: it is part of this program, and a broken one must not fill a disk.
	mostUnpacked = 256 << 20
)

// Module is one module of a bundle.
type Module struct {
	// Path and Version are as in a go.mod; Go is the version of the language that it is written in.
	Path    string `json:"path"`
	Version string `json:"version"`
	Go      string `json:"go"`
}

var release = regexp.MustCompile(`^v(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)(-[0-9A-Za-z.-]+)?$`)

// IsRelease says whether a text is a version of a module, such as v1.2.3.
func IsRelease(version string) bool { return release.MatchString(version) }

// Bundle says what a bundle holds.
type Bundle struct {
	Modules []Module `json:"modules"`
}

// Unpack writes the modules of a bundle into a folder, each into one of its own that is named by its path.
func Unpack(packed []byte, dir string) (*Bundle, error) {
	z, err := zstd.NewReader(bytes.NewReader(packed), zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(windowSize), zstd.WithDecoderMaxMemory(mostUnpacked))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	var b *Bundle
	for t := tar.NewReader(io.LimitReader(z, mostUnpacked)); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, broken(err)
		}
		if h.Name == indexName {
			b = new(Bundle)
			if err := json.NewDecoder(t).Decode(b); err != nil {
				return nil, broken(err)
			}
			continue
		}
		if !filepath.IsLocal(h.Name) {
			return nil, broken(fmt.Errorf("it holds a file of the name %q", h.Name))
		}
		content, err := io.ReadAll(t)
		if err != nil {
			return nil, broken(err)
		}
		if err := writeFile(filepath.Join(dir, filepath.FromSlash(h.Name)), content); err != nil {
			return nil, err
		}
	}
	if b == nil || len(b.Modules) == 0 {
		return nil, broken(errors.New("it names no module"))
	}
	return b, nil
}

func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // sources, for whoever may see the project
		return err
	}
	return os.WriteFile(path, content, 0o644) //nolint:gosec // see above
}

func broken(err error) error {
	return fmt.Errorf("the sources of the SDK in this program cannot be read: %w", err)
}
