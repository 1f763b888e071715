package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/belfry-news/belfry/internal/desk"
	"github.com/belfry-news/belfry/plugins/webhook/signature"
	"github.com/belfry-news/belfry/sdk"
)

type webhookCmd struct {
	Verify webhookVerifyCmd `cmd:"" help:"Say whether a webhook is genuine, as the daemon would."`
}

type webhookVerifyCmd struct {
	Scheme     string       `required:"" placeholder:"SCHEME" help:"How its sender signs: ${schemes}."`
	SecretFile string       `required:"" placeholder:"FILE" help:"The secrets, one on each line."`
	Headers    string       `required:"" placeholder:"FILE" help:"The headers: a JSON object whose values are texts, or lists of texts."`
	Body       string       `required:"" placeholder:"FILE" help:"The body, byte for byte, or - for standard input."`
	Now        *int64       `placeholder:"SECONDS" help:"The moment to judge by, in seconds since 1970; the present one without it."`
	Tolerance  sdk.Duration `default:"5m" placeholder:"TIME" help:"How far the sender's clock may be away."`
	Method     string       `default:"POST" placeholder:"METHOD" help:"The method, for schemes that sign it."`
	Path       string       `default:"/" placeholder:"PATH" help:"The path of the address, for schemes that sign it."`
}

// Help is the long help.
func (*webhookVerifyCmd) Help() string {
	return `Nothing is stored, asked or sent, and no configuration is needed. --set sets what the scheme hmac needs to know: header, prefix,
algorithm, encoding, signed, timestamp_header, timestamp_unit and id_header, as under a source of type webhook.

Examples:

    belfry webhook verify --scheme github --secret-file secret --headers headers.json --body body.json
    belfry webhook verify --scheme hmac --set header=X-Sig --set signed='{timestamp}.{body}' --set timestamp_header=X-Time \
        --secret-file secret --headers headers.json --body body.json --now 1767225600

With --json always one object: {scheme, accepted, reason, detail, id, secret, timestamp}. reason is "" for what is accepted, and
else signature_missing, signature_malformed, signature_wrong, timestamp_stale or timestamp_ahead, with the sentence in detail. id
names the delivery and may be ""; secret is the line of the secret that fits, from 1, and else 0; timestamp is when the sender
says that it signed, in RFC 3339, or null.

Exit codes: 0 accepted, 2 refused, 1 a file, a secret or a setting cannot be used.`
}

type webhookVerifyJSON struct {
	Scheme    string     `json:"scheme"`
	Accepted  bool       `json:"accepted"`
	Reason    string     `json:"reason"`
	Detail    string     `json:"detail"`
	ID        string     `json:"id"`
	Secret    int        `json:"secret"`
	Timestamp desk.Stamp `json:"timestamp"`
}

// maxHeaders is the largest file of headers or secrets, in bytes.
const maxHeaders = 1 << 20

// Run judges a webhook.
func (c *webhookVerifyCmd) Run(g *global, std streams) error {
	v, lines, err := c.verifier(g, std)
	if err != nil {
		return &exitError{exitFailed, err}
	}
	r, err := c.request(std)
	if err != nil {
		return &exitError{exitFailed, err}
	}
	now := time.Now()
	if c.Now != nil {
		now = time.Unix(*c.Now, 0)
	}
	a, err := v.Verify(r, now)
	out := webhookVerifyJSON{Scheme: c.Scheme, Accepted: err == nil}
	if refused, ok := signature.IsRefused(err); ok {
		out.Reason, out.Detail = string(refused.Reason), refused.Detail
	} else if err == nil {
		out.ID, out.Secret, out.Timestamp = a.ID, lines[a.Secret], desk.Stamp{Time: a.At}
	}
	if g.JSON {
		if err := writeLine(std.out, out); err != nil {
			return err
		}
	} else {
		c.print(out, a, std)
	}
	if err != nil {
		return &exitError{code: exitUsage}
	}
	return nil
}

func (c *webhookVerifyCmd) print(out webhookVerifyJSON, a signature.Accepted, std streams) {
	if !out.Accepted {
		fmt.Fprintf(std.out, "refused (%s): %s\n", out.Reason, desk.Plain(out.Detail))
		return
	}
	fmt.Fprintf(std.out, "accepted: the secret on line %d fits\n", out.Secret)
	if out.ID != "" {
		fmt.Fprintf(std.out, "  delivery %s\n", desk.Plain(out.ID))
	}
	if !a.At.IsZero() {
		fmt.Fprintf(std.out, "  signed %s\n", a.At.Format("2006-01-02 15:04:05 MST"))
	}
	if a.Legacy {
		fmt.Fprintln(std.out, "  the sender signs as its older versions did, without the time; update it")
	}
}

// verifier reads the secrets. lines says on which line each of them stands.
func (c *webhookVerifyCmd) verifier(g *global, std streams) (*signature.Verifier, []int, error) {
	text, err := readInput(c.SecretFile, std, maxHeaders)
	if err != nil {
		return nil, nil, err
	}
	o := signature.Options{Scheme: c.Scheme, Tolerance: c.Tolerance.Std(), HMAC: signature.DefaultHMAC()}
	var lines []int
	for i, line := range strings.Split(string(text), "\n") {
		if line = strings.TrimSuffix(line, "\r"); line != "" {
			o.Secrets, lines = append(o.Secrets, line), append(lines, i+1)
		}
	}
	if len(o.Secrets) == 0 {
		return nil, nil, fmt.Errorf("%s holds no secret; write one on each line", inputName(c.SecretFile))
	}
	if err := sdk.Decode(optionsTree(g.Set), &o.HMAC); err != nil {
		return nil, nil, optionError(c.Scheme, err)
	}
	v, err := signature.New(o)
	ps, ok := asProblems(err)
	if !ok {
		return v, lines, err
	}
	for i, p := range ps {
		switch n := 0; {
		case p.Pointer == "/signature":
			return nil, nil, errors.New(p.String())
		case p.Pointer == "/secrets":
			return nil, nil, fmt.Errorf("%s: %s", inputName(c.SecretFile), p)
		case scan(p.Pointer, "/secrets/%d", &n):
			return nil, nil, fmt.Errorf("%s, line %d: %s", inputName(c.SecretFile), lines[n], p)
		default:
			ps[i].Pointer = "/--set" + p.Pointer
		}
	}
	return nil, nil, optionError(c.Scheme, ps)
}

func scan(text, format string, n *int) bool {
	got, err := fmt.Sscanf(text, format, n)
	return got == 1 && err == nil
}

// request reads the headers and the body.
func (c *webhookVerifyCmd) request(std streams) (sdk.WebhookRequest, error) {
	r := sdk.WebhookRequest{Method: strings.ToUpper(c.Method), Path: c.Path, Header: map[string][]string{}}
	text, err := readInput(c.Headers, std, maxHeaders)
	if err != nil {
		return r, err
	}
	wrong := func(err error) error {
		return fmt.Errorf(`%s is no JSON object of headers (%w); write it like {"X-Hub-Signature-256": "sha256=…"}`, inputName(c.Headers), err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return r, wrong(err)
	}
	for name, raw := range all {
		var one string
		var many []string
		if json.Unmarshal(raw, &one) == nil {
			many = []string{one}
		} else if err := json.Unmarshal(raw, &many); err != nil {
			return r, wrong(fmt.Errorf("the value of %q is no text", name))
		}
		key := http.CanonicalHeaderKey(name)
		r.Header[key] = slices.Concat(r.Header[key], many)
	}
	r.Body, err = readInput(c.Body, std, maxDocument)
	return r, err
}
