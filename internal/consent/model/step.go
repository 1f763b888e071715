package model

import "fmt"

// act is one step: who does what with which.
type act struct {
	verb     verb
	who, sub uint8
}

type verb uint8

const (
	doGrant verb = iota
	doImport
	doWithdraw
	doLog
	doAcknowledge
	doGiveUp
	doFail
	doMerge
	doEnqueue
	doClaim
	doStart
	doSend
	doAccept
	doRefuse
	doSilence
	doSettle
	doCrash
	doLapse
	doRecover
	doResend
	doJudge
	doBackup
	doRestore
)

// String says the step in the words of the package comment.
func (a act) String() string {
	switch a.verb {
	case doGrant, doImport, doWithdraw, doLog, doAcknowledge, doGiveUp, doFail:
		words := map[verb]string{doGrant: "follows", doImport: "is imported with evidence", doWithdraw: "withdraws: recorded",
			doLog: "stands in withdrawals.log", doAcknowledge: "is told: you have left (the acknowledgement)",
			doGiveUp: "is told: recorded, one message may be under way",
			doFail:   "withdraws: it is logged, and then the transaction fails"}
		return fmt.Sprintf("person %d %s", a.who, words[a.verb])
	case doMerge:
		return "merge person 1 into person 0"
	case doEnqueue:
		return fmt.Sprintf("enqueue message %d to person %d", a.sub, a.who)
	case doClaim:
		return fmt.Sprintf("worker %d claims", a.who)
	case doStart:
		return fmt.Sprintf("worker %d starts a window", a.who)
	case doSend, doAccept, doRefuse, doSilence, doSettle:
		words := map[verb]string{doSend: "sends", doAccept: "hears that the platform accepted", doRefuse: "hears that the platform refused, for now,",
			doSilence: "hears nothing in time of", doSettle: "settles"}
		return fmt.Sprintf("worker %d %s message %d", a.who, words[a.verb], a.sub)
	case doCrash:
		return fmt.Sprintf("worker %d crashes", a.who)
	case doLapse:
		return fmt.Sprintf("worker %d's lease is over", a.who)
	case doRecover:
		return "recover what has no lease"
	case doResend:
		return fmt.Sprintf("message %d is to be sent again", a.sub)
	case doJudge:
		return fmt.Sprintf("somebody says that message %d arrived", a.sub)
	case doBackup:
		return "backup"
	case doRestore:
		return "restore"
	}
	return "?"
}

// What can be broken.
const (
	afterLeaving = "an attempt starts after an acknowledged withdrawal"
	sentTwice    = "a message is sent again while it may have arrived, and nobody said so"
	twoOutcomes  = "a recorded outcome changes"
	noOutcome    = "the run is completed, and a message has no outcome"
)

// model is the protocol within bounds, with at most one flaw.
type model struct {
	Bounds
	flaw Flaw
}

// progress are the steps that the daemon and those who look after it take by themselves. When none is possible, the run
// is completed.
func (v verb) progress() bool {
	switch v {
	case doClaim, doStart, doAccept, doSilence, doSend, doSettle, doRecover, doJudge:
		return true
	}
	return false
}

// next gives every step that can be taken now, with what comes of it and the promise that it breaks.
func (m model) next(s *state, emit func(a act, to *state, broken string)) {
	take := func(a act, do func(*state) string) {
		to := *s
		broken := do(&to)
		for i := range s.db.messages {
			if before := s.db.messages[i].row; broken == "" && a.verb != doRestore && before.ended() && to.db.messages[i].row != before {
				broken = twoOutcomes
			}
		}
		for i, r := range to.db.messages {
			if r.row.ended() { // nothing else matters any more
				to.db.messages[i] = message{row: r.row, to: r.to}
			}
		}
		emit(a, &to, broken)
	}
	for p := range m.People {
		if !s.db.people[p].merged { // what a merged person does, the one whom they are a part of does
			m.consent(s, uint8(p), take)
		}
	}
	m.house(s, take)
	for w := range m.Workers {
		m.lane(s, uint8(w), take)
	}
}

