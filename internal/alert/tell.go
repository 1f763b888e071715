package alert

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// Deadline is how long telling one destination of one alert may take.
const Deadline = 15 * time.Second

// Site is what an alert says of the newsroom it is about.
type Site struct {
	Title string
	// Zone is of the times that are told.
	Zone *time.Location
}

// Tell posts an alert, or its end, to one chat of a destination, outside of every channel. An empty chat is the
// destination's own.
//
// The error is the connector's; CodeUnknownOutcome says that it may have arrived.
func Tell(ctx context.Context, c sdk.Connector, chat string, r Row, site Site) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the connector failed: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, Deadline)
	defer cancel()
	key := fmt.Sprintf("%s_%d", strings.ReplaceAll(id(r), "-", "_"), r.Count)
	over := ""
	if !r.Resolved.IsZero() {
		over = "_over"
	}
	// The same telling has the same key: a platform that knows keys takes it once.
	return say(ctx, c, chat, postOf(r, site), func(part int) string { return fmt.Sprintf("%s_%d%s", key, part, over) })
}

// Say posts something for operators to one chat of a destination, outside of every channel. An empty chat is the
// destination's own. The error is the connector's.
func Say(ctx context.Context, c sdk.Connector, chat string, p sdk.Post) error {
	return say(ctx, c, chat, p, func(part int) string { return fmt.Sprintf("%s_%d", strings.ReplaceAll(p.ID, "-", "_"), part) })
}

func say(ctx context.Context, c sdk.Connector, chat string, p sdk.Post, key func(part int) string) error {
	resolver, canResolve := sdk.As[sdk.Resolver](c)
	publisher, canPublish := sdk.As[sdk.Publisher](c)
	if !canResolve || !canPublish {
		return errors.New("its type cannot be posted to")
	}
	to, _, err := resolver.ResolveChannel(ctx, chat)
	if err != nil {
		return err
	}
	parts, err := publisher.Plan(to, p)
	if err != nil {
		return err
	}
	for i, part := range parts {
		part.Key = key(i)
		if _, err := publisher.Publish(ctx, to, part); err != nil {
			return err
		}
	}
	return nil
}

// id is the same for everything that is told of one alert.
func id(r Row) string {
	if r.ID == 0 {
		return fmt.Sprintf("alert-%s-%d", r.Code, r.First.UnixMilli())
	}
	return fmt.Sprintf("alert-%d", r.ID)
}

// postOf writes an alert for people: what happened, what mends it, and where its code is explained.
func postOf(r Row, site Site) sdk.Post {
	zone := site.Zone
	if zone == nil {
		zone = time.UTC
	}
	title := fmt.Sprintf("%s: %s", site.Title, strings.ReplaceAll(string(r.Code), "_", " "))
	// What comes back after its end counts on: every telling has a higher revision than the one before.
	text, revision := r.Sentence, 2*r.Count-1
	if r.Count > 1 && !r.Code.Counts() {
		text += fmt.Sprintf(" (%d times since %s)", r.Count, r.First.In(zone).Format("2006-01-02 15:04 MST"))
	}
	if !r.Resolved.IsZero() {
		title += ", over"
		text = fmt.Sprintf("It is over since %s: %s", r.Resolved.In(zone).Format("2006-01-02 15:04 MST"), r.Sentence)
		revision++
	}
	body := sdk.Body{sdk.Paragraph(sdk.Strong(sdk.Text(title))), sdk.Paragraph(sdk.Text(text))}
	if r.Resolved.IsZero() {
		body = append(body, sdk.Paragraph(sdk.Text(r.Mend)))
	}
	body = append(body, sdk.Paragraph(sdk.Link(r.Code.Link(), sdk.Text(string(r.Code)))))
	return sdk.Post{ID: id(r), Revision: revision, Channel: "alerts", ChannelTitle: "Alerts", Lang: "en", Title: title, Summary: text, URL: r.Code.Link(),
		Body: body, Content: body, Tags: []string{string(r.Code)}, Published: r.First, Updated: r.Last, State: sdk.PostLive, Overflow: sdk.OverflowCut}
}
