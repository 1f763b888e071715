package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/belfry-news/belfry/internal/scaffold/project/connector/fake"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

const token = "a-token-that-nobody-guesses"

// platform starts a platform, and gives the configuration of a connector that posts there.
func platform(t testing.TB) (*fake.Platform, map[string]any) {
	t.Helper()
	p := &fake.Platform{Token: token}
	server := httptest.NewServer(p)
	t.Cleanup(server.Close)
	return p, map[string]any{"url": server.URL + "/api", "token": token, "allow_private": []any{"127.0.0.0/8"}}
}

// TestConformance runs Belfry's own suites, on the connector itself and on the connector behind the wire, as in Belfry.
func TestConformance(t *testing.T) {
	spec := Spec()
	for name, open := range map[string]sdktest.Opener{"direct": spec.Open, "over the wire": sdktest.Loopback(t, spec)} {
		t.Run(name, func(t *testing.T) {
			p, config := platform(t)
			failing := func(f fault.Fault) func(testing.TB) func() {
				return func(testing.TB) func() {
					f.Every = 1
					p.Faults.Add(f)
					return p.Faults.Clear
				}
			}
			common := sdktest.Options{Open: open, Config: config, Secrets: []string{token},
				Break: failing(fault.Fault{Status: http.StatusServiceUnavailable}), Stall: failing(fault.Fault{Before: time.Minute})}
			o := sdktest.PublisherOptions{
				Options: common, Channel: "#news",
				Forged: []sdk.ChannelRef{{ID: "p1"}, {ID: "anna"}},
				Shows: func(_ testing.TB, ref sdk.PartRef) (string, bool) {
					for _, post := range p.Posts() {
						if post.ID == ref.IDs[0] && !post.Deleted {
							return post.Text, true
						}
					}
					return "", false
				},
				Posts: func(testing.TB) int { return len(p.Posts()) },
			}
			t.Run("Resolver", func(t *testing.T) {
				sdktest.Resolver(t, sdktest.ResolverOptions{Options: common, Channels: []string{"#news", "#sport"}, NotChannels: []string{"#anna", "anna"}, Missing: []string{"#nobody", "#"}})
			})
			t.Run("Publisher", func(t *testing.T) { sdktest.Publisher(t, o) })
			t.Run("Editor", func(t *testing.T) { sdktest.Editor(t, o) })
			t.Run("Deleter", func(t *testing.T) { sdktest.Deleter(t, o) })
			t.Run("Finder", func(t *testing.T) { sdktest.Finder(t, o) })
		})
	}
}

