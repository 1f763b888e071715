package email

import (
	"bufio"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// reply is one answer of a server (RFC 5321 section 4.2).
type reply struct {
	code   int
	status status
	// text of all lines, without codes, with a line feed between them; empty for a good answer of one line.
	text string
}

func (r reply) good() bool { return r.code >= 200 && r.code < 300 }

// maxReplyLines bounds an answer; EHLO's have a dozen.
const maxReplyLines = 128

var errReply = errors.New("the answer is no SMTP")

// readReply reads one answer. The reader's room bounds its lines.
func readReply(r *bufio.Reader) (reply, error) {
	var out reply
	var lines []string
	for n := 0; ; n++ {
		line, err := r.ReadSlice('\n')
		if err != nil {
			if errors.Is(err, bufio.ErrBufferFull) {
				return out, fmt.Errorf("%w: a line is too long", errReply)
			}
			return out, err
		}
		for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
			line = line[:len(line)-1]
		}
		if n >= maxReplyLines || len(line) < 3 || !isDigit(line[0]) || !isDigit(line[1]) || !isDigit(line[2]) {
			return out, errReply
		}
		code := int(line[0]-'0')*100 + int(line[1]-'0')*10 + int(line[2]-'0')
		if code < 200 || code > 599 || n > 0 && code != out.code {
			return out, errReply
		}
		out.code = code
		more := len(line) > 3 && line[3] == '-'
		if len(line) > 3 && line[3] != '-' && line[3] != ' ' {
			return out, errReply
		}
		if !more && n == 0 && code < 400 {
			return out, nil
		}
		rest := ""
		if len(line) > 4 {
			rest = string(line[4:])
		}
		if code >= 400 {
			if s, length := parseStatus(rest); length > 0 && s.class == code/100 {
				out.status, rest = s, strings.TrimLeft(rest[length:], " ")
			}
		}
		lines = append(lines, rest)
		if !more {
			out.text = strings.Join(lines, "\n")
			return out, nil
		}
	}
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// Refusal is the cause of an error that a relay's answer made.
type Refusal struct {
	// Step is what was answered: connect, EHLO, STARTTLS, AUTH, MAIL, RCPT, DATA or end.
	Step string
	// Code is the answer's three digits, Status its enhanced code or empty.
	Code   int
	Status string
	// Text is what the server said, without the person's address.
	Text string
	// Class says what it is as a bounce.
	Class sdk.BounceClass
}

// Error says what was answered.
func (r *Refusal) Error() string {
	return strings.TrimSpace(fmt.Sprintf("%s: %d %s", r.Step, r.Code, r.Status)) + " " + strings.ReplaceAll(r.Text, "\n", " ")
}

const masked = "[address]"

// addressIn finds addresses in what servers say.
var addressIn = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^\s<>"'();,\[\]]+@[^\s<>"'();,\[\]]+`) })

// The steps of a mail's way.
const (
	stepConnect = "connect"
	stepEHLO    = "EHLO"
	stepTLS     = "STARTTLS"
	stepAuth    = "AUTH"
	stepMail    = "MAIL"
	stepRcpt    = "RCPT"
	stepData    = "DATA"
	stepEnd     = "end"
)

// gmailPause is how long Gmail asks to be left alone after 4.7.28.
const gmailPause = 10 * time.Minute

// refused turns an answer that says no into an error. host is the relay's.
func refused(step, host string, r reply) *sdk.Error {
	meaning := react(r.status, r.code, r.text)
	switch {
	case r.code == 530 || r.code == 535 || step == stepAuth && r.code >= 500:
		meaning = reaction{sdk.BounceOther, sdk.CodeUnauthenticated, sdk.ScopeAccount}
	case r.code == 421 || throttled(r):
		meaning = reaction{sdk.BounceOther, sdk.CodeUnavailable, sdk.ScopeAccount}
		if throttled(r) {
			meaning.code = sdk.CodeRateLimited
		}
	case r.code < 400:
		// An answer that is neither yes nor no: nothing was taken.
		meaning = reaction{sdk.BounceOther, sdk.CodeUnavailable, sdk.ScopeAccount}
	case step == stepConnect || step == stepEHLO || step == stepTLS || step == stepAuth:
		meaning = reaction{sdk.BounceOther, sdk.CodeUnavailable, sdk.ScopeAccount}
		if r.code >= 500 {
			meaning.code = sdk.CodeForbidden
		}
	case step == stepMail:
		// Nobody was named yet: it is about us, or about the size.
		switch {
		case meaning.code == sdk.CodeTooLarge || r.code == 552:
			meaning = tooLarge
		case r.code >= 500:
			meaning = reaction{sdk.BounceOther, sdk.CodeForbidden, sdk.ScopeAccount}
		default:
			meaning = reaction{sdk.BounceOther, sdk.CodeUnavailable, sdk.ScopeAccount}
		}
	case step == stepRcpt && meaning.code == sdk.CodeForbidden && strings.Contains(strings.ToLower(r.text), "relay"):
		meaning.scope = sdk.ScopeAccount // it relays for nobody like us
	}
	e := &sdk.Error{Code: meaning.code, Scope: meaning.scope, Op: "message",
		Err: &Refusal{Step: step, Code: r.code, Status: r.status.String(), Text: addressIn().ReplaceAllString(r.text, masked), Class: meaning.class}}
	if meaning.code == sdk.CodeRateLimited {
		e.RetryAfter = time.Minute
		if r.status.subject == 7 && r.status.detail == 28 {
			e.RetryAfter = gmailPause
		}
	}
	e.Public = sentence(step, host, r, meaning)
	return e
}

// throttled says that a server wants less at once (Gmail 4.7.28 and 4.2.1 at the connection, Yahoo's TS codes, Microsoft's 4.7.650).
func throttled(r reply) bool {
	if r.code/100 != 4 {
		return false
	}
	if r.status.subject == 7 && (r.status.detail == 28 || r.status.detail >= 650 && r.status.detail <= 652) {
		return true
	}
	words := strings.ToLower(r.text)
	for _, phrase := range []string{"too many", "rate limit", "throttl", "unusual rate", "temporarily deferred due to", "[ts0", "slow down"} {
		if strings.Contains(words, phrase) {
			return true
		}
	}
	return false
}

// sentence says what a refusal is and what mends it, without the server's own words, which may hold addresses.
func sentence(step, host string, r reply, meaning reaction) string {
	said := fmt.Sprintf("%s answered %d", host, r.code)
	if s := r.status.String(); s != "" {
		said += " " + s
	}
	what := map[string]string{stepConnect: "the connection", stepEHLO: "the greeting", stepTLS: "the encryption", stepAuth: "the user and password",
		stepMail: "the sender", stepRcpt: "the recipient", stepData: "the mail", stepEnd: "the mail"}[step]
	said += " to " + what
	switch {
	case meaning.code == sdk.CodeGone:
		return said + ": the address does not work any more"
	case meaning.code == sdk.CodeUnauthenticated:
		return said + "; check user, password and auth of this relay"
	case meaning.code == sdk.CodeRateLimited:
		return said + ": it wants fewer mails at once; a rate at this relay keeps below its limit"
	case meaning.code == sdk.CodeTooLarge:
		return said + ": the mail is too large; shorten the text"
	case meaning.code == sdk.CodeForbidden:
		return said + ": " + ofProvider(r) + "; the person is not at fault and stays"
	case meaning.scope == sdk.ScopeTemplate:
		return said + ": it refuses what the mail says or how it is made"
	case meaning.code == sdk.CodeUnavailable:
		return said + ": not now"
	case r.status.subject == 2 && r.status.detail == 2:
		return said + ": the mailbox is full"
	}
	return said + ": it was not taken this time"
}

// setUp are the codes of large providers for faults of the sender's set-up (facts of Gmail and Microsoft), by their detail
// under X.7.
var setUp = map[int]string{
	23: "the sending machine's address has no name that points back to it (PTR)", 25: "the sending machine's address has no name that points back to it (PTR)",
	26: notProved, 27: notProved, 29: "the way was not encrypted", 30: notProved, 31: notProved, 32: notProved, 40: notProved, 515: notProved,
}

const notProved = "the sender is not proved; check SPF, DKIM and DMARC with: belfry destination check"

// ofSetUp says that an enhanced code names a fault of the sender's set-up.
func ofSetUp(code string) bool {
	s, _ := parseStatus(code)
	return s.subject == 7 && setUp[s.detail] != "" || s.subject == 1 && (s.detail == 7 || s.detail == 8)
}

// ofProvider explains a refusal by policy.
func ofProvider(r reply) string {
	if what := setUp[r.status.detail]; r.status.subject == 7 && what != "" {
		return what
	}
	if r.status.subject == 1 && (r.status.detail == 7 || r.status.detail == 8) {
		return "it does not accept the sender's address"
	}
	return "its policy refuses the mail; look at the relay's log"
}

// lost is an error of a connection that broke or fell silent. after says that the final dot may have left.
func lost(host, what string, after bool, err error) *sdk.Error {
	e := &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeMessage, Op: "message", Err: err,
		Public: "the connection to " + host + " broke before the mail had left (" + what + ")"}
	if after {
		e.Code = sdk.CodeUnknownOutcome
		e.Public = "the connection to " + host + " broke after the mail and before the answer; it may have been taken"
	}
	return e
}
