package main

import "math"

// Scenes of the harbour and the sea.

func storm(c *canvas) {
	c.ground(down(0, 470, hex(0x2c3a4d), hex(0x53687a), hex(0x9fb0b3)))
	for i, y := range []float64{70, 130, 215} {
		c.cloud(-80+float64(i)*310, y+40, 520, alpha(hex(0x232f40), .75))
		c.cloud(420-float64(i)*170, y+95, 600, alpha(hex(0x3b4b5e), .6))
	}
	// The drawbridge stands open.
	c.fill(rect(0, 430, 330, 60), hex(0x2b3646))
	c.fill(rect(770, 430, 310, 60), hex(0x2b3646))
	for _, x := range []float64{262, 790} {
		c.fill(rect(x, 250, 28, 250), hex(0x1f2937))
		c.fill(rect(x-10, 240, 48, 16), hex(0x1f2937))
	}
	c.fill(line(20, 310, 436, 468, 190), hex(0x8b3a2f))
	c.fill(line(20, 770, 436, 612, 190), hex(0x8b3a2f))
	c.fill(line(4, 276, 250, 462, 200), hex(0x1f2937))
	c.fill(line(4, 804, 250, 618, 200), hex(0x1f2937))
	for _, x := range []float64{60, 150, 930, 1020} {
		c.fill(rect(x, 372, 5, 60), hex(0x1f2937))
		c.fill(disc(x+2.5, 368, 10), hex(0xf0c15c))
		c.ground(glow{x + 2, 368, 90, alpha(hex(0xf0c15c), .5)})
	}
	c.wave(500, 230, 34, 30, hex(0x5f7f86))
	c.wave(556, 290, 44, 170, hex(0x3f626d))
	c.wave(630, 350, 52, 90, hex(0x274653))
	for range 150 {
		x, y := c.between(-60, width), c.between(-20, height)
		l := c.between(26, 54)
		c.fill(line(1.6, x, y, x+l*.5, y+l), alpha(hex(0xdfe8ea), .28))
	}
}

func fog(c *canvas) {
	c.ground(down(0, height, hex(0xd9d6cc), hex(0xe9e3d4), hex(0xc3cbc9)))
	c.fill(disc(820, 190, 60), hex(0xf6eeda))
	c.ground(glow{820, 190, 330, alpha(hex(0xfff4dc), .8)})
	// A large ship, half in it.
	hull := new(path).m(150, 430).l(860, 430).l(815, 520).l(200, 520).z()
	c.fill(rect(600, 262, 150, 170), alpha(hex(0x8d9a9c), .75))
	c.fill(rect(640, 196, 66, 70), alpha(hex(0xa58377), .7))
	c.fill(rect(640, 210, 66, 14), alpha(hex(0xe9dfcc), .8))
	for i := range 5 {
		c.fill(rect(215+float64(i)*74, 372, 66, 60), alpha(mix(hex(0x7f8f92), hex(0x9c8b78), float64(i%3)/2), .6))
	}
	c.windows(600, 280, 150, 90, alpha(hex(0xf2e7c8), .8), 5, 2)
	c.fill(hull, alpha(hex(0x6f8086), .9))
	c.fill(rect(186, 500, 645, 8), alpha(hex(0xb07d6c), .6))
	for i, y := range []float64{330, 420, 500, 585} {
		a := .35 + .1*float64(i)
		for j := range 4 {
			c.fill(oval(c.between(0, width), y+c.between(-14, 14), c.between(260, 420), 26+6*float64(j)), alpha(hex(0xeee8da), a*.55))
		}
	}
	c.sea(600, hex(0x9fb0b1), alpha(hex(0xd9dad2), .4))
	c.swell(640, 260, 8, 40, alpha(hex(0x8fa3a6), .6))
	c.swell(685, 320, 10, 140, alpha(hex(0x7f959a), .7))
	// A red buoy in front.
	c.fill(poly(246, 640, 290, 640, 280, 560, 256, 560), hex(0xb5533c))
	c.fill(rect(262, 520, 12, 42), hex(0x7f3526))
	c.fill(disc(268, 514, 11), hex(0xf3cf7a))
	c.ground(glow{268, 514, 110, alpha(hex(0xf3cf7a), .7)})
	c.fill(oval(268, 644, 62, 15), hex(0x7f3526))
	c.bird(520, 150, 34, hex(0x7c8a8d))
	c.bird(590, 190, 24, hex(0x94a0a1))
}

