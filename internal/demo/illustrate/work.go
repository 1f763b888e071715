package main

import "math"

// Scenes of work, sport and movement.

func tram(c *canvas) {
	c.ground(down(0, 460, hex(0x9fc0c9), hex(0xdfe5d8), hex(0xf5ead2)))
	c.skyline(430, 120, 240, hex(0xd9b48f), hex(0xc69a7d), hex(0xe6cda6), hex(0xb58a74))
	for _, x := range []float64{90, 270, 880, 1010} {
		c.tree(x, 520, 210, hex(0x6f8f6b), hex(0x5c4436))
	}
	c.fill(rect(0, 500, width, 220), down(500, 720, hex(0xcbb99b), hex(0x9b8a75)))
	c.fill(rect(0, 512, width, 16), hex(0xe4d6b8))
	for _, x := range []float64{150, 930} {
		c.fill(rect(x, 190, 9, 340), hex(0x3e4a50))
		c.fill(line(5, x+4, 200, x+110, 226), hex(0x3e4a50))
	}
	c.fill(line(3, 0, 222, width, 222), hex(0x3e4a50))
	c.fill(poly(470, 292, 520, 226, 530, 226, 484, 292), hex(0x3e4a50))
	c.fill(poly(560, 292, 524, 226, 514, 226, 546, 292), hex(0x3e4a50))
	c.fill(new(path).m(180, 590).l(180, 350).c(180, 310, 210, 296, 250, 296).l(820, 296).c(880, 296, 914, 340, 926, 420).l(940, 540).c(944, 576, 930, 590, 900, 590).z(), hex(0xa8452f))
	c.fill(new(path).m(180, 500).l(934, 500).l(940, 540).c(944, 576, 930, 590, 900, 590).l(180, 590).z(), hex(0xefe2c6))
	c.fill(round(206, 338, 560, 116, 14), hex(0x2c4750))
	c.fill(new(path).m(784, 338).l(826, 338).c(862, 344, 884, 380, 896, 454).l(784, 454).z(), hex(0x3f626c))
	for _, x := range []float64{346, 490, 634} {
		c.fill(rect(x, 338, 8, 116), hex(0xa8452f))
	}
	for _, p := range [][2]float64{{256, 0}, {306, 1}, {408, 2}, {560, 1}, {590, 0}, {700, 2}} {
		col := []uint32{0xd9a441, 0x7fa08f, 0xe3a48d}[int(p[1])]
		c.fill(round(p[0]-22, 412, 44, 42, 16), hex(col))
		c.fill(disc(p[0], 398, 16), hex(0xe6bd9a))
	}
	c.fill(poly(220, 338, 290, 338, 250, 454, 206, 454), alpha(hex(0xffffff), .1))
	c.fill(round(852, 506, 62, 24, 12), hex(0xf9e7ae))
	c.ground(glow{900, 518, 130, alpha(hex(0xf9e7ae), .6)})
	c.fill(round(804, 306, 70, 24, 6), hex(0x22282b))
	c.fill(rect(816, 312, 8, 12), hex(0xf3b745))
	c.fill(rect(830, 312, 30, 4), hex(0xf3b745))
	c.fill(rect(830, 320, 22, 4), hex(0xf3b745))
	for _, x := range []float64{290, 390, 700, 800} {
		c.fill(disc(x, 594, 24), hex(0x2b2f33))
		c.fill(disc(x, 594, 9), hex(0x8a8f90))
	}
	c.fill(rect(220, 572, 640, 12), hex(0x2b2f33))
	c.fill(rect(0, 618, width, 5), hex(0x5a4f46))
	c.fill(rect(0, 664, width, 6), hex(0x5a4f46))
	c.person(1006, 612, 128, hex(0x2f6f73), hex(0xe0ad89))
	c.person(1046, 616, 88, hex(0xd9a441), hex(0xe0ad89))
}

