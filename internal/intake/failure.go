package intake

import (
	"errors"
	"fmt"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
)

// UnopenedError is the cause of a fetch that failed because the source itself cannot be opened: nobody was asked.
type UnopenedError struct {
	// Mend is what a person can do.
	Mend string
	Err  error
}

// Error is the cause.
func (e *UnopenedError) Error() string { return e.Err.Error() }

// Unwrap gives the cause.
func (e *UnopenedError) Unwrap() error { return e.Err }

const (
	// limitedFor is how long a source may ask to be left alone before somebody is told.
	limitedFor = time.Hour
	// badFor and badTimes are how long, or how often in a row, a source may fail for passing reasons before that.
	badFor   = 15 * time.Minute
	badTimes = 3
	// longestReopen is the longest wait after which a source that could not be opened is opened again, which asks nobody.
	longestReopen = 15 * time.Minute
)

// Fail turns a failed fetch into what is to be committed. The next fetch is never earlier than the other side asked.
// jitter is a random number in [0, 1).
func Fail(r Rules, st State, err *sdk.Error, now time.Time, jitter float64) Change {
	ch := Change{State: st}
	s := &ch.State
	s.Force = false
	s.FetchedAt, s.Code, s.Error = now, err.Code, publicSentence(err)
	if s.BadSince.IsZero() {
		s.BadSince = now
	}
	if err.Code == sdk.CodeRateLimited {
		return limited(ch, r, err, now)
	}
	s.Failures++
	unopened, isUnopened := errors.AsType[*UnopenedError](err)
	backoff := min(r.Poll<<min(s.Failures-1, 20), 24*time.Hour)
	if backoff <= 0 {
		backoff = 24 * time.Hour
	}
	switch {
	case isUnopened:
		backoff = min(time.Minute<<min(s.Failures-1, 20), longestReopen)
	case err.Code == sdk.CodeForbidden || err.Code == sdk.CodeUnauthenticated:
		backoff = max(backoff, min(time.Hour<<min(s.Failures-1, 5), 24*time.Hour))
	}
	wait := backoff + time.Duration(jitter*float64(backoff)/10)
	s.NextAt = now.Add(max(wait, min(err.RetryAfter, longestWait)))
	s.WaitUntil = s.NextAt
	held, isHeld := errors.AsType[interface {
		error
		PluginHeld() (kind string)
	}](err)
	down, isDown := errors.AsType[interface {
		error
		PluginDown() (kind string)
	}](err)
	bad := s.Failures >= badTimes || now.Sub(s.BadSince) >= badFor
	switch {
	case err.Code == sdk.CodeGone:
		s.Gone = true
		ch.Alerts = append(ch.Alerts, alert.Alert{Code: alert.SourceGone, Subject: r.Name,
			Sentence: fmt.Sprintf("source %s says that it is gone for good, and is not fetched any more: %s", r.Name, s.Error),
			Mend:     fmt.Sprintf("give its new address in the configuration, or try again: belfry source fetch %s --force", r.Name)})
	case isHeld:
		ch.Resolve = append(ch.Resolve, alert.Key{Code: alert.SourceFailing, Subject: r.Name})
		ch.Alerts = append(ch.Alerts, alert.Alert{Code: alert.PluginHeld, Subject: r.Name,
			Sentence: fmt.Sprintf("source %s is not read any more, because plugin %s failed too often: %s", r.Name, held.PluginHeld(), s.Error),
			Mend:     fmt.Sprintf("look into the log for what makes it fail; then: belfry source fetch %s --force", r.Name)})
	case isUnopened:
		ch.Alerts = append(ch.Alerts, failing(r.Name, s, fmt.Sprintf("%s; then: belfry source fetch %s --force", unopened.Mend, r.Name)))
	case isDown && bad:
		ch.Alerts = append(ch.Alerts, failing(r.Name, s, fmt.Sprintf("look into the log for what plugin %s wrote before it ended; then: belfry source fetch %s --force", down.PluginDown(), r.Name)))
	case err.RetryAfter > 0 && bad:
		ch.Alerts = append(ch.Alerts, failing(r.Name, s, leftAlone(r.Name)))
	// What never worked and will not by itself is somebody's to mend at once.
	case bad, st.OKAt.IsZero() && err.Code.Disposition() != sdk.DispositionRetry:
		ch.Alerts = append(ch.Alerts, failing(r.Name, s, "try it: belfry source fetch "+r.Name))
	}
	return ch
}

// limited waits as long as it was asked to, at least twice the poll interval. Being asked to wait is no failure, unless
// it lasts.
func limited(ch Change, r Rules, err *sdk.Error, now time.Time) Change {
	s := &ch.State
	s.NextAt = now.Add(max(2*r.Poll, min(err.RetryAfter, longestWait)))
	s.WaitUntil = s.NextAt
	if now.Sub(s.BadSince) >= limitedFor {
		ch.Alerts = append(ch.Alerts, failing(r.Name, s, leftAlone(r.Name)))
	}
	return ch
}

// leftAlone is what helps where a server asks not to be asked.
func leftAlone(name string) string {
	return fmt.Sprintf("let it be, and fetch it less often (poll: of source %s), or ask whoever runs its server to allow it", name)
}

func failing(name string, s *State, mend string) alert.Alert {
	at := s.NextAt.UTC().Format("15:04 MST")
	if s.NextAt.Sub(s.FetchedAt) > 12*time.Hour {
		at = s.NextAt.UTC().Format("2006-01-02 15:04 MST")
	}
	return alert.Alert{Code: alert.SourceFailing, Subject: name,
		Sentence: fmt.Sprintf("source %s cannot be read: %s; it is tried again at %s", name, s.Error, at), Mend: mend}
}

func publicSentence(err *sdk.Error) string {
	s := err.Public
	if s == "" {
		s = err.Error()
	}
	return cleanText(s, maxSentence, false)
}
