package main

import "math"

// Scenes of the country around, of gardens and of the sky.

func windmills(c *canvas) {
	c.ground(down(0, 470, hex(0x8fb8c8), hex(0xe9dfc2), hex(0xf8e8c4)))
	c.sun(860, 300, 70, hex(0xfff0c6))
	c.cloud(80, 160, 300, alpha(hex(0xffffff), .75))
	c.cloud(520, 110, 260, alpha(hex(0xffffff), .55))
	c.fill(smooth(560, 0, 430, 220, 360, 460, 420, 700, 370, 900, 410, 1080, 380), hex(0xb9bf8f))
	mill := func(x, y, s, turn float64) {
		c.fill(poly(x-s*.2, y, x+s*.2, y, x+s*.13, y-s*.72, x-s*.13, y-s*.72), hex(0xf0e6d0))
		c.fill(poly(x, y, x+s*.2, y, x+s*.13, y-s*.72, x, y-s*.72), hex(0xd6c8aa))
		c.fill(new(path).m(x-s*.16, y-s*.7).c(x-s*.14, y-s*.9, x+s*.14, y-s*.9, x+s*.16, y-s*.7).z(), hex(0x8f4a3a))
		c.fill(rect(x-s*.05, y-s*.2, s*.1, s*.2), hex(0x6b4a36))
		c.fill(rect(x-s*.035, y-s*.48, s*.07, s*.09), hex(0x5c6f73))
		for i := range 4 {
			a := turn + float64(i)*90
			cx, cy := x, y-s*.72
			c.fill(line(s*.03, cx, cy, cx, cy-s*.72).turned(cx, cy, a, 1), hex(0x5c4436))
			c.fill(rect(cx, cy-s*.72, s*.14, s*.52).turned(cx, cy, a, 1), hex(0xf7ecd0))
			for j := range 5 {
				c.fill(rect(cx, cy-s*.72+float64(j)*s*.12, s*.14, s*.012).turned(cx, cy, a, 1), hex(0x8a6446))
			}
			c.fill(rect(cx+s*.067, cy-s*.72, s*.01, s*.52).turned(cx, cy, a, 1), hex(0x8a6446))
		}
		c.fill(disc(x, y-s*.72, s*.035), hex(0x3a2f2a))
	}
	mill(810, 420, 150, 32)
	c.fill(smooth(640, 0, 500, 260, 440, 520, 500, 800, 450, 1080, 490), hex(0x9aad74))
	mill(330, 500, 300, 14)
	c.fill(smooth(720, 0, 590, 240, 550, 520, 600, 800, 560, 1080, 590), hex(0xd9b658))
	for i := range 90 {
		x := float64(i)*12 + c.between(-5, 5)
		y := c.between(610, 720)
		c.fill(line(2, x, y, x+c.between(-4, 4), y-26), hex(0xb58f3a))
	}
	c.fill(new(path).m(560, 720).c(600, 660, 520, 620, 470, 590).c(430, 560, 360, 540, 332, 500).l(344, 500).c(390, 540, 470, 560, 520, 590).c(600, 630, 690, 670, 690, 720).z(), hex(0xf0dfb4))
	for range 7 {
		c.poplar(c.between(900, 1060), c.between(490, 520), c.between(80, 140), hex(0x5f7f5a))
	}
}

