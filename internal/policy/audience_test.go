package policy

import (
	"testing"
)

func TestBrake(t *testing.T) {
	t.Parallel()
	for b, want := range map[Brake]bool{
		{New: true, Sent: 49, First: 50}: false,
		{New: true, Sent: 50, First: 50}: true,
		{New: true}:                      true,
		{Sent: 9000, First: 50}:          false,
	} {
		if b.Holds() != want {
			t.Errorf("%+v holds: %t", b, b.Holds())
		}
	}
	j := Jump{Times: 2, Least: 50}
	for _, c := range []struct {
		before, now int
		want        bool
	}{{0, 49, false}, {0, 50, true}, {10, 59, false}, {10, 60, true}, {1000, 1999, false}, {1000, 2000, true}, {2000, 1000, false}, {0, 0, false}} {
		if j.New(c.before, c.now) != c.want {
			t.Errorf("from %d to %d: %t", c.before, c.now, !c.want)
		}
	}
	if (Jump{}).New(5, 5) {
		t.Error("no growth is a jump")
	}
}

func TestGuard(t *testing.T) {
	t.Parallel()
	for g, want := range map[Guard]bool{
		{Others: 19, Limit: 20}:                 false,
		{Others: 20, Limit: 20}:                 true,
		{Others: 20, Limit: 20, Released: true}: false,
		{}:                                      true,
	} {
		if g.Holds() != want {
			t.Errorf("%+v holds: %t", g, g.Holds())
		}
	}
}

func TestNoticeDigest(t *testing.T) {
	t.Parallel()
	slot := func(name string) string { return "\ufdd0" + name + "\ufdd1" }
	base := []string{"Colis " + slot("number"), "Bonjour " + slot("name") + ", votre colis arrive à 8 h."}
	for name, c := range map[string]struct {
		texts []string
		same  bool
	}{
		"itself":                          {base, true},
		"slots of other names":            {[]string{"Colis " + slot("n"), "Bonjour " + slot("first") + ", votre colis arrive à 8 h."}, true},
		"case, spaces, line ends":         {[]string{"COLIS  " + slot("number") + "\r\n", " bonjour\u00a0" + slot("name") + ", votre\tcolis arrive à 8 h."}, true},
		"an accent written in two":        {[]string{base[0], "Bonjour " + slot("name") + ", votre colis arrive a\u0300 8 h."}, true},
		"characters without a shape":      {[]string{base[0], "Bon\u200bjour " + slot("name") + ", votre co\u00adlis arrive à 8 h."}, true},
		"another number":                  {[]string{base[0], "Bonjour " + slot("name") + ", votre colis arrive à 9 h."}, false},
		"a name instead of its slot":      {[]string{base[0], "Bonjour Zoé, votre colis arrive à 8 h."}, false},
		"a slot less":                     {[]string{"Colis", base[1]}, false},
		"the same words, cut differently": {[]string{base[0] + " Bonjour " + slot("name"), ", votre colis arrive à 8 h."}, false},
		"a text more":                     {[]string{base[0], base[1], ""}, false},
		"a slot that does not end":        {[]string{"Colis \ufdd0number", base[1]}, false},
	} {
		if got := NoticeDigest(c.texts...) == NoticeDigest(base...); got != c.same {
			t.Errorf("%s: the same is %t", name, got)
		}
	}
}

// FuzzNoticeDigest: what stands in a slot makes no difference, what stands beside it does.
func FuzzNoticeDigest(f *testing.F) {
	f.Add("Colis ", "12", "34", " est là")
	f.Add("", "", "\ufdd0", "\ufdd1")
	f.Add("e", "x", "y", "\u0301")
	f.Fuzz(func(t *testing.T, before, one, other, after string) {
		in := func(v string) string { return before + "\ufdd0" + v + "\ufdd1" + after }
		for _, v := range []string{one, other} {
			for _, r := range v {
				if r == slotClose {
					return // such a name ends earlier
				}
			}
		}
		if NoticeDigest(in(one)) != NoticeDigest(in(other)) {
			t.Errorf("%q and %q differ", in(one), in(other))
		}
		if NoticeDigest(in(one)) == NoticeDigest(in(one)+"7") {
			t.Errorf("%q and one digit more are the same", in(one))
		}
	})
}