func dolphins(c *canvas) {
	c.ground(down(0, 420, hex(0xf2c391), hex(0xf7dfb4), hex(0xf4ead2)))
	c.sun(760, 330, 74, hex(0xfbf0cf))
	c.fill(smooth(430, 0, 380, 160, 330, 330, 372, 520, 400, 700, 384, 900, 400, 1080, 376), hex(0xc79c86))
	c.sea(410, hex(0x1d5661), hex(0x74a7a1))
	c.glints(760, 416, 330, 46, hex(0xfff0cc))
	dolphin := func(x, y, s, turn float64) {
		b := new(path).m(x-s, y+s*.12).c(x-s*.6, y-s*.5, x+s*.2, y-s*.62, x+s*.72, y-s*.2).c(x+s*.9, y-s*.12, x+s*1.06, y-s*.04, x+s*1.1, y+s*.02).
			c(x+s*.98, y+s*.08, x+s*.82, y+s*.04, x+s*.7, y+s*.04).c(x+s*.3, y-s*.12, x-s*.4, y-s*.08, x-s, y+s*.12).z()
		fin := poly(x-s*.1, y-s*.46, x-s*.28, y-s*.78, x+s*.16, y-s*.44)
		flipper := poly(x+s*.28, y-s*.1, x+s*.1, y+s*.24, x+s*.46, y-s*.06)
		tail := new(path).m(x-s*.94, y+s*.1).c(x-s*1.2, y-s*.02, x-s*1.3, y-s*.02, x-s*1.4, y+s*.06).c(x-s*1.2, y+s*.1, x-s*1.16, y+s*.2, x-s*1.2, y+s*.4).c(x-s*1.08, y+s*.3, x-s*.98, y+s*.22, x-s*.94, y+s*.1).z()
		belly := new(path).m(x+s*.98, y+s*.06).c(x+s*.6, y+s*.02, x+s*.2, y-s*.14, x-s*.5, y-s*.02).c(x+s*.1, y-s*.2, x+s*.5, y-s*.06, x+s*.98, y+s*.06).z()
		for _, p := range []*path{tail, fin, b, flipper} {
			c.fill(p.turned(x, y, turn, 1), hex(0x24404c))
		}
		c.fill(belly.turned(x, y, turn, 1), hex(0xa9c2bd))
		eye := disc(x+s*.72, y-s*.1, s*.022)
		c.fill(eye.turned(x, y, turn, 1), hex(0xf4ead2))
	}
	dolphin(330, 470, 150, -16)
	dolphin(620, 520, 120, -6)
	dolphin(210, 590, 84, 4)
	c.swell(560, 300, 12, 40, hex(0x2f6f74))
	c.swell(614, 360, 14, 200, hex(0x245d66))
	c.swell(670, 420, 16, 90, hex(0x184650))
	for range 36 {
		c.fill(disc(c.between(170, 760), c.between(530, 585), c.between(1.5, 4.5)), alpha(hex(0xfdf6e4), .7))
	}
}

