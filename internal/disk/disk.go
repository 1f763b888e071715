// Package disk tells how much room the file system of a folder has. It promises to say so when it cannot know.
package disk

import (
	"fmt"
	"strconv"
	"strings"
)

// Bytes writes a size for people, in powers of a thousand as disks are sold: "1.2 GB".
func Bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n), 0
	for size >= 999.5 && unit < len(units)-1 {
		size /= 1000
		unit++
	}
	if size < 10 {
		return strings.TrimSuffix(strconv.FormatFloat(size, 'f', 1, 64), ".0") + " " + units[unit]
	}
	return strconv.FormatFloat(size, 'f', 0, 64) + " " + units[unit]
}

var units = []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
