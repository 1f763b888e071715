package pluginhost

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/belfry-news/belfry/internal/filetree"
)

// Verify checks, without starting anything, what is checked before a process of a third party is started: the file and
// what belongs to it, who may change them, and their checksum. A checksum that is another one is a *DigestError.
func Verify(c Command) error {
	_, err := verify(c)
	return err
}

// DigestError says that a file is not the one that the configuration names.
type DigestError struct{ Path, Got string }

// Error says what the digest is.
func (e *DigestError) Error() string {
	return fmt.Sprintf("%s has the SHA-256 %s and not the one in the configuration; if you updated it, write the new one there", e.Path, e.Got)
}

// verify does what locate and compare do.
func verify(c Command) (Command, error) {
	c, err := locate(c)
	if err != nil {
		return c, err
	}
	return c, compare(c)
}

// locate checks a foreign executable: that it is a file which only root or the daemon's own user can change, in folders for
// which the same holds. It gives the command with every link followed. The check is as good as the folders are: the file is
// started by its path afterwards.
func locate(c Command) (Command, error) {
	if !c.Foreign {
		return c, nil
	}
	if !filepath.IsAbs(c.Path) {
		return c, fmt.Errorf("the path %q is not absolute; write it from the root on", c.Path)
	}
	path, err := filetree.Program(c.Path)
	if err != nil {
		return c, err
	}
	c.Path = path
	if c.Folder == "" {
		c.Folder = path
	} else if c.Folder, err = filepath.EvalSymlinks(c.Folder); err != nil {
		return c, fmt.Errorf("the folder of %s cannot be found: %w", path, filetree.Cause(err))
	}
	c.SHA256 = strings.ToLower(strings.TrimSpace(c.SHA256))
	return c, nil
}

// compare checks that a foreign executable, or the folder it belongs to, has the expected checksum, and says what changed if
// it has not. The command was located.
func compare(c Command) error {
	if !c.Foreign || c.SHA256 == "" {
		return nil
	}
	tree, err := filetree.Read(c.Folder)
	if err != nil {
		return err
	}
	got := tree.Sum()
	if got == c.SHA256 {
		return nil
	}
	if c.Explain != nil {
		if err := c.Explain(tree); err != nil {
			return err
		}
	}
	return &DigestError{Path: c.Folder, Got: got}
}