func pitch(c *canvas) {
	c.ground(down(0, 330, hex(0x18233a), hex(0x34506b), hex(0x6f8c94)))
	for _, x := range []float64{110, 970} {
		c.fill(rect(x-6, 80, 12, 300), hex(0x20303f))
		c.fill(rect(x-62, 46, 124, 52), hex(0x20303f))
		for i := range 4 {
			for j := range 2 {
				c.fill(disc(x-44+float64(i)*29, 60+float64(j)*24, 10), hex(0xfff6dc))
			}
		}
		c.ground(glow{x, 72, 420, alpha(hex(0xfff6dc), .5)})
	}
	c.fill(rect(0, 250, width, 110), hex(0x26384b))
	for range 620 {
		c.fill(disc(c.between(0, width), c.between(258, 350), c.between(3, 5.4)), alpha(hex([]uint32{0xd9a441, 0xf2e6cb, 0xb5533c, 0x7fa08f, 0x5f7f96}[c.random.IntN(5)]), c.between(.35, .8)))
	}
	c.fill(rect(0, 350, width, 26), hex(0xefe2c6))
	for i := range 9 {
		c.fill(rect(40+float64(i)*124, 356, 84, 14), hex([]uint32{0xa8452f, 0x2f6f73, 0xd9a441}[i%3]))
	}
	for i := range 7 {
		y0 := 376 + float64(i*i)*7.2
		y1 := 376 + float64((i+1)*(i+1))*7.2
		col := hex(0x4f8a52)
		if i%2 == 1 {
			col = hex(0x447c49)
		}
		c.fill(rect(0, y0, width, y1-y0+1), col)
	}
	c.fill(poly(150, 690, 930, 690, 900, 684, 180, 684), hex(0xf2efe0))
	c.fill(poly(150, 690, 300, 470, 306, 470, 160, 690), hex(0xf2efe0))
	c.fill(poly(930, 690, 780, 470, 774, 470, 920, 690), hex(0xf2efe0))
	c.fill(rect(300, 466, 480, 5), hex(0xf2efe0))
	// The goal and its net.
	for i := range 19 {
		x := 392 + float64(i)*16.4
		c.fill(line(1.2, x, 300, 400+float64(i)*15.6, 470), alpha(hex(0xf2efe0), .55))
	}
	for i := range 10 {
		y := 304 + float64(i)*17
		c.fill(line(1.2, 390, y, 690, y), alpha(hex(0xf2efe0), .55))
	}
	c.fill(rect(384, 292, 9, 180), hex(0xfbf8ee))
	c.fill(rect(687, 292, 9, 180), hex(0xfbf8ee))
	c.fill(rect(384, 292, 312, 9), hex(0xfbf8ee))
	// A keeper at full stretch, and the ball beyond.
	k := func(p *path) *path { return p.turned(560, 430, -24, 1) }
	c.fill(k(round(500, 400, 110, 46, 22)), hex(0xd9a441))
	c.fill(k(line(16, 600, 414, 672, 386)), hex(0xd9a441))
	c.fill(k(disc(678, 384, 13)), hex(0xf2efe0))
	c.fill(k(disc(626, 404, 20)), hex(0xe0ad89))
	c.fill(k(line(18, 506, 430, 430, 440)), hex(0x22303f))
	c.fill(k(line(18, 506, 414, 440, 396)), hex(0x22303f))
	c.fill(disc(664, 320, 17), hex(0xfbf8ee))
	c.fill(poly(660, 312, 670, 314, 671, 324, 662, 328, 655, 320), hex(0x22303f))
	c.fill(oval(300, 640, 50, 10), alpha(hex(0x1f3d26), .5))
	c.fill(round(272, 470, 62, 96, 24), hex(0xa8452f))
	c.fill(disc(308, 452, 22), hex(0xd6a07c))
	c.fill(line(20, 290, 560, 268, 636), hex(0x22303f))
	c.fill(line(20, 316, 560, 372, 602), hex(0x22303f))
	c.fill(line(15, 330, 490, 378, 520), hex(0xa8452f))
	c.fill(line(15, 278, 490, 240, 540), hex(0xa8452f))
	c.fill(rect(292, 496, 24, 34), hex(0xefe2c6))
}

