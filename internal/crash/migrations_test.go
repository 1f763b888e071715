package crash

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/daemontest"
	"github.com/belfry-news/belfry/internal/store/sqlite/schematest"
)

// oldHouse is a folder with a filled database of an earlier schema, in which a daemon is killed.
type oldHouse struct {
	t       *testing.T
	schemas schematest.Schemas
	binary  string
	dir     string
	before  schematest.Content
	judged  map[string]time.Time // backups, by when they were written
}

// oldKey is the master key that the rows of package sqlite name as b8ac5a3e.
const oldKey = "belfry-key-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// oldConfig knows every name that the rows of package sqlite hold. Everything is paused in there: nobody is asked.
const oldConfig = `
listen: 127.0.0.1:0
admin_listen: none
data_dir: data
disk_floor: 0
alerts: none
privacy: {key: "` + oldKey + `"}
sources:
  articles: {type: rss, url: "https://gazette.example/feed"}
  agenda: {type: rss, url: "https://agenda.example/feed"}
destinations:
  hook: {type: http, url: "https://hook.example/in", secret: "` + secret + `"}
channels:
  alertes: {title: Alertes, sources: [articles, agenda], each: {}, publish_to: [{destination: hook}]}
  brief: {title: Brief, sources: [articles], digest: {cron: "0 7 * * *"}}
`

// worked are the tables in which a daemon writes at its start, though everything is paused: which call was under way, what
// is configured, when it looked.
var worked = []string{"configurations", "sources", "destinations", "lanes", "deliveries", "batches", "schedules", "alerts",
	"streams", "messages", "message_batches", "subscriptions"}

