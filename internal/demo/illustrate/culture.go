package main

import "math"

// Scenes of stages, games and music.

func theatre(c *canvas) {
	c.ground(down(0, height, hex(0x3a1620), hex(0x571f28)))
	c.fill(rect(150, 60, 780, 560), down(60, 620, hex(0x1c2f46), hex(0x44708a), hex(0xa9c3b8)))
	// The storm of the play: paper waves on slats, and a ship.
	c.ground(glow{540, 200, 330, alpha(hex(0xf7e6b4), .5)})
	c.fill(disc(690, 190, 54), hex(0xf7e6b4))
	for i := range 4 {
		c.cloud(170+float64(i)*190, 170+float64(i%2)*60, 220, alpha(hex(0xe9eee6), .35))
	}
	c.swell(440, 180, 22, 20, hex(0x3f7f8c))
	t := func(p *path) *path { return p.turned(500, 430, -8, 1) }
	c.fill(t(new(path).m(380, 420).l(640, 420).c(630, 470, 600, 490, 570, 490).l(440, 490).c(410, 480, 390, 450, 380, 420).z()), hex(0x8a4a33))
	c.fill(t(rect(500, 240, 8, 184)), hex(0x5c3526))
	c.fill(t(new(path).m(512, 250).c(610, 270, 620, 360, 590, 392).l(512, 392).z()), hex(0xf2e6cb))
	c.fill(t(new(path).m(496, 270).c(430, 300, 420, 360, 430, 392).l(496, 392).z()), hex(0xe0cfa9))
	c.fill(t(poly(508, 240, 556, 228, 508, 216)), hex(0xb5533c))
	c.swell(490, 220, 24, 120, hex(0x2f6673))
	c.swell(550, 260, 24, 50, hex(0x1f4b5a))
	for y := 452.0; y < 620; y += 60 {
		c.fill(rect(150, y+36, 780, 4), alpha(hex(0x12303c), .5))
	}
	// Curtains.
	curtain := func(x0, w float64, dir float64) {
		n := 7
		for i := range n {
			x := x0 + float64(i)*w/float64(n)
			col := mix(hex(0xa8332f), hex(0x6f1d22), float64((i+1)%2)*.75)
			sway := math.Sin(float64(i)*1.3) * 10 * dir
			c.fill(new(path).m(x, 40).l(x+w/float64(n)+1, 40).c(x+w/float64(n)+1, 260, x+w/float64(n)+sway, 420, x+w/float64(n)+sway*2, 640).l(x+sway*2, 640).c(x+sway, 420, x, 260, x, 40).z(), col)
		}
	}
	curtain(60, 230, 1)
	curtain(790, 230, -1)
	c.fill(rect(60, 300, 200, 18).turned(160, 309, 14, 1), hex(0xd9a441))
	c.fill(rect(820, 300, 200, 18).turned(920, 309, -14, 1), hex(0xd9a441))
	for i := range 9 {
		x := 60 + float64(i)*106.7
		c.fill(new(path).m(x, 30).l(x+106.7, 30).l(x+106.7, 80).c(x+96, 150, x+10, 150, x, 80).z(), mix(hex(0xb53a33), hex(0x7f2227), float64(i%2)*.6))
		c.fill(curve(5, x, 84, x+53, 168, x+106.7, 84), hex(0xd9a441))
	}
	c.fill(rect(0, 0, width, 40), hex(0x2a0f17))
	c.fill(rect(0, 0, 62, height), hex(0x2a0f17))
	c.fill(rect(1018, 0, 62, height), hex(0x2a0f17))
	for _, x := range []float64{14, 1032} {
		c.fill(rect(x, 60, 34, 600), hex(0xb5863a))
		c.fill(rect(x+12, 60, 10, 600), hex(0x8a642b))
	}
	c.fill(rect(0, 616, width, 34), hex(0x8a5a3a))
	c.fill(rect(0, 616, width, 6), hex(0xc98f55))
	for i := range 12 {
		x := 120 + float64(i)*76
		c.fill(new(path).m(x-16, 634).c(x-16, 612, x+16, 612, x+16, 634).z(), hex(0xd9a441))
		c.ground(glow{x, 616, 70, alpha(hex(0xffe3a0), .5)})
	}
	for row := range 2 {
		for i := range 11 {
			x := 20 + float64(i)*102 + float64(row)*50
			y := 690 + float64(row)*30
			c.fill(disc(x, y-20, 24), hex(0x160a10))
			c.fill(round(x-40, y, 80, 80, 26), hex(0x160a10))
		}
	}
}

