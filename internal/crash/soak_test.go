package crash

import (
	"flag"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

var (
	soakFor  = flag.Duration("soak", 15*time.Second, "how long the soak lasts")
	soakRate = flag.Float64("soak-rate", 2, "how many things happen in the newsroom a second")
	soakRace = flag.Bool("soak-race", false, "build the daemon with the race detector")
)

// sample is what a daemon and its plugins hold at one moment. Memory is in MiB.
type sample struct {
	at time.Duration
	// memory is the summed PSS, what an administrator sees; daemon and plugins are its parts.
	memory, daemon, plugins float64
	// live is what lived of the daemon's heap after its last collection, heap what the Go runtime holds of the system,
	// and outside the rest of the daemon's own memory, nearly all of it SQLite's.
	live, heap, outside float64
	// goroutines are the daemon's, handles the open files of all.
	goroutines, handles float64
	// waiting counts the deliveries that have not left yet.
	waiting float64
}

// TestSoak lets the daemon work for a long time at a steady pace while its feeds, receivers and plugins fail now and then.
// Nothing may be lost, and what the daemon holds may not grow.
func TestSoak(t *testing.T) {
	dir := t.TempDir()
	h := &harness{t: t, dir: dir, random: rand.New(rand.NewPCG(uint64(time.Now().UnixNano()), 2)), world: newWorld(t, dir)}
	h.binary = daemontest.Build(t)
	w := h.world
	many := max(1, *soakRate/10)
	w.admin, w.keep, w.many = freeAddress(t), int(100*max(1, many/4)), many > 1 // a feed shows the articles of many polls
	if *soakRace {
		w.memory = 1 << 30 // the detector reserves terabytes of addresses
		out, err := exec.Command("go", "build", "-race", "-o", h.binary, "github.com/belfry-news/belfry/cmd/belfry").CombinedOutput()
		if err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
	}
	w.forgetful.faults.Clear()
	// One call in so many fails. With more things a second it is fewer of them, so that as many fail in a minute: what waits
	// a second for each 429 would otherwise bring no more, whatever the rate.
	one := func(in int) int { return int(float64(in) * many) }
	w.forgetful.faults.Add(fault.Fault{Every: one(300), Accepted: true, Drop: true})
	w.badSite.Add(fault.Fault{Every: 53, Status: http.StatusInternalServerError}, fault.Fault{Every: 97, Drop: true}, fault.Fault{Every: 131, Half: true}, fault.Fault{Every: 211, Before: 3 * time.Second})
	w.badDedup.Add(fault.Fault{Every: one(41), Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"1"}}}, fault.Fault{Every: one(89), Accepted: true, Drop: true},
		fault.Fault{Every: one(149), Before: 2 * time.Second})
	w.badTelegram.Add(fault.Fault{Every: one(61), Status: http.StatusTooManyRequests, Body: `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 1","parameters":{"retry_after":1}}`},
		fault.Fault{Every: one(1270), Status: http.StatusBadGateway, Body: "<html>502</html>"})
	if err := os.WriteFile(filepath.Join(dir, "belfry.yaml"), []byte(w.config()), 0o600); err != nil {
		t.Fatal(err)
	}
	d := h.start()
	d.Ready()
	db, err := sqlite.OpenExisting(t.Context(), filepath.Join(dir, "data", "belfry.db"))
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	every := max(*soakFor/1600, 250*time.Millisecond)
	// One kill in each block of the samples: each block has the same part of starts and of plugins that are new.
	killEvery := max(*soakFor/(4*blocks/3), 1500*time.Millisecond)
	var samples []sample
	nextSample, nextKill, nextLook := began.Add(every), began.Add(killEvery), began
	for time.Since(began) < *soakFor {
		w.act(h.random)
		if now := time.Now(); now.After(nextLook) {
			nextLook = now.Add(500 * time.Millisecond)
			h.operate(db)
		}
		time.Sleep(time.Duration((0.6 + 0.8*h.random.Float64()) / *soakRate * float64(time.Second)))
		if !d.Running() {
			t.Fatalf("the daemon ended:\n%s", d.Tail())
		}
		if now := time.Now(); now.After(nextSample) {
			nextSample = nextSample.Add(every)
			x := h.look(d, now.Sub(began))
			if samples = append(samples, x); len(samples)%80 == 0 {
				t.Logf("%s: %.1f MiB, of which the plugins have %.1f; %.1f live of %.1f MiB of heap, %.1f MiB outside; %.0f goroutines, %.0f open files, %.0f waiting",
					x.at.Round(time.Second), x.memory, x.plugins, x.live, x.heap, x.outside, x.goroutines, x.handles, x.waiting)
			}
		}
		if now := time.Now(); now.After(nextKill) {
			for !nextKill.After(now) {
				nextKill = nextKill.Add(killEvery) // what was missed is not made up for
			}
			d.Kill(daemontest.Plugins) // the daemon starts them again
		}
	}
	h.judgeGrowth(samples) // first: what is not worked off says nothing about it
	_ = db.Close()
	d.Stop()
	h.noRace(d)
	h.settle()
	h.judge()
	met := w.badSite.Met() + w.badDedup.Met() + w.badTelegram.Met() + w.forgetful.faults.Met()
	t.Logf("%d articles in %s, %d faults met, %d unknown calls resolved", len(w.truth), *soakFor, met, h.unknown)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// look measures the daemon and its plugins.
