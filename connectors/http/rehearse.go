package http

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/belfry-news/belfry/sdk"
)

var _ sdk.Rehearser = (*Connector)(nil)

// Rehearse gives the answer that accept: and ref: ask for; an empty object when they ask for nothing.
func (c *Connector) Rehearse(_ *http.Request, _ []byte, n int) []byte {
	if c.config.Accept.text != "" {
		return []byte(c.config.Accept.text)
	}
	answer := map[string]any{}
	if c.config.Ref != "" {
		put(answer, c.config.Ref, fmt.Sprintf("rehearsed-%d", n))
	}
	for pointer, value := range c.config.Accept.values {
		put(answer, pointer, value)
	}
	return encode(answer)
}

// put sets the value at a JSON Pointer. The entries of a list are written as the members of an object, which a pointer
// reads the same.
func put(in map[string]any, pointer string, value any) {
	tokens := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, token := range tokens {
		token = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
		if i == len(tokens)-1 {
			in[token] = value
			return
		}
		sub, ok := in[token].(map[string]any)
		if !ok {
			sub = map[string]any{}
			in[token] = sub
		}
		in = sub
	}
}
