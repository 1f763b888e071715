package consent_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Who never agreed to anything is forgotten after a while, however many they are and whoever stands between them; who agreed stays.
func TestTidy(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	text := &strings.Builder{}
	text.WriteString("address,consented_at,source,wording_version\n")
	const people, every = 450, 90 // more than one look takes
	for i := range people {
		evidence := ",,,"
		if i%every == 0 {
			evidence = proven
		}
		fmt.Fprintf(text, "r%d@example.org%s\n", i, evidence)
	}
	_, _, err := o.take(text.String(), false)
	must(t, err)
	for _, step := range []struct {
		after time.Duration
		want  int
	}{{300 * 24 * time.Hour, 0}, {66 * 24 * time.Hour, people - people/every}, {0, 0}} {
		o.now = o.now.Add(step.after)
		n, err := o.reg.Tidy(t.Context())
		must(t, err)
		if n != step.want {
			t.Errorf("%d are forgotten, want %d", n, step.want)
		}
	}
	for i, want := range map[int]string{0: "active", 1: "", 199: "", 360: "active", 449: ""} {
		if got := o.state(fmt.Sprintf("r%d@example.org", i), alertes); got != want {
			t.Errorf("r%d is %q, want %q", i, got, want)
		}
	}
}
