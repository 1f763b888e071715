package consent

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// ExportFilter says which consents an export of many people holds. Empty means all.
type ExportFilter struct {
	// Channel is a purpose as ParsePurpose reads it.
	Channel string
	State   State
}

// ExportColumns are the columns of an export, which an import takes back.
func ExportColumns() []string {
	return []string{"address", "medium", "channel", "lang", "zone", "consented_at", "source", "wording", "wording_version", "evidence", "mode", "slot", "topics", "languages",
		"breaking", "quiet", "paused_until", "per_day", "left_at"}
}

// ExportRows gives the rows of some people, each in the order of ExportColumns: one for each consent. One that is active carries
// the evidence with which it was given, one that was withdrawn or ended when it did, and one that waits neither, so that an import
// takes each for what it is. Who must not be written to at all is one more row, of everything.
//
// That a person was exported is an event of the ledger, with its reason, in the same transaction: rows are handed out only once
// it stands there. People who have no row, or are gone, get no event.
func (r *Registry) ExportRows(ctx context.Context, people []PersonID, f ExportFilter, operator, reason string) (rows [][]string, exported int, err error) {
	if strings.TrimSpace(reason) == "" {
		return nil, 0, sdk.Errorf(sdk.CodeInvalid, "export", "an export of people needs a reason; give it with --reason")
	}
	now := r.now()
	err = r.s.Store.People(ctx, func(tx Tx) error {
		rows, exported = nil, 0
		for _, id := range people {
			row, err := tx.Subscriber(id)
			p, err := r.load(tx, row, err)
			if errors.Is(err, ErrNotFound) {
				continue // erased meanwhile
			}
			if err != nil {
				return err
			}
			list, err := p.exported(f, now)
			if err != nil {
				return err
			}
			if len(list) == 0 {
				continue
			}
			e := trimmed(Evidence{At: now, Method: ByOperator, Actor: Operator, Where: operator, Note: "exported with others: " + reason}, now)
			if err := p.record(EventLooked, now, change{Evidence: e}); err != nil {
				return err
			}
			rows, exported = append(rows, list...), exported+1
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	return rows, exported, nil
}

// exported gives the rows of one person.
func (p person) exported(f ExportFilter, now time.Time) (rows [][]string, err error) {
	addresses, err := p.tx.Addresses(p.row.ID)
	if err != nil {
		return nil, err
	}
	grants, err := p.tx.Grants(p.row.ID)
	if err != nil {
		return nil, err
	}
	given, err := p.given()
	if err != nil {
		return nil, err
	}
	for _, a := range addresses {
		text, err := p.key.open("address "+a.Medium, a.Sealed)
		if err != nil {
			return nil, err
		}
		stops, err := p.tx.Suppressions(a.Medium, a.Hash)
		if err != nil {
			return nil, err
		}
		for _, g := range grants {
			if g.Medium != a.Medium || f.Channel != "" && g.Purpose != ParsePurpose(f.Channel) || f.State != "" && g.State != f.State {
				continue
			}
			rows = append(rows, p.exportedGrant(string(text), g, given[place{g.Purpose, g.Medium}], now))
		}
		for _, s := range stops {
			what := Everything
			if s.Scope == ScopePurpose {
				what = s.Purpose
				if slices.ContainsFunc(grants, func(g Grant) bool { return g.Medium == a.Medium && g.Purpose == ParsePurpose(what) }) {
					continue // it has its row
				}
			}
			if f.State != "" && f.State != Withdrawn || f.Channel != "" && ParsePurpose(what) != ParsePurpose(f.Channel) {
				continue
			}
			rows = append(rows, columnsOf(map[string]string{"address": string(text), "medium": a.Medium, "channel": what, "source": s.Reason, "left_at": stamp(s.At)}))
		}
	}
	return rows, nil
}

// exportedGrant is the row of one consent. Nothing is chosen of one that ended.
func (p person) exportedGrant(address string, g Grant, e Evidence, now time.Time) []string {
	out := map[string]string{"address": address, "medium": g.Medium, "channel": g.Purpose.String()}
	if g.Purpose.Kind == Channel {
		out["channel"] = g.Purpose.Name
	}
	switch g.State {
	case Withdrawn, Expired:
		out["left_at"] = stamp(g.Changed)
		return columnsOf(out)
	case Active:
		out["consented_at"], out["wording"], out["wording_version"], out["evidence"] = stamp(e.At), e.Wording, e.Version, e.Where
		out["source"] = cmp.Or(e.Note, strings.TrimSpace("by "+string(e.Method)+" "+e.Where))
	}
	h := p.row.Habits
	out["lang"], out["zone"] = strings.ToLower(h.Lang), h.Zone
	if h.QuietFrom != "" {
		out["quiet"] = h.QuietFrom + "-" + h.QuietUntil
	}
	if h.PausedUntil.After(now) {
		out["paused_until"] = stamp(h.PausedUntil)
	}
	if h.PerDay > 0 {
		out["per_day"] = strconv.Itoa(h.PerDay)
	}
	if g.Purpose.Kind != Channel { // nothing is chosen of a notice
		return columnsOf(out)
	}
	c := g.Preferences
	out["mode"], out["topics"], out["languages"] = string(c.Mode), strings.Join(c.Topics, "|"), strings.Join(c.Languages, "|")
	if c.Mode == Digest {
		out["slot"] = strings.Join(c.Slots, "|")
	}
	if c.Breaking {
		out["breaking"] = "yes"
	}
	return columnsOf(out)
}

type place struct {
	Purpose
	medium string
}

// given finds in the ledger how each consent was given, the last time.
func (p person) given() (map[place]Evidence, error) {
	events, err := p.events(math.MaxInt32)
	if err != nil {
		return nil, err
	}
	out := map[place]Evidence{}
	for _, e := range events { // the newest first
		at := place{e.Purpose, e.Medium}
		if _, known := out[at]; !known && (e.Kind == EventGranted || e.Kind == EventImported && e.Evidence.proves()) {
			out[at] = e.Evidence
		}
	}
	return out, nil
}

func columnsOf(values map[string]string) (out []string) {
	for _, c := range ExportColumns() {
		out = append(out, values[c])
	}
	return out
}

// stamp writes a time as an import reads it: to the second, so that no row says that it is in the future.
func stamp(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Truncate(time.Second).Format(time.RFC3339)
}
