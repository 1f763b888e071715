//go:build linux

package pluginhost

import (
	"strings"
	"testing"
)

// When a file of the system was replaced, a confined process makes room for another one: no call is lost, and nobody is to
// blame.
func TestAConfinedProcessIsRenewed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *Config) {
		c.Command = func(kind string) (Command, error) {
			command, err := ownCommand(kind)
			command.Foreign = true
			return command, err
		}
	})
	conn := source(t, f.open("good", "a", map[string]any{}))
	mustFetch(t, conn)
	k := f.kind("good")
	k.mu.Lock()
	first := k.shared
	if first.stamp == "" || first.outdated(f.now().Add(2*renewEvery)) {
		t.Errorf("it is outdated before anything changed (%q)", first.stamp)
	}
	first.stamp, first.looked = strings.Replace(first.stamp, " ", " 0", 1), f.now().Add(-2*renewEvery)
	k.mu.Unlock()
	mustFetch(t, conn)
	<-first.judged
	mustFetch(t, conn)
	k.mu.Lock()
	second := k.shared
	k.mu.Unlock()
	if second == nil || second == first {
		t.Fatal("it was not renewed")
	}
	f.Renew("good")
	mustFetch(t, conn)
	<-second.judged
	s := f.status("good")
	if s.Crashes != 0 || s.Starts != 3 || len(s.Instances) != 1 || s.Instances[0].State != StateWell || s.Instances[0].Strikes != 0 {
		t.Errorf("%+v", s)
	}
}

// Belfry's own kinds are not confined, and live as long as they are used.
func TestOwnProcessesAreNotRenewed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	mustFetch(t, source(t, f.open("good", "a", map[string]any{})))
	k := f.kind("good")
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.shared.outdated(f.now().Add(2 * renewEvery)) {
		t.Error("it is outdated")
	}
}