func lighthouse(c *canvas) {
	c.ground(down(0, 560, hex(0x141d33), hex(0x27385a), hex(0x60718c)))
	c.stars(150, 420)
	c.fill(poly(636, 198, -40, 60, -40, 260), across(-40, 636, alpha(hex(0xf7dd97), .05), alpha(hex(0xf7dd97), .55)))
	c.fill(poly(660, 198, 1140, 110, 1140, 270), across(660, 1140, alpha(hex(0xf7dd97), .5), alpha(hex(0xf7dd97), .05)))
	c.sea(520, hex(0x0f1b2e), hex(0x3d5570))
	c.fill(new(path).m(440, 590).c(500, 520, 560, 505, 610, 500).l(690, 500).c(760, 510, 830, 540, 900, 600).l(900, 640).l(420, 640).z(), hex(0x1c2436))
	c.fill(new(path).m(440, 590).c(500, 520, 560, 505, 610, 500).l(650, 500).c(600, 530, 540, 560, 500, 640).l(420, 640).z(), hex(0x2b364c))
	c.fill(poly(604, 506, 696, 506, 680, 232, 620, 232), hex(0xe9ddc4))
	c.fill(poly(650, 506, 696, 506, 680, 232, 650, 232), hex(0xc4b79f))
	for i := range 3 {
		y := 268 + float64(i)*78
		in := (y - 232) / 274 * 16
		c.fill(poly(620-in, y, 680+in, y, 682+in, y+36, 618-in, y+36), hex(0xa8452f))
		c.fill(poly(650, y, 680+in, y, 682+in, y+36, 650, y+36), hex(0x87351f))
	}
	c.fill(rect(608, 224, 84, 10), hex(0x1c2436))
	c.fill(rect(626, 180, 48, 44), hex(0xf7dd97))
	c.fill(rect(647, 180, 5, 44), hex(0x8a7438))
	c.fill(new(path).m(618, 182).c(624, 150, 676, 150, 682, 182).z(), hex(0x1c2436))
	c.fill(rect(648, 136, 4, 22), hex(0x1c2436))
	c.ground(glow{650, 200, 230, alpha(hex(0xffe9ae), .85)})
	// Panels on the roof of the keeper's house.
	c.fill(rect(716, 462, 112, 52), hex(0xd8cbb0))
	c.fill(poly(706, 464, 838, 464, 818, 420, 726, 420), hex(0x2a4a78))
	for i := range 5 {
		x := 726 + float64(i)*23
		c.fill(line(1.6, x, 420, x-20+float64(i)*10, 464), hex(0x7d9cc4))
	}
	c.fill(line(1.6, 716, 442, 828, 442), hex(0x7d9cc4))
	c.windows(716, 470, 112, 40, hex(0xf3cf7a), 3, 1)
	c.swell(612, 330, 9, 60, hex(0x1b2a42))
	c.swell(660, 420, 12, 160, hex(0x14203a))
	c.glints(650, 600, 260, 22, hex(0xf7dd97))
}

