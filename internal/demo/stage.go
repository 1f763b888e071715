package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/store/sqlite"
	"github.com/belfry-news/belfry/scheduler"
	"github.com/goccy/go-yaml"
)

// folder makes the folder of the demonstration, and arranges that a folder of its own goes again.
func (d *Demo) folder() error {
	if d.o.DataDir != "" {
		dir, err := filepath.Abs(d.o.DataDir)
		if err == nil {
			err = os.MkdirAll(dir, 0o700)
		}
		var there []os.DirEntry
		if err == nil {
			there, err = os.ReadDir(dir)
		}
		if err != nil {
			return fmt.Errorf("the folder %s cannot be used: %w; give another one with --data-dir", d.o.DataDir, err)
		}
		// The stand-ins begin with empty memories, and so must the store.
		if len(there) > 0 {
			return fmt.Errorf("the folder %s is not empty; empty it, or give another one with --data-dir", d.o.DataDir)
		}
		d.dir = dir
		return nil
	}
	sweep()
	dir, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", folderPrefix, os.Getpid()))
	if err != nil {
		return fmt.Errorf("no folder can be made for the demonstration: %w; give one with --data-dir", err)
	}
	d.dir = dir
	d.undo = append(d.undo, func() { _ = os.RemoveAll(dir) })
	return nil
}

const folderPrefix = "belfry-demo-"

// sweep removes the folders of demonstrations that were killed and could not do so themselves.
func sweep() {
	old, err := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range old {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), folderPrefix), "-")
		if pid, err := strconv.Atoi(owner); err == nil && !alive(pid) {
			_ = os.RemoveAll(dir)
		}
	}
}

