package main

import (
	"image/color"
	"math"
)

// What many scenes are made of. Everything is placed by its foot, or by its middle where it has none.

// sun is a disc with its glow.
func (c *canvas) sun(x, y, r float64, col color.RGBA) {
	c.ground(glow{x, y, r * 5, alpha(col, .55)})
	c.fill(disc(x, y, r), col)
}

// moon is a crescent.
func (c *canvas) moon(x, y, r float64, col color.RGBA) {
	c.ground(glow{x, y, r * 6, alpha(col, .35)})
	c.fill(new(path).m(x, y-r).c(x+r*1.33, y-r, x+r*1.33, y+r, x, y+r).c(x+r*.62, y+r*.5, x+r*.62, y-r*.5, x, y-r).z().turned(x, y, -28, 1), col)
}

func (c *canvas) stars(n int, below float64) {
	for range n {
		x, y := c.between(0, width), c.between(0, below)
		c.fill(disc(x, y, c.between(.8, 2.2)), alpha(hex(0xfff4dc), c.between(.35, .95)*(1-y/below*.6)))
	}
}

// cloud is a flat-bottomed bank of rounds.
func (c *canvas) cloud(x, y, w float64, col color.RGBA) {
	h := w * .16
	p := new(path).m(x, y).c(x-h, y, x-h*.4, y-h*1.5, x+w*.16, y-h*1.2).c(x+w*.2, y-h*2.6, x+w*.42, y-h*2.7, x+w*.48, y-h*1.7).
		c(x+w*.56, y-h*2.5, x+w*.76, y-h*2.1, x+w*.76, y-h*1.2).c(x+w*.95, y-h*1.6, x+w*1.1, y, x+w*.96, y).z()
	c.fill(p, col)
}

// sea fills from a line to the bottom, with bands of light.
func (c *canvas) sea(y float64, near, far color.RGBA) {
	c.fill(rect(0, y, width, height-y), down(y, height, far, near))
}

// glints are the strokes of light on water below a light.
func (c *canvas) glints(x, y, spread float64, n int, col color.RGBA) {
	for i := range n {
		t := float64(i) / float64(n)
		yy := y + math.Pow(t, 1.4)*(height-y)
		w := c.between(.25, 1) * (20 + spread*t)
		xx := x + c.between(-.5, .5)*spread*t
		c.fill(round(xx-w/2, yy, w, 2+4*t, 1+2*t), alpha(col, .25+.5*(1-t)))
	}
}

// wave is one long row of swell across the picture.
func (c *canvas) wave(y, length, high, phase float64, paint any) {
	p := new(path).m(-length, height).l(-length, y)
	for x := -length + phase; x < width+length; x += length {
		p.c(x+length*.3, y-high, x+length*.5, y-high, x+length*.62, y-high*.1).c(x+length*.75, y+high*.4, x+length*.88, y+high*.2, x+length, y)
	}
	c.fill(p.l(width+length, height).z(), paint)
}

// swell is a row of soft, even waves.
func (c *canvas) swell(y, length, high, phase float64, paint any) {
	xy := []float64{}
	up := true
	for x := -length + phase; x <= width+length; x += length / 2 {
		yy := y + high
		if up {
			yy = y - high
		}
		up = !up
		xy = append(xy, x, yy)
	}
	c.fill(smooth(height, xy...), paint)
}

// house is a gabled front with windows, standing at (x, y).
func (c *canvas) house(x, y, w, h float64, wall, roof, window color.RGBA, cols, rows int) {
	c.fill(rect(x, y-h, w, h), wall)
	peak := w * .55
	c.fill(poly(x-w*.04, y-h, x+w/2, y-h-peak, x+w*1.04, y-h), roof)
	c.fill(poly(x+w/2, y-h-peak, x+w*1.04, y-h, x+w*.5, y-h), darker(roof, .12))
	c.windows(x, y-h, w, h, window, cols, rows)
}

// block is a flat-roofed front with windows and a cornice.
func (c *canvas) block(x, y, w, h float64, wall, window color.RGBA, cols, rows int) {
	c.fill(rect(x, y-h, w, h), wall)
	c.fill(rect(x-w*.02, y-h, w*1.04, h*.025+3), darker(wall, .2))
	c.windows(x, y-h, w, h, window, cols, rows)
}

