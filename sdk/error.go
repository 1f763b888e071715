package sdk

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// Code says what kind of trouble an Error is. The list is append-only, and the code alone decides what Belfry does.
type Code string

// The codes. A code that a host does not know counts as CodeUnknownOutcome in a send and as CodeUnavailable elsewhere.
const (
	// CodeRateLimited: too many calls. Repeat, not before RetryAfter.
	CodeRateLimited Code = "rate_limited"
	// CodeUnavailable: the call certainly had no effect and may work later. Repeat.
	CodeUnavailable Code = "unavailable"
	// CodeUnknownOutcome: the call may have had its effect. Never repeated blindly.
	CodeUnknownOutcome Code = "unknown_outcome"
	// CodeInvalid: this content or request is wrong for this platform and stays wrong.
	CodeInvalid Code = "invalid"
	// CodeTooLarge: like CodeInvalid, because of a size.
	CodeTooLarge Code = "too_large"
	// CodeUnsupported: the platform cannot do this; another way may exist.
	CodeUnsupported Code = "unsupported"
	// CodeUnauthenticated: the credential is wrong, expired or revoked. Everything on the account stops.
	CodeUnauthenticated Code = "unauthenticated"
	// CodeForbidden: the credential may not do this here. Everything in Scope stops.
	CodeForbidden Code = "forbidden"
	// CodeGone: what is written to, or read from, is gone for good.
	CodeGone Code = "gone"
	// CodeNoConsent: the person did not agree, or took it back.
	CodeNoConsent Code = "no_consent"
	// CodeWindowClosed: the time in which this was possible is over (an edit, an answer).
	CodeWindowClosed Code = "window_closed"
	// CodeNotAChannel: the name is a person, a private chat, or something else that is no channel.
	CodeNotAChannel Code = "not_a_channel"
)

// Disposition is what a code means for the work at hand.
type Disposition string

// The dispositions.
const (
	DispositionRetry    Disposition = "retry"
	DispositionAsk      Disposition = "ask"
	DispositionGiveUp   Disposition = "give_up"
	DispositionStop     Disposition = "stop"
	DispositionSuppress Disposition = "suppress"
	DispositionWait     Disposition = "wait_for_person"
	DispositionRefuse   Disposition = "refuse"
)

// Disposition gives what a code means; an unknown code means DispositionAsk.
func (c Code) Disposition() Disposition {
	switch c {
	case CodeRateLimited, CodeUnavailable:
		return DispositionRetry
	case CodeInvalid, CodeTooLarge, CodeUnsupported:
		return DispositionGiveUp
	case CodeUnauthenticated, CodeForbidden:
		return DispositionStop
	case CodeGone, CodeNoConsent:
		return DispositionSuppress
	case CodeWindowClosed:
		return DispositionWait
	case CodeNotAChannel:
		return DispositionRefuse
	}
	return DispositionAsk
}

// Scope says what an Error is about. Append-only; an empty scope is ScopeMessage.
type Scope string

// The scopes, from the narrowest to the widest.
const (
	ScopeMessage     Scope = "message"
	ScopePerson      Scope = "person"
	ScopeTemplate    Scope = "template"
	ScopeDestination Scope = "destination" // one channel on the platform
	ScopeAccount     Scope = "account"     // everything under the credential
)

// Error is the one error that crosses between Belfry and a connector.
type Error struct {
	Code  Code
	Scope Scope
	// Op is what was being done, in a word or two ("fetch", "sendMessage").
	Op string
	// Public is the only text that an admin or a reader may be shown: a sentence in English without secrets, addresses
	// or bodies. Empty means a general sentence by code.
	Public string
	// RetryAfter is how long the other side asked to be left alone; 0 when it did not say. Never shortened.
	RetryAfter time.Duration
	// Err is the cause, for logs.
	Err error
}

// Error gives the operation, the code and the sentence; the cause only where there is no sentence.
func (e *Error) Error() string {
	s := e.Public
	if s == "" && e.Err != nil {
		s = e.Err.Error()
	}
	if s == "" {
		s = string(e.Code)
	}
	s = orderly(s)
	if e.Op != "" {
		return orderly(e.Op) + ": " + s
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is an *Error of the same code and no other content, so that
// errors.Is(err, &sdk.Error{Code: sdk.CodeGone}) asks for a code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code && t.Op == "" && t.Public == "" && t.Err == nil && t.Scope == ""
}

// Errorf makes an Error whose Public sentence is formatted; a %w cause is kept for errors.Is. Its text becomes public with
// the sentence: a cause that could hold a token or an address belongs into Error.Err alone.
func Errorf(code Code, op, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Op: op, Public: err.Error(), Err: errors.Unwrap(err)}
}

// orderly takes out of a sentence what it may have of a stranger's words that commands a terminal, or turns the order in
// which a line is read.
func orderly(s string) string {
	if strings.IndexFunc(s, unruly) < 0 {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case !unruly(r):
			return r
		case unicode.IsControl(r), r == 0x2028, r == 0x2029:
			return ' '
		}
		return -1
	}, s)
}

func unruly(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x2028 || r == 0x2029 || r == 0xfeff
}

// AsError finds the *Error in err. An error of another kind becomes CodeUnknownOutcome, because nothing is known of what
// happened; that holds for a cancelled context too. What a stranger put into the sentence, or the operation, to turn or command
// the terminal of who reads it is taken out.
func AsError(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		if said, op := orderly(e.Public), orderly(e.Op); said != e.Public || op != e.Op {
			clean := *e
			clean.Public, clean.Op = said, op
			return &clean
		}
		return e
	}
	return &Error{Code: CodeUnknownOutcome, Public: "the connector failed without saying what happened", Err: err}
}
