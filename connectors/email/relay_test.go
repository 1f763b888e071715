package email

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/belfry-news/belfry/connectors/email/emailtest"
	"github.com/belfry-news/belfry/sdk"
	"github.com/belfry-news/belfry/sdk/sdktest"
)

// noFaults fails when the relay saw what RFC 5321 forbids.
func noFaults(t *testing.T, r *emailtest.Relay) {
	t.Helper()
	for _, f := range r.Faults() {
		t.Error(f)
	}
}

func TestMessage(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options emailtest.Options
		scheme  string
		config  map[string]any
		local   string
		want    string
		check   func(*testing.T, emailtest.Mail)
	}{
		"plain text on loopback": {options: emailtest.Options{}, scheme: "smtp", want: "ok", check: func(t *testing.T, m emailtest.Mail) {
			if m.TLS || len(m.FromParams)+len(m.ToParams) != 0 {
				t.Errorf("%+v", m)
			}
		}},
		"pipelining": {options: emailtest.Options{Pipelining: true}, scheme: "smtp", want: "ok"},
		"TLS from the first byte": {options: emailtest.Options{Implicit: true, Pipelining: true}, scheme: "smtps", config: map[string]any{"tls": "required"}, want: "ok",
			check: func(t *testing.T, m emailtest.Mail) {
				if !m.TLS {
					t.Error("in plain text")
				}
			}},
		"STARTTLS with a user": {options: emailtest.Options{StartTLS: true, Auth: []string{"LOGIN", "PLAIN"}, User: "u", Password: "p w"}, scheme: "smtp",
			config: map[string]any{"tls": "required", "username": "u", "password": "p w"}, want: "ok", check: func(t *testing.T, m emailtest.Mail) {
				if !m.TLS || m.User != "u" {
					t.Errorf("%+v", m)
				}
			}},
		"LOGIN only": {options: emailtest.Options{Implicit: true, Auth: []string{"LOGIN"}, User: "u", Password: "p"}, scheme: "smtps",
			config: map[string]any{"tls": "required", "username": "u", "password": "p"}, want: "ok"},
		"XOAUTH2": {options: emailtest.Options{Implicit: true, Auth: []string{"XOAUTH2"}, User: "u", Password: "token"}, scheme: "smtps",
			config: map[string]any{"tls": "required", "username": "u", "password": "token", "auth": "xoauth2"}, want: "ok"},
		"XOAUTH2 refused": {options: emailtest.Options{Implicit: true, Auth: []string{"XOAUTH2"}, User: "u", Password: "token"}, scheme: "smtps",
			config: map[string]any{"tls": "required", "username": "u", "password": "old", "auth": "xoauth2"}, want: "unauthenticated account"},
		"wrong password": {options: emailtest.Options{Auth: []string{"PLAIN"}, User: "u", Password: "p"}, scheme: "smtp",
			config: map[string]any{"username": "u", "password": "q"}, want: "unauthenticated account"},
		"a way to log in that is not offered": {options: emailtest.Options{Auth: []string{"CRAM-MD5"}, User: "u", Password: "p"}, scheme: "smtp",
			config: map[string]any{"username": "u", "password": "p"}, want: "unauthenticated account"},
		"no user where one is needed": {options: emailtest.Options{User: "u", Password: "p"}, scheme: "smtp", want: "unauthenticated account"},
		"no STARTTLS":                 {options: emailtest.Options{}, scheme: "smtp", config: map[string]any{"tls": "required"}, want: "forbidden account"},
		"an unknown authority":        {options: emailtest.Options{Implicit: true}, scheme: "smtps", config: map[string]any{"tls": "required", "ca": nil}, want: "unavailable account"},
		"a certificate for another": {options: emailtest.Options{Implicit: true, Names: []string{"other.example"}}, scheme: "smtps",
			config: map[string]any{"tls": "required"}, want: "unavailable account"},
		"DSN": {options: emailtest.Options{DSN: true, Pipelining: true}, scheme: "smtp", want: "ok", check: func(t *testing.T, m emailtest.Mail) {
			token := strings.TrimSuffix(strings.TrimPrefix(m.From, "bounce+"), "@news.example")
			if diff := cmp.Diff(map[string]string{"RET": "HDRS", "ENVID": token}, m.FromParams); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(map[string]string{"NOTIFY": "FAILURE", "ORCPT": "rfc822;a+2Bb@example.invalid"}, m.ToParams); diff != "" {
				t.Error(diff)
			}
		}, local: "a+b"},
		"SIZE":                          {options: emailtest.Options{Size: 100_000}, scheme: "smtp", want: "ok"},
		"too large":                     {options: emailtest.Options{Size: 2000}, scheme: "smtp", want: "too_large template"},
		"an address that needs UTF-8":   {options: emailtest.Options{UTF8: true}, scheme: "smtp", local: "zoé", want: "ok"},
		"UTF-8 that nobody offers":      {options: emailtest.Options{}, scheme: "smtp", local: "zoé", want: "unsupported person"},
		"a quoted local part":           {options: emailtest.Options{}, scheme: "smtp", local: "a!b", want: "ok"},
		"without a bounce address":      {options: emailtest.Options{}, scheme: "smtp", config: map[string]any{"bounce": nil, "bounce_secrets": nil}, want: "ok"},
		"private where none is allowed": {options: emailtest.Options{}, scheme: "smtp", config: map[string]any{"tls": "required", "relay": "smtp://localhost:1", "allow_private": nil}, want: "forbidden account"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := emailtest.Start(t, tc.options)
			more := map[string]any{"relay": tc.scheme + "://" + r.Addr}
			if r.CA != "" {
				more["ca"] = r.CA
			}
			if tc.config["tls"] == "required" {
				more["allow_private"] = []any{"127.0.0.1/32"}
			}
			maps.Copy(more, tc.config)
			c := openConnector(t, plainRelay(r, more))
			local := tc.local
			if local == "" {
				local = "reader"
			}
			m := sdk.NewDirectMessage(sdktest.Permit(t, "d1", Medium, local+sdktest.AddressDomain), sdk.MessageContent{Common: common(), Slots: slots("Ève")})
			ref, err := c.Message(t.Context(), m)
			if codeOf(err) != tc.want {
				t.Fatalf("%v (%s), want %s", err, codeOf(err), tc.want)
			}
			noFaults(t, r)
			if err != nil {
				if n := len(r.Mails()); n != 0 {
					t.Errorf("%d mails were accepted", n)
				}
				if strings.Contains(err.Error(), sdktest.AddressDomain) || strings.Contains(err.Error(), "p w") {
					t.Errorf("the error tells too much: %v", err)
				}
				return
			}
			mails := r.Mails()
			if len(mails) != 1 || ref.ID != "<d1@news.example>" || mails[0].To != local+sdktest.AddressDomain {
				t.Fatalf("%v %+v", ref, mails)
			}
			if !strings.Contains(readLetter(t, mails[0].Data).plain, "Bonjour Ève") {
				t.Error("the text is another one")
			}
			if tc.check != nil {
				tc.check(t, mails[0])
			}
		})
	}
}

