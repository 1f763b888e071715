package email

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// settle is told the outcome of a message, once.
type settle func(id string, ref sdk.MessageRef, err error)

// source gives the next message if one is at hand; it does not wait.
type source func() (sdk.DirectMessage, bool)

// ended says how a link came out of its exchanges.
type ended struct {
	// alive says that the link can be used again.
	alive bool
	// unsent is a message that was taken and of which the server has seen no word that counts: the connection had ended
	// between two mails. It may be sent over another link.
	unsent *sdk.DirectMessage
	// err is the refusal that is about the whole relay; nil when there was none.
	err *sdk.Error
}

// exchange sends a message, and after it those that more gives, until it gives none. Where the server offers PIPELINING, the
// text of a message and the envelope of the next one leave in one write.
func (l *link) exchange(a *assembler, m sdk.DirectMessage, more source, done settle) ended {
	cur, ok := l.prepare(a, m, 0, more, done)
	if !ok {
		return ended{alive: true}
	}
	room := 0
	l.out = l.envelope(l.out[:0], cur)
	for {
		// cur's envelope stands in l.out, or has left with the text before it.
		state := l.offer(cur)
		switch {
		case state.err == nil:
		case state.lost && l.used:
			return ended{unsent: &cur.message}
		default:
			done(cur.id, sdk.MessageRef{}, l.relay.weigh(state.err))
			if state.broken || wholeRelay(state.err) {
				return ended{err: wholeRelayError(state.err)}
			}
			l.used = true
			next, ok := l.next(a, room, more, done)
			if !ok {
				return ended{alive: true}
			}
			cur = next
			l.out = l.envelope(l.out[:0], cur)
			continue
		}
		text := append(cur.data, ".\r\n"...)
		end := len(text)
		var next pending
		follows := false
		if l.caps.pipelining {
			if next, follows = l.next(a, 1-room, more, done); follows {
				text = l.envelope(text, next)
			}
		}
		l.rooms[room] = text
		outcome, broken := l.hand(cur, text, end)
		done(cur.id, outcome.ref, errorOrNil(l.relay.weigh(outcome.err)))
		l.used = true
		switch {
		case broken && follows:
			return ended{unsent: &next.message}
		case broken:
			return ended{}
		case outcome.err != nil && wholeRelay(outcome.err):
			if follows {
				return ended{unsent: &next.message, err: outcome.err}
			}
			return ended{err: outcome.err}
		}
		l.relay.accepted(a.c.pool.now())
		if follows {
			room, cur, l.out = 1-room, next, l.out[:0]
			continue
		}
		if next, follows = l.next(a, room, more, done); !follows {
			return ended{alive: true}
		}
		cur = next
		l.out = l.envelope(l.out[:0], cur)
	}
}

// pending is a message on its way.
type pending struct {
	outgoing
	message sdk.DirectMessage
}

// next takes messages until one can be sent.
func (l *link) next(a *assembler, room int, more source, done settle) (pending, bool) {
	m, ok := more()
	if !ok {
		return pending{}, false
	}
	return l.prepare(a, m, room, more, done)
}

// prepare builds a message, and the next one if it cannot be built or not be sent here. Nothing of it leaves.
func (l *link) prepare(a *assembler, m sdk.DirectMessage, room int, more source, done settle) (pending, bool) {
	for {
		out, err := a.build(m, l.rooms[room])
		if err == nil {
			l.rooms[room] = out.data
			err = l.takes(out)
		}
		if err == nil {
			return pending{out, m}, true
		}
		done(m.ID(), sdk.MessageRef{}, err)
		var ok bool
		if m, ok = more(); !ok {
			return pending{}, false
		}
	}
}

// takes says whether the server could take a message, as far as it announced.
func (l *link) takes(out outgoing) error {
	if out.utf8 && (!l.caps.utf8 || !l.caps.eightBit) {
		e := sdk.Errorf(sdk.CodeUnsupported, "message", "%s takes no addresses outside ASCII (SMTPUTF8)", l.relay.target.host)
		e.Scope = sdk.ScopePerson
		return e
	}
	if l.caps.size > 0 && int64(len(out.data)) > l.caps.size {
		return templateError(sdk.CodeTooLarge, "the mail has %d bytes, and %s takes %d; shorten the text", len(out.data), l.relay.target.host, l.caps.size)
	}
	return nil
}

// envelope writes MAIL, RCPT and DATA. Without PIPELINING they leave one by one; see offer.
func (l *link) envelope(dst []byte, p pending) []byte {
	if l.reset {
		dst = append(dst, "RSET\r\n"...)
	}
	dst = append(append(append(dst, "MAIL FROM:<"...), p.from...), '>')
	if l.caps.size > 0 {
		dst = strconv.AppendInt(append(dst, " SIZE="...), int64(len(p.data)), 10)
	}
	if p.utf8 {
		dst = append(dst, " BODY=8BITMIME SMTPUTF8"...)
	}
	if l.caps.dsn {
		dst = append(dst, " RET=HDRS"...)
		if p.token != "" {
			dst = append(append(dst, " ENVID="...), p.token...)
		}
	}
	dst = append(append(append(dst, "\r\nRCPT TO:<"...), p.to...), '>')
	if l.caps.dsn {
		dst = append(dst, " NOTIFY=FAILURE"...)
		if !p.utf8 {
			dst = appendXtext(append(dst, " ORCPT=rfc822;"...), p.to)
		}
	}
	return append(dst, "\r\nDATA\r\n"...)
}

