package desk

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/disk"
	"github.com/belfry-news/belfry/sdk"
)

// littleSpace is the room on a disk, in bytes, at which a person is needed where disk_floor: does not say.
const littleSpace = 200e6

// lookAtData looks at the data folder and its disk.
func (d *doctor) lookAtData(context.Context) {
	info, err := os.Stat(d.Dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return // there is no store yet, which is said elsewhere
	case err != nil:
		d.note(Trouble, "data folder", fmt.Sprintf("the data folder %s cannot be looked at: %s", d.Dir, pathError(err)), "run the command as the user that runs Belfry")
		return
	case !info.IsDir():
		d.note(Trouble, "data folder", d.Dir+" is no folder", "give another one with data_dir:")
		return
	}
	mode := info.Mode().Perm()
	switch {
	case mode&0o022 != 0:
		d.note(Trouble, "data folder", fmt.Sprintf("others may write into the data folder %s (mode %04o)", d.Dir, mode), "chmod 700 "+d.Dir)
	case mode&0o055 != 0:
		d.note(Advice, "data folder", fmt.Sprintf("others may look into the data folder %s (mode %04o)", d.Dir, mode), "chmod 700 "+d.Dir)
	default:
		d.fine("data folder", "%s is its owner's alone", d.Dir)
	}
	d.judgeDisk()
}

func (d *doctor) judgeDisk() {
	free, known := d.free(d.Dir)
	floor := int64(d.Config.DiskFloor)
	switch {
	case !known:
	case free < floor && d.told(alert.DiskLow, d.Dir): // its alert says so
	case free < floor:
		d.note(Trouble, "disk", fmt.Sprintf("the disk of %s has %s left, less than disk_floor: %s; nothing is fetched until there is more, and so no withdrawal by a source is noticed", d.Dir, disk.Bytes(free), d.Config.DiskFloor),
			"make room, or move data_dir: to a larger disk while the daemon is stopped")
	case free < littleSpace:
		d.note(Trouble, "disk", fmt.Sprintf("the disk of %s has %s left; when it is full nothing can be recorded, and so nothing is fetched or sent", d.Dir, disk.Bytes(free)),
			"make room, or move data_dir: to a larger disk while the daemon is stopped")
	case free < max(2*floor, 2*littleSpace):
		d.note(Advice, "disk", fmt.Sprintf("the disk of %s has %s left", d.Dir, disk.Bytes(free)), "make room before it is needed")
	default:
		d.fine("disk", "%s left", disk.Bytes(free))
	}
}

