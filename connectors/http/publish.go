package http

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// partState is what a PartRef carries besides the receiver's name for the post.
type partState struct {
	// Key of the last call about the post; the keys of the next ones are derived from it.
	Key string `json:"key"`
}

// within is the time in which a call about a post is possible: for ever unless the configuration says otherwise, and
// never without a form for it.
func within(call *Call) time.Duration {
	switch {
	case call == nil:
		return 0
	case call.Within == 0:
		return sdk.Forever
	}
	return call.Within.Std()
}

// act is one call.
type act struct {
	op          string
	url         string
	method      string
	contentType string
	body        []byte
	header      map[string]sdk.Secret
	key         string
	// again says that a repetition does no harm, so that a lost answer is merely a reason to repeat.
	again bool
	// about says that the call is about a post the receiver has: a 404 or 410 then means that post.
	about bool
	// missing is the text of a refusal for a post that is not there any more; empty when there is none.
	missing string
	// answered says that the body of the answer must be read whole.
	answered bool
}

// Publish sends the post. Every attempt carries part.Key where the receiver deduplicates.
//
// A lost answer, a 500, 502 or 504, and a 2xx with a web page or an error in it are CodeUnknownOutcome: with a receiver that
// deduplicates (Rules.SameKeyFor) the host may repeat the call, otherwise a person decides. A reference that is not this receiver's has CodeNotAChannel.
func (c *Connector) Publish(ctx context.Context, to sdk.ChannelRef, part sdk.Part) (sdk.PartRef, error) {
	if to.ID != c.host && !strings.HasPrefix(to.ID, c.host+" ") {
		e := sdk.Errorf(sdk.CodeNotAChannel, "publish", "%q does not name the receiver %s", to.ID, c.host)
		e.Scope = sdk.ScopeDestination
		return sdk.PartRef{}, e
	}
	id, a := part.Key, act{op: "publish", url: c.config.URL.raw, method: c.config.Method, contentType: part.Type,
		body: part.Request, header: c.config.Headers, key: part.Key, answered: c.config.Ref != "" || c.config.Accept.reads()}
	switch {
	case part.Key == "" && (c.config.deduplicates() || len(c.keys) > 0):
		return sdk.PartRef{}, sdk.Errorf(sdk.CodeInvalid, a.op,
			"the call has no key by which the receiver could know it again")
	case c.forms == nil:
		var ok bool
		if id, ok = plannedID(part.Request); !ok {
			return sdk.PartRef{}, sdk.Errorf(sdk.CodeInvalid, a.op, "the planned event cannot be read")
		}
	}
	answer, err := c.send(ctx, a)
	if err != nil {
		return sdk.PartRef{}, err
	}
	if c.config.Ref != "" {
		found, ok := pointed(answer.Body, c.config.Ref)
		if id, ok = reference(found, ok); !ok {
			return sdk.PartRef{}, sdk.Errorf(sdk.CodeUnknownOutcome, a.op,
				"%s answers %s, but without a name for the post at %s (ref:); whether it took the post is not known",
				c.host, status(answer.Status), c.config.Ref)
		}
	}
	if id == "" {
		id = part.Digest()
	}
	return sdk.PartRef{IDs: []string{id}, State: encode(partState{Key: part.Key})}, nil
}

// Edit sends post.updated, or the update call of a body of the admin's own; without one it errs with CodeUnsupported.
func (c *Connector) Edit(ctx context.Context, ref sdk.PartRef, part sdk.Part) (sdk.PartRef, error) {
	id, state, err := referred(ref, "update")
	if err != nil {
		return ref, err
	}
	key := part.Key
	if key == "" {
		key = derivedID("update", state.Key, part.Digest())
	}
	a := act{op: "update", key: key, again: true}
	if c.forms == nil {
		_, event, ok := postID(part.Request)
		if !ok {
			return ref, sdk.Errorf(sdk.CodeInvalid, a.op, "the planned event cannot be read")
		}
		event.Type = eventUpdated
		a.url, a.method, a.contentType, a.body, a.header = c.config.URL.raw, http.MethodPost, part.Type, encode(event),
			c.config.Headers
	} else {
		if c.forms.update == nil {
			return ref, sdk.Errorf(sdk.CodeUnsupported, a.op,
				"%s takes no corrections; if it can, add update: to the destination", c.host)
		}
		sent, err := c.forms.create.read(string(part.Request))
		if err != nil {
			return ref, templateError(a.op, "body", err)
		}
		if err := a.fill(c.forms.update, CallView{Ref: id, Sent: sent}, part.Request); err != nil {
			return ref, err
		}
	}
	if _, err := c.send(ctx, a); err != nil {
		return ref, err
	}
	ref.State = encode(partState{Key: key})
	return ref, nil
}

