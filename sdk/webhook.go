package sdk

import (
	"encoding/json"
	"net/http"
	"time"
)

// WebhookRequest is one call by a platform or a publishing system, as it came.
type WebhookRequest struct {
	Method, Path, Query string
	Header              map[string][]string
	Body                []byte
	ReceivedAt          time.Time
}

// WebhookReply is what to answer.
type WebhookReply struct {
	Status int
	Header map[string][]string
	Body   []byte
}

// Verdict is what a WebhookReceiver thinks of a request.
type Verdict struct {
	Reply WebhookReply
	// Accept says that the request is genuine and is to be kept and mapped.
	Accept bool
	// DeliveryID names the delivery, the same for the sender's retries; empty when the sender gives none.
	DeliveryID string
	// Forget names headers that hold a credential: they are not kept with the request. Authorization and Cookie never are.
	Forget []string
}

// WebhookProblem is a reply that refuses a request with a problem document (RFC 9457). The code is for programs and stays;
// detail is a sentence for the sender's developer: what is wrong, and what would be right.
func WebhookProblem(status int, code, detail string) WebhookReply {
	text, err := json.Marshal(struct {
		Type   string `json:"type"`
		Title  string `json:"title"`
		Status int    `json:"status"`
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}{"about:blank", http.StatusText(status), status, code, detail})
	if err != nil {
		text = nil // texts and a number can always be written
	}
	return WebhookReply{Status: status, Header: map[string][]string{"Content-Type": {"application/problem+json"}}, Body: append(text, '\n')}
}