func (c *canvas) windows(x, y, w, h float64, window color.RGBA, cols, rows int) {
	if cols == 0 || rows == 0 {
		return
	}
	cw, rh := w/float64(cols), h/float64(rows)
	for i := range cols {
		for j := range rows {
			ww, wh := cw*.42, rh*.52
			wx, wy := x+cw*(float64(i)+.5)-ww/2, y+rh*(float64(j)+.5)-wh/2
			c.fill(rect(wx, wy, ww, wh), window)
			c.fill(rect(wx+ww*.44, wy, ww*.12, wh), darker(window, .35))
		}
	}
}

// lit lets some windows of a façade shine.
func (c *canvas) lit(x, y, w, h float64, cols, rows int, share float64, on color.RGBA) {
	cw, rh := w/float64(cols), h/float64(rows)
	for i := range cols {
		for j := range rows {
			if c.random.Float64() < share {
				c.fill(rect(x+cw*(float64(i)+.29), y+rh*(float64(j)+.24), cw*.42, rh*.52), on)
			}
		}
	}
}

// tree is a round crown on a stem.
func (c *canvas) tree(x, y, h float64, leaf, stem color.RGBA) {
	c.fill(rect(x-h*.028, y-h*.5, h*.056, h*.5), stem)
	c.fill(oval(x, y-h*.64, h*.27, h*.34), leaf)
	c.fill(new(path).m(x, y-h*.98).c(x+h*.36, y-h*.98, x+h*.36, y-h*.3, x, y-h*.3).c(x+h*.16, y-h*.5, x+h*.16, y-h*.8, x, y-h*.98).z(), darker(leaf, .14))
}

// poplar is a narrow tree.
func (c *canvas) poplar(x, y, h float64, leaf color.RGBA) {
	c.fill(oval(x, y-h*.5, h*.13, h*.5), leaf)
	c.fill(new(path).m(x, y-h).c(x+h*.19, y-h*.8, x+h*.17, y-h*.05, x, y).z(), darker(leaf, .15))
}

// bird is two strokes of a wing.
func (c *canvas) bird(x, y, s float64, col color.RGBA) {
	c.fill(new(path).m(x, y).c(x+s*.25, y-s*.5, x+s*.7, y-s*.5, x+s, y-s*.28).c(x+s*.65, y-s*.32, x+s*.3, y-s*.2, x, y+s*.08).
		c(x-s*.3, y-s*.2, x-s*.65, y-s*.32, x-s, y-s*.28).c(x-s*.7, y-s*.5, x-s*.25, y-s*.5, x, y).z(), col)
}

// lamp is a street lamp with its glow.
func (c *canvas) lamp(x, y, h float64, post, light color.RGBA) {
	c.ground(glow{x, y - h, h * .8, alpha(light, .5)})
	c.fill(rect(x-h*.012, y-h*.95, h*.024, h*.95), post)
	c.fill(poly(x-h*.05, y-h*.93, x+h*.05, y-h*.93, x+h*.07, y-h*1.05, x-h*.07, y-h*1.05), light)
	c.fill(poly(x-h*.08, y-h*1.05, x+h*.08, y-h*1.05, x, y-h*1.11), post)
}

// person is a small standing figure.
func (c *canvas) person(x, y, h float64, coat, skin color.RGBA) {
	c.fill(round(x-h*.13, y-h*.78, h*.26, h*.5, h*.1), coat)
	c.fill(poly(x-h*.12, y-h*.34, x+h*.12, y-h*.34, x+h*.09, y, x+h*.01, y, x, y-h*.25, x-h*.02, y, x-h*.1, y), darker(coat, .35))
	c.fill(disc(x, y-h*.88, h*.1), skin)
}

