package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/belfry-news/belfry/internal/consent"
	"github.com/belfry-news/belfry/internal/desk"
)

type consentCmd struct {
	Show          consentShowCmd   `cmd:"" help:"A person's record: what they agreed to, when and how, and what they were sent."`
	Export        consentExportCmd `cmd:"" help:"Everything about a person, to be given to them."`
	Erase         consentEraseCmd  `cmd:"" help:"Take away everything about a person but what keeps them from being written to."`
	Verify        consentVerifyCmd `cmd:"" help:"Recompute the ledger, and name the first event that is not what it was."`
	AcceptJournal consentAcceptCmd `cmd:"" help:"Let messages go although the journal of withdrawals is missing."`
}

type consentShowCmd struct{ person }

// Help is the long help.
func (*consentShowCmd) Help() string {
	return `What the person agreed to over which medium, the events of the ledger about them, the evidence of each consent with the words
that they saw, and what was sent to them, the newest first. Addresses are masked. The look is an event itself, with its reason, and the person can see it.

Examples:

    belfry consent show 4f0xk2c9m7qz1a3b --reason "asked by telephone what they follow"
    belfry consent show - --reason "asked by mail" < address.txt

Exit codes: 0 printed, 1 nobody is called that, or there is no store, 2 the command line cannot be used. With --json: {person,
events, messages}.`
}

// Run prints a record.
func (c *consentShowCmd) Run(ctx context.Context, g *global, std streams) error {
	return c.with(ctx, g, std, func(r *registrar, ref string) error {
		look, err := r.people.Look(ctx, ref, c.Reason, "", false)
		if err != nil {
			return err
		}
		if g.JSON {
			return writeJSON(std.out, recordOf(look))
		}
		r.printShown(desk.Shown(look))
		r.printRecord(look)
		return nil
	})
}

// record is a person's record for programs.
type record struct {
	Person   desk.PersonShown `json:"person"`
	Events   []consent.Event  `json:"events"`
	Messages []consent.Sent   `json:"messages"`
}

func recordOf(l consent.Look) record {
	return record{desk.Shown(l), append([]consent.Event{}, l.Events...), append([]consent.Sent{}, l.Messages...)}
}

func (r *registrar) printRecord(l consent.Look) {
	if len(l.Events) > 0 {
		r.print("\nevents:")
		t := newTable()
		for _, e := range l.Events {
			what := e.Purpose.Name
			if e.Purpose.Kind != "" {
				what = e.Purpose.String()
			}
			how := howOf(e.Evidence)
			for _, chosen := range []string{manner(e.Preferences), habits(r, e.Habits)} {
				if chosen != "" {
					how += "; " + desk.Plain(chosen)
				}
			}
			t.add("  "+r.At(e.At), e.Kind, desk.OrDash(desk.Plain(what)), desk.OrDash(e.Medium), how)
		}
		t.write(r.std.out)
	}
	r.printEvidence(l.Events)
	if len(l.Messages) > 0 {
		r.print("\nmessages:")
		t := newTable()
		for _, m := range l.Messages {
			t.add("  "+r.At(m.At), m.Medium, m.Outcome, clip(desk.Plain(cmp.Or(m.Title, strings.TrimSpace(string(m.Kind)+" "+m.Purpose.Name))), 50), reasonOf(m.Reason))
		}
		t.write(r.std.out)
	}
}

// printEvidence says of each time that somebody agreed when that was, and to which words.
func (r *registrar) printEvidence(events []consent.Event) {
	heading := "\nevidence:"
	for _, e := range events {
		x, at := e.Evidence, e.Agreed()
		if at.IsZero() {
			continue
		}
		if heading != "" {
			r.print("%s", heading)
			heading = ""
		}
		r.print("  %s by %s: agreed %s, %s", e.Purpose, e.Medium, r.At(at), howOf(x))
		for line := range strings.Lines(x.Wording) {
			r.print("    | %s", desk.Plain(strings.TrimSpace(line)))
		}
		for _, part := range []struct{ name, text string }{{"language", x.Lang}, {"from the network", x.Origin}} {
			if part.text != "" {
				r.print("    %s %s", part.name, desk.Plain(part.text))
			}
		}
	}
}