func marsh(c *canvas) {
	c.ground(down(0, 420, hex(0x6f8fa8), hex(0xe0b79f), hex(0xf7dcae)))
	c.sun(540, 350, 64, hex(0xfff0c6))
	c.fill(smooth(400, 0, 350, 200, 330, 440, 356, 700, 336, 1080, 352), hex(0x8f8f96))
	c.fill(rect(0, 380, width, 340), down(380, 720, hex(0xf0cfa8), hex(0x9fb0aa), hex(0x4f7a80)))
	c.glints(540, 386, 260, 34, hex(0xfff4d6))
	for _, p := range [][3]float64{{-40, 440, 360}, {700, 430, 460}, {200, 520, 300}, {-60, 600, 420}, {640, 560, 520}} {
		c.fill(oval(p[0]+p[2]/2, p[1], p[2]/2, 16+p[2]*.02), hex(0x7c8a5a))
		c.fill(oval(p[0]+p[2]/2, p[1]+6, p[2]/2, 10+p[2]*.02), alpha(hex(0x4f6a4a), .6))
		for range int(p[2] / 7) {
			x := p[0] + c.between(10, p[2]-10)
			c.fill(line(2, x, p[1], x+c.between(-6, 6), p[1]-c.between(14, 34)), hex(0x67774a))
		}
	}
	wader := func(x, y, s, dir float64, body uint32) {
		b := func(dx, dy float64) (float64, float64) { return x + dx*s*dir, y + dy*s }
		lx, ly := b(-.02, 0)
		c.fill(line(s*.035, lx, ly, x-.04*s*dir, y-.62*s), hex(0xb5533c))
		c.fill(line(s*.035, x+.1*s*dir, y, x+.06*s*dir, y-.62*s), hex(0xb5533c))
		c.fill(oval(x, y-.78*s, s*.34, s*.2).turned(x, y-.78*s, -14*dir, 1), hex(body))
		c.fill(new(path).m(x-.1*s*dir, y-.9*s).c(x-.3*s*dir, y-.86*s, x-.5*s*dir, y-.72*s, x-.52*s*dir, y-.62*s).c(x-.3*s*dir, y-.6*s, x, y-.64*s, x+.1*s*dir, y-.74*s).z(), hex(0x2b2f33))
		c.fill(curve(s*.1, x+.2*s*dir, y-.86*s, x+.42*s*dir, y-1.0*s, x+.36*s*dir, y-1.24*s), hex(body))
		c.fill(disc(x+.38*s*dir, y-1.28*s, s*.1), hex(body))
		c.fill(curve(s*.035, x+.44*s*dir, y-1.28*s, x+.7*s*dir, y-1.3*s, x+.86*s*dir, y-1.16*s), hex(0x2b2f33))
		c.fill(disc(x+.4*s*dir, y-1.3*s, s*.018), hex(0x2b2f33))
	}
	wader(330, 640, 170, 1, 0xf7efe0)
	wader(820, 600, 130, -1, 0xf7efe0)
	wader(560, 540, 84, 1, 0xf7efe0)
	wader(660, 520, 66, -1, 0xf7efe0)
	wader(950, 500, 60, 1, 0xf7efe0)
	wader(140, 500, 64, -1, 0xf7efe0)
	for i := range 26 {
		t := float64(i)
		c.bird(250+t*24+c.between(-24, 24), 130+math.Abs(t-13)*7+c.between(-26, 26), c.between(9, 17), hex(0x4a4450))
	}
	for range 26 {
		x := c.between(-10, 200)
		c.fill(curve(4, x, 720, x+10, 640, x+c.between(-10, 40), 560), hex(0x4f6340))
	}
	for _, x := range []float64{40, 92, 150, 1010, 1050} {
		h := c.between(150, 210)
		c.fill(line(4, x, 720, x+8, 720-h), hex(0x4f6340))
		c.fill(round(x+1, 720-h-46, 14, 54, 7), hex(0x6b4430))
	}
}