func bicycle(c *canvas) {
	c.ground(down(0, height, hex(0xf1dfbd), hex(0xf7ecd6)))
	for i := range 5 {
		c.house(40+float64(i)*208, 470, 172, c.between(170, 260), hex([]uint32{0xd9a98a, 0xe6cda6, 0xc9b091, 0xb9c1a8, 0xdfb68f}[i]), hex([]uint32{0x8f4a3a, 0x6d5a5e, 0x8f4a3a, 0x556f6d, 0x7b4a3e}[i]), hex(0x5c6f73), 3, 3)
	}
	c.fill(rect(0, 466, width, 254), hex(0xb8a78c))
	c.fill(rect(0, 466, width, 14), hex(0xe9dcc0))
	c.fill(poly(0, 560, width, 540, width, 700, 0, 720), hex(0x6f8f77))
	c.fill(poly(0, 566, width, 546, width, 552, 0, 573), hex(0xf3ead4))
	for i := range 8 {
		x := float64(i)*150 - 10
		c.fill(poly(x, 636, x+70, 634, x+72, 640, x+2, 643), hex(0xf3ead4))
	}
	wheel := func(x, y float64) {
		c.fill(ring(x, y, 104, 11), hex(0x2b2f33))
		for i := range 14 {
			s, co := math.Sincos(float64(i) * math.Pi / 7)
			c.fill(line(1.6, x, y, x+co*95, y+s*95), alpha(hex(0x2b2f33), .55))
		}
		c.fill(disc(x, y, 10), hex(0x2b2f33))
	}
	wheel(372, 560)
	wheel(724, 552)
	frame := hex(0xa8452f)
	c.fill(line(13, 372, 560, 492, 396), frame)
	c.fill(line(13, 372, 560, 528, 558), frame)
	c.fill(line(13, 492, 396, 528, 558), frame)
	c.fill(line(13, 492, 412, 664, 396), frame)
	c.fill(line(13, 528, 558, 670, 420), frame)
	c.fill(line(13, 656, 360, 724, 552), frame)
	c.fill(line(11, 656, 364, 640, 320), hex(0x2b2f33))
	c.fill(curve(11, 640, 322, 690, 300, 708, 336), hex(0x2b2f33))
	c.fill(line(11, 492, 396, 482, 352), hex(0x2b2f33))
	c.fill(new(path).m(436, 344).c(460, 332, 520, 336, 540, 346).c(520, 362, 460, 366, 436, 344).z(), hex(0x5c4436))
	c.fill(ring(528, 558, 30, 8), hex(0x2b2f33))
	c.fill(line(8, 528, 558, 552, 606), hex(0x2b2f33))
	c.fill(round(536, 600, 42, 11, 5), hex(0x2b2f33))
	// A basket with leeks and a loaf.
	c.fill(poly(676, 350, 800, 346, 786, 428, 694, 430), hex(0xc79a68))
	for i := range 4 {
		c.fill(line(4, 680+float64(i)*2, 366+float64(i)*18, 796-float64(i)*3, 362+float64(i)*18), hex(0x8a6446))
	}
	c.fill(line(20, 716, 350, 690, 246), hex(0xd99a4f))
	c.fill(line(12, 748, 348, 752, 262), hex(0xe9e6cf))
	c.fill(poly(746, 270, 758, 270, 784, 196, 752, 222, 730, 196), hex(0x5f8a4f))
	c.fill(line(12, 776, 348, 790, 274), hex(0xe9e6cf))
	c.fill(poly(784, 282, 796, 282, 826, 216, 792, 240, 772, 210), hex(0x6f9a5a))
}

