// Package filetree tells whether a program is still the one that somebody looked at. It reads a file, or a folder with
// everything in it, and says what another reading has that the first had not.
package filetree

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// What a tree may hold. A program that is larger is refused, because it is read whole before each of its starts.
const (
	MaxEntries = 20_000
	MaxBytes   = 1 << 30
)

// Entry is a file, a folder or a link.
type Entry struct {
	// Path is relative to the root, with slashes; "." is the root.
	Path string `json:"path"`
	// Mode are the type and the rights, as ls shows them.
	Mode string `json:"mode"`
	// SHA256 of a file's content, in hexadecimal digits.
	SHA256 string `json:"sha256,omitempty"`
	// Link is what a link points at, as it is written.
	Link string `json:"link,omitempty"`
}

// Tree is what lies at a path, sorted by path; a single file is a tree of one entry.
type Tree []Entry

// Read reads the file or folder at root, which must be no link. Everything in it must belong to root or to the user who
// asks, and be closed to changes by others (SafeFrom). Links are kept as they are; one that leads out of the tree is an
// error, unless it leads to what the system itself brings (SystemFolder). The error is a sentence that names the file.
func Read(root string) (Tree, error) {
	root = filepath.Clean(root)
	var tree Tree
	var bytes int64
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w", path, Cause(err))
		}
		info, err := d.Info()
		if err != nil {
			return fmt.Errorf("%s cannot be looked at: %w", path, Cause(err))
		}
		if len(tree) == MaxEntries {
			return fmt.Errorf("%s holds more than %d files", root, MaxEntries)
		}
		if info.Mode().IsRegular() {
			if bytes += info.Size(); bytes > MaxBytes {
				return fmt.Errorf("%s holds more than %d MiB", root, MaxBytes>>20)
			}
		}
		e, err := read(root, path, info)
		tree = append(tree, e)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(tree, func(a, b Entry) int { return strings.Compare(a.Path, b.Path) })
	return tree, nil
}

func read(root, path string, info fs.FileInfo) (Entry, error) {
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{Path: filepath.ToSlash(rel), Mode: info.Mode().String()}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		e.Mode = "link" // its rights mean nothing
		e.Link, err = inside(root, path)
		return e, err
	case info.Mode().IsRegular():
		e.SHA256, err = Digest(path)
	case !info.IsDir():
		err = fmt.Errorf("%s is neither a file nor a folder nor a link (%s)", path, info.Mode())
	}
	if err == nil {
		err = SafeFrom(path, info)
	}
	return e, err
}

// inside gives the target of a link, which must lie below root or belong to the system.
func inside(root, path string) (string, error) {
	link, err := os.Readlink(path)
	if err != nil {
		return "", fmt.Errorf("the link %s cannot be read: %w", path, Cause(err))
	}
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("the link %s leads to nothing: %w", path, Cause(err))
	}
	top, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", fmt.Errorf("%s cannot be found: %w", root, Cause(err))
	}
	if Below(target, top) || Below(target, SystemFolder) {
		return link, nil
	}
	return "", fmt.Errorf("the link %s leads out of %s, to %s; put a copy in its place", path, root, target)
}

// SystemFolder is what the operating system brings, and what links may lead to.
const SystemFolder = "/usr"

// Below reports whether a path is a folder or lies in it. Both are absolute and clean.
func Below(path, folder string) bool {
	rel, err := filepath.Rel(folder, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// Sum stands for the whole tree: of a single file its content's SHA-256, of a folder that of its entries' paths, rights,
// contents and links. In hexadecimal digits.
func (t Tree) Sum() string {
	if len(t) == 1 && t[0].SHA256 != "" {
		return t[0].SHA256
	}
	h := sha256.New()
	for _, e := range t {
		fmt.Fprintf(h, "%q %s %s %q\n", e.Path, e.Mode, e.SHA256, e.Link)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Changes says what is has that was had not, one sentence's part for each: "main.py is another file".
func Changes(was, is Tree) []string {
	before := make(map[string]Entry, len(was))
	for _, e := range was {
		before[e.Path] = e
	}
	var out []string
	for _, e := range is {
		old, known := before[e.Path]
		delete(before, e.Path)
		name := e.Path
		if name == "." {
			name = "it"
		}
		switch {
		case !known:
			out = append(out, name+" is new")
		case old.Mode != e.Mode:
			out = append(out, fmt.Sprintf("%s has other rights (%s, and had %s)", name, e.Mode, old.Mode))
		case old.SHA256 != e.SHA256:
			out = append(out, name+" is another file")
		case old.Link != e.Link:
			out = append(out, fmt.Sprintf("%s is a link to %s, and was one to %s", name, e.Link, old.Link))
		}
	}
	for _, e := range was {
		if _, gone := before[e.Path]; gone {
			out = append(out, e.Path+" is gone")
		}
	}
	return out
}

// Digest is the SHA-256 of a file's content, in hexadecimal digits.
func Digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", path, Cause(err))
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", path, Cause(err))
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// Cause takes the path out of a file error whose sentence names it already.
func Cause(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	return err
}
