// Package palette holds the colours and the type that all pages have. Its one promise: a page of Belfry looks like the others,
// and a colour is changed in one place.
package palette

import _ "embed"

//go:embed palette.css
var css string

// CSS gives what a page's own stylesheet begins with.
func CSS() string { return css }
