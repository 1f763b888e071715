package pluginhost

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Verify checks, without starting anything, what is checked before a process of a third party is started: the file, who
// may change it, and its digest. A digest that is another one is a *DigestError.
func Verify(c Command) error { return verify(c) }

// DigestError says that a file is not the one that the configuration names.
type DigestError struct{ Path, Got string }

// Error says what the digest is.
func (e *DigestError) Error() string {
	return fmt.Sprintf("%s has the SHA-256 %s and not the one in the configuration; if you updated it, write the new one there", e.Path, e.Got)
}

// verify checks a foreign executable: that it is a file which only root or the daemon's own user can change, in folders
// for which the same holds, and that it has the digest the configuration names. The check is as good as the folders are:
// the file is started by its path afterwards.
func verify(c Command) error {
	if !c.Foreign {
		return nil
	}
	if !filepath.IsAbs(c.Path) {
		return fmt.Errorf("the path %q is not absolute; write it from the root on", c.Path)
	}
	path, err := filepath.EvalSymlinks(c.Path)
	if err != nil {
		return fmt.Errorf("%s cannot be found: %w", c.Path, pathCause(err))
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%s cannot be looked at: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", path)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o111 == 0 {
		return fmt.Errorf("%s is no program: nobody may execute it; chmod 755 %s", path, path)
	}
	if err := safeFrom(path, info); err != nil {
		return err
	}
	for dir, last := filepath.Dir(path), ""; dir != last; dir, last = filepath.Dir(dir), dir {
		info, err := os.Stat(dir)
		if err != nil {
			return fmt.Errorf("%s cannot be looked at: %w", dir, err)
		}
		if err := safeFrom(dir, info); err != nil {
			return err
		}
	}
	if c.SHA256 == "" {
		return nil
	}
	got, err := Digest(path)
	if err != nil {
		return err
	}
	if !strings.EqualFold(got, strings.TrimSpace(c.SHA256)) {
		return &DigestError{Path: path, Got: got}
	}
	return nil
}

// Digest is the SHA-256 of a program, in hexadecimal digits, as Command.SHA256 takes it.
func Digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", path, err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// pathCause takes the path out of a file error whose sentence names it already.
func pathCause(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}
