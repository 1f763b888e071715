//go:build linux

package pluginhost

import (
	"log/slog"
	"testing"
)

// A process that is killed while it is being started does not live on.
func TestKilledWhileItIsStarted(t *testing.T) {
	t.Parallel()
	command, err := ownCommand("silent")
	if err != nil {
		t.Fatal(err)
	}
	th := newThread()
	defer th.stop()
	r, err := newRunner(command, nil, t.TempDir(), th, -1, newLines(slog.New(slog.DiscardHandler), Limits{}.withDefaults(), func() {}))
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	<-r.done
	if r.ownExit() != "" {
		t.Errorf("it is said to have ended by itself: %s", r.ownExit())
	}
}