// appendXtext writes a value as RFC 3461 section 4 asks.
func appendXtext(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '+' || c == '=' {
			dst = append(dst, '+', hex[c>>4], hex[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}

// offered is what the server says to an envelope.
type offered struct {
	err *sdk.Error // nil: it waits for the text
	// broken says that the connection is over, lost that it ended without a word about this message.
	broken, lost bool
}

// offer sends the envelope in l.out, unless it has left already (l.out is then empty), and reads the answers.
func (l *link) offer(p pending) offered {
	host := l.relay.target.host
	l.extend()
	steps := [4]string{"RSET", stepMail, stepRcpt, stepData}
	from := 1
	if l.reset {
		from = 0
	}
	l.reset = false
	rest := l.out
	if l.caps.pipelining && len(rest) > 0 {
		if _, err := l.conn.Write(rest); err != nil {
			return offered{err: lost(host, "at "+stepMail, false, err), broken: true, lost: true}
		}
	}
	var refusal *sdk.Error
	mailed := false
	for i := from; i < len(steps); i++ {
		step := steps[i]
		if !l.caps.pipelining {
			if refusal != nil {
				break // the rest need not be asked
			}
			line := rest[:lineLength(rest)]
			rest = rest[len(line):]
			if _, err := l.conn.Write(line); err != nil {
				return offered{err: lost(host, "at "+step, false, err), broken: true, lost: true}
			}
		}
		r, err := readReply(l.r)
		if err != nil {
			if refusal != nil {
				return offered{err: refusal, broken: true} // what was answered counts
			}
			return offered{err: lost(host, "at "+step, false, err), broken: true, lost: true}
		}
		if r.code == 421 && refusal == nil && !throttled(r) {
			// The server closes, as some do after a number of mails or when nothing came for a while.
			return offered{err: l.refused(step, p, r), broken: true, lost: true}
		}
		switch {
		case step == "RSET":
		case step == stepData && r.code == 354 && refusal == nil:
			return offered{}
		case step == stepData && r.code == 354:
			// It wants a text although it refused; it gets an empty one, to nobody.
			if _, err := l.conn.Write([]byte(".\r\n")); err != nil {
				return offered{err: refusal, broken: true}
			}
			if _, err := readReply(l.r); err != nil {
				return offered{err: refusal, broken: true}
			}
		case step == stepData && refusal == nil:
			refusal = l.refused(step, p, r)
		case step != stepData && r.good():
			mailed = mailed || step == stepMail
		case refusal == nil:
			refusal = l.refused(step, p, r)
		}
	}
	l.reset = mailed
	return offered{err: refusal}
}

func lineLength(b []byte) int {
	for i, c := range b {
		if c == '\n' {
			return i + 1
		}
	}
	return len(b)
}

// handed is the outcome of a text.
type handed struct {
	ref sdk.MessageRef
	err *sdk.Error
}

// hand writes a text with its final dot, which ends at end, and whatever stands behind it, and reads the answer to the dot.
func (l *link) hand(p pending, text []byte, end int) (out handed, broken bool) {
	host := l.relay.target.host
	l.extend()
	if n, err := l.conn.Write(text); err != nil {
		return handed{err: lost(host, "at "+stepData, n >= end, err)}, true
	}
	r, err := readReply(l.r)
	if err != nil {
		return handed{err: lost(host, "at the end", true, err)}, true
	}
	if !r.good() {
		return handed{err: l.refused(stepEnd, p, r)}, r.code == 421 && !throttled(r)
	}
	return handed{ref: sdk.MessageRef{ID: p.ref}}, false
}

// refused is an answer's error, with what stands before the @ of the person's address taken out of what the server said, too.
func (l *link) refused(step string, p pending, r reply) *sdk.Error {
	e := refused(step, l.relay.target.host, r)
	if refusal, ok := errors.AsType[*Refusal](e); ok {
		if local, _, _ := cutLast(p.to, '@'); len(local) > 2 {
			refusal.Text = strings.ReplaceAll(refusal.Text, local, masked)
		}
	}
	return e
}

// extend gives the relay its time for the next answer, unless the caller has no time left.
func (l *link) extend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if l.aborted || now.Sub(l.extended) < l.relay.timeout/100 {
		return // thousands of answers a second need no deadline each
	}
	l.extended = now
	// An error shows at the next write.
	_ = l.conn.SetDeadline(now.Add(l.relay.timeout))
}

// abort ends what is under way at once; its outcome is said as far as it is known.
func (l *link) abort() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.aborted = true
	_ = l.conn.SetDeadline(time.Unix(1, 0)) // an error shows at the next write
}

// wholeRelay says that an error is about everything that this relay is handed now.
func wholeRelay(e *sdk.Error) bool {
	return e != nil && e.Scope == sdk.ScopeAccount && (e.Code == sdk.CodeRateLimited || e.Code == sdk.CodeUnavailable ||
		e.Code == sdk.CodeUnauthenticated || e.Code == sdk.CodeForbidden)
}

func wholeRelayError(e *sdk.Error) *sdk.Error {
	if wholeRelay(e) {
		return e
	}
	return nil
}

// errorOrNil keeps a nil *sdk.Error from becoming an error.
func errorOrNil(e *sdk.Error) error {
	if e == nil {
		return nil
	}
	return e
}
