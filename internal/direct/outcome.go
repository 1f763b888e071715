package direct

import (
	"context"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/policy"
	"github.com/belfry-news/belfry/sdk"
)

// resendAfter is how long a message with an unknown outcome waits before it is sent again under the same name.
const resendAfter = 10 * time.Minute

// outcome turns what a connector answered into a result, and acts on what it says about the person or the account.
func (l *lane) outcome(i *item, ref sdk.MessageRef, err error, now time.Time) {
	r := consent.Result{Stream: i.start.Stream.ID, Person: i.start.Person, At: now, Posts: i.start.Folded, Revision: i.text.Revision}
	code := sdk.Code("")
	if err == nil {
		r.State = consent.MessageSent
		if ref.ID != i.start.ID {
			r.Ref = ref.ID
		}
		if l.d.Medium == consent.Email {
			r.Ref = "" // follows from the message's own name
		}
	} else {
		e := sdk.AsError(err)
		code = e.Code
		r = l.refused(i, e, now)
		if r.Revision = i.text.Revision; r.State == consent.MessageUnknown {
			r.Posts = i.start.Folded
		}
	}
	if l.e.s.Sent != nil {
		l.e.s.Sent(l.d.Name, code, now.Sub(i.took))
	}
	l.settle(settled{r, i.batch})
}

// refused says what becomes of a message that a platform did not take.
func (l *lane) refused(i *item, e *sdk.Error, now time.Time) consent.Result {
	if e.Code == sdk.CodeGone && e.Scope != "" && e.Scope != sdk.ScopePerson && e.Scope != sdk.ScopeMessage {
		ours := *e // an account that is closed says nothing of those whom it wrote to
		ours.Code, ours.Scope = sdk.CodeForbidden, sdk.ScopeAccount
		e = &ours
	}
	r := consent.Result{Stream: i.start.Stream.ID, Person: i.start.Person, At: now, Reason: string(e.Code), Error: short(e)}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	switch e.Code {
	case sdk.CodeRateLimited, sdk.CodeUnavailable:
		if e.Scope != sdk.ScopePerson && e.Scope != sdk.ScopeMessage && e.RetryAfter > 0 {
			l.log("a destination cannot wait", l.e.s.Store.PauseDestination(ctx, l.d.Name, now.Add(min(e.RetryAfter, 24*time.Hour))))
		}
		if i.start.Attempt == 0 {
			return l.again(i, now, max(e.RetryAfter, 5*time.Second), r.Reason, r.Error)
		}
		return l.again(i, now, max(e.RetryAfter, backoff(i.start.Attempt)), r.Reason, r.Error)
	case sdk.CodeUnknownOutcome:
		if l.d.Resend && !i.start.Unknown {
			again := l.again(i, now, resendAfter, "unknown", r.Error)
			if again.State == consent.MessageExpired {
				again.State = consent.MessageUnknown
			}
			return again
		}
		r.State, r.Reason = consent.MessageUnknown, "unknown"
	case sdk.CodeUnauthenticated, sdk.CodeForbidden:
		if e.Scope == sdk.ScopePerson || e.Scope == sdk.ScopeMessage {
			r.State = consent.MessageFailed
			break
		}
		l.log("a destination cannot be stopped", l.e.s.Store.StopDestination(ctx, l.d.Name, e.Code, e.Public, now))
		again := l.again(i, now, time.Minute, r.Reason, r.Error)
		return again
	case sdk.CodeGone:
		r.State = consent.MessageFailed
		reason := consent.SuppressedBounce
		if l.d.Medium != consent.Email {
			reason = consent.SuppressedBlocked
		}
		l.log("an address that is gone cannot be recorded", l.e.s.People.Gone(ctx, i.start.Person, l.d.Medium, reason,
			consent.Evidence{At: now, Method: consent.ByBounce, Actor: consent.Provider, Note: r.Error}))
	case sdk.CodeWindowClosed: // the platform knows better than its rules: it waits until the person writes again
		r.State, r.Reason = consent.MessageHeld, string(policy.WindowClosed)
	case sdk.CodeNoConsent:
		r.State = consent.MessagePending // its time was over before its first byte
		return l.again(i, now, time.Second, r.Reason, r.Error)
	default:
		r.State = consent.MessageFailed
	}
	return r
}

func (l *lane) log(what string, err error) {
	if err != nil {
		l.e.s.Log.Error(what, "destination", l.d.Name, "err", err)
	}
}

// backoff grows from ten seconds to half an hour.
func backoff(attempt int) time.Duration {
	return min(10*time.Second<<min(attempt, 8), 30*time.Minute)
}

// mostError is how many bytes of an error a row keeps.
const mostError = 300

// short is an error for a row: it names no address, since connectors keep those out of what they say.
func short(err error) string {
	text := strings.ToValidUTF8(err.Error(), "\uFFFD")
	if len(text) > mostError {
		text = strings.ToValidUTF8(text[:mostError], "") // the last rune may be cut
	}
	return text
}
