package main

import "math"

// Scenes of squares, streets and towers.

func belfry(c *canvas) {
	c.ground(down(0, 600, hex(0x86a9b8), hex(0xf0c79a), hex(0xf8e6c4)))
	c.sun(250, 430, 80, hex(0xfdf0cb))
	c.cloud(640, 170, 300, alpha(hex(0xfff4de), .75))
	c.cloud(60, 250, 240, alpha(hex(0xfff4de), .55))
	c.skyline(640, 90, 190, hex(0xd3a184), hex(0xc18a70), hex(0xdcb393), hex(0xb17a66))
	c.tower(640, 700, 660, hex(0xe3c9a0), hex(0x4f6a74), hex(0x3a3540))
	c.skyline(720, 70, 150, hex(0x9b5f50), hex(0x845045), hex(0xab6f5b), hex(0x75463f))
	for _, b := range [][3]float64{{470, 200, 26}, {420, 240, 20}, {520, 150, 18}, {366, 196, 16}, {820, 250, 24}, {870, 220, 18}, {760, 120, 15}} {
		c.bird(b[0], b[1], b[2], hex(0x3a3540))
	}
	// The sound goes round.
	for i := range 3 {
		r := 110 + float64(i)*46
		c.fill(curve(5-float64(i), 640+r*.8, 360-r*.5, 640+r*1.25, 360, 640+r*.8, 360+r*.5), alpha(hex(0xfff1cf), .8-.2*float64(i)))
		c.fill(curve(5-float64(i), 640-r*.8, 360-r*.5, 640-r*1.25, 360, 640-r*.8, 360+r*.5), alpha(hex(0xfff1cf), .8-.2*float64(i)))
	}
}

func bells(c *canvas) {
	c.ground(down(0, height, hex(0x2d2a33), hex(0x4b3a38), hex(0x6d4d3c)))
	// An arch to the evening.
	c.fill(new(path).m(120, 720).l(120, 330).c(120, 40, 960, 40, 960, 330).l(960, 720).z(), down(80, 700, hex(0x7ba0ad), hex(0xf0bd86), hex(0xf9e3b6)))
	c.sun(770, 560, 66, hex(0xfdf0cb))
	c.skyline(720, 60, 120, hex(0xb9806a), hex(0xa87060))
	c.fill(rect(60, 150, 960, 34), hex(0x4a2f25))
	c.fill(rect(60, 150, 960, 8), hex(0x6a4636))
	c.fill(rect(200, 60, 26, 660), hex(0x3a251e))
	c.fill(rect(854, 60, 26, 660), hex(0x3a251e))
	c.bell(540, 176, 300, -11, hex(0xc9973f))
	c.bell(310, 178, 150, 14, hex(0xb5863a))
	c.bell(762, 178, 176, 9, hex(0xbd8d3c))
	c.bell(420, 178, 96, 20, hex(0xa87c38))
	c.bird(610, 560, 26, hex(0x5a3c33))
	c.bird(668, 536, 18, hex(0x5a3c33))
}

