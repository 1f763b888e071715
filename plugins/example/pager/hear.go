package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// hears are the kinds of events that the service tells of. Belfry shows them to whoever trusts the plugin, and drops any other.
func hears() []sdk.EventKind {
	return []sdk.EventKind{sdk.EventMessage, sdk.EventButton, sdk.EventStop, sdk.EventReopen}
}

// The abilities of hearing, checked by the compiler. One of them is enough for a platform that has no more.
var (
	_ sdk.Listener = (*pager)(nil)
	_ sdk.Receiver = (*pager)(nil)
)

// pollTime is how long the service lets a request for what people wrote wait.
const pollTime = 20 * time.Second

// inbound is what somebody did with their pager, as the service tells it.
type inbound struct {
	// Number is where it stands in the inbox; ID is its own name, whichever way it comes.
	Number int64  `json:"number"`
	ID     string `json:"id"`
	Kind   string `json:"kind"` // "wrote", "chose", "blocked" or "unblocked"
	From   string `json:"from"`
	Text   string `json:"text"`
	Choice string `json:"choice"`
	At     moment `json:"at"`
}

// moment is a time. One that cannot be read is none, and Belfry takes the moment in which it is told: nobody's STOP is lost for it.
type moment struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (m *moment) UnmarshalJSON(b []byte) error {
	if m.Time.UnmarshalJSON(b) != nil {
		m.Time = time.Time{}
	}
	return nil
}

// event is what it means to Belfry; false for what means nothing. The medium is Medium, whatever stands here: Belfry sets it.
func (i inbound) event() (sdk.InboxEvent, bool) {
	e := sdk.InboxEvent{ID: i.ID, From: sdk.Handle{Medium: Medium, Value: i.From}, At: i.At.UTC()}
	switch i.Kind {
	case "wrote":
		e.Kind, e.Text, e.ReplyTo = sdk.EventMessage, i.Text, i.ID
	case "chose":
		e.Kind, e.Data = sdk.EventButton, i.Choice
	case "blocked":
		e.Kind = sdk.EventStop
	case "unblocked":
		e.Kind = sdk.EventReopen
	default:
		return e, false
	}
	return e, i.ID != "" && i.From != ""
}

// Listen implements sdk.Listener. The cursor is the number of the last one that Belfry has stored; one that is none begins anew, and
// Belfry drops what it has stored already by its ID.
func (p *pager) Listen(ctx context.Context, from sdk.Cursor) (sdk.Events, error) {
	after, err := strconv.ParseInt(string(from), 10, 64)
	if err != nil || after < 0 {
		after = 0
	}
	e := &events{p: p, after: after}
	e.open, e.end = context.WithCancel(context.WithoutCancel(ctx))
	return e, nil
}

// events are those of one Listen.
type events struct {
	p     *pager
	after int64
	list  []inbound
	asked time.Time
	open  context.Context
	end   context.CancelFunc
}

// restless is how soon the service may be asked again that told of nothing: it should have waited.
const restless = time.Second

// Close implements sdk.Events. It ends a Next that waits.
func (e *events) Close() error {
	e.end()
	return nil
}

// Next implements sdk.Events. The service forgets what stands before the number it is asked from, so it is only asked for more once
// everything was given and, since Next was called again, stored.
func (e *events) Next(ctx context.Context) (sdk.InboxEvent, sdk.Cursor, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.open, cancel)()
	for {
		for len(e.list) > 0 {
			in := e.list[0]
			e.list = e.list[1:]
			e.after = in.Number
			if event, ok := in.event(); ok {
				return event, sdk.Cursor(strconv.FormatInt(e.after, 10)), nil
			}
		}
		if ctx.Err() != nil {
			return sdk.InboxEvent{}, nil, sdk.Errorf(sdk.CodeUnavailable, "listen", "listening was ended")
		}
		if err := e.ask(ctx); err != nil {
			return sdk.InboxEvent{}, nil, err
		}
		if len(e.list) == 0 {
			e.rest(ctx)
		}
	}
}

