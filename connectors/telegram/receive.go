package telegram

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"

	"github.com/belfry-news/belfry/sdk"
)

// secretHeader is where Telegram puts the secret_token of setWebhook.
const secretHeader = "X-Telegram-Bot-Api-Secret-Token"

// ReceiveEvents reads one call of the webhook. It is genuine when it carries webhook_secret; another one is answered with
// 401 and gives nothing, and so is every one where no webhook is configured. Telegram repeats a call until it is answered
// with a 2xx, so the host sends the reply once the event is stored. The reply to a press of a button ends its spinner.
func (c *Connector) ReceiveEvents(_ context.Context, r sdk.WebhookRequest) (sdk.WebhookReply, []sdk.InboxEvent, error) {
	got := sha256.Sum256([]byte(http.Header(r.Header).Get(secretHeader)))
	want := sha256.Sum256([]byte(c.config.WebhookSecret.Reveal()))
	// The sums have one length, so that the time tells nothing about the secret's.
	same := subtle.ConstantTimeCompare(got[:], want[:]) == 1
	if c.config.Webhook == "" || c.config.WebhookSecret.Reveal() == "" || !same {
		return sdk.WebhookReply{Status: http.StatusUnauthorized}, nil, nil
	}
	if r.Method != http.MethodPost {
		return sdk.WebhookReply{Status: http.StatusMethodNotAllowed}, nil, nil
	}
	u, err := readUpdate(r.Body)
	if err != nil {
		c.log.Warn("an update of Telegram cannot be read and is left out", "update", u.ID, "error", err)
		if u.ID == 0 {
			return sdk.WebhookReply{Status: http.StatusBadRequest}, nil, nil
		}
	}
	reply := sdk.WebhookReply{Status: http.StatusOK}
	if u.Callback != nil && u.Callback.ID != "" {
		reply.Header = map[string][]string{"Content-Type": {"application/json"}}
		reply.Body = encode(map[string]string{"method": "answerCallbackQuery", "callback_query_id": u.Callback.ID})
	}
	event, ok := c.event(u, r.ReceivedAt)
	if !ok {
		return reply, nil, nil
	}
	return reply, []sdk.InboxEvent{event}, nil
}
