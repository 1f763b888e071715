package main

// REPLACE THIS FILE. Everything that is particular to one platform stands here: its limits, how it is called, what it
// answers, and what its refusals mean. The API below is an invented one, and package fake plays its part in the tests;
// replace that one too, from the platform's documentation and from answers that it really gave.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/belfry-news/belfry/sdk"
)

// What the platform takes.
const (
	maxText     = 500     // code points
	maxPictures = 4       // of one post
	maxPicture  = 1 << 20 // bytes
)

// request is what the platform is asked to show.
type request struct {
	Text     string    `json:"text"`
	Pictures []picture `json:"pictures,omitempty"`
	ReplyTo  string    `json:"reply_to,omitempty"`
}

// picture is a picture of a post. A plan has its digest only; the content is put in at the moment of the call.
type picture struct {
	SHA256 string `json:"sha256"`
	Type   string `json:"type"`
	Alt    string `json:"alt,omitempty"`
	Data   []byte `json:"data,omitempty"`
}

func (r request) encode() []byte {
	b, err := json.Marshal(r)
	if err != nil {
		panic("a request of texts cannot be written: " + err.Error())
	}
	return b
}

// decode reads the request of a planned part, and puts the content of its files in.
func decode(part sdk.Part) (request, error) {
	var r request
	if err := json.Unmarshal(part.Request, &r); err != nil || part.Kind != "post" {
		return request{}, sdk.Errorf(sdk.CodeInvalid, "publish", "the part was not planned by this connector")
	}
	for i := range r.Pictures {
		for _, f := range part.Files {
			if f.SHA256 == r.Pictures[i].SHA256 {
				r.Pictures[i].Data = f.Data
			}
		}
	}
	return r, nil
}

// board is a board of the platform, or what else has a name there.
type board struct {
	ID    string `json:"id"`
	Kind  string `json:"kind"`
	Title string `json:"title"`
	URL   string `json:"url"`
}

// posted is a post as the platform names it.
type posted struct {
	ID  string `json:"id"`
	URL string `json:"url"`
}

func (p posted) ref() sdk.PartRef { return sdk.PartRef{IDs: []string{p.ID}, URL: p.URL} }

// api calls the platform.
type api struct {
	base   *url.URL
	token  sdk.Secret
	client *sdk.Client
}

func (a *api) board(ctx context.Context, name string) (board, error) {
	var b board
	err := a.call(ctx, call{op: "resolve", method: http.MethodGet, path: []string{"boards", name}, reads: true}, &b)
	return b, err
}

func (a *api) post(ctx context.Context, board, key string, r request) (sdk.PartRef, error) {
	var p posted
	err := a.call(ctx, call{op: "publish", method: http.MethodPost, path: []string{"boards", board, "posts"}, key: key, body: r.encode()}, &p)
	if err != nil {
		return sdk.PartRef{}, err
	}
	return p.ref(), nil
}

func (a *api) edit(ctx context.Context, ref sdk.PartRef, r request) (sdk.PartRef, error) {
	var p posted
	id, err := idOf(ref, "edit")
	if err == nil {
		err = a.call(ctx, call{op: "edit", method: http.MethodPut, path: []string{"posts", id}, body: r.encode()}, &p)
	}
	if err != nil {
		return sdk.PartRef{}, err
	}
	return p.ref(), nil
}

func (a *api) remove(ctx context.Context, ref sdk.PartRef) error {
	id, err := idOf(ref, "delete")
	if err == nil {
		err = a.call(ctx, call{op: "delete", method: http.MethodDelete, path: []string{"posts", id}}, nil)
	}
	if errors.Is(err, &sdk.Error{Code: sdk.CodeGone}) {
		return nil
	}
	return err
}

func (a *api) find(ctx context.Context, board, key string) (sdk.PartRef, bool, error) {
	var found struct {
		Posts []posted `json:"posts"`
	}
	err := a.call(ctx, call{op: "find", method: http.MethodGet, path: []string{"boards", board, "posts"}, query: url.Values{"key": {key}}, reads: true}, &found)
	if err != nil || len(found.Posts) == 0 {
		return sdk.PartRef{}, false, err
	}
	return found.Posts[0].ref(), true, nil
}

