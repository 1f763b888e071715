package hostile

import (
	"bufio"
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// press is a newsroom and a receiver around a daemon whose disk fails.
type press struct {
	t        *testing.T
	dir      string
	program  string
	room     *feedtest.Newsroom
	site     *feedtest.Site
	receiver *receivertest.Standard
	url      string
	written  []string
}

const pressSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

func newPress(t *testing.T) *press {
	t.Helper()
	p := &press{t: t, dir: t.TempDir(), program: program(), room: &feedtest.Newsroom{Channel: feedtest.Channel{Title: "Press", Lang: "en"}}, site: feedtest.New()}
	var err error
	if p.receiver, err = receivertest.NewStandard(receivertest.StandardOptions{Secrets: []string{pressSecret}}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", p.site)
	mux.Handle("/hook", p.receiver)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.url = server.URL
	config := fmt.Sprintf(`
listen: 127.0.0.1:0
admin_listen: none
data_dir: data
disk_floor: 0
alerts: none
sources: {press: {type: rss, url: %q, poll: 1s, baseline: all, max_new: 100000, allow_private: [127.0.0.0/8]}}
destinations: {hook: {type: http, url: %q, secret: %q, allow_private: [127.0.0.0/8]}}
channels: {all: {title: All, sources: [press], each: {settle: 0s}, publish_to: [{destination: hook}]}}
`, server.URL+"/feed", server.URL+"/hook", pressSecret)
	if err := os.WriteFile(filepath.Join(p.dir, "belfry.yaml"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	p.serve()
	return p
}

func (p *press) serve() { p.site.Feed("/feed", p.room.RSS()) }

// write publishes an article; size is that of its summary, in bytes.
func (p *press) write(size int) {
	title := fmt.Sprintf("Article %d", len(p.written))
	p.written = append(p.written, title)
	p.room.Publish(feedtest.Article{ID: title, Link: "https://press.example/" + strconv.Itoa(len(p.written)), Title: title,
		Summary: strings.Repeat("word ", size/5), Published: time.Now()})
	p.serve()
}

func (p *press) data(name string) string { return filepath.Join(p.dir, "data", name) }

func (p *press) start() *daemontest.Daemon {
	p.t.Helper()
	d := daemontest.Start(p.t, p.program, p.dir)
	d.Ready()
	return d
}

// arrived is what the receiver holds, by title.
func (p *press) arrived() map[string]int {
	out := map[string]int{}
	for _, post := range p.receiver.State().Posts {
		out[post.Title]++
	}
	return out
}

// until waits for something; what says what.
func (p *press) until(what string, d *daemontest.Daemon, ok func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("waited in vain for %s; the receiver holds %d of %d:\n%s", what, len(p.arrived()), len(p.written), d.Tail())
		}
	}
}

func (p *press) complete() bool { return len(p.arrived()) == len(p.written) }

// settled waits until every outcome is in the store and nothing was committed for a while.
func (p *press) settled() {
	p.t.Helper()
	db := p.database()
	defer db.Close()
	var before int
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(700 * time.Millisecond) {
		var open, version int
		if err := errors.Join(db.QueryRow(`SELECT count(*) FROM deliveries WHERE state IN ('pending', 'started')`).Scan(&open), db.QueryRow(`PRAGMA data_version`).Scan(&version)); err != nil {
			p.t.Fatal(err)
		}
		if open == 0 && version == before {
			return
		}
		before = version
	}
	p.t.Fatal("the daemon never rests")
}

// database reads the store as any program may, or a connection that the daemon opens anew.
func (p *press) database() *sql.DB {
	p.t.Helper()
	db, err := sql.Open("sqlite", "file:"+p.data("belfry.db")+"?mode=rw&_pragma=query_only(1)&_pragma=busy_timeout(10000)")
	if err != nil {
		p.t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	return db
}

// judge holds that each article is at the receiver exactly once.
func (p *press) judge() {
	p.t.Helper()
	got := p.arrived()
	for _, title := range p.written {
		if got[title] != 1 {
			p.t.Errorf("%s is at the receiver %d times", title, got[title])
		}
	}
	if len(got) != len(p.written) {
		p.t.Errorf("the receiver holds %d articles of %d", len(got), len(p.written))
	}
}

// inMount starts the daemon with its data folder on a mount of its own, for which the shell text stands.
func (p *press) inMount(setup string) *daemontest.Daemon {
	p.t.Helper()
	if err := os.MkdirAll(p.data(""), 0o700); err != nil {
		p.t.Fatal(err)
	}
	return daemontest.StartBy(p.t, p.dir, nil, "unshare", "-Urm", "sh", "-ec", setup+`; exec "$0" run --config belfry.yaml`, p.program)
}

// inside runs a command in the daemon's mounts.
func (p *press) inside(d *daemontest.Daemon, command ...string) {
	p.t.Helper()
	if out, err := p.tryInside(d, command...); err != nil {
		p.t.Fatalf("%v: %v\n%s", command, err, out)
	}
}

// tryInside is inside for what may fail.
func (p *press) tryInside(d *daemontest.Daemon, command ...string) (string, error) {
	p.t.Helper()
	args := append([]string{"-t", strconv.Itoa(d.Pid()), "-U", "-m", "--preserve-credentials", "--wd=" + p.dir}, command...)
	out, err := exec.Command("nsenter", args...).CombinedOutput()
	return string(out), err
}

// images lets the daemon take images from the press.
func (p *press) images() {
	p.t.Helper()
	file := filepath.Join(p.dir, "belfry.yaml")
	config, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	config = append(config, "media: {allow_private: [127.0.0.0/8]}\n"...)
	if err := os.WriteFile(file, config, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// illustrate publishes an article with an image.
func (p *press) illustrate() {
	p.t.Helper()
	var photo bytes.Buffer
	if err := png.Encode(&photo, image.NewGray(image.Rect(0, 0, 64, 64))); err != nil {
		p.t.Fatal(err)
	}
	p.site.Set("/photo.png", feedtest.Page{Type: "image/png", Body: photo.Bytes()})
	title := fmt.Sprintf("Article %d", len(p.written))
	p.written = append(p.written, title)
	p.room.Publish(feedtest.Article{ID: title, Link: "https://press.example/" + strconv.Itoa(len(p.written)), Title: title, Summary: "s", Published: time.Now(), Image: p.url + "/photo.png"})
	p.serve()
}

// TestDiskFull fills a small disk, and makes room again.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	d := p.inMount("mount -t tmpfs -o size=12m none data; head -c 6000000 /dev/zero > data/ballast")
	d.Ready()
	for i := 0; !strings.Contains(d.Log(), "full"); i++ {
		if i > 200 {
			t.Fatalf("the disk never filled:\n%s", d.Tail())
		}
		p.write(40_000)
		p.until("the article, or a full disk", d, func() bool { return p.complete() || strings.Contains(d.Log(), "full") || !d.Running() })
		if !d.Running() {
			t.Fatalf("the daemon ended:\n%s", d.Tail())
		}
	}
	before := len(p.arrived())
	p.write(10)
	time.Sleep(2 * time.Second)
	if !d.Running() {
		t.Fatalf("the daemon ended:\n%s", d.Tail())
	}
	t.Logf("the disk was full after %d articles; %d had arrived", len(p.written), before)
	p.inside(d, "rm", p.data("ballast"))
	p.until("everything after there was room", d, p.complete)
	d.Stop()
	p.judge()
}

// floored lets the press's daemon look at the room on its disk.
func (p *press) floored() {
	p.t.Helper()
	file := filepath.Join(p.dir, "belfry.yaml")
	config, err := os.ReadFile(file)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(file, bytes.Replace(config, []byte("disk_floor: 0"), []byte("disk_floor: 20MB"), 1), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// TestRetractOnAFullDisk fills the disk to its last byte under a daemon, and takes an article back: the room that the daemon
// held for that is enough, also for a start.
func TestRetractOnAFullDisk(t *testing.T) {
	t.Parallel()
	t.Run("running", func(t *testing.T) {
		t.Parallel()
		p := newPress(t)
		p.floored()
		d := p.inMount("mount -t tmpfs -o size=64m none data")
		d.Ready()
		p.write(10)
		p.write(10)
		p.until("two articles", d, p.complete)
		there := func() bool { _, err := p.tryInside(d, "test", "-s", p.data("belfry.reserve")); return err == nil }
		p.until("a reserve", d, there)
		if out, err := p.tryInside(d, "sh", "-c", "head -c 64M /dev/zero >"+p.data("ballast")); err == nil {
			t.Fatalf("the disk is not full: %s", out)
		}
		p.until("the reserve to be given up", d, func() bool { return !there() })
		post := p.receiver.State().Posts[0]
		if out, err := p.tryInside(d, p.program, "post", "retract", post.ID, "--reason", "wrong", "--config", filepath.Join(p.dir, "belfry.yaml")); err != nil {
			t.Errorf("it cannot be retracted: %v %s", err, out)
		}
		for _, now := range p.receiver.State().Posts {
			if live := now.State == "live"; live == (now.ID == post.ID) {
				t.Errorf("%s is %s in the end", now.Title, now.State)
			}
		}
	})
	t.Run("at the start", func(t *testing.T) {
		t.Parallel()
		p := newPress(t)
		p.floored()
		d := p.inMount("mount -t tmpfs -o size=64m none data; head -c 16M /dev/urandom >data/belfry.reserve; head -c 64M /dev/zero >data/ballast || true")
		d.Ready()
		p.until("the alert", d, func() bool { return strings.Contains(d.Log(), "disk_low") })
	})
}

// TestReadOnly starts on a disk that cannot be written, and then on one that can.
func TestReadOnly(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	p.write(10)
	d := p.start()
	p.until("the first article", d, p.complete)
	d.Stop()
	d = p.inMount("mount --bind data data; mount -o remount,ro,bind data")
	if code := d.Ended(patience); code == 0 || !strings.Contains(d.Log(), "data") || !strings.Contains(d.Log(), "read-only") {
		t.Errorf("on a read-only disk the daemon ends with %d and says:\n%s", code, d.Tail())
	}
	p.write(10)
	d = p.start()
	p.until("the second article", d, p.complete)
	d.Stop()
	p.judge()
}

// failing lets calls of a running daemon fail until the returned function is called.
func failing(t *testing.T, d *daemontest.Daemon, calls, how string) (mended func()) {
	t.Helper()
	said := &bytes.Buffer{}
	tracer := exec.Command("strace", "-f", "-o", os.DevNull, "-e", "trace="+calls, "-e", "inject="+calls+":"+how, "-p", strconv.Itoa(d.Pid()))
	pipe, err := tracer.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := tracer.Start(); err != nil {
		t.Fatal(err)
	}
	// It says that it is attached; what is written before would not fail.
	for lines := bufio.NewScanner(pipe); ; {
		if !lines.Scan() {
			t.Fatalf("strace ended: %s", said)
		}
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "attached") {
			break
		}
	}
	drained := make(chan struct{})
	go func() { defer close(drained); _, _ = io.Copy(io.Discard, pipe) }()
	mended = sync.OnceFunc(func() {
		_ = tracer.Process.Signal(syscall.SIGTERM) // so that it lets go of the daemon
		<-drained
		_ = tracer.Wait()
	})
	t.Cleanup(mended)
	return mended
}

// TestReadOnlyUnderway makes the disk of a running daemon read-only, as a file system does that has met an error, and then
// writable again. A mount that is written to cannot be made read-only from outside, so the calls fail instead.
func TestReadOnlyUnderway(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	d := p.start()
	p.write(10)
	p.until("the first article", d, p.complete)
	mended := failing(t, d, "pwrite64,ftruncate,fallocate", "error=EROFS")
	p.write(10)
	if code := d.Ended(30 * time.Second); code == 0 || !strings.Contains(d.Log(), "restart Belfry") {
		t.Errorf("the daemon ended with %d and said:\n%s", code, d.Tail())
	}
	mended()
	// The supervisor starts it anew, on the disk as it is now.
	d = p.inMount("mount --bind data data; mount -o remount,ro,bind data")
	if code := d.Ended(patience); code == 0 || !strings.Contains(d.Log(), p.data("")) || !strings.Contains(d.Log(), "read-only") {
		t.Errorf("on a read-only disk the daemon ends with %d and says:\n%s", code, d.Tail())
	}
	if got := len(p.arrived()); got > 2 {
		t.Errorf("the receiver holds %d articles", got)
	}
	d = p.start()
	p.write(10)
	p.until("everything", d, p.complete)
	d.Stop()
	p.judge()
}

// TestReadOnlyFolderUnderway puts a read-only mount over the folder of a running daemon, in its own mounts, and takes it
// away again. What is open goes on; what has to be made anew, such as the file of an image, waits with a sentence.
func TestReadOnlyFolderUnderway(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	p.images()
	d := p.inMount("mount --bind data data") //nolint:dupword // a folder onto itself
	base := d.Ready()
	p.write(10)
	p.until("the first article", d, p.complete)
	p.inside(d, "sh", "-ec", "mount --bind data data; mount -o remount,ro,bind data")
	if out, err := p.tryInside(d, "touch", p.data("x")); err == nil || !strings.Contains(out, "Read-only") {
		t.Fatalf("the folder can be written: %s %v", out, err)
	}
	p.write(10)
	p.until("an article without an image", d, p.complete)
	p.illustrate()
	p.until("the image's failure", d, func() bool { return strings.Contains(d.Log(), "an image cannot be fetched yet") })
	if line := lineWith(d.Log(), "an image cannot be fetched yet"); !strings.Contains(line, "read-only file system") {
		t.Errorf("it says %s", line)
	}
	if out, err := p.tryInside(d, p.program, "store", "backup", p.data("backup.db"), "--config", "belfry.yaml"); err == nil || !strings.Contains(out, "read-only") || !strings.Contains(out, "backup.db") {
		t.Errorf("belfry store backup: %v %s", err, out)
	}
	p.inside(d, "umount", "--lazy", p.data("")) // something may just be looked at
	p.until("the article with its image", d, p.complete)
	p.until("the image on the page", d, func() bool { return strings.Contains(text(t, base+"/c/all"), "<img") })
	if !d.Running() {
		t.Fatalf("the daemon ended:\n%s", d.Tail())
	}
	d.Stop()
	p.judge()
}

// TestFailingDisk lets the n-th sync, and the n-th write, of the disk fail with EIO, once. What the disk holds is then
// unknown: the daemon must accept nothing more, and find out by a restart.
func TestFailingDisk(t *testing.T) {
	t.Parallel()
	for _, calls := range []string{"fsync,fdatasync", "pwrite64"} {
		for first := 1; first <= 12; first += 4 {
			t.Run(fmt.Sprintf("%s %d to %d", calls, first, first+3), func(t *testing.T) {
				t.Parallel()
				p := newPress(t)
				for n := first; n < first+4; n++ {
					d := p.start()
					p.until("everything from before", d, p.complete)
					mended := failing(t, d, calls, fmt.Sprintf("error=EIO:when=%d", n))
					// Each thread counts its own calls, so it takes more than n of them.
					for begun := time.Now(); d.Running() && time.Since(begun) < patience; time.Sleep(150 * time.Millisecond) {
						p.write(10)
					}
					if code := d.Ended(patience); code == 0 || !strings.Contains(d.Log(), "restart Belfry") {
						t.Errorf("call %d: the daemon ended with %d and said:\n%s", n, code, d.Tail())
					}
					mended()
				}
				d := p.start()
				p.until("everything", d, p.complete)
				d.Stop()
				p.judge()
			})
		}
	}
}

// TestLostLog takes the write-ahead log away from a daemon that was killed.
func TestLostLog(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	d := p.start()
	for range 5 {
		p.write(10)
	}
	p.until("five articles", d, p.complete)
	d.Kill(daemontest.Group)
	log, err := os.ReadFile(p.data("belfry.db-wal"))
	if err != nil || len(log) == 0 {
		t.Fatalf("the log: %d bytes, %v", len(log), err)
	}
	if err := os.Remove(p.data("belfry.db-wal")); err != nil {
		t.Fatal(err)
	}
	d = daemontest.Start(t, p.program, p.dir)
	if code := d.Ended(patience); code == 0 || !strings.Contains(d.Log(), "belfry.db-wal") {
		t.Errorf("without its log the daemon ended with %d and said:\n%s", code, d.Tail())
	}
	if err := os.WriteFile(p.data("belfry.db-wal"), log, 0o600); err != nil {
		t.Fatal(err)
	}
	d = p.start()
	p.write(10)
	p.until("the sixth article", d, p.complete)
	d.Stop()
	p.judge()
}

// look reads the database once.
func (p *press) look() {
	p.t.Helper()
	db := p.database()
	defer db.Close()
	var n int
	_ = db.QueryRow(`SELECT count(*) FROM posts`).Scan(&n) // the rows of the log cannot be read
}

// TestLostLogUnderway takes the write-ahead log away from a running daemon. With the next commit it notices, ends, and saves
// what it has; killed before that, it refuses to start and names the file, also when a new connection has made an empty
// one in its place. Nothing leaves a second time.
func TestLostLogUnderway(t *testing.T) {
	t.Parallel()
	lose := func(t *testing.T, quiet bool) (*press, *daemontest.Daemon) {
		t.Helper()
		p := newPress(t)
		d := p.start()
		for range 5 {
			p.write(10)
		}
		p.until("the articles", d, p.complete)
		if quiet { // it commits nothing more
			if out, err := exec.Command(p.program, "pause", "all", "--config", filepath.Join(p.dir, "belfry.yaml")).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
			p.settled()
		}
		if err := os.Remove(p.data("belfry.db-wal")); err != nil {
			t.Fatal(err)
		}
		return p, d
	}
	t.Run("and it commits", func(t *testing.T) {
		t.Parallel()
		p, d := lose(t, false)
		p.write(10)
		if code := d.Ended(patience); code == 0 || !strings.Contains(d.Log(), p.data("belfry.db-wal")+" was removed while the database is in use") || !strings.Contains(d.Log(), "restart Belfry") {
			t.Errorf("the daemon ended with %d and said:\n%s", code, d.Tail())
		}
		d = p.start()
		p.until("everything", d, p.complete)
		d.Stop()
		p.judge()
	})
	for name, remade := range map[string]bool{"and it is killed": false, "and a reader makes an empty one, and it is killed": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, d := lose(t, true)
			if remade {
				p.look()
				if info, err := os.Stat(p.data("belfry.db-wal")); err != nil || info.Size() != 0 {
					t.Fatalf("there is no empty log: %v %v", info, err)
				}
			}
			d.Kill(daemontest.Group)
			d = daemontest.Start(t, p.program, p.dir)
			if code := d.Ended(patience); code == 0 || !strings.Contains(d.Log(), p.data("belfry.db-wal")) {
				t.Errorf("without its log the daemon ended with %d and said:\n%s", code, d.Tail())
			}
			p.judge()
		})
	}
}

// TestFlippedBits flips bits of the database and of its log, after a kill and after a regular end. The daemon starts clean,
// or refuses and names the file; it never crashes, and nothing leaves a second time.
func TestFlippedBits(t *testing.T) {
	t.Parallel()
	p := newPress(t)
	d := p.start()
	for range 30 {
		p.write(2000)
		time.Sleep(10 * time.Millisecond)
	}
	p.until("thirty articles", d, p.complete)
	p.settled()
	d.Kill(daemontest.Group)
	killed := p.snapshot()
	d = p.start()
	d.Stop()
	ended := p.snapshot()
	random := rand.New(rand.NewPCG(7, 7))
	refused, clean := 0, 0
	for i := range 45 {
		files, name := killed, "belfry.db-wal"
		switch i % 3 {
		case 1:
			name = "belfry.db"
		case 2:
			files, name = ended, "belfry.db"
		}
		p.restore(files)
		broken := bytes.Clone(files[name])
		for range 1 + i/9 {
			at := random.IntN(len(broken))
			if i%6 < 3 {
				at = random.IntN(min(len(broken), 4096)) // the beginning holds what matters most
			}
			broken[at] ^= 1 << random.IntN(8)
		}
		if err := os.WriteFile(p.data(name), broken, 0o600); err != nil {
			t.Fatal(err)
		}
		d := daemontest.Start(t, p.program, p.dir)
		ready := false
		for end := time.Now().Add(patience); !ready && d.Running() && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			ready = strings.Contains(d.Log(), "serving http://")
		}
		if ready {
			time.Sleep(300 * time.Millisecond) // it looks at everything that waits
		}
		running := d.Running()
		d.Kill(daemontest.Group)
		switch log := d.Log(); {
		case strings.Contains(log, "panic") || strings.Contains(log, "goroutine "):
			t.Errorf("flip %d in %s: the daemon crashed:\n%s", i, name, d.Tail())
		case running && ready:
			clean++
		case !running && strings.Contains(log, "belfry.db"):
			refused++
		default:
			t.Errorf("flip %d in %s: running %v, and it says:\n%s", i, name, running, d.Tail())
		}
	}
	t.Logf("%d starts were clean, %d refused", clean, refused)
	if clean == 0 || refused == 0 {
		t.Error("there were not both")
	}
	p.judge()
}

// snapshot reads the database and, after a kill, its log.
func (p *press) snapshot() map[string][]byte {
	p.t.Helper()
	files := map[string][]byte{}
	for _, name := range databaseFiles {
		if text, err := os.ReadFile(p.data(name)); err == nil {
			files[name] = text
		}
	}
	return files
}

// restore puts a snapshot back.
func (p *press) restore(files map[string][]byte) {
	p.t.Helper()
	for _, name := range databaseFiles {
		_ = os.Remove(p.data(name))
		if text, ok := files[name]; ok {
			if err := os.WriteFile(p.data(name), text, 0o600); err != nil {
				p.t.Fatal(err)
			}
		}
	}
}

var databaseFiles = []string{"belfry.db", "belfry.db-wal", "belfry.db-shm", "belfry.db-open"}