// manner says what was chosen for one consent.
func manner(c *consent.Preferences) string {
	if c == nil {
		return ""
	}
	out := string(c.Mode)
	if len(c.Slots) > 0 {
		out += " at " + strings.Join(c.Slots, ", ")
	}
	if len(c.Topics) > 0 {
		out += ", topics " + strings.Join(c.Topics, ", ")
	}
	if len(c.Languages) > 0 {
		out += ", languages " + strings.Join(c.Languages, ", ")
	}
	if c.Breaking {
		out += ", breaking news at any time"
	}
	return strings.TrimPrefix(out, ", ")
}

// habits says what was chosen for everything.
func habits(r *registrar, h *consent.Habits) string {
	if h == nil {
		return ""
	}
	out := []string{"language " + desk.OrDash(h.Lang), "zone " + desk.OrDash(h.Zone)}
	if h.QuietFrom != "" {
		out = append(out, "quiet "+h.QuietFrom+"-"+h.QuietUntil)
	}
	switch {
	case h.PausedOpenly():
		out = append(out, "paused until the person resumes")
	case !h.PausedUntil.IsZero():
		out = append(out, "paused until "+r.At(h.PausedUntil))
	}
	if h.PerDay > 0 {
		out = append(out, "at most "+count(h.PerDay, "message")+" a day")
	}
	return strings.Join(out, ", ")
}

func reasonOf(reason string) string {
	if reason == "" {
		return ""
	}
	return desk.MessageReason(reason)
}

// howOf says how something was shown to be wanted.
func howOf(e consent.Evidence) string {
	out := []string{fmt.Sprintf("by %s (%s)", e.Actor, e.Method)}
	for _, part := range []struct{ name, text string }{{"", e.Note}, {"at ", e.Where}, {"wording ", e.Version}} {
		if part.text != "" {
			out = append(out, part.name+desk.Plain(part.text))
		}
	}
	return strings.Join(out, ", ")
}

type consentExportCmd struct {
	person
	HTML bool   `name:"html" help:"A page that can be read without a program, in the person's language."`
	To   string `placeholder:"FILE" help:"Write it to this file, which only you can read, instead of printing it."`
}

// Help is the long help.
func (*consentExportCmd) Help() string {
	return `Everything that is kept about a person, with their own addresses: what they chose, what they agreed to with the wording they
saw, and what they were sent (GDPR, articles 15 and 20). As JSON, or with --html as one page that needs nothing else, in English
or French. The export is an event of the ledger, with its reason. Give it to nobody but the person.

Examples:

    belfry consent export 4f0xk2c9m7qz1a3b --html --to lea.html --reason "asked by mail on 20 November"
    belfry consent export - --reason "asked by mail" < address.txt > lea.json

Exit codes: 0 exported, 1 nobody is called that, or it could not be written, 2 the command line cannot be used.`
}

// Run exports a person.
func (c *consentExportCmd) Run(ctx context.Context, g *global, std streams) error {
	if c.HTML && g.JSON {
		return unusable("--html and --json do not go together; give one of them")
	}
	return c.with(ctx, g, std, func(r *registrar, ref string) error {
		data, err := r.people.Export(ctx, ref, c.Reason)
		if err == nil && c.HTML {
			data, err = r.people.ExportPage(data)
		}
		if err != nil {
			return err
		}
		return c.give(data, std)
	})
}

func (c *consentExportCmd) give(data []byte, std streams) error {
	data = append(data, '\n')
	if c.To != "" {
		return writeSecret(c.To, "nothing is written over", data)
	}
	_, err := std.out.Write(data)
	return err
}

type consentEraseCmd struct {
	person
	Yes bool `help:"Do not ask."`
}

// Help is the long help.
func (*consentEraseCmd) Help() string {
	return `Ends everything that the person follows, and then takes away their addresses, their key and their profile: from the tables,
from free pages and from the log of the database. What stays: a keyed hash of each address, so that no import and no mistake
writes to them again, and the entries of the ledger, which nobody can open any more because their key is gone. Only the person
themselves can come back.

Webhooks that name the person, by their reference or an address, go too: those that could not be mapped, and those that wait for a
source that brings notices. One that names others beside them loses what is about them. An article stays, whomever it names.

Backups of before still hold them, until they are deleted: privacy.backups says for how long you keep them, and the answer says
until when that is. Copies that lie beside the store are named. There is no way back.

Example:

    belfry consent erase 4f0xk2c9m7qz1a3b --reason "asked by mail on 20 November"

Exit codes: 0 erased, 1 nobody is called that, it was not confirmed, or a file of the store may still hold it for a while, 2 the
command line cannot be used. With --json: {ref, at, settled, backups_until, purged, webhooks, cut_webhooks,
waiting_webhooks, backups}.`
}