func cranes(c *canvas) {
	c.ground(down(0, 560, hex(0xe7a77d), hex(0xf2cf9d), hex(0xf7e6c6)))
	c.sun(250, 420, 88, hex(0xfbeecb))
	crane := func(x, y, s float64, main, dark [3]float64) {
		col, shade := hex(0x8f3f30), hex(0x6c2d24)
		if main[0] > 0 {
			col, shade = hex(0x2f5f6b), hex(0x224650)
		}
		_ = dark
		for _, dx := range []float64{-.3, .22} {
			c.fill(poly(x+dx*s, y, x+(dx+.08)*s, y, x+(dx*.55+.05)*s, y-s*.95, x+(dx*.55)*s, y-s*.95), col)
		}
		c.fill(rect(x-s*.34, y-s*.34, s*.7, s*.05), shade)
		c.fill(line(s*.05, x-s*.32, y-s*.04, x+s*.16, y-s*.9), shade)
		c.fill(rect(x-s*.24, y-s*1.02, s*.44, s*.12), shade)
		c.fill(rect(x-s*.78, y-s*1.1, s*1.7, s*.055), col)
		c.fill(poly(x-s*.02, y-s*1.1, x+s*.06, y-s*1.1, x+s*.02, y-s*1.5), col)
		c.fill(line(s*.014, x+s*.02, y-s*1.48, x-s*.76, y-s*1.1), shade)
		c.fill(line(s*.014, x+s*.02, y-s*1.48, x+s*.9, y-s*1.1), shade)
		c.fill(rect(x-s*.56, y-s*1.05, s*.006, s*.42), shade)
		c.fill(rect(x-s*.5, y-s*1.05, s*.006, s*.42), shade)
		c.fill(rect(x-s*.64, y-s*.64, s*.24, s*.12), hex(0xd9a441))
	}
	crane(800, 560, 300, [3]float64{1}, [3]float64{})
	crane(560, 566, 250, [3]float64{}, [3]float64{})
	cols := []uint32{0xb5533c, 0x3b6f74, 0xd9a441, 0x7c8f72, 0x8a5a44, 0x4a617d}
	for row := range 3 {
		for i := range 13 - row*2 {
			x := 40 + float64(i)*80 + float64(row)*80
			if (i+row)%5 == 4 && row == 2 {
				continue
			}
			col := hex(cols[(i*3+row*2)%len(cols)])
			c.fill(rect(x, 590-float64(row)*36, 77, 34), col)
			for k := range 6 {
				c.fill(rect(x+6+float64(k)*12, 592-float64(row)*36, 3, 30), darker(col, .16))
			}
		}
	}
	c.fill(rect(0, 624, width, 22), hex(0x5b4a44))
	c.sea(646, hex(0x2c545c), hex(0x6d8f8c))
	c.glints(250, 650, 240, 18, hex(0xfbeecb))
	c.bird(420, 170, 26, hex(0x8a5a44))
	c.bird(470, 200, 18, hex(0x8a5a44))
}

func barge(c *canvas) {
	c.ground(down(0, 460, hex(0xbcd4d6), hex(0xdfe6da), hex(0xf3ebd6)))
	c.skyline(430, 90, 190, hex(0xd9b99a), hex(0xc9a184), hex(0xe3cba9), hex(0xb98d75))
	c.fill(rect(0, 424, width, 44), hex(0x8a7666))
	for x := 20.0; x < width; x += 120 {
		c.fill(disc(x+14, 446, 8), hex(0x5d4d43))
	}
	c.sea(466, hex(0x3f6c74), hex(0x8fb0ac))
	hull := new(path).m(130, 540).l(930, 540).c(960, 560, 930, 612, 890, 626).l(190, 626).c(150, 612, 120, 575, 130, 540).z()
	c.fill(rect(250, 390, 540, 152), hex(0xe9dcc0))
	c.fill(rect(236, 376, 568, 20), hex(0x9b3f2f))
	// Shelves of books behind large panes.
	spine := []uint32{0xb5533c, 0x2f6f73, 0xd9a441, 0x7c8f72, 0x4a5f86, 0xe2c391, 0x8a4f5d}
	for row := range 2 {
		y := 414 + float64(row)*58
		c.fill(rect(272, y, 496, 48), hex(0x5c4436))
		for x := 278.0; x < 758; {
			w := c.between(8, 17)
			h := c.between(28, 42)
			c.fill(rect(x, y+46-h, w-2, h), hex(spine[c.random.IntN(len(spine))]))
			x += w
		}
	}
	for i := range 5 {
		c.fill(rect(264+float64(i)*124, 404, 10, 124), hex(0xe9dcc0))
	}
	c.fill(hull, hex(0x22404b))
	c.fill(rect(136, 540, 800, 12), hex(0xd9a441))
	c.fill(rect(820, 430, 70, 110), hex(0xe9dcc0))
	c.fill(rect(832, 446, 46, 36), hex(0x7aa0a3))
	c.fill(line(5, 100, 476, 210, 540), hex(0x5c4436))
	c.person(84, 470, 92, hex(0xb5533c), hex(0xe8b998))
	c.person(52, 470, 62, hex(0xd9a441), hex(0xd6a07c))
	for i := range 9 {
		x := 250 + float64(i)*68
		c.fill(poly(x, 376, x+34, 376, x+17, 398), hex([]uint32{0xd9a441, 0x2f6f73, 0xb5533c}[i%3]))
	}
	c.swell(634, 260, 7, 60, alpha(hex(0x2d565f), .9))
	c.swell(680, 330, 9, 10, hex(0x244a54))
}