// Delete sends post.withdrawn, which names the post and says nothing of its content, or the delete call of a body of the
// admin's own; without one it errs with CodeUnsupported. A post that the receiver does not have any more is a success.
func (c *Connector) Delete(ctx context.Context, ref sdk.PartRef) error {
	id, state, err := referred(ref, "withdraw")
	if err != nil {
		return err
	}
	a := act{op: "withdraw", key: derivedID("withdraw", state.Key, id), again: true}
	if c.forms == nil {
		a.url, a.method, a.contentType, a.header = c.config.URL.raw, http.MethodPost, "application/json", c.config.Headers
		a.body = encode(envelope{Type: eventWithdrawn, Data: encode(map[string]string{"id": id})})
	} else {
		if c.forms.remove == nil {
			return sdk.Errorf(sdk.CodeUnsupported, a.op,
				"%s takes no withdrawals; if it can, add delete: to the destination", c.host)
		}
		if err := a.fill(c.forms.remove, CallView{Ref: id}, nil); err != nil {
			return err
		}
	}
	_, err = c.send(ctx, a)
	if e := sdk.AsError(err); e != nil && a.about && e.Code == sdk.CodeGone {
		return nil
	}
	return err
}

// fill makes a call about a post from its form. Without a template of its own the body is otherwise.
func (a *act) fill(form *callForm, view CallView, otherwise []byte) error {
	u, err := form.address(view.Ref)
	if err != nil {
		return templateError(a.op, form.body.name+": url", err)
	}
	a.url, a.method, a.header, a.about = u.String(), form.method, form.header, true
	a.missing = form.missing
	a.body = otherwise
	if form.body.template != nil {
		text, err := form.body.give(view)
		if err != nil {
			return templateError(a.op, form.body.name+": body", err)
		}
		a.body = []byte(text)
	}
	if len(a.body) > 0 {
		a.contentType = form.body.contentType
	}
	return nil
}

// referred reads a reference that Publish made.
func referred(ref sdk.PartRef, op string) (string, partState, error) {
	var state partState
	if json.Unmarshal(ref.State, &state) != nil || len(ref.IDs) != 1 || ref.IDs[0] == "" {
		return "", state, sdk.Errorf(sdk.CodeInvalid, op, "the record of this post was not made by this destination")
	}
	return ref.IDs[0], state, nil
}

// send makes one call and judges its answer.
func (c *Connector) send(ctx context.Context, a act) (sdk.Answer, error) {
	req, err := http.NewRequestWithContext(ctx, a.method, a.url, bytes.NewReader(a.body))
	if err != nil {
		// The cause would repeat the address.
		return sdk.Answer{}, sdk.Errorf(sdk.CodeInvalid, a.op, "the address of %s cannot be used", c.host)
	}
	if a.contentType != "" {
		req.Header.Set("Content-Type", a.contentType)
	}
	req.Header.Set("Accept", "*/*")
	for name, value := range a.header {
		req.Header.Set(name, value.Reveal())
	}
	if b := c.config.Basic; b != nil {
		req.Header.Set("Authorization", "Basic "+basicCredential(b))
	}
	id := callID(a.key)
	if c.config.deduplicates() {
		// net/http repeats a request with this header by itself when a kept connection turns out to be dead. Other
		// requests it repeats only when nothing of them had left.
		req.Header.Set("Idempotency-Key", id)
	}
	if len(c.keys) > 0 {
		timestamp, signature := sign(c.keys, id, time.Now(), a.body)
		req.Header.Set("webhook-id", id)
		req.Header.Set("webhook-timestamp", timestamp)
		req.Header.Set("webhook-signature", signature)
	}
	answer, err := c.client.Send(req, a.op)
	if err != nil && (answer.Status == 0 || (success(answer.Status) && a.answered)) {
		return answer, a.settle(sdk.AsError(err))
	}
	// A refusal needs no body, even when it was cut off.
	if !success(answer.Status) {
		return answer, a.settle(c.judge(a, answer))
	}
	return answer, a.settle(c.accepted(a, answer, err == nil))
}

// settle takes the doubt out of a failure where a repetition does no harm.
func (a *act) settle(e *sdk.Error) error {
	if e == nil {
		return nil
	}
	if e.Code == sdk.CodeUnknownOutcome && a.again {
		again := *e
		again.Code, again.Scope = sdk.CodeUnavailable, sdk.ScopeDestination
		return &again
	}
	return e
}

func basicCredential(b *Basic) string {
	return base64.StdEncoding.EncodeToString([]byte(b.User + ":" + b.Password.Reveal()))
}
