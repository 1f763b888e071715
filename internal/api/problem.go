package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/internal/store"
	"github.com/belfry-news/belfry/sdk"
)

// Problem is why a request was not answered as it wished: problem JSON (RFC 9457).
type Problem struct {
	// Type is about:blank: Code tells problems apart.
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	// Detail is a sentence for people that says how to mend it.
	Detail string `json:"detail"`
	// Code is for programs; the list only grows.
	Code string `json:"code"`
	// Errors name every place in the body or the query that is wrong; absent when it is about the whole.
	Errors []FieldProblem `json:"errors,omitempty"`

	header http.Header
}

// FieldProblem is one place that is wrong.
type FieldProblem struct {
	// Pointer is a JSON Pointer (RFC 6901) into the body, or the name of a query parameter behind a question mark.
	Pointer string `json:"pointer"`
	Detail  string `json:"detail"`
}

// Error gives the sentence.
func (p *Problem) Error() string { return p.Detail }

func problemf(status int, code, format string, args ...any) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...), Code: code}
}

// with adds a header to the answer.
func (p *Problem) with(name, value string) *Problem {
	if p.header == nil {
		p.header = http.Header{}
	}
	p.header.Set(name, value)
	return p
}

// wait says after which time to come again.
func (p *Problem) wait(d time.Duration) *Problem {
	return p.with("Retry-After", strconv.Itoa(max(1, int((d+time.Second-1)/time.Second))))
}

func (p *Problem) answer(w http.ResponseWriter) {
	maps.Copy(w.Header(), p.header)
	writeJSON(w, p.Status, "application/problem+json", p)
}

// Answer answers a request with the problem.
func (p *Problem) Answer(w http.ResponseWriter) { p.answer(w) }

// Fail answers a request that is too large, or whose handler failed.
func Fail(w http.ResponseWriter, _ *http.Request, status int) {
	p := problemf(status, "internal", "Belfry made a mistake; its log says which")
	if status == http.StatusRequestEntityTooLarge {
		p = tooLarge()
	}
	p.answer(w)
}

func tooLarge() *Problem {
	return problemf(http.StatusRequestEntityTooLarge, "too_large", "the body has more than %d bytes; send less", maxBody)
}

func writeJSON(w http.ResponseWriter, status int, contentType string, v any) {
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) //nolint:errchkjson // whoever is gone does not read it
}

func deskError(err error) *desk.Error {
	e, _ := errors.AsType[*desk.Error](err)
	return e
}

// refusal makes an error a problem. What is Belfry's own trouble is logged, and not told to strangers.
func (h *handler) refusal(r *http.Request, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	if e := deskError(err); e != nil {
		status := map[desk.Kind]int{desk.Unusable: http.StatusUnprocessableEntity, desk.Unknown: http.StatusNotFound, desk.Missing: http.StatusNotFound,
			desk.Conflict: http.StatusConflict, desk.Upstream: http.StatusBadGateway}[e.Kind]
		return problemf(status, string(e.Kind), "%s", e.Error())
	}
	switch {
	case errors.Is(err, store.ErrFailed):
		h.Log.Error("an API request failed", "method", r.Method, "path", r.URL.Path, "err", err)
		return problemf(http.StatusServiceUnavailable, "store_failed", "%s", store.ErrFailed).wait(10 * time.Second)
	case errors.Is(err, store.ErrNoRoom):
		h.Log.Error("an API request failed", "method", r.Method, "path", r.URL.Path, "err", err)
		return problemf(http.StatusServiceUnavailable, "store_full", "%s", store.ErrNoRoom).wait(time.Minute)
	case errors.Is(err, context.DeadlineExceeded):
		return problemf(http.StatusGatewayTimeout, "timeout", "it took longer than %s; what was begun may still happen: look before you ask again", longest)
	}
	h.Log.Error("an API request failed", "method", r.Method, "path", r.URL.Path, "err", err)
	return problemf(http.StatusInternalServerError, "internal", "Belfry could not do this; its log says why")
}

// badInput makes the problems of a body or a query one problem.
func badInput(what string, list sdk.Problems) *Problem {
	p := problemf(http.StatusBadRequest, "invalid", "%s cannot be used: %s", what, list[0])
	for _, x := range list {
		p.Errors = append(p.Errors, FieldProblem{Pointer: x.Pointer, Detail: x.String()})
	}
	if n := len(list) - 1; n > 0 {
		p.Detail += fmt.Sprintf("; and %d more", n)
	}
	return p
}