func pathError(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// NotRunning is what there is to say while no daemon uses the store; path is that of the configuration.
func NotRunning(path string) Finding {
	return Finding{Trouble, "daemon", "the daemon is not running: nothing is fetched and nothing leaves", "systemctl start belfry, or: belfry run --config " + path}
}

// lookAtDaemon looks whether a daemon runs, and asks it.
func (d *doctor) lookAtDaemon(ctx context.Context) {
	pid, running := d.Daemon()
	name := "the daemon"
	if pid > 0 {
		name += fmt.Sprintf(" (process %d)", pid)
	}
	if !running && d.x.OpenError == nil {
		f := NotRunning(d.x.Path)
		d.note(f.Level, f.About, f.Sentence, f.Mend)
	}
	answer := d.asked(ctx, d.Config.Listen, "/readyz")
	switch {
	case answer.none:
	case running && answer.status == http.StatusOK:
		d.fine("daemon", "%s runs and answers at %s", name, d.Config.Listen)
	case running && answer.status == http.StatusServiceUnavailable:
		d.note(Advice, "daemon", name+" runs and is still starting", "ask again in a moment: belfry doctor")
	case running:
		d.note(Trouble, "daemon", fmt.Sprintf("%s runs, but its pages do not answer at %s: %s", name, d.Config.Listen, answer.why),
			"look into its log; a daemon that was started with another listen: needs a restart to take up this one")
	case answer.status != 0:
		d.note(Trouble, "daemon", fmt.Sprintf("another program answers at %s, where the pages would be served", d.Config.Listen), "end it, or choose another address with listen:")
	}
	if at := d.Config.AdminListen; running && at != configs.AdminNone {
		level := Trouble
		if !d.Config.Says("/admin_listen") {
			level = Advice // a default that was taken already keeps no daemon from starting
		}
		if answer := d.asked(ctx, at, "/healthz"); !answer.none && answer.status != http.StatusOK {
			d.note(level, "daemon", fmt.Sprintf("%s does not answer operators at %s: %s", name, at, answer.why), "look into its log; admin_listen: counts from the next start only")
		}
	}
}

// answered is what an address of this machine said.
type answered struct {
	// none says that there is no address to ask at.
	none   bool
	status int
	why    string
}

// asked asks a server of this machine by the address that it listens at.
func (d *doctor) asked(ctx context.Context, listen, path string) answered {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" {
		return answered{none: true}
	}
	if a, err := netip.ParseAddr(host); host == "" || err == nil && a.IsUnspecified() {
		host = "127.0.0.1"
	}
	var allow []netip.Prefix // whatever address the admin gave it is this machine's
	for _, all := range []string{"0.0.0.0/0", "::/0"} {
		allow = append(allow, netip.MustParsePrefix(all))
	}
	client := sdk.NewClient(sdk.ClientConfig{AllowPrivate: allow, UserAgent: d.UserAgent, Timeout: 5 * time.Second, MaxBody: 1 << 10})
	defer client.CloseIdle()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+path, nil)
	if err != nil {
		return answered{none: true}
	}
	got, err := client.Send(req, "ask")
	if err != nil {
		return answered{why: Sentence(err).Error()}
	}
	return answered{status: got.Status, why: fmt.Sprintf("it answers with status %d", got.Status)}
}

// lookAtClock looks whether time stands right, and what is known of zones.
func (d *doctor) lookAtClock(ctx context.Context) {
	if d.Store != nil {
		newest, err := d.Store.NewestStamp(ctx)
		ahead := newest.Sub(d.Now)
		switch {
		case err != nil:
			d.failed("clock", err)
		case ahead > time.Minute:
			d.note(Trouble, "clock", fmt.Sprintf("the newest row was written at %s, which is %s ahead of this machine's clock: it stands wrong now, or did then", d.At(newest), sdk.D(ahead.Round(time.Second))),
				"set it by the network (timedatectl set-ntp true); if it is right now, a daemon fits the rows to it when it starts")
		default:
			d.fine("clock", "no row is ahead of it; it shows %s", d.At(d.Now))
		}
	}
	if clockFree() {
		d.note(Advice, "clock", "nothing keeps this machine's clock right: the kernel says that it is not synchronised", "timedatectl set-ntp true, or run chrony")
	}
	if v := d.zoneVersion(); v != "" {
		year, err := strconv.Atoi(v[:min(4, len(v))])
		if err == nil && year < d.Now.Year()-1 {
			d.note(Advice, "zone data", fmt.Sprintf("the zone data of this machine is of %s; schedules in zones whose rules changed since are wrong", v), "update the package tzdata and restart the daemon")
		} else {
			d.fine("zone data", "version %s of this machine", v)
		}
		return
	}
	d.fine("zone data", "that of the program")
}

