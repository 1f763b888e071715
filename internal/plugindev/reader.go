package plugindev

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// defaultReader is whom a plugin writes to that is told nobody else. The address can be nobody's (RFC 2606).
const defaultReader = "reader@example.invalid"

// fillIn is how long the reader takes to fill in the form: less than a second is taken for a program's.
const fillIn = 1200 * time.Millisecond

// reader is somebody made up who follows the channel as people do: by the form of its page, and by the button behind the link of
// the message that asks. The plugin is what brings both.
type reader struct {
	client *http.Client

	mu sync.Mutex
	// form is what the page asked, since then.
	form  url.Values
	since time.Time
	sent  bool
	// confirm is the address in the message that asks; follows is set once its button was pressed.
	confirm string
	follows bool
}

func newReader() *reader {
	return &reader{client: &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// asked notes the message that asks whether the reader wants to follow.
func (r *reader) asked(address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.confirm == "" {
		r.confirm = address
	}
}

// following reports whether the reader follows.
func (r *reader) following() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.follows
}

// again begins anew, for a store that knows nobody.
func (r *reader) again() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.form, r.sent, r.confirm = nil, false, ""
}

// step does what is to be done next, and nothing while there is something to wait for.
func (r *reader) step(ctx context.Context, site, medium, address string, now time.Time) error {
	r.mu.Lock()
	form, since, sent, confirm, follows := r.form, r.since, r.sent, r.confirm, r.follows
	r.mu.Unlock()
	path := site + "/follow/" + channelName
	switch {
	case follows:
		return nil
	case confirm != "":
		if !strings.HasPrefix(confirm, site+"/") {
			return fmt.Errorf("the message that asks whether the reader follows leads to %s, and not to this daemon", confirm)
		}
		if _, err := r.ask(ctx, confirm, url.Values{"act": {"confirm"}}); err != nil {
			return err
		}
		r.mu.Lock()
		r.follows = true
		r.mu.Unlock()
	case form == nil:
		page, err := r.ask(ctx, path+"?medium="+url.QueryEscape(medium), nil)
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.form, r.since = inputs(page), now
		r.mu.Unlock()
	case !sent && now.Sub(since) >= fillIn:
		form.Set("address", address)
		if _, err := r.ask(ctx, path, form); err != nil {
			return err
		}
		r.mu.Lock()
		r.sent = true
		r.mu.Unlock()
	}
	return nil
}

// ask asks the daemon for a page, with a form when there is one.
func (r *reader) ask(ctx context.Context, address string, form url.Values) (string, error) {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := r.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err == nil && resp.StatusCode >= http.StatusBadRequest {
		err = fmt.Errorf("the reader cannot follow: the page %s answers %s", req.URL.Path, resp.Status)
	}
	return string(text), err
}

// inputs reads the fields of the first form of a page as they stand there.
func inputs(page string) url.Values {
	out := url.Values{}
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return out
	}
	for form := range root.Descendants() {
		if form.DataAtom != atom.Form {
			continue
		}
		for n := range form.Descendants() {
			if n.DataAtom != atom.Input {
				continue
			}
			said := map[string]string{}
			for _, a := range n.Attr {
				said[a.Key] = a.Val
			}
			if _, checked := said["checked"]; checked || said["type"] != "radio" && said["type"] != "checkbox" {
				out.Add(said["name"], said["value"])
			}
		}
		break
	}
	return out
}

// close gives the connections back.
func (r *reader) close() { r.client.CloseIdleConnections() }
