package hostile

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/daemontest"
)

// TestDiskFullDuringAnImport fills the disk of the data folder while a list is imported. The answer says how far it came,
// nothing is half written, and the same command finishes it once there is room.
func TestDiskFullDuringAnImport(t *testing.T) {
	t.Parallel()
	const rows = 30_000
	p := newPress(t)
	file := filepath.Join(p.dir, "belfry.yaml")
	config, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(config), "destinations: {", `destinations: {mail: {type: email, relay: "smtp://127.0.0.1:9", tls: none, sender: "Press <press@press.example>"}, `, 1)
	text = strings.Replace(text, "publish_to:", "messages: [{destination: mail}], publish_to:", 1) +
		"site: {title: Press, url: \"https://press.example\"}\nprivacy: {key: \"${file:people.key}\", controller: \"Press, 1 Fleet Street, London\"}\n"
	var list strings.Builder
	list.WriteString("address,channel,consented_at,source,wording\n")
	for i := range rows {
		fmt.Fprintf(&list, "reader%d@example.invalid,all,2026-01-05T10:00:00Z,old form,Yes\n", i)
	}
	for name, text := range map[string]string{"belfry.yaml": text, "people.key": consent.NewKey() + "\n", "people.csv": list.String()} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := p.inMount("mount -t tmpfs -o size=14m none data")
	d.Ready()
	imports := func() (string, error) {
		return p.belfry(d, "subscriber", "import", "people.csv")
	}
	out, err := imports()
	if err == nil || !strings.Contains(out, "full") || !strings.Contains(out, "the import stopped before row") || !strings.Contains(out, "the same command goes on") ||
		strings.Contains(out, "goroutine") {
		t.Fatalf("on a full disk: %v\n%s", err, out)
	}
	if !d.Running() {
		t.Fatalf("the daemon ended:\n%s", d.Tail())
	}
	p.inside(d, "mount", "-o", "remount,size=256m", p.data(""))
	half := p.kept(d, "half.db")
	if half.people == 0 || half.people >= rows || half.people%1000 != 0 || half.state != string(consent.ImportOpen) {
		t.Errorf("after the full disk the store holds %+v", half)
	}
	if out, err := imports(); err != nil || !strings.Contains(out, "goes on after row") || !strings.Contains(out, "nobody was written to") {
		t.Fatalf("with room again: %v\n%s", err, out)
	}
	if whole := p.kept(d, "whole.db"); whole.people != rows || whole.state != string(consent.ImportDone) {
		t.Errorf("in the end the store holds %+v", whole)
	}
	d.Stop()
}

// belfry runs a command beside the daemon, in its mounts.
func (p *press) belfry(d *daemontest.Daemon, command ...string) (string, error) {
	p.t.Helper()
	return p.tryInside(d, append([]string{"sh", "-c", `cd "$0" && exec "$@"`, p.dir, p.program}, command...)...)
}

// kept is what an import left in the store.
type kept struct {
	people int
	state  string
}

// kept looks into a backup of the store, which lies outside of the small disk. Of each person there is everything or nothing,
// and there are as many people as rows that the import says are done.
func (p *press) kept(d *daemontest.Daemon, name string) (k kept) {
	p.t.Helper()
	if out, err := p.belfry(d, "store", "backup", name); err != nil {
		p.t.Fatalf("%v\n%s", err, out)
	}
	db, err := sql.Open("sqlite", filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	var done int
	counts := make([]int, 5)
	if err := db.QueryRow(`SELECT rows_done, state, (SELECT count(*) FROM subscribers), (SELECT count(*) FROM person_keys), (SELECT count(*) FROM addresses),
		(SELECT count(*) FROM grants WHERE state = 'active'), (SELECT count(*) FROM ledger_events WHERE kind = 'imported') FROM imports`).
		Scan(&done, &k.state, &counts[0], &counts[1], &counts[2], &counts[3], &counts[4]); err != nil {
		p.t.Fatal(err)
	}
	k.people = counts[0]
	for _, n := range counts {
		if n != done {
			p.t.Errorf("%s: %d rows are done, and people, keys, addresses, grants and events are %v", name, done, counts)
			break
		}
	}
	return k
}
