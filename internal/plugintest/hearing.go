package plugintest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/belfry-news/belfry/internal/conformance"
	"github.com/belfry-news/belfry/internal/conformance/people"
	"github.com/belfry-news/belfry/internal/wire/v1"
	"google.golang.org/protobuf/types/known/durationpb"
)

// sayPath is where a fake has somebody write.
const sayPath = "/.belfry/say"

// say has somebody write at the fake. errSilent is of a fake that cannot do that.
func (f *Fake) say(ctx context.Context, from, text string) error {
	body, err := json.Marshal(map[string]string{"from": from, "text": text})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.process.URL.JoinPath(sayPath).String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := f.client.Do(req)
	if err != nil {
		return err
	}
	_ = resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed || resp.StatusCode == http.StatusNotImplemented:
		return fmt.Errorf("%w: it has no %s", errSilent, sayPath)
	case resp.StatusCode/100 != 2:
		return fmt.Errorf("the fake answers %s with %s", sayPath, resp.Status)
	}
	return nil
}

// needsSpeakers says what is missing for somebody to write; empty when nothing is.
func (t *tester) needsSpeakers() string {
	if t.o.Scenario.Address == "" || t.o.Fake == nil || t.o.Fake.say(context.Background(), t.o.Scenario.Address, "a first word") != nil {
		return "all of it: address: in the file, somebody who writes, and a fake (--fake) that has them write by a POST of {\"from\", \"text\"} to " + sayPath
	}
	return ""
}

// tells checks what a type that hears people says of that.
func (t *tester) tells() []conformance.Check {
	if t.found.Medium != nil && len(t.found.Medium.Hears) > 0 {
		return nil
	}
	return []conformance.Check{{Name: "it says of what it tells", Run: func(tb conformance.T) {
		tb.Error("the type hears people and does not say of what it tells (Medium.Hears of Spec.WithMedium; Medium.hears), nor that it writes to them; Belfry hears nobody by it")
	}}}
}

func (t *tester) listenerChecks(options conformance.Options) []conformance.Check {
	if silent := t.tells(); silent != nil {
		return silent
	}
	checks := people.Listener(people.ListenerOptions{Options: options, Medium: t.o.Kind, From: t.o.Scenario.Address, Say: func(tb conformance.T, text string) {
		if err := t.o.Fake.say(tb.Context(), t.o.Scenario.Address, text); err != nil {
			tb.Fatalf("%v", err)
		}
	}})
	return append(checks, conformance.Check{Name: "waiting ends in time, without an error", Run: t.waits})
}

// waits asks, without a host, for what nobody said: the answer comes when the time is over and not before, and is no error.
func (t *tester) waits(tb conformance.T) {
	at := wire.At{Conn: t.conn(tb), Handle: "belfry-plugin-test-listen", Call: 1}
	if _, err := wire.OpenInstance(tb.Context(), at, t.o.Kind, t.settings("listen"), t.o.Scenario.Config); err != nil {
		tb.Fatalf("Open: %v", err)
	}
	defer func() { _ = wire.CloseInstance(tb.Context(), at) }()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	client := wire.NewListenerClient(at.Conn)
	request := &wire.ListenRequest{Handle: at.Handle, Most: wire.MaxHeard}
	const wait, slack = 500 * time.Millisecond, 10 * time.Second
	for {
		at.Call++
		request.Call, request.Wait = at.Call, durationpb.New(wait)
		start := time.Now()
		answer, err := client.Listen(ctx, request)
		took := time.Since(start)
		switch {
		case err != nil:
			tb.Fatalf("a call that waits for half a second ended with an error: %v", err)
		case len(answer.GetHeard()) > wire.MaxHeard:
			tb.Fatalf("it tells %d events, and was asked for %d at most", len(answer.GetHeard()), wire.MaxHeard)
		case took > slack:
			tb.Fatalf("a call that waits for half a second took %s", took.Round(time.Millisecond))
		}
		request.Turn = answer.GetTurn()
		if n := len(answer.GetHeard()); n > 0 { // left from other checks
			request.Cursor = answer.GetHeard()[n-1].GetNext()
			continue
		}
		if next := answer.GetNext(); len(next) > 0 {
			request.Cursor = next
		}
		if took < wait/2 {
			tb.Errorf("a call that may wait for half a second came back after %s with nothing; Belfry would ask all the time", took.Round(time.Millisecond))
		}
		return
	}
}

func (t *tester) receiverChecks(options conformance.Options) []conformance.Check {
	if silent := t.tells(); silent != nil {
		return silent
	}
	return people.Receiver(people.ReceiverOptions{Options: options, Medium: t.o.Kind, Genuine: requests(t.o.Scenario.Calls), Forged: requests(t.o.Scenario.ForgedCalls)})
}
