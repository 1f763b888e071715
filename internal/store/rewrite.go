package store

import (
	"regexp"
	"strconv"
)

var (
	parameter = regexp.MustCompile(`\$(\d+)`)
	list      = regexp.MustCompile(`@list\(\$(\d+)\)`)
	limit     = regexp.MustCompile(`\bLIMIT \$(\d+)`)
	index     = regexp.MustCompile(`@by\((\w+)\)`)
)

// SQLite rewrites a statement: $n to ?n, which every SQLite driver binds by number, and @list($n), the values of a JSON
// array, to what SQLite calls it. A limit that is nothing but a parameter would be looked at when the statement is planned,
// and the statement be prepared anew for each value. @by(name) is the index that a table is read by, where SQLite, which
// knows nothing of what the tables hold, would choose another one.
//
// A parameter with a number is one with a name for SQLite, which the driver asks for at each execution, and which is looked
// for in a list: where the order says the same, there are no numbers.
func SQLite(text string) string {
	text = limit.ReplaceAllString(text, "LIMIT $$$1 + 0")
	text = index.ReplaceAllString(text, "INDEXED BY $1")
	text = list.ReplaceAllString(text, "(SELECT value FROM json_each($$$1))")
	if inOrder(text) {
		return parameter.ReplaceAllLiteralString(text, "?")
	}
	return parameter.ReplaceAllString(text, "?$1")
}

// inOrder says whether the parameters of a statement stand there once each, in the order of their numbers.
func inOrder(text string) bool {
	for i, m := range parameter.FindAllStringSubmatch(text, -1) {
		if m[1] != strconv.Itoa(i+1) {
			return false
		}
	}
	return true
}
