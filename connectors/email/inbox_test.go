package email

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/sdk"
)

// tokenFor is an envelope sender of a connector.
func tokenFor(tb testing.TB, c *Connector, id string) string {
	tb.Helper()
	token, err := c.tokens.mint(id, forBounce, time.Now())
	if err != nil {
		tb.Fatal(err)
	}
	return c.tokens.envelope(token)
}

func maildirOf(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	for _, sub := range []string{"new", "cur", "tmp"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o700); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

func deliver(tb testing.TB, dir, name, raw string) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(dir, "new", name), []byte(raw), 0o600); err != nil {
		tb.Fatal(err)
	}
}

func files(tb testing.TB, dir string) []string {
	tb.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		tb.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

func TestMaildir(t *testing.T) {
	t.Parallel()
	dir := maildirOf(t)
	c := offline(t, map[string]any{"bounces": map[string]any{"maildir": dir}})
	token := tokenFor(t, c, "d7")
	to := func(raw, address string) string { return "Delivered-To: " + address + "\r\n" + raw }
	deliver(t, dir, "1.a", to(failed("5.1.1", "550 no"), token))
	deliver(t, dir, "2.b", failed("5.1.1", "550 forged"))
	deliver(t, dir, "3.c", "From: a@b.example\r\nAuto-Submitted: auto-replied\r\n\r\nabsent\r\n")
	deliver(t, dir, "4.d", to(dsn(block("Final-Recipient: rfc822; a@example.org", "Action: delayed", "Status: 4.4.1")), token))
	deliver(t, dir, "5.e", "From: Zoé <zoe@reader.example>\r\nSubject: Re: Brief\r\nMessage-ID: <r1@reader.example>\r\nIn-Reply-To: <d7@news.example>\r\n"+
		"Content-Type: text/plain; charset=iso-8859-1\r\n\r\nARR\xcaT\r\n\r\nLe ven. 20 nov. 2026 \xe0 10:00, La Gazette <brief@news.example> a \xe9crit :\r\n> Bonjour\r\n")
	deliver(t, dir, "6.f", arf("Feedback-Type: abuse\r\nUser-Agent: x\r\nVersion: 1\r\nOriginal-Mail-From: "+token+"\r\n", "x: y\r\n"))
	deliver(t, dir, "7.g", arf("Feedback-Type: not-spam\r\nUser-Agent: x\r\nVersion: 1\r\nOriginal-Mail-From: "+token+"\r\n", "x: y\r\n"))
	deliver(t, dir, "8.h", "From: zoe@reader.example\r\nSubject: STOP\r\n\r\n\r\n")
	deliver(t, dir, "9.i", "From: zoe@reader.example\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Merci <b>beaucoup</b></p><script>x</script>\r\n")
	deliver(t, dir, "8.ha", to(failed("5.1.1", "550 <a@example.org>: no such user; ask Postmaster@example.org"), token))
	events, err := c.Listen(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	type seen struct {
		Kind      sdk.EventKind
		Ref, From string
		Text      string
		Bounce    sdk.Bounce
		ReplyTo   string
	}
	want := []seen{
		{Kind: sdk.EventBounce, Ref: "d7", Bounce: sdk.Bounce{Class: "hard", Status: "5.1.1", Reason: "550 no"}},
		{Kind: sdk.EventBounce, Text: "Undelivered Mail Returned to Sender", Bounce: sdk.Bounce{Class: "hard", Status: "5.1.1", Reason: "550 forged"}},
		{Kind: sdk.EventMessage, From: "zoe@reader.example", Text: "ARRÊT", Ref: "<d7@news.example>", ReplyTo: "<r1@reader.example>"},
		{Kind: sdk.EventComplaint, Ref: "d7", Text: "abuse", Bounce: sdk.Bounce{Class: "other", Reason: "complaint: abuse"}},
		{Kind: EventFeedback, Ref: "d7", Text: "not-spam", Bounce: sdk.Bounce{Class: "other", Reason: "complaint: not-spam"}},
		{Kind: sdk.EventMessage, From: "zoe@reader.example", Text: "STOP"},
		{Kind: sdk.EventBounce, Ref: "d7", Bounce: sdk.Bounce{Class: "hard", Status: "5.1.1", Reason: "550 <[address]>: no such user; ask [address]"}},
		{Kind: sdk.EventMessage, From: "zoe@reader.example", Text: "Merci beaucoup"},
	}
	ids := map[string]bool{}
	for i, w := range want {
		e, _, err := events.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(w, seen{e.Kind, e.Ref, e.From.Value, e.Text, e.Bounce, e.ReplyTo}); diff != "" {
			t.Errorf("event %d: %s", i, diff)
		}
		if e.Kind == sdk.EventMessage && e.From.Medium != Medium || ids[e.ID] || e.ID == "" || e.At.IsZero() {
			t.Errorf("event %d: %+v", i, e)
		}
		ids[e.ID] = true
		if i == 0 && len(files(t, filepath.Join(dir, "cur"))) != 0 {
			t.Error("the first mail was settled before the next was asked for")
		}
	}
	if got := files(t, filepath.Join(dir, "new")); cmp.Diff([]string{"9.i"}, got) != "" {
		t.Errorf("in new: %v", got)
	}
	if got := files(t, filepath.Join(dir, "cur")); len(got) != 9 || got[0] != "1.a:2,S" {
		t.Errorf("in cur: %v", got)
	}
	// Nothing more is there: the call ends with its context, and what was given last is settled by it.
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, _, err := events.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	if n := len(files(t, filepath.Join(dir, "new"))); n != 0 {
		t.Errorf("%d are left", n)
	}
}

func TestAMailThatWasNotSettledComesAgain(t *testing.T) {
	t.Parallel()
	dir := maildirOf(t)
	c := offline(t, map[string]any{"bounces": map[string]any{"maildir": dir}})
	deliver(t, dir, "1.a", "From: a@b.example\r\n\r\nhello\r\n")
	var first sdk.InboxEvent
	for i := range 2 {
		events, err := c.Listen(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		e, _, err := events.Next(t.Context())
		if err != nil || i == 1 && e.ID != first.ID {
			t.Fatalf("%+v %v", e, err)
		}
		first = e
		if err := events.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestMaildirThatIsNone(t *testing.T) {
	t.Parallel()
	c := offline(t, map[string]any{"bounces": map[string]any{"maildir": t.TempDir()}})
	if _, err := c.Listen(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "is no Maildir: the folder new") {
		t.Errorf("%v", err)
	}
	if _, err := offline(t, nil).Listen(t.Context(), nil); codeOf(err) != "unsupported message" {
		t.Errorf("%v", err)
	}
}

// lmtpClient speaks LMTP, by hand.
func lmtpSend(addr, to, raw string) (string, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	c := textproto.NewConn(conn)
	if _, _, err := c.ReadResponse(220); err != nil {
		return "", err
	}
	for _, line := range []string{"LHLO mx.example", "MAIL FROM:<>", "RCPT TO:<" + to + ">"} {
		if err := c.PrintfLine("%s", line); err != nil {
			return "", err
		}
		if _, _, err := c.ReadResponse(250); err != nil {
			return "", err
		}
	}
	if err := c.PrintfLine("DATA"); err != nil {
		return "", err
	}
	if _, _, err := c.ReadResponse(354); err != nil {
		return "", err
	}
	w := c.DotWriter()
	fmt.Fprint(w, raw)
	if err := w.Close(); err != nil {
		return "", err
	}
	return c.ReadLine()
}

func TestLMTP(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	c := offline(t, map[string]any{"bounces": map[string]any{"lmtp": addr}})
	events, err := c.Listen(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	type answer struct {
		line string
		err  error
	}
	send := func(to, raw string) chan answer {
		out := make(chan answer, 1)
		go func() {
			line, err := lmtpSend(addr, to, raw)
			out <- answer{line, err}
		}()
		return out
	}
	first := send(tokenFor(t, c, "d9"), failed("5.1.1", "550 no"))
	e, _, err := events.Next(t.Context())
	if err != nil || e.Kind != sdk.EventBounce || e.Ref != "d9" {
		t.Fatalf("%+v %v", e, err)
	}
	select {
	case a := <-first:
		t.Fatalf("the mail was answered before it was safe: %v", a)
	default:
	}
	second := send("brief@news.example", "From: a@b.example\r\nSubject: x\r\n\r\nSTOP\r\n")
	if e, _, err = events.Next(t.Context()); err != nil || e.Text != "STOP" {
		t.Fatalf("%+v %v", e, err)
	}
	if a := <-first; a.err != nil || !strings.HasPrefix(a.line, "250") {
		t.Errorf("%v", a)
	}
	// The host stops before the second is safe: the mail server has to keep it.
	if err := events.Close(); err != nil {
		t.Fatal(err)
	}
	if a := <-second; a.err == nil && !strings.HasPrefix(a.line, "451") {
		t.Errorf("%v", a)
	}
	if _, _, err := events.Next(t.Context()); err == nil {
		t.Error("a closed listener gives events")
	}
}

func TestLMTPWhereSomebodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c := offline(t, map[string]any{"bounces": map[string]any{"lmtp": l.Addr().String()}})
	if _, err := c.Listen(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "nobody can listen on") {
		t.Errorf("%v", err)
	}
}
