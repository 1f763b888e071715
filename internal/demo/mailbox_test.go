package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/smtp"
	"net/textproto"
	"strings"
	"sync/atomic"
	"testing"
)

const plainMail = "From: <g@example.invalid>\r\nTo: <r@example.invalid>\r\nSubject: %s\r\nMessage-ID: <%s@example.invalid>\r\n" +
	"Content-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nText\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>x</p>\r\n--b--\r\n"

// TestMailbox speaks SMTP to the relay: it keeps what it accepts, first in its journal, and refuses the rest.
func TestMailbox(t *testing.T) {
	t.Parallel()
	var lines []string
	var full, changes atomic.Int32
	box, err := openMailbox(func(v any) error {
		if full.Load() > 0 {
			return errors.New("the disk is full")
		}
		line, err := json.Marshal(v)
		lines = append(lines, string(line)) // the sessions of this test follow each other
		return err
	}, func() { changes.Add(1) }, func(sentence string) { t.Error(sentence) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(box.Close)
	send := func(to []string, text string) int {
		t.Helper()
		err := smtp.SendMail(box.addr, nil, "g@example.invalid", to, []byte(text))
		if err == nil {
			return 250
		}
		refused, ok := errors.AsType[*textproto.Error](err)
		if !ok {
			t.Fatal(err)
		}
		return refused.Code
	}
	one := []string{"r@example.invalid"}
	for _, tc := range []struct {
		name string
		to   []string
		text string
		want int
	}{
		{"a mail", one, fmt.Sprintf(plainMail, "One", "a"), 250},
		{"the same again", one, fmt.Sprintf(plainMail, "One", "a"), 250},
		{"the same to somebody else", []string{"s@example.invalid"}, fmt.Sprintf(plainMail, "One", "a"), 250},
		{"another", one, fmt.Sprintf(plainMail, "Two", "b"), 250},
		{"what is no mail", one, "nothing", 554},
		{"a text alone", one, "From: <g@example.invalid>\r\nMessage-ID: <c@d>\r\n\r\nText\r\n", 554},
		{"to two at once", []string{"r@example.invalid", "s@example.invalid"}, fmt.Sprintf(plainMail, "Three", "e"), 452},
	} {
		if got := send(tc.to, tc.text); got != tc.want {
			t.Errorf("%s is answered with %d, want %d", tc.name, got, tc.want)
		}
	}
	full.Store(1)
	if got := send(one, fmt.Sprintf(plainMail, "Four", "f")); got != 451 {
		t.Errorf("without a journal it is answered with %d", got)
	}
	var have []string
	for _, m := range box.Mails() {
		have = append(have, fmt.Sprint(m.ID, " ", m.To, " ", m.Subject, " ", m.Copies))
	}
	if got, want := strings.Join(have, ", "), "3 r@example.invalid Two 1, 2 s@example.invalid One 1, 1 r@example.invalid One 2"; got != want {
		t.Errorf("it has %s, want %s", got, want)
	}
	if len(lines) != 4 || !strings.Contains(lines[0], `"to":"r@example.invalid"`) || changes.Load() != 4 {
		t.Errorf("the journal has %q, and %d changes were told", lines, changes.Load())
	}
	if m, ok := box.First("r@example.invalid", func(m Mail) bool { return m.Subject == "Two" }); !ok || m.ID != 3 {
		t.Errorf("it finds %+v", m)
	}
	// What was acknowledged once stays so.
	box.clicked(3, Click{Status: 503})
	box.clicked(3, Click{Status: 200})
	box.clicked(3, Click{Status: 503})
	if m, _ := box.Mail(3); !m.Click.Done() {
		t.Errorf("the click became %+v", m.Click)
	}
}