func chess(c *canvas) {
	c.ground(down(0, 460, hex(0x2f4a52), hex(0x54787a), hex(0x86a39a)))
	c.fill(poly(0, 0, 420, 0, 660, 460, 60, 460), alpha(hex(0xfff2cf), .12))
	// The board in perspective.
	const x0, x1, y0, y1 = 250.0, 830.0, 420.0, 690.0
	at := func(u, v float64) (float64, float64) {
		depth := math.Copysign(math.Pow(math.Abs(v), 1.25), v)
		y := y0 + (y1-y0)*depth
		spread := 1 + .75*depth
		return 540 + (u-.5)*(x1-x0)*spread, y
	}
	quad := func(u, v, du, dv float64) *path {
		ax, ay := at(u, v)
		bx, by := at(u+du, v)
		cx, cy := at(u+du, v+dv)
		dx, dy := at(u, v+dv)
		return poly(ax, ay, bx, by, cx, cy, dx, dy)
	}
	c.fill(rect(0, 420, width, 300), hex(0x7b5238))
	c.fill(quad(-.06, -.06, 1.12, 1.12), hex(0x4a2f22))
	for i := range 8 {
		for j := range 8 {
			col := hex(0xefdcb4)
			if (i+j)%2 == 1 {
				col = hex(0xa8683f)
			}
			c.fill(quad(float64(i)/8, float64(j)/8, .125, .125), col)
		}
	}
	base := func(x, y, s float64, col [2]uint32) {
		c.fill(oval(x+s*.1, y+s*.02, s*.34, s*.08), alpha(hex(0x2a1a12), .35))
		c.fill(oval(x, y, s*.28, s*.075), hex(col[1]))
		c.fill(rect(x-s*.28, y-s*.08, s*.56, s*.08), hex(col[0]))
		c.fill(oval(x, y-s*.08, s*.28, s*.07), hex(col[0]))
	}
	body := func(x, y, s, h float64, col [2]uint32) {
		base(x, y, s, col)
		c.fill(new(path).m(x-s*.2, y-s*.1).c(x-s*.1, y-s*h*.5, x-s*.09, y-s*h*.7, x-s*.1, y-s*h).l(x+s*.1, y-s*h).c(x+s*.09, y-s*h*.7, x+s*.1, y-s*h*.5, x+s*.2, y-s*.1).z(), hex(col[0]))
		c.fill(new(path).m(x+s*.02, y-s*.1).l(x+s*.02, y-s*h).l(x+s*.1, y-s*h).c(x+s*.09, y-s*h*.7, x+s*.1, y-s*h*.5, x+s*.2, y-s*.1).z(), hex(col[1]))
		c.fill(oval(x, y-s*h, s*.19, s*.05), hex(col[0]))
	}
	light, dark := [2]uint32{0xf7ead0, 0xd9c49c}, [2]uint32{0x2b2f3a, 0x1a1d26}
	pawn := func(x, y, s float64, col [2]uint32) {
		body(x, y, s, .5, col)
		c.fill(disc(x, y-s*.66, s*.17), hex(col[0]))
	}
	rook := func(x, y, s float64, col [2]uint32) {
		body(x, y, s, .7, col)
		c.fill(rect(x-s*.2, y-s*.96, s*.4, s*.24), hex(col[0]))
		for i := range 3 {
			c.fill(rect(x-s*.2+float64(i)*s*.155, y-s*1.05, s*.09, s*.1), hex(col[0]))
		}
	}
	king := func(x, y, s float64, col [2]uint32) {
		body(x, y, s, .95, col)
		c.fill(poly(x-s*.16, y-s*.98, x+s*.16, y-s*.98, x+s*.22, y-s*1.28, x-s*.22, y-s*1.28), hex(col[0]))
		c.fill(rect(x-s*.03, y-s*1.52, s*.06, s*.26), hex(col[0]))
		c.fill(rect(x-s*.1, y-s*1.45, s*.2, s*.06), hex(col[0]))
	}
	knight := func(x, y, s, dir float64, col [2]uint32) {
		base(x, y, s, col)
		p := new(path).m(x-s*.2*dir, y-s*.1).c(x-s*.3*dir, y-s*.5, x-s*.2*dir, y-s*.95, x+s*.06*dir, y-s*1.1).l(x+s*.1*dir, y-s*1.22).l(x+s*.16*dir, y-s*1.04).
			c(x+s*.3*dir, y-s*.94, x+s*.36*dir, y-s*.8, x+s*.4*dir, y-s*.68).l(x+s*.3*dir, y-s*.6).c(x+s*.2*dir, y-s*.66, x+s*.14*dir, y-s*.64, x+s*.06*dir, y-s*.62).
			c(x+s*.14*dir, y-s*.44, x+s*.22*dir, y-s*.3, x+s*.2*dir, y-s*.1).z()
		c.fill(p, hex(col[0]))
		c.fill(disc(x+s*.14*dir, y-s*.88, s*.035), hex(col[1]))
		c.fill(curve(s*.03, x-s*.14*dir, y-s*.2, x-s*.24*dir, y-s*.7, x+s*.02*dir, y-s*1.0), hex(col[1]))
	}
	place := func(u, v float64) (float64, float64, float64) {
		x, y := at((u+.5)/8, (v+.7)/8)
		return x, y, 92 + 118*math.Pow((v+.7)/8, 1.25)
	}
	type piece struct {
		u, v float64
		put  func(x, y, s float64)
	}
	for _, p := range []piece{
		{1, 0, func(x, y, s float64) { rook(x, y, s, dark) }}, {4, 0, func(x, y, s float64) { king(x, y, s, dark) }},
		{6, 1, func(x, y, s float64) { pawn(x, y, s, dark) }}, {2, 1, func(x, y, s float64) { pawn(x, y, s, dark) }},
		{5, 2, func(x, y, s float64) { knight(x, y, s, -1, dark) }}, {3, 3, func(x, y, s float64) { pawn(x, y, s, light) }},
		{6, 4, func(x, y, s float64) { pawn(x, y, s, dark) }}, {1, 5, func(x, y, s float64) { pawn(x, y, s, light) }},
		{4, 5, func(x, y, s float64) { knight(x, y, s, 1, light) }}, {7, 6, func(x, y, s float64) { rook(x, y, s, light) }},
		{2, 7, func(x, y, s float64) { king(x, y, s, light) }},
	} {
		x, y, s := place(p.u, p.v)
		p.put(x, y, s)
	}
	// The clock.
	c.fill(round(30, 470, 180, 120, 14), hex(0x8a4a33))
	for i := range 2 {
		x := 78 + float64(i)*84
		c.fill(disc(x, 530, 35), hex(0xf7ead0))
		c.fill(line(4, x, 530, x, 506), hex(0x2b2f3a))
		c.fill(line(4, x, 530, x+16-float64(i)*30, 536), hex(0x2b2f3a))
	}
	c.fill(rect(68, 454, 24, 18), hex(0xd9a441))
	c.fill(rect(148, 460, 24, 12), hex(0xd9a441))
}