// stage sets up everything that stands around the daemon.
func (d *Demo) stage(ctx context.Context) (err error) {
	log, err := os.OpenFile(filepath.Join(d.dir, "daemon.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	d.undo = append(d.undo, func() { _ = log.Close() })
	titles := map[int64]string{chatFirst: "La Gazette", chatSecond: "The Gazette", chatAlerts: "Alertes · Alerts"}
	env, text := map[string]string{}, configs.Demo
	d.editions = map[string]edition{"fr": {"fr", "une", chatFirst, "brief"}, "en": {"en", "news", chatSecond, "briefing"}}
	if d.o.Feed != "" {
		text = configs.DemoFeed
		d.editions = map[string]edition{ownEdition: {Lang: ownEdition, Channel: ownChannel, Chat: chatFirst}}
		if err := d.stageOwn(ctx, env); err != nil {
			return err
		}
		titles[chatFirst] = env["DEMO_TITLE"]
		d.paper = d.own
	} else {
		if d.newsroom, err = openNewsroom(d.zone, time.Now()); err != nil {
			return err
		}
		d.paper = d.newsroom
	}
	if d.digests, err = digestsOf(text, d.zone); err != nil {
		return err
	}
	if d.receivers, err = openReceivers(d.dir+string(filepath.Separator), titles, func() { d.hub.Changed() }); err != nil {
		return err
	}
	d.undo = append(d.undo, d.receivers.close)
	if err := d.stageMail(); err != nil {
		return err
	}
	inner, err := d.serveInner()
	if err != nil {
		return err
	}
	if d.newsroom != nil {
		if err := d.newsroom.serveAt(d.base, inner); err != nil {
			return err
		}
		list, _ := d.newsroom.Live(ctx, "")
		d.found = len(list)
		env["DEMO_FEED"] = inner + feedPath
	}
	maps.Copy(env, map[string]string{"DEMO_ZONE": d.zone.String(), "DEMO_URL": d.base, "DEMO_LANG": "en",
		"DEMO_TELEGRAM": inner + telegramPath, "DEMO_TELEGRAM_TOKEN": d.receivers.token, "DEMO_WEBHOOK": inner + webhookPath, "DEMO_WEBHOOK_SECRET": d.receivers.secret,
		"DEMO_RELAY": "smtp://" + d.mailbox.addr})
	if err := os.WriteFile(filepath.Join(d.dir, "belfry.yaml"), []byte(text), 0o600); err != nil {
		return err
	}
	d.daemon = &daemon{binary: d.o.Program, dir: d.dir, env: environment(d.o.Environ, env), log: log, trouble: d.trouble, changed: d.hub.Changed}
	d.undo = append(d.undo, func() {
		if err := d.daemon.Stop(); err != nil {
			d.trouble(err.Error())
		}
	})
	d.watch = &stopwatch{receivers: d.receivers, page: d.daemon.Address, editions: d.editions, changed: d.hub.Changed}
	d.breaker = &breaker{daemon: d.daemon, receivers: d.receivers, paper: d.paper, editions: d.editions, db: d.db.Load, changed: d.hub.Changed,
		dark: time.Duration(float64(darkTime) / max(d.o.Speed, 1))}
	return nil
}

// keyFile holds the key that seals the addresses of readers.
const keyFile = "readers.key"

// stageMail opens the relay that takes all mails, and makes up who reads some of them.
func (d *Demo) stageMail() error {
	if err := os.WriteFile(filepath.Join(d.dir, keyFile), []byte(consent.NewKey()+"\n"), 0o600); err != nil {
		return err
	}
	journal, err := d.receivers.journal(filepath.Join(d.dir, "mail.journal"))
	if err != nil {
		return err
	}
	if d.mailbox, err = openMailbox(journal, d.hub.Changed, d.trouble); err != nil {
		return err
	}
	d.browser, d.readers = newBrowser(d.base), readersOf(d)
	d.undo = append(d.undo, d.mailbox.Close, d.browser.Close)
	return nil
}

// stageOwn prepares somebody's own feed.
func (d *Demo) stageOwn(ctx context.Context, env map[string]string) error {
	address, private, err := checkFeed(ctx, d.o.Feed)
	if err != nil {
		return err
	}
	d.own = &ownFeed{address: address, db: d.db.Load}
	env["DEMO_FEED"], env["DEMO_TITLE"] = address, hostName(address)
	folder := filepath.Join(d.dir, "conf.d")
	if err := os.RemoveAll(folder); err != nil || len(private) == 0 {
		return err
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	var list []string
	for _, p := range private {
		list = append(list, strconv.Quote(p.String()))
	}
	allowed := "[" + strings.Join(list, ", ") + "]"
	text := fmt.Sprintf("# The feed lies in a network of one's own, and was named by hand.\nsources: {yours: {allow_private: %s}}\nmedia: {allow_private: %s}\n", allowed, allowed)
	return os.WriteFile(filepath.Join(folder, "private.yaml"), []byte(text), 0o600)
}

// digestsOf reads the schedules of a configuration's digests, which the daemon reads in the same words.
func digestsOf(text string, zone *time.Location) (map[string]scheduler.Spec, error) {
	var c struct {
		Channels map[string]struct{ Digest struct{ Cron string } }
	}
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		return nil, err
	}
	out := map[string]scheduler.Spec{}
	for name, ch := range c.Channels {
		if ch.Digest.Cron == "" {
			continue
		}
		spec, err := scheduler.Parse(ch.Digest.Cron, zone)
		if err != nil {
			return nil, fmt.Errorf("channels.%s: %w", name, err)
		}
		out[name] = spec
	}
	return out, nil
}

// environment is what the daemon is told: the surroundings, and nothing that would configure another Belfry.
func environment(around []string, own map[string]string) []string {
	var out []string
	for _, e := range around {
		if !strings.HasPrefix(e, "BELFRY_") || strings.HasPrefix(e, "BELFRY__PLUGINS__") {
			out = append(out, e)
		}
	}
	for name, value := range own {
		out = append(out, name+"="+value)
	}
	return out
}

// serveInner serves what only the daemon asks for, on this machine alone: the feed with its pictures, and the receivers.
func (d *Demo) serveInner() (base string, err error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("the receivers cannot be served: %w", err)
	}
	mux := http.NewServeMux()
	d.receivers.serve(mux)
	if d.newsroom != nil {
		mux.Handle("/newsroom/", d.newsroom.site)
	}
	d.serve(ln, mux)
	return "http://" + ln.Addr().String(), nil
}

// serve serves on a listener until the demonstration stops.
func (d *Demo) serve(ln net.Listener, h http.Handler) {
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 16 << 10}
	d.tasks.Go(func() {
		if err := s.Serve(ln); err != nil && !errors.Is(err, http.ErrServerClosed) {
			d.trouble("nothing is served any more: " + err.Error())
		}
	})
	d.undo = append(d.undo, func() {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		if s.Shutdown(ctx) != nil {
			_ = s.Close()
		}
	})
}

func (d *Demo) openStore(ctx context.Context) error {
	db, err := sqlite.OpenExisting(ctx, filepath.Join(d.dir, "data", "belfry.db"))
	if err != nil {
		return fmt.Errorf("the daemon's store cannot be read: %w", err)
	}
	d.db.Store(db)
	d.undo = append(d.undo, func() { d.db.Store(nil); _ = db.Close() })
	return nil
}
