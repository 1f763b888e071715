package model

// lane are the steps of one worker.
func (m model) lane(s *state, w uint8, take func(act, func(*state) string)) {
	me := s.workers[w]
	if me.fence == 0 {
		for _, r := range s.db.messages {
			if r.row == pending {
				take(act{doClaim, w, 0}, func(to *state) string { m.claim(to, w); return "" })
				break
			}
		}
		return
	}
	if !me.lapsed && s.claimedBy(me.fence) {
		take(act{doStart, w, 0}, func(to *state) string { m.start(to, w); return "" })
	}
	for i, f := range me.holds {
		m.attempt(s, w, uint8(i), f, take)
	}
	if s.crashes < m.Crashes {
		take(act{doCrash, w, 0}, func(to *state) string { to.crashes++; to.workers[w] = worker{}; return "" })
	}
	if !me.lapsed && s.lapses < m.Lapses {
		take(act{doLapse, w, 0}, func(to *state) string {
			to.lapses++
			to.workers[w].lapsed = true
			for i, f := range me.holds {
				if f == window && m.flaw != PullAfterLease {
					to.workers[w].holds[i] = nothing
				}
			}
			return ""
		})
	}
}

// claim takes all rows that wait.
func (m model) claim(s *state, w uint8) {
	fence := s.fence()
	s.workers[w].fence = fence
	for i := range s.db.messages {
		r := &s.db.messages[i]
		switch {
		case r.row != pending:
		case m.flaw == CheckAtClaim && !s.granted(r):
			r.row = suppressed
		default:
			r.row, r.batch = claimed, fence
		}
	}
	s.rest(int(w))
}

// granted reads the grant of a row, as start does.
func (s *state) granted(r *message) bool {
	g := s.db.people[r.to]
	return g.grant == active && g.version == r.version
}

// claimedBy reports whether rows of a batch are still to be started.
func (s *state) claimedBy(fence uint8) bool {
	for _, r := range s.db.messages {
		if r.row == claimed && r.batch == fence {
			return true
		}
	}
	return false
}

// start begins a window: the next W rows of the batch.
func (m model) start(s *state, w uint8) {
	me := &s.workers[w]
	left := m.Window
	for i := range s.db.messages {
		r := &s.db.messages[i]
		if r.row != claimed || r.batch != me.fence || left == 0 {
			continue
		}
		left--
		checked := m.flaw != NoStartCheck && m.flaw != CheckAtClaim && m.flaw != DeleteQueued && !(m.flaw == ResendUnchecked && r.resend)
		if g := s.db.people[r.to]; checked && !s.granted(r) && !(m.flaw == AnyVersion && g.grant == active) {
			r.row, r.batch = suppressed, 0
			continue
		}
		r.row, me.holds[i] = started, window
	}
	s.rest(int(w))
}

// attempt are the steps of one message in a worker's hands.
func (m model) attempt(s *state, w, i uint8, f flight, take func(act, func(*state) string)) {
	set := func(to *state, f flight) { to.workers[w].holds[i] = f }
	switch f {
	case window:
		take(act{doSend, w, i}, func(to *state) string {
			set(to, wire)
			to.away[i]++
			switch r := to.db.messages[i]; {
			case s.barred[i] || s.left[r.to]:
				return afterLeaving
			case s.away[i] > 0 && !r.resend:
				return sentTwice
			}
			return ""
		})
	case wire:
		take(act{doAccept, w, i}, func(to *state) string { set(to, accepted); return "" })
		take(act{doSilence, w, i}, func(to *state) string { set(to, silent); return "" })
		if s.refusals < m.Refusals {
			take(act{doRefuse, w, i}, func(to *state) string {
				to.refusals++
				to.away[i]-- // it did not arrive
				set(to, refused)
				return ""
			})
		}
	case accepted, refused, silent:
		take(act{doSettle, w, i}, func(to *state) string { m.settle(to, w, i, f); return "" })
	}
}

// settle records an outcome.
func (m model) settle(s *state, w, i uint8, f flight) {
	r := &s.db.messages[i]
	s.workers[w].holds[i] = nothing
	mine := r.row == started && r.batch == s.workers[w].fence && !s.workers[w].lapsed
	late := r.row == unknown || r.row == pending || r.row == started && r.batch == s.workers[w].fence
	switch {
	case f == accepted && (mine || late):
		r.row, r.batch = sent, 0
	case f == refused && mine:
		r.row, r.batch = pending, 0
	case f == silent && mine:
		r.row, r.batch = unknown, 0
	}
	s.rest(int(w))
}