func pool(c *canvas) {
	c.ground(down(0, 300, hex(0xcfe3e0), hex(0xe9f0e4)))
	// The glass roof and the gallery of the old baths.
	for i := range 8 {
		x := float64(i) * 154
		c.fill(rect(x, 0, 8, 210), hex(0x6f9a98))
	}
	c.fill(rect(0, 66, width, 7), hex(0x6f9a98))
	c.fill(rect(0, 136, width, 7), hex(0x6f9a98))
	c.fill(rect(0, 206, width, 84), hex(0xf3ead6))
	for i := range 10 {
		x := 30 + float64(i)*108
		c.fill(new(path).m(x, 290).l(x, 246).c(x, 220, x+56, 220, x+56, 246).l(x+56, 290).z(), hex(0x3f7f8c))
	}
	c.fill(rect(0, 284, width, 12), hex(0x2f6673))
	// The empty basin, tiled.
	c.fill(poly(90, 296, 990, 296, 1080, 350, 1080, 720, 0, 720, 0, 350), hex(0x9fd0cd))
	c.fill(poly(180, 350, 900, 350, 990, 296, 90, 296), hex(0xb9ded8))
	for i := range 15 {
		t := float64(i) / 14
		c.fill(line(1.6, 180+720*t, 350, -200+1480*t, 720), alpha(hex(0x5da3a4), .7))
	}
	for i := range 9 {
		y := 350 + math.Pow(float64(i)/8, 1.5)*370
		c.fill(line(1.6, 0, y, width, y), alpha(hex(0x5da3a4), .7))
	}
	for _, x := range []float64{360, 540, 720} {
		c.fill(poly(x-4, 350, x+4, 350, 540+(x-540)*2.2+12, 720, 540+(x-540)*2.2-12, 720), alpha(hex(0x2f6673), .55))
	}
	c.fill(rect(40, 230, 70, 130), hex(0xdfe9e2))
	c.fill(line(7, 44, 300, 44, 470), hex(0x8a9a9c))
	c.fill(line(7, 100, 300, 100, 470), hex(0x8a9a9c))
	for i := range 4 {
		c.fill(rect(44, 340+float64(i)*36, 60, 6), hex(0x8a9a9c))
	}
	cello := func(x, y, s float64) {
		b := new(path).m(x, y-s*.62).c(x+s*.2, y-s*.62, x+s*.22, y-s*.44, x+s*.14, y-s*.36).c(x+s*.12, y-s*.32, x+s*.3, y-s*.26, x+s*.26, y-s*.1).
			c(x+s*.22, y+s*.02, x-s*.22, y+s*.02, x-s*.26, y-s*.1).c(x-s*.3, y-s*.26, x-s*.12, y-s*.32, x-s*.14, y-s*.36).c(x-s*.22, y-s*.44, x-s*.2, y-s*.62, x, y-s*.62).z()
		tilt := func(p *path) *path { return p.turned(x, y, 12, 1) }
		c.fill(tilt(rect(x-s*.03, y-s*1.12, s*.06, s*.6)), hex(0x3a251e))
		c.fill(tilt(b), hex(0xa8562f))
		c.fill(tilt(rect(x-s*.035, y-s*.66, s*.07, s*.4)), hex(0x3a251e))
		c.fill(tilt(curve(s*.025, x-s*.12, y-s*.34, x-s*.07, y-s*.24, x-s*.13, y-s*.16)), hex(0x3a251e))
		c.fill(tilt(curve(s*.025, x+s*.12, y-s*.34, x+s*.07, y-s*.24, x+s*.13, y-s*.16)), hex(0x3a251e))
		c.fill(tilt(rect(x-s*.008, y, s*.016, s*.16)), hex(0x8a8f90))
	}
	player := func(x, y, s float64, coat, skin uint32) {
		c.fill(oval(x, y+s*.06, s*.6, s*.08), alpha(hex(0x2f6673), .3))
		c.fill(rect(x-s*.2, y-s*.36, s*.4, s*.06), hex(0x5c4436))
		c.fill(line(s*.05, x-s*.18, y-s*.32, x-s*.22, y+s*.04), hex(0x5c4436))
		c.fill(line(s*.05, x+s*.18, y-s*.32, x+s*.22, y+s*.04), hex(0x5c4436))
		c.fill(round(x-s*.2, y-s*.86, s*.4, s*.54, s*.16), hex(coat))
		c.fill(disc(x, y-s*1.02, s*.15), hex(skin))
		c.fill(new(path).m(x-s*.16, y-s*1.02).c(x-s*.16, y-s*1.24, x+s*.16, y-s*1.24, x+s*.16, y-s*1.02).z(), hex(0x3a2b2a))
		c.fill(line(s*.13, x-s*.1, y-s*.3, x-s*.24, y+s*.02), hex(0x22303f))
		c.fill(line(s*.13, x+s*.1, y-s*.3, x+s*.3, y+s*.02), hex(0x22303f))
	}
	player(290, 470, 130, 0x2b3a4a, 0xe0ad89)
	player(800, 470, 130, 0x7b3f4c, 0xd6a07c)
	player(540, 560, 190, 0x22303f, 0xe0ad89)
	cello(560, 584, 210)
	c.fill(line(5, 470, 500, 660, 470), hex(0x5c4436))
	c.fill(line(22, 600, 430, 650, 478), hex(0x22303f))
	for _, p := range [][3]float64{{330, 430, 1}, {840, 428, -1}} {
		c.fill(oval(p[0]-p[2]*36, p[1]-44, 26, 13).turned(p[0]-p[2]*36, p[1]-44, -28*p[2], 1), hex(0xa8562f))
		c.fill(line(4, p[0]-90, p[1]-26, p[0]+30, p[1]-66), hex(0x5c4436))
	}
	for _, x := range []float64{420, 680} {
		c.fill(line(4, x, 480, x, 560), hex(0x3a3540))
		c.fill(poly(x-34, 440, x+34, 440, x+28, 486, x-28, 486), hex(0x3a3540))
		c.fill(poly(x-26, 446, x-2, 446, x-3, 478, x-23, 478), hex(0xf7f1e2))
		c.fill(poly(x+26, 446, x+2, 446, x+3, 478, x+23, 478), hex(0xf7f1e2))
	}
	for i := range 12 {
		x := 120 + float64(i)*76
		c.fill(disc(x, 704, 26), hex(0x22404b))
		c.fill(round(x-36, 712, 72, 60, 20), hex(0x22404b))
	}
}

