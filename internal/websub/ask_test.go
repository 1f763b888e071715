package websub

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/belfry-news/belfry/sdk"
)

// A hub is asked with a form; 307 and 308 are followed as they are meant, and nothing else is.
func TestAsk(t *testing.T) {
	t.Parallel()
	form := url.Values{"hub.mode": {"subscribe"}, "hub.secret": {"topsecret"}}
	near := sdk.Guard{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}
	for name, c := range map[string]struct {
		path  string
		guard sdk.Guard
		want  string // in the sentence; empty when it is taken
	}{
		"taken":              {"/taken", near, ""},
		"led on":             {"/308", near, ""},
		"led elsewhere":      {"/303", near, "answered 303"},
		"led in a circle":    {"/circle", near, "more than 3 times"},
		"refused":            {"/refused", near, `answered 400: "your callback is odd"`},
		"a page":             {"/page", near, "answered 500"},
		"a private network":  {"/taken", sdk.Guard{}, "is a loopback address"},
		"led into a network": {"/inside", near, "is a private address"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			mux := http.NewServeMux()
			mux.HandleFunc("/taken", func(w http.ResponseWriter, r *http.Request) {
				got = append(got, r.Method+" "+r.PostFormValue("hub.secret"))
				w.WriteHeader(http.StatusAccepted)
			})
			lead := func(path, to string, status int) {
				mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, status) })
			}
			lead("/308", "/taken", http.StatusPermanentRedirect)
			lead("/303", "/taken", http.StatusSeeOther)
			lead("/circle", "/circle", http.StatusTemporaryRedirect)
			lead("/inside", "http://10.0.0.1/", http.StatusTemporaryRedirect)
			mux.HandleFunc("/refused", func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "your callback\nis odd", http.StatusBadRequest)
			})
			mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusInternalServerError) })
			server := httptest.NewServer(mux)
			t.Cleanup(server.Close)
			err := asker("test")(t.Context(), server.URL+c.path, form, c.guard)
			switch {
			case c.want == "" && (err != nil || len(got) != 1 || got[0] != "POST topsecret"):
				t.Errorf("%v %q", err, got)
			case c.want != "" && (err == nil || !strings.Contains(sdk.AsError(err).Public, c.want) || len(got) > 0):
				t.Errorf("%v %q", err, got)
			}
			if err != nil && strings.Contains(err.Error(), "topsecret") {
				t.Errorf("the secret is told: %v", err)
			}
		})
	}
	if err := asker("test")(t.Context(), "http://hub.example/", form, sdk.Guard{}); err == nil || !strings.Contains(sdk.AsError(err).Public, "is no https address") {
		t.Errorf("a hub without encryption: %v", err)
	}
}
