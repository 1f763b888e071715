package app

import (
	"context"
	"strings"
	"testing"
)

// A configuration that changes while the daemon is being stopped does not keep it from stopping: the stop waits for who watches
// the files, who must not wait for the stop.
func TestAChangeDuringAStop(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.config(plain)
	a := s.start()
	a.mu.Lock()                                                 // as Stop does
	for _, title := range []string{"Autres", "Encore autres"} { // the first may come before the files were looked at
		s.config(strings.Replace(plain, "Alertes", title, 1))
		s.never("it was reloaded", func() bool { return a.Config().Channels["alertes"].Title.In("fr") == title })
	}
	a.unwatch()
	ctx, cancel := context.WithTimeout(t.Context(), waiting/6)
	defer cancel()
	if err := wait(ctx, &a.watching); err != nil {
		t.Errorf("who watches the files waits for the stop: %v", err)
	}
	a.mu.Unlock()
}
