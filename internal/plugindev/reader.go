package plugindev

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/belfry-news/belfry/internal/visitor"
)

// defaultReader is whom a plugin writes to that is told nobody else. The address can be nobody's (RFC 2606).
const defaultReader = "reader@example.invalid"

// fillIn is how long the reader takes to fill in the form: less than a second is taken for a program's.
const fillIn = 1200 * time.Millisecond

// reader is somebody made up who follows the channel as people do: by the form of its page, and by the button behind the link of
// the message that asks. The plugin is what brings both.
type reader struct {
	visitor *visitor.Visitor

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
	return &reader{visitor: visitor.New(10 * time.Second)}
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

// step does what is to be done next, and nothing while there is something to wait for at this moment.
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
		asked, err := visitor.Fields(page)
		if err != nil {
			return fmt.Errorf("the reader cannot follow: %w", err)
		}
		r.mu.Lock()
		r.form, r.since = asked, time.Now() // the page says when it was made, and that may be just now
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
	status, page, err := r.visitor.Ask(ctx, address, form)
	if err == nil && status >= http.StatusBadRequest {
		err = fmt.Errorf("the reader cannot follow: the daemon's page answers %d %s", status, http.StatusText(status))
	}
	return page, err
}

// close gives the connections back.
func (r *reader) close() { r.visitor.Close() }
