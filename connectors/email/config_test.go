package email

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
)

func TestConfig(t *testing.T) {
	t.Parallel()
	base := func(more map[string]any) map[string]any {
		tree := map[string]any{"relay": "smtps://mx.news.example", "sender": "La Gazette <brief@news.example>"}
		for k, v := range more {
			if v == nil {
				delete(tree, k)
			} else {
				tree[k] = v
			}
		}
		return tree
	}
	dkim := func(more map[string]any) map[string]any {
		k := map[string]any{"domain": "news.example", "selector": "a", "key": pkcs8(t, edKey())}
		maps.Copy(k, more)
		return base(map[string]any{"dkim": []any{k}})
	}
	bounce := map[string]any{"bounce": "bounce@news.example", "bounce_secrets": []any{"0123456789abcdef"}}
	with := func(inbox map[string]any) map[string]any {
		tree := base(bounce)
		tree["bounces"] = inbox
		return tree
	}
	for name, tc := range map[string]struct {
		tree map[string]any
		want []string // "pointer: beginning of what is wrong"; none for a good one
	}{
		"the least":                     {base(nil), nil},
		"STARTTLS":                      {base(map[string]any{"relay": "smtp://u:p%40@mx.news.example:2587"}), nil},
		"settings":                      {base(map[string]any{"relay": map[string]any{"url": "smtps://mx.news.example", "rate": "14/s"}}), nil},
		"several":                       {base(map[string]any{"relay": []any{"smtps://a.example", map[string]any{"url": "smtp://b.example", "connections": json.Number("2")}}}), nil},
		"plain on loopback":             {base(map[string]any{"relay": "smtp://127.0.0.1:25", "tls": "none"}), nil},
		"RSA":                           {dkim(map[string]any{"key": pkcs8(t, rsaKey())}), nil},
		"Ed25519":                       {dkim(nil), nil},
		"signed by the organisation":    {dkim(map[string]any{"domain": "mail.news.example"}), nil},
		"a webhook alone":               {base(map[string]any{"bounces": map[string]any{"webhook": map[string]any{"provider": "ses", "topic": "arn:aws:sns:eu-west-3:123456789012:b"}}}), nil},
		"a webhook beside a folder":     {with(map[string]any{"maildir": "/b", "webhook": map[string]any{"provider": "postmark", "user": "u", "secret": "0123456789abcdef"}}), nil},
		"a trusted server":              {with(map[string]any{"maildir": "/b", "authserv_id": "mx.news.example"}), nil},
		"another provider":              {with(map[string]any{"webhook": map[string]any{"provider": "x"}}), []string{`/bounces/webhook/provider: "x" is not`}},
		"no provider":                   {with(map[string]any{"webhook": map[string]any{}}), []string{`/bounces/webhook/provider: "provider" is missing`}},
		"a webhook without a secret":    {with(map[string]any{"webhook": map[string]any{"provider": "mailgun"}}), []string{"/bounces/webhook: without a secret anybody could forge a bounce"}},
		"a webhook with a short secret": {with(map[string]any{"webhook": map[string]any{"provider": "brevo", "user": "u", "secret": "short"}}), []string{"/bounces/webhook/secret: this secret has less than 16"}},
		"a webhook without a user":      {with(map[string]any{"webhook": map[string]any{"provider": "brevo", "secret": "0123456789abcdef"}}), []string{"/bounces/webhook: brevo calls with a user"}},
		"a user for nothing":            {with(map[string]any{"webhook": map[string]any{"provider": "mailgun", "user": "u", "secret": "0123456789abcdef"}}), []string{"/bounces/webhook/user: mailgun proves"}},
		"no topic":                      {with(map[string]any{"webhook": map[string]any{"provider": "ses"}}), []string{`/bounces/webhook: "" is no ARN`}},
		"a secret for Amazon":           {with(map[string]any{"webhook": map[string]any{"provider": "ses", "secret": "x", "topic": "arn:aws:sns:eu-west-3:123456789012:b"}}), []string{"/bounces/webhook/secret: Amazon SNS signs"}},
		"a topic for others":            {with(map[string]any{"webhook": map[string]any{"provider": "mailgun", "secret": "x", "topic": "t"}}), []string{"/bounces/webhook/topic: topics are Amazon's"}},
		"a key that is none":            {with(map[string]any{"webhook": map[string]any{"provider": "sendgrid", "secret": "x"}}), []string{"/bounces/webhook/secret: this is no verification key"}},
		"a trusted server, no mails":    {with(map[string]any{"authserv_id": "mx", "webhook": map[string]any{"provider": "mailgun", "secret": "x"}}), []string{"/bounces/authserv_id: it is about mails"}},
		"a trusted server in words":     {with(map[string]any{"maildir": "/b", "authserv_id": "mx 1;"}), []string{`/bounces/authserv_id: "mx 1;" is no name`}},
		"maildir":                       {with(map[string]any{"maildir": "/var/mail/b"}), nil},
		"imap":                          {with(map[string]any{"imap": "imaps://mx.news.example/Bounces", "user": "u", "password": "p"}), nil},
		"a name with a comma":           {base(map[string]any{"sender": "Gazette, La <brief@news.example>"}), nil},
		"a domain outside ASCII":        {base(map[string]any{"sender": "La Gazette <brief@gazette-é.example>"}), nil},
		"no relay":                      {base(map[string]any{"relay": nil}), []string{`/relay: "relay" is missing`}},
		"no sender":                     {base(map[string]any{"sender": nil}), []string{`/sender: "sender" is missing`}},
		"another scheme":                {base(map[string]any{"relay": "https://mx.news.example"}), []string{"/relay: a relay's address begins with smtps://"}},
		"no scheme":                     {base(map[string]any{"relay": "mx.news.example:465"}), []string{"/relay: "}},
		"a path":                        {base(map[string]any{"relay": "smtps://mx.news.example/x"}), []string{"/relay: a relay's address has nothing behind"}},
		"a raw sign in the password":    {base(map[string]any{"relay": "smtp://u:p%@mx.news.example"}), []string{"/relay: this is no address of a relay"}},
		"a port too high":               {base(map[string]any{"relay": "smtp://mx.news.example:70000"}), []string{"/relay: 70000 is no port"}},
		"an empty list":                 {base(map[string]any{"relay": []any{}}), []string{"/relay: the list has no relay"}},
		"one of two is wrong":           {base(map[string]any{"relay": []any{"smtps://a.example", "ftp://b.example"}}), []string{"/relay/1/url: a relay's address begins"}},
		"an unknown key":                {base(map[string]any{"relay": []any{map[string]any{"url": "smtps://a.example", "rates": "1/s"}}}), []string{`/relay/0/rates: unknown key "rates"`}},
		"a rate without a time":         {base(map[string]any{"relay": map[string]any{"url": "smtps://a.example", "rate": "14"}}), []string{`/relay/rate: "14" is no rate`}},
		"plain elsewhere":               {base(map[string]any{"relay": "smtp://mx.news.example", "tls": "none"}), []string{"/tls: without TLS everybody"}},
		"smtps and none":                {base(map[string]any{"relay": "smtps://localhost", "tls": "none"}), []string{"/relay: smtps speaks TLS from its first byte"}},
		"a private relay":               {base(map[string]any{"relay": "smtps://10.0.3.7"}), []string{"/relay: 10.0.3.7 is a private address"}},
		"a user and no password":        {base(map[string]any{"username": "u"}), []string{"/relay: there is a user for mx.news.example and no password"}},
		"a password and no user":        {base(map[string]any{"password": "u"}), []string{"/relay: there is a password for mx.news.example and no user"}},
		"a password with a line end":    {base(map[string]any{"username": "u", "password": "p\n"}), []string{"/relay: the user or the password holds a line end"}},
		"the user twice":                {base(map[string]any{"relay": map[string]any{"url": "smtps://u:p@a.example", "username": "u"}}), []string{"/relay/url: the user is given twice"}},
		"auth without a user":           {base(map[string]any{"auth": "plain"}), []string{"/auth: auth says how a user is told"}},
		"no address":                    {base(map[string]any{"sender": "La Gazette"}), []string{"/sender: this is no mail address"}},
		"two addresses":                 {base(map[string]any{"sender": "a@b.example, c@d.example"}), []string{"/sender: "}},
		"a forged header":               {base(map[string]any{"sender": "x\r\nBcc: a@b.example <c@d.example>"}), []string{"/sender: it holds a line end"}},
		"a sender without a domain":     {base(map[string]any{"sender": "brief@localhost"}), []string{"/sender: the address cannot be written to"}},
		"a wrong reply_to":              {base(map[string]any{"reply_to": "nobody"}), []string{"/reply_to: this is no mail address"}},
		"a wrong id domain":             {base(map[string]any{"message_id_domain": "x"}), []string{`/message_id_domain: "x" is no domain`}},
		"a short feedback id":           {base(map[string]any{"feedback_id": "abc"}), []string{"/feedback_id: a sender's name in Gmail"}},
		"no PEM":                        {dkim(map[string]any{"key": "secret"}), []string{"/dkim/0/key: this is no private key in PEM"}},
		"the public half":               {dkim(map[string]any{"key": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"}), []string{"/dkim/0/key: this is the public half"}},
		"a damaged key":                 {dkim(map[string]any{"key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}), []string{"/dkim/0/key: the key is damaged"}},
		"another's key":                 {dkim(map[string]any{"domain": "other.example"}), []string{"/dkim: no key signs for news.example"}},
		"a wrong selector":              {dkim(map[string]any{"selector": "a b"}), []string{`/dkim/0/selector: "a b" is no selector`}},
		"a bounce without a secret":     {base(map[string]any{"bounce": "bounce@news.example"}), []string{"/bounce: without a secret anybody could forge"}},
		"secrets without a bounce":      {base(map[string]any{"bounce_secrets": []any{"0123456789abcdef"}}), []string{"/bounce_secrets: the secrets are for a bounce address"}},
		"a short secret":                {base(map[string]any{"bounce": "news.example", "bounce_secrets": []any{"abc"}}), []string{"/bounce_secrets/0: this secret has less than 16"}},
		"a long bounce name":            {base(map[string]any{"bounce": "retours-de-courrier@news.example", "bounce_secrets": []any{"0123456789abcdef"}}), []string{"/bounce: \"retours-de-courrier\" leaves no room"}},
		"a bounce address with a tag":   {base(map[string]any{"bounce": "a+b@news.example", "bounce_secrets": []any{"0123456789abcdef"}}), []string{"/bounce: this is no address that a token can be added to"}},
		"two inboxes":                   {with(map[string]any{"maildir": "/x", "lmtp": "127.0.0.1:24"}), []string{"/bounces: 2 places are given"}},
		"no inbox":                      {with(map[string]any{}), []string{"/bounces: no place is given"}},
		"LMTP for the world":            {with(map[string]any{"lmtp": "0.0.0.0:24"}), []string{"/bounces/lmtp: LMTP has no password"}},
		"LMTP without a port":           {with(map[string]any{"lmtp": "localhost"}), []string{`/bounces/lmtp: "localhost" is no address to listen on`}},
		"IMAP without a user":           {with(map[string]any{"imap": "imaps://mx.news.example"}), []string{"/bounces/imap: a mailbox needs a user"}},
		"a private mailbox":             {with(map[string]any{"imap": "imaps://10.0.3.7", "user": "u", "password": "p"}), []string{"/bounces/imap: 10.0.3.7 is a private address"}},
		"no IMAP":                       {with(map[string]any{"imap": "https://mx.news.example"}), []string{"/bounces/imap: this is no address of an IMAP server"}},
		"an inbox without a bounce":     {base(map[string]any{"bounces": map[string]any{"maildir": "/x"}}), []string{"/bounces: what comes back cannot be told"}},
		"no certificate":                {base(map[string]any{"ca": "x"}), []string{"/ca: this holds no certificate"}},
		"too fast":                      {base(map[string]any{"timeout": "10ms"}), []string{"/timeout: no relay answers as fast"}},
		"no connections":                {base(map[string]any{"connections": json.Number("0")}), []string{"/connections: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := Spec().Check(tc.tree)
			ps, ok := errors.AsType[sdk.Problems](err)
			if err != nil && !ok {
				t.Fatal(err)
			}
			var got []string
			for i, p := range ps {
				line := p.Pointer + ": " + p.What
				if i < len(tc.want) && strings.HasPrefix(line, tc.want[i]) {
					line = tc.want[i]
				}
				got = append(got, line)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConfigShowsNoSecret(t *testing.T) {
	t.Parallel()
	tree := map[string]any{"relay": []any{"smtp://user:hunter2@mx.news.example", map[string]any{"url": "smtps://b.example", "username": "u", "password": "hunter3"}},
		"sender": "a@news.example", "bounce": "news.example", "bounce_secrets": []any{"hunter4hunter4hunter4"}}
	shown, err := Spec().Masked(tree)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(shown)
	if err != nil {
		t.Fatal(err)
	}
	c := defaults()
	if err := sdk.Decode(tree, &c); err != nil {
		t.Fatal(err)
	}
	all := string(text) + fmt.Sprintf("%v %+v %#v", c, c, c)
	if strings.Contains(all, "hunter") {
		t.Errorf("a secret shows: %s", all)
	}
	if !strings.Contains(string(text), "smtp://[…]@mx.news.example") {
		t.Errorf("%s", text)
	}
	if _, err := json.Marshal(Spec().Schema()); err != nil {
		t.Error(err)
	}
}

func TestParseRecipient(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a@b.example": "a@b.example", "A.b+c@B.Example": "A.b+c@b.example", "zoé@b.example": "zoé@b.example utf8", "a@gazette-é.example": "a@xn--gazette--i1a.example",
		"a b@c.example": `"a b"@c.example`, `"a b"@c.example`: `"a b"@c.example`, "a..b@c.example": `"a..b"@c.example`,
		"": "", "a": "", "@b.example": "", "a@": "", "a@b": "", "a@b.example\r\nRCPT TO:<x@y>": "", "a\x00@b.example": "", "a@b.example>": "", "<a@b.example>": "",
		"a@b..example": "", "a@-b.example": "", strings.Repeat("a", 65) + "@b.example": "", "a@" + strings.Repeat("b", 64) + ".example": "", "a@[127.0.0.1]": "",
		"\xff@b.example": "", `"a"b"@c.example`: "", "a@b.example ": "", "é..b@c.example": "",
	} {
		got, err := parseRecipient(in)
		text := got.path
		if got.utf8 {
			text += " utf8"
		}
		if err != nil {
			text = ""
			if codeOf(err) != "invalid person" || len(in) > 3 && strings.Contains(err.Error(), in) {
				t.Errorf("%q: %v", in, err)
			}
		}
		if text != want {
			t.Errorf("%q: %q %v, want %q", in, text, err, want)
		}
	}
}