func rowers(c *canvas) {
	c.ground(down(0, 330, hex(0x8fb6bd), hex(0xcfe0d6), hex(0xf1ead2)))
	c.fill(smooth(360, 0, 300, 180, 250, 360, 292, 560, 262, 760, 300, 930, 268, 1080, 290), hex(0x7f9a86))
	c.fill(smooth(380, 0, 340, 220, 318, 460, 344, 700, 322, 1080, 340), hex(0x5f8070))
	for _, x := range []float64{140, 190, 236, 690, 742, 860, 905} {
		c.poplar(x, 346, c.between(70, 120), hex(0x4c6d5d))
	}
	c.fill(rect(0, 340, width, 380), down(340, height, hex(0xb9d0c6), hex(0x5f9098), hex(0x2c6470)))
	shell := func(y, s float64, hull, shirt uint32) {
		x := 120 * s
		l := 780 * s
		c.fill(new(path).m(x-40, y).q(x+l*.2, y+24*s, x+l*.5, y+24*s).q(x+l*.85, y+24*s, x+l+60, y-6).q(x+l*.6, y+4, x-40, y).z(), hex(hull))
		for i := range 4 {
			px := x + l*.16 + float64(i)*l*.17
			c.fill(line(7*s, px+10*s, y+2, px-130*s, y+66*s), hex(0xf2e6cb))
			c.fill(oval(px-138*s, y+70*s, 26*s, 9*s).turned(px-138*s, y+70*s, -26, 1), hex(0xb5533c))
			c.fill(round(px-16*s, y-62*s, 36*s, 62*s, 14*s).turned(px, y, 16, 1), hex(shirt))
			c.fill(line(13*s, px+18*s, y-46*s, px-22*s, y-14*s), hex(0xe0ad89))
			c.fill(disc(px+24*s, y-78*s, 16*s), hex(0xe0ad89))
			c.fill(new(path).m(px+8*s, y-80*s).c(px+10*s, y-102*s, px+40*s, y-100*s, px+40*s, y-80*s).z(), hex(0x3b2f2f))
			c.ground(glow{px - 150*s, y + 80*s, 40 * s, alpha(hex(0xf7f3e6), .6)})
		}
	}
	shell(408, .62, 0xd9a441, 0xf2e6cb)
	c.swell(470, 300, 5, 90, alpha(hex(0x4f838c), .5))
	shell(540, 1.06, 0x8f3f30, 0x22404b)
	c.swell(640, 340, 8, 30, alpha(hex(0x23545f), .65))
	c.swell(690, 420, 9, 180, hex(0x1d4650))
}

