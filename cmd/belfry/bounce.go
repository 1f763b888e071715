package main

import (
	"cmp"
	"fmt"

	"github.com/belfry-news/belfry/connectors/email"
)

type bounceCmd struct {
	Classify bounceClassifyCmd `cmd:"" default:"withargs" help:"Say what a bounce or a complaint says about each recipient."`
}

type bounceClassifyCmd struct {
	File string `arg:"" help:"The mail as it came, or - for standard input."`
}

// maxBounceFile is the longest mail that is read.
const maxBounceFile = 64 << 20

// Help is the long help.
func (*bounceClassifyCmd) Help() string {
	return `Reads one mail with its header: a delivery status notification (RFC 3464), a bounce in a server's own words, or a complaint
(RFC 5965). The class of a recipient is hard (the address does not work and will not), soft (not this time) or other (a fault
of ours or of the way, a delay, a complaint: nothing about the address). Nothing is stored, and nothing the mail says is
proved: the daemon acts only on mails that came to an address with a token of its own.

Example:

    belfry bounce classify returned.eml --json

With --json always one object: {kind, recipients: [{address, class, status, reason}]}. kind is bounce, complaint, automatic (an
automatic answer) or other; recipients is empty for the last two. status is an enhanced status code such as 5.1.1, and it,
the address and the reason may be "".

Exit codes: 0 read, whatever it is, 2 the file cannot be read.`
}

type bounceJSON struct {
	Kind       string                `json:"kind"`
	Recipients []bounceRecipientJSON `json:"recipients"`
}

type bounceRecipientJSON struct {
	Address string `json:"address"`
	Class   string `json:"class"`
	Status  string `json:"status"`
	Reason  string `json:"reason"`
}

// Run classifies a mail.
func (c *bounceClassifyCmd) Run(g *global, std streams) error {
	raw, err := readInput(c.File, std, maxBounceFile)
	if err != nil {
		return err
	}
	report := email.Classify(raw)
	out := bounceJSON{Kind: string(report.Kind), Recipients: []bounceRecipientJSON{}}
	for _, r := range report.Recipients {
		out.Recipients = append(out.Recipients, bounceRecipientJSON{r.Address, string(r.Class), r.Status, r.Reason})
	}
	if g.JSON {
		return writeLine(std.out, out)
	}
	what := map[email.ReportKind]string{email.ReportBounce: "a bounce", email.ReportComplaint: "a complaint", email.ReportAutomatic: "an automatic answer",
		email.ReportOther: "neither a bounce nor a complaint"}[report.Kind]
	if len(out.Recipients) == 0 {
		fmt.Fprintf(std.out, "%s is %s; it names no recipient\n", inputName(c.File), what)
		return nil
	}
	fmt.Fprintf(std.out, "%s is %s\n", inputName(c.File), what)
	t := newTable("ADDRESS", "CLASS", "STATUS", "REASON")
	for _, r := range out.Recipients {
		t.add(cmp.Or(r.Address, "-"), r.Class, cmp.Or(r.Status, "-"), cmp.Or(r.Reason, "-"))
	}
	t.write(std.out)
	return nil
}
