package hook

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/belfry-news/belfry/internal/intake"
	"github.com/belfry-news/belfry/internal/websub"
	"github.com/belfry-news/belfry/sdk"
)

// Hubs are the subscriptions of feeds at their hubs.
type Hubs interface {
	// Question answers what a hub asks at a callback.
	Question(ctx context.Context, token string, q url.Values) (sdk.WebhookReply, error)
	// Find gives the subscription of a callback, or websub.ErrUnknown.
	Find(ctx context.Context, token string) (websub.Subscription, error)
	// Delivered notes that a hub told something that was kept.
	Delivered(ctx context.Context, s websub.Subscription) error
}

const (
	// mostContent is the largest content that a hub may tell, as large as a feed that is fetched, and contentPerSecond how often.
	mostContent      = 10 << 20
	contentPerSecond = 20
)

// Hub takes what the hub of a feed asks and tells at its callback, whose path ends with {token}. What carries no signature of
// the hub is answered as if it were taken, and ignored, so that nobody learns by trying (WebSub, section 8).
func (d *Door) Hub(w http.ResponseWriter, r *http.Request) {
	token := r.PathValue("token")
	if r.Method == http.MethodGet {
		reply, err := d.s.Hubs.Question(r.Context(), token, r.URL.Query())
		if err != nil {
			d.s.Log.Error("a hub's question cannot be answered", "err", err)
			Later(w, "store_unavailable", "this cannot be answered at the moment; ask again")
			return
		}
		Reply(w, reply)
		return
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		Refuse(w, http.StatusMethodNotAllowed, "method_not_allowed", "hubs ask here with GET and tell with POST")
		return
	}
	sub, err := d.s.Hubs.Find(r.Context(), token)
	switch {
	case errors.Is(err, websub.ErrUnknown):
		Refuse(w, http.StatusNotFound, "not_found", "there is no such subscription")
		return
	case err != nil:
		d.s.Log.Error("a subscription cannot be read", "err", err)
		Later(w, "store_unavailable", "nothing can be taken at the moment; send this again")
		return
	case sub.State == websub.Leaving:
		Refuse(w, http.StatusGone, "gone", "nothing is taken here any more; end this subscription")
		return
	}
	a := d.answer(w)
	w = a
	defer a.done(sub.Source)
	src := Source{MaxBody: mostContent, PerSecond: contentPerSecond}
	body, ok := Body(w, r, src.MaxBody, ", or let Belfry's admin raise max_call of this source")
	if !ok {
		return
	}
	const signature = "X-Hub-Signature"
	taken := sdk.WebhookReply{Status: http.StatusAccepted}
	if sub.State != websub.Active || !sub.Genuine(r.Header.Values(signature), body) {
		d.s.Log.Warn("what came as if from a hub was ignored", "source", sub.Source, "state", string(sub.State), "bytes", len(body))
		a.outcome = "ignored"
		Reply(w, taken)
		return
	}
	call := sdk.WebhookRequest{Method: r.Method, Path: websub.Path, Header: r.Header, Body: body, ReceivedAt: time.Now().UTC()}
	if !d.keep(a, r, src, intake.Call{Source: sub.Source, Topic: sub.Topic, Request: call}, sdk.Verdict{Reply: taken, Forget: []string{signature}}) {
		return
	}
	if err := d.s.Hubs.Delivered(context.WithoutCancel(r.Context()), sub); err != nil {
		d.s.Log.Error("it cannot be noted that a hub told something", "source", sub.Source, "err", err)
	}
}
