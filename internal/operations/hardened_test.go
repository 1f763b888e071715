package operations

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// What the unit asks of systemd, and what stands in for it here, where there is no systemd that could start a service: the
// same mounts in a namespace of mounts and processes, the same filters of system calls, no capability, the same limits.
var standsIn = map[string]string{
	"NoNewPrivileges":         "the same flag",
	"CapabilityBoundingSet":   "an empty bounding set",
	"ProtectSystem":           "every mount read-only, but for the state, the temporary and the process folders",
	"ProtectHome":             "no /home at all",
	"PrivateTmp":              "a /tmp of its own",
	"PrivateDevices":          "a /dev with the six devices that are nobody's",
	"PrivateUsers":            "a user namespace with one user",
	"ProtectProc":             "a /proc mounted with hidepid=invisible",
	"ProcSubset":              "a /proc mounted with subset=pid",
	"StateDirectory":          "/var/lib/belfry, which can be written to",
	"WorkingDirectory":        "the same folder",
	"LockPersonality":         "a filter of personality(2)",
	"MemoryDenyWriteExecute":  "a filter of mmap, mprotect, pkey_mprotect and shmat",
	"RestrictRealtime":        "a filter of sched_setscheduler(2)",
	"RestrictSUIDSGID":        "a filter of chmod(2) and its kin",
	"RestrictNamespaces":      "a filter of clone, clone3, unshare and setns",
	"RestrictAddressFamilies": "a filter of socket(2)",
	"SystemCallArchitectures": "the check of the architecture in the filters",
	"SystemCallFilter":        "a filter with the calls that systemd-analyze names",
	"SystemCallErrorNumber":   "the error of that filter",
	"UMask":                   "the same mask",
	"LimitNOFILE":             "the same limit",
	"ExecStart":               "the same command",
}

// notHere says why a setting of the unit is not tried here.
var notHere = map[string]string{
	"Type":                  "TestNotify holds what systemd is told",
	"WatchdogSec":           "TestHangingStore holds that the watchdog is not told any more",
	"ExecReload":            "TestGuide reloads",
	"StateDirectoryMode":    "TestGuide makes the folder with it",
	"EnvironmentFile":       "it is for the admin",
	"User":                  "tests run as one user",
	"Group":                 "tests run as one user",
	"Restart":               "it concerns systemd alone",
	"RestartSec":            "it concerns systemd alone",
	"TimeoutStopSec":        "it concerns systemd alone",
	"KillMode":              "it concerns systemd alone",
	"MemoryHigh":            "control groups are not there to be made; TestHardened holds that a fourth of it is used",
	"MemoryMax":             "control groups are not there to be made; MemoryHigh comes first",
	"TasksMax":              "control groups are not there to be made; TestHardened holds that a fourth of it is used",
	"AmbientCapabilities":   "there is none without a bounding set",
	"ProtectClock":          "what it denies needs a capability, a device or a call that is denied already",
	"ProtectHostname":       "what it denies needs a capability",
	"ProtectKernelLogs":     "what it denies needs a capability",
	"ProtectKernelModules":  "what it denies needs a capability",
	"ProtectKernelTunables": "/proc/sys is not in /proc, and /sys is not mounted",
	"ProtectControlGroups":  "/sys is not mounted",
	"RemoveIPC":             "it concerns systemd alone",
}

// settings are those of the section [Service] of the unit.
func unitSettings(t *testing.T) map[string][]string {
	t.Helper()
	_, section, _ := strings.Cut(sample(t, "belfry.service"), "[Service]\n")
	section, _, _ = strings.Cut(section, "\n[")
	out := map[string][]string{}
	for line := range strings.Lines(section) {
		line = strings.TrimSpace(line)
		if name, value, is := strings.Cut(line, "="); is && !strings.HasPrefix(line, "#") {
			out[name] = append(out[name], value)
		}
	}
	return out
}

// Nobody adds a restriction to the unit without trying it here.
func TestEveryRestrictionIsTried(t *testing.T) {
	t.Parallel()
	unit := unitSettings(t)
	for name := range unit {
		if (standsIn[name] == "") == (notHere[name] == "") {
			t.Errorf("%s: say what stands in for it here, or why nothing does", name)
		}
	}
	for _, known := range []map[string]string{standsIn, notHere} {
		for name := range known {
			if unit[name] == nil {
				t.Errorf("the unit does not say %s", name)
			}
		}
	}
}

// TestUnitExposure holds what systemd says of the unit: of 10 points of exposure it has one and a half at most.
func TestUnitExposure(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "belfry.service")
	write(t, path, sample(t, "belfry.service"))
	out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", path).CombinedOutput()
	if err != nil {
		t.Errorf("systemd-analyze: %v\n%s", err, out)
	}
}