func newOldHouse(t *testing.T, binary string, database []byte, before schematest.Content) *oldHouse {
	t.Helper()
	h := &oldHouse{t: t, schemas: schemasOf(t), binary: binary, dir: schemasOf(t).Dir(), before: before, judged: map[string]time.Time{}}
	if err := os.Mkdir(filepath.Join(h.dir, "data"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"belfry.yaml": []byte(oldConfig), "data/belfry.db": database} {
		if err := os.WriteFile(filepath.Join(h.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

func schemasOf(t *testing.T) schematest.Schemas {
	t.Helper()
	return schematest.In(t, "../store/sqlite")
}

func (h *oldHouse) data(name string) string { return filepath.Join(h.dir, "data", name) }

// backup is the file that is written before the first migration, under its final name.
func (h *oldHouse) backup() string {
	all := h.schemas.Versions()
	return h.data(fmt.Sprintf("belfry.db.before-%d", all[slices.Index(all, h.before.Schema)+1]))
}

// kill starts the daemon and kills it as it makes the n-th call of a kind on a file; false when it made fewer, and serves.
func (h *oldHouse) kill(file, call string, n int) bool {
	h.t.Helper()
	calls := map[string]string{"write": "pwrite64", "sync": "fsync,fdatasync", "rename": "rename,renameat,renameat2"}[call]
	d := daemontest.StartBy(h.t, h.dir, nil, "strace", "-f", "-qq", "-o", os.DevNull, "-P", file,
		"-e", "trace="+calls, "-e", fmt.Sprintf("inject=%s:signal=SIGKILL:when=%d", calls, n), h.binary, "run", "--config", "belfry.yaml")
	for range 1500 {
		select {
		case <-d.Done:
			if strings.Contains(d.Log(), "problems") || strings.Contains(d.Log(), "strace:") {
				h.t.Fatalf("it ended by itself:\n%s", d.Log())
			}
			return true
		case <-time.After(20 * time.Millisecond):
		}
		if strings.Contains(d.Log(), "serving http://") {
			d.Kill(daemontest.Group)
			return false
		}
	}
	h.t.Fatalf("it neither serves nor ends:\n%s", d.Log())
	return false
}

// inside says in what the daemon was killed: the backup, or the transaction of a migration, with its number.
func (h *oldHouse) inside() (backup bool, migration int64) {
	h.t.Helper()
	have := h.schemas.Version(h.data("belfry.db"))
	log, err := os.ReadFile(h.data("belfry.db-wal"))
	if err != nil && !os.IsNotExist(err) {
		h.t.Fatal(err)
	}
	if schematest.CutOff(log) {
		for _, v := range h.schemas.Versions() {
			if h.schemas.Before(v) == have && v > have {
				return false, v
			}
		}
	}
	_, part := os.Stat(h.backup() + ".part")
	_, done := os.Stat(h.backup())
	return part == nil && done != nil && have == h.before.Schema, 0
}

// whole holds that the database has everything, but for what a daemon worked off once it had the newest schema, and that a
// backup is there as a whole or not at all.
func (h *oldHouse) whole(when string) schematest.Content {
	h.t.Helper()
	now := h.schemas.Read(h.data("belfry.db"))
	var but []string
	if now.Schema == h.schemas.Newest() {
		but = worked
	}
	for _, missing := range h.schemas.Missing(h.before, now, but...) {
		h.t.Errorf("%s: the database lost something: %s", when, missing)
	}
	files, err := filepath.Glob(h.data("belfry.db.before-*"))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f, ".part") || strings.HasSuffix(f, ".part-journal") {
			continue
		}
		info, err := os.Stat(f)
		if err != nil {
			h.t.Fatal(err)
		}
		if h.judged[f].Equal(info.ModTime()) {
			continue
		}
		h.judged[f] = info.ModTime()
		kept := h.schemas.Read(f)
		if next, err := strconv.ParseInt(f[strings.LastIndexByte(f, '-')+1:], 10, 64); err != nil || kept.Schema != h.schemas.Before(next) {
			h.t.Errorf("%s: %s has schema %d", when, f, kept.Schema)
		}
		for _, missing := range h.schemas.Missing(h.before, kept, "pauses") { // the backup is paused anew
			h.t.Errorf("%s: %s lost something: %s", when, f, missing)
		}
	}
	return now
}

// goOn starts the daemon once more, and holds that everything is there and nothing half.
func (h *oldHouse) goOn(when string) {
	h.t.Helper()
	d := daemontest.Start(h.t, h.binary, h.dir)
	d.Ready()
	d.Stop()
	now := h.whole("after " + when + " and the next start")
	if now.Schema != h.schemas.Newest() {
		h.t.Errorf("%s: the schema is %d", when, now.Schema)
	}
	for _, table := range worked {
		if len(now.Tables[table]) < len(h.before.Tables[table]) && !slices.Contains([]string{"batches", "message_batches"}, table) {
			h.t.Errorf("%s: after the next start table %s has %d rows of %d", when, table, len(now.Tables[table]), len(h.before.Tables[table]))
		}
	}
	if _, err := os.Stat(h.backup()); err != nil { // the one that the older program can read, however often it was killed
		h.t.Errorf("%s: there is no backup of before: %v", when, err)
	}
	if left, _ := filepath.Glob(h.data("*.part*")); len(left) > 0 {
		h.t.Errorf("%s: %q are left", when, left)
	}
}

// TestKilledInMigrations kills the real binary inside the backup before each migration and inside the transaction of each
// migration, over databases that hold rows in every table, and holds that the next start has all of it. Where a kill fell
// is told by what it left behind: a backup under its provisional name, a log that ends in the midst of a transaction.
func TestKilledInMigrations(t *testing.T) {
	t.Parallel()
	binary := daemontest.Build(t)
	var mu sync.Mutex
	backups, migrations := map[int64]int{}, map[int64]int{}
	t.Run("all", func(t *testing.T) {
		for _, v := range schemasOf(t).Versions()[1:] {
			t.Run(fmt.Sprintf("to schema %d", v), func(t *testing.T) {
				t.Parallel()
				schemas := schemasOf(t)
				made := filepath.Join(schemas.Dir(), "belfry.db")
				schemas.Make(made, schemas.Before(v))
				before := schemas.Read(made)
				database, err := os.ReadFile(made)
				if err != nil {
					t.Fatal(err)
				}
				// one kills a daemon in a fresh folder, and reports whether that came too late for this migration.
				one := func(call string, n int, suffix string) (late bool) {
					h := newOldHouse(t, binary, database, before)
					file := h.data("belfry.db") + suffix
					killed := h.kill(file, call, n)
					when := fmt.Sprintf("%s %d of %s", call, n, filepath.Base(file))
					backup, migration := h.inside()
					mu.Lock()
					if backup && killed {
						backups[v]++
					}
					if migration != 0 && killed {
						migrations[migration]++
					}
					mu.Unlock()
					h.whole(when)
					late = !killed || h.schemas.Version(h.data("belfry.db")) >= v
					h.goOn(when)
					return late
				}
				part := fmt.Sprintf(".before-%d.part", v)
				for _, n := range []int{1, 2, 30, 150, 250} {
					one("write", n, part)
				}
				one("sync", 1, part)
				one("rename", 1, part)
				for n := 2; !one("write", n, "-wal"); n += max(3, n/3) { // the headers of frames and their pages in turn
					if n > 10_000 {
						t.Fatal("the migration never ended")
					}
				}
				one("sync", 3, "-wal")
			})
		}
	})
	for _, v := range schemasOf(t).Versions()[1:] {
		t.Logf("schema %d: %d kills fell inside the backup before it, %d inside its transaction", v, backups[v], migrations[v])
		if backups[v] == 0 || migrations[v] == 0 {
			t.Errorf("schema %d: no kill fell inside its backup (%d) or its transaction (%d)", v, backups[v], migrations[v])
		}
	}
}

// TestKilledAgainAndAgain kills every start on one and the same folder, each a little later than the one before, until one
// comes through.
func TestKilledAgainAndAgain(t *testing.T) {
	t.Parallel()
	schemas := schemasOf(t)
	made := filepath.Join(schemas.Dir(), "belfry.db")
	schemas.Make(made, schemas.Versions()[0])
	database, err := os.ReadFile(made)
	if err != nil {
		t.Fatal(err)
	}
	h := newOldHouse(t, daemontest.Build(t), database, schemas.Read(made))
	files := []string{h.backup() + ".part", h.data("belfry.db-wal")}
	var seen []int64
	kills := 0
	for i := 1; i <= 18; i++ {
		if h.kill(files[i%2], "write", 1+2*i) {
			kills++
		}
		h.whole(fmt.Sprintf("kill %d", i))
		seen = append(seen, h.schemas.Version(h.data("belfry.db")))
	}
	h.goOn("after all kills")
	if !slices.IsSorted(seen) || kills < 5 {
		t.Errorf("%d kills, and the schemas were %v", kills, seen)
	}
	t.Logf("%d kills; the schemas were %v", kills, seen)
}
