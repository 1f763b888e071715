package pluginhost

import (
	"fmt"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// budget counts what went wrong within a window. It is guarded by its owner.
type budget struct {
	at        []time.Time
	notBefore time.Time
}

// add counts one more and sets the wait until the next attempt. free is how many are forgiven without a wait.
func (b *budget) add(now time.Time, l Limits, free int) (count int, wait time.Duration) {
	b.expire(now, l)
	b.at = append(b.at, now)
	if n := len(b.at) - free; n > 0 {
		wait = l.BackoffMax
		if n <= 16 {
			wait = min(l.BackoffMin<<(n-1), l.BackoffMax)
		}
	}
	b.notBefore = now.Add(wait)
	return len(b.at), wait
}

// expire forgets what lies before the window.
func (b *budget) expire(now time.Time, l Limits) {
	for len(b.at) > 0 && now.Sub(b.at[0]) >= l.Window {
		b.at = b.at[1:]
	}
}

// spent reports whether the window holds as many as the budget allows.
func (b *budget) spent(now time.Time, l Limits) bool {
	b.expire(now, l)
	return len(b.at) >= l.Budget
}

// wait is how long until the next attempt; 0 when it may be made.
func (b *budget) wait(now time.Time) time.Duration { return max(b.notBefore.Sub(now), 0) }

func (b *budget) reset() { *b = budget{} }

// HeldError is the cause of a call that was refused because its instance, or its whole kind, is held.
type HeldError struct {
	Kind string
	// Instance is empty when the whole kind is held.
	Instance string
	Since    time.Time
	// Times is how often it went wrong, within the window of the budget.
	Times int
	// Last is what happened the last time.
	Last string
}

// Error says what is held and why.
func (e *HeldError) Error() string {
	what := "plugin " + e.Kind
	if e.Instance != "" {
		what = fmt.Sprintf("%s of plugin %s", e.Instance, e.Kind)
	}
	return fmt.Sprintf("%s is held since %s after %d failures, the last: %s", what, e.Since.UTC().Format(time.RFC3339), e.Times, e.Last)
}

// DownError is the cause of a call that was not made because the plugin's process cannot be started, or has just ended: it
// is not some server that asks to be left alone.
type DownError struct {
	Kind string
	// Err is why it cannot be started; nil when the call came too soon after that.
	Err error
}

// Error says what is down.
func (e *DownError) Error() string { return "plugin " + e.Kind + " is down" }

// Unwrap gives why.
func (e *DownError) Unwrap() error { return e.Err }

// PluginDown gives the kind of plugin that is down, to those who only see the error.
func (e *DownError) PluginDown() (kind string) { return e.Kind }

// PluginHeld gives the kind of plugin that is held, to those who only see the error.
func (e *HeldError) PluginHeld() (kind string) { return e.Kind }

// refusal is what a caller gets. Nothing was called, so nothing had an effect.
func (e *HeldError) refusal(op string) *sdk.Error {
	out := sdk.Errorf(sdk.CodeUnavailable, op, "%s. Nothing else is affected. Mend the cause; a reload calls it again", e.Error())
	out.Scope, out.Err = sdk.ScopeAccount, e
	return out
}
