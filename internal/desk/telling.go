package desk

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/belfry-news/belfry/configs"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// Telling says whether people are told of trouble.
type Telling struct {
	// Off says that nobody is to be told: alerts: none.
	Off bool `json:"off"`
	// Untold counts the alerts that last and of which nobody was told yet.
	Untold int          `json:"untold"`
	Places []AlertPlace `json:"places"`
}

// AlertPlace is a place of alerts.to. State is ok or failing; the other fields say of a failing one since when it takes no
// alerts, when the last was tried, how many were in between, and why.
type AlertPlace struct {
	Destination string `json:"destination"`
	Chat        string `json:"chat"`
	State       string `json:"state"`
	Since       Stamp  `json:"since"`
	Tried       Stamp  `json:"tried"`
	Failures    int    `json:"failures"`
	Code        string `json:"code"`
	Error       string `json:"error"`
}

// Name is the destination, with the chat where there is one.
func (p AlertPlace) Name() string { return strings.TrimSpace(p.Destination + " " + p.Chat) }

// The states of an AlertPlace.
const (
	placeOK      = "ok"
	placeFailing = "failing"
)

// Telling tells whether people are told of trouble.
func (d *Desk) Telling(ctx context.Context) (Telling, error) {
	a := d.Config.Alerts
	t := Telling{Off: a.Off, Places: []AlertPlace{}}
	rows, err := d.Store.AlertPlaces(ctx)
	if err != nil {
		return t, err
	}
	if !a.Off {
		if t.Untold, _, err = d.Store.UnheardAlerts(ctx); err != nil {
			return t, err
		}
	}
	for _, to := range a.To {
		p := AlertPlace{Destination: to.Destination, Chat: to.Chat, State: placeOK}
		for _, r := range rows {
			if r.Destination == to.Destination && r.Chat == to.Chat {
				p.State, p.Since, p.Tried, p.Failures, p.Code, p.Error = placeFailing, Stamp{r.Since}, Stamp{r.Tried}, r.Failures, string(r.Code), r.Error
			}
		}
		t.Places = append(t.Places, p)
	}
	return t, nil
}

// Failing are the places that take no alerts.
func (t Telling) Failing() []AlertPlace {
	return slices.DeleteFunc(slices.Clone(t.Places), func(p AlertPlace) bool { return p.State != placeFailing })
}

// Untold is a sentence on a place of alerts.to that takes no alerts, with what to do.
func (d *Desk) Untold(t Telling, p AlertPlace) (sentence, mend string) {
	lost := "; the other places are told"
	if len(t.Failing()) == len(t.Places) {
		lost = ", and so nobody is told of trouble"
	}
	tries := "one try"
	if p.Failures > 1 {
		tries = Thousands(p.Failures) + " tries"
	}
	return fmt.Sprintf("%s has not taken an alert since %s (%s)%s: %s", p.Name(), d.At(p.Since.Time), tries, lost, Plain(p.Error)),
		fmt.Sprintf("see what is missing: belfry destination check %s; when it is mended: belfry alert test", p.Destination)
}

// recordTested keeps what a test found out about a place, where there is a store to keep it in.
func (d *Desk) recordTested(ctx context.Context, to configs.AlertTarget, x TestedAlert) error {
	if d.Store == nil {
		return nil
	}
	switch x.Outcome {
	case Arrived:
		return d.Store.AlertTaken(ctx, to.Destination, to.Chat, d.Now)
	case Refused:
		return d.Store.AlertRefused(ctx, store.AlertPlace{Destination: to.Destination, Chat: to.Chat, Code: sdk.Code(x.Code), Error: x.Error}, d.Now)
	}
	return nil // whoever is asked to look there knows more
}
