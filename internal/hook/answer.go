package hook

import (
	"net/http"
	"strconv"
	"time"
)

// answer notes what a call is answered.
type answer struct {
	http.ResponseWriter
	tell   func(source, outcome string, took time.Duration)
	began  time.Time
	status int
	// outcome is what became of the call where the status does not tell.
	outcome string
}

func (d *Door) answer(w http.ResponseWriter) *answer {
	return &answer{ResponseWriter: w, tell: d.s.Answered, began: time.Now()}
}

// WriteHeader notes the status.
func (a *answer) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap lets the connection's deadlines be set.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// done tells of the answer.
func (a *answer) done(source string) {
	if a.tell == nil {
		return
	}
	outcome := a.outcome
	switch {
	case outcome != "":
	case a.status >= http.StatusBadRequest:
		outcome = strconv.Itoa(a.status)
	default:
		outcome = "asked"
	}
	a.tell(source, outcome, time.Since(a.began))
}
