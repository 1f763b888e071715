package model

// The most that the arrays hold; Bounds say what is used of them.
const (
	mostPeople   = 2
	mostMessages = 2
	mostWorkers  = 2
)

// Bounds are how much of everything a run may hold.
type Bounds struct {
	People, Messages, Workers                           int
	Grants, Crashes, Lapses, Refusals, Resends, Backups uint8
	// Window is the W of a start.
	Window int
	// Merge allows one merge, Fails one withdrawal that fails after it was logged.
	Merge, Fails bool
}

// Flaw is one step of the protocol done wrong.
type Flaw string

// The flaws.
const (
	None Flaw = ""
	// NoStartCheck: start does not read the grant again; only enqueue did.
	NoStartCheck Flaw = "the grant is checked when a row is made, and not at start"
	// CheckAtClaim: the claim reads it instead.
	CheckAtClaim Flaw = "the grant is checked at claim, and not at start"
	// DeleteQueued: a withdrawal deletes the rows that wait, and nothing else is checked.
	DeleteQueued Flaw = "a withdrawal suppresses the rows that wait, and start checks nothing"
	// AckAtOnce: the acknowledgement does not wait for what is started.
	AckAtOnce Flaw = "the acknowledgement does not wait for started messages"
	// AnyVersion: start takes any active grant of the person.
	AnyVersion Flaw = "a row goes under a newer grant than it was made for"
	// ResendUnchecked: what is sent again takes no start check.
	ResendUnchecked Flaw = "a resent row is started without reading the grant"
	// ImportRevives: an import makes a withdrawn grant active.
	ImportRevives Flaw = "an import revives a withdrawn grant"
	// MergeRevives: of two grants the active one wins.
	MergeRevives Flaw = "a merge takes the active of two grants"
	// MergeAtOnce: a merge does not wait for what is started.
	MergeAtOnce Flaw = "a merge does not wait for started messages"
	// MergeUnlogged: what a merge withdraws is not written to withdrawals.log.
	MergeUnlogged Flaw = "a merge does not log the withdrawal that it extends"
	// LogLater: the acknowledgement does not wait for withdrawals.log.
	LogLater Flaw = "the withdrawal is logged after its acknowledgement"
	// LogOne: only the address that was used is logged.
	LogOne Flaw = "a withdrawal of a merged person is logged for one address"
	// RestoreForgets: a restore does not read withdrawals.log.
	RestoreForgets Flaw = "a restore does not apply withdrawals.log"
	// RestoreGrants: a restore applies withdrawals.log to the grants of the backup, and forgets the rest of it.
	RestoreGrants Flaw = "a restore applies withdrawals.log only to the grants that it finds"
	// RestoreTrusts: a restore takes rows for what they were.
	RestoreTrusts Flaw = "a restore does not hold what may have left since"
	// PullAfterLease: a worker goes on with its window when its lease is over.
	PullAfterLease Flaw = "a worker pulls after the end of its lease"
	// RecoverResends: recovery takes started rows for ones that never left.
	RecoverResends Flaw = "recovery makes started rows pending"
	// RecoverForgets: recovery leaves started rows as they are.
	RecoverForgets Flaw = "recovery leaves started rows alone"
)

// grant is the state of a grant. Pending permits nothing, as none does, and is left out.
type grant uint8

const (
	none grant = iota
	active
	withdrawn
)

// row is the state of a delivery's row.
type row uint8

const (
	absent row = iota
	pending
	claimed
	started // its position lies below its batch's started
	unknown
	held
	sent
	suppressed
)

// ended reports whether a row has its recorded outcome.
func (r row) ended() bool { return r == sent || r == suppressed }

// flight is what a worker knows of a message of its batch.
type flight uint8

const (
	nothing  flight = iota
	window          // in a started window, not pulled
	wire            // pulled: the first byte may have left
	accepted        // the platform took it
	refused         // the platform did not, for now
	silent          // no answer within the deadline
)

// person is one row of the database, with the grant of the one purpose and medium that the model has.
type person struct {
	grant   grant
	version uint8 // when it became active
	merged  bool  // person 1 is a part of person 0
}

// message is one row of the outbox.
type message struct {
	row     row
	to      uint8
	version uint8 // of the grant that it was made for
	batch   uint8 // the fence of the batch that claimed it; 0 is none
	resend  bool  // it may be sent though it may have arrived
}

// database is what commits.
type database struct {
	people   [mostPeople]person
	messages [mostMessages]message
}

// worker is the memory of one node's lane.
type worker struct {
	fence  uint8 // 0 is no batch
	lapsed bool  // its lease is over
	holds  [mostMessages]flight
}

// state is everything at one moment.
type state struct {
	db       database
	backup   database
	backups  uint8
	restored bool
	log      [mostPeople]uint8 // withdrawals.log: the newest moment of a withdrawal, by address
	leaving  [mostPeople]uint8 // requests that wait for their acknowledgement: when they came, as the clock counts
	workers  [mostWorkers]worker
	clock    uint8 // counts the grants
	failed   bool  // a withdrawal's transaction has failed; once is enough
	crashes, lapses,
	refusals, resends uint8

	// What no part of the program knows, and what the promises are about.
	away   [mostMessages]uint8 // how many attempts may have arrived
	barred [mostMessages]bool  // it was made for a grant whose withdrawal is acknowledged
	ending [mostPeople]uint8   // the messages, as bits, that a withdrawal ended which waits for its acknowledgement
	gone   [mostPeople]bool    // the person withdrew, and no act of theirs came after it
	left   [mostPeople]bool    // and was told so
}

// started reports whether a message to the person is started.
func (s *state) started(p int, upTo uint8) bool {
	for _, m := range s.db.messages {
		if m.row == started && int(m.to) == p && m.version <= upTo {
			return true
		}
	}
	return false
}

// leased reports whether a batch's lease holds.
func (s *state) leased(fence uint8) bool {
	for _, w := range s.workers {
		if w.fence == fence && !w.lapsed {
			return true
		}
	}
	return false
}

// fence gives one that nobody remembers.
func (s *state) fence() uint8 {
	for f := uint8(1); ; f++ {
		used := false
		for _, m := range s.db.messages {
			used = used || m.batch == f
		}
		for _, w := range s.workers {
			used = used || w.fence == f
		}
		if !used {
			return f
		}
	}
}

// rest sends a worker for the next batch when it is through with this one.
func (s *state) rest(w int) {
	for i, m := range s.db.messages {
		if m.batch == s.workers[w].fence || s.workers[w].holds[i] != nothing {
			return
		}
	}
	s.workers[w] = worker{}
}
