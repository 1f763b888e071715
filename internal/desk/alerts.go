package desk

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/internal/disk"
	"github.com/belfry-news/belfry/sdk"
)

// Alert is trouble that lasts, and what mends it. Link leads to what the operator's guide says of its code.
type Alert struct {
	ID       int64  `json:"id"`
	Code     string `json:"code"`
	Subject  string `json:"subject"`
	Sentence string `json:"sentence"`
	Mend     string `json:"mend"`
	Link     string `json:"link"`
	First    Stamp  `json:"first"`
	Last     Stamp  `json:"last"`
	Count    int    `json:"count"`
}

// Alerts lists the trouble that lasts, the oldest first.
func (d *Desk) Alerts(ctx context.Context) ([]Alert, error) {
	rows, err := d.Store.Alerts(ctx)
	list := []Alert{}
	for _, r := range rows {
		list = append(list, Alert{r.ID, string(r.Code), r.Subject, r.Sentence, r.Mend, r.Code.Link(), Stamp{r.First}, Stamp{r.Last}, r.Count})
	}
	if free, known := d.free(d.Dir); known && free < int64(d.Config.DiskFloor) && !slices.ContainsFunc(rows, func(r alert.Row) bool { return r.Code == alert.DiskLow }) {
		// A store without room cannot record that it has none.
		list = append(list, Alert{0, string(alert.DiskLow), d.Dir,
			fmt.Sprintf("the disk of %s has %s left, less than disk_floor (%s): nothing is fetched, and without any room nothing leaves", d.Dir, disk.Bytes(free), d.Config.DiskFloor),
			"see what takes room: belfry store size; make room, keep less (retention:), or lower disk_floor:", alert.DiskLow.Link(), Stamp{d.Now}, Stamp{d.Now}, 1})
	}
	return list, err
}

// free tells the room of a folder's disk.
func (d *Desk) free(dir string) (int64, bool) {
	if d.Free != nil {
		return d.Free(dir)
	}
	return disk.Free(dir)
}

// TestedAlert is what became of a test alert at one place of alerts.to. Outcome is arrived, refused or unknown.
type TestedAlert struct {
	Destination string `json:"destination"`
	Chat        string `json:"chat"`
	Outcome     string `json:"outcome"`
	Code        string `json:"code"`
	Error       string `json:"error"`
}

// The outcomes of a test alert.
const (
	Arrived = "arrived"
	Refused = "refused"
	Unsure  = "unknown"
)

// TestAlerts sends one test alert to every place of alerts.to, now and by itself: no daemon is asked, and the store, where
// there is one, only keeps what came of it. When it cannot keep that, the list is whole beside the error.
func (d *Desk) TestAlerts(ctx context.Context, open Open) ([]TestedAlert, error) {
	if len(d.Config.Alerts.To) == 0 {
		return nil, errorf(Conflict, "nobody is told of trouble; name a destination of operators in %s: alerts: {to: [ops]}", d.Config.Path)
	}
	now := time.Now()
	row := alert.Row{Alert: alert.Alert{Code: alert.Test, Subject: "test", Mend: "nothing needs to be done",
		Sentence: fmt.Sprintf("this is a test, asked for by %s; an alert of Belfry looks like this", d.Actor)}, First: now, Last: now, Count: 1}
	out := []TestedAlert{}
	var unrecorded error // it is tried at every place all the same: a store that takes nothing is when alerts are needed
	for _, to := range d.Config.Alerts.To {
		x := TestedAlert{Destination: to.Destination, Chat: to.Chat, Outcome: Arrived}
		if err := d.testAlert(ctx, to.Destination, to.Chat, row, open); err != nil {
			x.Outcome, x.Error = Refused, Sentence(err).Error()
			if e, ok := errors.AsType[*sdk.Error](err); ok {
				x.Code = string(e.Code)
			}
			if x.Code == string(sdk.CodeUnknownOutcome) {
				x.Outcome = Unsure
			}
		}
		out = append(out, x)
		if err := d.recordTested(ctx, to, x); err != nil {
			unrecorded = err
		}
	}
	if unrecorded != nil {
		return out, fmt.Errorf("what came of it cannot be recorded, and so status and doctor do not know of it: %w", unrecorded)
	}
	return out, nil
}

func (d *Desk) testAlert(ctx context.Context, destination, chat string, row alert.Row, open Open) error {
	c, _, err := open(ctx, destination)
	if err != nil {
		return fmt.Errorf("it cannot be opened: %w", err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	return alert.Tell(ctx, c, chat, row, alert.Site{Title: d.Config.Site.Title, Zone: d.Zone()})
}
