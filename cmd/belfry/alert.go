package main

import "context"

type alertCmd struct {
	List alertListCmd `cmd:"" default:"1" help:"List the trouble that lasts, the oldest first."`
}

type alertListCmd struct{}

// Help is the long help.
func (*alertListCmd) Help() string {
	return `Example:

    belfry alert list

Exit codes: 0 listed, 1 there is no store. With --json: a list of {id, code, subject, sentence, mend, first,
last, count}.`
}

type alertJSON struct {
	ID       int64  `json:"id"`
	Code     string `json:"code"`
	Subject  string `json:"subject"`
	Sentence string `json:"sentence"`
	Mend     string `json:"mend"`
	First    stamp  `json:"first"`
	Last     stamp  `json:"last"`
	Count    int    `json:"count"`
}

// Run lists the alerts.
func (c *alertListCmd) Run(ctx context.Context, g *global, std streams) error {
	d, err := g.open(ctx, std)
	if err != nil {
		return err
	}
	defer d.close()
	list, err := d.alerts(ctx)
	if err != nil {
		return err
	}
	if g.JSON {
		return writeJSON(std.out, list)
	}
	if len(list) == 0 {
		d.print("nothing needs anybody")
	}
	d.printAlerts(list)
	return nil
}

func (d *desk) alerts(ctx context.Context) ([]alertJSON, error) {
	rows, err := d.db.Alerts(ctx)
	list := []alertJSON{}
	for _, r := range rows {
		list = append(list, alertJSON{r.ID, string(r.Code), r.Subject, r.Sentence, r.Mend, stamp{r.First}, stamp{r.Last}, r.Count})
	}
	return list, err
}

func (d *desk) printAlerts(list []alertJSON) {
	for _, a := range list {
		times := ""
		if a.Count > 1 {
			times = ", " + thousands(a.Count) + " times"
		}
		d.print("%s (since %s%s)", plain(a.Sentence), d.ago(a.First.Time), times)
		d.print("  %s", plain(a.Mend))
	}
}