func buoy(c *canvas) {
	c.ground(down(0, height, hex(0x9fc7c1), hex(0x4a8d94), hex(0x1f5665), hex(0x123a4b)))
	for i := range 6 {
		x := 120 + float64(i)*160
		c.fill(poly(x, 0, x+70, 0, x+20-float64(i)*16, height, x-90-float64(i)*16, height), alpha(hex(0xe9f4e4), .07))
	}
	c.fill(new(path).m(0, 0).l(width, 0).l(width, 60).c(800, 96, 620, 40, 420, 72).c(260, 98, 120, 60, 0, 78).z(), hex(0xd5e6da))
	c.fill(smooth(height, 0, 640, 200, 610, 420, 652, 640, 622, 860, 650, 1080, 616), hex(0xc0a878))
	c.fill(smooth(height, 0, 690, 260, 668, 560, 694, 840, 672, 1080, 690), hex(0x9d8459))
	c.fill(line(6, 540, 0, 540, 214), hex(0x2b2f33))
	c.fill(ring(540, 224, 24, 7), hex(0x2b2f33))
	body := new(path).m(470, 330).c(470, 250, 610, 250, 610, 330).l(590, 500).c(570, 560, 510, 560, 490, 500).z()
	c.fill(body, hex(0xa8452f))
	c.fill(new(path).m(540, 270).c(590, 272, 610, 300, 610, 330).l(590, 500).c(575, 545, 560, 545, 540, 546).z(), hex(0x85331f))
	c.fill(poly(478, 380, 602, 380, 596, 434, 484, 434), hex(0xe8dcbf))
	c.fill(poly(540, 380, 602, 380, 596, 434, 540, 434), hex(0xc9bb98))
	for range 60 {
		x, y := c.between(482, 598), c.between(440, 530)
		c.fill(disc(x, y, c.between(2, 5)), alpha(hex(0xd9c9a4), .8))
	}
	// A diver with a lamp.
	c.fill(poly(330, 420, 470, 360, 470, 470), across(330, 480, alpha(hex(0xfbe9ae), .55), alpha(hex(0xfbe9ae), .12)))
	c.fill(round(190, 396, 116, 44, 22), hex(0x1d2b36))
	c.fill(round(214, 376, 74, 26, 12), hex(0xd9a441))
	c.fill(disc(312, 412, 22), hex(0xe0ad89))
	c.fill(rect(312, 402, 22, 14), hex(0x7aa0a3))
	c.fill(line(13, 296, 430, 338, 424), hex(0x1d2b36))
	c.fill(line(15, 196, 424, 130, 448), hex(0x1d2b36))
	c.fill(line(15, 196, 412, 126, 414), hex(0x1d2b36))
	c.fill(poly(134, 440, 80, 470, 92, 436), hex(0xb5533c))
	c.fill(poly(130, 404, 78, 402, 84, 424), hex(0xb5533c))
	for i := range 10 {
		t := float64(i)
		c.fill(ring(330+12*math.Sin(t), 370-t*32, 4+t*.9, 2), alpha(hex(0xe9f4e4), .8))
	}
	for i := range 12 {
		x := 680 + float64(i%4)*74 + c.between(-18, 18)
		y := 180 + float64(i/4)*58 + c.between(-14, 14)
		c.fill(oval(x, y, 20, 8), alpha(hex(0xe8dcbf), .8))
		c.fill(poly(x+16, y, x+32, y-9, x+32, y+9), alpha(hex(0xe8dcbf), .8))
	}
	for _, x := range []float64{790, 830, 880, 120, 160} {
		h := c.between(90, 160)
		c.fill(curve(10, x, 660, x+c.between(-40, 40), 660-h*.6, x+c.between(-14, 14), 660-h), hex(0x2f6b58))
	}
}

