package websub

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/belfry-news/belfry/sdk"
)

const (
	askTimeout = 10 * time.Second
	// hops is how many redirections of a hub are followed (307 and 308, WebSub section 5.1).
	hops = 3
)

// asker asks hubs over HTTP, each request through the guard.
func asker(userAgent string) func(ctx context.Context, hub string, form url.Values, guard sdk.Guard) error {
	return func(ctx context.Context, hub string, form url.Values, guard sdk.Guard) error {
		client := sdk.NewClient(sdk.ClientConfig{AllowPrivate: guard.Allow, UserAgent: userAgent, Timeout: askTimeout, MaxBody: 4 << 10})
		defer client.CloseIdle() // a hub is asked about once in a week
		at := hub
		for range hops + 1 {
			u, err := guard.CheckURL(at)
			if err != nil {
				return err
			}
			if u.Scheme != "https" && len(guard.Allow) == 0 {
				return sdk.Errorf(sdk.CodeForbidden, "subscribe", "the hub %s is no https address, and the secret with which it signs would be told to everybody on the way", u.Host)
			}
			u.Fragment = ""
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(form.Encode()))
			if err != nil {
				return sdk.Errorf(sdk.CodeInvalid, "subscribe", "the hub %s cannot be asked", u.Host)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			a, err := client.Send(req, "subscribe")
			switch {
			case err != nil:
				return err
			case a.Status/100 == 2:
				return nil
			case a.Status != http.StatusTemporaryRedirect && a.Status != http.StatusPermanentRedirect:
				return sdk.Errorf(sdk.CodeUnavailable, "subscribe", "the hub %s answered %d%s", u.Host, a.Status, said(a.Body))
			}
			to, err := u.Parse(a.Header.Get("Location"))
			if err != nil {
				return sdk.Errorf(sdk.CodeInvalid, "subscribe", "the hub %s leads to no address", u.Host)
			}
			at = to.String()
		}
		return sdk.Errorf(sdk.CodeInvalid, "subscribe", "the hub %s leads on more than %d times", host(hub), hops)
	}
}

// said is what a hub says of its refusal, in short.
func said(body []byte) string {
	text := strings.Join(strings.Fields(strings.ToValidUTF8(string(body), "")), " ")
	if text == "" || strings.HasPrefix(text, "<") {
		return ""
	}
	if r := []rune(text); len(r) > 120 {
		text = string(r[:120]) + "…"
	}
	return fmt.Sprintf(": %q", text)
}
