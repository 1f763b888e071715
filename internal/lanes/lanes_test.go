package lanes_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	"github.com/belfry-news/belfry/internal/lanes"
)

// diary is what lanes did, in order.
type diary struct {
	mu    sync.Mutex
	lines []string
}

func (d *diary) note(line string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lines = append(d.lines, line)
}

type lane struct {
	name string
	d    *diary
}

func (l *lane) Start(context.Context) { l.d.note("start " + l.name) }
func (l *lane) Stop(context.Context)  { l.d.note("stop " + l.name) }
func (l *lane) Wake()                 { l.d.note("wake " + l.name) }

// TestSet: one lane for each name; what is replaced ends before its successor begins, and what ended is woken no more.
func TestSet(t *testing.T) {
	t.Parallel()
	var d diary
	var s lanes.Set[*lane]
	begin := func(name, version string) {
		s.Begin(t.Context(), name, func() *lane { return &lane{name + version, &d} })
	}
	begin("mail", "1")
	begin("mail", "2") // runs already
	begin("bot", "1")
	s.End(t.Context(), func(name string, _ *lane) bool { return name == "bot" })
	begin("mail", "3")
	s.Wake()
	s.Stop(t.Context())
	s.Wake()
	if n := len(s.All()); n > 0 {
		t.Errorf("%d lanes are left", n)
	}
	if want := []string{"start mail1", "start bot1", "stop mail1", "start mail3"}; !slices.Equal(d.lines[:min(4, len(d.lines))], want) {
		t.Errorf("first %q, want %q", d.lines, want)
	}
	rest := slices.Clone(d.lines[min(4, len(d.lines)):])
	slices.Sort(rest)
	if want := []string{"stop bot1", "stop mail3", "wake bot1", "wake mail3"}; !slices.Equal(rest, want) {
		t.Errorf("then %q, want %q", rest, want)
	}
}
