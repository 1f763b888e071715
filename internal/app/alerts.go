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

// tellAlerts tells of alerts that are new, last, or are over: in the log, and at the destinations of alerts.to.
func (a *App) tellAlerts(ctx context.Context) {
	t := time.NewTicker(2 * time.Second)
	defer t.Stop()
	for {
		if err := a.tellOnce(ctx); err != nil && ctx.Err() == nil {
			a.log.Error("alerts cannot be told of", "err", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
}

func (a *App) tellOnce(ctx context.Context) error {
	cfg := a.Config()
	rows, err := a.db.UntoldAlerts(ctx, cfg.Alerts.Repeat.Std(), time.Now())
	if err != nil {
		return err
	}
	for _, r := range rows {
		told := len(cfg.Alerts.To) == 0
		for _, name := range cfg.Alerts.To {
			if err := a.tell(ctx, name, r, cfg.Site.Title); err != nil {
				a.log.Warn("an alert did not reach a destination", "destination", name, "code", r.Code, "err", err)
				continue
			}
			told = true
		}
		if r.Resolved.IsZero() {
			a.log.Warn("alert", "code", r.Code, "subject", r.Subject, "sentence", r.Sentence, "mend", r.Mend, "count", r.Count)
		} else {
			a.log.Info("an alert is over", "code", r.Code, "subject", r.Subject)
		}
		if told {
			if err := a.db.AlertTold(ctx, r, time.Now()); err != nil {
				return err
			}
		}
	}
	return nil
}

// tell posts one alert to a destination, outside of every channel.
func (a *App) tell(ctx context.Context, name string, r alert.Row, site string) error {
	inst, done, ok := a.destinations.acquire(name)
	if !ok {
		return errors.New("it is not open")
	}
	defer done()
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
