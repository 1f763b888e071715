package web_test

import (
	"image"
	"image/color"
	"math"
	"math/rand/v2"

	"golang.org/x/image/draw"
)

// scene is what a drawn picture shows.
type scene struct {
	seed             uint64
	top, low         color.RGBA // of the sky, from above to the horizon
	sun              color.RGBA
	sunX, sunY, sun0 float64
	near, far        color.RGBA // of the hills
	layers           int
	city, water      bool
}

var scenes = []scene{
	{1, rgb(0x20304f), rgb(0xe79b5c), rgb(0xffe2a8), .68, .52, .045, rgb(0x151a24), rgb(0x6d5a63), 4, true, true},
	{2, rgb(0x7fb0cf), rgb(0xe9eee6), rgb(0xfffdf2), .22, .2, .05, rgb(0x24422f), rgb(0x9fb6b4), 5, false, false},
	{3, rgb(0x0c1322), rgb(0x53608a), rgb(0xf0dca6), .8, .22, .02, rgb(0x05070c), rgb(0x27314d), 3, true, true},
	{4, rgb(0x53697a), rgb(0xc4c7c2), rgb(0xe9e9e2), .5, .3, .09, rgb(0x27343a), rgb(0x8e9a9b), 4, false, true},
	{5, rgb(0xb5532f), rgb(0xf6cf8d), rgb(0xfff1c9), .4, .5, .07, rgb(0x3c1c16), rgb(0xb0714c), 5, false, false},
	{6, rgb(0x3f7ba6), rgb(0xdcebf0), rgb(0xffffff), .85, .15, .04, rgb(0x39522c), rgb(0xa9bd8d), 4, false, true},
}

func rgb(hex uint32) color.RGBA {
	return color.RGBA{uint8(hex >> 16), uint8(hex >> 8), uint8(hex), 255}
}

func mix(a, b color.RGBA, t float64) color.RGBA {
	t = min(max(t, 0), 1)
	f := func(x, y uint8) uint8 { return uint8(float64(x) + (float64(y)-float64(x))*t) }
	return color.RGBA{f(a.R, b.R), f(a.G, b.G), f(a.B, b.B), 255}
}

// ridge is the outline of hills: a sum of waves, the same for the same seed.
func ridge(r *rand.Rand, rough float64) func(x float64) float64 {
	type wave struct{ amplitude, frequency, phase float64 }
	var waves []wave
	for i := range 7 {
		f := math.Pow(1.9, float64(i))
		waves = append(waves, wave{r.Float64() * rough / f, f * (1.5 + r.Float64()), r.Float64() * 2 * math.Pi})
	}
	return func(x float64) float64 {
		y := 0.0
		for _, w := range waves {
			y += w.amplitude * math.Sin(w.frequency*x*2*math.Pi+w.phase)
		}
		return y
	}
}

// draw paints a landscape: enough like a photograph to judge a page by. It is painted at half the size, which takes a
// quarter of the time.
func (s scene) draw(w, h int) image.Image {
	out := image.NewRGBA(image.Rect(0, 0, w, h))
	draw.BiLinear.Scale(out, out.Bounds(), s.paint(w/2, h/2), image.Rect(0, 0, w/2, h/2), draw.Src, nil)
	return out
}

func (s scene) paint(w, h int) image.Image {
	r := rand.New(rand.NewPCG(s.seed, 7))
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	aspect := float64(w) / float64(h)
	horizon := 0.62
	type layer struct {
		line func(float64) float64
		base float64
		c    color.RGBA
	}
	var layers []layer
	for i := range s.layers {
		t := float64(i) / float64(max(s.layers-1, 1))
		layers = append(layers, layer{ridge(r, .05+.05*t), horizon - .12 + .42*t, mix(s.far, s.near, t)})
	}
	if s.water {
		layers = layers[:2]
	}
	towers := make([]float64, 60)
	for i := range towers {
		towers[i] = r.Float64() * r.Float64() * .3
	}
	for py := range h {
		for px := range w {
			x, y := float64(px)/float64(w), float64(py)/float64(h)
			c := mix(s.top, s.low, math.Pow(y/horizon, 1.3))
			d := math.Hypot((x-s.sunX)*aspect, y-s.sunY)
			c = mix(c, s.sun, math.Exp(-d*d/(s.sun0*s.sun0*18))*.75)
			if d < s.sun0 {
				c = s.sun
			}
			for _, l := range layers {
				if y > l.base+l.line(x) {
					c = mix(l.c, s.low, max(0, .25-(y-l.base-l.line(x))))
				}
			}
			if s.city {
				i := int(x * float64(len(towers)))
				top := horizon + .02 - towers[i]
				if y > top && y < horizon+.03 {
					c = mix(s.near, s.far, .15)
					wx, wy := math.Mod(x*float64(len(towers))*4, 1), math.Mod(y*90, 1)
					if towers[i] > .05 && wx > .35 && wx < .7 && wy > .3 && wy < .65 && math.Mod(float64(i*31)+math.Floor(y*90)*17+math.Floor(x*240)*7, 5) < 2 {
						c = mix(s.sun, s.low, .3)
					}
				}
			}
			if s.water && y > horizon+.03 {
				depth := (y - horizon) / (1 - horizon)
				away := (x - s.sunX) * (7 - 4*depth)
				glint := math.Sin(y*260+math.Sin(x*30)*2) * .5
				c = mix(mix(s.low, s.near, .35+.5*depth), s.sun, max(0, math.Exp(-away*away)*(.35+.3*glint)))
			}
			n := int8(r.Int32N(9)) - 4 // grain
			img.SetRGBA(px, py, color.RGBA{grain(c.R, n), grain(c.G, n), grain(c.B, n), 255})
		}
	}
	return img
}

func grain(v uint8, n int8) uint8 { return uint8(min(max(int(v)+int(n), 0), 255)) }