// zoneVersion is the version of the machine's zone data; empty when there is none or it does not say.
func (d *doctor) zoneVersion() string {
	for _, dir := range []string{"usr/share/zoneinfo", "usr/lib/zoneinfo", "usr/share/lib/zoneinfo"} {
		text, err := os.ReadFile(filepath.Join("/", d.x.Root, dir, "tzdata.zi"))
		if err != nil {
			continue
		}
		line, _, _ := strings.Cut(string(text[:min(len(text), 200)]), "\n")
		if v, ok := strings.CutPrefix(line, "# version "); ok {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// lookAtPages looks at how readers come to the pages.
func (d *doctor) lookAtPages(context.Context) {
	posts := slices.ContainsFunc(slices.Collect(maps.Values(d.Config.Channels)), func(c configs.Channel) bool { return len(c.PublishTo) > 0 })
	site, err := url.Parse(d.Config.Site.URL)
	name := ""
	if err == nil {
		name = site.Hostname()
	}
	address, _ := netip.ParseAddr(name)
	here := name == "localhost" || strings.HasSuffix(name, ".localhost") || address.IsValid() && (address.IsLoopback() || address.IsPrivate())
	switch {
	case d.Config.Site.URL == "" && posts:
		d.note(Advice, "pages", "site.url is not set, so posts cannot lead to their own page", "write site: {url: \"https://…\"}, the address that readers use")
	case here && posts:
		d.note(Trouble, "pages", fmt.Sprintf("site.url is %s, which leads readers of posts to their own machine", d.Config.Site.URL), "write the address that readers use")
	case site != nil && site.Scheme == "http" && !here:
		d.note(Advice, "pages", fmt.Sprintf("site.url is %s: readers come without encryption", d.Config.Site.URL), "put nginx or Caddy with a certificate in front (docs/operations), and write https://")
	case d.Config.Site.URL != "":
		d.fine("pages", "readers come by %s", d.Config.Site.URL)
	}
	host, _, err := net.SplitHostPort(d.Config.Listen)
	a, _ := netip.ParseAddr(host)
	if err == nil && host != "localhost" && !a.IsLoopback() {
		d.note(Advice, "pages", fmt.Sprintf("the pages are served at %s to everybody who reaches this machine, without encryption", d.Config.Listen),
			"unless a container or a firewall stands around it: listen: 127.0.0.1:8080, with nginx or Caddy in front (docs/operations)")
	}
}

// lookAtService looks at what stands around the daemon's process: who starts it again, and how much memory it may have.
func (d *doctor) lookAtService(context.Context) {
	pid, running := d.Daemon()
	if !running || pid <= 0 {
		return
	}
	proc := filepath.Join("/", d.x.Root, "proc", strconv.Itoa(pid))
	if environ, err := os.ReadFile(filepath.Join(proc, "environ")); err == nil {
		vars := strings.Split(string(environ), "\x00")
		has := func(name string) bool {
			return slices.ContainsFunc(vars, func(v string) bool { return strings.HasPrefix(v, name+"=") })
		}
		switch {
		case !has("NOTIFY_SOCKET") && !has("INVOCATION_ID"):
			d.fine("service", "not run by systemd; let what runs it start it again when it ends")
		case !has("WATCHDOG_USEC"):
			d.note(Advice, "service", "systemd would not notice a daemon that hangs: the unit has no watchdog", "take docs/operations/belfry.service, or add WatchdogSec=60s")
		default:
			d.fine("service", "run by systemd, with its watchdog")
		}
	}
	limit, known := d.memoryLimit(proc)
	if !known {
		return
	}
	kinds := len(d.isolatedKinds())
	need := int64(128+kinds*d.Config.Plugins.Memory) << 20
	if limit < need {
		d.note(Advice, "memory", fmt.Sprintf("the daemon and its plugins may use %s together, and need up to %s at worst (plugins.memory: %d)",
			disk.Bytes(limit), disk.Bytes(need), d.Config.Plugins.Memory), "raise MemoryMax= of the unit or the limit of the container")
		return
	}
	d.fine("memory", "limited to %s", disk.Bytes(limit))
}

// memoryLimit is the limit of the control group of a process (cgroup v2), in bytes; false when there is none.
func (d *doctor) memoryLimit(proc string) (int64, bool) {
	text, err := os.ReadFile(filepath.Join(proc, "cgroup"))
	if err != nil {
		return 0, false
	}
	group, ok := strings.CutPrefix(strings.TrimSpace(string(text)), "0::")
	if !ok {
		return 0, false
	}
	text, err = os.ReadFile(filepath.Join("/", d.x.Root, "sys/fs/cgroup", group, "memory.max")) //nolint:gosec // the kernel names the group
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil
}
