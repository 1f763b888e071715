package main

import (
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"
	"slices"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/vector"
)

// The size in which scenes are drawn, and the one in which they are kept, in pixels.
const (
	width, height         = 1080, 720
	keptWidth, keptHeight = 960, 640
)

// hex reads a colour like 0xe8c27a.
func hex(c uint32) color.RGBA { return color.RGBA{uint8(c >> 16), uint8(c >> 8), uint8(c), 255} }

// alpha makes a colour translucent, from 0 to 1.
func alpha(c color.RGBA, a float64) color.RGBA {
	m := func(v uint8) uint8 { return uint8(float64(v)*a + .5) }
	return color.RGBA{m(c.R), m(c.G), m(c.B), uint8(255*a + .5)}
}

// mix goes from a (0) to b (1).
func mix(a, b color.RGBA, t float64) color.RGBA {
	m := func(x, y uint8) uint8 { return uint8(float64(x)*(1-t) + float64(y)*t + .5) }
	return color.RGBA{m(a.R, b.R), m(a.G, b.G), m(a.B, b.B), m(a.A, b.A)}
}

func lighter(c color.RGBA, t float64) color.RGBA { return mix(c, color.RGBA{255, 250, 240, 255}, t) }
func darker(c color.RGBA, t float64) color.RGBA  { return mix(c, color.RGBA{16, 20, 34, 255}, t) }

// gradient is a paint that changes from the first colour at y0 to the last at y1, or across when it lies down.
type gradient struct {
	from, to float64
	colours  []color.RGBA
	lying    bool
}

func (g gradient) ColorModel() color.Model { return color.RGBAModel }
func (g gradient) Bounds() image.Rectangle { return image.Rect(-1e6, -1e6, 1e6, 1e6) }
func (g gradient) At(x, y int) color.Color {
	v := float64(y)
	if g.lying {
		v = float64(x)
	}
	t := math.Max(0, math.Min(1, (v-g.from)/(g.to-g.from))) * float64(len(g.colours)-1)
	i := min(int(t), len(g.colours)-2)
	return mix(g.colours[i], g.colours[i+1], t-float64(i))
}

// glow is a paint that fades from its colour in the middle to nothing at the radius.
type glow struct {
	x, y, r float64
	c       color.RGBA
}

func (g glow) ColorModel() color.Model { return color.RGBAModel }
func (g glow) Bounds() image.Rectangle { return image.Rect(-1e6, -1e6, 1e6, 1e6) }
func (g glow) At(x, y int) color.Color {
	d := math.Hypot(float64(x)-g.x, float64(y)-g.y) / g.r
	if d >= 1 {
		return color.RGBA{}
	}
	t := (1 - d) * (1 - d)
	m := func(v uint8) uint8 { return uint8(float64(v) * t) }
	return color.RGBA{m(g.c.R), m(g.c.G), m(g.c.B), m(g.c.A)}
}

// canvas is a picture that is being drawn. Its random numbers are the same every time.
type canvas struct {
	img    *image.RGBA
	random *rand.Rand
}

func newCanvas(seed uint64) *canvas {
	return &canvas{img: image.NewRGBA(image.Rect(0, 0, width, height)), random: rand.New(rand.NewPCG(seed, 7))}
}

// kept is the picture in the size in which it is kept.
func (c *canvas) kept() image.Image {
	out := image.NewRGBA(image.Rect(0, 0, keptWidth, keptHeight))
	xdraw.CatmullRom.Scale(out, out.Bounds(), c.img, c.img.Bounds(), draw.Src, nil)
	return out
}

// between is a random number.
func (c *canvas) between(a, b float64) float64 { return a + (b-a)*c.random.Float64() }

// pt is a point.
type pt struct{ x, y float64 }

// path is a shape made of closed outlines.
type path struct{ ops []op }

type op struct {
	kind byte // m, l, q, c, z
	p    [3]pt
}

func (p *path) m(x, y float64) *path { p.ops = append(p.ops, op{'m', [3]pt{{x, y}}}); return p }
func (p *path) l(x, y float64) *path { p.ops = append(p.ops, op{'l', [3]pt{{x, y}}}); return p }
func (p *path) q(x1, y1, x, y float64) *path {
	p.ops = append(p.ops, op{'q', [3]pt{{x1, y1}, {x, y}}})
	return p
}
func (p *path) c(x1, y1, x2, y2, x, y float64) *path {
	p.ops = append(p.ops, op{'c', [3]pt{{x1, y1}, {x2, y2}, {x, y}}})
	return p
}
func (p *path) z() *path { p.ops = append(p.ops, op{kind: 'z'}); return p }

// turned turns a path around a point, by degrees, and scales it.
func (p *path) turned(cx, cy, degrees, scale float64) *path {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	out := &path{}
	for _, o := range p.ops {
		for i, v := range o.p {
			dx, dy := (v.x-cx)*scale, (v.y-cy)*scale
			o.p[i] = pt{cx + dx*cos - dy*sin, cy + dx*sin + dy*cos}
		}
		out.ops = append(out.ops, o)
	}
	return out
}

