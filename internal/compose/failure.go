package compose

import (
	"errors"
	"fmt"
	"strings"

	"github.com/belfry-news/belfry/internal/alert"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/render"
	"github.com/expr-lang/expr/file"
)

// Failure is an expression that failed while it ran over an item. That is no answer: the item neither fulfils it nor does
// not, and what rests on it is held for a person. Nothing in it is the item's own text, which a retraction for good could
// not find in alerts.
type Failure struct {
	// Place is where the expression stands in the configuration, such as channels.alertes.where, and Expression its text.
	Place, Expression string
	// Line and Column are where it failed in its text, from 1; 0 when that is not known.
	Line, Column int
	// What says why.
	What string
}

// Error says where it failed, and why.
func (f *Failure) Error() string {
	switch {
	case f.Line == 0:
		return f.What
	case strings.Contains(strings.TrimSpace(f.Expression), "\n"):
		return fmt.Sprintf("line %d, column %d: %s", f.Line, f.Column, f.What)
	}
	return fmt.Sprintf("column %d: %s", f.Column, f.What)
}

// failureOf makes a Failure of what running an expression gave. The library's own words may quote the item.
func failureOf(place, expression string, err error) *Failure {
	f := &Failure{Place: place, Expression: expression}
	text := err.Error()
	if at, ok := errors.AsType[*file.Error](err); ok {
		f.Line, f.Column, text = at.Line, at.Column+1, at.Message
	}
	f.What = "it cannot be worked out for this item"
	for _, known := range []struct{ part, what string }{
		{"memory budget exceeded", "it takes more memory than an expression may"},
		{"divide by zero", "it divides by zero"},
		{"index out of range", "it asks for an element that is not there"},
		{"interface {} is nil", "it uses a value that is not there"},
		{"cannot fetch", "it uses a value that is not there"},
		{"nil pointer", "it uses a value that is not there"},
		{"regexp", "the pattern that it compares with cannot be read"},
		{"invalid", "it cannot read a text as what it asks for"},
		{"illegal", "it cannot read a text as what it asks for"},
	} {
		if strings.Contains(text, known.part) {
			f.What = known.what
			break
		}
	}
	return f
}

// asFailure gives the failure that Match reported; nil when it reported none.
func asFailure(err error) *Failure {
	f, _ := errors.AsType[*Failure](err)
	return f
}

// longestSubject is how much of an expression the subject of an alert has, in bytes.
const longestSubject = 200

// Subject identifies the expression in alerts: the same place with another text is another trouble.
func (f *Failure) Subject() string { return expressionSubject(f.Place, f.Expression) }

func expressionSubject(place, expression string) string {
	return place + ": " + render.CutText(render.Line(expression), longestSubject, sdk.UnitBytes)
}

// itemRef names an item in alerts, without a word of it.
type itemRef struct {
	id     int64
	source string
}

func (r itemRef) String() string { return fmt.Sprintf("item %d of source %s", r.id, r.source) }

// alert tells a person. Owner is whose expression it is, and effect what becomes of the item; with held, something of the
// channel waits for the person.
func (f *Failure) alert(owner string, it itemRef, effect, held string) alert.Alert {
	a := alert.Alert{Code: alert.ExpressionFailed, Subject: f.Subject(), Sentence: fmt.Sprintf("%s failed for %s (%s); %s", owner, it, f.Error(), effect),
		Mend: fmt.Sprintf("mend %s in the configuration; look: belfry why --item %d", f.Place, it.id)}
	if held != "" {
		a.Mend += fmt.Sprintf("; post what is held: belfry post release --channel %s; drop it: add --drop", held)
	}
	return a
}

func (ch *Channel) whereAlert(f *Failure, it itemRef) alert.Alert {
	return f.alert(fmt.Sprintf("channel %s: its where:", ch.Name), it, "the item is held and posted nowhere", ch.Name)
}

func (ch *Channel) urgentAlert(f *Failure, it itemRef) alert.Alert {
	return f.alert(fmt.Sprintf("channel %s: its urgent:", ch.Name), it, "the item goes at the usual pace", "")
}

func (ch *Channel) targetAlert(f *Failure, place string, it itemRef) alert.Alert {
	return f.alert(fmt.Sprintf("channel %s: the where: of %s", ch.Name, place), it, "its copy for that place is held", ch.Name)
}

func (ch *Channel) blackoutAlert(f *Failure, name string, it itemRef) alert.Alert {
	if ch.Config.Digest != nil {
		return f.alert(fmt.Sprintf("blackout %s: its where:", name), it, fmt.Sprintf("channel %s keeps the item out of its digests while the blackout lasts", ch.Name), "")
	}
	return f.alert(fmt.Sprintf("blackout %s: its where:", name), it, fmt.Sprintf("channel %s holds the item", ch.Name), ch.Name)
}

// Expressions are the subjects by which alerts know the expressions of the program.
func (p *Program) Expressions() []string {
	out := []string{}
	add := func(c Condition) {
		if c.program != nil {
			out = append(out, expressionSubject(c.place, c.source))
		}
	}
	for _, ch := range p.Channels {
		add(ch.where)
		add(ch.urgent)
		for _, t := range ch.Targets {
			add(t.where)
		}
		for _, b := range ch.blackouts {
			add(b.where)
		}
	}
	return out
}
