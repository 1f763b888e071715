package web

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// code is a QR code as one path of SVG, with the quiet zone of four modules that readers need (ISO/IEC 18004).
type code struct {
	// Size is the width in modules, the quiet zone included; Path draws the dark ones.
	Size int
	Path string
}

const quietZone = 4

// qrCode draws a text; nil when it is too long for a code.
func qrCode(text string) *code {
	c, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil
	}
	var path strings.Builder
	for y := range c.Size {
		for x := 0; x < c.Size; x++ {
			if !c.Black(x, y) {
				continue
			}
			from := x
			for x < c.Size && c.Black(x, y) {
				x++
			}
			fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", from+quietZone, y+quietZone, x-from, x-from)
		}
	}
	return &code{Size: c.Size + 2*quietZone, Path: path.String()}
}