func piano(c *canvas) {
	c.ground(down(0, 470, hex(0x9fc3cf), hex(0xe6e4d0), hex(0xf7ead0)))
	for i := range 6 {
		c.block(float64(i)*190-20, 470, 180, c.between(210, 330), hex([]uint32{0xdba98a, 0xe6cda6, 0xb9c1a8, 0xd9bd94, 0xc99a7d, 0xe3cba4}[i]), hex(0x5c7377), 3, 4)
	}
	c.tower(860, 470, 420, hex(0xe3c9a0), hex(0x4f6a74), hex(0x3a3540))
	c.fill(rect(0, 468, width, 252), down(468, 720, hex(0xd9c8a4), hex(0xb5a283)))
	for i := range 7 {
		y := 480 + float64(i*i)*5
		c.fill(line(1.5, 0, y, width, y), alpha(hex(0x8a7b66), .5))
	}
	for i := range 13 {
		x := float64(i) * 90
		c.fill(line(1.5, x, 470, 540+(x-540)*1.8, 720), alpha(hex(0x8a7b66), .35))
	}
	for _, x := range []float64{70, 1000} {
		c.tree(x, 560, 290, hex(0x6f8f6b), hex(0x5c4436))
	}
	c.fill(oval(500, 664, 330, 26), alpha(hex(0x5c4a3c), .35))
	// An upright, painted by many hands.
	c.fill(rect(300, 300, 380, 330), hex(0x2f6f73))
	c.fill(rect(286, 286, 408, 22), hex(0x22545a))
	c.fill(rect(300, 630, 40, 26), hex(0x22545a))
	c.fill(rect(640, 630, 40, 26), hex(0x22545a))
	for i, p := range [][3]float64{{380, 360, 40}, {600, 370, 46}, {490, 340, 28}, {440, 410, 22}, {560, 420, 20}} {
		col := []uint32{0xd9a441, 0xb5533c, 0xf2e6cb, 0xe08a55, 0x86b0a4}[i]
		for k := range 6 {
			s, co := math.Sincos(float64(k) * math.Pi / 3)
			c.fill(oval(p[0]+co*p[2]*.55, p[1]+s*p[2]*.55, p[2]*.36, p[2]*.36), hex(col))
		}
		c.fill(disc(p[0], p[1], p[2]*.32), hex(0xf7ead0))
	}
	c.fill(curve(8, 320, 590, 420, 500, 660, 580), hex(0xd9a441))
	c.fill(curve(8, 320, 610, 480, 540, 660, 606), hex(0xe08a55))
	c.fill(poly(270, 452, 710, 452, 730, 500, 250, 500), hex(0x22545a))
	for i := range 22 {
		c.fill(poly(276+float64(i)*19.4, 458, 293+float64(i)*19.4, 458, 294+float64(i)*19.6, 492, 273+float64(i)*19.8, 492), hex(0xf7f1e2))
	}
	for i := range 21 {
		if i%7 == 2 || i%7 == 6 {
			continue
		}
		c.fill(rect(288+float64(i)*19.4, 458, 11, 20), hex(0x22282b))
	}
	// Two who play.
	for _, p := range []struct {
		x    float64
		coat uint32
		hair uint32
	}{{420, 0xb5533c, 0x3b2a26}, {560, 0xd9a441, 0x6b4430}} {
		c.fill(round(p.x-46, 470, 92, 130, 36), hex(p.coat))
		c.fill(disc(p.x, 436, 40), hex(p.hair))
		c.fill(line(20, p.x-36, 500, p.x-56, 478), hex(p.coat))
		c.fill(line(20, p.x+36, 500, p.x+54, 478), hex(p.coat))
	}
	c.fill(rect(370, 598, 240, 22), hex(0x5c4436))
	c.fill(rect(384, 618, 14, 60), hex(0x5c4436))
	c.fill(rect(582, 618, 14, 60), hex(0x5c4436))
	c.person(800, 640, 170, hex(0x7b4a58), hex(0xe0ad89))
	c.person(850, 646, 120, hex(0x86b0a4), hex(0xe0ad89))
	c.person(180, 636, 166, hex(0x3a4a58), hex(0xd6a07c))
	for _, n := range [][2]float64{{330, 210}, {420, 170}, {600, 190}, {690, 230}} {
		c.fill(oval(n[0], n[1], 13, 10).turned(n[0], n[1], -20, 1), hex(0x3a3540))
		c.fill(line(4, n[0]+11, n[1]-2, n[0]+11, n[1]-48), hex(0x3a3540))
		c.fill(curve(5, n[0]+11, n[1]-46, n[0]+26, n[1]-40, n[0]+26, n[1]-22), hex(0x3a3540))
	}
}
