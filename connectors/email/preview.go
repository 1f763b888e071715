package email

import (
	"bytes"
	"context"

	"github.com/belfry-news/belfry/sdk"
)

// previewID names the message of a preview, which is never sent: a token made of it is one of no message.
const previewID = "preview"

// PreviewMessage implements sdk.Previewer: the mail as a relay would get it, to a reader who does not exist.
func (c *Connector) PreviewMessage(_ context.Context, m sdk.MessageContent) ([]byte, error) {
	to, err := parseRecipient("reader@example.invalid")
	if err != nil {
		return nil, err
	}
	out, err := (&assembler{c: c}).assemble(previewID, m, to, nil, c.now())
	return bytes.Clone(out.data), err
}
