package main

import (
	"context"
	"fmt"
	"os"

	"github.com/belfry-news/belfry/internal/app"
	"github.com/belfry-news/belfry/internal/ledger"
)

type consentVerifyCmd struct {
	Checkpoint []string `placeholder:"FILE" sep:"none" help:"A signed checkpoint that was kept elsewhere; may be given several times."`
}

// Help is the long help.
func (*consentVerifyCmd) Help() string {
	return `Recomputes the ledger from its events and compares it with the tree that is stored, with the signed checkpoints, and with
those that were kept elsewhere. The first difference is named with its place, and how many events are not sealed yet, of which
nothing is known. Without a checkpoint from elsewhere it cannot be seen that somebody who has the database and the signing key
wrote all of it anew, or cut off its end.

Example:

    belfry consent verify --checkpoint /media/usb/belfry-checkpoint.txt

Exit codes: 0 nothing differs, 1 something does, or it could not be verified, 2 the command line cannot be used. With --json:
{sealed, tail, root, agreeing, signed, verifier, difference: {what, sequence, through, detail}}.`
}

// Run verifies the ledger.
func (c *consentVerifyCmd) Run(ctx context.Context, g *global, std streams) error {
	var outside [][]byte
	for _, file := range c.Checkpoint {
		text, err := os.ReadFile(file)
		if err != nil {
			return unusable("the checkpoint cannot be read: %w", err)
		}
		outside = append(outside, text)
	}
	r, err := g.openPeople(ctx, std)
	if err != nil {
		return err
	}
	defer r.close()
	seal, err := app.OpenLedgerSeal(ctx, r.Store, r.people.Keys, r.Config)
	if err != nil {
		return err
	}
	report, err := ledger.Verify(ctx, r.Store.Ledger(), seal.Signer.Name(), seal.Keys, outside...)
	if err != nil {
		return fmt.Errorf("the ledger cannot be verified: %w", err)
	}
	out := verified{Sealed: report.Sealed, Tail: report.Tail, Root: report.Root.String(), Agreeing: report.Agreeing, Signed: report.Signed, Verifier: seal.Verifier}
	if d := report.First; d != nil {
		out.Difference = &difference{string(d.What), d.Sequence, d.Through, d.Detail}
	}
	if g.JSON {
		err = writeJSON(std.out, out)
	} else {
		r.printVerified(out, len(outside))
	}
	if err == nil && out.Difference != nil {
		return &exitError{code: exitFailed}
	}
	return err
}

// verified is what a verification found.
type verified struct {
	Sealed     int64       `json:"sealed"`
	Tail       int64       `json:"tail"`
	Root       string      `json:"root"`
	Agreeing   int         `json:"agreeing"`
	Signed     int64       `json:"signed"`
	Verifier   string      `json:"verifier"`
	Difference *difference `json:"difference"`
}

type difference struct {
	What     string `json:"what"`
	Sequence int64  `json:"sequence"`
	Through  int64  `json:"through"`
	Detail   string `json:"detail"`
}

func (r *registrar) printVerified(v verified, outside int) {
	if d := v.Difference; d != nil {
		where := fmt.Sprintf("at event %d", d.Sequence)
		if d.Through != d.Sequence {
			where = fmt.Sprintf("from event %d to %d", d.Sequence, d.Through)
		}
		r.print("the ledger is not what it was: %s %s", d.What, where)
		r.print("  %s", d.Detail)
	} else {
		r.print("nothing differs in %s", count(int(v.Sealed), "sealed event"))
	}
	r.print("  %s, the largest signs %s", beVerb(v.Agreeing, "checkpoint agrees", "checkpoints agree"), count(int(v.Signed), "event"))
	r.print("  %s not sealed yet: nothing is known of %s", beVerb(int(v.Tail), "event is", "events are"), pronoun(v.Tail))
	if v.Tail > 0 && !r.Running() {
		r.print("  the daemon seals within a second, and does not run: belfry run")
	}
	r.print("  the root is %s", v.Root)
	r.print("  an auditor checks signatures with %s", v.Verifier)
	if outside == 0 {
		r.print("  without a checkpoint from elsewhere it cannot be seen that all of it was written anew: --checkpoint FILE")
	}
}

func pronoun(n int64) string {
	if n == 1 {
		return "it"
	}
	return "them"
}