// Run erases a person.
func (c *consentEraseCmd) Run(ctx context.Context, g *global, std streams) error {
	if c.Person == "-" && !c.Yes {
		return unusable("an address on standard input leaves no room for an answer there; add --yes, or name the person as belfry subscriber show does")
	}
	return c.with(ctx, g, std, func(r *registrar, ref string) error {
		if err := r.people.Known(ctx, ref); err != nil {
			return err
		}
		if err := confirmed(std, c.Yes, ref, fmt.Sprintf("Everything about %s will be taken away. There is no way back.", ref)); err != nil {
			return err
		}
		out, err := r.people.Erase(ctx, ref, c.Reason, r.copiesBeside)
		if err != nil {
			return err
		}
		if g.JSON {
			err = writeJSON(std.out, out)
		} else {
			r.printErased(out)
		}
		if err == nil && !out.Purged {
			return &exitError{code: exitFailed}
		}
		return err
	})
}

func (r *registrar) printErased(out desk.ErasedPerson) {
	r.print("%s is erased: %s", out.Ref, r.At(out.At.Time))
	if !out.Settled {
		r.print("  one message may already be under way, and may still arrive; no other starts")
	}
	if !out.Purged {
		r.print("  the log of the store may hold it until nobody reads it any more; the daemon empties it within seconds, or run this again")
	}
	if !out.BackupsUntil.IsZero() {
		r.print("  backups of before may hold the person until %s, when the last of them is to be deleted (privacy.backups)", r.At(out.BackupsUntil.Time))
	}
	if n := out.Webhooks; n > 0 {
		r.print("  %s not mapped yet named the person: gone too", count(n, "webhook"))
	}
	if n := out.CutWebhooks; n > 0 {
		r.print("  %s not mapped yet named others too: what was about the person is gone", count(n, "webhook"))
	}
	if n := out.WaitingWebhooks; n > 0 {
		r.print("  %s named by a source that brings no notices, and stays: its articles are for everybody", beVerb(n, "webhook not mapped yet has the person", "webhooks not mapped yet have the person"))
	}
	for _, b := range out.Backups {
		r.print("  this copy still does: %s", b)
	}
}

type consentAcceptCmd struct {
	Reason string `required:"" placeholder:"TEXT" help:"Why, for the record."`
	Yes    bool   `help:"Do not ask."`
}

// Help is the long help.
func (*consentAcceptCmd) Help() string {
	return `Every acknowledged withdrawal stands in the file withdrawals.log beside the database, and the database knows how long that
file was. When it is missing or shorter, somebody who left since the database was backed up could be written to; so no message
leaves. If there is another copy of the file, put it back and restart. Only if there is none, and you know that the database is
not older than the last withdrawal, say so with this command. Then restart the daemon.

Example:

    belfry consent accept-journal --reason "the disk is new, and the database was moved whole"

Exit codes: 0 accepted, 1 it was not confirmed, or there is no store, 2 the command line cannot be used. With --json: {accepted}.`
}

// Run accepts a journal as it is.
func (c *consentAcceptCmd) Run(ctx context.Context, g *global, std streams) error {
	r, err := g.openPeople(ctx, std)
	if err != nil {
		return err
	}
	defer r.close()
	if err := confirmed(std, c.Yes, "accept", "Messages will go by the consents in the database, as if nobody had left since it was written."); err != nil {
		return err
	}
	if err := r.people.AcceptJournal(ctx, c.Reason); err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, map[string]bool{"accepted": true})
	}
	r.print("%s is accepted as it is", filepath.Join(r.Dir, consent.JournalName))
	if r.Running() {
		r.print("  messages go on when the daemon is restarted")
	}
	return nil
}
