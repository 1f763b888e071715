package history

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMain(m *testing.M) {
	flag.Parse()
	err := errors.Join(Seed(), flag.Set("rapid.nofailfile", "true")) // the broken subjects fail on purpose
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		err = errors.Join(err, flag.Set("rapid.checks", "5000"), flag.Set("rapid.shrinktime", "300ms"))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// rows is a Subject as a database would be: what is asked is computed from rows, each act is one statement.
type rows struct {
	broken   string // the one thing that is done wrong
	grants   []*grantRow
	forbid   []address
	stops    []Place
	aliases  map[int]*int // what a link leads to
	messages []*messageRow
	links    map[Place]bool // true until it is used
	version  int
}

type grantRow struct {
	Place
	state   string
	version int
	own     bool
}

type messageRow struct {
	Message
	owner   int
	state   string
	version int
}

func (s *rows) Begin() error {
	*s = rows{broken: s.broken, aliases: map[int]*int{}, links: map[Place]bool{}}
	return nil
}

func (s *rows) whole(person int) int {
	for {
		next, found := s.aliases[person]
		if !found {
			return person
		}
		person = *next
	}
}

func (s *rows) grant(p Place, create bool) *grantRow {
	i := slices.IndexFunc(s.grants, func(g *grantRow) bool { return g.Place == p })
	if i >= 0 {
		return s.grants[i]
	}
	g := &grantRow{Place: p, state: "none"}
	if create {
		s.grants = append(s.grants, g)
	}
	return g
}

func (s *rows) activate(g *grantRow) {
	if g.state != "active" {
		s.version++
		g.state, g.version = "active", s.version
		if s.broken == "a grant keeps its version" {
			g.version = 1
		}
	}
}

func (s *rows) SignUp(p Place) error {
	s.links[p] = true
	if g := s.grant(p, true); g.state == "none" {
		g.state = "pending"
		if s.broken == "a sign-up is a grant" {
			s.activate(g)
		}
	}
	return nil
}

func (s *rows) Confirm(p Place) error {
	if !s.links[p] && s.broken != "a link counts twice" {
		return nil
	}
	s.links[p] = false
	return s.Follow(p)
}

func (s *rows) Follow(p Place) error {
	s.forbid = slices.DeleteFunc(s.forbid, func(a address) bool { return a == address{p.Person, p.Medium} })
	s.stops = slices.DeleteFunc(s.stops, func(q Place) bool { return q == p })
	g := s.grant(p, true)
	s.activate(g)
	g.own = true
	return nil
}

func (s *rows) Withdraw(person, channel, medium int) (bool, error) {
	owner, done := s.whole(person), true
	if s.broken == "a link of before a merge ends nothing" {
		owner = person
	}
	for _, g := range s.grants {
		if g.Person == owner && (channel == All || g.Channel == channel) && (medium == All || g.Medium == medium) {
			if s.broken == "withdrawing all leaves the second medium" && channel == All && medium == All && g.Medium == 1 {
				continue
			}
			if g.state != "none" {
				g.state = "withdrawn"
			}
		}
	}
	for m := range Media {
		if channel != All && (medium == All || medium == m) && s.broken != "an import begins a channel that was withdrawn on all media" {
			s.stops = append(s.stops, Place{owner, channel, m})
		}
		if channel == All && (medium == All || medium == m) && s.broken != "an import begins what was withdrawn as a whole" {
			s.forbid = append(s.forbid, address{owner, m})
		}
	}
	for _, m := range s.messages {
		if m.owner == owner && m.state == "started" && s.broken != "the acknowledgement does not wait" {
			done = false
		}
	}
	return done, nil
}

func (s *rows) Suppress(person, medium int, bounce bool) error {
	if bounce && s.broken == "a bounce changes nothing" {
		return nil
	}
	_, err := s.Withdraw(person, All, medium)
	return err
}

func (s *rows) Import(p Place, says Row) error {
	if says == Left {
		return s.importLeft(p)
	}
	evidence := says == Proven
	if slices.Contains(s.forbid, address{p.Person, p.Medium}) && s.broken != "an import ignores suppressions" {
		return nil
	}
	left, follows := false, false
	for _, g := range s.grants {
		if g.Person == p.Person && g.Medium == p.Medium {
			left, follows = left || g.state == "withdrawn", follows || g.state == "active"
		}
	}
	if slices.Contains(s.stops, p) || left && !follows && s.broken != "an import revives" && s.broken != "an import begins beside what was left" {
		return nil
	}
	g := s.grant(p, true)
	revives := g.state == "withdrawn" && s.broken == "an import revives"
	switch {
	case g.state != "none" && g.state != "pending" && !revives:
	case evidence || s.broken == "an import needs no evidence":
		s.activate(g)
		g.own = false
	default:
		g.state = "pending"
	}
	return nil
}

func (s *rows) importLeft(p Place) error {
	if s.broken == "a row of who left begins nothing and ends nothing" {
		return nil
	}
	g := s.grant(p, false)
	if g.state == "active" && g.own && s.broken != "a row of who left ends what they said themselves" {
		return nil
	}
	if g.state != "none" {
		g.state = "withdrawn"
	}
	if s.broken != "a row of who left is forgotten" {
		s.stops = append(s.stops, p)
	}
	return nil
}

func (s *rows) Change(person, medium int) error {
	at := func(p Place) bool { return p.Person == person && p.Medium == medium }
	for _, g := range s.grants {
		g.own = g.own || at(g.Place) && g.state == "active"
	}
	switch s.broken {
	case "another address is open to an import":
		s.forbid = slices.DeleteFunc(s.forbid, func(a address) bool { return a == address{person, medium} })
	case "another address forgets what was left":
		s.stops = slices.DeleteFunc(s.stops, at)
	case "another address revives", "another address loses what it got":
		for _, g := range s.grants {
			if at(g.Place) && g.state == "withdrawn" && s.broken == "another address revives" {
				s.activate(g)
			}
			if at(g.Place) && g.state == "active" && s.broken == "another address loses what it got" {
				g.state = "withdrawn"
			}
		}
	}
	return nil
}

func (s *rows) Merge(gone, whole int) error {
	s.aliases[gone] = &whole
	for c := range Channels {
		for m := range Media {
			a, b := s.grant(Place{gone, c, m}, false), s.grant(Place{whole, c, m}, true)
			switch {
			case a.state == "withdrawn" && (b.state != "active" || s.broken != "a merge revives"):
				b.state = "withdrawn"
			case a.state == "active" && (s.broken == "a grant goes with its person" || s.broken == "a merge revives" && b.state == "withdrawn"):
				b.state, b.version = a.state, a.version
			case a.state != "none" && b.state == "none":
				b.state = "pending"
			}
			if slices.Contains(s.stops, a.Place) {
				s.stops = append(s.stops, b.Place)
				if b.state != "none" {
					b.state = "withdrawn"
				}
			}
			a.state = "none"
			if slices.Contains(s.forbid, address{gone, m}) && s.broken != "a merge loses suppressions" {
				if err := s.Suppress(whole, m, false); err != nil {
					return err
				}
			}
		}
	}
	for _, m := range s.messages {
		if m.owner == gone {
			m.owner = whole
		}
	}
	return nil
}

func (s *rows) Move(person, medium int) error {
	for _, g := range s.grants {
		if g.Person == person && g.Medium == medium {
			switch {
			case g.state == "active" && s.broken != "a grant goes with the address":
				g.state = "pending"
			case g.state == "withdrawn" && s.broken == "a new address revives":
				s.activate(g)
			case g.state == "pending" && (slices.Contains(s.stops, g.Place) || slices.Contains(s.forbid, address{person, medium})):
				g.state = "withdrawn"
			}
		}
	}
	return nil
}

func (s *rows) Erase(person int) error {
	if s.broken != "erasing forgets the suppression" {
		for m := range Media {
			s.forbid = append(s.forbid, address{person, m})
		}
	}
	for _, g := range s.grants {
		if g.Person == person && g.state != "none" {
			s.stops = append(s.stops, g.Place)
		}
	}
	s.grants = slices.DeleteFunc(s.grants, func(g *grantRow) bool { return g.Person == person })
	return nil
}

func (s *rows) Post(post, channel int, _ bool) error {
	for _, g := range s.grants {
		if g.Channel == channel && g.state == "active" {
			s.messages = append(s.messages, &messageRow{Message{post, g.Place}, g.Person, "pending", g.version})
		}
	}
	return nil
}

func (s *rows) find(m Message) *messageRow {
	if i := slices.IndexFunc(s.messages, func(r *messageRow) bool { return r.Message == m }); i >= 0 {
		return s.messages[i]
	}
	return &messageRow{Message: m, owner: m.Person, state: "none"}
}

func (s *rows) Start(m Message) (bool, error) {
	r := s.find(m)
	g := s.grant(Place{r.owner, m.Channel, m.Medium}, false)
	live := g.state == "active" && g.version == r.version
	switch s.broken {
	case "start checks nothing":
		live = true
	case "start takes any grant of the person":
		live = slices.ContainsFunc(s.grants, func(g *grantRow) bool { return g.Person == r.owner && g.state == "active" })
	case "start takes a grant of another version":
		live = g.state == "active"
	case "what nobody made starts":
		if r.state == "none" && g.state == "active" {
			return true, nil
		}
	case "what is unknown starts again":
		if r.state == "unknown" {
			r.state = "pending"
		}
	}
	if r.state != "pending" {
		return false, nil
	}
	if r.state = "suppressed"; live {
		r.state = "started"
	}
	return live, nil
}

func (s *rows) Settle(m Message, o Outcome) error {
	r := s.find(m)
	if r.state != "started" {
		return fmt.Errorf("%+v is %s", m, r.state)
	}
	r.state = map[Outcome]string{Accepted: "sent", Refused: "pending", Unknown: "unknown"}[o]
	if o == Refused && s.broken == "a refusal is an end" {
		r.state = "failed"
	}
	return nil
}

func (s *rows) Resend(m Message) error {
	r := s.find(m)
	if r.state != "unknown" {
		return fmt.Errorf("%+v is %s", m, r.state)
	}
	r.state = "pending"
	return nil
}

func (s *rows) Crash() error {
	for _, m := range s.messages {
		if m.state == "started" {
			m.state = "unknown"
			if s.broken == "a crash makes what was started pending" {
				m.state = "pending"
			}
		}
	}
	return nil
}

func TestASoundSubject(t *testing.T) {
	t.Parallel()
	Run(t, &rows{})
}

// Each way to be wrong is found.
func TestBrokenSubjects(t *testing.T) {
	t.Parallel()
	for _, broken := range []string{
		"start checks nothing", "start takes any grant of the person", "start takes a grant of another version", "a grant keeps its version",
		"what nobody made starts", "what is unknown starts again", "a crash makes what was started pending", "a refusal is an end",
		"a sign-up is a grant", "a link counts twice", "the acknowledgement does not wait", "withdrawing all leaves the second medium",
		"a link of before a merge ends nothing", "a bounce changes nothing", "an import revives", "an import begins what was withdrawn as a whole",
		"an import begins a channel that was withdrawn on all media", "an import begins beside what was left",
		"a grant goes with its person", "an import ignores suppressions",
		"an import needs no evidence", "a merge revives", "a merge loses suppressions", "a grant goes with the address", "a new address revives",
		"erasing forgets the suppression", "another address is open to an import", "another address forgets what was left", "another address revives",
		"another address loses what it got", "a row of who left begins nothing and ends nothing", "a row of who left is forgotten",
		"a row of who left ends what they said themselves",
	} {
		t.Run(broken, func(t *testing.T) {
			t.Parallel()
			r := &recorder{T: t}
			r.run(&rows{broken: broken})
			if !r.Failed() {
				t.Error("nobody notices")
			}
			if !strings.Contains(r.said, "-rapid.seed=") {
				t.Errorf("the seed is not printed: %q", r.said)
			}
		})
	}
}

// A subject that errs fails its history.
func TestASubjectThatErrs(t *testing.T) {
	t.Parallel()
	r := &recorder{T: t}
	r.run(&erring{rows: &rows{}})
	if !r.Failed() || !strings.Contains(r.said, "the disk is full") {
		t.Errorf("failed: %t, said %q", r.Failed(), r.said)
	}
}

type erring struct{ *rows }

func (e *erring) Begin() error { return errors.New("the disk is full") }

// recorder is a test that may fail without failing its own.
type recorder struct {
	*testing.T
	failed bool
	said   string
}

type over struct{}

func (r *recorder) run(s Subject) {
	defer func() {
		if v := recover(); v != nil && v != any(over{}) {
			panic(v)
		}
	}()
	Run(r, s)
}

func (r *recorder) Logf(format string, args ...any)   { r.said += fmt.Sprintf(format, args...) + "\n" }
func (r *recorder) Log(args ...any)                   { r.said += fmt.Sprintln(args...) }
func (r *recorder) Errorf(format string, args ...any) { r.Logf(format, args...); r.failed = true }
func (r *recorder) Error(args ...any)                 { r.Log(args...); r.failed = true }
func (r *recorder) Fatalf(format string, args ...any) { r.Errorf(format, args...); panic(over{}) }
func (r *recorder) Fatal(args ...any)                 { r.Error(args...); panic(over{}) }
func (r *recorder) Fail()                             { r.failed = true }
func (r *recorder) FailNow()                          { r.failed = true; panic(over{}) }
func (r *recorder) Failed() bool                      { return r.failed }

var _ rapid.TB = (*recorder)(nil)