// consent are the steps of a person and their requests.
func (m model) consent(s *state, p uint8, take func(act, func(*state) string)) {
	now := s.db.people[p]
	becomes := func(to *state) {
		to.clock++
		to.db.people[p].grant, to.db.people[p].version = active, to.clock
	}
	if now.grant != active && s.clock < m.Grants {
		take(act{doGrant, p, 0}, func(to *state) string {
			becomes(to)
			to.gone[p], to.left[p] = false, false
			return ""
		})
	}
	if (now.grant == none || now.grant == withdrawn && m.flaw == ImportRevives) && s.clock < m.Grants {
		take(act{doImport, p, 0}, func(to *state) string { becomes(to); return "" })
	}
	if s.leaving[p] == 0 && (now.grant == active || now.grant == withdrawn && !s.left[p]) { // again, after giving up
		take(act{doWithdraw, p, 0}, func(to *state) string {
			to.db.people[p].grant, to.leaving[p], to.gone[p] = withdrawn, s.clock, true
			for i, r := range to.db.messages {
				if r.row != absent && r.to == p {
					to.ending[p] |= 1 << i
				}
				if m.flaw == DeleteQueued && r.to == p && r.row == pending {
					to.db.messages[i].row = suppressed
				}
			}
			return ""
		})
	}
	if m.Fails && !s.failed && now.grant == active && s.log[p] < s.clock { // what is logged is not only what is recorded
		take(act{doFail, p, 0}, func(to *state) string { to.failed = true; to.logWithdrawal(p, s.clock, true); return "" })
	}
	if s.leaving[p] == 0 {
		return
	}
	logged := s.log[p] >= s.leaving[p]
	for q := range s.db.people {
		logged = logged && (!s.db.people[q].merged || s.log[q] >= s.leaving[p] || m.flaw == LogOne)
	}
	if !logged {
		take(act{doLog, p, 0}, func(to *state) string { to.logWithdrawal(p, to.leaving[p], m.flaw != LogOne); return "" })
	}
	if (logged || m.flaw == LogLater) && (!s.started(int(p), s.leaving[p]) || m.flaw == AckAtOnce) {
		take(act{doAcknowledge, p, 0}, func(to *state) string {
			for i := range to.barred {
				to.barred[i] = to.barred[i] || to.ending[p]&(1<<i) != 0
			}
			to.left[p] = to.gone[p] // who has followed anew meanwhile has left nothing but the grant of before
			to.leaving[p], to.ending[p] = 0, 0
			return ""
		})
	}
	take(act{doGiveUp, p, 0}, func(to *state) string { to.leaving[p], to.ending[p] = 0, 0; return "" })
}

// logWithdrawal writes to withdrawals.log, for every address of the person, when they left.
func (s *state) logWithdrawal(p, moment uint8, every bool) {
	s.log[p] = max(s.log[p], moment)
	for q := range s.db.people {
		if s.db.people[q].merged && every {
			s.log[q] = max(s.log[q], moment)
		}
	}
}

// house are the steps of those who run the daemon, and of the daemon outside of its lanes.
func (m model) house(s *state, take func(act, func(*state) string)) {
	m.merge(s, take)
	for i := range m.Messages {
		r := s.db.messages[i]
		if r.row == absent && (i == 0 || s.db.messages[i-1].row != absent) {
			for p, g := range s.db.people[:m.People] {
				if g.grant == active {
					take(act{doEnqueue, uint8(p), uint8(i)}, func(to *state) string {
						to.db.messages[i] = message{row: pending, to: uint8(p), version: g.version}
						if s.restored && m.flaw != RestoreTrusts {
							to.db.messages[i].row = held
						}
						to.barred[i] = false
						return ""
					})
				}
			}
		}
		if r.row == unknown || r.row == held {
			if s.resends < m.Resends {
				take(act{doResend, 0, uint8(i)}, func(to *state) string {
					to.resends++
					to.db.messages[i].row, to.db.messages[i].resend = pending, true
					return ""
				})
			}
			take(act{doJudge, 0, uint8(i)}, func(to *state) string { to.db.messages[i].row = sent; return "" })
		}
	}
	m.recovery(s, take)
	if s.backups < m.Backups {
		take(act{doBackup, 0, 0}, func(to *state) string { to.backup = to.db; to.backups++; return "" })
	}
	if s.backups > 0 && !s.restored {
		take(act{doRestore, 0, 0}, func(to *state) string { to.restore(m.flaw); return "" })
	}
}

