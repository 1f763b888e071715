package plugindev

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

type recordedReceiver struct {
	sdk.Receiver
	j *journal
}

// ReceiveEvents has the plugin read a call of its platform, and notes what it heard.
func (r recordedReceiver) ReceiveEvents(ctx context.Context, req sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
	begun := time.Now()
	reply, events, err := r.Receiver.ReceiveEvents(ctx, req)
	heard := make([]string, len(events))
	for i, e := range events {
		heard[i] = saying(e)
	}
	r.j.note(begun, "ReceiveEvents", fmt.Sprintf("%d bytes", len(req.Body)), err, strings.Join(heard, "\n"), fmt.Sprintf("answer %d, %d heard", reply.Status, len(events)))
	return reply, events, err
}

type recordedListener struct {
	sdk.Listener
	j *journal
}

// Listen has the plugin listen; each event that it tells of is noted.
func (l recordedListener) Listen(ctx context.Context, from sdk.Cursor) (sdk.Events, error) {
	begun := time.Now()
	events, err := l.Listener.Listen(ctx, from)
	l.j.note(begun, "Listen", "from "+cursor(from), err, "", "listening")
	if err != nil {
		return nil, err
	}
	return recordedEvents{events, l.j}, nil
}

type recordedEvents struct {
	sdk.Events
	j *journal
}

// Next notes an event, and an error that is not the end of the work.
func (r recordedEvents) Next(ctx context.Context) (sdk.InboxEvent, sdk.Cursor, error) {
	begun := time.Now()
	e, next, err := r.Events.Next(ctx)
	if ctx.Err() == nil {
		r.j.note(begun, "Next", string(e.Kind), err, "", saying(e)+"; "+cursor(next))
	}
	return e, next, err
}

// saying is what an event tells, without who it comes from.
func saying(e sdk.InboxEvent) string {
	said := string(e.Kind)
	for _, text := range []string{e.Text, e.Data, e.Ref} {
		if text != "" {
			said += fmt.Sprintf(" %q", short(text, 60))
		}
	}
	return said
}
