package model

import (
	"strings"
	"testing"
)

// The bounds of the exploration. Each scenario has what the acts in it can disturb; together they take some seven million
// states.
var scenarios = map[string]struct{ full, small Bounds }{
	"two workers, crashes, lapses, refusals, resends": {
		Bounds{People: 1, Messages: 2, Workers: 2, Grants: 2, Crashes: 1, Lapses: 1, Refusals: 1, Resends: 1, Window: 1},
		Bounds{People: 1, Messages: 2, Workers: 2, Grants: 2, Lapses: 1, Window: 1},
	},
	"windows of two": {
		Bounds{People: 1, Messages: 2, Workers: 2, Grants: 2, Crashes: 1, Lapses: 1, Resends: 1, Window: 2},
		Bounds{People: 1, Messages: 2, Workers: 2, Grants: 2, Crashes: 1, Window: 2},
	},
	"three grants of one person": {
		Bounds{People: 1, Messages: 2, Workers: 1, Grants: 3, Crashes: 1, Refusals: 1, Resends: 2, Window: 1},
		Bounds{People: 1, Messages: 1, Workers: 1, Grants: 3, Crashes: 1, Resends: 1, Window: 1},
	},
	"a merge, a crash": {
		Bounds{People: 2, Messages: 2, Workers: 1, Grants: 2, Crashes: 1, Resends: 1, Window: 1, Merge: true},
		Bounds{People: 2, Messages: 1, Workers: 1, Grants: 3, Window: 1, Merge: true},
	},
	"a merge, two workers": {
		Bounds{People: 2, Messages: 2, Workers: 2, Grants: 3, Window: 1, Merge: true},
		Bounds{People: 2, Messages: 2, Workers: 2, Grants: 2, Window: 1, Merge: true},
	},
	"a backup, a restore, a merge": {
		Bounds{People: 2, Messages: 1, Workers: 1, Grants: 3, Resends: 1, Window: 1, Merge: true, Backups: 1},
		Bounds{People: 2, Messages: 1, Workers: 1, Grants: 2, Resends: 1, Window: 1, Merge: true, Backups: 1},
	},
	"a withdrawal that fails, a restore, a merge": {
		Bounds{People: 2, Messages: 1, Workers: 1, Grants: 2, Resends: 1, Window: 1, Merge: true, Fails: true, Backups: 1},
		Bounds{People: 1, Messages: 1, Workers: 1, Grants: 2, Resends: 1, Window: 1, Fails: true, Backups: 1},
	},
	"a backup, a restore, two workers": {
		Bounds{People: 1, Messages: 2, Workers: 2, Grants: 2, Resends: 1, Window: 1, Backups: 1},
		Bounds{People: 1, Messages: 1, Workers: 2, Grants: 2, Crashes: 1, Resends: 1, Window: 1, Backups: 1},
	},
}

func TestThePromisesHold(t *testing.T) {
	t.Parallel()
	for name, b := range scenarios {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bounds, least := b.full, 100_000
			if detector {
				bounds, least = b.small, 2_000
			}
			r := Explore(bounds, None)
			t.Logf("%+v: %s", bounds, r)
			if r.Broken != "" {
				t.Error(r)
			}
			if r.States < least {
				t.Errorf("only %d states: the bounds leave nothing to try", r.States)
			}
		})
	}
}

// Every step of the protocol done wrong breaks a promise: the model can fail, and each step is needed.
func TestEveryFlawIsFound(t *testing.T) {
	t.Parallel()
	one := Bounds{People: 1, Messages: 1, Workers: 1, Grants: 2, Window: 1}
	with := func(change func(*Bounds)) Bounds { b := one; change(&b); return b }
	two := with(func(b *Bounds) { b.People, b.Grants, b.Merge = 2, 3, true })
	backup := with(func(b *Bounds) { b.Resends, b.Backups = 1, 1 })
	both := with(func(b *Bounds) { b.People, b.Merge, b.Resends, b.Backups = 2, true, 1, 1 })
	for _, c := range []struct {
		flaw   Flaw
		bounds Bounds
		breaks string
		steps  int // of a shortest run
	}{
		{NoStartCheck, one, afterLeaving, 8},
		{CheckAtClaim, one, afterLeaving, 8},
		{DeleteQueued, one, afterLeaving, 8},
		{AckAtOnce, one, afterLeaving, 8},
		{AnyVersion, one, afterLeaving, 9},
		{ResendUnchecked, with(func(b *Bounds) { b.Crashes, b.Resends = 1, 1 }), afterLeaving, 0},
		{ImportRevives, one, afterLeaving, 0},
		{MergeRevives, two, afterLeaving, 0},
		{MergeAtOnce, two, afterLeaving, 0},
		{MergeUnlogged, both, afterLeaving, 0},
		{LogLater, backup, afterLeaving, 0},
		{LogOne, both, afterLeaving, 0},
		{RestoreForgets, backup, afterLeaving, 0},
		{RestoreGrants, backup, afterLeaving, 0},
		{RestoreTrusts, backup, sentTwice, 0},
		{PullAfterLease, with(func(b *Bounds) { b.Lapses = 1 }), afterLeaving, 0},
		{RecoverResends, with(func(b *Bounds) { b.Crashes = 1 }), sentTwice, 0},
		{RecoverForgets, with(func(b *Bounds) { b.Crashes = 1 }), noOutcome, 0},
	} {
		t.Run(string(c.flaw), func(t *testing.T) {
			t.Parallel()
			r := Explore(c.bounds, c.flaw)
			t.Log(r)
			if r.Broken != c.breaks {
				t.Errorf("broken is %q, want %q", r.Broken, c.breaks)
			}
			if c.steps > 0 && len(r.Trace) != c.steps {
				t.Errorf("the shortest run has %d steps, want %d", len(r.Trace), c.steps)
			}
			if n := len(r.Trace); c.breaks != noOutcome && (n == 0 || !strings.Contains(r.Trace[n-1], "sends message")) {
				t.Error("the run does not end with an attempt")
			}
			if sound := Explore(c.bounds, None); sound.Broken != "" {
				t.Errorf("without the flaw: %s", sound)
			}
		})
	}
}
