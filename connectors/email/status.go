package email

import (
	"strconv"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

// status is an enhanced status code (RFC 3463): class, subject and detail. Its zero value is none.
type status struct{ class, subject, detail int }

// String gives the code, or nothing.
func (s status) String() string {
	if s.class == 0 {
		return ""
	}
	return strconv.Itoa(s.class) + "." + strconv.Itoa(s.subject) + "." + strconv.Itoa(s.detail)
}

// specific says that the code tells more than its class.
func (s status) specific() bool { return s.class != 0 && (s.subject != 0 || s.detail != 0) }

// parseStatus reads a code at the beginning of a text and gives how long it is; no leading zeros, at most three digits a part.
func parseStatus(text string) (s status, length int) {
	if len(text) < 5 || text[0] != '2' && text[0] != '4' && text[0] != '5' || text[1] != '.' {
		return status{}, 0
	}
	subject, n := digits(text[2:])
	if n == 0 || 2+n >= len(text) || text[2+n] != '.' {
		return status{}, 0
	}
	detail, k := digits(text[3+n:])
	end := 3 + n + k
	if k == 0 || end < len(text) && (text[end] >= '0' && text[end] <= '9' || text[end] == '.' && end+1 < len(text) && text[end+1] >= '0' && text[end+1] <= '9') {
		return status{}, 0
	}
	return status{int(text[0] - '0'), subject, detail}, end
}

// digits reads up to three digits without leading zeros.
func digits(s string) (value, length int) {
	for length < len(s) && length < 3 && s[length] >= '0' && s[length] <= '9' {
		value = value*10 + int(s[length]-'0')
		length++
	}
	if length > 1 && s[0] == '0' {
		return 0, 0
	}
	return value, length
}

// findStatus finds the first code of a failure that stands as a word in a text, also as qmail writes it: (#5.1.1).
func findStatus(text string) status {
	for i := range len(text) {
		if i > 0 {
			if c := text[i-1]; c != ' ' && c != '(' && c != '#' && c != '-' && c != '\t' && c != '\n' && c != '[' && c != ':' && c != ';' && c != '<' && c != '"' {
				continue
			}
		}
		if s, n := parseStatus(text[i:]); n > 0 && s.class != 2 {
			return s
		}
	}
	return status{}
}

// reaction is what a refusal means.
type reaction struct {
	class sdk.BounceClass
	code  sdk.Code
	scope sdk.Scope
}

var (
	// goneForGood: the address does not work and will not.
	goneForGood = reaction{sdk.BounceHard, sdk.CodeGone, sdk.ScopePerson}
	// notThisTime: the message is given up and the address counts it; it is not written off.
	notThisTime = reaction{sdk.BounceSoft, sdk.CodeInvalid, sdk.ScopePerson}
	// later: the same message may be taken later.
	later = reaction{sdk.BounceSoft, sdk.CodeUnavailable, sdk.ScopeMessage}
	// tooLarge and ourContent are faults of the text, for everybody.
	tooLarge   = reaction{sdk.BounceOther, sdk.CodeTooLarge, sdk.ScopeTemplate}
	ourContent = reaction{sdk.BounceOther, sdk.CodeInvalid, sdk.ScopeTemplate}
	// ourFault: policy, reputation or authentication. It says nothing about the person.
	ourFault = reaction{sdk.BounceOther, sdk.CodeForbidden, sdk.ScopeDestination}
)

// react says what a refusal means, by its enhanced code, its three digits (0 when there are none) and its words. It is the
// one table for answers of relays and for bounces. Unknown details count by their subject, unknown subjects by their class.
func react(s status, basic int, words string) reaction {
	words = strings.ToLower(words)
	if s.class == 0 {
		s = guess(basic, words)
	}
	temporary := s.class == 4
	switch {
	case s.subject == 1:
		switch {
		case temporary:
			return later
		case s.detail == 1 || s.detail == 2 || s.detail == 3 || s.detail == 6 || s.detail == 10:
			return goneForGood
		case s.detail == 7 || s.detail == 8: // the sender's address
			return ourFault
		}
		return notThisTime
	case s.subject == 2:
		switch {
		case s.detail == 3:
			return tooLarge
		case temporary:
			return later
		case s.detail == 1:
			return goneForGood
		}
		return notThisTime
	case s.subject == 3 && s.detail == 4:
		return tooLarge
	case s.subject == 7:
		switch {
		case refusedByPerson(words) && !temporary:
			return goneForGood
		case !temporary:
			return ourFault
		case setUp[s.detail] != "" || s.detail == 28:
			return reaction{sdk.BounceOther, sdk.CodeUnavailable, sdk.ScopeDestination}
		}
		return later
	case temporary:
		return later
	case s.subject == 5 || s.subject == 6:
		return ourContent
	}
	return notThisTime
}

// refusedByPerson says that the recipient refuses the sender, in the words that large providers use.
func refusedByPerson(words string) bool {
	for _, phrase := range []string{"blocked by recipient", "blocked by the recipient", "blocked by user", "blocked by the user", "recipient has blocked",
		"user has blocked", "recipient blocked you", "rejected by recipient", "rejected by the recipient", "rejected by user", "refused by recipient",
		"refused by the recipient", "recipient does not accept mail from you", "recipient doesn't accept mail from you", "recipient's block list",
		"recipient's blocked senders", "user does not want", "recipient does not want", "recipient's personal block"} {
		if strings.Contains(words, phrase) {
			return true
		}
	}
	return false
}

// noSuchMailbox, fullMailbox and policy are what servers say that give no enhanced code.
var (
	noSuchMailbox = []string{"user unknown", "unknown user", "no such user", "no such recipient", "no such mailbox", "unknown recipient", "recipient unknown",
		"unknown mailbox", "mailbox not found", "mailbox unknown", "user not found", "recipient not found", "does not exist", "doesn't exist",
		"no mailbox here", "address unknown", "unknown address", "invalid recipient", "invalid mailbox", "not a valid mailbox", "unrouteable address",
		"host or domain name not found", "no such domain", "domain not found", "account has been disabled", "account is disabled", "mailbox disabled",
		"account closed", "utilisateur inconnu", "adresse inconnue", "destinataire inconnu"}
	fullMailbox = []string{"mailbox full", "mailbox is full", "quota exceeded", "over quota", "exceeded storage", "insufficient storage", "mailbox size limit", "boîte pleine"}
	policy      = []string{"spam", "blacklist", "blocklist", "blocked", "reputation", "policy", "relay", "denied", "not permitted", "spf", "dkim", "dmarc", "authenticat", "authoriz"}
	size        = []string{"message too large", "message size exceeds", "too big", "exceeds size limit", "maximum message size"}
)

// guess makes an enhanced code of an answer without one.
func guess(basic int, words string) status {
	says := func(phrases []string) bool {
		for _, p := range phrases {
			if strings.Contains(words, p) {
				return true
			}
		}
		return false
	}
	class := basic / 100
	if class != 4 {
		class = 5
	}
	switch {
	case says(size):
		return status{class, 3, 4}
	case says(fullMailbox), basic == 552 && says([]string{"quota", "storage"}):
		return status{class, 2, 2}
	case refusedByPerson(words):
		return status{class, 7, 1}
	case says(noSuchMailbox):
		return status{class, 1, 1}
	case says(policy):
		return status{class, 7, 0}
	}
	return status{class, 0, 0}
}