// fill paints a path with a colour or a paint.
func (c *canvas) fill(p *path, paint any) {
	r := vector.NewRasterizer(width, height)
	for _, o := range p.ops {
		f := func(i int) (float32, float32) { return float32(o.p[i].x), float32(o.p[i].y) }
		switch o.kind {
		case 'm':
			x, y := f(0)
			r.MoveTo(x, y)
		case 'l':
			x, y := f(0)
			r.LineTo(x, y)
		case 'q':
			x1, y1 := f(0)
			x, y := f(1)
			r.QuadTo(x1, y1, x, y)
		case 'c':
			x1, y1 := f(0)
			x2, y2 := f(1)
			x, y := f(2)
			r.CubeTo(x1, y1, x2, y2, x, y)
		case 'z':
			r.ClosePath()
		}
	}
	r.Draw(c.img, c.img.Bounds(), source(paint), image.Point{})
}

func source(paint any) image.Image {
	switch v := paint.(type) {
	case image.Image:
		return v
	case color.RGBA:
		return image.NewUniform(v)
	}
	panic("illustrate: a paint is a colour or an image")
}

// ground fills the whole picture.
func (c *canvas) ground(paint any) {
	draw.Draw(c.img, c.img.Bounds(), source(paint), image.Point{}, draw.Over)
}

// down is a gradient from the top of a stretch to its bottom.
func down(from, to float64, colours ...color.RGBA) gradient {
	return gradient{from, to, colours, false}
}

// across is a gradient from left to right.
func across(from, to float64, colours ...color.RGBA) gradient {
	return gradient{from, to, colours, true}
}

func rect(x, y, w, h float64) *path {
	return new(path).m(x, y).l(x+w, y).l(x+w, y+h).l(x, y+h).z()
}

func round(x, y, w, h, r float64) *path {
	k := r * .4477
	return new(path).m(x+r, y).l(x+w-r, y).c(x+w-k, y, x+w, y+k, x+w, y+r).l(x+w, y+h-r).c(x+w, y+h-k, x+w-k, y+h, x+w-r, y+h).
		l(x+r, y+h).c(x+k, y+h, x, y+h-k, x, y+h-r).l(x, y+r).c(x, y+k, x+k, y, x+r, y).z()
}

func oval(x, y, rx, ry float64) *path {
	kx, ky := rx*.5523, ry*.5523
	return new(path).m(x+rx, y).c(x+rx, y+ky, x+kx, y+ry, x, y+ry).c(x-kx, y+ry, x-rx, y+ky, x-rx, y).
		c(x-rx, y-ky, x-kx, y-ry, x, y-ry).c(x+kx, y-ry, x+rx, y-ky, x+rx, y).z()
}

func disc(x, y, r float64) *path { return oval(x, y, r, r) }

// ring is a disc with a hole.
func ring(x, y, r, thick float64) *path {
	p := disc(x, y, r)
	inner := disc(x, y, r-thick)
	// The hole runs the other way round, so that it stays empty.
	pts := inner.turned(x, y, 0, 1)
	flipped := &path{}
	for _, o := range pts.ops {
		for i, v := range o.p {
			o.p[i] = pt{v.x, 2*y - v.y}
		}
		flipped.ops = append(flipped.ops, o)
	}
	p.ops = append(p.ops, flipped.ops...)
	return p
}

func poly(xy ...float64) *path {
	p := new(path).m(xy[0], xy[1])
	for point := range slices.Chunk(xy[2:], 2) {
		p.l(point[0], point[1])
	}
	return p.z()
}

// line is a stroke between points, with the corners cut.
func line(thick float64, xy ...float64) *path {
	p := &path{}
	for i := 0; i+3 < len(xy); i += 2 {
		x0, y0, x1, y1 := xy[i], xy[i+1], xy[i+2], xy[i+3]
		d := math.Hypot(x1-x0, y1-y0)
		if d == 0 {
			continue
		}
		nx, ny := -(y1-y0)/d*thick/2, (x1-x0)/d*thick/2
		p.m(x0+nx, y0+ny).l(x1+nx, y1+ny).l(x1-nx, y1-ny).l(x0-nx, y0-ny).z()
	}
	return p
}

// curve is a stroke along a quadratic curve.
func curve(thick, x0, y0, cx, cy, x1, y1 float64) *path {
	const n = 24
	at := func(t float64) (float64, float64) {
		u := 1 - t
		return u*u*x0 + 2*u*t*cx + t*t*x1, u*u*y0 + 2*u*t*cy + t*t*y1
	}
	var left, right []pt
	for i := range n + 1 {
		t := float64(i) / n
		x, y := at(t)
		dx, dy := 2*(1-t)*(cx-x0)+2*t*(x1-cx), 2*(1-t)*(cy-y0)+2*t*(y1-cy)
		d := math.Max(math.Hypot(dx, dy), 1e-6)
		nx, ny := -dy/d*thick/2, dx/d*thick/2
		left, right = append(left, pt{x + nx, y + ny}), append(right, pt{x - nx, y - ny})
	}
	p := new(path).m(left[0].x, left[0].y)
	for _, v := range left[1:] {
		p.l(v.x, v.y)
	}
	for _, v := range slices.Backward(right) {
		p.l(v.x, v.y)
	}
	return p.z()
}

// smooth runs a soft line through points from left to right and closes it at the bottom: hills, waves, clouds of leaves.
func smooth(bottom float64, xy ...float64) *path {
	n := len(xy) / 2
	p := new(path).m(xy[0], bottom).l(xy[0], xy[1])
	for i := 1; i < n; i++ {
		x0, y0, x1, y1 := xy[2*i-2], xy[2*i-1], xy[2*i], xy[2*i+1]
		mid := (x0 + x1) / 2
		p.c(mid, y0, mid, y1, x1, y1)
	}
	return p.l(xy[2*n-2], bottom).z()
}
