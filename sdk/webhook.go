package sdk

import "time"

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
}