func bakery(c *canvas) {
	c.ground(hex(0xe3cba4))
	for y := 0.0; y < 480; y += 30 {
		for x := -30.0; x < width; x += 74 {
			o := 0.0
			if int(y/30)%2 == 1 {
				o = 37
			}
			c.fill(round(x+o, y, 70, 26, 3), mix(hex(0xd9b98e), hex(0xe9d4ae), c.random.Float64()))
		}
	}
	c.fill(rect(110, 70, 860, 560), hex(0x2f5f5d))
	c.fill(rect(110, 70, 860, 92), hex(0x24494a))
	c.fill(rect(130, 88, 820, 56), hex(0x2f5f5d))
	// Ears of corn instead of letters.
	for i := range 5 {
		x := 330 + float64(i)*105
		c.fill(line(4, x-34, 118, x+34, 114), hex(0xe3b95c))
		for j := range 6 {
			xx := x - 20 + float64(j)*10
			c.fill(oval(xx, 106, 4, 10).turned(xx, 106, 34, 1), hex(0xe3b95c))
			c.fill(oval(xx, 126, 4, 10).turned(xx, 126, -34, 1), hex(0xe3b95c))
		}
	}
	c.fill(rect(140, 190, 540, 330), hex(0xf7e3b2))
	c.fill(rect(140, 190, 540, 330), down(190, 520, alpha(hex(0xf3b765), .1), alpha(hex(0xd98d3f), .55)))
	for row := range 2 {
		y := 300 + float64(row)*108
		c.fill(rect(150, y, 520, 9), hex(0x8a5a3a))
		for i := range 6 {
			x := 196 + float64(i)*86
			if row == 0 {
				c.fill(oval(x, y-28, 36, 27), hex([]uint32{0xb97a3f, 0xa8682f}[i%2]))
				c.fill(curve(4, x-18, y-44, x-6, y-30, x-12, y-14), hex(0xe9c48b))
				c.fill(curve(4, x+2, y-48, x+12, y-32, x+6, y-14), hex(0xe9c48b))
			} else {
				c.fill(round(x-9, y-92, 20, 92, 10).turned(x, y, 6, 1), hex(0xc98b45))
				c.fill(round(x+14, y-88, 20, 90, 10).turned(x, y, -5, 1), hex(0xb5773a))
			}
		}
	}
	c.fill(rect(150, 500, 520, 20), hex(0x8a5a3a))
	for i := range 9 {
		x := 178 + float64(i)*58
		c.fill(new(path).m(x-24, 500).c(x-24, 470, x+24, 470, x+24, 500).c(x+10, 488, x-10, 488, x-24, 500).z(), hex(0xd99a4f))
	}
	for _, x := range []float64{138, 404, 672} {
		c.fill(rect(x, 186, 12, 340), hex(0x24494a))
	}
	c.fill(rect(720, 190, 200, 440), hex(0x24494a))
	c.fill(rect(742, 214, 156, 250), hex(0xf3d796))
	c.fill(rect(742, 484, 156, 124), hex(0x2f5f5d))
	c.fill(disc(752, 470, 9), hex(0xe3b95c))
	// The baker at the door.
	c.fill(round(778, 330, 92, 134, 30), hex(0xf7f1e2))
	c.fill(disc(824, 300, 34), hex(0xd9a07c))
	c.fill(round(786, 240, 76, 44, 20), hex(0xfbf6ea))
	c.fill(disc(800, 242, 22), hex(0xfbf6ea))
	c.fill(disc(848, 242, 22), hex(0xfbf6ea))
	c.fill(poly(792, 380, 856, 380, 866, 464, 782, 464), hex(0xb5533c))
	c.fill(rect(0, 628, width, 92), hex(0x9b8a75))
	c.fill(rect(0, 628, width, 10), hex(0x7d6d5c))
	for i := range 12 {
		col := hex(0xb5533c)
		if i%2 == 1 {
			col = hex(0xf6ead0)
		}
		x := 110 + float64(i)*71.67
		c.fill(poly(x, 160, x+71.67, 160, x+71.67, 206, x, 206), col)
		c.fill(disc(x+35.8, 206, 35.8), col)
	}
	for _, x := range []float64{60, 1020} {
		c.fill(poly(x-34, 690, x+34, 690, x+42, 620, x-42, 620), hex(0xa8583c))
		for range 16 {
			c.fill(disc(x+c.between(-40, 40), c.between(540, 622), c.between(12, 22)), mix(hex(0x4c7a4f), hex(0x8fae6d), c.random.Float64()))
		}
	}
}