func market(c *canvas) {
	c.ground(down(0, height, hex(0xe9dcc0), hex(0xf3e8d0)))
	// The iron hall.
	for i := range 6 {
		x := float64(i) * 216
		c.fill(rect(x-7, 120, 14, 420), hex(0x55706c))
		c.fill(ring(x+108, 230, 108, 9), alpha(hex(0x55706c), .9))
	}
	c.fill(rect(0, 232, width, 190), down(232, 422, hex(0xcfdcd2), hex(0xe9e4d0)))
	for i := range 11 {
		c.fill(rect(float64(i)*108-3, 232, 6, 190), hex(0x55706c))
	}
	c.fill(rect(0, 226, width, 12), hex(0x55706c))
	c.fill(rect(0, 0, width, 112), hex(0x6d8682))
	c.fill(rect(0, 104, width, 14), hex(0x45605c))
	// The awning.
	for i := range 18 {
		col := hex(0xf3e6c8)
		if i%2 == 0 {
			col = hex(0xb5533c)
		}
		x := float64(i) * 60
		c.fill(poly(x, 250, x+60, 250, x+60+(x-510)*.03, 350, x+(x-540)*.03, 350), col)
		c.fill(disc(x+30+(x-525)*.03, 350, 30), col)
	}
	c.fill(rect(0, 244, width, 12), hex(0x8a3c2b))
	c.person(330, 560, 220, hex(0x2f6f73), hex(0xd9a07c))
	c.fill(round(306, 420, 48, 100, 8), hex(0xf3e6c8))
	c.person(790, 560, 214, hex(0x7b4a58), hex(0xe6bd9a))
	c.fill(new(path).m(760, 372).c(760, 336, 820, 336, 820, 372).z(), hex(0x6b4a36))
	c.fill(rect(0, 540, width, 180), hex(0x8a6446))
	c.fill(rect(0, 540, width, 12), hex(0xa87d59))
	crate := func(x, y, w float64, col uint32, r float64, leaf bool) {
		for row := range 2 {
			n := int(w / (r * 1.8))
			for i := range n {
				xx := x + r + float64(i)*(w-2*r)/math.Max(1, float64(n-1))
				yy := y - 8 - float64(row)*r*.9
				cc := mix(hex(col), hex(0xfff0d0), c.between(0, .16))
				c.fill(disc(xx, yy, r), cc)
				c.fill(disc(xx-r*.3, yy-r*.35, r*.22), alpha(hex(0xffffff), .4))
				if leaf {
					c.fill(poly(xx-r*.4, yy-r*.8, xx, yy-r*1.15, xx+r*.4, yy-r*.8), hex(0x4c7a4f))
				}
			}
		}
		c.fill(rect(x-6, y, w+12, 76), hex(0xc79a68))
		for i := range 3 {
			c.fill(rect(x-6, y+4+float64(i)*25, w+12, 4), hex(0x8a6446))
		}
	}
	crate(30, 580, 210, 0xc9412f, 24, true)
	crate(276, 590, 190, 0xd98d2e, 22, false)
	crate(504, 580, 200, 0x5f8a4f, 25, false)
	crate(740, 590, 180, 0x7b3f5c, 19, false)
	crate(956, 580, 160, 0xe3c14f, 22, false)
	for _, x := range []float64{84, 600} {
		c.fill(line(3, x, 580, x, 500), hex(0x5c4436))
		c.fill(rect(x-34, 462, 68, 42), hex(0x2d3a38))
		c.fill(rect(x-22, 476, 44, 4), hex(0xf3e6c8))
		c.fill(rect(x-22, 486, 30, 4), hex(0xf3e6c8))
	}
	for _, x := range []float64{216, 648, 1000} {
		c.fill(rect(x-2, 110, 4, 70), hex(0x2d3a38))
		c.fill(new(path).m(x-34, 206).c(x-30, 170, x+30, 170, x+34, 206).z(), hex(0x2d3a38))
		c.fill(disc(x, 206, 13), hex(0xfbe3a1))
		c.ground(glow{x, 206, 120, alpha(hex(0xfbe3a1), .7)})
	}
}

