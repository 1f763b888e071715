package app

import (
	"strings"
	"testing"

	"github.com/belfry-news/belfry/plugins/rss/feedtest"
)

// A change of an address or a secret is a change: it is counted, told of without its value, and a generation of its own.
func TestAChangeThatIsNotShown(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	a := s.start()
	s.publish(feedtest.Article{ID: "a", Title: "Un"})
	s.until("it is out", func() bool { return len(s.hook.State().Posts) == 1 && s.idle() })
	s.config(strings.Replace(plain, "%HOOK%/in", "%HOOK%/another-path", 1))
	r := a.Reload(t.Context())
	if r.Err != nil || r.Generation != 2 || len(r.Changes) != 1 || r.Changes[0].String() != "~ destinations.hook.url: changed (its value is not shown)" {
		t.Errorf("%+v", r)
	}
	applied, err := a.Store().Applied(t.Context())
	if err != nil || applied.Generation != 2 || len(applied.Key) == 0 {
		t.Fatalf("%+v, %v", applied, err)
	}
	if a.Config().Unlike(applied.Tree, applied.Key, applied.Outside) {
		t.Error("what was applied is said to differ from what runs")
	}
	if r := a.Reload(t.Context()); r.Err != nil || r.Generation != 2 || len(r.Changes) != 0 {
		t.Errorf("the same again: %+v", r)
	}
	// The next start goes on with the generation.
	s.stop(a)
	if a = s.start(); a.Status().Generation != 2 {
		t.Errorf("%+v", a.Status())
	}
}

// With an address at which it could not be started, a configuration is refused while the daemon runs too.
func TestAnImpossibleAddressIsRefused(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	a := s.start()
	for _, line := range []string{"listen: nonsense", "admin_listen: 0.0.0.0:9080", "admin_listen: nonsense"} {
		s.config(strings.Replace(plain, "listen: 127.0.0.1:0\n", "", 1) + line + "\n")
		if r := a.Reload(t.Context()); r.Err == nil || r.Generation != 1 || !strings.Contains(r.Err.Error(), "listen") && !strings.Contains(r.Err.Error(), "token") {
			t.Errorf("%s: %+v", line, r)
		}
	}
}
