package trust

import (
	"fmt"

	"github.com/belfry-news/belfry/sdk"
)

// Medium is what a type says of messages to single people, as it was when it was trusted (sdk.Medium).
type Medium struct {
	OwnChoice   bool         `json:"own_choice,omitempty"`
	TheyBegin   bool         `json:"they_begin,omitempty"`
	ReplyWindow sdk.Duration `json:"reply_window,omitempty"`
	Templates   bool         `json:"templates,omitempty"`
}

// MediumOf gives what a type says the form in which it is recorded; nil stays nil.
func MediumOf(m *sdk.Medium) *Medium {
	if m == nil {
		return nil
	}
	return &Medium{m.OwnChoice, m.TheyBegin, sdk.D(m.ReplyWindow), m.Templates}
}

// SDK gives it the form in which the host decides by it; nil stays nil.
func (m *Medium) SDK() *sdk.Medium {
	if m == nil {
		return nil
	}
	return &sdk.Medium{OwnChoice: m.OwnChoice, TheyBegin: m.TheyBegin, ReplyWindow: m.ReplyWindow.Std(), Templates: m.Templates}
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
	if len(out) == 0 {
		out = append(out, "it allows what people agreed to, at any time")
	}
	return out
}