func (h *harness) look(d *daemontest.Daemon, at time.Duration) sample {
	h.t.Helper()
	s := sample{at: at}
	private := 0.0
	for _, pid := range append(d.Children(), d.Pid()) {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid)) // a plugin may just have ended
		for line := range strings.Lines(string(text)) {
			name, rest, _ := strings.Cut(line, ":")
			var kilobytes float64
			if n, _ := fmt.Sscanf(rest, "%f kB", &kilobytes); n != 1 {
				continue
			}
			switch {
			case name == "Pss" && pid == d.Pid():
				s.daemon += kilobytes / 1024
			case name == "Pss":
				s.plugins += kilobytes / 1024
			case name == "Anonymous" && pid == d.Pid():
				private += kilobytes / 1024
			}
		}
		files, _ := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
		s.handles += float64(len(files))
	}
	s.memory = s.daemon + s.plugins
	m := h.scrape()
	const mib = 1 << 20
	s.goroutines, s.live, s.waiting = m["go_goroutines"], m["go_gc_heap_live_bytes"]/mib, m["belfry_destination_waiting"]
	s.heap = (m["go_memstats_sys_bytes"] - m["go_memstats_heap_released_bytes"]) / mib
	s.outside = private - s.heap
	return s
}

// scrape reads the daemon's metrics; those with labels are summed over them.
func (h *harness) scrape() map[string]float64 {
	h.t.Helper()
	resp, err := http.Get("http://" + h.world.admin + "/metrics")
	if err != nil {
		h.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	out := map[string]float64{}
	for line := range strings.Lines(string(body)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if labelled, after, found := strings.Cut(line, "}"); found {
			name, _, _ = strings.Cut(labelled, "{")
			value = strings.TrimSpace(after)
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] += v
		}
	}
	return out
}

// noRace reports what the race detector said of a daemon that has ended, or of its plugins.
func (h *harness) noRace(d *daemontest.Daemon) {
	h.t.Helper()
	log := d.Log()
	if at := strings.Index(log, "DATA RACE"); at >= 0 {
		h.t.Errorf("there is a race:\n%s", log[at:min(len(log), at+6000)])
	}
}

// warmUp is how long what the daemon holds may still grow: the caches of SQLite fill for about that long.
const warmUp = 15 * time.Minute

