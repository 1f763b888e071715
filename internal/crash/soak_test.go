package crash

import (
	"flag"
	"fmt"
	"io"
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
	if *soakRace {
		out, err := exec.Command("go", "build", "-race", "-o", h.binary, "github.com/belfry-news/belfry/cmd/belfry").CombinedOutput()
		if err != nil {
			t.Fatalf("build: %v\n%s", err, out)
		}
	}
	w := h.world
	w.admin, w.keep = freeAddress(t), 100
	w.forgetful.faults.Clear()
	w.forgetful.faults.Add(fault.Fault{Every: 300, Accepted: true, Drop: true})
	w.badSite.Add(fault.Fault{Every: 53, Status: http.StatusInternalServerError}, fault.Fault{Every: 97, Drop: true}, fault.Fault{Every: 131, Half: true}, fault.Fault{Every: 211, Before: 3 * time.Second})
	w.badDedup.Add(fault.Fault{Every: 41, Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"1"}}}, fault.Fault{Every: 89, Accepted: true, Drop: true}, fault.Fault{Every: 149, Before: 2 * time.Second})
	w.badTelegram.Add(fault.Fault{Every: 61, Status: http.StatusTooManyRequests, Body: `{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 1","parameters":{"retry_after":1}}`},
		fault.Fault{Every: 1270, Status: http.StatusBadGateway, Body: "<html>502</html>"})
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
	every := max(*soakFor/400, 250*time.Millisecond)
	var samples []sample
	nextSample, nextKill, nextLook := began.Add(every), began.Add(*soakFor/10), began
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
			nextSample = now.Add(every)
			x := h.look(d, now.Sub(began))
			if samples = append(samples, x); len(samples)%20 == 0 {
				t.Logf("%s: %.1f MiB, of which the plugins have %.1f; %.1f live of %.1f MiB of heap, %.1f MiB outside; %.0f goroutines, %.0f open files, %.0f waiting",
					x.at.Round(time.Second), x.memory, x.plugins, x.live, x.heap, x.outside, x.goroutines, x.handles, x.waiting)
			}
		}
		if now := time.Now(); now.After(nextKill) {
			nextKill = now.Add(*soakFor / 10)
			d.Kill(daemontest.Plugins) // the daemon starts them again
		}
	}
	if strings.Contains(d.Log(), "DATA RACE") {
		t.Errorf("there is a race:\n%s", d.Tail())
	}
	h.judgeGrowth(samples) // first: what is not worked off says nothing about it
	_ = db.Close()
	d.Stop()
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
		if i := strings.IndexByte(line, '}'); i >= 0 {
			name, value = line[:strings.IndexByte(line, '{')], strings.TrimSpace(line[i+1:])
		}
		if v, err := strconv.ParseFloat(value, 64); err == nil {
			out[name] += v
		}
	}
	return out
}

// judgeGrowth fits a line through the samples after the warm-up, which is the first quarter. A short soak shows too little
// to judge by.
func (h *harness) judgeGrowth(samples []sample) {
	h.t.Helper()
	if len(samples) < 8 {
		h.t.Fatalf("there are only %d samples", len(samples))
	}
	warm := samples[len(samples)/4:]
	for _, c := range []struct {
		what  string
		of    func(sample) float64
		bound float64 // a hour
	}{
		{"MiB", func(s sample) float64 { return s.memory }, 1},
		{"goroutines", func(s sample) float64 { return s.goroutines }, 5},
		{"open files", func(s sample) float64 { return s.handles }, 5},
	} {
		slope := slopePerHour(warm, c.of)
		h.t.Logf("%s: %.1f after the warm-up, %.1f at the end, %+.2f an hour", c.what, c.of(warm[0]), c.of(warm[len(warm)-1]), slope)
		if *soakFor >= 20*time.Minute && slope > c.bound {
			h.t.Errorf("%s grow by %.2f an hour", c.what, slope)
		}
		if c.of(warm[0]) == 0 {
			h.t.Errorf("%s were not measured", c.what)
		}
	}
}

// slopePerHour is the least-squares slope of the samples.
func slopePerHour(samples []sample, of func(sample) float64) float64 {
	var n, x, y, xx, xy float64
	for _, s := range samples {
		h, v := s.at.Hours(), of(s)
		n, x, y, xx, xy = n+1, x+h, y+v, xx+h*h, xy+h*v
	}
	return (n*xy - x*y) / (n*xx - x*x)
}