func nightmarket(c *canvas) {
	c.ground(down(0, 620, hex(0x151b31), hex(0x2a2d4d), hex(0x5a3f56)))
	c.stars(110, 300)
	// The long rope works.
	c.fill(rect(0, 250, width, 220), hex(0x3a2c3a))
	for i := range 7 {
		x := float64(i)*160 - 20
		c.fill(poly(x, 252, x+80, 170, x+160, 252), hex(0x2e2330))
		c.fill(new(path).m(x+40, 470).l(x+40, 350).c(x+40, 300, x+120, 300, x+120, 350).l(x+120, 470).z(), hex(0x8a4a3a))
		c.fill(new(path).m(x+48, 470).l(x+48, 354).c(x+48, 312, x+112, 312, x+112, 354).l(x+112, 470).z(), down(320, 470, hex(0xf3b765), hex(0xd9823f)))
	}
	c.fill(rect(0, 466, width, 254), down(466, 720, hex(0x4a3442), hex(0x231c2c)))
	lantern := func(x, y, r float64, col uint32) {
		c.ground(glow{x, y, r * 6, alpha(hex(col), .55)})
		c.fill(oval(x, y, r, r*1.16), hex(col))
		c.fill(oval(x, y, r*.45, r*1.16), lighter(hex(col), .35))
		c.fill(rect(x-r*.4, y-r*1.26, r*.8, r*.2), hex(0x2e2330))
		c.fill(rect(x-r*.4, y+r*1.06, r*.8, r*.2), hex(0x2e2330))
	}
	for row := range 3 {
		y := 90 + float64(row)*74
		sag := 46 + float64(row)*14
		c.fill(curve(2.4, -20, y, width/2, y+sag*2, width+20, y-10), hex(0x2e2330))
		for i := range 8 {
			t := (float64(i) + .5 + .25*float64(row%2)) / 8.2
			u := 1 - t
			x := u*u*-20 + 2*u*t*width/2 + t*t*(width+20)
			yy := u*u*y + 2*u*t*(y+sag*2) + t*t*(y-10)
			lantern(x, yy+22, 13+float64(row)*4, []uint32{0xf3b745, 0xe7762f, 0xf6d98b, 0xd9543c}[(i+row)%4])
		}
	}
	stall := func(x, w float64, a, b uint32) {
		c.ground(glow{x + w/2, 520, w * .9, alpha(hex(0xf3b765), .5)})
		for i := range 6 {
			col := hex(a)
			if i%2 == 1 {
				col = hex(b)
			}
			c.fill(poly(x+float64(i)*w/6, 430, x+float64(i+1)*w/6, 430, x+float64(i+1)*w/6+(float64(i)-2)*5, 482, x+float64(i)*w/6+(float64(i)-3)*5, 482), col)
		}
		c.fill(rect(x+6, 480, 8, 150), hex(0x2e2330))
		c.fill(rect(x+w-14, 480, 8, 150), hex(0x2e2330))
		c.fill(rect(x-8, 574, w+16, 60), hex(0x6a3f33))
		c.fill(rect(x-8, 574, w+16, 9), hex(0x9b6245))
		for i := range 5 {
			c.fill(disc(x+26+float64(i)*(w-52)/4, 562, 15), hex([]uint32{0xd9a441, 0xb5533c, 0x7fa08f}[i%3]))
		}
	}
	stall(70, 260, 0xb5533c, 0xf0e0bf)
	stall(430, 240, 0x2f6f73, 0xf0e0bf)
	stall(770, 260, 0xd9a441, 0x8a3c4b)
	for _, p := range [][3]float64{{360, 690, 190}, {404, 700, 196}, {690, 694, 186}, {736, 704, 200}, {240, 706, 180}, {900, 712, 196}, {960, 700, 150}} {
		c.person(p[0], p[1], p[2], hex([]uint32{0x191626, 0x221b2e, 0x1d1a2b}[int(p[0])%3]), hex(0x3a2b3a))
	}
}

