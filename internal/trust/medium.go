package trust

import (
	"fmt"
	"slices"

	"github.com/belfry-news/belfry/sdk"
)

// Medium is what a type says of messages to single people, as it was when it was trusted (sdk.Medium).
type Medium struct {
	OwnChoice   bool         `json:"own_choice,omitempty"`
	TheyBegin   bool         `json:"they_begin,omitempty"`
	ReplyWindow sdk.Duration `json:"reply_window,omitempty"`
	Templates   bool         `json:"templates,omitempty"`
	// Hears are the kinds of events that it is believed.
	Hears []sdk.EventKind `json:"hears,omitempty"`
	// Dropped are kinds of which it tells, too, and which this Belfry does not know. A later one that knows them has to be asked again.
	Dropped []sdk.EventKind `json:"dropped,omitempty"`
	// Address says when two spellings are one address.
	Address sdk.AddressRule `json:"address,omitempty"`
}

// MediumOf gives what a type says the form in which it is recorded; nil stays nil. Nobody can be shown what an event of an unknown kind
// would do, so none is believed.
func MediumOf(m *sdk.Medium) *Medium {
	if m == nil {
		return nil
	}
	out := &Medium{OwnChoice: m.OwnChoice, TheyBegin: m.TheyBegin, ReplyWindow: sdk.D(m.ReplyWindow), Templates: m.Templates, Address: m.Address}
	for _, k := range m.Hears {
		if slices.ContainsFunc(heard(), func(h said) bool { return h.kind == k }) {
			out.Hears = append(out.Hears, k)
		} else if len(out.Dropped) < mostDropped && len(k) <= longestKind {
			out.Dropped = append(out.Dropped, k)
		}
	}
	return out
}

// mostDropped and longestKind bound what a plugin can put into its record.
const mostDropped, longestKind = 16, 64

// SDK gives it the form in which the host decides by it: with what is believed, and nothing else; nil stays nil.
func (m *Medium) SDK() *sdk.Medium {
	if m == nil {
		return nil
	}
	return &sdk.Medium{OwnChoice: m.OwnChoice, TheyBegin: m.TheyBegin, ReplyWindow: m.ReplyWindow.Std(), Templates: m.Templates, Hears: m.Hears, Address: m.Address}
}

// said is what a kind of event is in plain words.
type said struct {
	kind sdk.EventKind
	what string
}

// heard are the kinds of events that this Belfry knows.
func heard() []said {
	return []said{
		{sdk.EventMessage, "what people write there, with START and STOP"},
		{sdk.EventButton, "which buttons under its messages they press: to follow, to choose, to leave"},
		{sdk.EventStop, "that they blocked the sender: they leave"},
		{sdk.EventReopen, "that they let the sender in again, which is no consent"},
		{sdk.EventBounce, "that its messages came back: who cannot be reached is not written to any more"},
		{sdk.EventComplaint, "that they complained about its messages: they are not written to any more"},
		{sdk.EventFollow, "that they followed there, which is kept and no consent"},
		{sdk.EventReaction, "how they reacted, which is kept"},
		{sdk.EventReceipt, "that its messages arrived, which is kept"},
	}
}

// HeardFor says in plain words what a plugin with such a medium is believed, if its abilities let it tell anything; nil when they do not.
func (m *Medium) HeardFor(roles []sdk.Role) []string {
	if m == nil || len(m.Hears) == 0 || !slices.Contains(roles, sdk.RoleMessenger) || !slices.Contains(roles, sdk.RoleListener) && !slices.Contains(roles, sdk.RoleReceiver) {
		return nil
	}
	var out []string
	for _, h := range heard() {
		if slices.Contains(m.Hears, h.kind) {
			out = append(out, h.what)
		}
	}
	out = append(out, "by its word alone people follow and leave on its own medium; of another medium it can say nothing")
	for _, k := range m.Dropped {
		out = append(out, fmt.Sprintf("and nothing of %q, which it tells of and this Belfry does not know", string(k)))
	}
	return out
}

// Says are the rules in plain words.
func (m *Medium) Says() []string {
	var out []string
	if m.TheyBegin {
		out = append(out, "nobody is written to who has not written there first")
	}
	if m.ReplyWindow > 0 {
		after := "; afterwards the platform's templates are used"
		if !m.Templates {
			after = ", and not afterwards"
		}
		out = append(out, fmt.Sprintf("people are written to within %s after they last wrote%s", m.ReplyWindow, after))
	}
	if m.OwnChoice {
		out = append(out, "of a channel's posts people get only those that a choice of their own selects")
	}
	switch m.Address {
	case sdk.AddressLowercase:
		out = append(out, "addresses are the same in capital and small letters")
	case sdk.AddressE164:
		out = append(out, "addresses are telephone numbers with their country, however they are spaced")
	}
	if len(out) == 0 {
		out = append(out, "it allows what people agreed to, at any time")
	}
	return out
}