// cell is a place with the restrictions of the unit.
type cell struct {
	t    *testing.T
	root string
}

// restrictions are what the helper puts on itself before it becomes another program.
type restrictions struct {
	Allowed  []string // system calls
	Errno    int
	Families []int
	Files    uint64
	Umask    int
	Dir      string
	// Probe asks for what must be refused instead of becoming another program.
	Probe   bool
	Command []string
}

// inside is where the helper finds its restrictions.
const inside = "/etc/restrictions.json"

func newCell(t *testing.T) *cell {
	t.Helper()
	c := &cell{t, t.TempDir()}
	for _, dir := range []string{"usr", "proc", "dev", "tmp", "run", "etc/belfry", "var/lib/belfry", "local/bin"} {
		if err := os.MkdirAll(filepath.Join(c.root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"bin", "sbin", "lib", "lib64"} {
		if to, err := os.Readlink("/" + name); err == nil {
			if err := os.Symlink(to, filepath.Join(c.root, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	copyFile(t, self, filepath.Join(c.root, "local/bin/harden"))
	library, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/sys").Output()
	if err != nil {
		t.Fatal(err)
	}
	writeCallNumbers(t, strings.TrimSpace(string(library)), filepath.Join(c.root, "etc/calls.json"))
	copyFile(t, daemontest.Build(t), filepath.Join(c.root, "local/bin/belfry"))
	return c
}

// enter is the command line that goes into the cell and becomes what the restrictions say.
func (c *cell) enter(r restrictions) []string {
	c.t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		c.t.Fatal(err)
	}
	write(c.t, filepath.Join(c.root, inside), string(text))
	const walls = `
mount --rbind "$0" "$0"; cd "$0"
mount --rbind /usr usr; mount --bind local usr/local; mount -o remount,bind,ro usr; mount -o remount,bind,ro usr/local
mount -t tmpfs none dev
for d in null zero full random urandom tty; do : >dev/$d; mount --bind /dev/$d dev/$d; done
mount -t tmpfs none tmp
mount -t proc -o hidepid=invisible,subset=pid none proc
mount --bind "$0/var/lib/belfry" var/lib/belfry
mount -o remount,bind,ro .
exec env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin ` + hardenEnv + `=yes chroot . /usr/local/bin/harden`
	return []string{"unshare", "-Urmpf", "--kill-child", "sh", "-ec", walls, c.root}
}

// restrict reads the restrictions of the unit.
func restrict(t *testing.T) restrictions {
	t.Helper()
	unit := unitSettings(t)
	r := restrictions{Allowed: allowedCalls(t, unit["SystemCallFilter"]), Dir: unit["WorkingDirectory"][0], Command: strings.Fields(unit["ExecStart"][0])}
	var err error
	if r.Files, err = strconv.ParseUint(unit["LimitNOFILE"][0], 10, 64); err != nil {
		t.Fatal(err)
	}
	mask, err := strconv.ParseInt(unit["UMask"][0], 8, 32)
	if err != nil {
		t.Fatal(err)
	}
	r.Umask = int(mask)
	if unit["SystemCallErrorNumber"][0] != "EPERM" {
		t.Fatalf("the unit refuses with %s", unit["SystemCallErrorNumber"][0])
	}
	r.Errno = errnoPerm
	for name := range strings.FieldsSeq(unit["RestrictAddressFamilies"][0]) {
		n, ok := families[name]
		if !ok {
			t.Fatalf("which number has %s?", name)
		}
		r.Families = append(r.Families, n)
	}
	return r
}

// allowedCalls are the system calls that the unit allows, by their names.
func allowedCalls(t *testing.T, filters []string) []string {
	t.Helper()
	out, err := exec.Command("systemd-analyze", "syscall-filter", "--no-pager").Output()
	if err != nil {
		t.Fatal(err)
	}
	sets := map[string][]string{}
	set := ""
	for line := range strings.Lines(string(out)) {
		switch name := strings.TrimSpace(line); {
		case strings.HasPrefix(line, "@"):
			set = name
		case name == "":
			set = ""
		case set != "" && !strings.HasPrefix(name, "#"):
			sets[set] = append(sets[set], name)
		}
	}
	var members func(name string) []string
	members = func(name string) (all []string) {
		if !strings.HasPrefix(name, "@") {
			return []string{name}
		}
		for _, m := range sets[name] {
			all = append(all, members(m)...)
		}
		if len(all) == 0 {
			t.Fatalf("systemd knows no set %s", name)
		}
		return all
	}
	allowed := map[string]bool{}
	for _, f := range filters {
		names, denied := strings.CutPrefix(f, "~")
		for name := range strings.FieldsSeq(names) {
			for _, call := range members(name) {
				allowed[call] = !denied
			}
		}
	}
	calls := members("@default") // always allowed
	for name, is := range allowed {
		if is {
			calls = append(calls, name)
		}
	}
	slices.Sort(calls)
	if calls = slices.Compact(calls); len(calls) < 200 {
		t.Fatalf("only %d calls are allowed", len(calls))
	}
	return calls
}

// TestRestrictionsHold asks for what the unit refuses, so that the next test means something.
func TestRestrictionsHold(t *testing.T) {
	t.Parallel()
	c := newCell(t)
	r := restrict(t)
	r.Probe = true
	enter := c.enter(r)
	out, err := exec.Command(enter[0], enter[1:]...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Logf("%s", out)
	var seen []string
	for line := range strings.Lines(string(out)) {
		name, result, _ := strings.Cut(strings.TrimSpace(line), ": ")
		want, known := probes[name]
		if !known || result != want {
			t.Errorf("%s: %s, want %s", name, result, want)
		}
		seen = append(seen, name)
	}
	for name := range probes {
		if !slices.Contains(seen, name) {
			t.Errorf("%s was not asked for", name)
		}
	}
}

// TestHardened runs the real daemon and the process of a plugin, which reads a real feed, under the restrictions of the unit.
func TestHardened(t *testing.T) {
	t.Parallel()
	site := feedtest.New()
	server := httptest.NewServer(site)
	t.Cleanup(server.Close)
	newsroom := &feedtest.Newsroom{Channel: feedtest.Channel{Title: "La Gazette", Link: server.URL, Lang: "fr"}}
	newsroom.Publish(feedtest.Article{ID: "a1", Title: "Un article", Link: server.URL + "/a1", Published: time.Now().Add(-time.Hour)})
	site.Feed("/feed.xml", newsroom.RSS())
	c := newCell(t)
	write(t, filepath.Join(c.root, "etc/belfry/belfry.yaml"), fmt.Sprintf(`
listen: 127.0.0.1:0
admin_listen: none
data_dir: /var/lib/belfry
alerts: none
sources: {articles: {type: rss, url: %q, poll: 1s, baseline: all, isolation: process, allow_private: [127.0.0.0/8]}}
channels: {news: {title: News, sources: [articles], each: {}}}
`, server.URL+"/feed.xml"))
	d := daemontest.StartBy(t, c.root, nil, c.enter(restrict(t))...)
	base := d.Ready()
	page := ""
	for end := time.Now().Add(patience); !strings.Contains(page, "Un article") && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		_, page = get(t, http.DefaultClient, base+"/c/news") // the other side is another process
	}
	if !strings.Contains(page, "Un article") {
		t.Fatalf("what the plugin reads is not on the page:\n%s", d.Tail())
	}
	names := []string{}
	tasks, memory := 0, int64(0)
	for _, pid := range descendants(d.Pid()) {
		threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if errors.Is(err, fs.ErrNotExist) {
			continue // it has ended meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		tasks, memory = tasks+len(threads), memory+daemontest.PeakMemory(pid)
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil {
			t.Fatal(err)
		}
		name := string(bytes.ReplaceAll(bytes.TrimRight(line, "\x00"), []byte{0}, []byte{' '}))
		names = append(names, name)
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`NoNewPrivs:\s+1`, `Seccomp:\s+2`, `CapEff:\s+0+\n`, `CapBnd:\s+0+\n`, `Umask:\s+0077`} {
			if !regexp.MustCompile(want).Match(status) {
				t.Errorf("%s: no %s in\n%s", name, want, status)
			}
		}
	}
	if len(names) != 2 || !strings.HasPrefix(names[0], "/usr/local/bin/belfry run") || !strings.HasSuffix(names[1], "plugin serve rss") {
		t.Errorf("the processes are %q", names)
	}
	// The limits of its control group are far from what it takes.
	unit := unitSettings(t)
	if most, err := strconv.Atoi(unit["TasksMax"][0]); err != nil || tasks == 0 || tasks > most/4 {
		t.Errorf("%d tasks of %v, %v", tasks, unit["TasksMax"], err)
	}
	if most, err := strconv.ParseInt(strings.TrimSuffix(unit["MemoryHigh"][0], "M"), 10, 64); err != nil || memory == 0 || memory > most<<20/4 {
		t.Errorf("%d MiB of %v, %v", memory>>20, unit["MemoryHigh"], err)
	}
	if strings.Contains(d.Log(), "level=ERROR") || strings.Contains(d.Log(), "not permitted") {
		t.Errorf("the log says\n%s", d.Tail())
	}
}

// descendants are the processes below one, parents first. Each thread has children of its own.
func descendants(pid int) (all []int) {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range lists {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // the thread ended
		}
		for f := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(f); err == nil {
				all = append(append(all, child), descendants(child)...)
			}
		}
	}
	return all
}
