package sdk

import (
	"context"
	"net/http"
)

// Rehearser plays the platform's part towards its own connector, so that people see exactly what would be sent without
// anything being sent. It is for connectors inside the host only; the host shows what Plan gives of the others.
type Rehearser interface {
	Connector
	// Rehearse gives the body of the answer with which the platform would accept a request that this connector made. The
	// request's own body is given beside it. n counts the requests of the rehearsal from 1, for names that must differ.
	Rehearse(r *http.Request, body []byte, n int) (answer []byte)
}

// Exchange makes one HTTP exchange in place of the network.
type Exchange func(*http.Request) (*http.Response, error)

type exchangeKey struct{}

// WithExchange lets do make every exchange of a Client under the context, in place of the network. It is for rehearsals
// and tests; nothing is dialled, so the Guard has nothing to judge.
func WithExchange(ctx context.Context, do Exchange) context.Context {
	return context.WithValue(ctx, exchangeKey{}, do)
}

// exchange gives what makes the exchanges under a context; nil for the network.
func exchange(ctx context.Context) Exchange {
	do, _ := ctx.Value(exchangeKey{}).(Exchange)
	return do
}