func film(c *canvas) {
	c.ground(down(0, 520, hex(0x23324c), hex(0xb56a5b), hex(0xf2b780)))
	c.sun(760, 430, 86, hex(0xfde2ac))
	c.sea(430, hex(0x223a55), hex(0xc47f68))
	c.glints(760, 436, 300, 36, hex(0xfde2ac))
	c.fill(poly(0, 560, 1080, 500, 1080, 720, 0, 720), hex(0x2b2430))
	c.fill(poly(0, 560, 1080, 500, 1080, 512, 0, 574), hex(0x5b3f40))
	for _, x := range []float64{90, 300, 880, 1020} {
		c.fill(rect(x, 560-x*.056-60, 16, 70), hex(0x1d1a24))
	}
	// The crane with the camera.
	dark := hex(0x16141d)
	c.fill(line(12, 210, 640, 560, 240), dark)
	c.fill(line(5, 190, 620, 540, 222), dark)
	for i := range 7 {
		t := float64(i) / 7
		c.fill(line(4, 190+350*t, 620-398*t, 226+350*t, 622-400*t), dark)
	}
	c.fill(rect(150, 600, 96, 60), dark)
	c.fill(disc(176, 668, 22), dark)
	c.fill(disc(240, 666, 22), dark)
	c.fill(round(556, 196, 110, 66, 8), dark)
	c.fill(poly(666, 210, 708, 196, 708, 258, 666, 246), dark)
	c.fill(disc(586, 178, 26), dark)
	c.fill(disc(642, 176, 26), dark)
	c.fill(disc(586, 178, 8), hex(0xb56a5b))
	c.fill(disc(642, 176, 8), hex(0xb56a5b))
	c.person(420, 628, 160, dark, hex(0x3a2c33))
	c.fill(poly(426, 500, 486, 486, 486, 520, 426, 516), dark)
	c.person(740, 610, 150, hex(0x8a2f2f), hex(0xe0ad89))
	c.person(810, 606, 158, hex(0x1f3d4b), hex(0xd6a07c))
	// A lamp on its stand, and a clapper.
	c.fill(line(6, 960, 640, 960, 330), dark)
	c.fill(line(6, 960, 560, 930, 650), dark)
	c.fill(line(6, 960, 560, 990, 646), dark)
	c.fill(poly(930, 290, 990, 316, 974, 360, 916, 332), dark)
	c.ground(glow{914, 318, 240, alpha(hex(0xfff0c9), .8)})
	c.fill(oval(922, 322, 10, 26).turned(922, 322, 22, 1), hex(0xfff6dc))
	b := func(p *path) *path { return p.turned(560, 640, -8, 1) }
	c.fill(b(rect(520, 600, 130, 88)), hex(0xefe6d2))
	for i := range 5 {
		c.fill(b(poly(520+float64(i)*26, 600, 533+float64(i)*26, 600, 524+float64(i)*26, 582, 511+float64(i)*26, 582)), []any{dark, hex(0xefe6d2)}[i%2])
	}
	c.fill(b(rect(532, 620, 106, 4)), dark)
	c.fill(b(rect(532, 644, 80, 4)), dark)
	c.fill(b(rect(532, 666, 94, 4)), dark)
}

