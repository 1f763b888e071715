package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/scaffold/project/source/fake"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

const token = "a-token-that-nobody-guesses"

// newsroom starts a newsroom with some articles, and gives the configuration of a source that reads it.
func newsroom(t testing.TB) (*fake.Newsroom, map[string]any) {
	t.Helper()
	n := &fake.Newsroom{Token: token}
	at := time.Date(2026, 3, 29, 5, 0, 0, 0, time.UTC)
	for i, title := range []string{"Fire at the station", "Storm tonight", "Trains run again", "Market day", "Cup final"} {
		id := "a" + strconv.Itoa(i+1)
		n.Publish(fake.Article{ID: id, Title: title, Summary: "In a sentence.", Text: []string{"One.", "Two."}, URL: "https://news.example/" + id,
			Tags: []string{"city"}, Published: at, Changed: at})
	}
	server := httptest.NewServer(n)
	t.Cleanup(server.Close)
	return n, map[string]any{"url": server.URL + "/api", "token": token, "allow_private": []any{"127.0.0.0/8"}}
}

// TestConformance runs Belfry's own suite, on the source itself and on the source behind the wire, as in Belfry.
func TestConformance(t *testing.T) {
	spec := Spec()
	for name, open := range map[string]sdktest.Opener{"direct": spec.Open, "over the wire": sdktest.Loopback(t, spec)} {
		t.Run(name, func(t *testing.T) {
			n, config := newsroom(t)
			changes := 0
			failing := func(f fault.Fault) func(testing.TB) func() {
				return func(testing.TB) func() {
					f.Every = 1
					n.Faults.Add(f)
					return n.Faults.Clear
				}
			}
			sdktest.Source(t, sdktest.SourceOptions{
				Options: sdktest.Options{Open: open, Config: config, Secrets: []string{token},
					Break: failing(fault.Fault{Status: http.StatusBadGateway}), Stall: failing(fault.Fault{Before: time.Minute})},
				Change: func(testing.TB) {
					changes++
					n.Publish(fake.Article{ID: "a1", Title: "Fire at the station, update " + strconv.Itoa(changes), Changed: time.Now().UTC()})
				},
				Withdraw: func(testing.TB) { n.Withdraw("a2") },
			})
		})
	}
}

// fetch makes one fetch of a source of its own.
func fetch(t testing.TB, config map[string]any, cursor sdk.Cursor) (sdk.Batch, error) {
	t.Helper()
	conn, err := Spec().Open(t.Context(), sdk.Settings{}, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	source, ok := sdk.As[sdk.Source](conn)
	if !ok {
		t.Fatal("it is no source")
	}
	return source.Fetch(t.Context(), sdk.FetchRequest{Cursor: cursor, Now: time.Now()})
}

func TestItems(t *testing.T) {
	n, config := newsroom(t)
	first, err := fetch(t, config, nil)
	if err != nil || len(first.Items) != 3 || !first.More {
		t.Fatalf("the first page: %+v, %v", first, err)
	}
	if fire := first.Items[0]; fire.Key != "a1" || fire.Title != "Fire at the station" || fire.URL != "https://news.example/a1" || len(fire.Body) != 2 {
		t.Errorf("%+v", fire)
	}
	second, err := fetch(t, config, first.Next)
	if err != nil || len(second.Items) != 2 || second.More {
		t.Fatalf("the second page: %+v, %v", second, err)
	}
	if again, err := fetch(t, config, second.Next); err != nil || !again.Unchanged {
		t.Errorf("nothing changed, and the source says %+v, %v", again, err)
	}
	n.Withdraw("a2")
	n.Publish(fake.Article{ID: "a9"}) // without a title
	last, err := fetch(t, config, second.Next)
	if err != nil || len(last.Removed) != 1 || last.Removed[0].Key != "a2" {
		t.Errorf("the withdrawal: %+v, %v", last, err)
	}
	if len(last.Notices) != 1 || !strings.Contains(last.Notices[0], "no title") {
		t.Errorf("an article that cannot be read must be told of: %v", last.Notices)
	}
}

// TestErrors says what each refusal becomes: by the code alone Belfry decides whether to try again, to wait or to stop.
func TestErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		fault fault.Fault
		code  sdk.Code
		after time.Duration
	}{
		"a wrong token":        {fault.Fault{Status: http.StatusUnauthorized}, sdk.CodeUnauthenticated, 0},
		"no right":             {fault.Fault{Status: http.StatusForbidden}, sdk.CodeForbidden, 0},
		"no such address":      {fault.Fault{Status: http.StatusNotFound}, sdk.CodeInvalid, 0},
		"too often":            {fault.Fault{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"30"}}}, sdk.CodeRateLimited, 30 * time.Second},
		"out of order":         {fault.Fault{Status: http.StatusServiceUnavailable}, sdk.CodeUnavailable, 0},
		"no answer":            {fault.Fault{Drop: true}, sdk.CodeUnavailable, 0},
		"half an answer":       {fault.Fault{Half: true}, sdk.CodeUnavailable, 0},
		"something else":       {fault.Fault{Status: http.StatusOK, Body: "<html>"}, sdk.CodeUnavailable, 0},
		"a redirect elsewhere": {fault.Fault{Status: http.StatusFound, Header: http.Header{"Location": {"https://elsewhere.example/"}}}, sdk.CodeInvalid, 0},
	} {
		t.Run(name, func(t *testing.T) {
			n, config := newsroom(t)
			n.Faults.Add(tc.fault)
			_, err := fetch(t, config, nil)
			var e *sdk.Error
			if !errors.As(err, &e) || e.Code != tc.code || e.RetryAfter != tc.after || e.Public == "" {
				t.Errorf("got %+v, want the code %s and a wait of %s", e, tc.code, tc.after)
			}
			if strings.Contains(err.Error(), token) {
				t.Errorf("the token stands in the error: %v", err)
			}
		})
	}
}

func TestConfiguration(t *testing.T) {
	for name, tc := range map[string]struct {
		config map[string]any
		want   string
	}{
		"no address":        {map[string]any{"token": "x"}, `/url: "url" is missing`},
		"no token":          {map[string]any{"url": "https://cms.example/api"}, `/token: "token" is missing`},
		"an odd address":    {map[string]any{"url": "ftp://cms.example", "token": "x"}, "/url: "},
		"a private address": {map[string]any{"url": "http://10.0.3.7/api", "token": "x"}, "10.0.3.7 is a private address"},
		"a misspelt key":    {map[string]any{"url": "https://cms.example/api", "token": "x", "secton": "sport"}, `did you mean "section"?`},
	} {
		t.Run(name, func(t *testing.T) {
			err := Spec().Check(tc.config)
			if ps := (sdk.Problems{}); !errors.As(err, &ps) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}
