package main

import (
	"context"
	"strings"

	"github.com/belfry-news/belfry/internal/desk"
)

type privacyCmd struct {
	Report privacyReportCmd `cmd:"" help:"What is kept about people, for what, for how long, where, and who gets it."`
}

type privacyReportCmd struct {
	HTML bool `name:"html" help:"A page that can be read without a program."`
}

// Help is the long help.
func (*privacyReportCmd) Help() string {
	return `Computed from the configuration and the schema of the store: what people can agree to, which data is kept, on which ground, for
how long and where, who else gets it, and how people use their rights. It needs no store, and names nobody. It is a record of
processing activities (GDPR, article 30) as far as Belfry knows; what else you do with the data, you have to add.

Examples:

    belfry privacy report
    belfry privacy report --html > processing.html

Exit codes: 0 printed, 1 the configuration has problems, 2 the command line cannot be used. With --json: {made, site, url, controller,
policy, missing, purposes, data, places, processors, staff, rights}.`
}

// Run prints the report.
func (c *privacyReportCmd) Run(_ context.Context, g *global, std streams) error {
	if c.HTML && g.JSON {
		return unusable("--html and --json do not go together; give one of them")
	}
	cfg, err := g.load()
	if err != nil {
		return err
	}
	d := g.desk(cfg, std)
	r := d.PrivacyReport()
	switch {
	case g.JSON:
		return writeJSON(std.out, r)
	case c.HTML:
		page, err := r.Page()
		if err == nil {
			_, err = std.out.Write(page)
		}
		return err
	}
	d.printPrivacy(r)
	return nil
}

func (d *clerk) printPrivacy(r desk.PrivacyReport) {
	d.print("%s", desk.OrDash(desk.Plain(r.Site)))
	d.print("  responsible: %s", desk.OrDash(r.Controller))
	d.print("  privacy policy: %s", desk.OrDash(r.Policy))
	for _, m := range r.Missing {
		d.print("  missing: %s", m)
	}
	d.print("\npurposes:")
	t := newTable()
	for _, p := range r.Purposes {
		t.add("  "+p.Purpose, desk.Plain(p.Title), strings.Join(p.Media, ", "), p.Basis)
	}
	t.write(d.std.out)
	if len(r.Purposes) == 0 {
		d.print("  nobody is written to")
	}
	d.print("\ndata:")
	for _, x := range r.Data {
		sealed := ""
		if x.Sealed {
			sealed = ", sealed"
		}
		d.print("  %s%s\n    for:   %s\n    basis: %s\n    kept:  %s\n    in:    %s", x.Name, sealed, x.Purpose, x.Basis, x.Kept, strings.Join(x.Tables, ", "))
	}
	d.print("\nplaces:")
	t = newTable()
	for _, p := range r.Places {
		t.add("  "+p.Place, p.What)
	}
	t.write(d.std.out)
	d.print("\nwho else gets it:")
	t = newTable()
	for _, p := range r.Processors {
		t.add("  "+p.Destination, p.Type, desk.OrDash(strings.Join(p.Hosts, ", ")), p.Gets, strings.Join(p.For, ", "))
	}
	t.write(d.std.out)
	if len(r.Processors) == 0 {
		d.print("  nobody")
	}
	for _, s := range r.Staff {
		d.print("  %s of the house may %s from a phone", s.Name, strings.Join(s.May, ", "))
	}
	d.print("\nrights (articles of the GDPR):")
	t = newTable()
	for _, x := range r.Rights {
		t.add("  "+x.Right, x.How)
	}
	t.write(d.std.out)
}
