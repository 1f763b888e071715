package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// machine describes where the figures come from.
func machine(ctx context.Context, b *bench) []string {
	version, err := exec.CommandContext(ctx, b.belfry, "version").Output()
	if err != nil {
		version = []byte("version unknown")
	}
	out := []string{
		fmt.Sprintf("%s, %d processors, %s of memory", or(field("/proc/cpuinfo", "model name"), runtime.GOARCH), runtime.NumCPU(), memory()),
		fmt.Sprintf("%s %s, %s", runtime.GOOS, or(line("/proc/sys/kernel/osrelease"), "of unknown version"), runtime.Version()),
		fmt.Sprintf("store on %s; a write of 4 KiB with fsync takes %s there (median of 200)", or(filesystem(b.dir), "an unknown file system"), syncTime(b.dir)),
		strings.TrimSpace(string(version)),
	}
	if len(b.busy) > 0 {
		out = append(out, fmt.Sprintf("other work used %s %% of the processors in the half seconds before the parts", b.busy.spread()))
	}
	if b.yard.folder != "" {
		out = append(out, "yardsticks: "+strings.Join(b.yard.used, ", "))
	} else {
		out = append(out, "no yardsticks were given (-yardsticks FOLDER)")
	}
	return out
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

func line(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// field finds "name : value" in a file of /proc.
func field(path, name string) string {
	for l := range strings.Lines(line(path)) {
		if key, value, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func memory() string {
	kib, err := strconv.ParseFloat(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 64)
	if err != nil {
		return "an unknown amount"
	}
	return fmt.Sprintf("%.0f GiB", kib/(1<<20))
}

// filesystem is the type of the file system that a folder lies on.
func filesystem(dir string) string {
	best, kind := "", ""
	for l := range strings.Lines(line("/proc/mounts")) {
		f := strings.Fields(l)
		if len(f) < 3 {
			continue
		}
		point := f[1]
		if (dir == point || strings.HasPrefix(dir, strings.TrimSuffix(point, "/")+"/")) && len(point) >= len(best) {
			best, kind = point, f[2]
		}
	}
	return kind
}

// syncTime is what one durable write costs in a folder: the bound of everything that commits alone.
func syncTime(dir string) string {
	f, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return "an unknown time"
	}
	defer os.Remove(f.Name())
	defer f.Close()
	page := make([]byte, 4<<10)
	var took sample
	for range 200 {
		begun := time.Now()
		if _, err := f.Write(page); err != nil {
			return "an unknown time"
		}
		if err := f.Sync(); err != nil {
			return "an unknown time"
		}
		took = append(took, float64(time.Since(begun).Microseconds()))
	}
	return figure(took.median()) + " µs"
}

// quiet waits until others leave the machine alone, for twenty seconds at most, and notes how busy it was then.
func (b *bench) quiet(ctx context.Context) error {
	const enough = 10 // per cent
	for end := time.Now().Add(pick(b, 20*time.Second, 0)); ; {
		before := processors()
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
		busy := processors().since(before)
		if busy < enough || !time.Now().Before(end) {
			b.busy = append(b.busy, busy)
			if busy >= enough {
				b.say("the machine is %.0f %% busy with other work", busy)
			}
			return nil
		}
	}
}

// ticks are the processors' times since the machine started.
type ticks struct{ busy, all float64 }

// processors reads /proc/stat (proc(5)); zero where there is none.
func processors() ticks {
	head, _, _ := strings.Cut(line("/proc/stat"), "\n")
	var t ticks
	for i, f := range strings.Fields(head) {
		v, err := strconv.ParseFloat(f, 64)
		if err != nil || i > 8 { // the name of the line; guests' times are counted in the others
			continue
		}
		t.all += v
		if i != 4 && i != 5 { // idle, and waiting for disks
			t.busy += v
		}
	}
	return t
}

// since is the share of busy time in per cent.
func (t ticks) since(before ticks) float64 {
	if t.all <= before.all {
		return 0
	}
	return 100 * (t.busy - before.busy) / (t.all - before.all)
}

// tree is a process with everything that it started, by their ids.
func tree(pid int) []int {
	out := []int{pid}
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is well formed
	for _, list := range lists {
		for f := range strings.FieldsSeq(line(list)) {
			if child, err := strconv.Atoi(f); err == nil {
				out = append(out, tree(child)...)
			}
		}
	}
	return out
}

// pss is the memory of a process and all that it started, in MiB: pages that several share count for each in its part
// (proc_pid_smaps(5)), so that the sum is what would be free without them.
func pss(pid int) (mib float64, processes int, err error) {
	for _, p := range tree(pid) {
		path := fmt.Sprintf("/proc/%d/smaps_rollup", p)
		kib, err := strconv.ParseFloat(strings.TrimSuffix(field(path, "Pss"), " kB"), 64)
		if err != nil {
			if p != pid {
				continue // it ended meanwhile
			}
			return 0, 0, fmt.Errorf("%s tells no memory; this measure needs Linux", path)
		}
		mib += kib / 1024
		processes++
	}
	return mib, processes, nil
}

// cpu is the processor time that a process and all that it started have used, in seconds (proc_pid_stat(5)); zero where
// the system does not tell.
func cpu(pid int) float64 {
	const ticksPerSecond = 100 // USER_HZ, the same on every Linux
	used := 0.0
	for _, p := range tree(pid) {
		text := line(fmt.Sprintf("/proc/%d/stat", p))
		// The name in parentheses may hold anything, also blanks and parentheses.
		f := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
		if len(f) < 13 {
			continue
		}
		for _, ticks := range f[11:13] {
			n, err := strconv.ParseFloat(ticks, 64)
			if err == nil {
				used += n / ticksPerSecond
			}
		}
	}
	return used
}