// merge makes the two people one.
func (m model) merge(s *state, take func(act, func(*state) string)) {
	one, two := s.db.people[0], s.db.people[mostPeople-1]
	busy := s.started(0, 255) || s.started(1, 255)
	if m.Merge && !two.merged && (!busy || m.flaw == MergeAtOnce) {
		take(act{doMerge, 0, 1}, func(to *state) string {
			g := max(one.grant, two.grant) // withdrawn beats active beats none
			if m.flaw == MergeRevives && (one.grant == active || two.grant == active) {
				g = active
			}
			to.db.people[0] = person{grant: g, version: one.version}
			if one.grant == none {
				to.db.people[0].version = two.version
			}
			to.db.people[1] = person{merged: true}
			if g == withdrawn && m.flaw != MergeUnlogged {
				to.logWithdrawal(0, s.clock, true)
			}
			for i := range to.db.messages {
				to.db.messages[i].to = 0
			}
			to.leaving = [mostPeople]uint8{max(s.leaving[0], s.leaving[1]), 0}
			to.ending = [mostPeople]uint8{s.ending[0] | s.ending[1], 0}
			to.gone[0], to.left[0] = s.gone[0] || s.gone[1], s.left[0] || s.left[1]
			return ""
		})
	}
}

// recovery makes the rows of lost leases free again.
func (m model) recovery(s *state, take func(act, func(*state) string)) {
	over := false
	for _, r := range s.db.messages {
		over = over || r.batch != 0 && !s.leased(r.batch) && !(r.row == started && m.flaw == RecoverForgets)
	}
	if !over {
		return
	}
	take(act{doRecover, 0, 0}, func(to *state) string {
		for i := range to.db.messages {
			r := &to.db.messages[i]
			switch {
			case r.batch == 0 || s.leased(r.batch):
				continue
			case r.row == claimed, r.row == started && m.flaw == RecoverResends:
				r.row = pending
			case r.row == started && m.flaw == RecoverForgets:
				continue
			case r.row == started:
				r.row = unknown
			}
			r.batch = 0
		}
		for w := range to.workers {
			if to.workers[w].fence != 0 {
				to.rest(w)
			}
		}
		return ""
	})
}

// restore puts the backup in the place of the database, while nothing runs.
func (s *state) restore(flaw Flaw) {
	s.db, s.restored, s.backup = s.backup, true, database{} // there is one restore, and nobody needs the backup again
	s.gone = s.left                                         // a withdrawal that was neither logged nor acknowledged is lost with the rows of after the backup
	s.workers, s.leaving, s.ending = [mostWorkers]worker{}, [mostPeople]uint8{}, [mostPeople]uint8{}
	for p := range s.db.people {
		g := &s.db.people[p]
		// Where the backup is from before the grant there is none to end; that the person left is kept all the same.
		known := g.grant == active || g.grant == none && !g.merged && flaw != RestoreGrants
		if known && s.log[p] > 0 && g.version <= s.log[p] && flaw != RestoreForgets {
			g.grant = withdrawn
		}
	}
	for i := range s.db.messages {
		r := &s.db.messages[i]
		r.batch = 0
		switch r.row {
		case pending, claimed, started, unknown:
			r.row = held
			if flaw == RestoreTrusts {
				r.row = pending
			}
		}
	}
}