// openBoard opens a connector, and finds its board.
func openBoard(t testing.TB, config map[string]any) (sdk.Publisher, sdk.ChannelRef) {
	t.Helper()
	conn, err := Spec().Open(t.Context(), sdk.Settings{}, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	resolver, ok := sdk.As[sdk.Resolver](conn)
	if !ok {
		t.Fatal("it resolves no names")
	}
	board, _, err := resolver.ResolveChannel(t.Context(), "#news")
	if err != nil {
		t.Fatal(err)
	}
	publisher, ok := sdk.As[sdk.Publisher](conn)
	if !ok {
		t.Fatal("it is no publisher")
	}
	return publisher, board
}

func post(text string) sdk.Post {
	return sdk.Post{ID: "1", Revision: 1, Title: "Fire at the station", Body: sdk.Body{sdk.Paragraph(sdk.Text(text))}}
}

// TestLongTexts says what becomes of a text that is too long for one post.
func TestLongTexts(t *testing.T) {
	_, config := platform(t)
	publisher, board := openBoard(t, config)
	long := post(strings.Repeat("A sentence of some length. ", 60))
	thread, err := publisher.Plan(board, long)
	if err != nil || len(thread) < 3 || thread[0].Thread || !thread[1].Thread {
		t.Errorf("a thread: %d parts, %v", len(thread), err)
	}
	long.Overflow = sdk.OverflowCut
	cut, err := publisher.Plan(board, long)
	if err != nil || len(cut) != 1 || !strings.Contains(cut[0].Text, "…") {
		t.Errorf("a cut: %+v, %v", cut, err)
	}
}

// TestErrors says what each refusal becomes: by the code alone Belfry decides whether to try again, to ask, or to stop.
func TestErrors(t *testing.T) {
	for name, tc := range map[string]struct {
		fault fault.Fault
		code  sdk.Code
		after time.Duration
	}{
		"a wrong token":                    {fault.Fault{Status: http.StatusUnauthorized}, sdk.CodeUnauthenticated, 0},
		"no right":                         {fault.Fault{Status: http.StatusForbidden}, sdk.CodeForbidden, 0},
		"the board is gone":                {fault.Fault{Status: http.StatusGone}, sdk.CodeGone, 0},
		"too large":                        {fault.Fault{Status: http.StatusRequestEntityTooLarge}, sdk.CodeTooLarge, 0},
		"too often":                        {fault.Fault{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"30"}}}, sdk.CodeRateLimited, 30 * time.Second},
		"out of order":                     {fault.Fault{Status: http.StatusServiceUnavailable}, sdk.CodeUnavailable, 0},
		"a gateway that gave up":           {fault.Fault{Status: http.StatusGatewayTimeout}, sdk.CodeUnknownOutcome, 0},
		"no answer, and it arrived":        {fault.Fault{Drop: true, Accepted: true}, sdk.CodeUnknownOutcome, 0},
		"no answer, and it did not arrive": {fault.Fault{Drop: true}, sdk.CodeUnknownOutcome, 0},
		"half an answer":                   {fault.Fault{Half: true}, sdk.CodeUnknownOutcome, 0},
		"an answer that makes no sense":    {fault.Fault{Status: http.StatusCreated, Body: "<html>"}, sdk.CodeUnknownOutcome, 0},
	} {
		t.Run(name, func(t *testing.T) {
			p, config := platform(t)
			publisher, board := openBoard(t, config)
			parts, err := publisher.Plan(board, post("Trains do not run."))
			if err != nil {
				t.Fatal(err)
			}
			parts[0].Key = "key-of-" + name
			p.Faults.Add(tc.fault)
			_, err = publisher.Publish(t.Context(), board, parts[0])
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

// TestLostAnswer says that what arrived without an answer is found by its key, and is not posted twice.
func TestLostAnswer(t *testing.T) {
	p, config := platform(t)
	publisher, board := openBoard(t, config)
	parts, err := publisher.Plan(board, post("Trains do not run."))
	if err != nil {
		t.Fatal(err)
	}
	parts[0].Key = "one-key"
	p.Faults.Add(fault.Fault{Drop: true, Accepted: true})
	if _, err := publisher.Publish(t.Context(), board, parts[0]); err == nil {
		t.Fatal("an answer that was lost is no success")
	}
	finder, _ := sdk.As[sdk.Finder](publisher)
	ref, found, err := finder.Find(t.Context(), board, "one-key")
	if err != nil || !found || len(p.Posts()) != 1 || ref.IDs[0] != p.Posts()[0].ID {
		t.Errorf("found %t: %v, %v; the platform has %d posts", found, ref, err, len(p.Posts()))
	}
}

func TestConfiguration(t *testing.T) {
	for name, tc := range map[string]struct {
		config map[string]any
		want   string
	}{
		"no address":        {map[string]any{"token": "x"}, `/url: "url" is missing`},
		"no token":          {map[string]any{"url": "https://boards.example/api"}, `/token: "token" is missing`},
		"an odd address":    {map[string]any{"url": "ftp://boards.example", "token": "x"}, "/url: "},
		"a private address": {map[string]any{"url": "http://10.0.3.7/api", "token": "x"}, "10.0.3.7 is a private address"},
		"a misspelt key":    {map[string]any{"url": "https://boards.example/api", "token": "x", "picturs": true}, `did you mean "pictures"?`},
	} {
		t.Run(name, func(t *testing.T) {
			err := Spec().Check(tc.config)
			if ps := (sdk.Problems{}); !errors.As(err, &ps) || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %s", err, tc.want)
			}
		})
	}
}
