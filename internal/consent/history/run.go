package history

import (
	"cmp"
	"flag"
	"maps"
	"slices"
	"strconv"
	"time"

	"pgregory.net/rapid"
)

// Subject is the program whose answers are compared. People, channels and media are numbers from 0; every person has an
// address on every medium. Limits that are not about consent (confirmations a day, the life of a link, caps, quiet hours)
// it sets so wide that they never matter. An error fails the history.
type Subject interface {
	// Begin begins a new history, in which nobody has asked for anything.
	Begin() error
	// SignUp takes a wish by form. Confirm presses the button behind the link of the last SignUp of this place; that a used
	// link does not count is no error.
	SignUp(p Place) error
	Confirm(p Place) error
	// Follow is an explicit act on the medium itself.
	Follow(p Place) error
	// Withdraw ends grants; channel and medium may be All. It does not wait, and reports whether it is acknowledged. A
	// person who is a part of another by now uses a link of before.
	Withdraw(person, channel, medium int) (acknowledged bool, err error)
	// Suppress is somebody of the house who acts for the person, or a bounce that says that the address is gone.
	Suppress(person, medium int, bounce bool) error
	Import(p Place, says Row) error
	// Merge makes one person a part of another. Nothing of either is started then.
	Merge(gone, whole int) error
	// Move gives the person another address on a medium. Nothing of theirs is started then.
	Move(person, medium int) error
	// Change is the person who asks for another address on a medium and confirms there. Messages may be started meanwhile.
	Change(person, medium int) error
	// Erase forgets a person. Nothing of theirs is started then.
	Erase(person int) error
	// Post makes the messages of a post or digest.
	Post(post, channel int, digest bool) error
	// Start reports whether the message started. Of a message that was never made, or has started before, it is false.
	Start(m Message) (bool, error)
	// Settle records the outcome of a started message; Resend says that an unknown one shall be sent again.
	Settle(m Message, o Outcome) error
	Resend(m Message) error
	// Crash ends the daemon without a word, and starts it again. What was started is unknown then.
	Crash() error
}

// Row is what a row of an import says.
type Row string

// The rows.
const (
	Proven Row = "proven" // when and how the person agreed
	Bare   Row = "bare"   // nothing
	Left   Row = "left"   // that the person left this elsewhere
)

func rowOf(evidence bool) Row {
	if evidence {
		return Proven
	}
	return Bare
}

// Seed picks a seed for all histories of this run of a test binary, unless -rapid.seed gives one. A TestMain calls it
// after flag.Parse, so that Run can say how to play the same again also when nothing failed.
func Seed() error {
	if seed := flag.Lookup("rapid.seed"); seed.Value.String() != "0" {
		return nil
	}
	return flag.Set("rapid.seed", strconv.FormatInt(time.Now().UnixMicro(), 10))
}

// Run plays random histories to a subject, as many as -rapid.checks says and with some -rapid.steps acts in each, and logs
// how to play the same again.
func Run(t rapid.TB, s Subject) {
	t.Helper()
	seed, checks := flag.Lookup("rapid.seed").Value, flag.Lookup("rapid.checks").Value
	t.Logf("%s histories; again with: -rapid.checks=%s -rapid.seed=%s", checks, checks, seed)
	rapid.Check(t, func(t *rapid.T) {
		h := &play{subject: s, truth: newReference(), wishes: map[Place]bool{}, used: map[Place]bool{}, left: map[Place]bool{}}
		h.ok(t, s.Begin())
		t.Repeat(map[string]func(*rapid.T){
			"sign up": h.signUp, "confirm": h.confirm, "follow": h.follow, "follow again": h.followAgain, "use a link twice": h.reuse,
			"withdraw": h.withdraw, "suppress": h.suppress, "import": h.imports, "merge": h.merge, "move": h.move, "change address": h.change, "import left": h.importLeft, "erase": h.erase,
			"post": h.post, "post again": h.post, "start": h.start, "start more": h.start, "start any": h.startAny, "settle": h.settle,
			"resend": h.resend, "crash": h.crash, "knock": h.knock, "knock again": h.knock, "the rest of a person": h.startAll,
		})
	})
}