func lily(c *canvas) {
	c.ground(down(0, height, hex(0x10202b), hex(0x17323a), hex(0x0f2a30)))
	// The iron ribs of the glasshouse against the night.
	c.moon(850, 120, 42, hex(0xfbf0cf))
	c.stars(70, 280)
	for i := range 9 {
		x := float64(i) * 135
		c.fill(curve(5, x, 330, x+(540-x)*.2, 130, 540+(x-540)*.35, 0), hex(0x24454a))
	}
	for i := range 3 {
		c.fill(curve(4, 0, 110+float64(i)*84, 540, 60+float64(i)*98, 1080, 110+float64(i)*84), hex(0x24454a))
	}
	c.fill(rect(0, 330, width, 8), hex(0x24454a))
	for i := range 9 {
		x := float64(i)*140 - 30
		for j := range 5 {
			a := -150 + float64(j)*30.0
			s, co := math.Sincos(a * math.Pi / 180)
			c.fill(curve(13, x, 380, x+co*60, 380+s*110, x+co*150, 350+s*70), mix(hex(0x1d4a3c), hex(0x2f6b4a), c.random.Float64()))
		}
	}
	c.fill(rect(0, 370, width, 350), down(370, 720, hex(0x1c4148), hex(0x0c2026)))
	c.glints(850, 380, 160, 22, hex(0xfbf0cf))
	pad := func(x, y, r float64) {
		c.fill(oval(x, y+r*.06, r, r*.36), hex(0x183f35))
		c.fill(oval(x, y, r, r*.34), hex(0x3f7d58))
		c.fill(oval(x, y+r*.015, r*.9, r*.29), hex(0x55946a))
		for i := range 10 {
			s, co := math.Sincos(float64(i) * math.Pi / 5)
			c.fill(line(2.4, x, y, x+co*r*.86, y+s*r*.27), alpha(hex(0x2f6b4a), .8))
		}
	}
	pad(190, 470, 120)
	pad(860, 460, 130)
	pad(560, 430, 84)
	pad(120, 620, 170)
	pad(960, 640, 190)
	pad(540, 610, 210)
	// The flower.
	c.ground(glow{540, 510, 330, alpha(hex(0xffe6d0), .6)})
	for ring := range 3 {
		n := 11 - ring*2
		for i := range n {
			a := -90 + (float64(i)-float64(n-1)/2)*(168-float64(ring)*26)/float64(n-1)
			l := 190 - float64(ring)*34
			cx, cy := 540.0, 590.0
			p := new(path).m(cx, cy).c(cx-l*.17, cy-l*.4, cx-l*.13, cy-l*.8, cx, cy-l).c(cx+l*.13, cy-l*.8, cx+l*.17, cy-l*.4, cx, cy).z()
			col := mix(hex(0xf6d3c9), hex(0xfff6ea), float64(ring)/2.4)
			if i%2 == 0 {
				col = mix(col, hex(0xe3a39c), .28)
			}
			c.fill(p.turned(cx, cy, a+90, 1), col)
		}
	}
	for i := range 9 {
		a := (float64(i) - 4) * 11
		c.fill(line(5, 540, 590, 540, 520).turned(540, 590, a, 1), hex(0xe3b745))
	}
	c.fill(oval(540, 594, 70, 16), hex(0x3f7d58))
}

func observatory(c *canvas) {
	c.ground(down(0, 640, hex(0x0f1630), hex(0x26305c), hex(0x5f5b86)))
	c.stars(320, 560)
	for _, m := range [][4]float64{{150, 60, 360, 170}, {300, 30, 460, 116}, {640, 90, 900, 220}, {840, 40, 1000, 122}, {60, 250, 220, 330}, {900, 280, 1030, 344}} {
		d := across(m[0], m[2], alpha(hex(0xfff4d6), .02), alpha(hex(0xfff4d6), .95))
		c.fill(line(3.4, m[0], m[1], m[2], m[3]), d)
		c.fill(disc(m[2], m[3], 4), hex(0xfff9e6))
		c.ground(glow{m[2], m[3], 40, alpha(hex(0xfff4d6), .7)})
	}
	c.fill(smooth(720, 0, 600, 200, 560, 400, 520, 600, 500, 800, 540, 1080, 590), hex(0x1d2240))
	c.fill(rect(390, 410, 300, 130), hex(0xe3d7c0))
	c.fill(rect(540, 410, 150, 130), hex(0xbfb29c))
	c.fill(rect(374, 400, 332, 16), hex(0x8a7f72))
	c.fill(new(path).m(392, 402).c(392, 180, 688, 180, 688, 402).z(), hex(0xcfd6d6))
	c.fill(new(path).m(540, 236).c(620, 236, 688, 300, 688, 402).l(540, 402).z(), hex(0xa3adb3))
	c.fill(new(path).m(500, 402).c(486, 330, 500, 270, 560, 228).l(622, 250).c(572, 290, 560, 340, 570, 402).z(), hex(0x171b33))
	c.fill(poly(520, 400, 548, 400, 632, 214, 598, 200), hex(0xd9a441))
	c.fill(poly(594, 206, 640, 222, 648, 204, 600, 186), hex(0xb5863a))
	c.fill(rect(420, 450, 40, 90), hex(0x5c4a45))
	c.windows(480, 430, 200, 80, hex(0xf3b745), 4, 1)
	c.ground(glow{580, 470, 150, alpha(hex(0xf3b745), .35)})
	c.fill(new(path).m(430, 720).c(440, 660, 520, 620, 470, 580).c(450, 560, 436, 552, 430, 540).l(456, 540).c(470, 556, 500, 570, 520, 590).c(560, 630, 540, 670, 560, 720).z(), hex(0x4a4668))
	c.fill(smooth(720, 0, 680, 260, 640, 560, 690, 820, 640, 1080, 670), hex(0x12152c))
	for _, x := range []float64{40, 90, 150, 880, 940, 1000, 1050} {
		h := c.between(90, 170)
		for j := range 4 {
			y := 680 - float64(j)*h*.2
			w := h * (.32 - .06*float64(j))
			c.fill(poly(x-w, y, x, y-h*.4, x+w, y), hex(0x0d1024))
		}
	}
	for _, x := range []float64{240, 286, 330, 700, 742} {
		c.person(x, 660, c.between(64, 84), hex(0x0d1024), hex(0x1d2240))
	}
}

