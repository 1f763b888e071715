package email

import (
	"strings"
	"testing"

	"github.com/belfry-news/belfry/sdk"
)

// TestWhoWrote: what a sender says of themselves is a claim, unless the trusted mail server proves it; and an answer to the
// address that one message had proves who got that message.
func TestWhoWrote(t *testing.T) {
	t.Parallel()
	c := offline(t, map[string]any{"bounces": map[string]any{"maildir": "/nowhere", "authserv_id": "mx.news.example"}})
	token, err := c.tokens.mint("1-abcdefgh-2", forAnswer, c.now())
	if err != nil {
		t.Fatal(err)
	}
	bounce := tokenFor(t, c, "1-abcdefgh-2")
	const from = "From: zoe@reader.example\r\n"
	results := func(text string) string { return "Authentication-Results: " + text + "\r\n" }
	for name, tc := range map[string]struct {
		header           string
		claimed, answers bool
	}{
		"nothing":                        {from, true, false},
		"DMARC":                          {results("mx.news.example; dmarc=pass header.from=reader.example") + from, false, false},
		"DMARC of another domain":        {results("mx.news.example; dmarc=pass header.from=evil.example") + from, true, false},
		"DMARC failed":                   {results("mx.news.example; dmarc=fail header.from=reader.example") + from, true, false},
		"DKIM":                           {results("mx.news.example; dkim=pass header.d=mail.reader.example") + from, false, false},
		"DKIM of another":                {results("mx.news.example; dkim=pass header.d=evil.example") + from, true, false},
		"SPF":                            {results("MX.news.example 1; spf=pass smtp.mailfrom=bounce@reader.example") + from, false, false},
		"SPF of another":                 {results("mx.news.example; spf=pass smtp.mailfrom=x@evil.example") + from, true, false},
		"another server says so":         {results("mx.evil.example; dmarc=pass header.from=reader.example") + from, true, false},
		"the sender added it below":      {results("mx.news.example; dmarc=fail header.from=reader.example") + results("mx.news.example; dmarc=pass header.from=reader.example") + from, true, false},
		"two senders":                    {results("mx.news.example; dmarc=pass header.from=reader.example") + from + "From: b@reader.example\r\n", true, false},
		"it cannot be read":              {results("mx.news.example; dmarc=") + from, true, false},
		"the address of one message":     {"To: " + c.tokens.envelope(token) + "\r\n" + from, true, true},
		"that address, as a mail server": {"Delivered-To: " + strings.ToUpper(c.tokens.envelope(token)) + "\r\n" + from, true, true},
		"forged":                         {"To: " + c.tokens.envelope("x"+token[1:]) + "\r\n" + from, true, false},
		"a bounce's address":             {"To: " + bounce + "\r\n" + from, true, false},
	} {
		e, ok := c.event(received{raw: []byte(tc.header + "Subject: x\r\n\r\nSTOP\r\n")})
		if !ok || e.Kind != sdk.EventMessage || e.Claimed != tc.claimed || e.Answers == "1-abcdefgh-2" != tc.answers {
			t.Errorf("%s: %t %+v", name, ok, e)
		}
	}
	// The mail asks for answers at that address; one with an address for all does not.
	head := func(c *Connector) string {
		text, _, _ := strings.Cut(string(build(t, c, message(t, "d1", common(), slots("Zoé"))).data), "\r\n\r\n")
		return strings.ReplaceAll(text, "\r\n ", " ")
	}
	_, to, _ := strings.Cut(head(c), "\r\nReply-To: ")
	to, _, _ = strings.Cut(to, "\r\n")
	if id, ok := c.tokens.of(strings.TrimSuffix(to[strings.Index(to, "<")+1:], ">"), forAnswer, c.now()); !ok || id != "d1" || !strings.Contains(to, "La Gazette") {
		t.Errorf("it is answered at %q", to)
	}
	if h := head(offline(t, map[string]any{"reply_to": "desk@news.example", "bounces": map[string]any{"maildir": "/nowhere"}})); !strings.Contains(h, "Reply-To: <desk@news.example>") || strings.Count(h, "Reply-To:") != 1 {
		t.Errorf("%s", h)
	}
}
