package history

// The size of the world.
const (
	People   = 20
	Channels = 5
	Media    = 3
)

// All stands for every channel, or every medium, of a withdrawal.
const All = -1

// nobody is what somebody is a part of who is erased.
const nobody = -1

// Place is one person's consent to one channel over one medium, by their numbers.
type Place struct{ Person, Channel, Medium int }

// Message is the message of one post or digest for one place.
type Message struct {
	Post int
	Place
}

// Outcome of an attempt.
type Outcome string

// The outcomes.
const (
	Accepted Outcome = "accepted" // and ended
	Refused  Outcome = "refused"  // for now; it did not arrive
	Unknown  Outcome = "unknown"
)

type state string

const (
	pending   state = "pending"
	active    state = "active"
	withdrawn state = "withdrawn"
	started   state = "started"
	unknown   state = "unknown"
	ended     state = "ended"
)

type grant struct {
	state   state
	version int  // rises with each time that any grant becomes active
	own     bool // by an act of the person, and not only by what an import said
}

type message struct {
	state   state
	version int
	doubt   bool // a program may refuse it all the same
}

type address struct{ person, medium int }

// reference is what is true.
type reference struct {
	clock      int
	grants     map[Place]grant
	suppressed map[address]bool
	stopped    map[Place]bool // what no import may begin, without a grant that says so
	into       map[int]int    // people who are a part of others
	messages   map[Message]*message
}

func newReference() *reference {
	return &reference{grants: map[Place]grant{}, suppressed: map[address]bool{}, stopped: map[Place]bool{}, into: map[int]int{}, messages: map[Message]*message{}}
}

// may answers the question.
func (r *reference) may(m Message) bool {
	made, g := r.messages[m], r.grants[r.at(m.Place)]
	return made != nil && made.state == pending && g.state == active && g.version == made.version
}

func (r *reference) at(p Place) Place {
	if whole, merged := r.into[p.Person]; merged {
		p.Person = whole
	}
	return p
}

func (r *reference) act(p Place) { // of the person's own
	delete(r.suppressed, address{p.Person, p.Medium})
	delete(r.stopped, p)
	g := r.grants[p]
	if g.state != active {
		r.clock++
		g.version = r.clock
	}
	r.grants[p] = grant{state: active, version: g.version, own: true}
}

func (r *reference) imports(p Place, evidence bool) {
	left, follows := false, false
	for c := range Channels {
		g := r.grants[Place{p.Person, c, p.Medium}]
		left, follows = left || g.state == withdrawn, follows || g.state == active
	}
	switch g := r.grants[p]; {
	case r.suppressed[address{p.Person, p.Medium}] || r.stopped[p] || g.state == active || g.state == withdrawn || left && !follows:
	case evidence:
		r.clock++
		r.grants[p] = grant{state: active, version: r.clock}
	default:
		r.grants[p] = grant{state: pending}
	}
}

func (r *reference) importsLeft(p Place) {
	if g := r.grants[p]; g.state != active || !g.own {
		r.withdraw(p.Person, p.Channel, p.Medium)
	}
}

// end gives the grants of a stretch another state: of a channel, a medium, or all.
func (r *reference) end(person, channel, medium int, to state) {
	for p, g := range r.grants {
		if p.Person == r.at(Place{Person: person}).Person && (channel == All || p.Channel == channel) && (medium == All || p.Medium == medium) {
			if to == withdrawn || g.state == active {
				r.grants[p] = grant{state: to, version: g.version}
			}
		}
	}
}

// withdraw ends what there is; of a whole medium, or of all, also what no import may begin, and of a channel on all media
// also where it was never followed.
func (r *reference) withdraw(person, channel, medium int) {
	r.end(person, channel, medium, withdrawn)
	for m := range Media {
		if channel != All && (medium == All || medium == m) {
			r.stopped[r.at(Place{person, channel, m})] = true
		}
		if channel == All && (medium == All || medium == m) {
			r.suppressed[address{r.at(Place{Person: person}).Person, m}] = true
		}
	}
}

func (r *reference) erase(person int) {
	for p := range r.grants {
		if p.Person == person {
			delete(r.grants, p)
			r.stopped[p] = true
		}
	}
	for m := range Media {
		r.suppressed[address{person, m}] = true
	}
	for m, made := range r.messages {
		if made.state == unknown && r.at(m.Place).Person == person {
			made.state = ended
		}
	}
	for part, whole := range r.into {
		if whole == person {
			r.into[part] = nobody
		}
	}
}

func (r *reference) merge(gone, whole int) {
	for m := range Media {
		for c := range Channels {
			from, to := Place{gone, c, m}, Place{whole, c, m}
			a, b := r.grants[from], r.grants[to]
			if a.state != "" && b.state == "" { // it was given for an address that is not used any more
				r.grants[to] = grant{state: pending}
			}
			if a.state == withdrawn || r.stopped[from] {
				r.withdraw(whole, c, m)
			}
			delete(r.grants, from)
		}
		if r.suppressed[address{gone, m}] {
			r.withdraw(whole, All, m)
		}
	}
	for p, whither := range r.into {
		if whither == gone {
			r.into[p] = whole
		}
	}
	r.into[gone] = whole
	for m, made := range r.messages {
		made.doubt = made.doubt || r.at(m.Place).Person == whole
	}
}

func (r *reference) move(person, medium int) {
	r.end(person, All, medium, pending)
	for c := range Channels {
		if r.stopped[Place{person, c, medium}] {
			r.withdraw(person, c, medium)
		}
	}
	if r.suppressed[address{person, medium}] {
		r.withdraw(person, All, medium)
	}
	for m, made := range r.messages {
		made.doubt = made.doubt || r.at(m.Place).Person == person
	}
}

// change leaves all as it is: what goes on at the other address, the person has agreed to there.
func (r *reference) change(person, medium int) {
	for p, g := range r.grants {
		if p.Person == person && p.Medium == medium && g.state == active {
			g.own = true
			r.grants[p] = g
		}
	}
}

func (r *reference) post(post, channel int) {
	for p, g := range r.grants {
		if p.Channel == channel && g.state == active {
			r.messages[Message{post, p}] = &message{state: pending, version: g.version}
		}
	}
}

// under counts the started messages of a person, and those among them of a stretch.
func (r *reference) under(person, channel, medium int) (all, covered int) {
	for m, made := range r.messages {
		if made.state == started && r.at(m.Place).Person == r.at(Place{Person: person}).Person {
			all++
			if (channel == All || m.Channel == channel) && (medium == All || m.Medium == medium) {
				covered++
			}
		}
	}
	return all, covered
}
