package http_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"
	"time"

	belfry "github.com/belfry-news/belfry/connectors/http"
	"github.com/belfry-news/belfry/connectors/http/receivertest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
	"github.com/belfry-news/belfry/sdk/sdktest/fault"
)

func failing(faults *fault.Script, f fault.Fault) func(testing.TB) func() {
	return func(testing.TB) func() {
		f.Every = 1
		faults.Add(f)
		return faults.Clear
	}
}

func suites(t *testing.T, o sdktest.PublisherOptions) {
	spec := belfry.Spec()
	for name, open := range map[string]sdktest.Opener{"direct": spec.Open, "loopback": sdktest.Loopback(t, spec)} {
		t.Run(name, func(t *testing.T) {
			o := o
			o.Open = open
			t.Run("Publisher", func(t *testing.T) { sdktest.Publisher(t, o) })
			t.Run("Editor", func(t *testing.T) { sdktest.Editor(t, o) })
			if o.To.Title == onePost {
				// The suite posts one post twice and deletes it once; here that is one post, and it is gone.
				o.Shows = nil
			}
			t.Run("Deleter", func(t *testing.T) { sdktest.Deleter(t, o) })
		})
	}
}

// onePost marks a receiver that knows posts by their identity, not by their publications.
const onePost = "one post"

func TestConformanceStandard(t *testing.T) {
	s := standard(t, receivertest.StandardOptions{})
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	find := func(id string) (receivertest.Post, bool) {
		for _, p := range s.State().Posts {
			if p.ID == id {
				return p, p.State == "live"
			}
		}
		return receivertest.Post{}, false
	}
	o := sdktest.PublisherOptions{
		Options: sdktest.Options{
			Config: tree{"url": web.URL + "/hooks/a-path-nobody-may-see", "secret": secret,
				"allow_private": []any{"127.0.0.1/32"}},
			Secrets: []string{secret, secret[6:], "a-path-nobody-may-see"},
			Break:   failing(&s.Faults, fault.Fault{Status: 502}),
			Stall:   failing(&s.Faults, fault.Fault{Before: time.Minute}),
		},
		To: sdk.ChannelRef{ID: web.Listener.Addr().String(), Title: onePost}, Forged: []sdk.ChannelRef{{ID: "777"},
			{ID: "anna@news.example"}},
		Shows: func(_ testing.TB, ref sdk.PartRef) (string, bool) {
			p, there := find(ref.IDs[0])
			return p.Text, there
		},
		Posts: func(testing.TB) int {
			n := 0
			for _, p := range s.State().Posts {
				n += p.Times
			}
			return n
		},
	}
	suites(t, o)
	if got := s.State(); got.Conflicts > 0 {
		t.Errorf("%d calls had a known id and another body", got.Conflicts)
	}
}

func TestConformanceCustom(t *testing.T) {
	product := receivertest.Mattermost(receivertest.Options{}, "hook-key", "a-bot-token")
	web := httptest.NewServer(product)
	t.Cleanup(web.Close)
	suites(t, sdktest.PublisherOptions{
		Options: sdktest.Options{
			Config: tree{"url": web.URL + "/api/v4/posts", "headers": tree{"Authorization": "Bearer a-bot-token"},
				"allow_private": []any{"127.0.0.1/32"},
				"body":          `{"channel_id": "desk", "message": {{json (or (quiet .Text) .Title)}} }`, "markup": "commonmark",
				"max_text": json.Number("16383"),
				"ref":      "/id", "update": tree{"url": web.URL + "/api/v4/posts/{{.Ref}}/patch", "method": "PUT",
					"body": `{"message": {{json .Sent.message}} }`},
				"delete": tree{"url": web.URL + "/api/v4/posts/{{.Ref}}"}},
			Secrets: []string{"a-bot-token"},
			Break:   failing(&product.Faults, fault.Fault{Status: 502}),
			Stall:   failing(&product.Faults, fault.Fault{Before: time.Minute}),
		},
		To: sdk.ChannelRef{ID: web.Listener.Addr().String()}, Forged: []sdk.ChannelRef{{ID: "777"}},
		Shows: func(_ testing.TB, ref sdk.PartRef) (string, bool) {
			for _, m := range product.Messages() {
				if m.ID == ref.IDs[0] {
					return m.Text, m.Deleted.IsZero()
				}
			}
			return "", false
		},
		Posts: func(testing.TB) int { return len(product.Messages()) },
	})
}