// judgeGrowth fits a line through the samples after the warm-up, which is the first quarter. A soak whose quarter is shorter
// than the warm-up tells its figures and is not judged by them.
func (h *harness) judgeGrowth(samples []sample) {
	h.t.Helper()
	if len(samples) < 2*blocks {
		h.t.Fatalf("there are only %d samples", len(samples))
	}
	warm := samples[len(samples)/4:]
	long := *soakFor >= 4*warmUp
	for _, c := range []struct {
		what  string
		of    func(sample) float64
		bound float64 // an hour; 0 for what is only told
	}{
		{"MiB", func(s sample) float64 { return s.memory }, 1},
		{"MiB of the daemon", func(s sample) float64 { return s.daemon }, 0},
		{"MiB of the plugins", func(s sample) float64 { return s.plugins }, 0},
		{"MiB that live on the daemon's heap", func(s sample) float64 { return s.live }, 0},
		{"MiB of the daemon's heap", func(s sample) float64 { return s.heap }, 0},
		{"MiB outside of the daemon's heap", func(s sample) float64 { return s.outside }, 0},
		{"goroutines", func(s sample) float64 { return s.goroutines }, 5},
		{"open files", func(s sample) float64 { return s.handles }, 5},
		{"waiting deliveries", func(s sample) float64 { return s.waiting }, 50},
	} {
		slope, unsure := slopePerHour(warm, c.of)
		means := blockMeans(warm, c.of)
		h.t.Logf("%s: %.1f after the warm-up, %.1f at the end, %+.2f an hour, ± %.2f (95 %%)", c.what, means[0].y, means[blocks-1].y, slope, unsure)
		if long && c.bound > 0 && slope > c.bound {
			h.t.Errorf("%s grow by %.2f an hour", c.what, slope)
		}
		if c.what != "waiting deliveries" && long && means[0].y <= 0 {
			h.t.Errorf("%s were not measured", c.what)
		}
	}
}

// blocks is how many parts the samples are cut into. Neighbours depend on each other, such as those between two
// collections of the heap; means over minutes hardly do.
const blocks = 12

type point struct{ x, y float64 }

// blockMeans gives the mean of each block, by the hour.
func blockMeans(samples []sample, of func(sample) float64) []point {
	out := make([]point, blocks)
	for i := range out {
		part := samples[i*len(samples)/blocks : (i+1)*len(samples)/blocks]
		for _, s := range part {
			out[i].x += s.at.Hours() / float64(len(part))
			out[i].y += of(s) / float64(len(part))
		}
	}
	return out
}

// slopePerHour is the least-squares slope of the blocks, and how far off it may be: 19 of 20 are nearer than that.
func slopePerHour(samples []sample, of func(sample) float64) (slope, unsure float64) {
	means := blockMeans(samples, of)
	var x, y, xx, xy, rest float64
	for _, p := range means {
		x, y = x+p.x/blocks, y+p.y/blocks
	}
	for _, p := range means {
		xx, xy = xx+(p.x-x)*(p.x-x), xy+(p.x-x)*(p.y-y)
	}
	slope = xy / xx
	for _, p := range means {
		d := p.y - y - slope*(p.x-x)
		rest += d * d
	}
	const student = 2.228 // of blocks - 2 degrees of freedom
	return slope, student * math.Sqrt(rest/(blocks-2)/xx)
}

func TestSlope(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		of            func(i int) float64
		slope, unsure float64
	}{
		"flat":                    {func(int) float64 { return 50 }, 0, 0},
		"a leak":                  {func(i int) float64 { return 50 + float64(i)/240*3 }, 3, 0},
		"a saw between two teeth": {func(i int) float64 { return 50 + float64(i%20) }, 0, 0},
		"a step in the middle":    {func(i int) float64 { return 50 + 2*float64(i/120) }, 3.02, 1.21},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var samples []sample
			for i := range 240 {
				samples = append(samples, sample{at: time.Duration(i) * time.Hour / 240, memory: c.of(i)})
			}
			slope, unsure := slopePerHour(samples, func(s sample) float64 { return s.memory })
			if math.Abs(slope-c.slope) > 0.05 || math.Abs(unsure-c.unsure) > 0.05 {
				t.Errorf("%.3f ± %.3f an hour, want %.3f ± %.3f", slope, unsure, c.slope, c.unsure)
			}
		})
	}
}
