package store

import (
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/outbox"
	"github.com/belfry-news/belfry/sdk"
)

// mostStarts is how many calls of one rate are remembered. A rate of more is kept as a finer one that implies it.
const mostStarts = 200

// rates gives the starts that count for each rate once a call starts now, or until when it has to wait. A channel that has
// to wait is not claimed before. The starts of the last calls are rows, so that no stretch of time, wherever it begins, has
// more calls than its rate allows, over restarts and nodes too.
func (tx *Tx) rates(s outbox.Start, now time.Time) (starts [][]int64, wait time.Time, err error) {
	at := micros(now)
	until := at
	starts = make([][]int64, len(s.Rates))
	for i, r := range s.Rates {
		text := ""
		if err := tx.row(`SELECT coalesce((SELECT starts FROM rates WHERE destination = $1 AND chat = $2 AND scope = $3 AND events = $4 AND per = $5), '')`,
			s.Batch.Destination, rateChat(r, s.Batch.Chat), string(r.Scope), r.Events, r.Per.Microseconds()).Scan(&text); err != nil {
			return nil, wait, err
		}
		if err := decode(text, &starts[i]); err != nil {
			return nil, wait, err
		}
		events, per := finer(r)
		var free int64
		starts[i], free = spend(starts[i], events, per, at)
		until = max(until, free)
	}
	if until > at {
		wait = timeOf(until)
	}
	return starts, wait, nil
}

// saveRates takes one call out of every rate.
func (tx *Tx) saveRates(s outbox.Start, starts [][]int64) error {
	for i, r := range s.Rates {
		if err := tx.run(`INSERT INTO rates (destination, chat, scope, events, per, starts) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (destination, chat, scope, events, per) DO UPDATE SET starts = excluded.starts`,
			s.Batch.Destination, rateChat(r, s.Batch.Chat), string(r.Scope), r.Events, r.Per.Microseconds(), jsonList(starts[i])); err != nil {
			return err
		}
	}
	return nil
}

// finer is a rate of at most mostStarts events: a stretch of per holds no more than the events of its parts.
func finer(r sdk.Rate) (events int, per int64) {
	events, per = max(r.Events, 1), r.Per.Microseconds()
	parts := (events + mostStarts - 1) / mostStarts
	return events / parts, (per + int64(parts) - 1) / int64(parts)
}

// spend gives the starts that still count once a call starts at a moment, and from when on it may start.
func spend(starts []int64, events int, per, at int64) (counting []int64, free int64) {
	for _, s := range starts {
		// A clock that was set back must not make anybody wait for longer than the rate says.
		if s = min(s, at); s > at-per {
			counting = append(counting, s)
		}
	}
	slices.Sort(counting)
	if over := len(counting) - events; over >= 0 {
		free = counting[over] + per
	}
	return append(counting, at), free
}

func rateChat(r sdk.Rate, chat string) string {
	if r.Scope == sdk.RateDestination {
		return ""
	}
	return chat
}