// bell hangs from (x, y); lean is in degrees.
func (c *canvas) bell(x, y, s, lean float64, col color.RGBA) {
	body := new(path).m(x-s*.1, y+s*.08).c(x-s*.34, y+s*.16, x-s*.3, y+s*.6, x-s*.5, y+s*.86).l(x+s*.5, y+s*.86).c(x+s*.3, y+s*.6, x+s*.34, y+s*.16, x+s*.1, y+s*.08).z()
	shade := new(path).m(x+s*.02, y+s*.08).l(x+s*.1, y+s*.08).c(x+s*.34, y+s*.16, x+s*.3, y+s*.6, x+s*.5, y+s*.86).l(x+s*.16, y+s*.86).c(x+s*.12, y+s*.5, x+s*.1, y+s*.3, x+s*.02, y+s*.08).z()
	rim := round(x-s*.56, y+s*.83, s*1.12, s*.1, s*.05)
	c.fill(disc(x, y+s*.98, s*.11).turned(x, y, lean*1.5, 1), darker(col, .55))
	c.fill(rect(x-s*.035, y-s*.06, s*.07, s*.2).turned(x, y, lean, 1), darker(col, .6))
	c.fill(body.turned(x, y, lean, 1), col)
	c.fill(shade.turned(x, y, lean, 1), darker(col, .22))
	c.fill(rim.turned(x, y, lean, 1), darker(col, .12))
	c.fill(rect(x-s*.27, y+s*.32, s*.54, s*.03).turned(x, y, lean, 1), darker(col, .3))
}

// skyline is a row of roofs along a line.
func (c *canvas) skyline(y float64, low, high float64, cols ...color.RGBA) {
	i := 0
	for x := -20.0; x < width+20; i++ {
		w, h := c.between(60, 120), c.between(low, high)
		col := cols[i%len(cols)]
		c.fill(rect(x, y-h, w+1, h+4), col)
		switch c.random.IntN(3) {
		case 0:
			c.fill(poly(x, y-h+1, x+w/2, y-h-w*.4, x+w, y-h+1), darker(col, .12))
		case 1:
			c.fill(poly(x, y-h+1, x+w*.15, y-h-w*.28, x+w*.85, y-h-w*.28, x+w, y-h+1), darker(col, .16))
			c.fill(rect(x+w*.68, y-h-w*.42, w*.09, w*.3), darker(col, .2))
		}
		x += w
	}
}

// tower is the belfry itself, standing at (x, y).
func (c *canvas) tower(x, y, h float64, wall, roof, dark color.RGBA) {
	w := h * .2
	c.fill(rect(x-w/2, y-h*.66, w, h*.66), wall)
	c.fill(rect(x, y-h*.66, w/2, h*.66), darker(wall, .13))
	c.fill(rect(x-w*.56, y-h*.67, w*1.12, h*.018), darker(wall, .3))
	c.fill(rect(x-w*.56, y-h*.46, w*1.12, h*.012), darker(wall, .3))
	// The bell chamber with its open arches.
	for i := range 2 {
		ax := x - w*.34 + float64(i)*w*.38
		c.fill(new(path).m(ax, y-h*.48).l(ax, y-h*.6).c(ax, y-h*.645, ax+w*.3, y-h*.645, ax+w*.3, y-h*.6).l(ax+w*.3, y-h*.48).z(), dark)
	}
	c.fill(disc(x, y-h*.385, w*.26), lighter(wall, .55))
	c.fill(ring(x, y-h*.385, w*.26, w*.03), dark)
	c.fill(line(w*.03, x, y-h*.385, x, y-h*.42), dark)
	c.fill(line(w*.03, x, y-h*.385, x+w*.14, y-h*.375), dark)
	for i := range 3 {
		c.fill(rect(x-w*.06, y-h*(.27-.09*float64(i)), w*.12, h*.045), darker(wall, .45))
	}
	c.fill(poly(x-w*.52, y-h*.67, x, y-h, x+w*.52, y-h*.67), roof)
	c.fill(poly(x, y-h, x+w*.52, y-h*.67, x, y-h*.67), darker(roof, .18))
	c.fill(rect(x-h*.003, y-h*1.05, h*.006, h*.06), dark)
	c.fill(poly(x, y-h*1.045, x+h*.035, y-h*1.03, x, y-h*1.015), dark)
}