// TestAnswers: what a relay answers, at each step, is what the message's outcome says.
func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ step, answer, want string }{
		{"connect", "421 4.3.2 shutting down", "unavailable account"},
		{"connect", "554 5.7.1 go away", "forbidden account"},
		{"connect", emailtest.Drop, "unavailable account"},
		{"connect", "hello, this is no SMTP", "unavailable account"},
		{"EHLO", "502 5.5.1 what", "forbidden account"},
		{"EHLO", emailtest.Drop, "unavailable account"},
		{"MAIL", "421 4.7.28 unusual rate", "rate_limited account"},
		{"MAIL", "451 4.3.0 later", "unavailable account"},
		{"MAIL", "550 5.7.1 sender refused", "forbidden account"},
		{"MAIL", "552 5.3.4 too big", "too_large template"},
		{"MAIL", emailtest.Drop, "unavailable message"},
		{"RCPT", "550 5.1.1 no such user", "gone person"},
		{"RCPT", "550 5.1.10 null MX", "gone person"},
		{"RCPT", "550 5.2.1 disabled", "gone person"},
		{"RCPT", "550 no such user here", "gone person"},
		{"RCPT", "552 5.2.2 full", "invalid person"},
		{"RCPT", "452 4.2.2 full", "unavailable message"},
		{"RCPT", "450 4.2.1 the user gets mail at a rate", "unavailable message"},
		{"RCPT", "550 5.7.1 blocked by policy", "forbidden message"},
		{"RCPT", "554 5.7.1 relay access denied", "forbidden account"},
		{"RCPT", "550 5.7.26 unauthenticated", "forbidden destination"},
		{"RCPT", "550 5.7.1 the message was blocked by the recipient", "gone person"},
		{"RCPT", "550 5.0.0 no", "invalid person"},
		{"RCPT", "550 5.4.4 no route", "invalid person"},
		{"RCPT", "501 5.5.2 syntax", "invalid template"},
		{"RCPT", "421 4.7.0 too many connections", "rate_limited account"},
		{"RCPT", emailtest.Drop, "unavailable message"},
		{"DATA", "451 4.3.1 no room", "unavailable message"},
		{"DATA", "554 5.6.0 bad content", "invalid template"},
		{"DATA", emailtest.Drop, "unavailable message"},
		{"text", emailtest.Drop, "unknown_outcome message"},
		{"end", "554 5.7.1 spam", "forbidden message"},
		{"end", "552 5.3.4 too big", "too_large template"},
		{"end", "550 5.1.1 no such user", "gone person"},
		{"end", "451 4.3.0 later", "unavailable message"},
		{"end", "550 5.7.515 access denied", "forbidden destination"},
		{"end", emailtest.Drop, "unknown_outcome message"},
		{"end", "nonsense", "unknown_outcome message"},
	} {
		for _, pipelining := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %s pipelining %t", tc.step, tc.answer, pipelining), func(t *testing.T) {
				t.Parallel()
				r := emailtest.Start(t, emailtest.Options{Pipelining: pipelining, Play: func(s emailtest.Step) string {
					if s.Name == tc.step {
						return tc.answer
					}
					return ""
				}})
				c := openConnector(t, plainRelay(r, nil))
				_, err := c.Message(t.Context(), message(t, "d1", common(), slots("a")))
				if codeOf(err) != tc.want {
					t.Errorf("%v (%s), want %s", err, codeOf(err), tc.want)
				}
				noFaults(t, r)
				if refusal, ok := errors.AsType[*Refusal](err); ok && refusal.Step != tc.step {
					t.Errorf("the refusal is said to be at %s", refusal.Step)
				}
			})
		}
	}
}

