//go:build !race

package main

import "path/filepath"

// scripts are all of them.
func scripts() []string {
	files, _ := filepath.Glob("testdata/script/*.txtar") // no file is a failure, and the pattern is whole
	return files
}