func depot(c *canvas) {
	c.ground(down(0, 400, hex(0x7fb0c4), hex(0xcfe3df), hex(0xf6ecd2)))
	c.sun(880, 140, 66, hex(0xfff1c4))
	c.cloud(120, 150, 280, alpha(hex(0xffffff), .7))
	c.skyline(400, 40, 100, hex(0xcdb79b), hex(0xbfa58a))
	for i := range 4 {
		x := float64(i)*290 - 60
		c.fill(poly(x, 430, x+200, 262, x+290, 430), hex(0xa8553f))
		c.fill(poly(x+12, 424, x+200, 268, x+204, 284, x+40, 424), hex(0x1e3f6b))
		for j := range 6 {
			t := float64(j) / 6
			c.fill(line(3, x+12+188*t, 424-156*t, x+40+164*t, 424-140*t), hex(0x9db9dc))
		}
		c.fill(line(2.4, x+26, 424, x+202, 276), hex(0x9db9dc))
		c.fill(poly(x+200, 262, x+290, 430, x+210, 430), hex(0xd9e6e0))
		for j := range 3 {
			c.fill(line(4, x+214+float64(j)*24, 428, x+205+float64(j)*6, 290+float64(j)*26), hex(0x8a3c2b))
		}
	}
	c.fill(rect(0, 428, width, 190), hex(0xcf9a78))
	c.fill(rect(0, 428, width, 14), hex(0x8a3c2b))
	for i := range 4 {
		x := 60 + float64(i)*258
		c.fill(new(path).m(x, 618).l(x, 510).c(x, 462, x+190, 462, x+190, 510).l(x+190, 618).z(), hex(0x3a2f33))
		if i != 2 {
			c.fill(round(x+26, 512, 138, 106, 16), hex([]uint32{0xa8452f, 0x2f6f73, 0, 0xd9a441}[i]))
			c.fill(round(x+38, 526, 114, 44, 8), hex(0xcfe0dc))
			c.fill(disc(x+50, 594, 9), hex(0xfbe9ae))
			c.fill(disc(x+140, 594, 9), hex(0xfbe9ae))
		}
	}
	c.fill(rect(0, 616, width, 104), hex(0xb6a58c))
	for i := range 4 {
		x := 155 + float64(i)*258
		for _, o := range []float64{-44, 44} {
			c.fill(poly(x+o-3, 616, x+o+3, 616, 540+(x-540)*1.25+o*1.6+5, 720, 540+(x-540)*1.25+o*1.6-5, 720), hex(0x5a4f46))
		}
	}
	c.person(620, 660, 110, hex(0xe7762f), hex(0xe0ad89))
	c.fill(new(path).m(606, 564).c(606, 546, 634, 546, 634, 564).z(), hex(0xf3cf4f))
}

func viaduct(c *canvas) {
	c.ground(down(0, 470, hex(0x93b6c4), hex(0xe7d9bd), hex(0xf6e9cd)))
	c.sun(170, 250, 60, hex(0xfdf0cb))
	c.fill(smooth(520, 0, 400, 160, 330, 330, 370, 520, 310, 730, 380, 900, 320, 1080, 370), hex(0x9db0a0))
	c.fill(smooth(560, 0, 470, 220, 420, 420, 470, 640, 430, 860, 470, 1080, 430), hex(0x7f9a7c))
	c.fill(smooth(720, 0, 600, 240, 560, 500, 620, 760, 580, 1080, 610), hex(0x5f8062))
	c.fill(rect(0, 330, width, 40), hex(0xc99a78))
	c.fill(rect(0, 322, width, 12), hex(0xa87658))
	for i := range 7 {
		x := float64(i)*170 - 40
		c.fill(rect(x, 360, 34, 330), hex(0xc08e6d))
		c.fill(rect(x+22, 360, 12, 330), hex(0xa87658))
		arch := new(path).m(x+34, 370).l(x+34, 440).c(x+34, 366, x+170, 366, x+170, 440).l(x+170, 370).z()
		c.fill(arch, hex(0xc99a78))
	}
	c.fill(new(path).m(0, 700).c(260, 640, 620, 700, 1080, 640).l(1080, 720).l(0, 720).z(), hex(0x6fa3a8))
	c.fill(new(path).m(0, 716).c(260, 668, 620, 716, 1080, 668).l(1080, 680).c(620, 724, 260, 680, 0, 720).z(), alpha(hex(0xe6f0e6), .6))
	for i := range 4 {
		x := 190 + float64(i)*196
		c.fill(round(x, 250, 188, 72, 12), hex(0x2f6f73))
		c.fill(rect(x, 296, 188, 14), hex(0xf0e2c2))
		for j := range 5 {
			c.fill(round(x+14+float64(j)*34, 262, 26, 26, 4), hex(0xf9e7b4))
		}
	}
	c.fill(new(path).m(974, 322).l(974, 262).c(974, 250, 984, 250, 990, 250).c(1030, 250, 1050, 280, 1056, 322).z(), hex(0xa8452f))
	c.fill(poly(994, 262, 1022, 264, 1036, 288, 994, 288), hex(0x3f626c))
	for _, x := range []float64{60, 120, 560, 700, 1010} {
		c.tree(x, 690, c.between(110, 170), hex(0x4c6d52), hex(0x4a382f))
	}
	c.bird(520, 130, 28, hex(0x5a6a6c))
	c.bird(580, 160, 20, hex(0x5a6a6c))
}
