package main

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
)

// talk brings text to a sink and gives what it answered.
func talk(t *testing.T, s *mailSink, text string) []string {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text+"QUIT\r\n"); err != nil {
		t.Fatal(err)
	}
	var out []string
	for lines := bufio.NewScanner(conn); lines.Scan(); {
		out = append(out, lines.Text()[:3])
	}
	return out
}

func TestMailSinkCountsEveryRecipient(t *testing.T) {
	t.Parallel()
	s, err := newMailSink(3, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer s.stop()
	mail := func(to, text string) string {
		return "MAIL FROM:<news@bench.example>\r\nRCPT TO:<" + to + ">\r\nDATA\r\n" + text + "\r\n.\r\n"
	}
	long := strings.Repeat("x", 200_000) // longer than what the sink reads at once
	said := talk(t, s, "EHLO bench.example\r\n"+mail("reader0000001@example.org", "a")+mail("reader0000003@example.org", "..")+
		mail("reader0000001@example.org", long)+mail("somebody@example.org", "b"))
	want := "220 250 250 250 250 " + strings.Repeat("250 250 354 250 ", 4) + "221"
	if got := strings.Join(said, " "); got != want {
		t.Errorf("the sink answered %s, want %s", got, want)
	}
	got := s.tally()
	if got.mails != 4 || got.distinct != 2 || got.repeated != 1 || s.other.Load() != 1 {
		t.Errorf("%+v, %d to others", got, s.other.Load())
	}
	if s.reset(); s.tally().mails != 0 || s.tally().distinct != 0 {
		t.Errorf("after a reset: %+v", s.tally())
	}
}

func TestChooseTakesThePartsOfAMeasure(t *testing.T) {
	t.Parallel()
	names := func(only string) string {
		list, err := choose(only)
		if err != nil {
			return err.Error()
		}
		var out []string
		for _, m := range list {
			out = append(out, m.name)
		}
		return strings.Join(out, " ")
	}
	for only, want := range map[string]string{
		"":                     "feeds posts latency one-bad memory pages",
		"messages":             "messages/rate messages/slow messages/kill messages/million",
		"pages, messages/kill": "pages messages/kill",
		"message":              `-only: there is no measure "message"; there are feeds, posts, latency, one-bad, memory, pages and messages`,
	} {
		if got := names(only); got != want {
			t.Errorf("-only %q takes %s, want %s", only, got, want)
		}
	}
}
