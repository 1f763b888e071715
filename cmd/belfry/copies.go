package main

import (
	"strings"

	"github.com/belfry-news/belfry/internal/desk"
)

func (d *clerk) printCopies(copies []desk.Copy) {
	t := newTable()
	for _, c := range copies {
		t.add("  "+c.Place(), c.Sentence, strings.Join(c.URLs, " "))
	}
	t.write(d.std.out)
}
