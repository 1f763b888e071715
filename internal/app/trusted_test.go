//go:build unix

package app

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/filetree"
	"github.com/belfry-news/belfry/internal/trust"
	"github.com/belfry-news/belfry/plugins/rss/feedtest"
	"github.com/belfry-news/belfry/sdk"
)

// trustNotes records the trust in the plugin of the stage as it is now.
func (s *stage) trustNotes(folder string) {
	s.t.Helper()
	tree, err := filetree.Read(filepath.Join(folder, "notes"))
	if err != nil {
		s.t.Fatal(err)
	}
	r := trust.Record{Name: "notes", Program: ".", Checksum: tree.Sum(), Files: tree, Trusted: time.Now().UTC(),
		Types: []trust.Type{{Type: "notes", Summary: "notes", Roles: []sdk.Role{sdk.RoleSource}, Schema: []byte(`{"type":"object"}`)}}}
	if _, err := r.Write(folder); err != nil {
		s.t.Fatal(err)
	}
}

// A plugin that is not what was trusted is not started, and somebody is told what changed; everything else goes on. Trusted
// again, it is read again without a restart.
func TestATrustedPluginThatIsReplaced(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	folder, notes := filepath.Join(s.dir, "plugins"), filepath.Join(s.dir, "carnet")
	for _, dir := range []string{folder, notes} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	plugin := s.example("plugins/notes")
	s.trustNotes(folder)
	text := withNotes(plain, "{}", `, folder: "`+notes+`"`)
	s.config(strings.NewReplacer(`  board: {type: notes, folder: "`+notes+`"}`+"\n", "", ", {destination: board}", "",
		"plugins: {external: {notes: {}}}", `plugins: {folder: "`+folder+`", external: {notes: {read: ["`+notes+`"]}}}`).Replace(text))
	a := s.start()
	s.until("it is read", func() bool { return !s.source("carnet").OKAt.IsZero() })

	b, err := os.ReadFile(plugin)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(plugin); err != nil { // it runs
		t.Fatal(err)
	}
	if err := os.WriteFile(plugin, append(b, "changed"...), 0o755); err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(s.pid("notes"))
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.until("somebody is told", func() bool {
		_ = a.Store().FetchNow(t.Context(), "carnet", false, time.Now()) // the source's own back-off is not of interest
		a.poller.Wake()
		return strings.Contains(s.alerts()["source_failing"], "the plugin notes changed since it was trusted (it is another file); if you wanted that: belfry plugin trust notes")
	})
	s.publish(feedtest.Article{ID: "a", Title: "Un"})
	s.until("the others go on", func() bool { return len(s.messages()) == 1 })

	s.trustNotes(folder)
	if r := a.Reload(t.Context()); r.Err != nil || len(r.NeedRestart) != 0 {
		t.Fatalf("%+v", r)
	}
	failed := s.source("carnet").OKAt
	s.until("it is read again", func() bool {
		_ = a.Store().FetchNow(t.Context(), "carnet", true, time.Now())
		a.poller.Wake()
		return s.source("carnet").OKAt.After(failed) && s.alerts()["source_failing"] == ""
	})
}
