package main

// REPLACE THIS FILE. Everything that is particular to one system stands here: how it is asked, what it answers, and what
// its refusals mean. The API below is an invented one, and package fake plays its part in the tests; replace that one too,
// from the documentation of your system and from answers that it really gave.

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

// article is one article as the API gives it.
type article struct {
	ID        string    `json:"id"`
	Title     string    `json:"title"`
	Summary   string    `json:"summary"`
	Text      []string  `json:"text"` // one string a paragraph
	URL       string    `json:"url"`
	Tags      []string  `json:"tags"`
	Published time.Time `json:"published"`
	Changed   time.Time `json:"changed"`
	Withdrawn bool      `json:"withdrawn"`
}

// item is the article as Belfry knows it. The key is the API's own stable identifier: the same key with another content is
// a revision, and what was posted of it is corrected.
func (a article) item() (sdk.Item, error) {
	if a.Title == "" {
		return sdk.Item{}, errors.New("it has no title")
	}
	item := sdk.Item{Key: a.ID, Title: a.Title, Summary: a.Summary, URL: a.URL, Tags: a.Tags, Published: a.Published, Updated: a.Changed}
	for _, paragraph := range a.Text {
		item.Body = append(item.Body, sdk.Paragraph(sdk.Text(paragraph)))
	}
	// A text in HTML would become a body by render.FromHTML (package sdk/render): Belfry takes no raw HTML.
	return item, item.Body.Validate()
}

// page is what changed, the oldest change first.
type page struct {
	Articles []article `json:"articles"`
	// Last is the number of the last change of the page, or the one asked for when nothing changed.
	Last int64 `json:"last"`
	// More says that the next page has something at once.
	More bool `json:"more"`
}

// api asks the newsroom's API.
type api struct {
	base   *url.URL
	token  sdk.Secret
	client *sdk.Client
}

// changes asks for the changes after a number.
func (a *api) changes(ctx context.Context, after int64, section string) (page, error) {
	u := a.base.JoinPath("changes")
	q := url.Values{"after": {strconv.FormatInt(after, 10)}}
	if section != "" {
		q.Set("section", section)
	}
	u.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return page{}, sdk.Errorf(sdk.CodeInvalid, "fetch", "no request can be made for %s", u.Host)
	}
	req.Header.Set("Authorization", "Bearer "+a.token.Reveal())
	answer, err := a.client.Send(req, "fetch")
	if err != nil {
		return page{}, unread(err)
	}
	if answer.Status != http.StatusOK {
		return page{}, refusal(answer, u.Host)
	}
	var p page
	if err := json.Unmarshal(answer.Body, &p); err != nil {
		return page{}, sdk.Errorf(sdk.CodeUnavailable, "fetch", "%s answered something that is no list of changes: %w", u.Host, err)
	}
	return p, nil
}

// unread is the error of an exchange that only read: whatever became of it, nothing happened there, and it may be repeated.
func unread(err error) error {
	e := *sdk.AsError(err)
	if e.Code == sdk.CodeUnknownOutcome {
		e.Code = sdk.CodeUnavailable
	}
	return &e
}

// refusal says what an answer other than 200 means. The code alone decides what Belfry does next; the sentence is what the
// admin reads. Neither a credential nor a whole address belongs in it.
func refusal(answer sdk.Answer, host string) error {
	e := &sdk.Error{Op: "fetch", Scope: sdk.ScopeAccount}
	switch status := answer.Status; {
	case status == http.StatusUnauthorized:
		e.Code, e.Public = sdk.CodeUnauthenticated, host+" does not accept the token; put a valid one under token"
	case status == http.StatusForbidden:
		e.Code, e.Public = sdk.CodeForbidden, "the token may not read articles at "+host+"; give it the right to"
	case status == http.StatusNotFound:
		e.Code, e.Public = sdk.CodeInvalid, host+" has no API at this address; check url"
	case status == http.StatusTooManyRequests:
		e.Code, e.Public = sdk.CodeRateLimited, host+" asks to be called less often"
		e.RetryAfter, _ = sdk.RetryAfter(answer.Header, answer.At)
	case status >= 500:
		e.Code, e.Public = sdk.CodeUnavailable, host+" is out of order: it answered "+strconv.Itoa(status)
	default:
		e.Code, e.Public = sdk.CodeInvalid, host+" refuses the request with "+strconv.Itoa(status)
	}
	return e
}