// TestPolicy: one refusal by policy is its message's; several in a row, with nothing taken between, are about the sender.
func TestPolicy(t *testing.T) {
	t.Parallel()
	r := emailtest.Start(t, emailtest.Options{Play: func(s emailtest.Step) string {
		if s.Name == "RCPT" && s.N != 4 {
			return "550 5.7.1 refused by policy"
		}
		return ""
	}})
	c := openConnector(t, plainRelay(r, nil))
	for i, want := range []string{"message", "message", "message", "ok", "message", "message", "message", "message", "destination", "destination"} {
		_, err := c.Message(t.Context(), message(t, fmt.Sprintf("d%d", i), common(), slots("a")))
		if got := codeOf(err); got != want && got != "forbidden "+want {
			t.Errorf("mail %d: %s, want %s", i, got, want)
		}
	}
}

// TestAfterARefusal: a refused recipient leaves the connection usable, with RSET where the server still has an envelope.
func TestAfterARefusal(t *testing.T) {
	t.Parallel()
	for _, pipelining := range []bool{false, true} {
		for _, tc := range []struct{ step, answer, want string }{
			{"RCPT", "550 5.1.1 unknown", "gone person"}, {"MAIL", "452 4.3.1 no", "unavailable account"}, {"DATA", "451 4.3.0 no", "unavailable message"},
			{"end", "550 5.1.1 unknown", "gone person"}, {"liar", "550 5.1.1 unknown", "gone person"},
		} {
			t.Run(fmt.Sprintf("%s pipelining %t", tc.step, pipelining), func(t *testing.T) {
				t.Parallel()
				refused := false
				r := emailtest.Start(t, emailtest.Options{Pipelining: pipelining, Play: func(s emailtest.Step) string {
					switch {
					case tc.step == "liar" && s.Name == "RCPT" && s.N == 2:
						refused = true
						return tc.answer
					case tc.step == "liar" && s.Name == "DATA" && refused:
						refused = false
						return "354 give it to me all the same"
					case s.Name == tc.step && s.N == 2:
						return tc.answer
					}
					return ""
				}})
				c := openConnector(t, plainRelay(r, map[string]any{"connections": json.Number("1")}))
				c.pool.relays[0].allowed = 1
				q := streamOf(t, 4)
				if err := c.Stream(t.Context(), q); err != nil && tc.step != "MAIL" {
					t.Fatal(err)
				}
				noFaults(t, r)
				if q.results["d0001"] != tc.want || len(q.results) != 4 && tc.step != "MAIL" {
					t.Errorf("%v", q.results)
				}
				if n := len(r.Mails()); tc.step != "MAIL" && n != 3 {
					t.Errorf("%d mails", n)
				}
			})
		}
	}
}