func lifeboat(c *canvas) {
	c.ground(down(0, 420, hex(0x46566b), hex(0x8f9a9f), hex(0xe0c9a6)))
	c.cloud(560, 130, 560, alpha(hex(0x38475a), .7))
	c.cloud(-60, 210, 520, alpha(hex(0x4d5c6d), .6))
	c.fill(smooth(430, 0, 380, 200, 350, 380, 382, 640, 394, 860, 372, 1080, 388), hex(0x6f7a80))
	c.wave(430, 260, 30, 60, hex(0x6b8d93))
	c.wave(490, 330, 46, 250, hex(0x4b7480))
	t := func(p *path) *path { return p.turned(540, 500, -9, 1) }
	hull := new(path).m(250, 470).l(850, 452).c(840, 510, 800, 560, 740, 570).l(330, 570).c(290, 550, 262, 510, 250, 470).z()
	c.fill(t(rect(420, 350, 220, 122)), hex(0xe7762f))
	c.fill(t(poly(440, 366, 620, 366, 640, 410, 424, 410)), hex(0x2b4454))
	c.fill(t(rect(510, 366, 8, 44)), hex(0xe7762f))
	c.fill(t(rect(566, 366, 8, 44)), hex(0xe7762f))
	c.fill(t(rect(470, 326, 130, 26)), hex(0xc65d20))
	c.fill(t(rect(532, 250, 7, 80)), hex(0xdedbd0))
	c.fill(t(poly(539, 252, 596, 266, 539, 282)), hex(0x2f6f73))
	c.fill(t(hull), hex(0x22384a))
	c.fill(t(poly(250, 470, 850, 452, 846, 478, 256, 496)), hex(0xe7762f))
	c.fill(t(poly(262, 504, 842, 490, 838, 500, 266, 514)), hex(0xf2e6cb))
	for i, x := range []float64{350, 386, 690, 730, 764} {
		c.fill(t(round(x-13, 424, 26, 44, 11)), hex([]uint32{0xd9a441, 0xd9a441, 0xb5533c, 0x7fa08f, 0xd9a441}[i]))
		c.fill(t(disc(x, 414, 12)), hex(0xe0ad89))
	}
	c.ground(glow{540, 320, 120, alpha(hex(0xffe3a0), .5)})
	for range 80 {
		c.fill(disc(c.between(170, 420), c.between(500, 600), c.between(2, 8)), alpha(hex(0xf3f1e6), .55))
	}
	c.wave(566, 300, 40, 130, hex(0x365f6c))
	c.wave(640, 380, 44, 20, hex(0x22444f))
	c.bird(880, 210, 30, hex(0xe6e0d0))
	c.bird(930, 170, 22, hex(0xe6e0d0))
}

func trawler(c *canvas) {
	c.ground(down(0, 440, hex(0x34506b), hex(0xd98f6b), hex(0xf6d9a5)))
	c.sun(300, 430, 70, hex(0xfdeec4))
	c.fill(smooth(450, 620, 450, 720, 380, 850, 360, 960, 390, 1080, 372), hex(0x5b4a5a))
	c.sea(440, hex(0x1d3b50), hex(0xd49a76))
	c.glints(300, 444, 300, 40, hex(0xfdeec4))
	hull := new(path).m(420, 470).c(560, 500, 760, 500, 930, 440).c(920, 520, 880, 570, 830, 584).l(500, 584).c(460, 560, 430, 520, 420, 470).z()
	c.fill(rect(540, 372, 116, 116), hex(0xefe3c8))
	c.fill(rect(530, 360, 136, 16), hex(0x8f3f30))
	c.windows(540, 382, 116, 60, hex(0x46626f), 3, 1)
	c.fill(rect(690, 230, 9, 260), hex(0x3c2f30))
	c.fill(rect(480, 300, 8, 190), hex(0x3c2f30))
	c.fill(line(4, 694, 236, 484, 304), hex(0x3c2f30))
	c.fill(line(4, 694, 236, 910, 446), hex(0x3c2f30))
	c.fill(line(6, 694, 300, 820, 250), hex(0x3c2f30))
	c.fill(new(path).m(700, 320).c(740, 420, 820, 430, 830, 260).l(820, 254).c(800, 360, 760, 400, 700, 320).z(), alpha(hex(0x2f6f73), .75))
	c.fill(hull, hex(0x2b5a6b))
	c.fill(new(path).m(424, 486).c(560, 516, 760, 516, 926, 458).l(922, 474).c(760, 532, 560, 532, 428, 502).z(), hex(0xefe3c8))
	c.fill(rect(452, 560, 420, 24), hex(0x8f3f30))
	for i := range 9 {
		c.bird(560+c.between(-60, 300), 120+c.between(0, 150), 16+float64(i%3)*7, hex(0xfaf0da))
	}
	c.swell(588, 280, 9, 30, hex(0x2a4a5e))
	c.swell(636, 340, 11, 190, hex(0x213f52))
	c.swell(684, 420, 12, 60, hex(0x183244))
}