// play is one history.
type play struct {
	subject Subject
	truth   *reference
	wishes  map[Place]bool // links that nobody has used
	used    map[Place]bool // links that somebody has
	left    map[Place]bool // what was followed at some time and then ended, by whatever, or was forbidden before an address changed
	posts   []int          // the channel of each
}

func (h *play) ok(t *rapid.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// somebody draws a person who is not a part of another. Few people make histories in which more happens to each.
func (h *play) somebody(t *rapid.T) int {
	whole := []int{}
	for p := range People {
		if _, merged := h.truth.into[p]; !merged {
			whole = append(whole, p)
		}
	}
	if rapid.IntRange(0, 2).Draw(t, "few") > 0 {
		whole = whole[:3]
	}
	return rapid.SampledFrom(whole).Draw(t, "person")
}

func (h *play) place(t *rapid.T) Place {
	return Place{h.somebody(t), rapid.IntRange(0, Channels-1).Draw(t, "channel"), rapid.IntRange(0, Media-1).Draw(t, "medium")}
}

// one draws from what a condition selects, in a fixed order; acts that have nothing to act upon are skipped.
func one[K comparable, V any](t *rapid.T, name string, all map[K]V, compare func(a, b K) int, is func(K, V) bool) K {
	var some []K
	for k, v := range all {
		if is(k, v) {
			some = append(some, k)
		}
	}
	if len(some) == 0 {
		t.Skip("nothing to act upon") // rapid draws another act
	}
	slices.SortFunc(some, compare)
	return rapid.SampledFrom(some).Draw(t, name)
}

func places(a, b Place) int {
	return cmp.Or(cmp.Compare(a.Person, b.Person), cmp.Compare(a.Channel, b.Channel), cmp.Compare(a.Medium, b.Medium))
}

func messages(a, b Message) int { return cmp.Or(cmp.Compare(a.Post, b.Post), places(a.Place, b.Place)) }

// ends remembers what is about to end.
func (h *play) ends(person, channel, medium int) {
	for p, g := range h.truth.grants {
		if g.state != pending && p.Person == person && (channel == All || p.Channel == channel) && (medium == All || p.Medium == medium) {
			h.left[p] = true
		}
	}
}

// forget drops the links of a stretch whose fate nobody promises: who withdraws and then uses a link of before.
func (h *play) forget(person, channel, medium int) {
	maps.DeleteFunc(h.wishes, func(p Place, _ bool) bool {
		return p.Person == person && (channel == All || p.Channel == channel) && (medium == All || p.Medium == medium)
	})
}

func (h *play) signUp(t *rapid.T) {
	p := h.place(t)
	if h.truth.grants[p].state == active {
		t.Skip("followed already")
	}
	h.ok(t, h.subject.SignUp(p))
	h.wishes[p] = true
	delete(h.used, p)
	if h.truth.grants[p].state == "" {
		h.truth.grants[p] = grant{state: pending}
	}
}

func (h *play) confirm(t *rapid.T) {
	p := one(t, "wish", h.wishes, places, func(Place, bool) bool { return true })
	h.ok(t, h.subject.Confirm(p))
	h.truth.act(p)
	delete(h.wishes, p)
	h.used[p] = true
}

func (h *play) reuse(t *rapid.T) {
	p := one(t, "link", h.used, places, func(Place, bool) bool { return true })
	h.ok(t, h.subject.Confirm(p))
}

func (h *play) follow(t *rapid.T) {
	p := h.place(t)
	h.ok(t, h.subject.Follow(p))
	h.truth.act(p)
}

func (h *play) followAgain(t *rapid.T) {
	p := one(t, "place", h.truth.grants, places, func(_ Place, g grant) bool { return g.state == withdrawn })
	h.ok(t, h.subject.Follow(p))
	h.truth.act(p)
}

func (h *play) withdraw(t *rapid.T) {
	p := one(t, "grant", h.truth.grants, places, func(_ Place, g grant) bool { return g.state != pending })
	channel, medium := p.Channel, p.Medium
	switch rapid.IntRange(0, 3).Draw(t, "what") {
	case 0:
		medium = All
	case 1:
		channel = All
	case 2:
		channel, medium = All, All
	}
	person := p.Person
	for q := range People { // a link of before a merge
		if whole, merged := h.truth.into[q]; merged && whole == person && rapid.Bool().Draw(t, "by an old link") {
			person = q
			break
		}
	}
	all, covered := h.truth.under(person, channel, medium)
	acknowledged, err := h.subject.Withdraw(person, channel, medium)
	h.ok(t, err)
	if acknowledged && covered > 0 {
		t.Fatalf("person %d leaves and is told that it is done, while %d messages of what they left are started", person, covered)
	}
	if !acknowledged && all == 0 {
		t.Fatalf("person %d leaves and is not told that it is done, while nothing of theirs is started", person)
	}
	h.ends(p.Person, channel, medium)
	h.truth.withdraw(person, channel, medium)
	h.forget(p.Person, channel, medium)
}

func (h *play) suppress(t *rapid.T) {
	p := h.place(t)
	h.ok(t, h.subject.Suppress(p.Person, p.Medium, rapid.Bool().Draw(t, "bounce")))
	h.ends(p.Person, All, p.Medium)
	h.truth.withdraw(p.Person, All, p.Medium)
	h.forget(p.Person, All, p.Medium)
}

func (h *play) imports(t *rapid.T) {
	p := h.place(t)
	if rapid.Bool().Draw(t, "of somebody known") && len(h.truth.grants) > 0 {
		p = one(t, "place", h.truth.grants, places, func(Place, grant) bool { return true })
	}
	evidence := rapid.Bool().Draw(t, "evidence")
	h.ok(t, h.subject.Import(p, rowOf(evidence)))
	h.truth.imports(p, evidence)
}

// knock tries the door that leads back without the person: an import of what ended, perhaps of the channel beside it, and
// then a post.
func (h *play) knock(t *rapid.T) {
	p := one(t, "place", h.left, places, func(p Place, _ bool) bool { _, merged := h.truth.into[p.Person]; return !merged })
	if rapid.IntRange(0, 3).Draw(t, "beside") == 0 {
		p.Channel = (p.Channel + 1) % Channels
	}
	evidence := rapid.Bool().Draw(t, "evidence")
	h.ok(t, h.subject.Import(p, rowOf(evidence)))
	h.truth.imports(p, evidence)
	h.ok(t, h.subject.Post(len(h.posts), p.Channel, false))
	h.truth.post(len(h.posts), p.Channel)
	h.posts = append(h.posts, p.Channel)
	h.ask(t, Message{len(h.posts) - 1, p})
}

func (h *play) merge(t *rapid.T) {
	gone, whole := h.somebody(t), h.somebody(t)
	if rapid.Bool().Draw(t, "one left what the other follows") {
		p := one(t, "place", h.truth.grants, places, func(p Place, g grant) bool { return g.state == withdrawn })
		q := one(t, "other", h.truth.grants, places, func(q Place, g grant) bool {
			return q.Person != p.Person && q.Channel == p.Channel && q.Medium == p.Medium && g.state == active
		})
		gone, whole = q.Person, p.Person
	}
	a, _ := h.truth.under(gone, All, All)
	b, _ := h.truth.under(whole, All, All)
	if gone == whole || a+b > 0 || len(h.truth.into) > 5 {
		t.Skip("not these two")
	}
	h.ok(t, h.subject.Merge(gone, whole))
	h.truth.merge(gone, whole)
	for _, p := range []int{gone, whole} {
		h.forget(p, All, All)
		maps.DeleteFunc(h.used, func(q Place, _ bool) bool { return q.Person == p })
	}
}

func (h *play) move(t *rapid.T) {
	p := h.place(t)
	if under, _ := h.truth.under(p.Person, All, All); under > 0 {
		t.Skip("not now")
	}
	h.ok(t, h.subject.Move(p.Person, p.Medium))
	h.ends(p.Person, All, p.Medium)
	h.truth.move(p.Person, p.Medium)
	h.forget(p.Person, All, All)
}

func (h *play) change(t *rapid.T) {
	if rapid.IntRange(0, 3).Draw(t, "rarely") > 0 {
		h.follow(t)
		return
	}
	p := h.place(t)
	if len(h.truth.grants) > 0 && rapid.Bool().Draw(t, "of somebody known") {
		p = one(t, "place", h.truth.grants, places, func(Place, grant) bool { return true })
	}
	h.ok(t, h.subject.Change(p.Person, p.Medium))
	h.truth.change(p.Person, p.Medium)
	for c := range Channels {
		if h.truth.suppressed[address{p.Person, p.Medium}] {
			h.left[Place{p.Person, c, p.Medium}] = true
		}
	}
	h.forget(p.Person, All, p.Medium) // they lead to the address of before
}

func (h *play) importLeft(t *rapid.T) {
	if rapid.Bool().Draw(t, "rarely") {
		h.post(t)
		return
	}
	p := h.place(t)
	if rapid.Bool().Draw(t, "of somebody known") && len(h.truth.grants) > 0 {
		p = one(t, "place", h.truth.grants, places, func(Place, grant) bool { return true })
	}
	h.ok(t, h.subject.Import(p, Left))
	h.truth.importsLeft(p)
	h.left[p] = true
	h.forget(p.Person, p.Channel, p.Medium)
}

func (h *play) erase(t *rapid.T) {
	p := h.somebody(t)
	if under, _ := h.truth.under(p, All, All); under > 0 || rapid.IntRange(0, 3).Draw(t, "rarely") > 0 {
		t.Skip("not now")
	}
	h.ok(t, h.subject.Erase(p))
	h.ends(p, All, All)
	h.truth.erase(p)
	h.forget(p, All, All)
}

func (h *play) post(t *rapid.T) {
	c := rapid.IntRange(0, Channels-1).Draw(t, "channel")
	if rapid.Bool().Draw(t, "of one who follows") && len(h.truth.grants) > 0 {
		c = one(t, "follower", h.truth.grants, places, func(Place, grant) bool { return true }).Channel
	}
	h.ok(t, h.subject.Post(len(h.posts), c, rapid.Bool().Draw(t, "digest")))
	h.truth.post(len(h.posts), c)
	h.posts = append(h.posts, c)
}

// ask is the question.
func (h *play) ask(t *rapid.T, m Message) {
	may := h.truth.may(m)
	did, err := h.subject.Start(m)
	h.ok(t, err)
	made := h.truth.messages[m]
	switch {
	case did && !may:
		t.Fatalf("message %+v started, and must not", m)
	case may && !did && !made.doubt:
		t.Fatalf("message %+v did not start, and may", m)
	case did:
		made.state = started
	case made != nil && made.state == pending: // refused at start is an outcome
		made.state = ended
	}
}

func (h *play) start(t *rapid.T) {
	h.ask(t, one(t, "message", h.truth.messages, messages, func(_ Message, m *message) bool { return m.state == pending }))
}

// startAny asks for any message: also for one that nobody made.
func (h *play) startAny(t *rapid.T) {
	if len(h.posts) == 0 {
		t.Skip("there is no post")
	}
	post := rapid.IntRange(0, len(h.posts)-1).Draw(t, "post")
	p := h.place(t)
	p.Channel = h.posts[post]
	h.ask(t, Message{post, p})
}

// startAll asks for everything that waits for somebody.
func (h *play) startAll(t *rapid.T) {
	person := one(t, "message", h.truth.messages, messages, func(_ Message, m *message) bool { return m.state == pending }).Person
	for _, m := range slices.SortedFunc(maps.Keys(h.truth.messages), messages) {
		if m.Person == person && h.truth.messages[m].state == pending {
			h.ask(t, m)
		}
	}
}

func (h *play) settle(t *rapid.T) {
	m := one(t, "message", h.truth.messages, messages, func(_ Message, m *message) bool { return m.state == started })
	o := rapid.SampledFrom([]Outcome{Accepted, Refused, Unknown}).Draw(t, "outcome")
	h.ok(t, h.subject.Settle(m, o))
	h.truth.messages[m].state = map[Outcome]state{Accepted: ended, Refused: pending, Unknown: unknown}[o]
}

func (h *play) resend(t *rapid.T) {
	m := one(t, "message", h.truth.messages, messages, func(_ Message, m *message) bool { return m.state == unknown })
	h.ok(t, h.subject.Resend(m))
	h.truth.messages[m].state = pending
}

func (h *play) crash(t *rapid.T) {
	h.ok(t, h.subject.Crash())
	for _, m := range h.truth.messages {
		if m.state == started {
			m.state = unknown
		}
	}
}