func TestAMessageWhoseTimeIsOver(t *testing.T) {
	t.Parallel()
	r := emailtest.Start(t, emailtest.Options{})
	c := openConnector(t, plainRelay(r, nil))
	late := sdktest.PermitFor(t, "d1", Medium, "a"+sdktest.AddressDomain, sdk.PurposeDelivery, time.Now().Add(-time.Second))
	_, err := c.Message(t.Context(), sdk.NewDirectMessage(late, sdk.MessageContent{Common: common(), Slots: slots("a")}))
	if codeOf(err) != "no_consent message" {
		t.Errorf("%v", err)
	}
	_, err = c.Message(t.Context(), sdk.NewDirectMessage(sdk.Permit{}, sdk.MessageContent{Common: common()}))
	if codeOf(err) != "no_consent message" {
		t.Errorf("%v", err)
	}
	_, err = c.Message(t.Context(), sdk.NewDirectMessage(sdktest.Permit(t, "d2", "telegram", "a"+sdktest.AddressDomain), sdk.MessageContent{Common: common()}))
	if codeOf(err) != "unsupported message" {
		t.Errorf("%v", err)
	}
	if made, _ := r.Connections(); made != 0 {
		t.Errorf("%d connections were made for nobody", made)
	}
}

func TestASlowRelayIsUnknownAfterTheDot(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	r := emailtest.Start(t, emailtest.Options{Play: func(s emailtest.Step) string {
		if s.Name == "end" {
			<-release
		}
		return ""
	}})
	c := openConnector(t, plainRelay(r, map[string]any{"timeout": "1s"}))
	_, err := c.Message(t.Context(), message(t, "d1", common(), slots("a")))
	close(release)
	if codeOf(err) != "unknown_outcome message" {
		t.Errorf("%v", err)
	}
}

