package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
)

// patience is how long a destination is left alone that could not take an alert: as long as it asks for, and longer each
// time.
type patience struct {
	failures int
	until    time.Time
}

func (p *patience) failed(err error, now time.Time) {
	p.failures++
	p.until = now.Add(max(min(5*time.Second<<min(p.failures-1, 10), 10*time.Minute), sdk.AsError(err).RetryAfter))
}

// teller tells of alerts.
type teller struct {
	*App
	waits  map[string]*patience
	logged map[string]bool // what stands in the log already, although no destination took it
}

// tellAlerts tells of alerts that are new, last, or are over: in the log, and at the destinations of alerts.to.
func (a *App) tellAlerts(ctx context.Context) {
	tell := teller{a, map[string]*patience{}, map[string]bool{}}
	t := time.NewTicker(2 * time.Second)
	defer t.Stop()
	for {
		if err := tell.once(ctx, a.life); err != nil && ctx.Err() == nil {
			a.log.Error("alerts cannot be told of", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (t *teller) once(ctx, life context.Context) error {
	cfg := t.Config()
	rows, err := t.db.UntoldAlerts(ctx, cfg.Alerts.Repeat.Std(), time.Now())
	if err != nil {
		return err
	}
	for _, r := range rows {
		if ctx.Err() != nil {
			break
		}
		told := len(cfg.Alerts.To) == 0
		for _, name := range cfg.Alerts.To {
			if p := t.waits[name]; p != nil && time.Now().Before(p.until) {
				continue
			}
			// A call under way is not cut off by the end of the watching: it has the time that stopping has.
			if err := t.tell(life, name, r, cfg.Site.Title); err != nil {
				if t.waits[name] == nil {
					t.waits[name] = &patience{}
				}
				t.waits[name].failed(err, time.Now())
				t.log.Warn("an alert did not reach a destination", "destination", name, "code", r.Code, "err", err, "again", t.waits[name].until)
				continue
			}
			delete(t.waits, name)
			told = true
		}
		key := fmt.Sprint(r.ID, " ", r.Count, " ", r.Resolved.IsZero())
		switch {
		case t.logged[key]:
		case r.Resolved.IsZero():
			t.log.Warn("alert", "code", r.Code, "subject", r.Subject, "sentence", r.Sentence, "mend", r.Mend, "count", r.Count)
		default:
			t.log.Info("an alert is over", "code", r.Code, "subject", r.Subject)
		}
		t.logged[key] = true
		if told {
			delete(t.logged, key)
			if err := t.db.AlertTold(ctx, r, time.Now()); err != nil {
				return err
			}
		}
	}
	return nil //nolint:nilerr // what is left is told by the next run
}

// tell posts one alert to a destination, outside of every channel.
func (a *App) tell(ctx context.Context, name string, r alert.Row, site string) (err error) {
	inst, done, ok := a.destinations.acquire(name)
	if !ok {
		return errors.New("it is not open")
	}
	defer done()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the connector failed: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	resolver, canResolve := sdk.As[sdk.Resolver](inst.conn)
	publisher, canPublish := sdk.As[sdk.Publisher](inst.conn)
	if !canResolve || !canPublish {
		return errors.New("its type cannot be posted to")
	}
	to, _, err := resolver.ResolveChannel(ctx, "")
	if err != nil {
		return err
	}
	parts, err := publisher.Plan(to, alertPost(r, site))
	if err != nil {
		return err
	}
	for i, part := range parts {
		part.Key = fmt.Sprintf("alert_%d_%d_%d", r.ID, r.Count, i)
		if !r.Resolved.IsZero() {
			part.Key += "_over"
		}
		if _, err := publisher.Publish(ctx, to, part); err != nil {
			return err
		}
	}
	return nil
}

func alertPost(r alert.Row, site string) sdk.Post {
	title := fmt.Sprintf("%s: %s", site, strings.ReplaceAll(string(r.Code), "_", " "))
	text := r.Sentence
	if r.Count > 1 {
		text += fmt.Sprintf(" (%d times since %s)", r.Count, r.First.Format("2006-01-02 15:04 MST"))
	}
	body := sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text(title))), sdk.Paragraph(sdk.Text(text)), sdk.Paragraph(sdk.Text(r.Mend))}
	if !r.Resolved.IsZero() {
		title += ", over"
		text = "It is over: " + r.Sentence
		body = sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text(title))), sdk.Paragraph(sdk.Text(text))}
	}
	return sdk.Post{ID: fmt.Sprintf("alert-%d", r.ID), Revision: 1, Channel: "alerts", ChannelTitle: "Alerts", Lang: "en", Title: title, Summary: text,
		Body: body, Content: body, Published: r.First, Updated: r.Last, State: sdk.PostLive, Overflow: sdk.OverflowCut}
}
