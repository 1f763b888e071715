package consent

import (
	"slices"
)

// Everything is what a row names as its channel that says of somebody who left that they left all of a medium.
const Everything = "*"

// left notes that somebody had left before they came here: no import begins it from then on, in whatever order the rows come.
// Who follows it here by an act of their own goes on doing so; what an import said of them ends.
func (w *importing) left(p *prepared) (Fate, error) {
	at := addressKey{p.Medium, p.hash}
	stop := Suppression{Medium: p.Medium, Hash: p.hash, Scope: ScopeAll, Reason: SuppressedStopped, At: w.now}
	withdrawal := Withdrawal{Medium: p.Medium, Evidence: p.Evidence}
	if p.Purpose.Name != Everything {
		stop.Scope, stop.Purpose, withdrawal.Purpose = ScopePurpose, p.Purpose.String(), &p.Purpose
	}
	covered := func(q Purpose) bool { return withdrawal.Purpose == nil || q == *withdrawal.Purpose }
	if k := w.known[at]; k != nil {
		own, err := w.endOf(k, p, withdrawal, covered)
		if err != nil || own {
			return FateFollows, err
		}
	}
	if err := forbid(w.tx, stop); err != nil {
		return "", err
	}
	w.stops[at] = append(w.stops[at], stop)
	e := entry{At: w.now, Medium: p.Medium, Hash: p.hash, Purpose: stop.Purpose, Method: ByImport, Actor: Importer}
	w.gone = append(w.gone, e)
	return FateLeft, nil
}

// endOf ends what somebody who is known follows, unless they agreed to it themselves.
func (w *importing) endOf(k *knownPerson, p *prepared, withdrawal Withdrawal, covered func(Purpose) bool) (own bool, err error) {
	if k.fresh > 0 {
		for _, g := range slices.Clone(k.grants) {
			if g.Medium != p.Medium || !covered(g.Purpose) || g.State == Withdrawn {
				continue
			}
			was := g.State
			g.State, g.Changed = Withdrawn, w.now
			q := *p
			q.Purpose = g.Purpose
			if _, err := w.toFresh(k, &q, g, was); err != nil {
				return false, err
			}
		}
		return false, nil
	}
	row, err := w.tx.Subscriber(k.Person)
	who, err := w.r.load(w.tx, row, err)
	if err != nil {
		return false, err
	}
	given, err := who.given()
	if err != nil {
		return false, err
	}
	for _, g := range k.grants {
		if g.Medium == p.Medium && covered(g.Purpose) && g.State == Active && given[place{g.Purpose, g.Medium}].Actor != Importer {
			return true, nil
		}
	}
	if _, err := who.end(withdrawal, w.now); err != nil {
		return false, err
	}
	for i := range k.grants {
		if g := &k.grants[i]; g.Medium == p.Medium && covered(g.Purpose) && g.State != Expired {
			g.State = Withdrawn
		}
	}
	return false, nil
}
