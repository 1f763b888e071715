package pluginhost

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

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
		return fmt.Errorf("%s cannot be found: %w", c.Path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("%s cannot be looked at: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is no file", path)
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
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", path, err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return fmt.Errorf("%s cannot be read: %w", path, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); !strings.EqualFold(got, strings.TrimSpace(c.SHA256)) {
		return fmt.Errorf("%s has the SHA-256 %s and not the one in the configuration; if you updated it, write the new one there", path, got)
	}
	return nil
}