// TestIdleConnection: the second mail finds that the relay has closed in between, and leaves over a new connection.
func TestIdleConnection(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]emailtest.Options{
		"silently": {CloseAfter: 1},
		"with 421": {Play: func(s emailtest.Step) string {
			if s.Name == "MAIL" && s.Message == 1 {
				return "421 4.4.2 idle for too long"
			}
			return ""
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := emailtest.Start(t, o)
			c := openConnector(t, plainRelay(r, nil))
			for i := range 4 {
				if _, err := c.Message(t.Context(), message(t, fmt.Sprintf("d%d", i), common(), slots("a"))); err != nil {
					t.Fatal(err)
				}
			}
			if n := len(r.Mails()); n != 4 {
				t.Errorf("%d mails", n)
			}
			noFaults(t, r)
		})
	}
}

// TestACallThatIsCancelled ends at once, and says what is known.
func TestACallThatIsCancelled(t *testing.T) {
	t.Parallel()
	for step, want := range map[string]string{"RCPT": "unavailable message", "end": "unknown_outcome message"} {
		ctx, cancel := context.WithCancel(t.Context())
		release := make(chan struct{})
		r := emailtest.Start(t, emailtest.Options{Play: func(s emailtest.Step) string {
			if s.Name == step {
				cancel()
				<-release
			}
			return ""
		}})
		c := openConnector(t, plainRelay(r, nil))
		_, err := c.Message(ctx, message(t, "d1", common(), slots("a")))
		close(release)
		if codeOf(err) != want {
			t.Errorf("%s: %v", step, err)
		}
	}
}

// TestIdleConnectionsAreClosed: the relay hears QUIT.
func TestIdleConnectionsAreClosed(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	r := emailtest.Start(t, emailtest.Options{Play: func(s emailtest.Step) string {
		if s.Name == "QUIT" {
			close(gone)
		}
		return ""
	}})
	c := openConnector(t, plainRelay(r, nil))
	c.pool.idle = time.Millisecond
	if _, err := c.Message(t.Context(), message(t, "d1", common(), slots("a"))); err != nil {
		t.Fatal(err)
	}
	<-gone
}

