package plugindev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/sdk"
)

// ears hears one word by each of its roles.
type ears struct{}

func (ears) Close(context.Context) error { return nil }

func (ears) ReceiveEvents(context.Context, sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
	return sdk.WebhookReply{Status: 204}, []sdk.InboxEvent{{Kind: sdk.EventButton, From: sdk.Handle{Value: "anna@example.invalid"}, Data: "confirm:1"}}, nil
}

func (ears) Listen(context.Context, sdk.Cursor) (sdk.Events, error) { return &once{}, nil }

type once struct{ told bool }

func (o *once) Next(context.Context) (sdk.InboxEvent, sdk.Cursor, error) {
	if o.told {
		return sdk.InboxEvent{}, nil, io.EOF
	}
	o.told = true
	return sdk.InboxEvent{Kind: sdk.EventMessage, From: sdk.Handle{Value: "anna@example.invalid"}, Text: "STOP"}, sdk.Cursor("7"), nil
}

func (o *once) Close() error { return nil }

// What a plugin hears stands among its calls, and who it heard does not.
func TestHearingIsRecorded(t *testing.T) {
	t.Parallel()
	j := newJournal("ears")
	r := &recorder{Connector: ears{}, journal: j}
	receiver, receives := sdk.As[sdk.Receiver](r)
	listener, listens := sdk.As[sdk.Listener](r)
	if !receives || !listens {
		t.Fatalf("it receives: %t, it listens: %t", receives, listens)
	}
	if _, events, err := receiver.ReceiveEvents(t.Context(), sdk.WebhookRequest{Body: []byte("call")}); err != nil || len(events) != 1 {
		t.Fatalf("%v, %v", events, err)
	}
	events, err := listener.Listen(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if e, at, err := events.Next(t.Context()); err != nil || e.Text != "STOP" || string(at) != "7" {
		t.Fatalf("%v, %q, %v", e, at, err)
	}
	if _, _, err := events.Next(t.Context()); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	calls := fmt.Sprintf("%+v", j.read().calls)
	for _, want := range []string{"ReceiveEvents", `button "confirm:1"`, "answer 204, 1 heard", "Listen", `message "STOP"`, "without saying what happened"} {
		if !strings.Contains(calls, want) {
			t.Errorf("%q does not stand among the calls:\n%s", want, calls)
		}
	}
	if strings.Contains(calls, "anna@") {
		t.Errorf("a call shows an address:\n%s", calls)
	}
}
