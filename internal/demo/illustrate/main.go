// Command illustrate draws the pictures of the demonstration's newspaper: flat scenes of a city that does not exist, the
// same at every run. It writes them to a folder, as JPEG.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"image/jpeg"
	"os"
	"path/filepath"
)

func main() {
	into := flag.String("into", "newsroom/pictures", "the folder to write to")
	only := flag.String("only", "", "one picture, by name")
	flag.Parse()
	if err := write(*into, *only); err != nil {
		fmt.Fprintln(os.Stderr, "illustrate:", err)
		os.Exit(1)
	}
}

func write(into, only string) error {
	if err := os.MkdirAll(into, 0o750); err != nil {
		return err
	}
	total := 0
	for i, s := range scenes() {
		if only != "" && s.name != only {
			continue
		}
		c := newCanvas(uint64(i + 1))
		s.draw(c)
		var out bytes.Buffer
		if err := jpeg.Encode(&out, c.kept(), &jpeg.Options{Quality: 76}); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(into, s.name+".jpg"), out.Bytes(), 0o644); err != nil { //nolint:gosec // a file of the tree, for everybody
			return err
		}
		fmt.Printf("%-16s %6d bytes\n", s.name, out.Len())
		total += out.Len()
	}
	fmt.Printf("%-16s %6d bytes\n", "all", total)
	return nil
}

// scene is one picture.
type scene struct {
	name string
	draw func(*canvas)
}
