package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// alertPlaces is the name in the table meta of the places that do not take alerts.
const alertPlaces = "alerts.places"

// AlertPlace is a place of alerts.to that did not take the last alert that it was sent. Times are UTC.
type AlertPlace struct {
	Destination string `json:"destination"`
	Chat        string `json:"chat,omitempty"`
	// Since is when it first did not take one, Tried when it was last tried, Failures how often it was in between.
	Since    time.Time `json:"since"`
	Tried    time.Time `json:"tried"`
	Failures int       `json:"failures"`
	// Code is empty when it was no platform that refused; Error is a sentence.
	Code  sdk.Code `json:"code,omitempty"`
	Error string   `json:"error"`
}

func (p AlertPlace) is(destination, chat string) bool {
	return p.Destination == destination && p.Chat == chat
}

// AlertPlaces lists the places that do not take alerts, in the order in which that began.
func (db *DB) AlertPlaces(ctx context.Context) ([]AlertPlace, error) {
	var text string
	err := notFound(db.queryRow(ctx, `SELECT value FROM meta WHERE name = $1`, alertPlaces).Scan(&text))
	return readPlaces(text, err)
}

func readPlaces(text string, err error) ([]AlertPlace, error) {
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	var out []AlertPlace
	if err == nil {
		err = decode(text, &out)
	}
	return out, err
}

// AlertRefused notes that a place did not take an alert. Since and Failures are counted here.
func (db *DB) AlertRefused(ctx context.Context, p AlertPlace, now time.Time) error {
	return db.changePlaces(ctx, func(_ *Tx, list []AlertPlace) ([]AlertPlace, error) {
		p.Since, p.Tried, p.Failures = now.UTC(), now.UTC(), 1
		i := slices.IndexFunc(list, func(o AlertPlace) bool { return o.is(p.Destination, p.Chat) })
		if i < 0 {
			return append(list, p), nil
		}
		p.Since, p.Failures = list[i].Since, list[i].Failures+1
		list[i] = p
		return list, nil
	})
}

// AlertTaken notes that a place took an alert, which its destination accepted.
func (db *DB) AlertTaken(ctx context.Context, destination, chat string, now time.Time) error {
	return db.changePlaces(ctx, func(tx *Tx, list []AlertPlace) ([]AlertPlace, error) {
		list = slices.DeleteFunc(list, func(o AlertPlace) bool { return o.is(destination, chat) })
		return list, tx.run(`UPDATE destinations SET ok_at = max(ok_at, $2) WHERE name = $1`, destination, micros(now))
	})
}

// KeepAlertPlaces forgets the places that nobody is told at any more.
func (db *DB) KeepAlertPlaces(ctx context.Context, configured func(destination, chat string) bool) error {
	return db.changePlaces(ctx, func(_ *Tx, list []AlertPlace) ([]AlertPlace, error) {
		return slices.DeleteFunc(list, func(o AlertPlace) bool { return !configured(o.Destination, o.Chat) }), nil
	})
}

func (db *DB) changePlaces(ctx context.Context, change func(*Tx, []AlertPlace) ([]AlertPlace, error)) error {
	return db.Write(ctx, func(tx *Tx) error {
		var text string
		err := notFound(tx.row(`SELECT value FROM meta WHERE name = $1`, alertPlaces).Scan(&text))
		list, err := readPlaces(text, err)
		if err != nil {
			return err
		}
		if list, err = change(tx, list); err != nil {
			return err
		}
		if len(list) == 0 {
			return tx.run(`DELETE FROM meta WHERE name = $1`, alertPlaces)
		}
		value, err := encode(list)
		if err != nil {
			return err
		}
		return tx.run(`INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, alertPlaces, value)
	})
}