func TestStream(t *testing.T) {
	t.Parallel()
	const n = 300
	for name, o := range map[string]emailtest.Options{
		"pipelining": {Pipelining: true}, "step by step": {}, "TLS": {Implicit: true, Pipelining: true},
		"closes after 7": {Pipelining: true, CloseAfter: 7}, "closes after 1, step by step": {CloseAfter: 1},
		"closes with 421": {Pipelining: true, Play: func(s emailtest.Step) string {
			if s.Name == "MAIL" && s.Message == 10 {
				return "421 4.4.5 enough for one connection"
			}
			return ""
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := emailtest.Start(t, o)
			more := map[string]any{}
			if o.Implicit {
				more = map[string]any{"relay": "smtps://" + r.Addr, "tls": "required", "ca": r.CA, "allow_private": []any{"127.0.0.1/32"}}
			}
			c := openConnector(t, plainRelay(r, more))
			q := streamOf(t, n)
			if err := c.Stream(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			noFaults(t, r)
			if diff := cmp.Diff(map[string]int{"ok": n}, q.counts()); diff != "" || q.twice != nil {
				t.Errorf("%s %v", diff, q.twice)
			}
			seen := map[string]int{}
			for _, m := range r.Mails() {
				seen[m.To]++
				id := strings.TrimSuffix(strings.TrimPrefix(m.To, "reader-"), sdktest.AddressDomain)
				if got := readLetter(t, m.Data); !strings.Contains(got.plain, "lecteur "+strings.TrimLeft(id[1:4], "0")+id[4:]+",") && id != "d0000" || q.refs[id] != got.header.Get("Message-ID") {
					t.Fatalf("%s got somebody else's mail:\n%s", id, got.plain)
				}
			}
			if len(seen) != n || len(r.Mails()) != n {
				t.Errorf("%d people, %d mails", len(seen), len(r.Mails()))
			}
			// A relay that closes may see the next connection before it is done with the last.
			if _, most := r.Connections(); most > 4 && o.CloseAfter == 0 && o.Play == nil {
				t.Errorf("%d connections at once", most)
			}
		})
	}
}

// TestStreamLosesNothing: whatever a relay does, each message has one outcome, and "ok" is exactly what was accepted and
// answered.
func TestStreamLosesNothing(t *testing.T) {
	t.Parallel()
	const n = 200
	faults := []string{"MAIL", "RCPT", "DATA", "text", "end"}
	for _, pipelining := range []bool{false, true} {
		t.Run(fmt.Sprintf("pipelining %t", pipelining), func(t *testing.T) {
			t.Parallel()
			r := emailtest.Start(t, emailtest.Options{Pipelining: pipelining, Play: func(s emailtest.Step) string {
				for i, f := range faults {
					if s.Name != f || s.N%13 != i*2+3 {
						continue
					}
					switch {
					case s.N%3 == 0:
						return emailtest.Drop
					case s.Name == "end" && s.N%3 == 1:
						return "keep " + emailtest.Drop // accepted, and the answer is lost
					case s.Name == "RCPT":
						return "550 5.1.1 unknown"
					case s.Name == "text":
						return ""
					}
					return "451 4.3.0 later"
				}
				return ""
			}})
			c := openConnector(t, plainRelay(r, nil))
			q := streamOf(t, n)
			err := c.Stream(t.Context(), q)
			noFaults(t, r)
			accepted := map[string]int{}
			for _, m := range r.Mails() {
				accepted[strings.TrimSuffix(strings.TrimPrefix(m.To, "reader-"), sdktest.AddressDomain)]++
			}
			for id, outcome := range q.results {
				switch k := accepted[id]; {
				case k > 1:
					t.Errorf("%s was sent %d times", id, k)
				case outcome == "ok" && k != 1:
					t.Errorf("%s is said to be sent", id)
				case k == 1 && outcome != "ok" && outcome != "unknown_outcome message":
					t.Errorf("%s was accepted and is said to be %s", id, outcome)
				}
			}
			if len(q.twice) > 0 {
				t.Errorf("settled twice: %v", q.twice)
			}
			if left := len(q.waiting); len(q.results)+left != n || left > 0 && err == nil {
				t.Errorf("%d outcomes and %d left of %d: %v", len(q.results), left, n, err)
			}
			if counts := q.counts(); counts["ok"] == 0 || counts["unknown_outcome message"] == 0 || counts["gone person"] == 0 {
				t.Errorf("the relay played too little: %v", counts)
			}
		})
	}
}

func TestSeveralRelays(t *testing.T) {
	t.Parallel()
	const n = 100
	good := emailtest.Start(t, emailtest.Options{Pipelining: true})
	for name, o := range map[string]emailtest.Options{
		"refuses all": {Play: func(s emailtest.Step) string {
			if s.Name == "connect" {
				return "554 5.7.1 no"
			}
			return ""
		}},
		"wrong password": {User: "x", Password: "y", Auth: []string{"PLAIN"}},
		"throttles": {Play: func(s emailtest.Step) string {
			if s.Name == "MAIL" {
				return "421 4.7.28 unusual rate of mail"
			}
			return ""
		}},
	} {
		t.Run(name, func(t *testing.T) {
			bad := emailtest.Start(t, o)
			url := "smtp://" + bad.Addr
			if o.User != "" {
				url = "smtp://x:z@" + bad.Addr
			}
			c := openConnector(t, plainRelay(good, map[string]any{"relay": []any{map[string]any{"url": url}, "smtp://" + good.Addr}}))
			q := streamOf(t, n)
			if err := c.Stream(t.Context(), q); err != nil {
				t.Fatal(err)
			}
			counts := q.counts()
			if name == "throttles" {
				// Those whose envelope it refused come again by the host.
				counts["ok"] += counts["rate_limited account"]
				if counts["rate_limited account"] > 4 {
					t.Errorf("%d messages were refused before the relay rested", counts["rate_limited account"])
				}
			}
			if counts["ok"] != n {
				t.Errorf("%v", counts)
			}
		})
	}
	noFaults(t, good)
}

// TestGmailPause: after 4.7.28 nothing is sent for ten minutes, and then over one connection.
func TestGmailPause(t *testing.T) {
	t.Parallel()
	r := emailtest.Start(t, emailtest.Options{Play: func(s emailtest.Step) string {
		if s.Name == "MAIL" && s.N == 1 {
			return "421 4.7.28 Gmail has detected an unusual rate"
		}
		return ""
	}})
	c := openConnector(t, plainRelay(r, nil))
	now := time.Now()
	c.pool.now = func() time.Time { return now }
	send := func(id string) error {
		_, err := c.Message(t.Context(), message(t, id, common(), slots("a")))
		return err
	}
	if err := send("d1"); codeOf(err) != "rate_limited account" || sdk.AsError(err).RetryAfter != 10*time.Minute {
		t.Fatalf("%v after %s", err, sdk.AsError(err).RetryAfter)
	}
	now = now.Add(9 * time.Minute)
	if err := send("d2"); codeOf(err) != "rate_limited account" || sdk.AsError(err).RetryAfter != time.Minute {
		t.Fatalf("%v after %s", err, sdk.AsError(err).RetryAfter)
	}
	if made, _ := r.Connections(); made != 1 {
		t.Errorf("%d connections in the pause", made)
	}
	now = now.Add(61 * time.Second)
	if err := send("d3"); err != nil {
		t.Fatal(err)
	}
	// One more at a time, not before a minute each.
	for i, want := range []int{1, 1, 2, 2, 3, 4, 4} {
		if allowed := c.pool.relays[0].allowed; allowed != want {
			t.Errorf("%d connections are allowed at once, want %d (%d)", allowed, want, i)
		}
		now = now.Add(31 * time.Second)
		if want > 2 {
			now = now.Add(growEvery)
		}
		if err := send(fmt.Sprintf("e%d", i)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestStreamEnds: nothing is begun after the context ended, and every message that was taken is settled.
func TestStreamEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	r := emailtest.Start(t, emailtest.Options{Play: func(s emailtest.Step) string {
		if s.Name == "end" && s.N == 3 {
			cancel()
		}
		return ""
	}})
	c := openConnector(t, plainRelay(r, nil))
	q := streamOf(t, 500)
	if err := c.Stream(ctx, q); err != nil {
		t.Fatal(err)
	}
	if counts := q.counts(); counts["ok"] != len(r.Mails()) || counts["ok"] > 100 || len(q.results) != 500-len(q.waiting) && len(q.waiting) > 0 {
		t.Errorf("%v, %d accepted, %d left", counts, len(r.Mails()), len(q.waiting))
	}
}

// TestStreamWithoutARelay: the stream fails, and what was taken is settled as not sent.
func TestStreamWithoutARelay(t *testing.T) {
	t.Parallel()
	r := emailtest.Start(t, emailtest.Options{})
	r.Close()
	c := openConnector(t, plainRelay(r, nil))
	q := streamOf(t, 50)
	err := c.Stream(t.Context(), q)
	if codeOf(err) != "unavailable account" {
		t.Fatalf("%v", err)
	}
	if counts := q.counts(); counts["unavailable account"] != len(q.results) || len(q.results)+len(q.waiting) != 50 || len(q.waiting) == 0 {
		t.Errorf("%v, %d left", counts, len(q.waiting))
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	r := emailtest.Start(t, emailtest.Options{Pipelining: true})
	c := openConnector(t, plainRelay(r, map[string]any{"relay": []any{map[string]any{"url": "smtp://" + r.Addr, "rate": "40/s"}}}))
	q := streamOf(t, 60)
	begin := time.Now()
	if err := c.Stream(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	// 40 may leave at once; 20 more need half a second.
	if took := time.Since(begin); took < 400*time.Millisecond {
		t.Errorf("60 mails took %s", took)
	}
	if len(r.Mails()) != 60 {
		t.Errorf("%d mails", len(r.Mails()))
	}
}
