package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// goal is what a median has to reach.
type goal struct {
	sign  string // ≥ or ≤; empty without a goal
	value float64
}

func atLeast(v float64) goal { return goal{"≥", v} }
func atMost(v float64) goal  { return goal{"≤", v} }

func (g goal) String() string {
	if g.sign == "" {
		return "–"
	}
	return g.sign + " " + figure(g.value)
}

func (g goal) met(v float64) bool {
	if g.sign == "≥" {
		return v >= g.value
	}
	return v <= g.value
}

// row is one line of the table.
type row struct {
	What, Unit string
	Goal       goal
	Values     sample
	// Yard names what was measured beside it; empty for nothing.
	Yard       string
	YardValues sample
}

func (r *row) add(v float64) { r.Values = append(r.Values, v) }

func (r *row) beside(yard string, v float64) {
	r.Yard = yard
	r.YardValues = append(r.YardValues, v)
}

func (r *row) measured() string {
	if len(r.Values) == 0 {
		return "not measured"
	}
	text := fmt.Sprintf("%s %s, n = %d", r.Values.spread(), r.Unit, len(r.Values))
	switch {
	case r.Goal.sign == "":
	case r.Goal.met(r.Values.median()):
		text += ": met"
	default:
		text += ": **missed**"
	}
	return text
}

func (r *row) yard() (values, compared string) {
	if r.Yard == "" {
		return "–", "–"
	}
	return fmt.Sprintf("%s %s (%s)", r.YardValues.spread(), r.Unit, r.Yard), figure(ratio(r.Values, r.YardValues))
}

func writeTable(w io.Writer, rows []*row) error {
	var t strings.Builder
	t.WriteString("| what | goal | measured: median [min .. max] | yardstick in the same run | ratio |\n|---|---|---|---|---|\n")
	for _, r := range rows {
		yard, compared := r.yard()
		fmt.Fprintf(&t, "| %s | %s | %s | %s | %s |\n", r.What, r.Goal, r.measured(), yard, compared)
	}
	_, err := io.WriteString(w, t.String())
	return err
}

// report is the whole of the results.
type report struct {
	Begun    time.Time
	Took     time.Duration
	Machine  []string
	Command  string
	Measures []measure
	Rows     []*row
	Quick    bool
}

const preface = `# %s

Written by ` + "`%s`" + `. Each value is the median of its runs, with the least and the greatest; a goal that is missed says so.
A yardstick was measured in turn with Belfry, in the same minutes on the same machine, and the ratio is the median of the pairs:
it says more than the absolute figure, which is the machine's as much as the program's.

`

func (r report) write(w io.Writer) error {
	var t strings.Builder
	title, target := "What Belfry does on one machine", "make bench"
	if !slices.ContainsFunc(r.Measures, func(m measure) bool { return !m.apart }) {
		title, target = "Messages to people on one machine", "make bench-messages"
	}
	fmt.Fprintf(&t, preface, title, target)
	if r.Quick {
		t.WriteString("**A quick look: smaller and shorter than the measures below say. These figures mean little.**\n\n")
	}
	if err := writeTable(&t, r.Rows); err != nil {
		return err
	}
	t.WriteString("\n## The machine and the run\n\n")
	for _, line := range r.Machine {
		fmt.Fprintf(&t, "- %s\n", line)
	}
	fmt.Fprintf(&t, "- begun %s, took %s\n- `%s`\n", r.Begun.UTC().Format("2006-01-02 15:04 MST"), r.Took.Round(time.Second), r.Command)
	t.WriteString("\n## How it was measured\n\n" + strings.TrimSpace(howAll) + "\n")
	for _, m := range r.Measures {
		fmt.Fprintf(&t, "\n### %s\n\n%s\n", m.name, strings.TrimSpace(m.how))
	}
	_, err := io.WriteString(w, t.String())
	return err
}

const howAll = `
The program is the one that ` + "`make build`" + ` makes, started as ` + "`belfry run`" + ` with a generated configuration, a data folder of its own on a
real disk for each run, and the defaults for whatever is not named here: SQLite with synchronous=FULL, feeds parsed in an
isolated process, logs written to a file. The feeds, the receivers and the clients are in the bench's process on the same
machine and share its processors with the daemon; all speak over loopback. Before each part the bench waits up to twenty
seconds for the machine to become quiet, and notes how busy it was with other work.
`
