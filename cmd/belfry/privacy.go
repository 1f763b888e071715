package main

import (
	"context"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/belfry-news/belfry/internal/desk"
)

type privacyCmd struct {
	Report privacyReportCmd `cmd:"" help:"What is kept about people, for what, for how long, where, and who gets it."`
}

type privacyReportCmd struct {
	HTML bool   `name:"html" help:"A page that can be read without a program."`
	Lang string `default:"en" enum:"en,fr" help:"The language: en or fr."`
}

// Help is the long help.
func (*privacyReportCmd) Help() string {
	return `Computed from the configuration and the schema of the store: what people can agree to, which data is kept, on which ground, for
how long and where, who else gets it, and how people use their rights. It needs no store, and names nobody. It is a record of
processing activities (GDPR, article 30) as far as Belfry knows; what else you do with the data, you have to add.

Examples:

    belfry privacy report
    belfry privacy report --html --lang fr > traitements.html

Exit codes: 0 printed, 1 the configuration has problems, 2 the command line cannot be used. With --json: {made, site, url, controller,
policy, missing, persons, purposes, data, places, processors, staff, rights, measures, unknown}.`
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
	r := d.PrivacyReport(c.Lang)
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
	heading := func(name string) { d.print("\n%s", lowered(strings.TrimSpace(r.Line(name, "")))) }
	list := func(name string, lines []string) {
		heading(name)
		for _, line := range lines {
			d.print("  %s", line)
		}
	}
	d.print("  %s", lowered(r.Line("privacy.col.responsible", desk.OrDash(r.Controller))))
	d.print("  %s", lowered(r.Line("privacy.col.policy", desk.OrDash(r.Policy))))
	for _, m := range r.Missing {
		d.print("  %s", lowered(r.Line("privacy.missing", m)))
	}
	list("privacy.persons", r.Persons)
	heading("privacy.purposes")
	t := newTable()
	for _, p := range r.Purposes {
		t.add("  "+p.Purpose, desk.Plain(p.Title), strings.Join(p.Media, ", "), p.Basis)
	}
	t.write(d.std.out)
	if len(r.Purposes) == 0 {
		d.print("  %s", r.Text("privacy.purposes.none"))
	}
	heading("privacy.data")
	for _, x := range r.Data {
		sealed := ""
		if x.Sealed {
			sealed = ", " + r.Text("privacy.sealed")
		}
		d.print("  %s%s", x.Name, sealed)
		t := newTable()
		for _, line := range [][2]string{{"privacy.col.for", x.Purpose}, {"privacy.col.basis", x.Basis}, {"privacy.col.kept", x.Kept}, {"privacy.col.tables", strings.Join(x.Tables, ", ")}} {
			t.add("    "+lowered(strings.TrimSpace(r.Line(line[0], ""))), line[1])
		}
		t.write(d.std.out)
	}
	heading("privacy.places")
	t = newTable()
	for _, p := range r.Places {
		t.add("  "+p.Place, p.What)
	}
	t.write(d.std.out)
	heading("privacy.others")
	t = newTable()
	for _, p := range r.Processors {
		t.add("  "+p.Destination, p.By(), desk.OrDash(strings.Join(p.Hosts, ", ")), p.Gets, strings.Join(p.For, ", "))
	}
	t.write(d.std.out)
	if len(r.Processors) == 0 {
		d.print("  %s", r.Text("privacy.nobody"))
	}
	if len(r.Staff) > 0 {
		heading("privacy.staff")
	}
	for _, s := range r.Staff {
		d.print("  %s: %s", s.Name, strings.Join(s.May, ", "))
	}
	heading("privacy.rights")
	t = newTable()
	for _, x := range r.Rights {
		t.add("  "+x.Right, x.How)
	}
	t.write(d.std.out)
	list("privacy.measures", r.Measures)
	list("privacy.unknown", r.Unknown)
}

// lowered begins a text with a small letter.
func lowered(text string) string {
	first, size := utf8.DecodeRuneInString(text)
	return string(unicode.ToLower(first)) + text[size:]
}
