package filetree

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// Executable reports why what lies at a path cannot be started, and what mends it.
func Executable(path string) error {
	_, err := executable(path)
	return err
}

func executable(path string) (fs.FileInfo, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s cannot be looked at: %w", path, Cause(err))
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no file", path)
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o111 == 0:
		return nil, fmt.Errorf("%s is no program: nobody may execute it; chmod 755 %s", path, path)
	}
	return info, nil
}

// Program follows every link to a program, and reports why it cannot be started, or who besides root and the user of this
// process could put another one in its place.
func Program(path string) (string, error) {
	target, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", fmt.Errorf("%s cannot be found: %w", path, Cause(err))
	}
	info, err := executable(target)
	if err != nil {
		return "", err
	}
	if err := SafeFrom(target, info); err != nil {
		return "", err
	}
	return target, SafeFolders(filepath.Dir(target))
}