func idOf(ref sdk.PartRef, op string) (string, error) {
	if len(ref.IDs) != 1 || ref.IDs[0] == "" {
		return "", sdk.Errorf(sdk.CodeInvalid, op, "the reference names no post")
	}
	return ref.IDs[0], nil
}

// call is one call of the API.
type call struct {
	op, method string
	path       []string
	query      url.Values
	// key lets the platform recognise the call when it is made again.
	key  string
	body []byte
	// reads says that nothing can have happened, whatever became of the call.
	reads bool
}

// call makes one call and reads its answer into out.
func (a *api) call(ctx context.Context, c call, out any) error {
	u := a.base
	for _, element := range c.path {
		u = u.JoinPath(url.PathEscape(element))
	}
	u.RawQuery = c.query.Encode()
	req, err := http.NewRequestWithContext(ctx, c.method, u.String(), bytes.NewReader(c.body))
	if err != nil {
		return sdk.Errorf(sdk.CodeInvalid, c.op, "no request can be made for %s", u.Host)
	}
	req.Header.Set("Authorization", "Bearer "+a.token.Reveal())
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.key != "" {
		req.Header.Set("Idempotency-Key", c.key)
	}
	// The client says by itself whether a request that had no answer may have had its effect: CodeUnavailable before the
	// first byte left, CodeUnknownOutcome afterwards.
	answer, err := a.client.Send(req, c.op)
	if err != nil {
		e := *sdk.AsError(err)
		if e.Code == sdk.CodeUnknownOutcome && c.reads {
			e.Code = sdk.CodeUnavailable
		}
		return &e
	}
	if answer.Status >= 300 {
		return refusal(answer, c.op, u.Host)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Body, out); err != nil {
		e := sdk.Errorf(sdk.CodeUnknownOutcome, c.op, "%s accepted the call, and its answer cannot be read", u.Host)
		if c.reads {
			e.Code = sdk.CodeUnavailable
		}
		return e
	}
	return nil
}

// refusal says what an answer that accepts nothing means. The code alone decides what Belfry does next; the sentence is
// what the admin reads. Neither a credential nor a whole address belongs in it.
func refusal(answer sdk.Answer, op, host string) error {
	e := &sdk.Error{Op: op}
	switch status := answer.Status; {
	case status == http.StatusUnauthorized:
		e.Code, e.Scope, e.Public = sdk.CodeUnauthenticated, sdk.ScopeAccount, host+" does not accept the token; put a valid one under token"
	case status == http.StatusForbidden:
		e.Code, e.Scope, e.Public = sdk.CodeForbidden, sdk.ScopeDestination, "the token may not post there; its owner has to be made a writer of the board"
	case status == http.StatusNotFound, status == http.StatusGone:
		e.Code, e.Public = sdk.CodeGone, "there is nothing of this name at "+host
	case status == http.StatusRequestEntityTooLarge:
		e.Code, e.Public = sdk.CodeTooLarge, host+" says that the post is too large"
	case status == http.StatusTooManyRequests:
		e.Code, e.Scope, e.Public = sdk.CodeRateLimited, sdk.ScopeDestination, host+" asks to be called less often"
		e.RetryAfter, _ = sdk.RetryAfter(answer.Header, answer.At)
	case status == http.StatusBadGateway, status == http.StatusGatewayTimeout:
		// What stands in front of the platform answered; the platform itself may have got the call.
		e.Code, e.Public = sdk.CodeUnknownOutcome, "what stands in front of "+host+" answered "+strconv.Itoa(status)+"; whether the post arrived is not known"
	case status >= 500:
		e.Code, e.Scope, e.Public = sdk.CodeUnavailable, sdk.ScopeDestination, host+" is out of order: it answered "+strconv.Itoa(status)
	default:
		e.Code, e.Public = sdk.CodeInvalid, host+" refuses the post with "+strconv.Itoa(status)
	}
	return e
}
