// Package examplepython holds the example in Python: a source, a connector with its strict fake, and what a plugin in Python
// needs besides. Its one promise: belfry plugin new --lang python writes these very files, with another name in them.
package examplepython

import (
	"embed"
	"io/fs"
)

//go:embed *.py *.test.yaml belfry
var files embed.FS

// Files are the example's.
func Files() fs.FS { return files }