func hedgehog(c *canvas) {
	c.ground(down(0, height, hex(0x17233a), hex(0x29445a), hex(0x3f6b66)))
	c.moon(200, 130, 56, hex(0xfbf0cf))
	c.stars(90, 320)
	for i := range 5 {
		c.house(60+float64(i)*215, 480, 150, c.between(110, 160), hex(0x22324a), hex(0x182338), hex(0x22324a), 0, 0)
		c.lit(60+float64(i)*215, 350, 150, 120, 3, 2, .5, hex(0xf3c565))
	}
	c.fill(rect(0, 470, width, 60), hex(0x2b4a44))
	for range 120 {
		c.fill(disc(c.between(0, width), c.between(452, 500), c.between(10, 26)), mix(hex(0x24483f), hex(0x3a6b54), c.random.Float64()))
	}
	c.fill(poly(0, 520, width, 520, width, 720, 0, 720), hex(0x3b4552))
	for i := range 9 {
		x := 90 + float64(i)*105
		c.fill(poly(x, 540, x+56, 540, x+56+(x-480)*.16, 700, x+(x-520)*.16, 700), hex(0xe6dfcb))
	}
	// The sign.
	c.fill(rect(884, 300, 10, 240), hex(0x8a8f90))
	c.fill(poly(889, 170, 970, 310, 808, 310), hex(0xb5533c))
	c.fill(poly(889, 198, 946, 297, 832, 297), hex(0xf7efdc))
	c.fill(new(path).m(856, 284).c(856, 250, 910, 246, 916, 276).l(928, 284).z(), hex(0x2b2f33))
	hog := func(x, y, s float64) {
		c.fill(oval(x, y+s*.02, s*.9, s*.07), alpha(hex(0x10182a), .5))
		for i := range 26 {
			a := 176 + float64(i)*6.6
			si, co := math.Sincos(a * math.Pi / 180)
			bx, by := x+co*s*.62, y-s*.12+si*s*.48
			c.fill(poly(bx-si*s*.06, by+co*s*.06, bx+co*s*.2, by+si*s*.2, bx+si*s*.06, by-co*s*.06), hex(0x4a3528))
		}
		c.fill(new(path).m(x-s*.72, y-s*.04).c(x-s*.72, y-s*.72, x+s*.56, y-s*.74, x+s*.62, y-s*.06).z(), hex(0x6b4c38))
		for range int(s * .5) {
			px, py := x+c.between(-.56, .42)*s, y-c.between(.12, .52)*s
			c.fill(poly(px-2, py, px-s*.05, py-s*.1, px+3, py), alpha(hex(0xc9a27c), .75))
		}
		c.fill(new(path).m(x+s*.3, y-s*.34).c(x+s*.6, y-s*.36, x+s*.8, y-s*.12, x+s*.98, y-s*.08).c(x+s*.9, y+s*.02, x+s*.4, y+s*.04, x+s*.24, y-s*.02).z(), hex(0xe0bf98))
		c.fill(disc(x+s*.98, y-s*.08, s*.05), hex(0x22180f))
		c.fill(disc(x+s*.64, y-s*.2, s*.04), hex(0x22180f))
		c.fill(disc(x+s*.36, y-s*.32, s*.08), hex(0xb98f68))
		for _, dx := range []float64{-.4, -.1, .3} {
			c.fill(round(x+dx*s, y-s*.06, s*.14, s*.1, s*.04), hex(0x8a6446))
		}
	}
	hog(430, 640, 150)
	hog(190, 610, 76)
	hog(80, 600, 62)
	c.lamp(680, 530, 330, hex(0x1b2436), hex(0xfbe3a1))
}