// rest waits until the service may be asked again, or until ctx ends.
func (e *events) rest(ctx context.Context) {
	over := time.NewTimer(restless - time.Since(e.asked))
	defer over.Stop()
	select {
	case <-over.C:
	case <-ctx.Done():
	}
}

// ask asks the service for what people did, and waits for it.
func (e *events) ask(ctx context.Context) error {
	e.asked = time.Now()
	address := fmt.Sprintf("%s/inbox?after=%d&wait=%d", strings.TrimSuffix(e.p.config.API, "/"), e.after, int(pollTime.Seconds()))
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return sdk.Errorf(sdk.CodeInvalid, "listen", "the address of the service is none")
	}
	req.Header.Set("Authorization", "Bearer "+e.p.config.Token.Reveal())
	answer, err := e.p.client.Send(req, "listen")
	if err != nil {
		// Asking changes nothing, so nothing of it can be unknown.
		failed := *sdk.AsError(err)
		failed.Code, failed.Scope = sdk.CodeUnavailable, sdk.ScopeAccount
		return &failed
	}
	if answer.Status != http.StatusOK {
		_, err := accepted(answer)
		failed := *sdk.AsError(err)
		if failed.Scope != sdk.ScopeAccount {
			failed.Code, failed.Scope, failed.Public = sdk.CodeUnavailable, sdk.ScopeAccount, fmt.Sprintf("the service does not tell what people write (%d)", answer.Status)
		}
		return &failed
	}
	if e.list, err = inboxOf(answer.Body); err != nil {
		return &sdk.Error{Code: sdk.CodeUnavailable, Scope: sdk.ScopeAccount, Op: "listen", Public: "what the service tells cannot be read", Err: err}
	}
	return nil
}

// inboxOf reads what the service tells, one by one: an odd one must not keep those behind it from being heard. It is passed over by its
// number, and one without a number by that of the next; where none has a number nothing could go on.
func inboxOf(body []byte) (list []inbound, err error) {
	var inbox struct {
		Inbox []json.RawMessage `json:"inbox"`
	}
	if err := json.Unmarshal(body, &inbox); err != nil {
		return nil, err
	}
	for _, b := range inbox.Inbox {
		var numbered struct {
			Number int64 `json:"number"`
		}
		if json.Unmarshal(b, &numbered) != nil || numbered.Number <= 0 {
			continue
		}
		var in inbound
		if json.Unmarshal(b, &in) != nil {
			in = inbound{Number: numbered.Number} // which means nothing
		}
		list = append(list, in)
	}
	if len(list) == 0 && len(inbox.Inbox) > 0 {
		return nil, errors.New("nothing of it has a number")
	}
	return list, nil
}

// signatureHeader has the signature of a call of the service: the HMAC-SHA256 of its body under the secret, in hexadecimal digits.
const signatureHeader = "Pager-Signature"

// ReceiveEvents implements sdk.Receiver: the service calls /hooks/NAME with one thing that somebody did. Nothing is read before the
// signature of the very bytes was compared, and Belfry answers once what is given here is stored.
func (p *pager) ReceiveEvents(_ context.Context, r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
	secret := p.config.WebhookSecret.Reveal()
	if secret == "" {
		return sdk.WebhookProblem(http.StatusNotFound, "not_called", "no webhook_secret is configured, so no call is taken"), nil, nil
	}
	sum := hmac.New(sha256.New, []byte(secret))
	sum.Write(r.Body)
	got, err := hex.DecodeString(http.Header(r.Header).Get(signatureHeader))
	if err != nil || !hmac.Equal(got, sum.Sum(nil)) {
		return sdk.WebhookProblem(http.StatusUnauthorized, "signature_wrong", "sign the body with the secret, and put the signature into "+signatureHeader), nil, nil
	}
	var in inbound
	if r.Method != http.MethodPost || json.Unmarshal(r.Body, &in) != nil {
		return sdk.WebhookProblem(http.StatusBadRequest, "unreadable", "the call is not what the service sends"), nil, nil
	}
	taken := sdk.WebhookReply{Status: http.StatusNoContent}
	event, ok := in.event()
	if !ok {
		return taken, nil, nil
	}
	return taken, []sdk.InboxEvent{event}, nil
}