func mural(c *canvas) {
	c.ground(down(0, 200, hex(0xa9c9d0), hex(0xe6e6d6)))
	c.fill(rect(0, 110, width, 480), hex(0xefe2c6))
	// The painting: waves that become birds.
	for i := range 7 {
		y := 190 + float64(i)*58
		col := []uint32{0x7b3f4c, 0xb5533c, 0xe08a55, 0xd9a441, 0x5d9a94, 0x2f6f73, 0x1d4d5c}[i]
		xy := []float64{}
		for j := range 12 {
			x := float64(j)*104 - 20
			xy = append(xy, x, y+30*math.Sin(float64(j)*1.05+float64(i)*.9))
		}
		c.fill(smooth(590, xy...), hex(col))
	}
	for _, b := range [][3]float64{{160, 190, 60}, {300, 160, 44}, {420, 210, 54}, {560, 170, 38}, {690, 206, 58}, {830, 168, 46}, {960, 212, 56}} {
		c.bird(b[0], b[1], b[2], hex(0xfbf3df))
	}
	c.fill(disc(850, 300, 56), hex(0xf9dd9b))
	// An unpainted strip with the scaffold.
	c.fill(rect(860, 110, 220, 480), hex(0xefe2c6))
	for _, x := range []float64{740, 880, 1030} {
		c.fill(rect(x, 70, 9, 530), hex(0x4a4a4f))
	}
	for _, y := range []float64{220, 360, 500} {
		c.fill(rect(730, y, 330, 12), hex(0x9b6d45))
		c.fill(line(5, 744, y+10, 884, y+140), hex(0x6d6d72))
	}
	c.person(800, 360, 128, hex(0xefe9da), hex(0xd6a07c))
	c.fill(line(9, 812, 270, 858, 240), hex(0xd6a07c))
	c.fill(line(6, 858, 240, 880, 214), hex(0x5c4436))
	c.fill(round(872, 190, 20, 30, 5), hex(0xe08a55))
	c.person(960, 500, 124, hex(0x2f6f73), hex(0xe0ad89))
	for i := range 4 {
		c.fill(rect(910+float64(i)*26, 476, 20, 24), hex([]uint32{0xb5533c, 0xd9a441, 0x5d9a94, 0x7b3f4c}[i]))
	}
	c.fill(rect(0, 588, width, 132), hex(0xa89880))
	c.fill(rect(0, 588, width, 12), hex(0x8a7b66))
	c.person(170, 680, 150, hex(0x3a3540), hex(0xe0ad89))
	c.person(226, 684, 104, hex(0xd9a441), hex(0xe0ad89))
	c.person(420, 676, 146, hex(0x7b4a58), hex(0xd6a07c))
}

func coolstreet(c *canvas) {
	c.ground(down(0, 420, hex(0xf6e3b5), hex(0xfaf0d6)))
	c.sun(540, 150, 70, hex(0xffedb0))
	for i := range 3 {
		x := float64(i) * 130
		c.block(x-20, 560-float64(i)*46, 140, 470-float64(i)*90, hex([]uint32{0xdba98a, 0xe6cda6, 0xcfae8d}[i]), hex(0x8aa5a3), 2, 5-i)
		c.block(width-x-120, 560-float64(i)*46, 140, 490-float64(i)*94, hex([]uint32{0xd9bd94, 0xc99a7d, 0xe3cba4}[i]), hex(0x8aa5a3), 2, 5-i)
	}
	c.fill(poly(420, 430, 660, 430, 1080, 720, 0, 720), hex(0xd9c8a4))
	c.fill(poly(150, 620, 470, 430, 500, 430, 330, 720, 0, 720), alpha(hex(0x6f8f86), .75))
	c.fill(poly(930, 620, 610, 430, 580, 430, 750, 720, 1080, 720), alpha(hex(0x6f8f86), .75))
	for i := range 4 {
		s := []float64{130, 190, 280, 420}[i]
		dx := []float64{90, 150, 260, 430}[i]
		y := []float64{450, 486, 560, 690}[i]
		for _, side := range []float64{-1, 1} {
			x := 540 + side*dx
			c.fill(rect(x-s*.03, y-s*.6, s*.06, s*.6), hex(0x5c4436))
			for j := range 7 {
				a := float64(j) * .9
				c.fill(disc(x+math.Cos(a)*s*.2, y-s*.76+math.Sin(a)*s*.15, s*.2), mix(hex(0x4f7a55), hex(0x86a867), c.random.Float64()*.8))
			}
		}
	}
	c.fill(oval(540, 690, 120, 26), hex(0x9b8a75))
	c.fill(oval(540, 684, 104, 20), hex(0x7fb0b4))
	c.fill(rect(530, 610, 20, 74), hex(0x9b8a75))
	for i := range 5 {
		o := (float64(i) - 2) * 26
		c.fill(curve(5, 540, 612, 540+o*.7, 570, 540+o*1.6, 676), alpha(hex(0xe6f3ee), .9))
	}
	c.person(470, 600, 96, hex(0xb5533c), hex(0xe0ad89))
	c.person(600, 560, 76, hex(0x2f6f73), hex(0xe0ad89))
}
