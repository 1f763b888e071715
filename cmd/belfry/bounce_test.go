package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

const postfixBounce = "../../connectors/email/testdata/bounces/hard_5.1.1_postfix.eml"

func TestBounceClassify(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(postfixBounce)
	if err != nil {
		t.Fatal(err)
	}
	complaint := "Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n" +
		"Feedback-Type: abuse\r\nUser-Agent: x\r\nVersion: 1\r\nOriginal-Rcpt-To: <a@example.org>\r\n\r\n--b--\r\n"
	for name, tc := range map[string]struct {
		args, in, out, said string
		code                int
	}{
		"a file": {args: "bounce classify " + postfixBounce + " --json", out: `{"kind":"bounce","recipients":[{"address":"reader@example.org","class":"hard","status":"5.1.1",` +
			`"reason":"550 5.1.1 <reader@example.org>: Recipient address rejected: User unknown in virtual mailbox table"}]}` + "\n"},
		"standard input": {args: "bounce classify - --json", in: "From: a@b.example\n\nhello\n", out: `{"kind":"other","recipients":[]}` + "\n"},
		"a complaint":    {args: "bounce classify - --json", in: complaint, out: `{"kind":"complaint","recipients":[{"address":"a@example.org","class":"other","status":"","reason":"complaint: abuse"}]}` + "\n"},
		"for people": {args: "bounce classify -", in: string(raw), out: "standard input is a bounce\nADDRESS             CLASS  STATUS  REASON\n" +
			"reader@example.org  hard   5.1.1   550 5.1.1 <reader@example.org>: Recipient address rejected: User unknown in virtual mailbox table\n"},
		"nothing":         {args: "bounce classify -", out: "standard input is neither a bounce nor a complaint; it names no recipient\n"},
		"no such file":    {args: "bounce classify /nonexistent.eml --json", said: "belfry: /nonexistent.eml cannot be read: no such file or directory\n", code: exitUsage},
		"without a file":  {args: "bounce classify", said: "belfry: FILE is missing; see: belfry bounce classify --help\n", code: exitUsage},
		"an escape in it": {args: "bounce classify -", in: strings.ReplaceAll(string(raw), "User unknown", "User \x1b[31munknown"), out: "standard input is a bounce\nADDRESS             CLASS  STATUS  REASON\n" + "reader@example.org  hard   5.1.1   550 5.1.1 <reader@example.org>: Recipient address rejected: User [31munknown in virtual mailbox table\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, said bytes.Buffer
			code := run(strings.Fields(tc.args), streams{strings.NewReader(tc.in), &out, &said})
			if code != tc.code || out.String() != tc.out || said.String() != tc.said {
				t.Errorf("exit code %d\n%s%s\nwant %d\n%s%s", code, out.String(), said.String(), tc.code, tc.out, tc.said)
			}
		})
	}
}
